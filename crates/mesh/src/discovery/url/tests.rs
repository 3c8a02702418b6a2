//! What names a registry, and what does not.

use super::*;

#[test]
fn every_form_is_read_and_written() {
    let localhost = |port| SocketAddr::from(([127, 0, 0, 1], port));
    let dns = |server| RegistryUrl::Dns { domain: "example.org".into(), server };
    for (text, wanted) in [
        ("http://127.0.0.1:7000", RegistryUrl::Own("127.0.0.1:7000".into())),
        ("http://[::1]:7000", RegistryUrl::Own("[::1]:7000".into())),
        ("consul://consul.internal:8500", RegistryUrl::Consul("consul.internal:8500".into())),
        ("etcd://a:2379,b:2379", RegistryUrl::Etcd(vec!["a:2379".into(), "b:2379".into()])),
        ("dns:example.org", dns(None)),
        ("dns://127.0.0.1:5353/example.org", dns(Some(localhost(5353)))),
        (
            "static:a=127.0.0.1:1,127.0.0.1:2;b=127.0.0.1:3",
            RegistryUrl::Fixed(vec![
                ("a".into(), vec![localhost(1), localhost(2)]),
                ("b".into(), vec![localhost(3)]),
            ]),
        ),
    ] {
        let parsed: RegistryUrl = text.parse().unwrap();
        assert_eq!(parsed, wanted);
        assert_eq!(parsed.to_string(), text);
        assert!(
            cfg!(not(all(feature = "consul", feature = "dns", feature = "etcd"))) || parsed.open().is_ok()
        );
    }
    assert_eq!("http://a:1/".parse(), Ok(RegistryUrl::Own("a:1".into())));
    assert_eq!("static:a=127.0.0.1:1;".parse::<RegistryUrl>().unwrap().to_string(), "static:a=127.0.0.1:1");
}

#[test]
fn whatever_names_none_is_told_what_would() {
    for text in ["", "localhost:8500", "https://a:1", "HTTP://a:1", "zookeeper://a:1", "static"] {
        assert_eq!(text.parse::<RegistryUrl>(), Err(RegistryUrlError::Unknown(text.to_owned())));
    }
    for (text, needle) in [
        ("http://", "`` is no HOST:PORT"),
        ("http://a", "`a` is no HOST:PORT"),
        ("http://:80", "is no HOST:PORT"),
        ("http://a:0", "is no HOST:PORT"),
        ("http://a:70000", "is no HOST:PORT"),
        ("http://u:p@a:1", "is no HOST:PORT"),
        ("http://a:1/v1", "is no HOST:PORT"),
        ("http://a:1?x", "is no HOST:PORT"),
        ("consul://a:1,b:2", "is no HOST:PORT"),
        ("etcd://a:1,", "`` is no HOST:PORT"),
        ("etcd://a:1,b", "`b` is no HOST:PORT"),
        ("dns:", "`` is no domain"),
        ("dns:a..b", "is no domain"),
        ("dns:{service}.a", "is no domain"),
        ("dns://a/b", "`a` is no IP:PORT"),
        ("dns://127.0.0.1:53", "no domain behind"),
        ("static:", "no service"),
        ("static:a", "`a` has no ="),
        ("static:=127.0.0.1:1", "`` is no name"),
        ("static:a=", "`` is no IP:PORT"),
        ("static:a=localhost:1", "`localhost:1` is no IP:PORT"),
        ("static:a=127.0.0.1:1;a=127.0.0.1:2", "`a` is there twice"),
    ] {
        let error = text.parse::<RegistryUrl>().unwrap_err();
        assert!(matches!(error, RegistryUrlError::Form { .. }), "{text}");
        assert!(error.to_string().contains(needle), "{error}");
    }
}
