//! Who is let in, what he is given, and what he is not.

use partie_identity::{Applicant, Issuer, Verifier};

use super::*;
use crate::wire::registry::Apply;

#[tokio::test(start_paused = true)]
async fn only_somebody_who_may_be_that_service_is_let_in() {
    let line = Line::new();
    let minute = Duration::from_secs(60);
    for (grant, needle) in [
        (join_grant("food", "delivery"), "for delivery, not for orders"),
        (Grant::new("food", "service:orders", minute).role("service"), "service:orders is none"),
        (Grant::new("food", "join:orders", minute).role("customer"), "join:orders is none"),
        (Grant::new("food", "ada", minute).role("join"), "ada is none"),
    ] {
        let reason = refusal(line.desk().announce(&line.call(&grant), announce("orders")).await);
        assert!(reason.contains(needle), "{reason}");
    }
    let join = line.call(&join_grant("food", "orders"));
    for address in ["here", "localhost:80", ""] {
        let wrong = Announce { address: address.to_owned(), ..announce("orders") };
        assert!(refusal(line.desk().announce(&join, wrong).await).contains("IP address"));
    }
    let everywhere = Announce { address: "0.0.0.0:80".to_owned(), ..announce("orders") };
    assert!(refusal(line.desk().announce(&join, everywhere).await).contains("nobody can call"));
    // Whoever is let in can come back with what it was given, as the same service only.
    let admitted = line.desk().announce(&join, announce("orders")).await.unwrap();
    let member = line.signer.verifier("food").verify(&admitted.token).unwrap();
    let member = line.calls()().with_caller(Caller::Verified(member));
    line.restart();
    assert!(line.desk().announce(&member, announce("orders")).await.is_ok());
    assert!(refusal(line.desk().announce(&member, announce("delivery")).await).contains("not for delivery"));
}

#[tokio::test(start_paused = true)]
async fn a_join_token_lets_one_instance_in_whatever_the_registry_forgets() {
    let line = Line::new();
    let join = line.call(&join_grant("food", "orders"));
    let another = || Announce { id: "2".to_owned(), ..announce("orders") };
    // What is refused for another reason does not use it up.
    let wrong = Announce { address: "here".to_owned(), ..another() };
    refusal(line.desk().announce(&join, wrong).await);
    line.desk().announce(&join, announce("orders")).await.unwrap();
    line.desk().announce(&join, announce("orders")).await.unwrap();
    for _ in 0..2 {
        let reason = refusal(line.desk().announce(&join, another()).await);
        assert_eq!(reason, "the join token has been used");
        line.restart();
    }
    let fresh = line.call(&join_grant("food", "orders"));
    line.desk().announce(&fresh, another()).await.unwrap();
}

/// A new key for that service.
fn apply(service: &str) -> Apply {
    let application = Applicant::new("food", service).unwrap().application().unwrap();
    let (public_key, proof) = (application.public_key, application.proof);
    Apply { service: service.to_owned(), public_key, proof }
}

#[tokio::test(start_paused = true)]
async fn whoever_is_let_in_is_certified_as_what_the_token_names() {
    let line = Line::new();
    let join = line.call(&join_grant("food", "orders"));
    let first = apply("orders");
    let certificate = line.desk().certify(&join, first.clone()).await.unwrap();
    assert!(
        certificate.certificate.contains("BEGIN CERTIFICATE") && certificate.expires > certificate.issued
    );
    // An answer can be lost: the same key may come again, over restarts too.
    line.restart();
    line.desk().certify(&join, first).await.unwrap();
    let reserved = line.call(&join_grant("food", "registry"));
    for (call, apply, needle) in [
        (&join, apply("orders"), "has been used"),
        (&join, apply("menu"), "for orders, not for menu"),
        (&join, Apply { proof: String::new(), ..apply("orders") }, "proof of the key"),
        (&line.calls()().with_peer("menu".into()), apply("orders"), "menu is not orders"),
        (&line.calls()(), apply("orders"), "is none"),
        (&reserved, apply("registry"), "takes the key of the system"),
    ] {
        let reason = refusal(line.desk().certify(call, apply).await);
        assert!(reason.contains(needle), "{reason}");
    }
    // Nobody else comes in by that token, announced or not.
    let reason = refusal(line.desk().announce(&join, announce("orders")).await);
    assert_eq!(reason, "the join token has been used");
}

#[tokio::test(start_paused = true)]
async fn who_has_joined_has_what_it_takes_to_be_that_service_and_no_other() {
    let line = Line::new();
    let join = line.call(&join_grant("food", "orders"));
    let given = line.desk().certify(&join, apply("orders")).await.unwrap();
    // It knows the tokens of the system by what it was given, and its own are among them.
    let own = Issuer::system("partie:food", &given.keys.clone().into()).unwrap().audience("food");
    let verifier = Verifier::new([own]);
    let service = verifier.verify(&given.token).unwrap();
    let member = verifier.verify(&given.member).unwrap();
    assert_eq!((&*service.subject, &*member.subject), ("service:orders", "member:orders"));
    let roles = |identity: &partie_contract::Identity| identity.roles.join(" ");
    assert_eq!((roles(&service), roles(&member)), ("service".to_owned(), "member".to_owned()));
    assert!(!format!("{:?}", given.keys).contains("\"d\""), "nothing to sign with");

    // What it was given renews all of it, with a new key, and comes back over restarts of the platform.
    line.restart();
    let call = |token: &str| {
        let caller = Caller::Verified(verifier.verify(token).unwrap());
        line.calls()().with_caller(caller).with_peer("orders".into())
    };
    let renewed = line.desk().certify(&call(&given.member), apply("orders")).await.unwrap();
    assert_ne!(renewed.certificate, given.certificate);
    line.desk().announce(&call(&renewed.member), announce("orders")).await.unwrap();
    line.desk().certify(&call(&renewed.member), apply("orders")).await.unwrap();

    // It is nobody else by that, and its token for other services lets nobody in.
    for (token, service, needle) in [
        (&renewed.member, "delivery", "orders is not delivery"),
        (&renewed.token, "orders", "service:orders is none"),
    ] {
        let reason = refusal(line.desk().certify(&call(token), apply(service)).await);
        assert!(reason.contains(needle), "{reason}");
        let reason = refusal(line.desk().announce(&call(token), announce(service)).await);
        assert!(reason.contains(needle), "{reason}");
    }
    // In the hands of another service, or of nobody, neither.
    let stolen = |peer: Option<&str>| {
        let caller = Caller::Verified(verifier.verify(&renewed.member).unwrap());
        let call = line.calls()().with_caller(caller);
        match peer {
            Some(peer) => call.with_peer(peer.into()),
            None => call,
        }
    };
    let reason = refusal(line.desk().certify(&stolen(Some("menu")), apply("orders")).await);
    assert_eq!(reason, "menu is not orders");
    let reason = refusal(line.desk().certify(&stolen(None), apply("orders")).await);
    assert!(reason.contains("shows its certificate"), "{reason}");
    let reason = refusal(line.desk().certify(&stolen(None), apply("delivery")).await);
    assert!(reason.contains("not for delivery"), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn a_join_token_is_read_by_who_cannot_check_it() {
    let line = Line::new();
    let authority = Authority::derived(b"the key", "food").unwrap();
    let token = |grant: &Grant| line.signer.issue(grant).unwrap();
    let anchored = token(&join_grant("food", "orders").anchor(authority.anchor().clone()));
    let read = JoinToken::read(&anchored, "orders").unwrap();
    assert_eq!((&*read.system, &*read.service), ("food", "orders"));
    assert_eq!(read.anchor.as_ref(), Some(authority.anchor()));
    assert_eq!(JoinToken::read(&token(&join_grant("food", "orders")), "orders").unwrap().anchor, None);
    for (text, needle) in [
        (anchored.clone(), "for orders, not for menu"),
        (token(&Grant::new("food", "ada", LONG).role("customer")), "ada is none"),
        (anchored.replace('.', ""), "the join token is no good: a token has three parts"),
    ] {
        let reason = JoinToken::read(&text, "menu").unwrap_err();
        assert!(reason.contains(needle), "{reason}");
    }
}
