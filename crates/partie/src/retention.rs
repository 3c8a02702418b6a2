//! What is kept and for how long, in one table; and which lengths do not go together.

use std::time::Duration;

use crate::config::Config;
use crate::policies::Finding;

/// One kind of thing that is kept.
pub(crate) struct Kept {
    pub(crate) what: &'static str,
    pub(crate) how_long: HowLong,
    /// The key of the configuration that says so, if one does.
    pub(crate) key: Option<&'static str>,
    pub(crate) why: &'static str,
}

/// How long something is kept.
pub(crate) enum HowLong {
    /// That long, in business time.
    Business(Duration),
    /// That long, in real time.
    Real(Duration),
    /// Until that.
    Until(&'static str),
    /// For good.
    ForGood,
}

/// Everything the platform keeps. What services keep in tables of their own is theirs to say.
pub(crate) fn table(config: &Config) -> Vec<Kept> {
    let row = |what, how_long, key, why| Kept { what, how_long, key, why };
    let (relay, sagas) = (&config.messaging.relay, &config.messaging.sagas);
    vec![
        row("events in the outbox", HowLong::Until("they have left"), None, "no event is lost"),
        row(
            "events that have left",
            HowLong::Real(relay.keep_sent),
            Some("messaging.relay.keep-sent"),
            "a broker that is restored gets them again",
        ),
        row(
            "events in the broker's log",
            HowLong::Business(config.broker.retention),
            Some("broker.retention"),
            "services that are restored, and new handlers, get them; longer while a handler has not settled them",
        ),
        row(
            "parked events",
            HowLong::Until("they are requeued or skipped"),
            None,
            "only people know what to do",
        ),
        row("skipped events: who, when, why", HowLong::ForGood, None, "they are answered for"),
        row(
            "events handled (inbox)",
            HowLong::Business(remembered(config)),
            Some("messaging.consumers.remember"),
            "what comes twice has its effect once; at least twice broker.retention",
        ),
        row(
            "last sequence of each subject",
            HowLong::ForGood,
            None,
            "a subject that speaks again would count from 1 again",
        ),
        row(
            "idempotency keys and their answers",
            HowLong::Business(config.store.key_retention),
            Some("store.key-retention"),
            "who asks again gets the same answer",
        ),
        row(
            "timers",
            HowLong::Until("they have fired"),
            None,
            "what is due happens; parked ones wait for people",
        ),
        row(
            "jobs that are done",
            HowLong::Business(config.messaging.jobs.keep_done),
            Some("messaging.jobs.keep-done"),
            "for people who look",
        ),
        row("dead jobs", HowLong::Until("they are requeued"), None, "only people know what to do"),
        row("sagas under way", HowLong::Until("they have ended"), None, "parked ones wait for people"),
        row(
            "sagas that have ended, with their history",
            HowLong::Business(sagas.keep_ended),
            Some("messaging.sagas.keep-ended"),
            "for people who look; an id is not used again meanwhile",
        ),
        row(
            "commands that were carried out",
            HowLong::ForGood,
            None,
            "the saga that sent one may want it undone, however long it takes",
        ),
        row(
            "commands that were compensated",
            HowLong::Business(sagas.keep_ended),
            Some("messaging.sagas.keep-ended"),
            "one that comes late is not carried out",
        ),
    ]
}

/// How long a handled event is remembered, whatever is written.
fn remembered(config: &Config) -> Duration {
    config.messaging.consumers.remember.max(config.broker.retention.saturating_mul(2))
}

/// What is forgotten while it still matters.
pub(crate) fn check(config: &Config) -> Vec<Finding> {
    let (messaging, retention) = (&config.messaging, config.broker.retention);
    let rule = |forgets, time, least, of, why| {
        (time < least).then_some(Finding::ForgottenTooSoon { forgets, time, least, of, why })
    };
    [
        rule(
            "messaging.consumers.remember",
            messaging.consumers.remember,
            retention.saturating_mul(2),
            "twice broker.retention",
            "an event that is delivered again late would have its effect twice",
        ),
        rule(
            "broker.retention",
            retention,
            messaging.relay.keep_sent,
            "messaging.relay.keep-sent",
            "an event that a restored service sends again would be new to the broker",
        ),
        rule(
            "messaging.sagas.keep-ended",
            messaging.sagas.keep_ended,
            retention,
            "broker.retention",
            "an event about a saga that has ended would find none",
        ),
        rule(
            "messaging.sagas.keep-ended",
            messaging.sagas.keep_ended,
            config.store.key_retention,
            "store.key-retention",
            "a request that is repeated would be answered with a saga that is gone",
        ),
        rule(
            "store.key-retention",
            config.store.key_retention,
            config.gateway.longest_timeout,
            "gateway.longest-timeout",
            "a request could be repeated while the first one is still under way, and both would be carried out",
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_go_together_and_each_rule_finds_what_breaks_it() {
        assert_eq!(check(&Config::default()), []);
        let day = Duration::from_hours(24);
        /// Breaks a rule; the duration is a day.
        type Change = fn(&mut Config, Duration);
        let broken: [(&str, Change); 5] = [
            ("messaging.consumers.remember", |config, day| config.messaging.consumers.remember = 13 * day),
            ("broker.retention", |config, day| config.messaging.relay.keep_sent = 8 * day),
            ("messaging.sagas.keep-ended", |config, day| config.messaging.sagas.keep_ended = 6 * day),
            ("messaging.sagas.keep-ended", |config, day| config.store.key_retention = 31 * day),
            ("store.key-retention", |config, _| config.store.key_retention = Duration::from_secs(1)),
        ];
        for (key, change) in broken {
            let mut config = Config::default();
            change(&mut config, day);
            let found = check(&config);
            assert_eq!(found.len(), 1, "{found:?}");
            let text = found[0].to_string();
            assert!(text.starts_with(key) && text.contains("is less than"), "{text}");
        }
    }

    #[test]
    fn every_length_of_the_table_is_a_setting() {
        let known = toml::Table::try_from(Config::default()).unwrap();
        for kept in table(&Config::default()) {
            let Some(key) = kept.key else { continue };
            let mut at = &toml::Value::Table(known.clone());
            for part in key.split('.') {
                at = at.get(part).unwrap_or_else(|| panic!("{key} is no setting"));
            }
            assert!(at.is_str(), "{key}");
        }
    }
}
