//! The gRPC services through the door, as any client of theirs finds them.

use dashu_int::UBig;
use ncr_contracts::fact::Number;
use ncr_contracts::fact::factorial_client::FactorialClient as SeedClient;
use ncr_contracts::math_v1::FactorialRequest;
use ncr_contracts::math_v1::factorial_client::FactorialClient;
use partie_testkit::{TestRun, TestSystem};
use tonic::{Code, Request};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use crate::support::{Wire, within};

async fn open() -> (TestRun, FactorialClient<Wire>) {
    let run = TestSystem::of(ncr::system()).start().await;
    let client = FactorialClient::new(Wire::to(run.address()).await);
    (run, client)
}

#[tokio::test]
async fn factorials_are_whole_or_in_pieces_and_the_same() {
    let (_run, mut client) = open().await;
    for (n, digits) in [(0, 1), (1, 1), (20, 19), (25, 26), (3_000, 9_131), (20_000, 77_338)] {
        let whole = client.factorial(FactorialRequest { n }).await.unwrap().into_inner();
        let exact = (1..=n).fold(UBig::ONE, |product, factor| product * factor);
        assert_eq!(whole.value[..], *exact.to_be_bytes(), "{n}");
        assert_eq!(whole.digits, digits, "{n}");
        let mut pieces = client.factorial_in_chunks(FactorialRequest { n }).await.unwrap().into_inner();
        let mut joined = Vec::new();
        while let Some(piece) = pieces.message().await.unwrap() {
            assert_eq!(piece.digits, digits, "{n}");
            joined.extend_from_slice(&piece.value);
        }
        assert_eq!(joined[..], whole.value[..], "{n}");
    }
}

#[tokio::test]
async fn what_is_too_large_is_out_of_range() {
    let (_run, mut client) = open().await;
    let status = client.factorial(FactorialRequest { n: 20_001 }).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::OutOfRange, "n is at most 20000"));
    let status = client.factorial_in_chunks(FactorialRequest { n: u32::MAX }).await.unwrap_err();
    assert_eq!(status.code(), Code::OutOfRange);
}

#[tokio::test]
async fn the_tutorials_service_answers_in_floats_as_long_as_they_are_right() {
    let (run, _) = open().await;
    let mut client = SeedClient::new(Wire::to(run.address()).await);
    for (n, factorial) in
        [(0.0, 1.0), (1.0, 1.0), (5.0, 120.0), (13.0, 6_227_020_800.0), (34.0, 2.952_328e38)]
    {
        let answer = client.factorial(Number { value: n }).await.unwrap().into_inner();
        assert_eq!(answer.value, factorial, "{n}");
    }
    for (n, code) in [
        (35.0, Code::OutOfRange),
        (f32::INFINITY, Code::OutOfRange),
        (-1.0, Code::InvalidArgument),
        (f32::NEG_INFINITY, Code::InvalidArgument),
        (2.5, Code::InvalidArgument),
        (f32::NAN, Code::InvalidArgument),
    ] {
        assert_eq!(client.factorial(Number { value: n }).await.unwrap_err().code(), code, "{n}");
    }
}

#[tokio::test]
async fn health_is_known_of_every_service_and_ends_with_the_system() {
    let (run, _) = open().await;
    let mut client = HealthClient::new(Wire::to(run.address()).await);
    let ask = |service: &str| Request::new(HealthCheckRequest { service: service.to_owned() });
    for service in ["", "math.v1.Factorial", "Factorial", "grpc.health.v1.Health"] {
        let status = client.check(ask(service)).await.unwrap().into_inner().status();
        assert_eq!(status, ServingStatus::Serving, "{service}");
    }
    assert_eq!(client.check(ask("nobody")).await.unwrap_err().code(), Code::NotFound);
    let mut unknown = client.watch(ask("nobody")).await.unwrap().into_inner();
    assert_eq!(unknown.message().await.unwrap().unwrap().status(), ServingStatus::ServiceUnknown);
    let mut watch = client.watch(ask("math.v1.Factorial")).await.unwrap().into_inner();
    assert_eq!(watch.message().await.unwrap().unwrap().status(), ServingStatus::Serving);
    let stopped = tokio::spawn(run.stop());
    assert_eq!(within(watch.message()).await.unwrap().unwrap().status(), ServingStatus::NotServing);
    assert!(within(watch.message()).await.unwrap().is_none(), "a drain waits for nobody who watches it");
    within(stopped).await.unwrap();
}

#[tokio::test]
async fn reflection_knows_the_services() {
    let (run, _) = open().await;
    let mut client = ServerReflectionClient::new(Wire::to(run.address()).await);
    let ask = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut answers =
        client.server_reflection_info(futures_util::stream::iter([ask])).await.unwrap().into_inner();
    let answer = answers.message().await.unwrap().unwrap().message_response.unwrap();
    let MessageResponse::ListServicesResponse(list) = answer else { panic!("{answer:?}") };
    let mut names: Vec<_> = list.service.into_iter().map(|service| service.name).collect();
    names.sort_unstable();
    let expected =
        ["Factorial", "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "math.v1.Factorial"];
    assert_eq!(names, expected);
}
