//! One service as its callers see it: a name, bounds, and ways there that may change.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use http::HeaderValue;
use partie_contract::{Deadline, FaultKind, Operation, Platform, Request, Response};
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use crate::balance::EndpointSet;
use crate::discovery::{Following, Instance};
use crate::handles::Handles;
use crate::resilience::{Budget, MeshConfig, Throttle};
use crate::serve::{Peer, Serve};
use crate::stack::{self, Bulkhead, Circuit};
use crate::ticks::Ticks;
use crate::tls::{ClientTls, Credentials, Secure};
use crate::transport::Remote;

/// One service as its callers see it: a name, bounds, and ways there that may change. Cheap to clone.
#[derive(Clone)]
pub struct Target(pub(crate) Arc<TargetState>);

pub(crate) struct TargetState {
    pub(crate) service: Arc<str>,
    pub(crate) config: Arc<MeshConfig>,
    pub(crate) handles: Handles,
    pub(crate) bulkhead: Arc<Bulkhead>,
    pub(crate) budget: Budget,
    pub(crate) throttle: Throttle,
    pub(crate) circuit: Circuit,
    /// Ranks instances for this process.
    process: u64,
    way: ArcSwap<Way>,
    /// What connections to instances show and expect: of the target alone, or else as a service of the system if the
    /// instance says so.
    upstream: ArcSwapOption<ClientTls>,
    credentials: Arc<ArcSwapOption<Credentials>>,
    /// Takes over every new list of a registry.
    follower: Mutex<Option<AbortHandle>>,
    /// Whether a registry has said anything about the service.
    told: AtomicBool,
    /// Whether the instances are those of a registry.
    registered: AtomicBool,
    /// The service's name as calls carry it.
    name: Option<HeaderValue>,
    /// Told of every new way.
    pub(crate) news: Notify,
    /// Since when nobody could be reached, in ticks; 0 if somebody could.
    outage: AtomicU64,
}

/// What is known of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// There is a way there.
    Somewhere,
    /// The registry says that there is no instance.
    Nowhere,
    /// Nobody says anything: there is no registry, or it does not answer.
    Unsaid,
}

/// How a service is reached.
#[derive(Default)]
pub(crate) enum Way {
    /// Nobody knows.
    #[default]
    Nowhere,
    /// It is in this process.
    Here(Arc<dyn Serve>),
    /// Over the wire, at one of those.
    There(EndpointSet),
}

// === impl Target ===

impl Target {
    pub(crate) fn new(
        service: Arc<str>,
        config: Arc<MeshConfig>,
        process: u64,
        handles: Handles,
        credentials: Arc<ArcSwapOption<Credentials>>,
    ) -> Self {
        Self(Arc::new(TargetState {
            bulkhead: Bulkhead::new(Arc::clone(&service), config.in_flight(&service)),
            budget: Budget::new(config.budget),
            throttle: Throttle::new(),
            circuit: Circuit::new(config.services.get(&*service).and_then(|own| own.breaker.as_ref())),
            name: HeaderValue::from_str(&service).ok(),
            service,
            config,
            handles,
            process,
            way: ArcSwap::default(),
            upstream: ArcSwapOption::empty(),
            credentials,
            follower: Mutex::default(),
            told: AtomicBool::new(false),
            registered: AtomicBool::new(false),
            news: Notify::new(),
            outage: AtomicU64::new(0),
        }))
    }

    /// Sends a request on, headers and all.
    ///
    /// `from` is who hands it over, if the service is in this process. The gateway passes on the client it serves, so
    /// that the service treats the request as it would one from the network: it trusts nothing but tokens. The operation
    /// says what the [table of policies](MeshConfig) has for the call.
    ///
    /// # Errors
    /// [`FaultKind::UpstreamUnavailable`] when the service is nowhere or refuses connections,
    /// [`FaultKind::Overloaded`] at once when too much is under way, [`FaultKind::UpstreamTimeout`] at the deadline,
    /// [`FaultKind::UpstreamFailed`] when the service broke off.
    #[expect(
        clippy::manual_async_fn,
        reason = "that has room for its arguments twice, and a request is large"
    )]
    pub fn forward(
        &self,
        from: Peer,
        operation: Option<&Operation>,
        mut request: Request,
        deadline: Deadline,
    ) -> impl Future<Output = Result<Response, Platform>> + Send {
        async move { stack::call(&self.0, from, None, operation, &mut request, deadline).await }
    }

    /// The service's name.
    pub fn service(&self) -> &str {
        &self.0.service
    }

    /// Whether anybody knows a way there.
    pub fn is_known(&self) -> bool {
        match &**self.0.way.load() {
            Way::Nowhere => false,
            Way::Here(_) => true,
            Way::There(endpoints) => !endpoints.is_empty(),
        }
    }

    /// Waits until somebody knows a way there, no longer than that, and says what is known then.
    pub async fn known_within(&self, wait: Duration) -> Known {
        let known = async {
            loop {
                let news = self.0.news.notified();
                if self.is_known() {
                    return;
                }
                news.await;
            }
        };
        if self.is_known() || tokio::time::timeout(wait, known).await.is_ok() {
            return Known::Somewhere;
        }
        if self.0.told.load(Ordering::Relaxed) { Known::Nowhere } else { Known::Unsaid }
    }

    /// Whether somebody said where it is, or where to look for it.
    pub(crate) fn is_led(&self) -> bool {
        !matches!(&**self.0.way.load(), Way::Nowhere)
    }

    /// Leads that way from now on, whatever a registry says.
    pub(crate) fn lead(&self, way: Way) {
        let mut follower = self.0.follower();
        if let Some(follower) = follower.take() {
            follower.abort();
        }
        self.0.registered.store(false, Ordering::Relaxed);
        self.0.turn(way);
    }

    /// Leads to those instances from now on. Calls meanwhile go to those of before.
    pub(crate) fn lead_to(&self, instances: &[Instance], tls: Option<ClientTls>) {
        let mut follower = self.0.follower();
        if let Some(follower) = follower.take() {
            follower.abort();
        }
        self.0.registered.store(false, Ordering::Relaxed);
        // What is expected of an instance is the connection's affair, so nobody who was there before stays as known as it is.
        let anew = tls.is_some() || self.0.upstream.load().is_some();
        self.0.upstream.store(tls.map(Arc::new));
        self.0.turn(if anew {
            self.0.after(&EndpointSet::default(), instances)
        } else {
            self.0.to(instances)
        });
    }

    /// Leads to the instances a registry knows, as they come and go. Call it inside a tokio runtime.
    pub(crate) fn follow(&self, following: Following) {
        self.lead(Way::There(EndpointSet::default()));
        self.0.registered.store(true, Ordering::Relaxed);
        let weak = Arc::downgrade(&self.0);
        let mut follower = self.0.follower();
        let task = tokio::spawn(async move {
            let mut lists = following.watch();
            let mut told = false;
            loop {
                told |= lists.has_changed().unwrap_or_default();
                let list = Arc::clone(&lists.borrow_and_update());
                let Some(state) = weak.upgrade() else { return };
                {
                    let follower = state.follower();
                    if follower.is_none() {
                        return;
                    }
                    state.told.fetch_or(told, Ordering::Relaxed);
                    state.turn(state.to(&list));
                }
                drop(state);
                if lists.changed().await.is_err() {
                    return;
                }
                told = true;
            }
        });
        *follower = Some(task.abort_handle());
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.0.service)?;
        match &**self.0.way.load() {
            Way::Nowhere => f.write_str("nowhere"),
            Way::Here(_) => f.write_str("in this process"),
            Way::There(endpoints) => f.debug_list().entries(endpoints.iter()).finish(),
        }
    }
}

// === impl TargetState ===

impl TargetState {
    /// The way there, as of now.
    pub(crate) fn way(&self) -> arc_swap::Guard<Arc<Way>> {
        self.way.load()
    }

    /// That way from now on.
    fn turn(&self, way: Way) {
        self.way.store(Arc::new(way));
        self.news.notify_waiters();
    }

    /// The way to those instances; whoever is among them already stays as known as it is.
    fn to(&self, instances: &[Instance]) -> Way {
        let empty = EndpointSet::default();
        let before = self.way.load();
        let before = match &**before {
            Way::There(endpoints) => endpoints,
            Way::Nowhere | Way::Here(_) => &empty,
        };
        self.after(before, instances)
    }

    fn after(&self, before: &EndpointSet, instances: &[Instance]) -> Way {
        let (upstream, ours) = (self.upstream.load_full(), self.credentials.load_full());
        let upstream = upstream.map(|tls| Secure::Upstream((*tls).clone()));
        let service = Secure::service(ours.as_deref(), &self.service);
        let (connect, idle) = (self.config.connect, self.config.idle);
        let remote = |instance: &Instance| {
            let secure = upstream.as_ref().or_else(|| instance.tls.then_some(&service));
            Remote::new(instance.address, connect, idle, secure)
        };
        Way::There(before.next(instances, &self.config, self.process, Ticks::now(), remote))
    }

    /// The name an instance has to have to take a call. A registry says where instances were a moment ago: at the address
    /// of one that is gone somebody else may listen.
    pub(crate) fn addressee(&self) -> Option<&HeaderValue> {
        self.name.as_ref().filter(|_| self.registered.load(Ordering::Relaxed))
    }

    fn follower(&self) -> MutexGuard<'_, Option<AbortHandle>> {
        self.follower.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody was reached.
    pub(crate) fn reached(&self) {
        if self.outage.load(Ordering::Relaxed) != 0 {
            self.outage.store(0, Ordering::Relaxed);
        }
    }

    /// Nobody was reached. Says since when that is so.
    pub(crate) fn unreached(&self, now: Ticks) -> Ticks {
        let now = now.as_nanos().max(1);
        let before = self.outage.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed);
        Ticks::from_nanos(before.err().unwrap_or(now))
    }

    /// What callers are told when there is no instance.
    pub(crate) fn unknown(&self) -> Platform {
        Platform::new(FaultKind::UpstreamUnavailable)
            .with_detail(format!("no instance of {} is known", self.service))
    }
}

impl Drop for TargetState {
    fn drop(&mut self) {
        if let Some(follower) = self.follower().take() {
            follower.abort();
        }
    }
}
