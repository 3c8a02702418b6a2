//! Routes of the configuration: which request goes where, and as what.

use std::time::Duration;

use partie_contract::Body;
use partie_gateway::{Gateway, Lenience, RouteAccess, RouteConfig, Sticky, To};

use crate::support::{edge_with, send, send_from, token};
use crate::upstream::{Program, at, edge_of, route, shop};

fn named(name: &str, route: RouteConfig) -> RouteConfig {
    RouteConfig { name: Some(name.into()), ..route }
}

#[tokio::test]
async fn the_most_exact_route_counts() {
    let upstreams = ["all", "menu", "deep", "beta", "write", "host", "wild"];
    let to = |prefix: &str, to: &str| named(to, route(prefix, to));
    let gateway = Gateway {
        upstreams: upstreams.map(|name| (name.to_owned(), at(Program::start(name)))).into(),
        routes: vec![
            to("/", "all"),
            to("/menu", "menu"),
            to("/menu/items/", "deep"),
            RouteConfig { headers: [("x-version".into(), "2".into())].into(), ..to("/menu", "beta") },
            RouteConfig { methods: vec!["POST".into()], ..to("/menu", "write") },
            RouteConfig { host: Some("menu.example.com".into()), ..to("/", "host") },
            RouteConfig { host: Some("*.example.com".into()), ..to("/menu", "wild") },
        ],
        ..Gateway::default()
    };
    let edge = edge_of(&gateway);
    for (method, uri, headers, program) in [
        ("GET", "/", vec![], "all"),
        ("GET", "/menus", vec![], "all"),
        ("GET", "/menu", vec![], "menu"),
        ("GET", "/menu/", vec![], "menu"),
        ("GET", "/menu/7?a=/b", vec![], "menu"),
        ("GET", "/menu/items", vec![], "deep"),
        ("DELETE", "/menu/items/7/8", vec![], "deep"),
        ("GET", "/menu/7", vec![("x-version", "2")], "beta"),
        ("POST", "/menu/7", vec![("x-version", "2")], "beta"),
        ("GET", "/menu/7", vec![("x-version", "3")], "menu"),
        ("POST", "/menu/7", vec![], "write"),
        ("GET", "/menu/items", vec![("host", "menu.example.com")], "host"),
        ("GET", "/menu/items", vec![("host", "MENU.example.com:8080")], "host"),
        ("GET", "/menu/items", vec![("host", "a.example.com")], "wild"),
        ("GET", "/other", vec![("host", "a.example.com")], "all"),
        ("GET", "/menu", vec![("host", "example.com")], "menu"),
    ] {
        let answer = send(&edge, method, uri, &headers).await;
        assert_eq!(answer.header("x-program"), Some(program), "{method} {uri} {headers:?}: {answer:?}");
        assert_eq!(answer.body["uri"], uri);
    }
}

#[tokio::test]
async fn contracts_go_first_and_what_nobody_is_for_says_so() {
    let gateway =
        shop(vec![RouteConfig { methods: vec!["GET".into(), "PUT".into()], ..route("/api", "shop") }]);
    let edge = edge_with(|own, _| (own.routes, own.upstreams) = (gateway.routes, gateway.upstreams));
    let program = |answer: crate::support::Answer| answer.header("x-program").map(str::to_owned);
    assert_eq!(program(send(&edge, "GET", "/api/v1/orders/7", &[]).await), None);
    assert_eq!(program(send(&edge, "GET", "/api/v1/other", &[]).await).as_deref(), Some("shop"));
    let delete = send(&edge, "DELETE", "/api/v1/orders/7", &[]).await;
    assert_eq!(delete.status, 405, "the contract has the address, so it says what it takes");
    let post = send(&edge, "POST", "/api/other", &[]).await;
    assert_eq!((post.status.as_u16(), post.header("allow")), (405, Some("GET, HEAD, PUT")));
    assert_eq!(send(&edge, "GET", "/elsewhere", &[]).await.status, 404);
}

#[tokio::test]
async fn a_prefix_is_rewritten_and_nothing_else() {
    let rewrite =
        |prefix: &str, rewrite: &str| RouteConfig { rewrite: Some(rewrite.into()), ..route(prefix, "shop") };
    let edge =
        edge_of(&shop(vec![rewrite("/strip", "/"), rewrite("/old", "/new/v2/"), rewrite("/", "/base")]));
    for (uri, there) in [
        ("/strip", "/"),
        ("/strip/", "/"),
        ("/strip/a%20b;c?q=%2F..&r", "/a%20b;c?q=%2F..&r"),
        ("/strip?", "/?"),
        ("/old", "/new/v2"),
        ("/old/old/x", "/new/v2/old/x"),
        ("/a", "/base/a"),
        ("/", "/base/"),
    ] {
        let answer = send(&edge, "GET", uri, &[]).await;
        assert_eq!(answer.body["uri"], there, "{uri}: {answer:?}");
    }
}

#[tokio::test]
async fn weights_share_out_and_clients_stay() {
    let weights = |sticky| RouteConfig {
        to: To([("old".into(), 90), ("new".into(), 10), ("off".into(), 0)].into()),
        sticky,
        ..route("/", "old")
    };
    let mut gateway = Gateway {
        upstreams: ["old", "new", "off"].map(|name| (name.to_owned(), at(Program::start(name)))).into(),
        routes: vec![weights(None)],
        ..Gateway::default()
    };
    let edge = edge_of(&gateway);
    let mut new = 0;
    for _ in 0..1_000 {
        new += u32::from(send(&edge, "GET", "/", &[]).await.header("x-program") == Some("new"));
    }
    // Ten standard deviations of a fair choice are 95.
    assert!((30..170).contains(&new), "{new}");

    gateway.routes = vec![weights(Some(Sticky::Cookie("session".into())))];
    edge.reload(&gateway).unwrap();
    let mut new = 0;
    for client in 0..300 {
        let cookie = format!("a=b; session={client}");
        let program = || async {
            send(&edge, "GET", "/", &[("cookie", &cookie)]).await.header("x-program").map(str::to_owned)
        };
        let first = program().await;
        assert_eq!(first, program().await, "{client}");
        new += u32::from(first.as_deref() == Some("new"));
    }
    assert!((5..80).contains(&new), "{new}");
}

#[tokio::test]
async fn a_route_says_who_may_use_it() {
    let access = |prefix: &str, access| RouteConfig { access, ..route(prefix, "shop") };
    let edge = edge_of(&shop(vec![
        access("/open", RouteAccess::Public),
        access("/members", RouteAccess::Authenticated),
        access("/staff", RouteAccess::Roles(vec!["admin".into(), "owner".into()])),
    ]));
    let bearer = |role: &str| format!("Bearer {}", token(role));
    let (customer, owner) = (bearer("customer"), bearer("owner"));
    for (uri, authorization, status) in [
        ("/open", "Basic dXNlcjpwYXNz", 200),
        ("/open", "Bearer of-somebody-else", 200),
        ("/members", "", 401),
        ("/members", "Bearer of-somebody-else", 401),
        ("/members", customer.as_str(), 200),
        ("/staff", customer.as_str(), 403),
        ("/staff", owner.as_str(), 200),
    ] {
        let headers = [("authorization", authorization), ("x-user-id", "admin")];
        let headers = if authorization.is_empty() { &headers[1..] } else { &headers[..] };
        let answer = send(&edge, "GET", uri, headers).await;
        assert_eq!(answer.status.as_u16(), status, "{uri} {authorization}");
        if status == 200 {
            let known = authorization.starts_with("Bearer ey");
            assert_eq!(answer.sent("x-user-id"), known.then_some("customer-1"), "{uri}");
            assert_eq!(answer.sent("authorization"), Some(authorization));
        }
    }
    assert_eq!(
        send(&edge, "GET", "/staff", &[("authorization", &customer)]).await.body["detail"],
        "this needs the role admin or owner"
    );
}

#[tokio::test]
async fn a_route_has_limits_of_its_own() {
    let edge = edge_of(&shop(vec![
        RouteConfig { body: Some(10), timeout: Some(Duration::from_millis(50)), ..route("/", "shop") },
        RouteConfig { body: Some(2 << 20), ..route("/large", "shop") },
    ]));
    let put = async |uri: &str, size: usize| {
        let answer = send_from(&edge, "127.0.0.1:1", "PUT", uri, &[], vec![b'x'; size].into()).await;
        answer.status.as_u16()
    };
    assert_eq!((put("/", 10).await, put("/", 11).await), (200, 413));
    assert_eq!(put("/large", (1 << 20) + 1).await, 200, "more than the gateway allows elsewhere");
    let late = send_from(&edge, "127.0.0.1:1", "GET", "/hang", &[], Body::empty()).await;
    assert_eq!((late.status.as_u16(), late.code()), (504, Some("upstream-timeout")));
}

#[tokio::test]
async fn addresses_are_strict_unless_a_route_is_not() {
    let allow =
        |prefix: &str, allow: &[Lenience]| RouteConfig { allow: allow.into(), ..route(prefix, "shop") };
    let edge = edge_of(&shop(vec![
        route("/", "shop"),
        RouteConfig { access: RouteAccess::Roles(vec!["admin".into()]), ..route("/admin", "shop") },
        allow("/files", &[Lenience::EscapedSlashes, Lenience::EmptySegments]),
        allow("/raw", &[Lenience::DotSegments, Lenience::ControlCharacters, Lenience::Backslashes]),
    ]));
    for (uri, status) in [
        ("/a%20b", 200),
        ("/%7Euser/a;v=1", 200),
        ("/a%2Fb", 400),
        ("/a//b", 400),
        ("/a/../b", 400),
        ("/a%00", 400),
        ("/a%zz", 400),
        ("/files/a%2Fb//c", 200),
        ("/files/a/../b", 400),
        ("/files/%zz", 400),
        ("/raw/a/../b%00%5Cc", 200),
        ("/raw/a%2Fb", 400),
        // Whoever tidies these up comes to a place where other rules hold.
        ("/%61dmin", 400),
        ("/admin;x=1", 400),
        ("/raw/../admin", 400),
        ("/raw/%2e%2e/other", 400),
        ("/raw\\..\\admin", 400),
        ("/files%2F..%2Fadmin", 400),
        ("/admin", 401),
    ] {
        let answer = send(&edge, "GET", uri, &[]).await;
        assert_eq!(answer.status.as_u16(), status, "{uri}: {answer:?}");
        if status == 200 {
            assert_eq!(answer.body["uri"], uri, "byte for byte");
        }
    }
}

#[tokio::test]
async fn the_upstream_is_told_what_is_known_and_nothing_made_up() {
    let mut gateway =
        shop(vec![route("/", "shop"), RouteConfig { keep_host: true, ..route("/named", "shop") }]);
    gateway.trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()];
    let edge = edge_of(&gateway);
    let made_up = [
        ("host", "shop.example.com"),
        ("x-forwarded-for", "198.51.100.9"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "www.example.com"),
        ("forwarded", "for=1.2.3.4"),
        ("x-real-ip", "1.2.3.4"),
        ("x_user_id", "admin"),
        ("x-user-id", "admin"),
        ("connection", "x-forwarded-for, x-request-id"),
        ("connection", "x-gone"),
        ("x-gone", "1"),
        ("te", "trailers, gzip"),
    ];
    let answer = send_from(&edge, "203.0.113.5:1", "GET", "/", &made_up, Body::empty()).await;
    let sent = |name| answer.sent(name);
    assert_eq!(sent("x-forwarded-for"), Some("203.0.113.5"));
    assert_eq!(
        (sent("x-forwarded-proto"), sent("x-forwarded-host")),
        (Some("http"), Some("shop.example.com"))
    );
    assert_eq!((sent("te"), sent("x-request-id")), (Some("trailers"), answer.header("x-request-id")));
    for gone in ["forwarded", "x-real-ip", "x_user_id", "x-user-id", "x-gone", "connection"] {
        assert_eq!(sent(gone), None, "{gone}");
    }
    assert!(sent("host").unwrap().starts_with("127.0.0.1:"));
    let named = send_from(&edge, "203.0.113.5:1", "GET", "/named", &made_up, Body::empty()).await;
    assert_eq!(named.sent("host"), Some("shop.example.com"));

    // `Connection` of the last hop names what a trusted proxy has added: gone it is, so only the connection is believed.
    let trusted = [&made_up[..8], &[("connection", "keep-alive")]].concat();
    let answer = send_from(&edge, "10.1.1.1:1", "GET", "/", &trusted, Body::empty()).await;
    assert_eq!(answer.sent("x-forwarded-for"), Some("198.51.100.9, 10.1.1.1"));
    assert_eq!(answer.sent("x-forwarded-proto"), Some("https"));
    assert_eq!(answer.sent("x-forwarded-host"), Some("www.example.com"));
}

#[tokio::test]
async fn head_and_options_are_the_upstreams() {
    let edge = edge_of(&shop(vec![route("/", "shop")]));
    let options = send(&edge, "OPTIONS", "/anything", &[]).await;
    assert_eq!((options.status.as_u16(), &options.body["method"]), (200, &"OPTIONS".into()));
    let head = send(&edge, "HEAD", "/text/7000", &[]).await;
    assert_eq!((head.status.as_u16(), head.header("content-length")), (200, Some("7007")));
    assert_eq!((head.header("x-program"), &head.body), (Some("shop"), &"".into()));
}

#[tokio::test]
async fn an_upstream_that_is_down_is_a_problem() {
    let mut gateway = shop(vec![route("/", "nobody")]);
    gateway.upstreams.insert("nobody".into(), at("127.0.0.1:1".parse().unwrap()));
    let answer = send(&edge_of(&gateway), "GET", "/", &[]).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (503, Some("upstream-unavailable")));
}
