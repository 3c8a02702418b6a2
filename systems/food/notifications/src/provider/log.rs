//! The provider of development: a file that says what would have been delivered.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::mpsc;
use std::thread;

use food_contracts::NotificationId;
use food_contracts::notifications::Channel;
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
    lines: mpsc::Sender<Delivery>,
    clock: Clock,
}

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
        let (lines, deliveries) = mpsc::channel();
        thread::Builder::new().name("delivery-log".into()).spawn(move || write(file, &deliveries))?;
        Ok(Self { lines, clock })
    }
}

impl Provider for DeliveryLog {
    async fn deliver(&self, message: &Message) -> Result<(), ProviderError> {
        let Message { id, channel, recipient, text } = message;
        let line = Line { id: *id, channel: *channel, recipient, text, at: self.clock.now() };
        let mut line = serde_json::to_vec(&line).map_err(ProviderError::permanent)?;
        line.push(b'\n');
        let (written, outcome) = oneshot::channel();
        self.lines.send(Delivery { line, written }).map_err(ProviderError::transient)?;
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
            let _ = written.send(
                result.as_ref().copied().map_err(|error| io::Error::new(error.kind(), error.to_string())),
            );
        }
    }
}
