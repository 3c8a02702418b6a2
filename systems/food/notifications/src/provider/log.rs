//! The provider of development: a file that says what would have been delivered.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use food_contracts::NotificationId;
use food_contracts::notifications::Channel;
use partie::contract::Timestamp;
use partie::runtime::Clock;
use serde::Serialize;

use super::{Message, Provider, ProviderError};

/// Delivers by writing a line of JSON for each message to `notifications.jsonl`: `id`, `channel`, `recipient`, `text`
/// and `at`.
///
/// A line is with the operating system when its message is taken, so it outlives the process, though not the machine.
#[derive(Debug)]
pub struct DeliveryLog {
    /// Locked on threads that may wait, one line at a time.
    file: Arc<Mutex<File>>,
    clock: Clock,
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
        Ok(Self { file: Arc::new(Mutex::new(file)), clock })
    }
}

impl Provider for DeliveryLog {
    async fn deliver(&self, message: &Message) -> Result<(), ProviderError> {
        let Message { id, channel, recipient, text } = message;
        let line = Line { id: *id, channel: *channel, recipient, text, at: self.clock.now() };
        let mut line = serde_json::to_vec(&line).map_err(ProviderError::permanent)?;
        line.push(b'\n');
        let file = Arc::clone(&self.file);
        let write = move || file.lock().unwrap_or_else(PoisonError::into_inner).write_all(&line);
        let written = tokio::task::spawn_blocking(write).await.map_err(ProviderError::transient)?;
        written.map_err(ProviderError::transient)
    }
}
