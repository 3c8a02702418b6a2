//! How many connections there are, altogether and from one address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::limits::Limits;

/// Counts connections of all workers of a listener.
pub(super) struct Seats {
    most: usize,
    most_per_address: usize,
    taken: AtomicUsize,
    by_address: Mutex<HashMap<IpAddr, usize>>,
}

/// One connection, until it is dropped.
pub(super) struct Seat {
    seats: Arc<Seats>,
    address: IpAddr,
}

// === impl Seats ===

impl Seats {
    pub(super) fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            most: limits.connections,
            most_per_address: limits.connections_per_address,
            taken: AtomicUsize::new(0),
            by_address: Mutex::default(),
        })
    }

    /// A seat for a connection from there, if one is free.
    pub(super) fn take(self: &Arc<Self>, from: IpAddr) -> Option<Seat> {
        let address = household(from);
        let mut by_address = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        let here = by_address.get(&address).copied().unwrap_or_default();
        if here >= self.most_per_address || self.taken.load(Ordering::Acquire) >= self.most {
            return None;
        }
        by_address.insert(address, here + 1);
        self.taken.fetch_add(1, Ordering::AcqRel);
        Some(Seat { seats: Arc::clone(self), address })
    }
}

/// Whoever has one IPv6 address usually has a whole /64 of them.
fn household(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.into(),
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

// === impl Seat ===

impl Drop for Seat {
    fn drop(&mut self) {
        let mut by_address = self.seats.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(here) = by_address.get_mut(&self.address) {
            *here -= 1;
            if *here == 0 {
                by_address.remove(&self.address);
            }
        }
        self.seats.taken.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_are_counted_by_household_and_come_back() {
        let limits = Limits { connections: 3, connections_per_address: 2, ..Limits::default() };
        let seats = Seats::new(&limits);
        let at = |text: &str| text.parse::<IpAddr>().unwrap();
        let first = seats.take(at("2001:db8::1")).unwrap();
        let second = seats.take(at("2001:db8::ffff")).unwrap();
        assert!(seats.take(at("2001:db8:0:0:abcd::")).is_none(), "the same /64");
        let third = seats.take(at("192.0.2.1")).unwrap();
        assert!(seats.take(at("192.0.2.2")).is_none(), "no seat at all");
        drop((first, third));
        assert!(seats.take(at("::ffff:192.0.2.1")).is_some());
        drop(second);
        assert!(seats.by_address.lock().unwrap().is_empty());
    }
}
