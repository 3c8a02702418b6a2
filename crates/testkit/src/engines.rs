//! Which engines systems under test keep their data on and send their events over.

use std::time::Duration;

use partie::Config;
use partie::messaging::{BrokerUrl, LogConfig, Place};
use partie::store::StoreUrl;
use partie_contract::BoxError;
use partie_testservers::{Nats, Postgres};

/// The variable that says so, for all tests of a run: `embedded`, as without it, or `postgres+nats`.
const ENGINES: &str = "PARTIE_TEST_ENGINES";
/// A stream that brings nothing for that long has been read.
const NO_MORE: Duration = Duration::from_secs(1);

/// Where one system keeps its data and sends its events, if not on the embedded engines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Engines {
    store: String,
    broker: String,
    prefix: String,
}

// === impl Engines ===

impl Engines {
    /// The engines of this run of tests, for one system: a database and a stream of its own on servers that all tests of
    /// the binary share. Nothing for the embedded ones.
    ///
    /// # Panics
    /// When the variable names no engines, or they are not installed.
    pub fn fresh() -> Option<Self> {
        match std::env::var(ENGINES).as_deref() {
            Err(_) | Ok("" | "embedded") => None,
            Ok("postgres+nats") => Some(Self::on(Postgres::shared(), Nats::shared())),
            Ok(other) => panic!("{ENGINES}={other}: there are `embedded` and `postgres+nats`"),
        }
    }

    /// A database and a stream on servers of the test's own.
    pub fn on(postgres: &Postgres, nats: &Nats) -> Self {
        Self { store: postgres.database(), broker: nats.url(), prefix: nats.prefix() }
    }

    /// Says something to the database, past everything that is tested: a line for each row of the answer. A service's
    /// tables are in the schema of its name.
    ///
    /// # Panics
    /// When it refuses.
    pub fn sql(&self, sql: &str) -> String {
        Postgres::ask(&self.store, sql)
    }

    /// The ids and types of the events that are in the stream by now. It blocks the thread.
    ///
    /// # Panics
    /// When the stream cannot be read.
    pub fn published(&self) -> Vec<([u8; 16], String)> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let read = runtime.map_err(BoxError::from).and_then(|runtime| runtime.block_on(self.read_all()));
        match read {
            Ok(events) => events,
            Err(error) => panic!("the events cannot be read: {error}"),
        }
    }

    async fn read_all(&self) -> Result<Vec<([u8; 16], String)>, BoxError> {
        let mut config = LogConfig::default();
        config.prefix.clone_from(&self.prefix);
        let log = self.broker.parse::<BrokerUrl>()?.open(&config)?;
        let mut all = Vec::new();
        for part in 0..log.parts().await? {
            let mut feed = log.read(Place { part, after: 0, types: Vec::new() }).await?;
            // A log says when there is more, not when there is none.
            while let Ok(page) = tokio::time::timeout(NO_MORE, feed.next()).await {
                let rows = page?.rows.into_iter();
                all.extend(rows.map(|(_, message)| (*message.id.as_bytes(), message.type_name.to_string())));
            }
        }
        Ok(all)
    }

    /// What a program has to find in its environment.
    pub fn environment(&self) -> [(&'static str, &str); 3] {
        [
            ("PARTIE__STORE__URL", &self.store),
            ("PARTIE__BROKER__URL", &self.broker),
            ("PARTIE__BROKER__LOG__PREFIX", &self.prefix),
        ]
    }

    /// The same, for a system in this process.
    ///
    /// # Panics
    /// When the address of the broker is none.
    pub fn configure(&self, config: &mut Config) {
        config.store.url = Some(StoreUrl::new(&self.store));
        match self.broker.parse() {
            Ok(url) => config.broker.url = Some(url),
            Err(error) => panic!("{error}"),
        }
        config.broker.log.prefix.clone_from(&self.prefix);
    }
}
