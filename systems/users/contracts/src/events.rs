//! What others hear of users. No event names a person: what has to be forgotten is in no log of a broker.

use partie_contract::{Event, EventSpec, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{SessionId, UserId};

macro_rules! events {
    ($($(#[$meta:meta])* $name:ident = $type_name:literal by $subject:literal { $($fields:tt)* })+) => {
    $(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Event)]
        #[event($type_name, version = 1, subject = $subject)]
        pub struct $name { $($fields)* }
    )+

        /// All of them.
        pub const EVENTS: &[EventSpec] = &[$(EventSpec::of::<$name>()),+];
    };
}

events! {
    /// Somebody registered.
    UserRegistered = "user.registered" by "user_id" {
        /// Who.
        pub user_id: UserId,
        /// What they may do.
        pub roles: Vec<String>,
    }
    /// The address of an account is known to be theirs.
    UserEmailVerified = "user.email_verified" by "user_id" {
        /// Whose.
        pub user_id: UserId,
    }
    /// A profile has changed.
    UserProfileUpdated = "user.profile_updated" by "user_id" {
        /// Whose.
        pub user_id: UserId,
        /// The account's version from now on.
        pub version: i64,
    }
    /// An account has another address.
    UserEmailChanged = "user.email_changed" by "user_id" {
        /// Whose.
        pub user_id: UserId,
    }
    /// An account has another password.
    UserPasswordChanged = "user.password_changed" by "user_id" {
        /// Whose.
        pub user_id: UserId,
        /// Whether it was set by a token that was sent, not by who knew the one before.
        pub was_reset: bool,
    }
    /// Somebody tried too often to sign in to an account from one address.
    UserLocked = "user.locked" by "user_id" {
        /// Whose account.
        pub user_id: UserId,
        /// Until when nobody may try from there.
        pub until: Timestamp,
    }
    /// Everybody may try again.
    UserUnlocked = "user.unlocked" by "user_id" {
        /// Whose account.
        pub user_id: UserId,
    }
    /// An account was suspended.
    UserSuspended = "user.suspended" by "user_id" {
        /// Whose.
        pub user_id: UserId,
    }
    /// A suspension has ended.
    UserUnsuspended = "user.unsuspended" by "user_id" {
        /// Whose.
        pub user_id: UserId,
    }
    /// An account is to be deleted.
    UserDeletionRequested = "user.deletion_requested" by "user_id" {
        /// Whose.
        pub user_id: UserId,
        /// When it will be gone.
        pub due_at: Timestamp,
    }
    /// Somebody came back before it was.
    UserDeletionCancelled = "user.deletion_cancelled" by "user_id" {
        /// Who.
        pub user_id: UserId,
    }
    /// An account is gone. Whoever keeps anything that names this person erases it.
    UserDeleted = "user.deleted" by "user_id" {
        /// Whose.
        pub user_id: UserId,
    }
    /// Somebody signed in.
    SessionStarted = "session.started" by "session_id" {
        /// The session.
        pub session_id: SessionId,
        /// Who.
        pub user_id: UserId,
    }
    /// A session was ended.
    SessionRevoked = "session.revoked" by "session_id" {
        /// The session.
        pub session_id: SessionId,
        /// Whose.
        pub user_id: UserId,
        /// Why.
        pub reason: EndReason,
    }
    /// A refresh token came again that had long been traded: somebody has a copy. Its session has ended.
    TokenReuseDetected = "token.reuse_detected" by "session_id" {
        /// The session.
        pub session_id: SessionId,
        /// Whose.
        pub user_id: UserId,
    }
    /// Another key signs from now on.
    KeyRotated = "key.rotated" by "kid" {
        /// Its name.
        pub kid: String,
    }
}

/// Why a session was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// Its user signed out.
    Logout,
    /// Its user ended it from elsewhere.
    EndedElsewhere,
    /// The password was changed.
    PasswordChanged,
    /// The password was set anew.
    PasswordReset,
    /// A refresh token came twice.
    TokenReuse,
    /// The account was suspended.
    Suspended,
    /// The account was deleted.
    Deleted,
}

partie_contract::stored_by_name!(EndReason);
