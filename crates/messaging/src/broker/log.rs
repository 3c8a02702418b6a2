//! What is asked of a vendor's broker: a log on disk that keeps its order and can be read from any place.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use partie_contract::BoxFuture;

use super::{BrokerError, Message, Refused};

/// The log of a vendor's broker. [`LogBroker`](super::LogBroker) makes a [`Broker`](super::Broker) of it.
///
/// Nothing is asked for that vendors do differently: there are no acknowledgements, no redelivery, no groups and no dead
/// letters in it. How far a group is, what of it failed and what waits stands in the store of the service the group
/// belongs to.
///
/// What every implementation keeps to:
///
/// * A log has parts. All messages of a key are in the same one, in the order they were published.
/// * Positions are above 0 and grow within a part. They are not reused while somebody may remember them.
/// * It connects again by itself, as often as it takes. What is asked meanwhile fails, after seconds.
pub trait Log: fmt::Debug + Send + Sync + 'static {
    /// As [`Broker::publish`](super::Broker::publish), as far as the vendor goes: a message with an id that is known
    /// already may be there twice.
    ///
    /// # Errors
    /// [`BrokerError`] when it is not known of some of them whether they are in the log.
    fn publish(&self, batch: Vec<Message>) -> BoxFuture<'_, Result<Vec<Refused>, BrokerError>>;

    /// How many parts there are, at least one. It never changes.
    ///
    /// # Errors
    /// [`BrokerError`] when the vendor cannot be asked now.
    fn parts(&self) -> BoxFuture<'_, Result<u32, BrokerError>>;

    /// Begins to read.
    ///
    /// # Errors
    /// [`ReadError`]
    fn read(&self, from: Place) -> BoxFuture<'_, Result<Box<dyn Feed>, ReadError>>;

    /// How long messages are kept, whoever has read them.
    fn retention(&self) -> Duration;
}

/// Where to begin to read, and what is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Which part, from 0.
    pub part: u32,
    /// Behind which position. What is there no more is passed over; 0 is the oldest there is.
    pub after: i64,
    /// The types that are wanted. Others may come as well.
    pub types: Vec<String>,
}

/// The messages of one part, from a place on.
pub trait Feed: Send {
    /// Waits for messages. May be cancelled.
    ///
    /// # Errors
    /// [`BrokerError`] when nothing more comes from this feed. Another one may be asked for.
    fn next(&mut self) -> BoxFuture<'_, Result<Page, BrokerError>>;
}

/// What was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// Messages with their positions, in order.
    pub rows: Vec<(i64, Arc<Message>)>,
    /// Everything wanted up to this position has been read.
    pub to: i64,
}

/// Why nothing can be read from there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The log ends before that position: it is another one than that position was read from.
    #[error("the log has lost its memory: it ends before position {after}")]
    Anew {
        /// The position.
        after: i64,
    },
    /// Not now.
    #[error(transparent)]
    Broker(#[from] BrokerError),
}

/// The part of a key, for logs whose vendor does not say: FNV-1a, which will be the same for good.
#[cfg(any(test, feature = "kafka", feature = "rabbitmq"))]
pub(super) fn part_of(key: &str, parts: u32) -> u32 {
    let hash = key.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    u32::try_from(hash % u64::from(parts.max(1))).unwrap_or(0)
}

/// Splits a batch into waves: each has at most one message of a key, and those of a key are in order. A wave that is
/// sent when the one before it has arrived keeps the order whatever the vendor refuses or loses. Gives places in the batch.
#[cfg(any(test, feature = "kafka", feature = "nats", feature = "rabbitmq"))]
pub(super) fn waves(batch: &[Message]) -> Vec<Vec<usize>> {
    let mut seen: std::collections::HashMap<&str, usize> = std::collections::HashMap::new();
    let mut waves: Vec<Vec<usize>> = Vec::new();
    for (index, message) in batch.iter().enumerate() {
        let before = seen.entry(&message.key).or_default();
        if *before == waves.len() {
            waves.push(Vec::new());
        }
        waves[*before].push(index);
        *before += 1;
    }
    waves
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn waves_keep_keys_in_order_and_apart() {
        let message =
            |key: &str| Message { id: Uuid::nil(), type_name: "t".into(), key: key.into(), body: "".into() };
        let batch: Vec<_> = ["a", "b", "a", "c", "a", "b"].into_iter().map(message).collect();
        assert_eq!(waves(&batch), [vec![0, 1, 3], vec![2, 5], vec![4]]);
        assert_eq!(waves(&[]), Vec::<Vec<usize>>::new());
    }

    #[test]
    fn the_part_of_a_key_never_changes() {
        // Written down once: whoever changes it takes the order from logs that exist.
        let parts: Vec<_> = ["", "orders/1", "orders/2", "ü"].map(|key| part_of(key, 7)).into();
        assert_eq!(parts, [2, 2, 4, 5]);
        assert_eq!(part_of("x", 1), 0);
    }
}
