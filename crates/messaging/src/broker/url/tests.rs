//! Names of brokers, good and bad.

use super::*;
use crate::broker::vendor::LogConfig;

fn credentials(user: &str, password: &str) -> Option<Credentials> {
    Some(Credentials { user: user.to_owned(), password: password.to_owned() })
}

#[test]
fn what_is_named_is_found() {
    let strings = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let rabbit = |at: &str, credentials, vhost: &str| BrokerUrl::RabbitMq {
        at: at.to_owned(),
        credentials,
        vhost: vhost.to_owned(),
    };
    let cases = [
        ("nats://a:1", "nats://a:1", BrokerUrl::Nats { servers: strings(&["a:1"]), credentials: None }),
        (
            "nats://u%40x:p%3A@a.b:1,[::1]:2/",
            "nats://u%40x:***@a.b:1,[::1]:2",
            BrokerUrl::Nats {
                servers: strings(&["a.b:1", "[::1]:2"]),
                credentials: credentials("u@x", "p:"),
            },
        ),
        ("amqp://a:5672", "amqp://a:5672", rabbit("a:5672", None, "/")),
        ("amqp://a:5672/", "amqp://a:5672", rabbit("a:5672", None, "/")),
        ("amqp://u:p@a:1/x%2Fy", "amqp://u:***@a:1/x%2Fy", rabbit("a:1", credentials("u", "p"), "x/y")),
        ("amqp://u:p@q@a:1/v", "amqp://u:***@a:1/v", rabbit("a:1", credentials("u", "p@q"), "v")),
        ("kafka://a:1,b:2", "kafka://a:1,b:2", BrokerUrl::Kafka { brokers: strings(&["a:1", "b:2"]) }),
    ];
    for (text, shown, expected) in cases {
        let url: BrokerUrl = text.parse().unwrap();
        assert_eq!((url.to_string(), &url), (shown.to_owned(), &expected), "{text}");
    }
}

#[test]
fn what_names_no_broker_is_refused_without_telling_the_password() {
    for (bad, reason) in [
        ("", "names no broker"),
        ("redis://a:1", "names no broker"),
        ("http://u:s3cret@a:1", "names no broker"),
        ("nats://", "`` is no HOST:PORT"),
        ("nats://a", "`a` is no HOST:PORT"),
        ("nats://a:0", "no HOST:PORT"),
        ("nats://a:65536", "no HOST:PORT"),
        ("nats://a:1,", "`` is no HOST:PORT"),
        ("nats://s3cret@a:1", "no password behind the user"),
        ("nats://u:@a:1", "the password is empty"),
        ("nats://:s3cret@a:1", "the user is empty"),
        ("nats://u:s3cret%@a:1", "the password is empty or not percent-encoded"),
        ("nats://[::g]:1", "no HOST:PORT"),
        ("nats://a:1/x", "no HOST:PORT"),
        ("amqp://a/v", "`a` is no HOST:PORT"),
        ("amqp://u:s3cret@a:1/v/w", "`v/w` is no virtual host"),
        ("amqp://u:s3cret@a:1/%", "`%` is no virtual host"),
        ("kafka://u:s3cret@a:1", "no HOST:PORT"),
    ] {
        let error = bad.parse::<BrokerUrl>().unwrap_err();
        let said = format!("{error} {error:?}");
        assert!(said.contains(reason), "{bad}: {said}");
        // A user without a password is what stands there, so it may be said.
        assert!(!said.contains("s3cret") || bad == "nats://s3cret@a:1", "{bad}: {said}");
    }
}

#[test]
fn settings_are_checked_and_a_missing_engine_is_named() {
    for (text, feature, is_built) in [
        ("nats://u:s3cret@a:1", "nats", cfg!(feature = "nats")),
        ("amqp://u:s3cret@a:1", "rabbitmq", cfg!(feature = "rabbitmq")),
        ("kafka://a:1", "kafka", cfg!(feature = "kafka")),
    ] {
        let url: BrokerUrl = text.parse().unwrap();
        assert!(!format!("{url:?}").contains("s3cret"));
        let config = LogConfig { parts: 0, ..LogConfig::default() };
        let error = url.open(&config).unwrap_err();
        assert!(matches!(error, BrokerUrlError::Misconfigured(_)), "{error}");
        match url.open(&LogConfig::default()) {
            Ok(log) => assert!(is_built && !format!("{log:?}").contains("s3cret"), "{log:?}"),
            Err(error) => {
                let expected = BrokerUrlError::NotBuilt { url: url.to_string(), feature };
                assert!(!is_built);
                assert_eq!(error, expected);
                assert!(error.to_string().contains(&format!("`{feature}`")), "{error}");
            }
        }
    }
}
