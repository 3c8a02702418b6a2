//! What those who issue tokens tell those who verify them: which are not good any longer.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Tokens that are not good any longer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "TokenRevocation")]
pub struct Revocation {
    /// `sid`: every token of that session, whenever it was issued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// `sub`: every token of that subject that was issued before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Up to when tokens of the subject were issued, exclusively, in seconds of the wall clock.
    pub issued_before: i64,
    /// When the last of those tokens is over by itself, in seconds of the wall clock. It may be forgotten then.
    pub until: i64,
}

/// What an issuer tells those who verify its tokens: first everything that is not over, then what is new, and at least once
/// a second that there is nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RevocationNews {
    /// When that was everything, in milliseconds of the issuer's wall clock.
    pub at: i64,
    /// Whether everything that came before on this channel, with this, is all there is.
    pub complete: bool,
    /// What is revoked.
    pub revocations: Vec<Revocation>,
}
