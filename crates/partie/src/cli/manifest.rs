//! What is in a backup: the list that makes a directory of copies one.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use partie_contract::{BoxError, Timestamp};
use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

/// The name of the list in its directory.
pub(super) const NAME: &str = "manifest.json";
/// The form this program writes, and the newest it reads.
const FORMAT: u32 = 1;
const CHUNK: usize = 1 << 20;

/// A backup. Written last, so that a directory without it is none.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub(super) format: u32,
    /// Of which system.
    pub(super) system: String,
    pub(super) made_at: Timestamp,
    pub(super) stores: Vec<Copy>,
}

/// The copy of one store.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Copy {
    /// The store's name.
    pub(super) name: String,
    /// Beside the list.
    pub(super) file: String,
    pub(super) bytes: u64,
    /// In hexadecimal digits.
    pub(super) sha256: String,
    /// What was answered before is in it.
    pub(super) made_at: Timestamp,
    /// The epoch the store was in.
    pub(super) epoch: i64,
    /// The latest migration of each set.
    pub(super) migrations: BTreeMap<String, u32>,
}

/// The file of a store's database, in a data directory and in a backup.
pub(super) fn file(store: &str) -> String {
    format!("{store}.db")
}

// === impl Manifest ===

impl Manifest {
    pub(super) fn new(system: &str, made_at: Timestamp, stores: Vec<Copy>) -> Self {
        Self { format: FORMAT, system: system.to_owned(), made_at, stores }
    }

    /// Writes it, whole or not at all.
    pub(super) fn write(&self, dir: &Path) -> Result<(), BoxError> {
        let (part, whole) = (dir.join(format!("{NAME}.part")), dir.join(NAME));
        let mut file = File::create(&part)?;
        file.write_all(serde_json::to_string_pretty(self)?.as_bytes())?;
        file.sync_all()?;
        fs::rename(&part, &whole)?;
        File::open(dir)?.sync_all()?;
        Ok(())
    }

    /// Reads that of a backup.
    pub(super) fn read(dir: &Path) -> Result<Self, BoxError> {
        let path = dir.join(NAME);
        let text = fs::read_to_string(&path)
            .map_err(|error| format!("{} is no backup: {}: {error}", dir.display(), path.display()))?;
        let manifest: Self =
            serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
        if manifest.format != FORMAT {
            return Err(format!("{}: a newer program wrote it", path.display()).into());
        }
        // The names become names of files here.
        let plain =
            |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        match manifest.stores.iter().find(|copy| !plain(&copy.name) || copy.file != file(&copy.name)) {
            Some(copy) => Err(format!("{}: `{}` is no store", path.display(), copy.name).into()),
            None => Ok(manifest),
        }
    }
}

/// The length and the SHA-256 of a file.
pub(super) fn digest(file: &Path) -> io::Result<(u64, String)> {
    let (mut file, mut context) = (File::open(file)?, Context::new(&SHA256));
    let (mut chunk, mut bytes) = (vec![0; CHUNK], 0);
    loop {
        match file.read(&mut chunk)? {
            0 => break,
            read => {
                context.update(&chunk[..read]);
                bytes += read as u64;
            }
        }
    }
    let digest = context.finish();
    Ok((bytes, digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()))
}
