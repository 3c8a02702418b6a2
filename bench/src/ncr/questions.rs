//! The tutorial's requests, as many as a server can take.

use std::net::SocketAddr;
use std::time::Duration;

use crate::{Ask, Error, Load, Round, request};

/// The largest n of the small ones: up to here the tutorial's floats are good enough, and nobody keeps the results.
const SMALL: u32 = 30;
/// The range of the large ones. They are never the same for long, and nothing large is to be kept.
const LARGE: std::ops::RangeInclusive<u32> = 19_900..=20_000;
/// Enough to keep both cores busy, as far as Python can.
const CONNECTIONS: usize = 32;

/// A small question, and a large one.
pub const SMALL_AND_LARGE: [Ask; 2] = [
    Ask {
        path: |rng| {
            let n = rng.u32(1..=SMALL);
            path(n, rng.u32(0..=n))
        },
        status: 200,
    },
    Ask {
        path: |rng| {
            let n = rng.u32(LARGE);
            path(n, n / 2 - rng.u32(0..1_000))
        },
        status: 200,
    },
];

fn path(n: u32, r: u32) -> String {
    format!("/api/v1/ncr/{n}/{r}")
}

/// What a server did in one round.
pub type Rate = Round;

/// Asks as fast as answers come, and takes the CPU time of the server for it.
///
/// # Errors
/// When it answers with anything but success, or wrong.
pub fn saturate(
    to: SocketAddr,
    time: Duration,
    cpu: impl Fn() -> Result<Duration, Error>,
) -> Result<Rate, Error> {
    let load = Load::of(small().collect(), CONNECTIONS)?;
    check(&load, to)?;
    let before = cpu()?;
    let tally = load.run(to, 200, time, || Ok(()))?;
    Ok(Round::new(tally, cpu()?.saturating_sub(before)))
}

/// All pairs up to [`SMALL`], in no order.
fn small() -> impl Iterator<Item = Vec<u8>> {
    let mut pairs: Vec<_> = (0..=SMALL).flat_map(|n| (0..=n).map(move |r| (n, r))).collect();
    fastrand::Rng::with_seed(1).shuffle(&mut pairs);
    pairs.into_iter().map(|(n, r)| request("GET", &format!("/api/ncr/{n}/{r}"), "", b""))
}

/// Nobody measures what answers nonsense.
fn check(load: &Load, to: SocketAddr) -> Result<(), Error> {
    let answer = load.send(to, &request("GET", "/api/ncr/5/2", "", b""))?;
    let value = serde_json::from_slice::<serde_json::Value>(&answer.body)?["ncr"].as_f64();
    if value == Some(10.0) { Ok(()) } else { Err(format!("C(5, 2) is {value:?} at {to}").into()) }
}
