//! Bad input never reaches an operation: 400 for what cannot be read, 422 for what does not fit, all of it at once.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::kitchen::Stove;
use crate::wire::Wire;

const DISHES: &str = "/api/v1/dishes";
const ONE: &str = "/api/v1/dishes/00000000-0000-0000-0000-000000000001";

/// `pointer detail`, one a violation.
fn violations(problem: &Value) -> Vec<String> {
    let entries = problem["errors"].as_array().into_iter().flatten();
    entries
        .map(|entry| format!("{} {}", entry["pointer"].as_str().unwrap(), entry["detail"].as_str().unwrap()))
        .collect()
}

async fn post(wire: &Wire, body: impl Into<partie_contract::Body>) -> (StatusCode, Value) {
    wire.raw(Method::POST, DISHES, body).await
}

#[tokio::test]
async fn bodies_that_are_not_json_are_400() {
    let deep = format!("{}{}", "[".repeat(65), "]".repeat(65));
    let wire = Stove::wire();
    for body in [
        &b""[..],
        b" ",
        b"{",
        b"nul",
        b"NaN",
        br#"{"name":"soup","price":1} {}"#,
        br#"{"name":"soup","price":1,}"#,
        br#"{"name":"soup","price":01}"#,
        br#"{"name":"soup","name":"stew","price":1}"#,
        br#"{"name":"soup","n\u0061me":"stew","price":1}"#,
        br#"{"name":"\ud800","price":1}"#,
        b"{\"name\":\"a\nb\",\"price\":1}",
        b"{\"name\":\"\xff\",\"price\":1}",
        b"\xef\xbb\xbf{\"name\":\"soup\",\"price\":1}",
        b"{'name':'soup'}",
        b"name=soup&price=1",
        deep.as_bytes(),
    ] {
        let (status, problem) = post(&wire, body.to_vec()).await;
        let text = String::from_utf8_lossy(body);
        assert_eq!((status.as_u16(), problem["code"].as_str()), (400, Some("malformed-body")), "{text}");
        // A service is no excuse.
        let (status, _) = post(&wire.clone().by_service("waiter"), body.to_vec()).await;
        assert_eq!(status, 400, "{text}");
    }
}

#[tokio::test]
async fn everything_that_does_not_fit_is_told_at_once() {
    let body = r#"{"name":"","price":0,"tags":["hot","cold",7],"cook":"me","id~/":1}"#;
    let (status, problem) = post(&Stove::wire(), body).await;
    assert_eq!((status.as_u16(), problem["code"].as_str()), (422, Some("validation-failed")));
    assert_eq!(
        violations(&problem),
        [
            "/cook is not known here",
            "/id~0~1 is not known here",
            "/name needs at least 1 characters",
            "/price must be at least 1",
            "/tags/1 expected one of \"hot\", \"vegan\"",
            "/tags/2 expected string",
        ]
    );
    for (body, violation) in [
        ("[]", " expected object"),
        ("null", " expected object"),
        (r#"{"name":"soup"}"#, "/price is required"),
        (r#"{"name":"soup","price":1.5}"#, "/price expected integer"),
        (r#"{"name":"soup","price":-1}"#, "/price must be at least 1"),
        (r#"{"name":"soup","price":1e30}"#, "/price expected integer"),
    ] {
        let (status, problem) = post(&Stove::wire(), body).await;
        assert_eq!((status.as_u16(), violations(&problem)), (422, vec![violation.to_owned()]), "{body}");
    }
}

/// The parser takes these; the schema does not.
#[tokio::test]
async fn what_only_the_schema_states_holds() {
    for (body, violation) in [
        (r#"{"name":"","price":1}"#, "/name needs at least 1 characters"),
        (r#"{"name":"soup","price":0}"#, "/price must be at least 1"),
        (r#"["soup",1,[]]"#, " expected object"),
    ] {
        for wire in [Stove::wire(), Stove::wire().by_service("waiter")] {
            let (status, problem) = post(&wire, body).await;
            assert_eq!((status.as_u16(), violations(&problem)), (422, vec![violation.to_owned()]), "{body}");
        }
    }
    let (status, problem) =
        Stove::wire().raw(Method::GET, &format!("{DISHES}?name={}", "x".repeat(21)), "").await;
    assert_eq!(
        (status.as_u16(), violations(&problem)),
        (422, vec!["/name takes at most 20 characters".into()])
    );
}

#[tokio::test]
async fn users_are_read_strictly_and_services_tolerantly() {
    let body = r#"{"name":"soup","price":1,"since_next_version":true}"#;
    let wire = Stove::wire();
    let (status, problem) = post(&wire, body).await;
    assert_eq!(
        (status.as_u16(), violations(&problem)),
        (422, vec!["/since_next_version is not known here".into()])
    );
    assert_eq!(post(&wire.clone().by_service("waiter"), body).await.0, 201);

    let unknown = format!("{DISHES}?nmae=soup");
    let (status, problem) = wire.raw(Method::GET, &unknown, "").await;
    assert_eq!((status.as_u16(), violations(&problem)), (422, vec!["/nmae is not known here".into()]));
    assert_eq!(wire.by_service("waiter").raw(Method::GET, &unknown, "").await.0, 200);
}

#[tokio::test]
async fn queries_and_paths_that_cannot_be_read() {
    let wire = Stove::wire();
    for (target, status, code) in [
        ("/api/v1/dishes?name=%zz", 400, "malformed-request"),
        ("/api/v1/dishes?name=%ff", 400, "malformed-request"),
        ("/api/v1/dishes?after=nonsense", 400, "malformed-request"),
        ("/api/v1/dishes?limit=0", 422, "validation-failed"),
        ("/api/v1/dishes?limit=many", 422, "validation-failed"),
        ("/api/v1/dishes?name=a&name=b", 422, "validation-failed"),
        ("/api/v1/dishes/1", 400, "malformed-request"),
        ("/api/v1/dishes/00000000000000000000000000000001", 400, "malformed-request"),
        ("/api/v1/echo/%/and/x", 400, "malformed-request"),
        ("/api/v1/echo/%00/and/x", 400, "malformed-request"),
        ("/api/v1/nothing", 404, "not-found"),
    ] {
        let (answered, problem) = wire.raw(Method::GET, target, "").await;
        assert_eq!((answered.as_u16(), problem["code"].as_str()), (status, Some(code)), "{target}");
        assert_eq!(problem["instance"], target.split('?').next().unwrap());
    }
}

#[tokio::test]
async fn an_operation_without_a_body_takes_none() {
    let wire = Stove::wire();
    let cook = format!("{ONE}/cook");
    for (method, target) in [(Method::POST, cook.as_str()), (Method::DELETE, ONE)] {
        for (body, code) in [
            ("", "dish-not-found"),
            ("{}", "dish-not-found"),
            (r#"{"force":true}"#, "validation-failed"),
            ("[]", "validation-failed"),
            ("{", "malformed-body"),
        ] {
            let (_, problem) = wire.raw(method.clone(), target, body).await;
            assert_eq!(problem["code"], json!(code), "{method} {body}");
        }
    }
    assert_eq!(wire.raw(Method::GET, "/api/v1/echo/a/and/b", "ignored").await.0, 200);
}
