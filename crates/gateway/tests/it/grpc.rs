//! gRPC through the door: by the services' full names, with the same care.

use crate::support::{edge, edge_with, send, token};

const GRPC: (&str, &str) = ("content-type", "application/grpc");

#[tokio::test]
async fn calls_find_their_service_and_carry_nothing_made_up() {
    let edge = edge();
    let bearer = format!("Bearer {}", token("customer"));
    let claims = [
        GRPC,
        ("authorization", bearer.as_str()),
        ("x-user-id", "admin"),
        ("partie-service", "stolen"),
        ("te", "trailers"),
    ];
    let answer = send(&edge, "POST", "/kitchen.v1.Orders/Place", &claims).await;
    assert_eq!(answer.body["uri"], "/kitchen.v1.Orders/Place");
    assert_eq!((answer.sent("x-user-id"), answer.sent("partie-service")), (Some("customer-1"), None));
    assert_eq!((answer.sent("te"), answer.sent("authorization")), (Some("trailers"), Some(bearer.as_str())));
    assert_eq!(send(&edge, "POST", "/grpc.health.v1.Health/Check", &[GRPC]).await.body["method"], "POST");
}

#[tokio::test]
async fn a_call_has_what_its_sender_leaves_within_what_the_door_allows() {
    let edge = edge();
    for (timeout, at_most) in [("5S", 5_000), ("1H", 30_000), ("250m", 250)] {
        let answer =
            send(&edge, "POST", "/kitchen.v1.Orders/Place", &[GRPC, ("grpc-timeout", timeout)]).await;
        let left: u64 = answer.sent("partie-timeout-ms").unwrap().parse().unwrap();
        assert!(left <= at_most && left > at_most / 2, "{timeout}: {left}");
    }
    let left: u64 = send(&edge, "POST", "/kitchen.v1.Orders/Place", &[GRPC])
        .await
        .sent("partie-timeout-ms")
        .unwrap()
        .parse()
        .unwrap();
    // Who says nothing may have a stream: what ends that is silence.
    assert!(left > 3_600_000);
}

#[tokio::test]
async fn what_is_refused_is_refused_in_its_words() {
    let edge = edge();
    for (path, headers, status) in [
        ("/kitchen.v2.Orders/Place", vec![GRPC], "12"),
        ("/kitchen.v1.Orders", vec![GRPC], "12"),
        ("/kitchen.v1.Menu/Read", vec![GRPC], "14"),
        ("/kitchen.v1.Orders/Place", vec![GRPC, ("authorization", "Bearer nonsense")], "16"),
        ("/kitchen.v1.Orders/Place", vec![GRPC, ("grpc-timeout", "soon")], "3"),
        ("/kitchen.v1.Orders/panic", vec![GRPC], "13"),
    ] {
        let answer = send(&edge, "POST", path, &headers).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("grpc-status")),
            (200, Some(status)),
            "{path} {headers:?}"
        );
    }
}

#[tokio::test]
async fn what_every_service_has_is_behind_the_door_if_one_has_it() {
    let edge = edge_with(|_, parts| parts.grpc.push(("grpc.health.v1.Health", "menu")));
    let answer = send(&edge, "POST", "/grpc.health.v1.Health/Check", &[GRPC]).await;
    assert_eq!(answer.header("grpc-status"), Some("12"), "nobody could say whose is meant");
}
