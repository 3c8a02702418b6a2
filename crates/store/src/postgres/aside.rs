//! A thread beside the others, with a connection of its own: it holds leases, and carries rings between processes.
//!
//! Leases must be renewed however busy the others are. Rings are told after the commit and not in it, because PostgreSQL
//! lets transactions with a `NOTIFY` commit only one after the other.

use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use partie_runtime::{Backoff, monotonic};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinSet, LocalSet};
use tokio_postgres::{AsyncMessage, Client};
use tracing::{debug, warn};

use super::error::whole;
use super::open::Closing;
use super::server::Server;
use crate::lease::{Granted, Kept};
use crate::shared::Shared;

const RECONNECT: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(2));
/// How long rings wait for others, to be told together.
const GATHER: Duration = Duration::from_millis(2);

const CLAIM: &str = "INSERT INTO partie_epochs (name, epoch) VALUES ($1, 0) ON CONFLICT DO NOTHING";
/// The epoch changes in the statement that takes the lease, and waits there for transactions that the old one fences.
const TAKE: &str = "WITH taken AS (
        INSERT INTO partie_leases (name, epoch, expires_at)
        VALUES ($1, 1, clock_timestamp() + $2 * INTERVAL '1 millisecond')
        ON CONFLICT (name) DO UPDATE SET epoch = partie_leases.epoch + 1, expires_at = excluded.expires_at
        WHERE partie_leases.expires_at < clock_timestamp()
        RETURNING epoch
    )
    UPDATE partie_epochs SET epoch = taken.epoch FROM taken WHERE name = $1 RETURNING taken.epoch";
const RENEW: &str = "UPDATE partie_leases SET expires_at = clock_timestamp() + $3 * INTERVAL '1 millisecond'
    WHERE name = $1 AND epoch = $2 AND expires_at > '-infinity'";
const RELEASE: &str = "UPDATE partie_leases SET expires_at = '-infinity' WHERE name = $1 AND epoch = $2";

/// Somebody waits for a lease.
pub(crate) struct Wanted {
    pub(crate) name: Arc<str>,
    pub(crate) reply: oneshot::Sender<Granted>,
}

/// What the tasks of the thread share.
struct Aside {
    server: Arc<Server>,
    shared: Arc<Shared>,
    client: watch::Sender<Option<Rc<Client>>>,
    /// The channel of this schema.
    channel: String,
    /// Tells our own rings from those of others.
    origin: String,
}

/// Starts the thread. It ends when the sender of `wanted` is gone, and releases what it holds.
pub(super) fn start(
    server: Arc<Server>,
    shared: Arc<Shared>,
    wanted: mpsc::Receiver<Wanted>,
    closing: Arc<Closing>,
) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    thread::Builder::new().name(format!("aside-{}", shared.name)).spawn(move || {
        let origin = format!("{:016x}", shared.handles.ids.below(u64::MAX) ^ u64::from(std::process::id()));
        let channel = channel(&shared.name);
        let aside = Rc::new(Aside { server, shared, client: watch::Sender::new(None), channel, origin });
        LocalSet::new().block_on(&runtime, aside.run(wanted));
        drop(closing);
    })?;
    Ok(())
}

/// Channels belong to the database, not to the schema.
fn channel(store: &str) -> String {
    format!("partie_{store}")
}

// === impl Aside ===

impl Aside {
    async fn run(self: Rc<Self>, mut wanted: mpsc::Receiver<Wanted>) {
        let (stop, stopped) = watch::channel(());
        let mut leases = JoinSet::new();
        let beside = {
            let aside = Rc::clone(&self);
            async move { tokio::join!(aside.stay_connected(), aside.tell()) }
        };
        let take = async {
            while let Some(wanted) = wanted.recv().await {
                leases.spawn_local(Rc::clone(&self).lease(wanted, stopped.clone()));
                while leases.try_join_next().is_some() {}
            }
            drop(stop);
            // Released as far as the server lets us; they run out anyway.
            let limit = self.shared.config.lease_time / 3;
            drop(tokio::time::timeout(limit, async { while leases.join_next().await.is_some() {} }).await);
        };
        tokio::select! {
            _ = beside => {}
            () = take => {}
        }
    }

    /// Connects whenever there is no connection, and listens.
    async fn stay_connected(&self) {
        let mut failures = 0;
        loop {
            match self.listen(&mut failures).await {
                Ok(()) => debug!(store = %self.shared.name, "the connection that listens has ended"),
                Err(error) => {
                    debug!(store = %self.shared.name, error = whole(&error), "no connection to listen on")
                }
            }
            self.client.send_replace(None);
            failures += 1;
            tokio::time::sleep(RECONNECT.after(failures, &self.shared.handles.ids)).await;
        }
    }

    async fn listen(&self, failures: &mut u32) -> Result<(), tokio_postgres::Error> {
        let (client, mut messages) = self.server.connect().await?;
        let client = Rc::new(client);
        let ready = async {
            self.server.set_up(&client).await?;
            // A lease that waits for a lock would keep the others on this connection from being renewed.
            let limit = (self.shared.config.lease_time / 10).as_millis().max(1);
            let listen = format!(
                "SET default_transaction_isolation = 'read committed'; SET lock_timeout = {limit}; LISTEN \"{}\"",
                self.channel
            );
            client.batch_execute(&listen).await?;
            // Whatever was rung meanwhile was not heard.
            self.shared.rings.ring_all_here();
            self.client.send_replace(Some(Rc::clone(&client)));
            *failures = 0;
            std::future::pending().await
        };
        let hear = async {
            while let Some(message) = messages.next().await {
                if let AsyncMessage::Notification(ring) = message? {
                    self.heard(ring.payload());
                }
            }
            Ok(())
        };
        tokio::select! {
            ended = ready => ended,
            ended = hear => ended,
        }
    }

    fn heard(&self, payload: &str) {
        if let Some((origin, channel)) = payload.split_once('/')
            && origin != self.origin
        {
            self.shared.rings.ring_here(channel);
        }
    }

    /// Tells other processes what was rung here.
    async fn tell(&self) {
        loop {
            let mut names = self.shared.rings.outgoing().await;
            tokio::time::sleep(GATHER).await;
            // What came meanwhile goes along.
            if let Ok(more) = tokio::time::timeout(Duration::ZERO, self.shared.rings.outgoing()).await {
                names.extend(more);
            }
            // A ring that is lost is made good by those who listen.
            let Some(client) = self.connected() else { continue };
            let payloads: Vec<String> = names.iter().map(|name| format!("{}/{name}", self.origin)).collect();
            let sql = "SELECT pg_notify($1, payload) FROM unnest(CAST($2 AS TEXT[])) AS payload";
            if let Err(error) = client.query(sql, &[&self.channel, &payloads]).await {
                debug!(store = %self.shared.name, error = whole(&error), "a ring was lost");
            }
        }
    }

    fn connected(&self) -> Option<Rc<Client>> {
        self.client.borrow().clone()
    }

    // --- leases ---

    /// Waits for a lease, holds it, and releases it.
    async fn lease(self: Rc<Self>, wanted: Wanted, mut stopped: watch::Receiver<()>) {
        let Wanted { name, mut reply } = wanted;
        let time = self.shared.config.lease_time;
        let bell_name = format!("lease/{name}");
        let mut bell = self.shared.rings.bell(&bell_name);
        let (epoch, until) = loop {
            let asked = monotonic();
            if let Some(epoch) = self.take(&name).await {
                break (epoch, asked + time);
            }
            tokio::select! {
                () = bell.rung() => {}
                () = reply.closed() => return,
                _ = stopped.changed() => return,
            }
        };
        let (lost, is_lost) = watch::channel(false);
        let (release, released) = oneshot::channel();
        let granted = Granted { epoch, lost: is_lost, _kept: Kept::There(release) };
        let mut is_kept = false;
        if reply.send(granted).is_ok() {
            is_kept = tokio::select! {
                () = self.keep(&name, epoch, until) => true,
                _ = released => false,
                _ = stopped.changed() => false,
            };
            lost.send_replace(true);
        }
        if is_kept {
            warn!(store = %self.shared.name, lease = %name, epoch, "a lease was lost");
        } else if let Some(client) = self.connected() {
            let freed = async { client.execute(RELEASE, &[&&*name, &epoch]).await };
            if tokio::time::timeout(time / 3, freed).await.is_ok_and(|freed| freed.is_ok()) {
                self.shared.rings.ring(&bell_name);
            }
        }
    }

    async fn take(&self, name: &str) -> Option<i64> {
        let client = self.connected()?;
        let millis = self.shared.config.lease_time.as_secs_f64() * 1000.0;
        let take = async {
            client.execute(CLAIM, &[&name]).await?;
            let row = client.query_opt(TAKE, &[&name, &millis]).await?;
            row.map(|row| row.try_get(0)).transpose()
        };
        match take.await {
            Ok(epoch) => epoch,
            Err(error) => {
                debug!(store = %self.shared.name, lease = name, error = whole(&error), "a lease could not be asked for");
                None
            }
        }
    }

    /// Renews the lease, and returns when it is over. What the server says counts from when it was asked.
    async fn keep(&self, name: &str, epoch: i64, mut until: Instant) {
        let time = self.shared.config.lease_time;
        let millis = time.as_secs_f64() * 1000.0;
        loop {
            // Often enough that two of three may fail.
            tokio::time::sleep_until((until - time + time / 3).max(monotonic() + time / 30).into()).await;
            // Somebody else may have it from `until` on, so this has to know before.
            let margin = time / 10;
            if monotonic() + margin >= until {
                return;
            }
            let asked = monotonic();
            let Some(client) = self.connected() else { continue };
            let renewed = async { client.execute(RENEW, &[&name, &epoch, &millis]).await };
            match tokio::time::timeout_at((until - margin).into(), renewed).await {
                Ok(Ok(1)) => until = asked + time,
                Ok(Ok(_)) | Err(_) => return,
                Ok(Err(error)) => {
                    debug!(store = %self.shared.name, lease = name, error = whole(&error), "a lease was not renewed yet");
                }
            }
        }
    }
}
