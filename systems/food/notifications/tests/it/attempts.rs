//! What becomes of a notification whose provider fails.

use food_contracts::NotificationId;
use food_contracts::notifications::{ListNotifications, NotificationError, NotificationStatus as Status};
use partie::contract::{Fault, Id};
use partie_testkit::CallExt as _;

use crate::support::{ANN, ATTEMPTS, App, NOBODY, SILENCE};

#[tokio::test]
async fn a_busy_provider_is_tried_again_under_the_same_id() {
    let app = App::start().await;
    app.phones.break_for(2);
    let sent = app.text(ANN, "soup").await;
    assert_eq!((sent.status, sent.attempts, sent.last_error.as_deref()), (Status::Sent, 3, None));
    assert!(sent.sent_at.is_some());
    assert_eq!(app.phones.calls(), [sent.id; 3]);
    assert_eq!(app.phones.texts(), ["soup"]);
    let said = ["notification.failed", "notification.failed", "notification.sent"];
    assert_eq!(app.said(sent.id).await, said);
}

#[tokio::test]
async fn a_dead_letter_is_listed_and_put_back_by_an_administrator() {
    let app = App::start().await;
    app.phones.break_for(ATTEMPTS);
    let dead = app.text(ANN, "soup").await;
    let busy = Some("the network is busy");
    assert_eq!((dead.status, dead.attempts, dead.last_error.as_deref()), (Status::Dead, ATTEMPTS, busy));
    assert_eq!(app.said(dead.id).await.last().map(String::as_str), Some("notification.dead"));
    app.text(ANN, "bread").await;
    let letters = || app.list(ListNotifications { status: Some(Status::Dead), ..Default::default() });
    assert_eq!(letters().await, std::slice::from_ref(&dead));

    let admin = || app.run.call_as("admin").keyed();
    let requeued = app.client.requeue(&admin(), dead.id).await.unwrap().0;
    assert_eq!((requeued.status, requeued.attempts), (Status::Queued, ATTEMPTS));
    app.settled().await;
    let sent = app.look(dead.id).await;
    assert_eq!((sent.status, sent.attempts), (Status::Sent, ATTEMPTS + 1));
    assert_eq!(app.phones.texts(), ["bread", "soup"]);
    assert!(letters().await.is_empty());

    let again = app.client.requeue(&admin(), dead.id).await.unwrap_err();
    let current_state = Status::Sent;
    let refused = NotificationError::InvalidTransition { current_state, allowed: vec![] };
    assert!(matches!(&again, Fault::Domain(problem) if *problem == refused), "{again:?}");
    let nobody = NotificationId::from_uuid(uuid::Uuid::nil());
    let unknown = app.client.requeue(&admin(), nobody).await.unwrap_err();
    assert!(matches!(unknown, Fault::Domain(NotificationError::NotFound)), "{unknown:?}");
}

#[tokio::test]
async fn a_requeued_letter_has_all_its_attempts_before_it() {
    let app = App::start().await;
    app.phones.break_for(2 * ATTEMPTS - 1);
    let dead = app.text(ANN, "soup").await;
    assert_eq!(dead.status, Status::Dead);
    app.client.requeue(&app.run.call_as("admin").keyed(), dead.id).await.unwrap();
    app.settled().await;
    let sent = app.look(dead.id).await;
    assert_eq!((sent.status, sent.attempts), (Status::Sent, 2 * ATTEMPTS));
}

#[tokio::test]
async fn what_no_attempt_can_deliver_is_tried_once() {
    let app = App::start().await;
    let dead = app.text(NOBODY, "soup").await;
    let reason = Some("no such number");
    assert_eq!((dead.status, dead.attempts, dead.last_error.as_deref()), (Status::Dead, 1, reason));
    assert_eq!(app.said(dead.id).await, ["notification.dead"]);
}

#[tokio::test]
async fn a_provider_that_never_answers_is_given_up_too() {
    let app = App::impatient().await;
    let dead = app.text(SILENCE, "soup").await;
    let unknown = Some("the time of the attempt was over");
    assert_eq!((dead.status, dead.attempts, dead.last_error.as_deref()), (Status::Dead, ATTEMPTS, unknown));
    assert_eq!(app.phones.calls(), [dead.id; ATTEMPTS as usize]);
    let said = app.said(dead.id).await;
    let (last, others) = said.split_last().unwrap();
    assert_eq!((last.as_str(), others.len()), ("notification.dead", ATTEMPTS as usize));
    assert!(others.iter().all(|said| said == "notification.failed"), "{others:?}");
}
