//! What is revoked stays out, and what is not known is not taken for good.

use partie_contract::FaultKind;

use super::*;
use crate::fixture::NOW;

fn identity(subject: &str, session: Option<&str>, issued: i64) -> Identity {
    let mut identity = Identity::new(subject, "t", NOW + 300);
    identity.issued = issued;
    identity.session = session.map(str::to_owned);
    identity
}

fn session(name: &str) -> Revocation {
    Revocation { session: Some(name.to_owned()), subject: None, issued_before: NOW, until: NOW + 300 }
}

fn subject(name: &str, issued_before: i64) -> Revocation {
    Revocation { session: None, subject: Some(name.to_owned()), issued_before, until: NOW + 300 }
}

fn news(at: i64, complete: bool, revocations: Vec<Revocation>) -> RevocationNews {
    RevocationNews { at: at * 1000, complete, revocations }
}

fn loaded(silence: Silence) -> (Revocations, Instant) {
    let (revocations, now) = (Revocations::new(silence), monotonic());
    revocations.hear_at(&news(NOW, true, vec![]), NOW, now);
    (revocations, now)
}

fn kind(judged: Result<(), Platform>) -> Result<(), FaultKind> {
    judged.map_err(|fault| fault.kind())
}

#[test]
fn a_revoked_session_takes_all_its_tokens_with_it() {
    let (revocations, now) = loaded(Silence::default());
    let check = |session, issued| kind(revocations.check_at(&identity("ann", session, issued), now));
    assert_eq!(check(Some("s-1"), NOW - 10), Ok(()));
    revocations.hear_at(&news(NOW + 1, false, vec![session("s-1")]), NOW, now);
    assert_eq!(check(Some("s-1"), NOW - 10), Err(FaultKind::Unauthenticated));
    assert_eq!(check(Some("s-1"), NOW + 100), Err(FaultKind::Unauthenticated), "whenever it was issued");
    assert_eq!(check(Some("s-2"), NOW - 10), Ok(()));
    assert_eq!(check(None, NOW - 10), Ok(()));
}

#[test]
fn a_revoked_subject_comes_back_with_a_new_token() {
    let (revocations, now) = loaded(Silence::default());
    revocations.hear_at(&news(NOW, false, vec![subject("ann", NOW)]), NOW, now);
    let check = |who, issued| kind(revocations.check_at(&identity(who, Some("s"), issued), now));
    assert_eq!(check("ann", NOW - 1), Err(FaultKind::Unauthenticated));
    assert_eq!(check("ann", NOW), Ok(()));
    assert_eq!(check("ben", NOW - 1), Ok(()));
    revocations.hear_at(&news(NOW, false, vec![subject("ann", NOW - 100)]), NOW, now);
    assert_eq!(check("ann", NOW - 1), Err(FaultKind::Unauthenticated), "earlier news take nothing back");
}

#[test]
fn nothing_is_taken_before_a_whole_snapshot() {
    let (revocations, now) = (Revocations::new(Silence::default()), monotonic());
    let ann = identity("ann", Some("s-1"), NOW);
    assert_eq!(kind(revocations.check_at(&ann, now)), Err(FaultKind::UpstreamUnavailable));
    revocations.hear_at(&news(NOW, false, vec![session("s-2")]), NOW, now);
    assert_eq!(kind(revocations.check_at(&ann, now)), Err(FaultKind::UpstreamUnavailable));
    assert!(!revocations.is_loaded() && revocations.problem().is_some());
    revocations.hear_at(&news(NOW, true, vec![]), NOW, now);
    assert_eq!(kind(revocations.check_at(&ann, now)), Ok(()));
    assert!(revocations.is_loaded() && revocations.problem().is_none());
    let other = identity("ann", Some("s-2"), NOW);
    assert_eq!(kind(revocations.check_at(&other, now)), Err(FaultKind::Unauthenticated));
}

#[test]
fn after_ten_seconds_of_silence_only_later_tokens_are_taken() {
    let (revocations, begun) = loaded(Silence::default());
    let check = |issued, seconds| {
        kind(revocations.check_at(&identity("ann", None, issued), begun + Duration::from_secs(seconds)))
    };
    assert_eq!(check(NOW - 1, 10), Ok(()), "not over ten seconds");
    assert_eq!(check(NOW - 1, 11), Err(FaultKind::Unauthenticated));
    assert_eq!(check(NOW, 11), Err(FaultKind::Unauthenticated), "in the same second: who knows");
    assert_eq!(check(NOW + 1, 11), Ok(()), "its issuer knew what it did");
    assert_eq!(revocations.silent_at(begun + Duration::from_secs(11)), Some(Duration::from_secs(11)));

    // What comes on a new channel is not all there is before it says so.
    let later = begun + Duration::from_secs(20);
    revocations.connect();
    revocations.hear_at(&news(NOW + 20, false, vec![session("s-1")]), NOW, later);
    assert_eq!(check(NOW - 1, 20), Err(FaultKind::Unauthenticated));
    revocations.hear_at(&news(NOW + 20, true, vec![]), NOW, later);
    assert_eq!(check(NOW - 1, 20), Ok(()));
    revocations.hear_at(&news(NOW + 29, false, vec![]), NOW, begun + Duration::from_secs(29));
    assert_eq!(check(NOW - 1, 38), Ok(()), "a heartbeat is news");
}

#[test]
fn who_fails_open_takes_what_is_not_known_to_be_revoked() {
    let silence = Silence { fail_open: true, ..Silence::default() };
    let revocations = Revocations::new(silence);
    let ann = identity("ann", Some("s-1"), NOW - 1);
    assert_eq!(kind(revocations.check_at(&ann, monotonic())), Ok(()));
    let (revocations, begun) = loaded(silence);
    revocations.hear_at(&news(NOW, false, vec![session("s-2")]), NOW, begun);
    let late = begun + Duration::from_secs(3600);
    assert_eq!(kind(revocations.check_at(&ann, late)), Ok(()));
    let known = identity("ann", Some("s-2"), NOW - 1);
    assert_eq!(kind(revocations.check_at(&known, late)), Err(FaultKind::Unauthenticated));
}

#[test]
fn what_is_over_is_forgotten_and_the_rest_is_not() {
    let (revocations, now) = loaded(Silence::default());
    let brief = Revocation { until: NOW + 10, ..session("brief") };
    revocations.hear_at(&news(NOW, false, vec![brief, session("long")]), NOW, now);
    assert_eq!(revocations.0.known.load(Ordering::Relaxed), 2);
    revocations.hear_at(&news(NOW, false, vec![]), NOW + 100, now);
    assert_eq!(revocations.0.known.load(Ordering::Relaxed), 1);
    assert!(revocations.check_at(&identity("ann", Some("long"), NOW), now).is_err());
    let over = Revocation { until: NOW - 100, ..session("over") };
    revocations.hear_at(&news(NOW, false, vec![over]), NOW, now);
    assert_eq!(revocations.0.known.load(Ordering::Relaxed), 1, "what was over is not even remembered");
}

#[test]
fn more_than_can_be_remembered_makes_everybody_renew_their_token() {
    let (revocations, now) = loaded(Silence::default());
    let many: Vec<_> = (0..=MOST).map(|number| session(&format!("s-{number}"))).collect();
    revocations.hear_at(&news(NOW, false, many), NOW, now);
    assert_eq!(revocations.0.known.load(Ordering::Relaxed), 0);
    let check = |session, issued| kind(revocations.check_at(&identity("ann", session, issued), now));
    assert_eq!(check(Some("s-7"), NOW), Err(FaultKind::Unauthenticated));
    assert_eq!(check(None, NOW), Err(FaultKind::Unauthenticated), "nobody knows better");
    assert_eq!(check(Some("s-new"), NOW + 1), Ok(()));
}

#[tokio::test]
async fn whoever_waits_is_told_once_it_is_loaded() {
    let revocations = Revocations::new(Silence::default());
    let waits = tokio::spawn({
        let revocations = revocations.clone();
        async move { revocations.loaded().await }
    });
    revocations.hear(&news(NOW, true, vec![]));
    waits.await.unwrap();
}

#[test]
fn the_wire_is_what_was_agreed() {
    let sent = news(NOW, true, vec![session("s-1"), subject("ann", NOW)]);
    let json = serde_json::to_value(&sent).unwrap();
    assert_eq!(
        json,
        serde_json::json!({
            "at": NOW * 1000, "complete": true, "revocations": [
                { "session": "s-1", "issued_before": NOW, "until": NOW + 300 },
                { "subject": "ann", "issued_before": NOW, "until": NOW + 300 },
            ]
        })
    );
    let more = serde_json::json!({ "at": 1, "complete": false, "revocations": [], "later": true });
    assert!(serde_json::from_value::<RevocationNews>(more).is_ok(), "newer issuers may say more");
}
