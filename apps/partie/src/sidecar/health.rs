//! Announces the program while it is well, and only then.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use partie_contract::{Deadline, FaultKind, Request};
use partie_mesh::discovery::{Announcement, Instance, Registry};
use partie_mesh::{Handles, Mesh, MeshConfig, Peer};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use super::plan::Plan;
use crate::config::{CONNECT_ONLY, Health};

/// How often a program that is not announced is asked at least: it may have just started.
const STARTING: Duration = Duration::from_millis(500);
/// Two questions are so far apart, whoever wants to know.
const PACE: Duration = Duration::from_millis(100);
/// How long the registry may take to take an announcement back.
const WITHDRAWAL: Duration = Duration::from_secs(2);

/// What is known of the program's health.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    well: AtomicBool,
    announced: AtomicBool,
    doubt: Notify,
}

/// Asks the program how it is, and tells the registry.
pub(super) struct Keeper {
    service: String,
    app: SocketAddr,
    health: Health,
    registry: Arc<dyn Registry>,
    instance: Instance,
    pulse: Arc<Pulse>,
    handles: Handles,
    announcement: Option<Announcement>,
    /// Whether the registry may still know of it.
    known: bool,
    failures: u32,
}

// === impl Pulse ===

impl Pulse {
    /// Somebody could not reach the program.
    pub(super) fn check_now(&self) {
        self.doubt.notify_one();
    }

    /// Whether it answered well the last time.
    pub(super) fn is_well(&self) -> bool {
        self.well.load(Ordering::Relaxed)
    }

    /// Whether the registry is told of it.
    pub(super) fn is_announced(&self) -> bool {
        self.announced.load(Ordering::Relaxed)
    }
}

// === impl Keeper ===

impl Keeper {
    pub(super) fn new(
        plan: &Plan,
        health: Health,
        instance: Instance,
        pulse: Arc<Pulse>,
        handles: Handles,
    ) -> Self {
        Self {
            service: plan.service.clone(),
            app: plan.app,
            health,
            registry: Arc::clone(&plan.registry),
            instance,
            pulse,
            handles,
            announcement: None,
            known: false,
            failures: 0,
        }
    }

    /// Goes on until it is dropped.
    pub(super) async fn keep(&mut self) {
        loop {
            let asked = self.ask().await;
            self.pulse.well.store(asked.is_ok(), Ordering::Relaxed);
            match asked {
                Ok(()) => {
                    self.failures = 0;
                    self.announce();
                }
                Err(reason) => {
                    self.failures = self.failures.saturating_add(1);
                    if self.failures == 1 {
                        tracing::warn!(service = self.service, app = %self.app, reason, "the program is not well");
                    }
                    if self.failures >= self.health.failures && self.announcement.is_some() {
                        tracing::warn!(service = self.service, "the program is not announced any longer");
                        self.withdraw().await;
                    }
                }
            }
            let wait = match &self.announcement {
                Some(_) => self.health.interval,
                None => self.health.interval.min(STARTING),
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.pulse.doubt.notified() => tokio::time::sleep(PACE.min(wait)).await,
            }
        }
    }

    /// Tells the registry that the program is not there.
    pub(super) async fn withdraw(&mut self) {
        self.announcement = None;
        self.pulse.announced.store(false, Ordering::Relaxed);
        if !self.known {
            return;
        }
        let withdrawn =
            tokio::time::timeout(WITHDRAWAL, self.registry.withdraw(&self.service, &self.instance.id));
        match withdrawn.await {
            Ok(Ok(())) => self.known = false,
            Ok(Err(error)) => tracing::info!(%error, "the announcement ends with its lease"),
            Err(_) => tracing::info!("the announcement ends with its lease: the registry does not answer"),
        }
    }

    fn announce(&mut self) {
        if self.announcement.is_some() {
            return;
        }
        tracing::info!(service = self.service, address = %self.instance.address, "the program is announced");
        self.known = true;
        self.pulse.announced.store(true, Ordering::Relaxed);
        let (registry, ids) = (Arc::clone(&self.registry), self.handles.ids.clone());
        self.announcement = Some(Announcement::make(registry, &self.service, self.instance.clone(), ids));
    }

    /// One question over a connection of its own: that it still accepts is part of the answer.
    async fn ask(&self) -> Result<(), String> {
        if self.health.path == CONNECT_ONLY {
            let connecting = TcpStream::connect(self.app);
            return match tokio::time::timeout(self.health.timeout, connecting).await {
                Ok(Ok(_)) => Ok(()),
                Ok(Err(error)) => Err(error.to_string()),
                Err(late) => Err(late.to_string()),
            };
        }
        let config = MeshConfig {
            retries: 0,
            hold: Duration::ZERO,
            connect: self.health.timeout,
            ..MeshConfig::default()
        };
        let mesh = Mesh::new(config, self.handles.clone());
        mesh.connect(&self.service, self.app);
        let mut request = Request::default();
        *request.uri_mut() =
            self.health.path.parse().map_err(|error: http::uri::InvalidUri| error.to_string())?;
        let (from, deadline) = (Peer::InProcess("sidecar".into()), Deadline::after(self.health.timeout));
        match mesh.forward(&self.service, from, request, deadline).await {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(format!("{} answers {}", self.health.path, answer.status())),
            Err(fault) if fault.kind() == FaultKind::UpstreamUnavailable => {
                Err("it does not take connections".to_owned())
            }
            Err(fault) => Err(fault.to_string()),
        }
    }
}
