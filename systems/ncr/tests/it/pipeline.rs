//! The steps every gRPC call takes: deadline, identity, form, and the ends it can come to.

use std::time::Duration;

use http::Method;
use http_body_util::BodyExt;
use ncr_contracts::math_v1::FactorialRequest;
use ncr_contracts::math_v1::factorial_client::FactorialClient;
use partie::contract::FaultKind;
use partie::grpc;
use partie_testkit::{TestRun, TestSystem};
use tokio::sync::mpsc;
use tonic::{Code, Request};
use tower::{Service, ServiceExt};

use crate::support::{ENDS, HANGS, OnDrop, PANICS, Wire, small, with_factorials, within};

fn request() -> Request<FactorialRequest> {
    Request::new(FactorialRequest { n: 5 })
}

async fn client(run: &TestRun) -> FactorialClient<Wire> {
    FactorialClient::new(Wire::to(run.address()).await)
}

#[tokio::test]
async fn a_call_has_what_its_sender_leaves_and_no_more_than_the_door_allows() {
    let (seen, mut left) = mpsc::channel(64);
    let run = with_factorials(move |call, n| {
        seen.try_send(call.deadline().remaining()).unwrap();
        async move { Ok(small(n)) }
    })
    .await;
    let mut client = client(&run).await;
    for (timeout, most) in [
        (Some(Duration::from_secs(5)), Duration::from_millis(4_999)),
        (Some(Duration::from_secs(3_600)), Duration::from_millis(29_999)),
        // It may be a stream, which takes as long as something moves.
        (None, Duration::from_secs(86_400)),
    ] {
        let mut request = request();
        if let Some(timeout) = timeout {
            request.set_timeout(timeout);
        }
        client.factorial(request).await.unwrap();
        let left = left.recv().await.unwrap();
        assert!(left <= most && left > most / 2, "{timeout:?}: {left:?}");
    }
    let mut nonsense = request();
    nonsense.metadata_mut().insert("grpc-timeout", "soon".parse().unwrap());
    assert_eq!(client.factorial(nonsense).await.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn who_is_late_is_told_and_what_was_done_for_it_ends() {
    let (gone, mut dropped) = mpsc::channel(64);
    let run = with_factorials(move |_, _| {
        let guard = OnDrop(gone.clone());
        async move {
            let _guard = guard;
            std::future::pending().await
        }
    })
    .await;
    let mut client = client(&run).await;
    let mut late = request();
    late.set_timeout(Duration::from_millis(60));
    let status = within(client.factorial(late)).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    within(dropped.recv()).await.unwrap();
    // And when it leaves by itself.
    let mut leaving = client.clone();
    let call = tokio::spawn(async move { leaving.factorial(request()).await });
    while run.activity().is_quiet() {
        tokio::task::yield_now().await;
    }
    call.abort();
    within(dropped.recv()).await.unwrap();
    within(run.activity().quiet()).await;
}

#[tokio::test]
async fn the_caller_is_who_a_token_says() {
    let (seen, mut callers) = mpsc::channel(64);
    let run = with_factorials(move |call, n| {
        seen.try_send((call.subject().ok().map(str::to_owned), call.peer().map(str::to_owned))).unwrap();
        async move { Ok(small(n)) }
    })
    .await;
    let mut client = client(&run).await;
    client.factorial(request()).await.unwrap();
    assert_eq!(callers.recv().await.unwrap(), (None, None));
    let mut ann = request();
    let token = format!("Bearer {}", run.token("ann", &["customer"]));
    ann.metadata_mut().insert("authorization", token.parse().unwrap());
    // A claim to be a service is no proof of it.
    ann.metadata_mut().insert("partie-service", "service:calculator".parse().unwrap());
    ann.metadata_mut().insert("x-user-id", "admin".parse().unwrap());
    client.factorial(ann).await.unwrap();
    assert_eq!(callers.recv().await.unwrap(), (Some("ann".to_owned()), None));
    let mut nobody = request();
    nobody.metadata_mut().insert("authorization", "Bearer nonsense".parse().unwrap());
    assert_eq!(client.factorial(nobody).await.unwrap_err().code(), Code::Unauthenticated);
    assert!(callers.try_recv().is_err());
    // Over HTTP first: who asked the calculator asks the factorials.
    let ann = run.token("ann", &["customer"]);
    run.http().get("/api/v1/ncr/5/2").token(&ann).send().await.unwrap();
    assert_eq!(callers.recv().await.unwrap(), (Some("ann".to_owned()), Some("calculator".to_owned())));
}

#[tokio::test]
async fn a_panic_is_internal_and_faults_say_when_to_come_back() {
    let run = with_factorials(|_, n| async move {
        assert_ne!(n, 5, "on purpose");
        let fault = partie::Platform::new(FaultKind::Overloaded).retry_after(Duration::from_millis(1_500));
        Err(grpc::status(fault.with_detail("50 % too much")))
    })
    .await;
    let mut client = client(&run).await;
    assert_eq!(client.factorial(request()).await.unwrap_err().code(), Code::Internal);
    let status = client.factorial(FactorialRequest { n: 6 }).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Unavailable, "50 % too much"));
    assert_eq!(status.metadata().get("grpc-retry-pushback-ms").unwrap(), "1500");
    let fault = grpc::platform(status);
    assert_eq!(
        (fault.kind(), fault.retry_after_hint()),
        (FaultKind::Overloaded, Some(Duration::from_millis(1_500)))
    );
}

#[tokio::test]
async fn a_stream_that_has_begun_says_in_its_trailers_how_it_ended() {
    let run = with_factorials(|_, n| async move { Ok(small(n)) }).await;
    let mut client = client(&run).await;
    for (n, end) in [(ENDS, None), (PANICS, Some(Code::Internal)), (HANGS, Some(Code::DeadlineExceeded))] {
        let mut request = Request::new(FactorialRequest { n });
        request.set_timeout(Duration::from_millis(500));
        let mut pieces = client.factorial_in_chunks(request).await.unwrap().into_inner();
        assert_eq!(within(pieces.message()).await.unwrap().unwrap().value, "piece");
        let ended = within(pieces.message()).await;
        assert_eq!(ended.as_ref().err().map(tonic::Status::code), end, "{n}: {ended:?}");
    }
}

#[tokio::test]
async fn what_is_no_call_is_no_call() {
    let run = TestSystem::of(ncr::system()).start().await;
    let mut wire = Wire::to(run.address()).await;
    for (method, path, kind, status, grpc_status) in [
        (Method::GET, "/math.v1.Factorial/Factorial", "application/grpc", 405, None),
        (Method::POST, "/math.v1.Factorial/Factorial", "application/json", 415, None),
        (Method::POST, "/math.v1.Factorial/Nothing", "application/grpc", 200, Some("12")),
        (Method::POST, "/math.v2.Factorial/Factorial", "application/grpc", 200, Some("12")),
        (Method::POST, "/math.v1.Factorial", "application/grpc", 200, Some("12")),
    ] {
        let request = http::Request::builder().method(&method).uri(path).header("content-type", kind);
        let request = request.body(tonic::body::Body::empty()).unwrap();
        let answer = wire.ready().await.unwrap().call(request).await.unwrap();
        let said = answer.headers().get("grpc-status").map(|said| said.to_str().unwrap().to_owned());
        assert_eq!(
            (answer.status().as_u16(), said.as_deref()),
            (status, grpc_status),
            "{method} {path} {kind}"
        );
        drop(answer.into_body().collect().await);
    }
    // A message that is none.
    let request =
        http::Request::post("/math.v1.Factorial/Factorial").header("content-type", "application/grpc");
    let request = request
        .body(tonic::body::Body::new(http_body_util::Full::new(bytes::Bytes::from_static(&[
            0, 0, 0, 0, 1, 255,
        ]))))
        .unwrap();
    let answer = wire.ready().await.unwrap().call(request).await.unwrap();
    assert_ne!(answer.headers().get("grpc-status").unwrap(), "0");
}
