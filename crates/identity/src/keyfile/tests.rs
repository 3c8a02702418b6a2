//! Development keys on disk.

use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::{DEVELOPMENT_ISSUER, Signer};

/// A directory of its own for each test, removed with it.
struct Dir(PathBuf);

impl Dir {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Self(std::env::temp_dir().join(format!("partie-keyfile-{}-{number}", std::process::id())))
    }

    fn key(&self) -> PathBuf {
        self.0.join("dev-signing-key.pk8")
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

#[test]
fn a_key_is_made_once_and_kept() {
    let dir = Dir::new();
    let first = Signer::development(&dir.0.join("deeper")).unwrap();
    let again = Signer::development(&dir.0.join("deeper")).unwrap();
    assert_eq!((first.kid(), first.issuer()), (again.kid(), DEVELOPMENT_ISSUER));
    assert_eq!(fs::read_dir(dir.0.join("deeper")).unwrap().count(), 1, "no draft is left");
}

#[test]
fn those_who_make_it_at_the_same_time_get_the_same() {
    for _ in 0..20 {
        let dir = Dir::new();
        let start = std::sync::Barrier::new(8);
        let kids: Vec<String> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        start.wait();
                        Signer::development(&dir.0).unwrap().kid().to_owned()
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(kids.windows(2).all(|pair| pair[0] == pair[1]), "{kids:?}");
        assert_eq!(fs::read_dir(&dir.0).unwrap().count(), 1);
    }
}

#[test]
#[cfg(unix)]
fn only_the_owner_may_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let dir = Dir::new();
    Signer::development(&dir.0).unwrap();
    assert_eq!(fs::metadata(dir.key()).unwrap().permissions().mode() & 0o777, 0o600);
    fs::set_permissions(dir.key(), fs::Permissions::from_mode(0o644)).unwrap();
    let refused = Signer::development(&dir.0).unwrap_err();
    assert!(matches!(refused, KeyError::Exposed { mode: 0o644, .. }));
    assert!(refused.to_string().contains("chmod 600"), "{refused}");
}

#[test]
fn a_file_that_is_no_key_is_not_replaced() {
    let dir = Dir::new();
    fs::create_dir_all(&dir.0).unwrap();
    write_private(&dir.key(), b"something precious").unwrap();
    assert!(matches!(Signer::development(&dir.0), Err(KeyError::NotAKey { .. })));
    assert_eq!(fs::read(dir.key()).unwrap(), b"something precious");
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let dir = Dir::new();
    fs::create_dir_all(&dir.0).unwrap();
    fs::write(dir.0.join("file"), "").unwrap();
    let failed = Signer::development(&dir.0.join("file")).unwrap_err();
    assert!(failed.to_string().contains("file/dev-signing-key.pk8"), "{failed}");
}
