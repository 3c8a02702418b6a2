//! The provider of development: a file that says what would have been delivered.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::mpsc;
use std::thread;

use notifications_contracts::{Channel, NotificationId};
use partie::contract::Timestamp;
use partie::runtime::Clock;
use serde::Serialize;
use tokio::sync::oneshot;

use super::{Message, Provider, ProviderError};

/// Delivers by writing a line of JSON for each message to `notifications.jsonl`: `id`, `channel`, `recipient`, `text`
/// and `at`.
///
/// A line is with the operating system when its message is taken, so it outlives the process, though not the machine.
#[derive(Debug)]
pub struct DeliveryLog {
    /// To the thread that writes: files make whoever writes them wait.
    lines: mpsc::SyncSender<Delivery>,
    clock: Clock,
}

/// How many lines may wait to be written; beyond that a message is not taken for now.
const WAITING: usize = 1_024;

/// A line to write, and who waits for it.
#[derive(Debug)]
struct Delivery {
    line: Vec<u8>,
    written: oneshot::Sender<io::Result<()>>,
}

/// One line.
#[derive(Serialize)]
struct Line<'m> {
    id: NotificationId,
    channel: Channel,
    recipient: &'m str,
    text: &'m str,
    at: Timestamp,
}

// === impl DeliveryLog ===

impl DeliveryLog {
    /// The name of the file.
    pub const FILE: &'static str = "notifications.jsonl";

    /// Goes on with the file in that directory, or begins one.
    ///
    /// # Errors
    /// When it cannot be written, with its path.
    pub fn open(directory: &Path, clock: Clock) -> io::Result<Self> {
        let path = directory.join(Self::FILE);
        let file = OpenOptions::new().create(true).append(true).open(&path).map_err(|error| {
            io::Error::new(error.kind(), format!("{} cannot be written: {error}", path.display()))
        })?;
        let (lines, deliveries) = mpsc::sync_channel(WAITING);
        thread::Builder::new().name("delivery-log".into()).spawn(move || write(file, &deliveries))?;
        Ok(Self { lines, clock })
    }
}

impl Provider for DeliveryLog {
    async fn deliver(&self, message: &Message) -> Result<(), ProviderError> {
        let Message { id, channel, recipient, text, .. } = message;
        let line = Line { id: *id, channel: *channel, recipient, text, at: self.clock.now() };
        let mut line = serde_json::to_vec(&line).map_err(ProviderError::permanent)?;
        line.push(b'\n');
        let (written, outcome) = oneshot::channel();
        self.lines.try_send(Delivery { line, written }).map_err(ProviderError::transient)?;
        outcome.await.map_err(ProviderError::transient)?.map_err(ProviderError::transient)
    }
}

/// Writes lines until nobody has any more: those that are there together in one go.
fn write(mut file: File, deliveries: &mpsc::Receiver<Delivery>) {
    while let Ok(first) = deliveries.recv() {
        let together: Vec<_> = std::iter::once(first).chain(deliveries.try_iter()).collect();
        let lines: Vec<u8> = together.iter().flat_map(|delivery| &delivery.line).copied().collect();
        let result = file.write_all(&lines);
        for Delivery { written, .. } in together {
            // Whoever does not wait any more has given the attempt up.
            let result =
                result.as_ref().copied().map_err(|error| io::Error::new(error.kind(), error.to_string()));
            drop(written.send(result));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;
    use std::sync::Arc;
    use std::{fs, process};

    use partie::contract::Id as _;
    use serde_json::Value;
    use tokio::task::JoinSet;
    use uuid::Uuid;

    use super::*;

    /// A directory of that name with nothing in it.
    fn directory(name: &str) -> PathBuf {
        let directory = std::env::temp_dir().join(format!("partie-delivery-log-{name}-{}", process::id()));
        fs::create_dir_all(&directory).unwrap();
        directory
    }

    /// As many messages as that, all at once.
    async fn deliver(log: &Arc<DeliveryLog>, messages: u128) -> Vec<Result<(), ProviderError>> {
        let deliveries: JoinSet<_> = (0..messages)
            .map(|number| {
                let log = Arc::clone(log);
                async move {
                    let id = NotificationId::from_uuid(Uuid::from_u128(number));
                    let recipient = "+358401234567".to_owned();
                    let message = Message {
                        id,
                        channel: Channel::Sms,
                        recipient,
                        subject: None,
                        text: "on its way".to_owned(),
                        html: None,
                        created_at: Timestamp::EPOCH,
                    };
                    log.deliver(&message).await
                }
            })
            .collect();
        deliveries.join_all().await
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn every_message_has_its_own_line_when_it_is_taken() {
        let directory = directory("lines");
        let log = Arc::new(DeliveryLog::open(&directory, Clock::wall()).unwrap());
        assert!(deliver(&log, 500).await.iter().all(Result::is_ok));
        let lines = fs::read_to_string(directory.join(DeliveryLog::FILE)).unwrap();
        let mut ids: Vec<String> = lines
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].as_str().unwrap().to_owned())
            .collect();
        ids.sort_unstable();
        assert_eq!(ids, (0..500).map(|number| Uuid::from_u128(number).to_string()).collect::<Vec<_>>());
        fs::remove_dir_all(directory).unwrap();
    }

    #[tokio::test]
    async fn a_full_disk_takes_no_message_for_now() {
        let directory = directory("full");
        symlink("/dev/full", directory.join(DeliveryLog::FILE)).unwrap();
        let log = Arc::new(DeliveryLog::open(&directory, Clock::wall()).unwrap());
        for result in deliver(&log, 20).await {
            assert!(matches!(result, Err(ProviderError::Transient(_))), "{result:?}");
        }
        fs::remove_dir_all(directory).unwrap();
    }
}
