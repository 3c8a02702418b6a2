//! The sidecar: two listeners beside a program, one for others who call it and one for its own calls.
//!
//! Layout: `plan` checks the settings; `inbound` takes calls to the program, `outgoing` takes its own, by `address` and
//! `deadline`; `health` announces the program while it is well.

mod address;
mod deadline;
mod health;
mod inbound;
mod outgoing;
mod plan;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use partie_mesh::discovery::Instance;
use partie_mesh::{BindError, Handles, Listener, Mesh, MeshConfig, RunError};
use partie_runtime::Stop;
use tokio::task::JoinHandle;

use self::health::{Keeper, Pulse};
use self::inbound::Inbound;
use self::outgoing::Outgoing;
use crate::config::Config;
use crate::{life, out};

pub(crate) use self::plan::Plan;

/// How long an unused connection to the program is kept: many servers close theirs after two seconds.
const IDLE: Duration = Duration::from_secs(1);

/// A sidecar whose sockets are bound.
pub(crate) struct Sidecar {
    outgoing: (Listener, Arc<Outgoing>),
    inbound: (Listener, Arc<Inbound>),
    keeper: Keeper,
    handles: Handles,
}

// === impl Sidecar ===

impl Sidecar {
    /// Binds both listeners. Call it inside the tokio runtime on which the registry is to be followed.
    pub(crate) fn bind(config: &Config, plan: &Plan) -> Result<Self, BindError> {
        let handles = Handles::default();
        let workers = config.workers.get();
        let bind = |at| Listener::bind(at, config.limits.clone(), workers, handles.clone());
        let (outgoing, inbound) = (bind(plan.listen)?, bind(plan.inbound)?);

        // Its own calls: everything the mesh has.
        let mesh = Mesh::new(config.mesh.clone(), handles.clone());
        mesh.discover(Arc::clone(&plan.registry));

        // The program is one instance at one place. Trying again is up to those who call it: they know of others.
        let beside = Mesh::new(
            MeshConfig {
                in_flight: config.mesh.in_flight(&plan.service),
                connect: config.mesh.connect,
                idle: config.mesh.idle.min(IDLE),
                retries: 0,
                hold: Duration::ZERO,
                ..MeshConfig::default()
            },
            handles.clone(),
        );
        beside.connect(&plan.service, plan.app);

        let pulse = Arc::new(Pulse::default());
        let mut announced = plan.announce.unwrap_or(plan.inbound);
        if announced.port() == 0 {
            announced.set_port(inbound.local_addr().port());
        }
        let unique = handles.ids.below(u64::MAX);
        let instance =
            Instance::new(format!("{}-{}-{unique:016x}", plan.service, std::process::id()), announced);
        let app = beside.target(&plan.service);
        Ok(Self {
            keeper: Keeper::new(plan, config.health.clone(), instance, Arc::clone(&pulse), handles.clone()),
            inbound: (inbound, Arc::new(Inbound::new(app, config, Arc::clone(&pulse)))),
            outgoing: (outgoing, Arc::new(Outgoing::new(mesh, config, plan, pulse))),
            handles,
        })
    }

    /// Serves until a signal.
    pub(crate) async fn run(self) -> ExitCode {
        out::line(&format!("listening on http://{}", self.outgoing.0.local_addr()));
        out::line(&format!("inbound on http://{}", self.inbound.0.local_addr()));
        let told = Stop::default();
        life::until_told(self.work(told.clone()), &told).await
    }

    async fn work(self, told: Stop) -> Result<(), RunError> {
        let Self { outgoing, inbound, mut keeper, handles } = self;
        let (stop_inbound, stop_outgoing) = (Stop::default(), Stop::default());
        let mut inbound = tokio::spawn(inbound.0.run(inbound.1, stop_inbound.clone()));
        let mut outgoing = tokio::spawn(outgoing.0.run(outgoing.1, stop_outgoing.clone()));
        tokio::select! {
            () = told.stopped() => {}
            ended = &mut inbound => return flatten(ended),
            ended = &mut outgoing => return flatten(ended),
            () = keeper.keep() => {}
        }
        // Whoever looks for the program finds another one from now on.
        keeper.withdraw().await;
        // Those who have found it already are answered, on connections that close.
        stop_inbound.stop();
        finish(inbound).await?;
        // For that the program may have had to call others.
        stop_outgoing.stop();
        finish(outgoing).await?;
        handles.detached.finished().await;
        Ok(())
    }
}

async fn finish(listener: JoinHandle<Result<(), RunError>>) -> Result<(), RunError> {
    flatten(listener.await)
}

/// A listener's task is never aborted, so it panicked if it did not return.
fn flatten(ended: Result<Result<(), RunError>, tokio::task::JoinError>) -> Result<(), RunError> {
    ended.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}
