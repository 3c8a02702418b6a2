//! Declares and starts a system under test.

use std::fmt;

use partie::{Config, Environment, Gateway, Service, System};
use partie_contract::{Routes, Timestamp};
use partie_runtime::{Clock, Ids, Stepper};

use crate::engines::Engines;
use crate::quiet;
use crate::run::TestRun;

/// A system under test: on a free port, its data gone at the end, every closure of a store run twice.
pub struct TestSystem {
    system: System,
    gateway: Option<Gateway>,
    environment: Environment,
    stepper: Option<Stepper>,
    configure: Vec<Change>,
}

type Change = Box<dyn FnOnce(&mut Config)>;

// === impl TestSystem ===

impl TestSystem {
    /// A system without services, behind a gateway with its usual settings.
    pub fn new() -> Self {
        Self::named("test")
    }

    /// The same, under a name of its own: tokens are for one system.
    pub fn named(name: &'static str) -> Self {
        Self::of(System::new(name)).gateway(Gateway::default())
    }

    /// A system as its program puts it together, its gateway included.
    pub fn of(system: System) -> Self {
        Self {
            system,
            gateway: None,
            environment: Environment::default(),
            stepper: None,
            configure: Vec::new(),
        }
    }

    /// Adds a service.
    #[must_use]
    pub fn service(mut self, service: impl Into<Service>) -> Self {
        self.system = self.system.service(service);
        self
    }

    /// Adds something that stands in for a service: any implementation of its contract, without a store.
    ///
    /// `.fake(Restaurants::routes(), ClosedKitchen)`. Whoever calls it notices no difference. A service with several
    /// contracts is put together by hand: `Service::new(..).start(..).serve(..).serve(..)`.
    #[must_use]
    pub fn fake<S: Send + Sync + 'static>(self, routes: Routes<S>, state: S) -> Self {
        let name = routes.contract().service;
        self.service(Service::new(name).start(async |_| Ok(state)).serve(routes))
    }

    /// Puts a gateway with these settings before the services. Where it listens is not up to them.
    #[must_use]
    pub fn gateway(mut self, gateway: Gateway) -> Self {
        self.gateway = Some(gateway);
        self
    }

    /// Business time, as somebody else moves it.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.environment.clock = clock;
        self.stepper = None;
        self
    }

    /// Business time that stands at `start` until [`TestRun::step`] moves it.
    #[must_use]
    pub fn stepped(mut self, start: Timestamp) -> Self {
        let (clock, stepper) = Clock::stepped(start);
        self.environment.clock = clock;
        self.stepper = Some(stepper);
        self
    }

    /// The same ids every time.
    #[must_use]
    pub fn seeded(mut self, seed: u64) -> Self {
        self.environment.ids = Ids::seeded(seed);
        self
    }

    /// Changes settings, after those a test needs: a short timeout, a small queue.
    #[must_use]
    pub fn configure(mut self, change: impl FnOnce(&mut Config) + 'static) -> Self {
        self.configure.push(Box::new(change));
        self
    }

    /// Starts it and returns once it answers.
    ///
    /// # Panics
    /// When it does not start, with the reason.
    pub async fn start(self) -> TestRun {
        let system = match self.gateway {
            Some(gateway) => self.system.gateway(gateway),
            None => self.system,
        };
        let mut config = system.defaults().clone();
        config.ephemeral = true;
        config.demo = false;
        config.registry.consul = false;
        config.store.run_twice = true;
        // On the runtime of the test, which ends with it.
        config.gateway.workers = Some(0);
        config.gateway.listen.set_port(0);
        if let Some(engines) = Engines::fresh() {
            engines.configure(&mut config);
        }
        for change in self.configure {
            change(&mut config);
        }
        // Its future is large, and every test would have it in its own.
        match Box::pin(system.launch(config, self.environment)).await {
            Ok(running) => {
                Box::pin(quiet::begun(&running)).await;
                TestRun::new(running, self.stepper)
            }
            Err(error) => panic!("the system does not start: {error}"),
        }
    }
}

impl fmt::Debug for TestSystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestSystem").field("system", &self.system).finish_non_exhaustive()
    }
}

impl Default for TestSystem {
    fn default() -> Self {
        Self::new()
    }
}
