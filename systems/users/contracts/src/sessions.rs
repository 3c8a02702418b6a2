//! Sessions: where one is signed in.

use partie_contract::{Call, NoContent, Outcome, Problem, Timestamp, contract};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::SessionId;

/// Sessions: where one is signed in.
#[contract(service = "users", version = 1)]
pub trait Sessions {
    /// One's sessions that have not ended, the youngest first.
    #[get("/users/me/sessions", authenticated)]
    async fn list(&self, cx: &Call) -> Outcome<SessionList, SessionError>;

    /// End all of one's sessions but that of the token.
    #[delete("/users/me/sessions", authenticated)]
    async fn end_others(&self, cx: &Call) -> Outcome<NoContent, SessionError>;

    /// End one of one's sessions.
    #[delete("/users/me/sessions/{sid}", authenticated)]
    async fn end(&self, cx: &Call, sid: SessionId) -> Outcome<NoContent, SessionError>;
}

/// What can go wrong with a session.
#[derive(Debug, PartialEq, Problem)]
pub enum SessionError {
    /// There is no such session of the caller.
    #[problem(404, "session-not-found")]
    NotFound,
}

/// Sessions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SessionList {
    /// One entry each.
    pub data: Vec<Session>,
}

/// A session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// On what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// From which address it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// When it began.
    pub created_at: Timestamp,
    /// When its tokens were last refreshed.
    pub last_seen_at: Timestamp,
    /// When it ends if its tokens are not refreshed before.
    pub idle_expires_at: Timestamp,
    /// When it ends anyway.
    pub expires_at: Timestamp,
    /// When it was ended, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// Whether it is that of the token.
    pub current: bool,
}
