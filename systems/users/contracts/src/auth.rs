//! Signing in and out, and the news of who was signed out.

use partie_contract::{Call, EventStream, NoContent, Outcome, Problem, contract};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::accounts::Address;
use crate::{RevocationNews, SecretText};

/// Signing in and out.
#[contract(service = "users", version = 1)]
pub trait Auth {
    /// Sign in. Each time begins a session of its own.
    ///
    /// A wrong password and an unknown address are one answer. Too many wrong ones for an account from one address are
    /// refused from there for a while (429), and from nowhere else.
    #[post("/auth/login", public, no_store)]
    async fn login(&self, cx: &Call, login: Login) -> Outcome<Tokens, AuthError>;

    /// Trade a refresh token for fresh tokens. It is good once: who shows it again within ten seconds gets the same
    /// successor, who shows it later ends the session.
    #[post("/auth/refresh", public, no_store)]
    async fn refresh(&self, cx: &Call, refresh: Refresh) -> Outcome<Tokens, AuthError>;

    /// End the session of the token.
    #[post("/auth/logout", authenticated)]
    async fn logout(&self, cx: &Call) -> Outcome<NoContent, AuthError>;

    /// End all of one's sessions.
    #[post("/auth/logout-all", authenticated)]
    async fn logout_all(&self, cx: &Call) -> Outcome<NoContent, AuthError>;

    /// Have a token sent by which the password can be set anew. The answer does not say whether there is such an account.
    #[post("/auth/password/forgot", public)]
    async fn forgot_password(&self, cx: &Call, account: Address) -> Outcome<NoContent, AuthError>;

    /// Set the password by the token that was sent. All sessions end.
    #[post("/auth/password/reset", public)]
    async fn reset_password(&self, cx: &Call, reset: PasswordReset) -> Outcome<NoContent, AuthError>;

    /// Which tokens to refuse from now on: first all there are, then news as they commit, and a sign of life each second.
    /// For everything that verifies tokens.
    #[get("/auth/revocations/stream", role = "service")]
    async fn revocations(&self, cx: &Call) -> Outcome<EventStream<RevocationNews>, AuthError>;
}

/// What can go wrong with signing in.
#[derive(Debug, PartialEq, Problem)]
pub enum AuthError {
    /// There is no account with this address and password.
    #[problem(401, "invalid-credentials")]
    InvalidCredentials,
    /// The address of the account is not verified yet.
    #[problem(403, "email-unverified")]
    EmailUnverified,
    /// The account is suspended.
    #[problem(403, "account-suspended")]
    AccountSuspended,
    /// The refresh token is none, or not good any more.
    #[problem(401, "invalid-refresh-token")]
    InvalidRefreshToken,
    /// The token was used, or its time is over, or it never was one.
    #[problem(410, "one-time-token-expired")]
    TokenExpired,
    /// The password is not taken.
    #[problem(422, "password-rejected")]
    PasswordRejected {
        /// `too-short`, `too-long`, `common` or `contains-email`.
        reason: String,
    },
}

/// Who signs in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Login {
    /// The account's address.
    #[schemars(length(max = 254))]
    pub email: String,
    /// Its password.
    pub password: SecretText,
    /// On what, to be told from other sessions by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 120))]
    pub device: Option<String>,
}

/// What one signs in to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tokens {
    /// For `Authorization: Bearer`.
    pub access_token: SecretText,
    /// For more of them.
    pub refresh_token: SecretText,
    /// `Bearer`.
    pub token_type: String,
    /// How long the access token is good for, in seconds.
    pub expires_in: u64,
}

/// Trades a refresh token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Refresh {
    /// The token.
    pub refresh_token: SecretText,
}

/// Sets a password anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PasswordReset {
    /// The token that was sent.
    pub token: SecretText,
    /// The password from now on.
    pub new_password: SecretText,
}
