//! The endpoint as a contract, served by a Partie service alone, without a gateway.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use partie::contract::{Call, Created, Outcome};
use partie::{Environment, Service, System};
use partie_telemetry::Metrics;

use super::{Book, NewOrder, Order, OrderError, Orders};
use crate::{Error, announce, until_told};

/// How often histograms are folded, as the command line does.
const UPKEEP: Duration = Duration::from_secs(5);

impl Orders for Book {
    async fn place(&self, _: &Call, order: NewOrder) -> Outcome<Created<Order>, OrderError> {
        Ok(Created(Self::place(self, order)?))
    }
}

/// Serves it on a free port with so many workers, until told to end: the same steps as `Service::main`, without its
/// command line.
///
/// # Errors
/// When it does not start.
pub fn serve(workers: usize) -> Result<(), Error> {
    let service = Service::new("orders").start(async |_| Ok(Book::default())).serve(Orders::routes());
    let system = System::new("bench").service(service);
    let mut config = system.defaults().clone();
    config.ephemeral = true;
    config.gateway.listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    config.gateway.workers = Some(workers);
    partie_telemetry::init(&config.logs)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let running = runtime.block_on(system.launch(config, Environment::default()))?;
    runtime.spawn(async {
        let mut every = tokio::time::interval(UPKEEP);
        loop {
            every.tick().await;
            Metrics::install().upkeep();
        }
    });
    announce(running.address())?;
    until_told();
    Ok(runtime.block_on(running.stop())?)
}
