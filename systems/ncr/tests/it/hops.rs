//! What goes over the hop from the calculator to the factorials: three calls, one deadline, one trace, one end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ncr_contracts::Integer;
use ncr_contracts::calculator::CalculatorClient;
use partie::contract::{Fault, FaultKind};
use partie_testkit::TestRun;
use tokio::io::AsyncWriteExt;
use tokio::sync::{Barrier, mpsc};
use tonic::{Code, Status};

use crate::support::{OnDrop, small, with_factorials, within};

async fn choose(
    run: &TestRun,
    within: Duration,
) -> Result<String, Fault<ncr_contracts::calculator::CalculatorError>> {
    let client: CalculatorClient = run.client();
    client.choose(&run.call().within(within), Integer(5), Integer(2)).await.map(|answer| answer.value)
}

#[tokio::test]
async fn three_factorials_are_asked_for_at_once() {
    let (asked, mut questions) = mpsc::channel(64);
    // Nobody is answered before all three have come.
    let all = Arc::new(Barrier::new(3));
    let run = with_factorials(move |_, n| {
        asked.try_send(n).unwrap();
        let all = Arc::clone(&all);
        async move {
            all.wait().await;
            Ok(small(n))
        }
    })
    .await;
    assert_eq!(within(choose(&run, Duration::from_secs(30))).await.unwrap(), "10");
    let mut asked = [questions.recv().await, questions.recv().await, questions.recv().await];
    asked.sort_unstable();
    assert_eq!(asked, [Some(2), Some(3), Some(5)]);
    assert!(questions.try_recv().is_err(), "exactly three");
}

#[tokio::test]
async fn the_deadline_shrinks_and_the_trace_goes_on() {
    let (seen, mut calls) = mpsc::channel(64);
    let run = with_factorials(move |call, n| {
        let left = call.deadline().remaining();
        seen.try_send((call, left)).unwrap();
        async move { Ok(small(n)) }
    })
    .await;
    let cx = run.call().within(Duration::from_secs(7));
    let client: CalculatorClient = run.client();
    client.choose(&cx, Integer(5), Integer(2)).await.unwrap();
    for _ in 0..3 {
        let (call, left) = calls.recv().await.unwrap();
        // Written in whole milliseconds, rounded down, so it has shrunk whatever the clock says.
        assert!(left > Duration::from_secs(1) && left <= Duration::from_millis(6_999), "{left:?}");
        assert_eq!(call.trace().trace_id(), cx.trace().trace_id());
        assert_eq!((call.request_id(), call.peer()), (cx.request_id(), Some("calculator")));
    }
    // A request from outside has what its operation may take.
    run.http().get("/api/v1/ncr/5/2").send().await.unwrap();
    let (_, left) = calls.recv().await.unwrap();
    assert!(left <= Duration::from_millis(9_999), "{left:?}");
}

#[tokio::test]
async fn who_is_late_is_given_up_on_both_sides() {
    let (gone, mut dropped) = mpsc::channel(64);
    let run = with_factorials(move |_, _| {
        let guard = OnDrop(gone.clone());
        async move {
            let _guard = guard;
            std::future::pending().await
        }
    })
    .await;
    let fault = within(choose(&run, Duration::from_millis(80))).await.unwrap_err();
    assert!(
        matches!(&fault, Fault::Platform(fault) if fault.kind() == FaultKind::UpstreamTimeout),
        "{fault:?}"
    );
    for _ in 0..3 {
        within(dropped.recv()).await.unwrap();
    }
}

#[tokio::test]
async fn a_client_that_leaves_cancels_what_was_asked_for_it() {
    let (begun, mut begins) = mpsc::channel(64);
    let (gone, mut dropped) = mpsc::channel(64);
    let run = with_factorials(move |_, _| {
        begun.try_send(()).unwrap();
        let guard = OnDrop(gone.clone());
        async move {
            let _guard = guard;
            std::future::pending().await
        }
    })
    .await;
    let mut client = tokio::net::TcpStream::connect(run.address()).await.unwrap();
    client.write_all(b"GET /api/v1/ncr/5/2 HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    for _ in 0..3 {
        within(begins.recv()).await.unwrap();
    }
    drop(client);
    for _ in 0..3 {
        within(dropped.recv()).await.unwrap();
    }
    within(run.activity().quiet()).await;
}

#[tokio::test]
async fn statuses_become_what_the_caller_can_act_on() {
    let turn = Arc::new(AtomicUsize::new(0));
    let table = [
        (Code::Unavailable, 503, "upstream-unavailable"),
        (Code::ResourceExhausted, 429, "rate-limited"),
        (Code::DeadlineExceeded, 504, "upstream-timeout"),
        (Code::OutOfRange, 422, "ncr-domain"),
        (Code::Cancelled, 502, "upstream-failed"),
        (Code::Unknown, 502, "upstream-failed"),
        (Code::Internal, 502, "upstream-failed"),
        // What they say about our request is our failure.
        (Code::InvalidArgument, 502, "upstream-failed"),
        (Code::Unimplemented, 502, "upstream-failed"),
    ];
    let now = Arc::clone(&turn);
    let run = with_factorials(move |_, _| {
        let (code, ..) = table[now.load(Ordering::Relaxed)];
        async move { Err(Status::new(code, "as told")) }
    })
    .await;
    for (number, (code, status, problem)) in table.into_iter().enumerate() {
        turn.store(number, Ordering::Relaxed);
        let answer = run.http().get("/api/v1/ncr/5/2").send().await.unwrap();
        assert_eq!((answer.status, &answer.json()["code"]), (status, &problem.into()), "{code:?}");
        assert_eq!(answer.header("retry-after").is_some(), matches!(status, 429 | 503), "{code:?}");
    }
}

#[tokio::test]
async fn wrong_factorials_are_noticed() {
    let run = with_factorials(|_, n| async move { Ok(small(if n == 7 { 4 } else { n })) }).await;
    let answer = run.http().get("/api/v1/ncr/7/3").send().await.unwrap();
    assert_eq!((answer.status, &answer.json()["code"]), (500, &"internal".into()));
}

#[tokio::test]
async fn a_panic_in_a_handler_is_one_failed_call() {
    let run = with_factorials(|_, n| async move {
        assert_ne!(n, 5, "on purpose");
        Ok(small(n))
    })
    .await;
    assert_eq!(run.http().get("/api/v1/ncr/5/2").send().await.unwrap().status, 502);
    assert_eq!(run.http().get("/api/v1/ncr/4/2").send().await.unwrap().status, 200);
}
