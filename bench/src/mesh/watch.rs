//! How long it takes until a change in a registry is known to those who follow.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use partie_mesh::discovery::{EmbeddedRegistry, EmbeddedRegistryConfig, Following, Instance};
use partie_runtime::{Ids, monotonic};

use crate::{Error, median};

const CHANGES: u32 = 200;
const SERVICE: &str = "menu";

/// Times between a change and its being known.
#[derive(Debug, Clone, Copy)]
pub struct Latency {
    median: Duration,
    worst: Duration,
}

/// Announces one instance more, 200 times, among so many.
///
/// # Errors
/// When there is no runtime, or the registry is full.
pub fn at(instances: u32) -> Result<Latency, Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async move {
        let config = EmbeddedRegistryConfig { settling: Duration::ZERO, ..EmbeddedRegistryConfig::default() };
        let registry = EmbeddedRegistry::start(config);
        for number in 0..instances {
            registry.put(SERVICE, &instance(number), None)?;
        }
        let following = Following::begin(Arc::new(registry.clone()), SERVICE, Ids::seeded(1));
        let mut lists = following.watch();
        lists.wait_for(|list| list.len() == instances as usize).await?;
        let mut times = Vec::new();
        for number in instances..instances + CHANGES {
            let began = monotonic();
            registry.put(SERVICE, &instance(number), None)?;
            lists.wait_for(|list| list.len() == number as usize + 1).await?;
            times.push(began.elapsed());
        }
        let median = median(times.iter().map(Duration::as_secs_f64));
        Ok(Latency {
            median: Duration::from_secs_f64(median),
            worst: times.into_iter().max().unwrap_or_default(),
        })
    })
}

/// Instances have addresses of their own: all of 127.0.0.0/8 is this machine.
fn instance(number: u32) -> Instance {
    let [_, b, c, d] = number.to_be_bytes();
    Instance::new(format!("menu-{number:05}"), SocketAddr::from(([127, b, c, d.max(1)], 80)))
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = |time: Duration| time.as_secs_f64() * 1e3;
        write!(
            f,
            "{:.2} ms (median of {CHANGES}), {:.2} ms at worst",
            millis(self.median),
            millis(self.worst)
        )
    }
}
