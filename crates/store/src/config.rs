//! What a store is made with: its settings, and the handles it reaches time and ids through.

use std::fmt;
use std::time::Duration;

use partie_runtime::{Activity, Clock, Ids, Secret, duration};
use serde::{Deserialize, Serialize};

/// The settings of a store. Durations are written like `5ms`, `24h`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Config {
    /// The server that has the databases, a schema for each store; without it each is a file in the data directory.
    pub url: Option<StoreUrl>,
    /// How many writes may wait, and how many reads. One more is rejected at once.
    pub queue: usize,
    /// How many threads read.
    pub readers: usize,
    /// How many writes share one commit at most.
    pub batch: usize,
    /// How long a commit waits at most for writes that are queued behind the first one to be carried out.
    #[serde(with = "duration")]
    pub batch_time: Duration,
    /// The least time from one group of writes to the next while several come at a time: those that come meanwhile share
    /// one commit instead of making many small ones. A write that comes alone never waits.
    #[serde(with = "duration")]
    pub pace: Duration,
    /// Closures that take longer are logged with the place they were given to the store at. This is for files: who writes
    /// to one holds up everybody else who does.
    #[serde(with = "duration")]
    pub slow_closure: Duration,
    /// The same on PostgreSQL. There a closure waits for the server with each statement, and holds up its own connection
    /// only.
    #[serde(with = "duration")]
    pub slow_remote_closure: Duration,
    /// How long to wait for somebody outside this process who holds the database locked.
    #[serde(with = "duration")]
    pub busy_timeout: Duration,
    /// How long idempotency keys are kept, in business time.
    #[serde(with = "duration")]
    pub key_retention: Duration,
    /// When an answered write is on disk.
    pub durability: Durability,
    /// How many connections a store on PostgreSQL has, each with a thread of its own that reads and writes.
    pub connections: usize,
    /// How long a statement may take on PostgreSQL, and how long a transaction may stand idle there.
    #[serde(with = "duration")]
    pub statement_timeout: Duration,
    /// How long a write without a deadline is run again at most when others come in between, on PostgreSQL.
    #[serde(with = "duration")]
    pub rerun_limit: Duration,
    /// How long writes and reads wait for a database that cannot be reached before they fail, counted from when it was
    /// lost. How long opening waits for one that is not there yet.
    #[serde(with = "duration")]
    pub outage_patience: Duration,
    /// How long a lease outlives the process that holds it, on PostgreSQL. Until another one has it nothing leaves the
    /// outbox, so it is shorter than what messaging's relay takes for a backlog.
    #[serde(with = "duration")]
    pub lease_time: Duration,
    /// Runs every closure twice, the first time for nothing, and reports those that do something else the second
    /// time. For tests.
    pub run_twice: bool,
}

/// Where databases are that are not files of this process: `postgres://USER:PASSWORD@HOST[:PORT]/DATABASE[?sslmode=..]`. It
/// shows itself without its password, wherever it is shown. In a configuration it may be in a file or a variable, as a
/// [`Secret`] is.
#[derive(Clone, PartialEq, Eq)]
pub struct StoreUrl(String);

/// When an answered write is on disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Durability {
    /// Before it is answered.
    #[default]
    Full,
    /// Some time later: an answered write survives the end of the process, but not that of the machine, which may
    /// even damage the database. Only for systems that are thrown away: tests and replays.
    Relaxed,
}

/// What a store shares with the rest of its process.
#[derive(Debug, Clone)]
pub struct Handles {
    /// Business time.
    pub clock: Clock,
    /// Fresh ids.
    pub ids: Ids,
    /// Counts what is going on.
    pub activity: Activity,
}

// === impl Config ===

impl Default for Config {
    fn default() -> Self {
        Self {
            url: None,
            queue: 1024,
            readers: 2,
            batch: 512,
            batch_time: Duration::from_millis(10),
            pace: Duration::from_millis(2),
            slow_closure: Duration::from_millis(5),
            slow_remote_closure: Duration::from_millis(250),
            busy_timeout: Duration::from_secs(5),
            key_retention: Duration::from_hours(24),
            durability: Durability::Full,
            connections: 8,
            statement_timeout: Duration::from_secs(10),
            rerun_limit: Duration::from_secs(10),
            outage_patience: Duration::from_secs(5),
            lease_time: Duration::from_secs(4),
            run_twice: false,
        }
    }
}

// === impl StoreUrl ===

impl StoreUrl {
    /// That text. What is wrong with it shows when the store is opened.
    pub fn new(url: impl Into<String>) -> Self {
        Self(url.into())
    }

    /// All of it, the password included.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((scheme, rest)) = self.0.split_once("://") else { return f.write_str("***") };
        let (who, place) = rest.rsplit_once('@').unwrap_or(("", rest));
        let user = who.split(':').next().unwrap_or_default();
        match (user, who.contains(':')) {
            ("", false) => write!(f, "{scheme}://{place}"),
            (user, false) => write!(f, "{scheme}://{user}@{place}"),
            (user, true) => write!(f, "{scheme}://{user}:***@{place}"),
        }
    }
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl<'de> Deserialize<'de> for StoreUrl {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let url = Secret::resolve(&String::deserialize(deserializer)?);
        url.map(Self).map_err(serde::de::Error::custom)
    }
}

impl Serialize for StoreUrl {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

// === impl Handles ===

impl Handles {
    /// The wall clock, unforeseeable ids, and a count of its own.
    pub fn system() -> Self {
        Self { clock: Clock::wall(), ids: Ids::from_entropy(), activity: Activity::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        for (url, shown) in [
            (
                "postgres://ann:s3cret@db:7000/food?sslmode=require",
                "postgres://ann:***@db:7000/food?sslmode=require",
            ),
            ("postgres://ann:s3@cret@db/food", "postgres://ann:***@db/food"),
            ("postgres://ann@db/food", "postgres://ann@db/food"),
            ("postgres://db/food", "postgres://db/food"),
            ("s3cret", "***"),
        ] {
            let url = StoreUrl::new(url);
            assert_eq!((url.to_string(), format!("{url:?}")), (shown.to_owned(), shown.to_owned()));
            assert_eq!(serde_json::to_string(&url).unwrap(), format!("\"{shown}\""));
        }
    }

    #[test]
    fn a_url_may_be_in_a_file() {
        let path = std::env::temp_dir().join(format!("partie-store-url-{}", std::process::id()));
        std::fs::write(&path, "postgres://ann:s3cret@db/food\n").unwrap();
        let read = || serde_json::from_value::<StoreUrl>(format!("file:{}", path.display()).into());
        assert_eq!(read().unwrap().reveal(), "postgres://ann:s3cret@db/food");
        std::fs::remove_file(&path).unwrap();
        assert!(read().unwrap_err().to_string().contains("partie-store-url"));
    }

    #[test]
    fn durations_are_written_as_people_do() {
        let config: Config =
            serde_json::from_str(r#"{"slow-closure": "7ms", "durability": "relaxed"}"#).unwrap();
        assert_eq!((config.slow_closure, config.durability), (Duration::from_millis(7), Durability::Relaxed));
        let text = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<Config>(&text).unwrap(), config, "{text}");
        for bad in [r#"{"slow-closure": "-1s"}"#, r#"{"slow-closure": 5}"#, r#"{"slow_closure": "5ms"}"#] {
            assert!(serde_json::from_str::<Config>(bad).is_err(), "{bad}");
        }
    }
}
