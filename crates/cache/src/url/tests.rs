//! What names a server, what does not, and that nobody sees a password.

use super::*;

#[test]
fn a_server_is_named_with_what_is_left_out() {
    let parts = |text: &str| {
        let url: CacheUrl = text.parse().unwrap();
        (url.host, url.port, url.db, url.user, url.password)
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(parts("redis://cache"), ("cache".into(), 6379, 0, None, None));
    assert_eq!(parts("redis://10.0.0.7:6380/3"), ("10.0.0.7".into(), 6380, 3, None, None));
    assert_eq!(parts("redis://[::1]:6380/"), ("::1".into(), 6380, 0, None, None));
    assert_eq!(parts("redis://[::1]"), ("::1".into(), 6379, 0, None, None));
    assert_eq!(parts("redis://:p%40ss@cache"), ("cache".into(), 6379, 0, None, some("p@ss")));
    assert_eq!(parts("redis://ann:a:b@cache:1"), ("cache".into(), 1, 0, some("ann"), some("a:b")));
}

#[test]
fn what_names_no_server_says_why() {
    for (text, needle) in [
        ("", "names no cache server"),
        ("localhost:6379", "names no cache server"),
        ("http://localhost:6379", "names no cache server"),
        ("rediss://localhost", "without TLS"),
        ("redis://", "`` is no host"),
        ("redis://:6379", "`` is no host"),
        ("redis://a b", "is no host"),
        ("redis://a:0", "`0` is no port"),
        ("redis://a:66000", "`66000` is no port"),
        ("redis://a:1/one", "`one` is no number of a database"),
        ("redis://a:1/1/2", "`1/2` is no number of a database"),
        ("redis://a:1?db=2", "is no port"),
        ("redis://ann@a", "no password"),
        ("redis://::1", "is no host"),
        ("redis://[::x]", "`::x` is no IPv6 address"),
        ("redis://:%zz@a", "percent-encoded"),
        ("redis://:%+1@a", "percent-encoded"),
        ("redis://:%ff@a", "percent-encoded"),
    ] {
        let error = text.parse::<CacheUrl>().unwrap_err().to_string();
        assert!(error.contains(needle), "{text}: {error}");
    }
}

#[test]
fn nobody_sees_the_password() {
    let url: CacheUrl = "redis://ann:hunter2@cache:1/2".parse().unwrap();
    assert_eq!(url.to_string(), "redis://***@cache:1/2");
    assert_eq!(format!("{url:?}"), "CacheUrl(redis://***@cache:1/2)");
    assert_eq!(serde_json::to_string(&url).unwrap(), "\"redis://***@cache:1/2\"");
    for bad in [
        "redis://:hunter2@cache:port",
        "rediss://:hunter2@cache",
        "http://:hunter2@cache",
        "redis://:hunter2%f@a",
        "redis://hunter2@a",
        "hunter2@a",
        "redis://:hunter2/x@y/z@a:b",
    ] {
        let error = bad.parse::<CacheUrl>().unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
    }
}
