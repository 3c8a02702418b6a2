//! What the system says of itself at `/metrics`.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::{Connection, Error, request};

/// Reads the metrics now and then.
#[derive(Debug)]
pub(super) struct Meter(Connection);

/// The metrics at one moment.
#[derive(Debug, Clone, Default)]
pub(super) struct Reading(BTreeMap<String, f64>);

// === impl Meter ===

impl Meter {
    pub(super) fn new(to: SocketAddr) -> Self {
        Self(Connection::new(to))
    }

    pub(super) async fn read(&mut self) -> Result<Reading, Error> {
        let answer = self.0.exchange(&request("GET", "/metrics", "accept: text/plain\r\n", b"")).await?;
        Ok(Reading::of(str::from_utf8(&answer.body)?))
    }
}

// === impl Reading ===

impl Reading {
    fn of(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let pairs = lines.filter_map(|line| line.rsplit_once(' '));
        Self(pairs.filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?))).collect())
    }

    /// Orders whose confirmation has reached the notifications: the whole way, over five stores.
    pub(super) fn confirmed(&self) -> u64 {
        self.0
            .get(r#"partie_events_handled_total{group="notifications/order.confirmed"}"#)
            .map_or(0, |n| *n as u64)
    }

    /// The age of the oldest event that no broker has, in seconds.
    pub(super) fn outbox_age(&self) -> f64 {
        self.sum("partie_outbox_age_seconds").values().copied().fold(0.0, f64::max)
    }

    /// Transactions of each store.
    pub(super) fn writes(&self) -> BTreeMap<String, f64> {
        self.sum("store_writes_total")
    }

    /// Commits of each store, empty ones included.
    pub(super) fn commits(&self) -> BTreeMap<String, f64> {
        self.sum("store_commit_duration_count")
    }

    /// Reads of each store.
    pub(super) fn reads(&self) -> BTreeMap<String, f64> {
        self.sum("store_read_duration_count")
    }

    /// The sum of a metric by the value of its first label.
    fn sum(&self, metric: &str) -> BTreeMap<String, f64> {
        let mut sums = BTreeMap::new();
        for (name, value) in &self.0 {
            let labels = name.strip_prefix(metric).and_then(|rest| rest.strip_prefix('{'));
            if let Some(label) = labels.and_then(|labels| labels.split('"').nth(1)) {
                *sums.entry(label.to_owned()).or_default() += value;
            }
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_summed_by_their_first_label() {
        let text = "# TYPE store_writes_total counter\nstore_writes_total{store=\"orders\",outcome=\"kept\"} 7\n\
                    store_writes_total{store=\"orders\",outcome=\"undone\"} 2\nother 1\n\
                    partie_outbox_age_seconds{service=\"orders\"} 0.5\n\
                    partie_events_handled_total{group=\"notifications/order.confirmed\"} 5\n";
        let reading = Reading::of(text);
        assert_eq!(reading.writes(), BTreeMap::from([("orders".to_owned(), 9.0)]));
        assert_eq!((reading.confirmed(), reading.outbox_age()), (5, 0.5));
    }
}
