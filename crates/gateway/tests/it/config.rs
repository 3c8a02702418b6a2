//! Configurations that cannot work: one line says why.

use std::time::Duration;

use partie_gateway::{
    ConfigError, CorsConfig, Gateway, RouteAccess, RouteConfig, Sticky, To, UpstreamConfig,
};

use crate::upstream::route;

/// What is said of these routes.
fn refusal(change: impl FnOnce(&mut Gateway)) -> String {
    let mut gateway = Gateway { routes: vec![route("/a", "service")], ..Gateway::default() };
    change(&mut gateway);
    let line = gateway.check().unwrap_err().to_string();
    assert!(!line.contains('\n'), "{line}");
    line
}

#[test]
fn what_cannot_work_is_said_in_one_line() {
    let first = |change: fn(&mut RouteConfig)| refusal(|gateway| change(&mut gateway.routes[0]));
    for (line, says) in [
        (first(|route| route.prefix = "a".into()), "route a: prefix \"a\": it has to begin with a slash"),
        (first(|route| route.prefix = "/a/../b".into()), "no dots that climb"),
        (first(|route| route.prefix = "/%61".into()), "no escapes"),
        (first(|route| route.prefix = "/{id}".into()), "no escapes, parameters or patterns"),
        (first(|route| route.rewrite = Some("b".into())), "route /a: rewrite \"b\""),
        (first(|route| route.host = Some("a:80".into())), "\"a:80\" is no host"),
        (first(|route| route.host = Some("*".into())), "\"*\" is no host"),
        (first(|route| route.methods = vec!["get".into()]), "\"get\" is no method"),
        (first(|route| drop(route.headers.insert("a b".into(), "c".into()))), "\"a b\""),
        (first(|route| route.to = To::default()), "it leads nowhere"),
        (first(|route| route.to = To([("a".into(), 0)].into())), "it leads nowhere"),
        (first(|route| route.access = RouteAccess::Roles(vec![])), "the list of roles is empty"),
        (first(|route| route.sticky = Some(Sticky::User)), "a public route knows no users"),
        (first(|route| route.sticky = Some(Sticky::Header("a b".into()))), "no header field has that name"),
        (first(|route| route.timeout = Some(Duration::ZERO)), "timeout"),
        (first(|route| route.cors = Some(CorsConfig::default())), "route /a: cors without origins"),
        (refusal(|gateway| gateway.routes.push(route("/a", "b"))), "routes /a and /a have one name"),
        (
            refusal(|gateway| {
                gateway.routes.push(RouteConfig { name: Some("b".into()), ..route("/a/", "b") });
            }),
            "routes /a and b are for the same requests",
        ),
    ] {
        assert!(line.contains(says), "{says}: {line}");
    }
    assert!(matches!(
        Gateway { routes: vec![route("a", "b")], ..Gateway::default() }.check(),
        Err(ConfigError::Prefix { .. })
    ));
}

#[test]
fn upstreams_are_somewhere() {
    let upstream =
        |upstream: UpstreamConfig| refusal(|gateway| drop(gateway.upstreams.insert("u".into(), upstream)));
    let urls = |urls: &[&str]| {
        let urls = urls.iter().map(|url| (*url).to_owned()).collect();
        upstream(UpstreamConfig { urls, ..UpstreamConfig::default() })
    };
    let url = |url: &str| urls(&[url]);
    for (line, says) in [
        (upstream(UpstreamConfig::default()), "upstream u: say where it is"),
        (url("127.0.0.1:80"), "it has to be http://HOST:PORT"),
        (url("ftp://127.0.0.1"), "it has to be http://HOST:PORT or https://HOST:PORT"),
        (urls(&["http://127.0.0.1", "https://127.0.0.1"]), "all http:// or all https://"),
        (urls(&["https://127.0.0.1", "https://127.0.0.2"]), "say server-name"),
        (
            upstream(UpstreamConfig {
                urls: vec!["http://127.0.0.1".into()],
                server_name: Some("a".into()),
                ..UpstreamConfig::default()
            }),
            "are for https:// URLs",
        ),
        (
            upstream(UpstreamConfig {
                urls: vec!["https://127.0.0.1".into()],
                ca_file: Some("/nowhere.pem".into()),
                ..UpstreamConfig::default()
            }),
            "cannot read /nowhere.pem",
        ),
        (url("http://127.0.0.1/path"), "a path is for the route to rewrite"),
        (url("http://user@127.0.0.1"), "it has to be http://HOST:PORT"),
        (url("http://127.0.0.1:0"), "it has to be http://HOST:PORT"),
        (url("http://nobody.invalid"), "nobody knows that host"),
        (
            upstream(UpstreamConfig {
                urls: vec!["http://127.0.0.1".into()],
                service: Some("s".into()),
                ..UpstreamConfig::default()
            }),
            "not both",
        ),
        (
            upstream(UpstreamConfig {
                service: Some("s".into()),
                openapi: Some("docs".into()),
                ..UpstreamConfig::default()
            }),
            "openapi has to be a path",
        ),
    ] {
        assert!(line.contains(says), "{says}: {line}");
    }
}

#[test]
fn pages_policies_are_meant() {
    let cors = |change: fn(&mut CorsConfig)| {
        refusal(|gateway| {
            let mut cors = CorsConfig { origins: vec!["https://a.example".into()], ..CorsConfig::default() };
            change(&mut cors);
            gateway.cors = Some(cors);
        })
    };
    for (line, says) in [
        (cors(|cors| cors.origins = vec![]), "gateway: cors without origins"),
        (cors(|cors| cors.origins = vec!["a.example".into()]), "is not an origin"),
        (cors(|cors| cors.origins = vec!["https://a.example/".into()]), "is not an origin"),
        (cors(|cors| cors.origins = vec!["https://*.a.example".into()]), "is not an origin"),
        (cors(|cors| (cors.origins, cors.credentials) = (vec!["*".into()], true)), "credentials"),
        (cors(|cors| cors.methods = vec!["A B".into()]), "is not a method"),
        (cors(|cors| cors.headers = vec!["a b".into()]), "is not the name of a header field"),
    ] {
        assert!(line.contains(says), "{says}: {line}");
    }
}

#[test]
fn settings_are_read_as_they_are_written() {
    let text = r#"{
        "trusted-proxies": ["10.0.0.0/8", "::1"],
        "rates": { "address": "100/s burst 200" },
        "compression": {},
        "pages": ["docs"],
        "routes": [
            { "prefix": "/menu", "to": "menu", "access": "authenticated", "sticky": "cookie:session", "timeout": "2s" },
            { "prefix": "/new", "to": { "menu": 95, "menu-next": 5 }, "access": ["admin"], "allow": ["escaped-slashes"] }
        ]
    }"#;
    let gateway: Gateway = serde_json::from_str(text).unwrap();
    assert_eq!(gateway.routes[1].to.0["menu-next"], 5);
    assert_eq!(gateway.routes[0].timeout, Some(Duration::from_secs(2)));
    let written = serde_json::to_string(&gateway).unwrap();
    assert_eq!(serde_json::from_str::<Gateway>(&written).unwrap(), gateway);
    for (text, says) in [
        (r#"{"routes":[{"prefx":"/"}]}"#, "prefx"),
        (r#"{"routes":[{"to":7}]}"#, "the name of an upstream"),
        (r#"{"routes":[{"to":{"a":-1}}]}"#, "-1"),
        (r#"{"routes":[{"access":"everybody"}]}"#, "\"public\", \"authenticated\", or a list of roles"),
        (r#"{"routes":[{"sticky":"moon"}]}"#, "address, user, header:NAME or cookie:NAME"),
        (r#"{"routes":[{"allow":["everything"]}]}"#, "everything"),
        (r#"{"rates":{"address":"100"}}"#, "is not a rate"),
        (r#"{"trusted-proxies":["10.0.0.1/8"]}"#, "is not a network"),
    ] {
        let error = serde_json::from_str::<Gateway>(text).unwrap_err().to_string();
        assert!(error.contains(says), "{says}: {error}");
    }
}
