//! A world for one test: a directory, a clock, a broker, and services that can be stopped, killed and started again.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use partie_contract::{Call, Deadline, Outcome, Timestamp, Trace};
use partie_messaging::{
    Backoff, Broker, BrokerConfig, Config, EmbeddedBroker, Handlers, MIGRATIONS, Stages, Worker, WorkerParts,
};
use partie_runtime::{Activity, Clock, Ids, Stepper};
use partie_store::{Durability, Handles, Migration, MigrationSet, Store, Tx};

/// When every test begins.
pub(crate) const START: Timestamp = Timestamp::from_millis(1_732_159_534_000);

/// Nothing in a test takes longer.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// A table for what the tests' services remember: one row each time something happens.
const NOTES: MigrationSet = MigrationSet {
    name: "service",
    migrations: &[Migration::new(
        "0001_notes.sql",
        "CREATE TABLE notes (number INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, text TEXT NOT NULL);
         CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);",
    )],
};

/// A directory that goes with its test.
pub(crate) struct Dir {
    path: PathBuf,
    is_ours: bool,
}

/// What all services of a test share.
pub(crate) struct World {
    pub(crate) dir: Arc<Dir>,
    pub(crate) clock: Clock,
    pub(crate) stepper: Stepper,
    pub(crate) activity: Activity,
    pub(crate) broker: EmbeddedBroker,
    pub(crate) config: Config,
}

/// A service of a test.
pub(crate) struct Service {
    pub(crate) store: Store,
    pub(crate) worker: Worker,
}

// === impl Dir ===

impl Dir {
    pub(crate) fn new() -> Arc<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("partie-messaging-{}-{number}", std::process::id()));
        drop(std::fs::remove_dir_all(&dir));
        std::fs::create_dir_all(&dir).unwrap();
        Arc::new(Self { path: dir, is_ours: true })
    }

    /// One that somebody else removes.
    pub(crate) fn at(path: PathBuf) -> Arc<Self> {
        Arc::new(Self { path, is_ours: false })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        if self.is_ours {
            drop(std::fs::remove_dir_all(&self.path));
        }
    }
}

// === impl World ===

impl World {
    pub(crate) fn new() -> Self {
        Self::at(Dir::new(), START, BrokerConfig::default())
    }

    /// The world of an earlier one, after everything of that is gone.
    pub(crate) fn again(dir: Arc<Dir>, now: Timestamp) -> Self {
        Self::at(dir, now, BrokerConfig::default())
    }

    pub(crate) fn at(dir: Arc<Dir>, now: Timestamp, broker: BrokerConfig) -> Self {
        let (clock, stepper) = Clock::stepped(now);
        let activity = Activity::default();
        let handles = Handles { clock: clock.clone(), ids: Ids::from_entropy(), activity: activity.clone() };
        let mut config = broker;
        config.store = store_config();
        let broker = EmbeddedBroker::open(dir.path(), handles, config).unwrap();
        Self { dir, clock, stepper, activity, broker, config: eager() }
    }

    pub(crate) fn store(&self, name: &str) -> Store {
        let (clock, activity) = (self.clock.clone(), self.activity.clone());
        let handles = Handles { clock, ids: Ids::from_entropy(), activity };
        Store::open(self.dir.path(), name, &[NOTES, MIGRATIONS], handles, store_config()).unwrap()
    }

    pub(crate) fn start<S: Send + Sync + 'static>(
        &self,
        name: &'static str,
        state: impl Into<Arc<S>>,
        handlers: Handlers<S>,
    ) -> Service {
        self.start_on(name, Arc::new(self.broker.clone()), state, handlers)
    }

    pub(crate) fn start_on<S: Send + Sync + 'static>(
        &self,
        name: &'static str,
        broker: Arc<dyn Broker>,
        state: impl Into<Arc<S>>,
        handlers: Handlers<S>,
    ) -> Service {
        self.start_with(name, self.store(name), broker, state, handlers)
    }

    /// Starts it on a store that is open.
    pub(crate) fn start_with<S: Send + Sync + 'static>(
        &self,
        name: &'static str,
        store: Store,
        broker: Arc<dyn Broker>,
        state: impl Into<Arc<S>>,
        handlers: Handlers<S>,
    ) -> Service {
        let ids = Ids::from_entropy();
        let parts = WorkerParts {
            service: name,
            store: store.clone(),
            broker,
            handlers,
            state: state.into(),
            calls: Arc::new(move || Call::new(Deadline::after(LIMIT), ids.trace())),
            stages: Stages::default(),
            config: self.config.clone(),
        };
        Service { worker: Worker::start(parts).unwrap(), store }
    }

    /// Waits until nothing is going on.
    pub(crate) async fn quiet(&self) {
        tokio::time::timeout(LIMIT, self.activity.quiet()).await.expect("it never becomes quiet");
    }

    /// Lets time pass, from one thing that is due to the next, until that long has passed.
    pub(crate) async fn pass(&self, time: Duration) {
        self.quiet().await;
        let end = self.clock.now() + time;
        loop {
            let next = self.stepper.next_wake().filter(|next| *next <= end);
            self.stepper.step_to(next.unwrap_or(end), &self.activity.begin());
            self.quiet().await;
            if next.is_none() {
                return;
            }
        }
    }

    /// Stops everything in order, and leaves the directory.
    pub(crate) async fn stop(self, services: impl IntoIterator<Item = Service>) -> (Arc<Dir>, Timestamp) {
        for service in services {
            service.stop().await;
        }
        self.broker.close().await;
        (self.dir, self.clock.now())
    }
}

// === impl Service ===

impl Service {
    pub(crate) async fn stop(self) {
        tokio::time::timeout(LIMIT, self.worker.stop()).await.expect("the worker does not stop");
        self.store.close().await;
    }

    pub(crate) async fn write<T: Send + 'static>(
        &self,
        f: impl Fn(&mut Tx) -> Outcome<T> + Send + 'static,
    ) -> T {
        self.store.write(f).await.unwrap()
    }

    /// What was noted under a topic, in order.
    pub(crate) async fn notes(&self, topic: &'static str) -> Vec<String> {
        let read = move |tx: &mut Tx| -> Outcome<Vec<String>> {
            Ok(tx.query("SELECT text FROM notes WHERE topic = $1 ORDER BY number", &[&topic], |row| {
                row.get(0)
            })?)
        };
        self.store.read(read).await.unwrap()
    }
}

/// Remembers that something happened.
pub(crate) fn note(tx: &mut Tx, topic: &str, text: &str) -> Result<(), partie_store::Error> {
    tx.execute("INSERT INTO notes (topic, text) VALUES ($1, $2)", &[&topic, &text])?;
    Ok(())
}

/// A call from outside.
pub(crate) fn call() -> Call {
    Call::new(Deadline::after(LIMIT), Trace::new(0xabc, 0xdef))
}

/// The defaults, with waits that a test can afford.
fn eager() -> Config {
    let backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(4));
    let mut config = Config::default();
    config.relay.backoff = backoff;
    config.consumers.backoff = backoff;
    config.consumers.attempts = 3;
    config.timers.backoff = backoff;
    config.timers.attempts = 3;
    config.jobs.backoff = backoff;
    config.jobs.attempts = 3;
    config.sagas.backoff = backoff;
    config.sagas.attempts = 3;
    config
}

fn store_config() -> partie_store::Config {
    let mut config = partie_store::Config::default();
    config.run_twice = true;
    config.durability = Durability::Relaxed;
    config
}
