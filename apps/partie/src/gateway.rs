//! The gateway alone, in front of anything: the edge of a system as a program of its own.
//!
//! Layout: `config` is what can be set, `plan` checks it, `reload` reads it again while requests are served.

mod config;
mod plan;
mod reload;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use clap::ArgMatches;
use partie_gateway::{Admin, AdminParts, Edge};
use partie_identity::Verifier;
use partie_mesh::{Handles, Listener, Mesh, RunError};
use partie_runtime::Stop;
use tokio::task::JoinHandle;

use self::config::Source;
use self::plan::Plan;
use self::reload::Reloader;
use crate::{life, out};

/// `partie gateway`.
pub(crate) fn main(flags: &ArgMatches) -> ExitCode {
    let text = |id: &str| flags.get_one::<String>(id).map(String::as_str);
    let source = Source::new(text("config").map(Path::new), text("listen"), std::env::vars());
    let config = match source.read() {
        Ok(config) => config,
        Err(error) => return out::refuse(&error),
    };
    let plan = match Plan::new(&config) {
        Ok(plan) => plan,
        Err(error) => return out::refuse(&error),
    };
    if flags.get_flag("check") {
        out::line("the configuration can be used");
        return ExitCode::SUCCESS;
    }
    let logs = config.logs.clone();
    life::live(&logs, async move {
        match Standalone::bind(source, config, &plan) {
            Ok(gateway) => gateway.run().await,
            Err(error) => out::refuse(&error),
        }
    })
}

/// A gateway whose sockets are bound.
struct Standalone {
    listener: Listener,
    scheme: &'static str,
    admin: Option<Listener>,
    edge: Arc<Edge>,
    verifier: Verifier,
    reloader: Arc<Reloader>,
    handles: Handles,
}

// === impl Standalone ===

impl Standalone {
    /// Binds both listeners. Call it inside the tokio runtime on which registries are to be followed.
    fn bind(
        source: Source,
        config: config::Config,
        plan: &Plan,
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let handles = Handles::default();
        let listener = config.gateway.bind(handles.clone())?;
        let admin = config.admin.bind(&handles)?;
        let mesh = Mesh::new(config.mesh.clone(), handles.clone());
        if let Some(registry) = &plan.registry {
            mesh.discover(Arc::clone(registry));
        }
        let edge = Arc::new(config.gateway.build(plan.parts(mesh))?);
        let (verifier, scheme) =
            (plan.verifier().clone(), if config.gateway.tls.is_some() { "https" } else { "http" });
        let reloader = Arc::new(Reloader::new(source, config, Arc::clone(&edge)));
        Ok(Self { listener, scheme, admin, edge, verifier, reloader, handles })
    }

    /// Serves until a signal.
    async fn run(self) -> ExitCode {
        out::line(&format!("listening on {}://{}", self.scheme, self.listener.local_addr()));
        if let Some(admin) = &self.admin {
            out::line(&format!("admin on http://{}", admin.local_addr()));
        }
        let told = Stop::default();
        life::until_told(self.work(told.clone()), &told).await
    }

    async fn work(self, told: Stop) -> Result<(), RunError> {
        let Self { listener, admin, edge, verifier, reloader, handles, .. } = self;
        // Keys of others are fetched as long as somebody may show a token.
        let keys = Stop::default();
        verifier.keep_fresh(&keys);
        let stop_admin = Stop::default();
        let mut admin = admin.map(|listener| {
            let pages = Arc::new(Admin::new(Arc::clone(&edge), pages(&reloader)));
            tokio::spawn(listener.run(pages, stop_admin.clone()))
        });
        let watch = tokio::spawn(Arc::clone(&reloader).watch());
        let served = tokio::select! {
            served = listener.run(edge, told) => served,
            ended = ended(&mut admin) => return ended,
        };
        watch.abort();
        keys.stop();
        handles.detached.finished().await;
        // How it does can be seen to the end.
        stop_admin.stop();
        match admin {
            Some(admin) => served.and(flatten(admin.await)),
            None => served,
        }
    }
}

/// What is shown to those who run it.
fn pages(reloader: &Arc<Reloader>) -> AdminParts {
    let (config, reload, broken) = (Arc::clone(reloader), Arc::clone(reloader), Arc::clone(reloader));
    AdminParts {
        config: Arc::new(move || config.show()),
        reload: Arc::new(move || {
            let reloader = Arc::clone(&reload);
            Box::pin(async move { reloader.reload().await })
        }),
        broken: Arc::new(move || broken.broken()),
    }
}

/// Ends with the admin listener, which it should not before it is told to.
async fn ended(admin: &mut Option<JoinHandle<Result<(), RunError>>>) -> Result<(), RunError> {
    match admin {
        Some(admin) => flatten(admin.await),
        None => std::future::pending().await,
    }
}

/// A listener's task is never aborted, so it panicked if it did not return.
fn flatten(ended: Result<Result<(), RunError>, tokio::task::JoinError>) -> Result<(), RunError> {
    ended.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}
