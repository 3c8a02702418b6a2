//! What a process was given is renewed, while it goes on.

use partie_contract::Channel;
use partie_identity::Authority;

use super::*;
use crate::wire::tests::Line;
use crate::wire::{RegistryWire as _, join_grant};

/// A file that goes with the test.
struct Kept(PathBuf);

impl Drop for Kept {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).ok();
    }
}

/// Orders, joined over that line.
async fn joined(line: &Line) -> (Guest, Kept) {
    let kept = Kept(std::env::temp_dir().join(format!("partie-guest-{}.json", std::process::id())));
    let (key, apply) = application(&Applicant::new("food", "orders").unwrap()).unwrap();
    let given = line.desk().certify(&line.call(&join_grant("food", "orders")), apply).await.unwrap();
    let anchor = Authority::derived(b"the key", "food").unwrap().anchor().to_string();
    let guest = Guest::open(papers(("food", "orders", &anchor), key, given), kept.0.clone()).unwrap();
    (guest, kept)
}

#[tokio::test(start_paused = true)]
async fn what_it_was_given_is_renewed_when_it_is_due_and_stays_while_nobody_renews_it() {
    let line = Line::new();
    let (mut guest, kept) = joined(&line).await;
    let (tokens, credentials) = (guest.proof().tokens("food", "orders").unwrap(), guest.credentials());
    assert!(guest.proof().signer().is_none());
    let desk = |line: &Line| RegistryWireClient::over(Channel::new(line.clone()));
    let (ours, first) = (line.of("orders"), guest.papers.clone());
    assert_eq!(tokens.shown().unwrap().token, first.token);

    // It is not due.
    guest.renew_if_due(&desk(&ours), &line.calls()).await;
    assert_eq!(guest.papers, first);
    // It is, and the platform is away, or takes it for somebody else.
    guest.papers.certified.issued -= 3600;
    let due = guest.papers.clone();
    line.stop();
    guest.renew_if_due(&desk(&ours), &line.calls()).await;
    line.restart();
    for other in [line.of("menu"), line.clone()] {
        guest.renew_if_due(&desk(&other), &line.calls()).await;
    }
    assert!(guest.told == Some(WAITS) && guest.papers == due && Papers::load(&kept.0).unwrap().is_none());
    assert_eq!(tokens.shown().unwrap().token, first.token);

    // After a day it is too late.
    guest.papers.certified.expires = trust_now();
    line.stop();
    guest.renew_if_due(&desk(&ours), &line.calls()).await;
    assert_eq!(guest.told, Some(OVER));
    line.restart();

    // It is there again: everything is new, and everybody who had the old has the new.
    guest.renew_if_due(&desk(&ours), &line.calls()).await;
    let second = guest.papers.clone();
    assert!(guest.told.is_none() && second.renew_in(trust_now()) > Duration::ZERO);
    for (old, new) in [
        (&first.key, &second.key),
        (&first.certified.certificate, &second.certified.certificate),
        (&first.member, &second.member),
        (&first.token, &second.token),
    ] {
        assert_ne!(old, new);
    }
    assert_eq!(tokens.shown().unwrap().token, second.token);
    assert_eq!((credentials.system(), credentials.service()), ("food", "orders"));
    assert_eq!(Papers::load(&kept.0).unwrap(), Some(second));

    // By a token that is over nobody is anything.
    let over = identity(&guest.verifier, "over");
    assert_eq!((&*over.subject, over.roles.len(), over.expires), ("", 0, 0));
}
