//! What SQL may do through a transaction, enforced by SQLite's authorizer while it prepares a statement.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use rusqlite::Connection;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};

/// Who is talking to the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Speaker {
    /// A closure: no transaction control, PRAGMA, ATTACH or DETACH.
    Closure,
    /// A migration: like a closure, but it may put off foreign keys until its commit, to rebuild a table.
    Migration,
    /// The store: everything.
    Store,
}

/// The guard of one connection. Closures are what it guards against unless it is told otherwise.
#[derive(Debug, Clone)]
pub(super) struct Guard(Arc<AtomicU8>);

// === impl Guard ===

impl Guard {
    pub(super) fn install(connection: &mut Connection) -> rusqlite::Result<Self> {
        let speaker = Arc::new(AtomicU8::new(Speaker::Closure as u8));
        let guard = Self(Arc::clone(&speaker));
        connection.authorizer(Some(move |context: AuthContext<'_>| {
            if may(speaker.load(Ordering::Relaxed), &context.action) {
                Authorization::Allow
            } else {
                Authorization::Deny
            }
        }))?;
        Ok(guard)
    }

    /// Lets somebody else than a closure talk.
    pub(super) fn speak_as<T>(&self, speaker: Speaker, f: impl FnOnce() -> T) -> T {
        self.0.store(speaker as u8, Ordering::Relaxed);
        let result = f();
        self.0.store(Speaker::Closure as u8, Ordering::Relaxed);
        result
    }
}

fn may(speaker: u8, action: &AuthAction<'_>) -> bool {
    if speaker == Speaker::Store as u8 {
        return true;
    }
    match action {
        AuthAction::Transaction { .. }
        | AuthAction::Savepoint { .. }
        | AuthAction::Attach { .. }
        | AuthAction::Detach { .. } => false,
        AuthAction::Pragma { pragma_name, .. } => {
            speaker == Speaker::Migration as u8 && pragma_name.eq_ignore_ascii_case("defer_foreign_keys")
        }
        _ => true,
    }
}
