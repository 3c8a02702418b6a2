//! How commands on the same machine reach the process that owns a store: a socket beside each database.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use partie_runtime::Stop;
use partie_store::Store;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};

/// The longest request, in bytes: a path and what is around it.
const LONGEST_REQUEST: u64 = 16 << 10;
/// How long whoever knocks may take to say what they want.
const PATIENCE: Duration = Duration::from_secs(1);

/// What may be asked of the owner of a store; one line of JSON.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Wish {
    /// Copy it into that new file.
    Backup(PathBuf),
}

/// What comes of it; one line of JSON.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Reply {
    Done,
    Failed(String),
}

/// The doors of the stores of this process. Whoever may write to the data directory may knock: its owner.
#[derive(Debug, Default)]
pub(super) struct StoreDoors {
    stop: Stop,
    sockets: Vec<PathBuf>,
}

/// Where the door of a store is.
pub(crate) fn door(dir: &Path, store: &str) -> PathBuf {
    dir.join(format!("{store}.sock"))
}

// === impl StoreDoors ===

impl StoreDoors {
    /// Opens a door for each store. The process owns them, so a socket that is there is left over. Without a door the store
    /// works as well, but is not backed up while it is open.
    pub(super) fn open(dir: &Path, stores: impl Iterator<Item = Store>) -> Self {
        let mut doors = Self::default();
        for store in stores {
            let path = door(dir, store.name());
            match listen(&path) {
                Ok(listener) => {
                    doors.stop.spawn(serve(listener, store, doors.stop.clone()));
                    doors.sockets.push(path);
                }
                Err(error) => {
                    let door = path.display();
                    tracing::warn!(%door, %error, "no door: this store cannot be backed up while it is open");
                }
            }
        }
        doors
    }

    /// Before the stores are closed: the next owner opens doors of its own.
    pub(super) async fn close(&self) {
        self.stop.finish().await;
        for socket in &self.sockets {
            // Whoever opens the store next removes what is left.
            std::fs::remove_file(socket).ok();
        }
    }
}

impl Drop for StoreDoors {
    fn drop(&mut self) {
        // A door holds its store, which is to close with the last of its handles.
        self.stop.stop();
    }
}

fn listen(path: &Path) -> io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// One at a time. A copy that is under way when the process drains is cut off, and whoever asked for it notices.
async fn serve(listener: UnixListener, store: Store, stop: Stop) {
    let stopped = stop.stopped();
    tokio::pin!(stopped);
    loop {
        let answered = async {
            match listener.accept().await {
                Ok((stream, _)) => answer(stream, &store).await,
                // No handles left, say. There may be some again.
                Err(_) => tokio::time::sleep(PATIENCE).await,
            }
        };
        tokio::select! { () = answered => {}, () = &mut stopped => return }
    }
}

async fn answer(stream: UnixStream, store: &Store) {
    let (from, mut to) = stream.into_split();
    let mut line = String::new();
    let mut from = BufReader::new(from.take(LONGEST_REQUEST));
    if !matches!(tokio::time::timeout(PATIENCE, from.read_line(&mut line)).await, Ok(Ok(_))) {
        return;
    }
    let reply = match serde_json::from_str(&line) {
        Ok(Wish::Backup(file)) => match store.backup(&file).await {
            Ok(()) => Reply::Done,
            Err(error) => Reply::Failed(error.to_string()),
        },
        Err(error) => Reply::Failed(format!("that is no request: {error}")),
    };
    let reply = serde_json::to_string(&reply).unwrap_or_default();
    // Whoever does not wait for the answer has the file all the same.
    to.write_all(format!("{reply}\n").as_bytes()).await.ok();
}
