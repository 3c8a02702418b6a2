//! The store's handle: what services hold, and what they call.

mod inner;

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::io;
use std::mem;
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::sync::Arc;
#[cfg(feature = "postgres")]
use std::sync::Mutex;
use std::thread;

#[cfg(doc)]
use partie_contract::FaultKind;
use partie_contract::{Call, Fault, NoProblem, Outcome, Platform, Problem, Render};
use partie_runtime::{Activity, Clock, Ids};
#[cfg(feature = "postgres")]
use tokio::sync::mpsc;
use tokio::sync::{oneshot, watch};
use tracing::warn;

use self::inner::Inner;
use crate::backup::CopyError;
use crate::config::{Config, Handles};
use crate::error::OpenError;
use crate::keys::{Claim, Keys, PRUNED_AT_ONCE, Replay};
use crate::lease::{Lease, Leases};
#[cfg(feature = "postgres")]
use crate::lock::check_name;
use crate::lock::{Lock, database_path};
use crate::metric_definitions::Metrics;
use crate::migrate::MigrationSet;
use crate::migrations;
#[cfg(feature = "postgres")]
use crate::postgres;
use crate::queue::Queue;
use crate::ring::{Bell, Rings};
use crate::shared::Shared;
use crate::sqlite;
use crate::sqlite::copying::{self, Source};
use crate::status::{Health, Stats, Status};
use crate::task::Task;
use crate::tx::Tx;

/// The tables of the store itself.
const OWN: MigrationSet = MigrationSet { name: "store", migrations: migrations!["0001_store.sql"] };
#[cfg(feature = "postgres")]
const OWN_POSTGRES: MigrationSet =
    MigrationSet { name: "store", migrations: migrations!["0001_store.postgres.sql"] };

/// How many may ask for leases at a time before they wait for one another.
#[cfg(feature = "postgres")]
const LEASES: usize = 64;

/// A service's database. Cheap to clone.
///
/// Closures given to it run on its own threads, one transaction each, and cannot await: a transaction waits for no
/// network. An answered write is on disk ([`Durability::Full`](crate::Durability::Full)); writes that arrive together
/// share one commit.
///
/// Dropping the last handle closes the store some time later; [`close`](Self::close) says when.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
    /// What it writes under.
    lease: Option<Lease>,
}

// === impl Store ===

impl Store {
    /// Opens `dir/name.db`, making it if it is not there, and applies what is missing of the migrations.
    ///
    /// Takes `dir/name.lock` first: one process owns a store. Blocks while it reads and writes; call it at startup.
    ///
    /// # Errors
    /// [`OpenError`] in one line. A file that is not a database of ours, one that a newer program has written to, and
    /// one whose history differs from the program's are refused and stay as they were.
    pub fn open(
        dir: &Path,
        name: &str,
        sets: &[MigrationSet],
        handles: Handles,
        config: Config,
    ) -> Result<Self, OpenError> {
        let file = database_path(dir, name)?;
        let sets = [&[OWN], sets].concat();
        let mut opened = sqlite::open(&file, || Lock::take(dir, name), &sets, &handles, &config)?;
        let keys = Arc::new(Keys::filtered(config.key_retention, &opened.keys));
        let (writes, reads) = (Arc::new(Queue::new(config.queue)), Arc::new(Queue::new(config.queue)));
        let (rings, leases) = (Rings::default(), Leases::new(opened.openings));
        let shared = Self::share(name, Some(file), opened.epoch, handles, config, rings, leases);
        let (closed, open) = watch::channel(());
        let settings = mem::take(&mut opened.settings);
        #[cfg(feature = "postgres")]
        let aside = None;
        let inner = Inner {
            shared,
            writes,
            reads,
            keys,
            #[cfg(feature = "postgres")]
            aside,
            settings,
            open,
        };
        // From here on dropping `inner` ends what was started.
        opened.start(&inner.shared, &inner.writes, &inner.reads, closed).map_err(OpenError::Thread)?;
        let store = Self { inner: Arc::new(inner), lease: None };
        store.read_keys();
        Ok(store)
    }

    /// Opens the schema `name` of a PostgreSQL database, making it if it is not there, and applies what is missing of
    /// the migrations, once among all replicas that start at a time.
    ///
    /// The address is `postgres://user:password@host:port/database?sslmode=..`. `sslmode` is `disable`, `prefer` (if it
    /// is not given), `require`, or with `sslrootcert=FILE` `verify-ca` and `verify-full`, as for every program that
    /// uses PostgreSQL. Each of several processes may open the same schema. Blocks while it connects and migrates.
    ///
    /// # Errors
    /// [`OpenError`] in one line, without the password: an address that is none, a server that is not there within
    /// [`Config::outage_patience`] or lets nobody in, a history that differs from the program's.
    #[cfg(feature = "postgres")]
    pub fn connect(
        url: &str,
        name: &str,
        sets: &[MigrationSet],
        handles: Handles,
        config: Config,
    ) -> Result<Self, OpenError> {
        check_name(name)?;
        // Names of PostgreSQL have 63 bytes, and ours go into longer ones.
        if name.len() > 48 {
            return Err(OpenError::Name(name.to_owned()));
        }
        let sets = [&[OWN_POSTGRES], sets].concat();
        let mut opened = postgres::open(url, name, &sets, &handles, &config)?;
        let keys = Arc::new(Keys::indexed(config.key_retention));
        // Every thread does both, so there is one queue.
        let queue = Arc::new(Queue::new(config.queue));
        // What a server restores has no epochs of ours.
        let (rings, leases) = (Rings::shared(), Leases::new(0));
        let shared = Self::share(name, None, 0, handles, config, rings, leases);
        let (closed, open) = watch::channel(());
        let settings = mem::take(&mut opened.settings);
        let (wanted, asked) = mpsc::channel(LEASES);
        let (writes, aside) = (Arc::clone(&queue), Some(Mutex::new(Some(wanted))));
        let inner = Inner { shared, writes, reads: queue, keys, aside, settings, open };
        // From here on dropping `inner` ends what was started.
        opened.start(&inner.shared, &inner.writes, asked, closed).map_err(OpenError::Thread)?;
        Ok(Self { inner: Arc::new(inner), lease: None })
    }

    /// Opens the schema `name` of a PostgreSQL database, in programs that are built with the feature `postgres`.
    ///
    /// # Errors
    /// [`OpenError::NotBuilt`] in this one.
    #[cfg(not(feature = "postgres"))]
    pub fn connect(
        url: &str,
        name: &str,
        sets: &[MigrationSet],
        handles: Handles,
        config: Config,
    ) -> Result<Self, OpenError> {
        drop((handles, config));
        let _ = (url, sets);
        Err(OpenError::NotBuilt { name: name.to_owned() })
    }

    fn share(
        name: &str,
        file: Option<PathBuf>,
        epoch: i64,
        handles: Handles,
        config: Config,
        rings: Rings,
        leases: Leases,
    ) -> Arc<Shared> {
        Arc::new(Shared {
            name: name.into(),
            file,
            epoch,
            metrics: Metrics::of(name),
            status: Status::new(),
            attached: Arc::default(),
            rings: Arc::new(rings),
            leases: Arc::new(leases),
            handles,
            config,
        })
    }

    /// Runs a closure as one transaction: what it did is kept if it gives back `Ok`, and undone otherwise.
    ///
    /// The closure may run several times, when another one broke the group it was in or came in between; only the last
    /// run counts. So it depends on nothing but its `Tx` and values that do not change. The time and fresh ids of its `Tx` are the same
    /// in every run. Once it has begun, it ends even if nobody waits for it any more.
    ///
    /// # Errors
    /// What the closure gives back; [`FaultKind::Overloaded`] at once when the queue is full;
    /// [`FaultKind::Degraded`] while the disk is full or the database cannot be reached; [`FaultKind::OutcomeUnknown`]
    /// when the disk failed at the commit, or the connection was lost there; [`FaultKind::Internal`] when the closure panicked.
    #[track_caller]
    pub fn write<T, E, F>(&self, closure: F) -> impl Future<Output = Outcome<T, E>> + Send + use<T, E, F>
    where
        F: Fn(&mut Tx) -> Outcome<T, E> + Send + 'static,
        T: Send + 'static,
        E: Send + 'static,
    {
        let (inner, lease, at) = (Arc::clone(&self.inner), self.lease.clone(), Location::caller());
        async move { inner.write(None, fenced(lease, closure), at).await }
    }

    /// Runs a closure as one transaction under the call's idempotency key: what it did, and the answer to be replayed,
    /// commit together. Without a key on the call it is [`write`](Self::write), except that the closure sees the call
    /// ([`Tx::call`]) and is not begun after the call's deadline.
    ///
    /// If the key was used for the same request, the stored answer is given back and the closure does not run. An
    /// error rolls back and stores nothing, unless the closure says otherwise ([`Tx::commit_problem`]).
    ///
    /// # Errors
    /// As [`write`](Self::write); [`FaultKind::IdempotencyKeyReused`] when the key was used for another request;
    /// [`FaultKind::UpstreamTimeout`] when the deadline passed before the closure began, which therefore did nothing.
    #[track_caller]
    pub fn once<T, E, F>(
        &self,
        cx: &Call,
        closure: F,
    ) -> impl Future<Output = Outcome<T, E>> + Send + use<T, E, F>
    where
        F: Fn(&mut Tx) -> Outcome<T, E> + Send + 'static,
        T: Render,
        E: Problem,
    {
        let (inner, call, at) = (Arc::clone(&self.inner), cx.clone(), Location::caller());
        let lease = self.lease.clone();
        async move {
            let (keys, own) = (Arc::clone(&inner.keys), call.clone());
            let keyed = fenced(lease, move |tx: &mut Tx| keys.run(tx, &own, &closure));
            inner.write(Some(call), keyed, at).await
        }
    }

    /// Runs a closure that reads, from a snapshot: it sees every write answered before, and none that commits while it
    /// runs. It is not begun if nobody waits for it any more.
    ///
    /// # Errors
    /// What the closure gives back; [`FaultKind::Overloaded`] at once when the queue is full;
    /// [`FaultKind::Internal`] when it panicked or tried to write.
    #[track_caller]
    pub fn read<T, E, F>(&self, closure: F) -> impl Future<Output = Outcome<T, E>> + Send + use<T, E, F>
    where
        F: FnOnce(&mut Tx) -> Outcome<T, E> + Send + 'static,
        T: Send + 'static,
        E: Send + 'static,
    {
        let (inner, at) = (Arc::clone(&self.inner), Location::caller());
        async move { inner.read(closure, at).await }
    }

    /// What is known of the call's idempotency key; asked before the handler runs, so that a retry is not judged by
    /// what has changed since. Waits for a request with the same key that is still running.
    ///
    /// # Errors
    /// [`FaultKind::IdempotencyKeyReused`] when the key was used for another request;
    /// [`FaultKind::IdempotencyInProgress`] when the call's deadline ends before that other request does;
    /// as [`read`](Self::read).
    #[track_caller]
    pub fn replay(&self, cx: &Call) -> impl Future<Output = Result<Replay, Platform>> + Send + use<> {
        let (inner, call, at) = (Arc::clone(&self.inner), cx.clone(), Location::caller());
        async move {
            let Some(key) = call.key() else { return Ok(Replay::New(Claim::default())) };
            let claim = inner.keys.claim(&call, key).await?;
            if !inner.keys.may_know(key) {
                return Ok(Replay::New(claim));
            }
            let (keys, asked) = (Arc::clone(&inner.keys), key.clone());
            let found: Outcome<_> = inner.read(move |tx| Ok(keys.find(tx, &asked)?), at).await;
            match found.map_err(plain)? {
                Some(stored) => {
                    call.mark_replayed();
                    Ok(Replay::Stored(stored))
                }
                None => Ok(Replay::New(claim)),
            }
        }
    }

    /// Removes idempotency keys whose time is over, in small transactions, and says how many. Call it now and then:
    /// every minute is a good rhythm.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub async fn prune(&self) -> Result<usize, Platform> {
        let mut total = 0;
        loop {
            let keys = Arc::clone(&self.inner.keys);
            let pruned: Outcome<usize> = self.write(move |tx| Ok(keys.prune(tx)?)).await;
            let pruned = pruned.map_err(plain)?;
            total += pruned;
            if pruned < PRUNED_AT_ONCE {
                return Ok(total);
            }
        }
    }

    /// Copies the database into a new file, as it is at one moment, while reads and writes go on. The copy is whole,
    /// checked and on disk when this returns; it is one file that any SQLite reads.
    ///
    /// # Errors
    /// [`CopyError`]; nothing is left of the copy then.
    pub async fn backup(&self, to: &Path) -> Result<(), CopyError> {
        let (shared, to) = (Arc::clone(&self.inner.shared), to.to_owned());
        let Some(from) = shared.file.clone() else {
            return Err(CopyError::Server { name: shared.name.to_string() });
        };
        let failed = |file: &Path, error: &str| CopyError::File {
            file: file.to_owned(),
            source: io::Error::other(error.to_owned()),
        };
        let file = to.clone();
        // A thread of its own: it takes as long as the disk does.
        let (done, copied) = oneshot::channel();
        thread::Builder::new()
            .name(format!("backup-{}", shared.name))
            .spawn(move || {
                let copied = copying::copy(&from, Source::Open, &to);
                // Whoever does not wait for it any more has its file all the same.
                drop(done.send(copied));
            })
            .map_err(|source| CopyError::File { file: file.clone(), source })?;
        copied.await.unwrap_or_else(|_| Err(failed(&file, "the copy was not finished")))
    }

    /// Which life of the database this is: 0 until it is restored from a copy for the first time, and after each restore
    /// more than ever before. What was told to others in an earlier epoch may not be known to this one.
    pub fn epoch(&self) -> i64 {
        self.inner.shared.epoch
    }

    /// Waits for the right to be the only one among all replicas that does something. See [`Lease`].
    ///
    /// It waits for as long as somebody else has the lease, at most [`Config::lease_time`] longer than that one lives, and
    /// for ever once the store is closed.
    pub fn lease(&self, name: &str) -> impl Future<Output = Lease> + Send + use<> {
        let (inner, name) = (Arc::clone(&self.inner), name.to_owned());
        async move { inner.lease(&name).await }
    }

    /// This store for the holder of a lease: what is written through it begins with [`Tx::fence`], and what it reads does
    /// not. The lease is kept for as long as the handle is.
    #[must_use]
    pub fn under(&self, lease: &Lease) -> Self {
        Self { inner: Arc::clone(&self.inner), lease: Some(lease.clone()) }
    }

    /// Whether other processes may have the same store.
    pub fn is_shared(&self) -> bool {
        self.inner.shared.rings.are_shared()
    }

    /// Rings a bell in all replicas: whoever waits for it looks again. From a transaction, [`Tx::ring`].
    pub fn ring(&self, channel: &str) {
        self.inner.shared.rings.ring(channel);
    }

    /// Hears a bell, rung in this process or in another that has the same store.
    pub fn bell(&self, channel: &str) -> Bell {
        self.inner.shared.rings.bell(channel)
    }

    /// Carries out what is queued, takes nothing more, and releases the lock. Returns when that is done.
    pub async fn close(&self) {
        self.inner.shut();
        let mut open = self.inner.open.clone();
        while open.changed().await.is_ok() {}
    }

    /// How the store is.
    pub fn health(&self) -> Health {
        self.inner.shared.status.health()
    }

    /// Ends when the store has failed, with the reason: the process has to end too. See [`Health::Failed`].
    pub fn failed(&self) -> impl Future<Output = Arc<str>> + Send + use<> {
        let mut health = self.inner.shared.status.watch();
        async move {
            if let Ok(health) = health.wait_for(|health| matches!(health, Health::Failed(_))).await
                && let Health::Failed(reason) = &*health
            {
                return Arc::clone(reason);
            }
            // The store is gone without having failed.
            std::future::pending().await
        }
    }

    /// What it has done.
    pub fn stats(&self) -> Stats {
        self.inner.shared.status.stats()
    }

    /// The settings of the database as it reports them, by SQLite's names: `synchronous` 2 is `FULL`.
    pub fn settings(&self) -> &[(&'static str, String)] {
        &self.inner.settings
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.inner.shared.name
    }

    /// Lets every transaction reach something ([`Tx::attached`]). What was attached of the same type is replaced. For
    /// parts that are woken by commits.
    pub fn attach<T: Any + Send + Sync>(&self, thing: Arc<T>) {
        self.inner.shared.attached.set(thing);
    }

    /// What was attached.
    pub fn attached<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        self.inner.shared.attached.get()
    }

    /// Business time.
    pub fn clock(&self) -> &Clock {
        &self.inner.shared.handles.clock
    }

    /// Fresh ids.
    pub fn ids(&self) -> &Ids {
        &self.inner.shared.handles.ids
    }

    /// What is going on.
    pub fn activity(&self) -> &Activity {
        &self.inner.shared.handles.activity
    }

    /// Fills the filter before the keys, on a reader's thread.
    fn read_keys(&self) {
        if !self.inner.keys.is_unread() {
            return;
        }
        let keys = Arc::clone(&self.inner.keys);
        let busy = self.activity().begin();
        let read = move |tx: &mut Tx| -> Outcome<()> {
            if let Err(error) = keys.read(tx) {
                warn!(%error, "the idempotency keys could not be read at the start; each is looked up");
            }
            Ok(())
        };
        let (task, _) = Task::new(read, None, busy, Location::caller());
        if self.inner.reads.push(task.detached()).is_err() {
            warn!("the idempotency keys are not read at the start; each is looked up");
        }
    }
}

/// A closure for the holder of a lease, or for anybody.
fn fenced<T, E>(
    lease: Option<Lease>,
    closure: impl Fn(&mut Tx) -> Outcome<T, E>,
) -> impl Fn(&mut Tx) -> Outcome<T, E> {
    move |tx| {
        if let Some(lease) = &lease {
            tx.fence(lease)?;
        }
        closure(tx)
    }
}

/// An outcome that has no problems has only faults.
fn plain(fault: Fault<NoProblem>) -> Platform {
    match fault {
        Fault::Platform(fault) => fault,
        Fault::Domain(never) => match never {},
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("name", &self.name()).field("health", &self.health()).finish()
    }
}
