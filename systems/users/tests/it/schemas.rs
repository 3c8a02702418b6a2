//! What is committed of contracts and events.

use std::fs;
use std::path::{Path, PathBuf};

use users::system;

fn committed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas")
}

#[test]
fn what_is_committed_is_current_and_nothing_breaks_it() {
    let comparison = system().compare(&committed()).unwrap();
    assert_eq!((comparison.breaks, comparison.stale), (vec![], vec![]), "cargo xtask contracts");
    assert!(comparison.documents > 15);
}

#[test]
fn no_event_names_a_person() {
    let mut count = 0;
    for entry in fs::read_dir(committed().join("events")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if !["user.", "session.", "token.", "key."].iter().any(|begin| name.starts_with(begin)) {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for word in ["email\"", "\"name\"", "\"address\":", "password\"", "phone"] {
            assert!(!text.contains(word), "{name} has {word}");
        }
        count += 1;
    }
    assert!(count >= 30, "{count}");
}
