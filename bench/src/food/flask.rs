//! The tutorial's order chain: four Flask services, each a process.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::{Child, End, Error, Load, Tally};

/// Enough to keep both cores busy, as far as Python can.
const CONNECTIONS: usize = 32;
const ORDER: &str = r#"{"restaurant_id": 1, "items": [1, 2], "customer_phone": "+4930123456"}"#;
const PATH: &str = "/api/orders/create";

/// The running chain.
#[derive(Debug)]
pub struct Chain {
    order: Child,
    peers: Vec<Child>,
}

// === impl Chain ===

impl Chain {
    /// Starts the four with that Python, which has Flask and requests.
    ///
    /// # Errors
    /// When one of them does not start.
    pub fn start(python: &Path) -> Result<Self, Error> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("flask/chain.py");
        let start = |arguments: &[String]| {
            let mut command = Command::new(python);
            command.arg(&script).args(arguments).stderr(Stdio::null());
            Child::run(command, End::Input)
        };
        let mut peers = Vec::new();
        for name in ["restaurant", "delivery", "notification"] {
            peers.push(start(&[name.to_owned()])?);
        }
        let mut arguments = vec!["order".to_owned()];
        arguments.extend(peers.iter().map(|peer| peer.address().to_string()));
        Ok(Self { order: start(&arguments)?, peers })
    }

    /// Orders as fast as the chain can, and the CPU time of all four for it.
    ///
    /// # Errors
    /// When it answers with anything but success.
    pub fn saturate(&self, time: Duration) -> Result<(Tally, Duration), Error> {
        let load = Load::new(PATH, ORDER.as_bytes(), CONNECTIONS)?;
        let before = self.cpu()?;
        let tally = load.run(self.address(), 200, time, || Ok(()))?;
        Ok((tally, self.cpu()?.saturating_sub(before)))
    }

    fn address(&self) -> SocketAddr {
        self.order.address()
    }

    fn cpu(&self) -> Result<Duration, Error> {
        let all = self.peers.iter().chain([&self.order]);
        all.map(Child::cpu).sum()
    }
}
