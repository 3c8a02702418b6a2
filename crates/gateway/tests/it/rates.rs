//! How many requests a client may send.

use std::sync::Arc;

use partie_contract::Body;
use partie_gateway::{Edge, RatesConfig, RouteAccess, RouteConfig};
use partie_identity::{ApiKey, Grant};

use crate::support::{Answer, edge_with, send, send_from, signer};
use crate::upstream::{edge_of, route, shop};

async fn from(edge: &Arc<Edge>, address: &str, uri: &str, headers: &[(&str, &str)]) -> Answer {
    send_from(edge, address, "GET", uri, headers, Body::empty()).await
}

fn by_address(rate: &str) -> RatesConfig {
    RatesConfig { address: Some(rate.parse().unwrap()), ..RatesConfig::default() }
}

#[tokio::test]
async fn an_address_has_so_many_and_is_told_how_many_are_left() {
    let mut gateway = shop(vec![route("/", "shop")]);
    gateway.rates = by_address("2/h burst 3");
    let edge = edge_of(&gateway);
    for left in ["2", "1", "0"] {
        let answer = from(&edge, "203.0.113.5:1", "/", &[]).await;
        assert_eq!(answer.status, 200);
        assert!(answer.header("ratelimit").unwrap().starts_with(&format!("\"address\";r={left};t=")));
        assert_eq!(answer.header("ratelimit-policy"), Some("\"address\";q=3;w=3600"));
    }
    let refused = from(&edge, "203.0.113.5:2", "/", &[]).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (429, Some("rate-limited")));
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1_790..=1_800).contains(&wait), "{wait}");
    assert!(refused.header("ratelimit").unwrap().starts_with("\"address\";r=0;t="));
    assert_eq!(from(&edge, "203.0.113.6:1", "/", &[]).await.status, 200, "somebody else");
    // An IPv6 client has a whole /64.
    for host in 1..=3 {
        assert_eq!(from(&edge, &format!("[2001:db8::{host}]:1"), "/", &[]).await.status, 200);
    }
    assert_eq!(from(&edge, "[2001:db8::4]:1", "/", &[]).await.status, 429);
    assert_eq!(from(&edge, "[2001:db8:0:1::1]:1", "/", &[]).await.status, 200);
}

#[tokio::test]
async fn behind_a_trusted_proxy_the_client_counts_and_others_are_not_believed() {
    let mut gateway = shop(vec![route("/", "shop")]);
    gateway.rates = by_address("1/h");
    gateway.trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()];
    let edge = edge_of(&gateway);
    let via = |client: &'static str| [("x-forwarded-for", client)];
    assert_eq!(from(&edge, "10.0.0.1:1", "/", &via("198.51.100.1")).await.status, 200);
    assert_eq!(from(&edge, "10.0.0.1:1", "/", &via("198.51.100.2")).await.status, 200);
    assert_eq!(from(&edge, "10.0.0.2:1", "/", &via("1.1.1.1, 198.51.100.1")).await.status, 429);
    assert_eq!(from(&edge, "203.0.113.5:1", "/", &via("198.51.100.3")).await.status, 200);
    assert_eq!(from(&edge, "203.0.113.5:1", "/", &via("198.51.100.4")).await.status, 429);
}

#[tokio::test]
async fn users_are_counted_wherever_they_come_from_and_routes_apart() {
    let user = RatesConfig { user: Some("1/h".parse().unwrap()), ..RatesConfig::default() };
    let members = |prefix: &str| RouteConfig { access: RouteAccess::Authenticated, ..route(prefix, "shop") };
    let own = RouteConfig { rates: Some(user.clone()), ..members("/own") };
    let none = RouteConfig { rates: Some(RatesConfig::default()), ..members("/none") };
    let mut gateway = shop(vec![members("/"), own, none]);
    gateway.rates = user;
    let edge = edge_of(&gateway);
    let token = |subject: &str| {
        let grant = Grant::new("food", subject, std::time::Duration::from_secs(600));
        format!("Bearer {}", signer().issue(&grant).unwrap())
    };
    let (anna, bert) = (token("anna"), token("bert"));
    for (address, uri, who, status) in [
        ("203.0.113.5:1", "/", &anna, 200),
        ("203.0.113.6:1", "/", &anna, 429),
        ("203.0.113.6:1", "/", &bert, 200),
        ("203.0.113.6:1", "/own", &anna, 200),
        ("203.0.113.6:1", "/own", &anna, 429),
        ("203.0.113.6:1", "/none", &anna, 200),
        ("203.0.113.6:1", "/none", &anna, 200),
    ] {
        let answer = from(&edge, address, uri, &[("authorization", who)]).await;
        assert_eq!(answer.status.as_u16(), status, "{address} {uri}");
    }
}

#[tokio::test]
async fn programs_are_counted_by_their_key() {
    const KEY: &str = "pk_0123456789abcdefghijkl";
    const SHA256: &str = "d3c9100ca4585eff1f35d47bff3ad9316bf3f6f4f35742bbb83b2a476cc8360d";
    let shop = shop(vec![RouteConfig { access: RouteAccess::Authenticated, ..route("/shop", "shop") }]);
    let edge = edge_with(|gateway, parts| {
        (gateway.routes, gateway.upstreams) = (shop.routes, shop.upstreams);
        gateway.rates = RatesConfig { key: Some("1/h".parse().unwrap()), ..RatesConfig::default() };
        let key = ApiKey::new(SHA256, "robot", Vec::new(), None).unwrap();
        parts.verifier = Arc::new(signer().verifier("food").with_api_keys([key]));
    });
    let ask = async |name, value: &str| send(&edge, "GET", "/shop", &[(name, value)]).await;
    let first = ask("x-api-key", KEY).await;
    assert_eq!((first.status.as_u16(), first.sent("x-user-id")), (200, Some("robot")));
    assert!(first.header("ratelimit").unwrap().starts_with("\"key\";r=0"));
    assert_eq!(ask("x-api-key", KEY).await.status, 429);
    assert_eq!(ask("x-api-key", "pk_made-up-by-somebody-else").await.status, 401);
    let token = format!("Bearer {}", crate::support::token("customer"));
    for _ in 0..2 {
        assert_eq!(ask("authorization", &token).await.status, 200, "a token without a client has no key");
    }
}

#[tokio::test]
async fn contracts_are_limited_too_and_the_gateways_own_pages_never() {
    let edge = edge_with(|gateway, _| gateway.rates = by_address("1/h"));
    assert_eq!(send(&edge, "GET", "/api/v1/orders/7", &[]).await.status, 200);
    assert_eq!(send(&edge, "GET", "/api/v1/orders/7", &[]).await.status, 429);
    assert_eq!(send(&edge, "GET", "/health", &[]).await.status, 200);
    let call = send(&edge, "POST", "/kitchen.v1.Orders/Place", &[("content-type", "application/grpc")]).await;
    assert_eq!((call.status.as_u16(), call.header("partie-code")), (200, Some("rate-limited")));
}

#[tokio::test]
async fn another_configuration_forgets_nothing() {
    let mut gateway = shop(vec![route("/", "shop")]);
    gateway.rates = by_address("1/h");
    let edge = edge_of(&gateway);
    assert_eq!(send(&edge, "GET", "/", &[]).await.status, 200);
    gateway.routes.push(route("/more", "shop"));
    edge.reload(&gateway).unwrap();
    assert_eq!(send(&edge, "GET", "/", &[]).await.status, 429);
}
