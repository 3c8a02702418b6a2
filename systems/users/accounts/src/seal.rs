//! The service's own secret: what closes private keys in the database, and what tokens are made with.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use partie::contract::BoxError;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use ring::rand::{SecureRandom as _, SystemRandom};

/// The file it is in, unless the settings name another one.
const FILE: &str = "users-seal.key";
/// Its length, in bytes.
const LENGTH: usize = 32;

/// A secret, from which every use has a key of its own.
pub(crate) struct Seal(Prk);

/// 32 bytes of a key.
struct Bytes;

impl KeyType for Bytes {
    fn len(&self) -> usize {
        LENGTH
    }
}

// === impl Seal ===

impl Seal {
    /// That of the file, which is made on first use and readable by its owner only.
    ///
    /// Whoever takes the database elsewhere takes the file too: without it nobody signs with the keys that are there, and
    /// all sessions end.
    ///
    /// # Errors
    /// When the file cannot be read or made, is of another length, or others can read it.
    pub(crate) fn load(data: &Path, file: Option<&str>) -> Result<Self, BoxError> {
        let path = file.map_or_else(|| data.join(FILE), Into::into);
        let refused = |reason: &dyn std::fmt::Display| format!("{}: {reason}", path.display());
        match make(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => made.map_err(|error| refused(&error))?,
        }
        let secret = fs::read(&path).map_err(|error| refused(&error))?;
        if secret.len() != LENGTH {
            return Err(refused(&"a seal is 32 bytes").into());
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(&path).map_err(|error| refused(&error))?.permissions().mode();
            if mode & 0o077 != 0 {
                return Err(refused(&"others can read this secret: chmod 600").into());
            }
        }
        Ok(Self(Salt::new(HKDF_SHA256, b"partie users").extract(&secret)))
    }

    /// The key of one use.
    pub(crate) fn key(&self, of: &str) -> Result<[u8; LENGTH], BoxError> {
        let mut key = [0; LENGTH];
        let info = [of.as_bytes()];
        let made = self.0.expand(&info, Bytes).and_then(|okm| okm.fill(&mut key));
        made.map_err(|_| "a key cannot be derived")?;
        Ok(key)
    }

    /// Closes something under a name, with AES-256-GCM.
    pub(crate) fn close(&self, name: &str, open: &[u8]) -> Result<Vec<u8>, BoxError> {
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(|_| "the operating system gives no random numbers")?;
        let mut closed = open.to_vec();
        let (key, aad) = (self.aead()?, Aad::from(name.as_bytes()));
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut closed)
            .map_err(|_| "it cannot be sealed")?;
        Ok([&nonce[..], &closed].concat())
    }

    /// Opens what was closed under that name.
    ///
    /// # Errors
    /// When it was closed with another secret, under another name, or was changed.
    pub(crate) fn open(&self, name: &str, closed: &[u8]) -> Result<Vec<u8>, BoxError> {
        let other = || format!("{name} was sealed with another secret than that of {FILE}");
        let (nonce, closed) = closed.split_first_chunk::<NONCE_LEN>().ok_or_else(other)?;
        let (mut closed, aad) = (closed.to_vec(), Aad::from(name.as_bytes()));
        let opened = self.aead()?.open_in_place(Nonce::assume_unique_for_key(*nonce), aad, &mut closed);
        Ok(opened.map_err(|_| other())?.to_vec())
    }

    fn aead(&self) -> Result<LessSafeKey, BoxError> {
        let key = UnboundKey::new(&AES_256_GCM, &self.key("private keys")?).map_err(|_| "not a key")?;
        Ok(LessSafeKey::new(key))
    }
}

/// Makes the file, whole or not at all: two processes that do so at a time end up with one secret.
fn make(path: &Path) -> io::Result<()> {
    if path.exists() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    let mut secret = [0; LENGTH];
    SystemRandom::new().fill(&mut secret).map_err(|_| io::Error::other("there are no random numbers"))?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let draft = path.with_extension(format!("key.{}", std::process::id()));
    let written = options.open(&draft).and_then(|mut file| {
        file.write_all(&secret)?;
        file.sync_all()
    });
    // A link, unlike a renaming, leaves a file alone that somebody else has made meanwhile.
    let placed = written.and_then(|()| fs::hard_link(&draft, path));
    fs::remove_file(&draft).ok();
    placed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_with_the_same_secret_and_name_only() {
        let dir = std::env::temp_dir().join(format!("partie-seal-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let seal = Seal::load(&dir, None).unwrap();
        let closed = seal.close("kid", b"private").unwrap();
        assert!(!closed.windows(7).any(|part| part == b"private"));
        assert_eq!(Seal::load(&dir, None).unwrap().open("kid", &closed).unwrap(), b"private");
        assert!(seal.open("other", &closed).is_err());
        assert!(seal.open("kid", &closed[1..]).is_err());
        assert!(seal.open("kid", b"").is_err());
        assert_ne!(seal.key("a").unwrap(), seal.key("b").unwrap());

        fs::remove_file(dir.join(FILE)).unwrap();
        let error = Seal::load(&dir, None).unwrap().open("kid", &closed).unwrap_err();
        assert!(error.to_string().contains("another secret"), "{error}");
        fs::write(dir.join(FILE), b"short").unwrap();
        assert!(Seal::load(&dir, None).is_err());
        fs::remove_dir_all(dir).unwrap();
    }
}
