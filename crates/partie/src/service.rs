//! A service: contracts, a store and plain routes, declared first and started later.

use std::any::type_name;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use partie_contract::{Abort, BoxError, Call, Client, Contract, Deadline, Event, EventSpec, Routes};
use partie_identity::ServiceTokens;
use partie_mesh::{Mesh, Origin};
use partie_messaging::{
    Ended, Found, Handlers, Job, JobError, Method, Periodic, Saga, SagaData, Timer, Worker,
};
use partie_runtime::{Activity, Clock, Compute, Ids, Stop};
use partie_store::{Migration, Store, Tx};
use serde::de::DeserializeOwned;

use crate::background::Background;
use crate::config::PublicUrl;
use crate::server::{Beside, Endpoint, Endpoints};
use crate::system::System;

/// How long work of a service's own may take that nobody gave a deadline.
pub(crate) const OWN_WORK: Duration = Duration::from_secs(30);

/// A service of a system, declared: everything about it but its state is known without starting it.
///
/// ```no_run
/// use axum::{Router, routing::get};
/// use partie::Service;
///
/// fn main() -> std::process::ExitCode {
///     Service::new("hello").router(|_| Router::new().route("/", get(|| async { "Hello from hello" }))).main()
/// }
/// ```
pub struct Service {
    pub(crate) declared: Declared,
    pub(crate) starter: Starter,
}

/// A service whose state is known, ready to take what works on it.
pub struct Serving<S: 'static> {
    pub(crate) declared: Declared,
    start: Box<dyn FnOnce(Start) -> LocalFuture<Result<S, BoxError>>>,
    mounts: Vec<Mount<S>>,
    pub(crate) beside: Vec<BesideMount<S>>,
    fallback: Option<Box<dyn FnOnce(Arc<S>) -> axum::Router>>,
    handlers: Handlers<S>,
}

/// What is known of a service before it starts.
pub(crate) struct Declared {
    pub(crate) name: &'static str,
    pub(crate) migrations: Option<&'static [Migration]>,
    pub(crate) contracts: Vec<&'static Contract>,
    /// The services it calls.
    pub(crate) calls: BTreeMap<&'static str, &'static Contract>,
    /// The contracts it calls, in their versions.
    pub(crate) uses: Vec<&'static Contract>,
    /// The events it publishes, and those it handles.
    pub(crate) publishes: Vec<EventSpec>,
    pub(crate) handles: Vec<EventSpec>,
    /// What becomes of calls that cannot be made, by service and operation.
    pub(crate) fallbacks: BTreeMap<(&'static str, &'static str), &'static str>,
    /// The services it calls by gRPC.
    pub(crate) grpc_calls: BTreeSet<&'static str>,
    /// The gRPC services it serves, by their full names.
    pub(crate) grpc: Vec<&'static str>,
    /// Its own settings, with their defaults.
    pub(crate) settings: toml::Table,
    /// Whether its tokens are believed in the whole system.
    pub(crate) issues_tokens: bool,
}

/// What a service is given to start with.
#[derive(Clone)]
pub struct Start {
    pub(crate) service: &'static str,
    pub(crate) calls: Arc<BTreeMap<&'static str, &'static Contract>>,
    #[cfg_attr(not(feature = "grpc"), expect(dead_code, reason = "for the channels of `grpc`"))]
    pub(crate) grpc_calls: Arc<BTreeSet<&'static str>>,
    /// The gRPC services it serves, by their full names.
    #[cfg_attr(not(feature = "grpc"), expect(dead_code, reason = "for the health of `grpc`"))]
    pub(crate) grpc: Arc<[&'static str]>,
    /// Whether the system has started and does not drain.
    #[cfg_attr(not(feature = "grpc"), expect(dead_code, reason = "for the health of `grpc`"))]
    pub(crate) ready: Arc<AtomicBool>,
    pub(crate) store: Option<Store>,
    /// Not the reason why a service without caches cannot start.
    pub(crate) caches: Result<partie_cache::Caches, partie_cache::CacheError>,
    pub(crate) background: Background,
    pub(crate) data: Arc<Path>,
    pub(crate) mesh: Mesh,
    pub(crate) clock: Clock,
    pub(crate) ids: Ids,
    pub(crate) activity: Activity,
    pub(crate) compute: Compute,
    pub(crate) tokens: ServiceTokens,
    pub(crate) settings: toml::Table,
    pub(crate) public_url: PublicUrl,
}

/// A service that was started.
pub(crate) struct Started {
    pub(crate) endpoints: Endpoints,
    pub(crate) beside: Vec<Box<dyn Beside>>,
    pub(crate) fallback: Option<axum::Router>,
    /// What runs in the background; a service without a store has nothing that could.
    pub(crate) worker: Option<Worker>,
}

type LocalFuture<T> = Pin<Box<dyn Future<Output = T>>>;
type Starter = Box<dyn FnOnce(Start) -> LocalFuture<Result<Started, BoxError>>>;
type Mount<S> = Box<dyn FnOnce(&Arc<S>) -> Endpoints>;
pub(crate) type BesideMount<S> = Box<dyn FnOnce(&Arc<S>, &Start) -> Result<Box<dyn Beside>, BoxError>>;

// === impl Service ===

impl Service {
    /// A service of that name: lower case, as it appears in addresses and metrics.
    pub fn new(name: &'static str) -> Self {
        let declared = Declared {
            name,
            migrations: None,
            contracts: Vec::new(),
            calls: BTreeMap::new(),
            uses: Vec::new(),
            publishes: Vec::new(),
            handles: Vec::new(),
            fallbacks: BTreeMap::new(),
            grpc_calls: BTreeSet::new(),
            grpc: Vec::new(),
            settings: toml::Table::new(),
            issues_tokens: false,
        };
        let nothing = || Started { endpoints: vec![], beside: vec![], fallback: None, worker: None };
        Self { declared, starter: Box::new(move |_| Box::pin(async move { Ok(nothing()) })) }
    }

    /// Gives it a store with this schema.
    #[must_use]
    pub fn store(mut self, migrations: &'static [Migration]) -> Self {
        self.declared.migrations = Some(migrations);
        self
    }

    /// Declares that it calls the service of that client. [`Start::client`] gives the client out.
    #[must_use]
    pub fn calls<C: Client>(mut self) -> Self {
        self.declared.calls.insert(C::CONTRACT.service, C::CONTRACT);
        self.declared.uses.push(C::CONTRACT);
        self
    }

    /// Declares events it publishes, so that their schemas are committed and their changes checked.
    #[must_use]
    pub fn publishes(mut self, events: &[EventSpec]) -> Self {
        self.declared.publishes.extend(events);
        self
    }

    /// Declares what becomes of a call of that client's operation when its service cannot be asked: `"queued as a job"`.
    ///
    /// The handler does it, where [`available`](partie_contract::OutcomeExt::available) says `None`; the declaration lets
    /// `policies` show it and `check` see that what is made up for later may be done twice.
    #[must_use]
    pub fn falls_back<C: Client>(mut self, operation: &'static str, to: &'static str) -> Self {
        self.declared.fallbacks.insert((C::CONTRACT.service, operation), to);
        self
    }

    /// Gives it settings of its own, `[services.NAME]` in the configuration, with their defaults.
    ///
    /// # Panics
    /// When the defaults cannot be TOML, which is a mistake in the program.
    #[must_use]
    pub fn settings<T: serde::Serialize>(mut self, defaults: &T) -> Self {
        match toml::Table::try_from(defaults) {
            Ok(table) => self.declared.settings = table,
            Err(error) => panic!("the settings of {} cannot be TOML: {error}", self.declared.name),
        }
        self
    }

    /// Declares that it issues access tokens: every process of the system believes them. Its settings `issuer` and
    /// `audience` say in whose name it signs and for whom, it serves its public keys at `/.well-known/jwks.json`, and tells
    /// what it takes back at `/api/v1/auth/revocations/stream`. `[identity.issuers.NAME]` has the rest, where NAME is the
    /// service.
    #[must_use]
    pub fn issues_tokens(mut self) -> Self {
        self.declared.issues_tokens = true;
        self
    }

    /// Says how its state comes about. It runs once, after the store is open and before anybody calls.
    pub fn start<S, F>(self, start: F) -> Serving<S>
    where
        S: Send + Sync + 'static,
        F: AsyncFnOnce(Start) -> Result<S, BoxError> + 'static,
    {
        Serving {
            declared: self.declared,
            start: Box::new(|given| Box::pin(start(given))),
            mounts: Vec::new(),
            beside: Vec::new(),
            fallback: None,
            handlers: Handlers::new(),
        }
    }

    /// Mounts plain axum routes, for a service that needs no state.
    #[must_use]
    pub fn router(self, router: impl FnOnce(Arc<()>) -> axum::Router + 'static) -> Self {
        self.start(async |_| Ok(())).router(router).into()
    }

    /// Runs the service alone, as a program with its own command line.
    pub fn main(self) -> ExitCode {
        System::alone(self).main()
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Service({})", self.declared.name)
    }
}

// === impl Serving ===

impl<S: Send + Sync + 'static> Serving<S> {
    /// Serves a contract on the state: `.serve(Orders::routes())`.
    #[must_use]
    pub fn serve(mut self, routes: Routes<S>) -> Self {
        self.declared.contracts.push(routes.contract());
        self.mounts.push(Box::new(move |state| Endpoint::all(routes, state)));
        self
    }

    /// Serves a contract on something made of the state: `.serve_as(Counter::routes(), |desk| Counter(desk.clone()))`.
    ///
    /// For a state of another crate, which Rust lets only that crate or the contract's implement the contract for: a
    /// service that several systems have, and a contract that one of them adds.
    #[must_use]
    pub fn serve_as<T: Send + Sync + 'static>(
        mut self,
        routes: Routes<T>,
        view: impl FnOnce(&Arc<S>) -> T + 'static,
    ) -> Self {
        self.declared.contracts.push(routes.contract());
        self.mounts.push(Box::new(move |state| Endpoint::all(routes, &Arc::new(view(state)))));
        self
    }

    /// Mounts plain axum routes beside the contracts. Only the service's own listener serves them; the gateway takes
    /// its routes from contracts.
    #[must_use]
    pub fn router(mut self, router: impl FnOnce(Arc<S>) -> axum::Router + 'static) -> Self {
        self.fallback = Some(Box::new(router));
        self
    }

    /// Handles an event of any service, in one commit with the note that it was handled:
    /// `fn(&self, &mut Tx, &E) -> Result<(), Abort>`. See [`Handlers::on`].
    #[must_use]
    pub fn on<E: Event>(
        mut self,
        handler: impl Fn(&S, &mut Tx, &E) -> Result<(), Abort> + Send + Sync + 'static,
    ) -> Self {
        self.declared.handles.push(EventSpec::of::<E>());
        self.handle(|handlers| handlers.on(handler))
    }

    /// Handles an event a second time, under a name of its own: each handler gets every event and fails by itself.
    /// See [`Handlers::on_as`].
    #[must_use]
    pub fn on_as<E: Event>(
        mut self,
        name: &'static str,
        handler: impl Fn(&S, &mut Tx, &E) -> Result<(), Abort> + Send + Sync + 'static,
    ) -> Self {
        self.declared.handles.push(EventSpec::of::<E>());
        self.handle(|handlers| handlers.on_as(name, handler))
    }

    /// Handles a timer, in one commit with its end: `fn(&self, &mut Tx, &T) -> Result<(), Abort>`. See
    /// [`Handlers::timer`].
    #[must_use]
    pub fn timer<T: Timer>(
        self,
        handler: impl Fn(&S, &mut Tx, &T) -> Result<(), Abort> + Send + Sync + 'static,
    ) -> Self {
        self.handle(|handlers| handlers.timer(handler))
    }

    /// Does a job, outside of any transaction: `async fn(&self, &Call, &J) -> Result<(), JobError>`. See
    /// [`Handlers::job`].
    #[must_use]
    pub fn job<J: Job>(self, handler: impl for<'a> Method<'a, S, J, Output = Result<(), JobError>>) -> Self {
        self.handle(|handlers| handlers.job(handler))
    }

    /// Does a job of which the service keeps a record of its own, written in the transactions that record the attempts. See
    /// [`Handlers::job_on_record`].
    #[must_use]
    pub fn job_on_record<J: Job, A: Send + Sync + 'static, R: Send + Sync + 'static>(
        self,
        begin: impl Fn(&S, &mut Tx, &J, u32) -> Result<Option<A>, Abort> + Send + Sync + 'static,
        run: impl for<'a> Method<'a, S, A, Output = Result<R, JobError>>,
        end: impl Fn(&S, &mut Tx, &J, &Ended<R>) -> Result<(), Abort> + Send + Sync + 'static,
    ) -> Self {
        self.handle(|handlers| handlers.job_on_record(begin, run, end))
    }

    /// Does a job of which `ask` can find out whether an attempt had its effect. See [`Handlers::job_asking`].
    #[must_use]
    pub fn job_asking<J: Job>(
        self,
        handler: impl for<'a> Method<'a, S, J, Output = Result<(), JobError>>,
        ask: impl for<'a> Method<'a, S, J, Output = Result<Found, JobError>>,
    ) -> Self {
        self.handle(|handlers| handlers.job_asking(handler, ask))
    }

    /// Does something periodically, in business time: `async fn(&self, &Call) -> Result<(), Abort>`. See
    /// [`Handlers::every`].
    #[must_use]
    pub fn every(
        self,
        interval: Duration,
        handler: impl for<'a> Periodic<'a, S, Output = Result<(), Abort>>,
    ) -> Self {
        self.handle(|handlers| handlers.every(interval, handler))
    }

    /// Runs sagas of that definition; `tx.start_saga(..)` starts one. Several versions of one kind go side by side.
    #[must_use]
    pub fn saga<D: SagaData>(self, saga: Saga<S, D>) -> Self {
        self.handle(|handlers| handlers.saga(saga))
    }

    /// Runs the service alone, as a program with its own command line.
    pub fn main(self) -> ExitCode {
        Service::from(self).main()
    }

    fn handle(mut self, register: impl FnOnce(Handlers<S>) -> Handlers<S>) -> Self {
        self.handlers = register(self.handlers);
        self
    }
}

impl<S: Send + Sync + 'static> From<Serving<S>> for Service {
    fn from(serving: Serving<S>) -> Self {
        let Serving { declared, start, mounts, beside, fallback, handlers } = serving;
        let starter: Starter = Box::new(move |given| {
            Box::pin(async move {
                let state = Arc::new(start(given.clone()).await?);
                let endpoints = mounts.into_iter().flat_map(|mount| mount(&state)).collect();
                let beside =
                    beside.into_iter().map(|mount| mount(&state, &given)).collect::<Result<_, _>>()?;
                let fallback = fallback.map(|router| router(Arc::clone(&state)));
                let worker = given.background.clone().run(given, handlers, state)?;
                Ok(Started { endpoints, beside, fallback, worker })
            })
        });
        Self { declared, starter }
    }
}

impl<S> fmt::Debug for Serving<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Serving({})", self.declared.name)
    }
}

// === impl Start ===

impl Start {
    /// The service's store.
    ///
    /// # Panics
    /// When the service declares none with [`Service::store`].
    #[track_caller]
    pub fn store(&self) -> Store {
        match &self.store {
            Some(store) => store.clone(),
            None => panic!("{} declares no store: add `.store(migrations![..])`", self.service),
        }
    }

    /// A client of another service.
    ///
    /// # Panics
    /// When the service does not declare the call with [`Service::calls`]: edges are known without starting anything.
    #[track_caller]
    pub fn client<C: Client>(&self) -> C {
        let to = C::CONTRACT.service;
        if !self.calls.contains_key(to) {
            panic!(
                "{} does not declare that it calls {to}: add `.calls::<{}>()`",
                self.service,
                type_name::<C>()
            );
        }
        let tokens = self.tokens.clone();
        let origin = Origin::new(self.service).with_token(move || crate::trust::shown(&tokens));
        C::over(self.mesh.channel(origin, to))
    }

    /// The service's own settings.
    ///
    /// # Errors
    /// When they do not fit `T`: a key of the configuration is unknown or of the wrong type.
    pub fn settings<T: DeserializeOwned>(&self) -> Result<T, BoxError> {
        self.settings
            .clone()
            .try_into()
            .map_err(|error| format!("[services.{}]: {}", self.service, error.message()).into())
    }

    /// Where people reach the system: what links begin with. `public-url` in the configuration, or where the gateway listens.
    pub fn public_url(&self) -> &PublicUrl {
        &self.public_url
    }

    /// The directory the system keeps its data in, for files of the service's own.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// The stage of the drain in which background work ends: a task of the service's own is spawned on it and watches
    /// [`Stop::stopped`].
    pub fn work(&self) -> &Stop {
        &self.background.stages.work
    }

    /// A call under the service's own identity, for work no user asked for.
    pub fn call(&self) -> Call {
        Call::new(Deadline::after(OWN_WORK), self.ids.trace()).with_caller(self.tokens.caller())
    }

    /// Business time.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Ids and jitter.
    pub fn ids(&self) -> &Ids {
        &self.ids
    }

    /// Whether anything is going on.
    pub fn activity(&self) -> &Activity {
        &self.activity
    }

    /// The pool for work that would hold up a request thread.
    pub fn compute(&self) -> &Compute {
        &self.compute
    }
}

impl fmt::Debug for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Start").field("service", &self.service).field("store", &self.store.is_some()).finish()
    }
}
