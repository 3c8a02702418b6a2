//! Accounts: registration, profiles, and what administrators do about them.

use partie_contract::{
    Call, Cursor, Entity, Limit, NoContent, Outcome, Page, Platform, Problem, Render, Rendered, ReplySpec,
    Timestamp, Versioned, contract,
};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::sessions::Session;
use crate::{EmailAddress, SecretText, UserId, Username};

/// Accounts: registration, profiles, and what administrators do about them.
#[contract(service = "users", version = 1)]
pub trait Accounts {
    /// Register. A mail with a token goes to the address; until it is verified nobody can sign in.
    ///
    /// Where registration is enumeration-safe the answer is 202 for every address, known or not.
    #[post("/users", public)]
    async fn register(&self, cx: &Call, user: NewUser) -> Outcome<Registration, UserError>;

    /// Verify an e-mail address by the token that was sent to it: that of a new account, or a changed one.
    #[post("/users/verify-email", public)]
    async fn verify_email(&self, cx: &Call, proof: EmailProof) -> Outcome<Versioned<User>, UserError>;

    /// Send the token of a new account again. The answer does not say whether there is such an account.
    #[post("/users/verify-email/resend", public)]
    async fn resend_verification(&self, cx: &Call, to: Address) -> Outcome<NoContent, UserError>;

    /// Read one's own account.
    #[get("/users/me", authenticated)]
    async fn me(&self, cx: &Call) -> Outcome<Versioned<User>, UserError>;

    /// Change one's profile: a JSON merge patch (RFC 7396), so `null` removes what may be missing.
    #[patch("/users/me", authenticated, precondition)]
    async fn change_profile(&self, cx: &Call, change: ProfileChange) -> Outcome<Versioned<User>, UserError>;

    /// Delete one's account. All sessions end at once; the account itself and everything that names a person go when
    /// the grace is over. Whoever signs in before that keeps it.
    #[delete("/users/me", authenticated)]
    async fn delete(&self, cx: &Call) -> Outcome<Versioned<User>, UserError>;

    /// Everything that is known of oneself.
    #[get("/users/me/export", authenticated)]
    async fn export(&self, cx: &Call) -> Outcome<Export, UserError>;

    /// Change one's password. All other sessions end.
    #[put("/users/me/password", authenticated)]
    async fn change_password(&self, cx: &Call, change: PasswordChange) -> Outcome<NoContent, UserError>;

    /// Change one's e-mail address. It is the new one once that is verified.
    #[put("/users/me/email", authenticated)]
    async fn change_email(&self, cx: &Call, change: EmailChange) -> Outcome<NoContent, UserError>;

    /// What everybody may know of a user.
    #[get("/users/{id}", public)]
    async fn user(&self, cx: &Call, id: UserId) -> Outcome<PublicUser, UserError>;

    /// List accounts, newest first.
    #[get("/users", role = "admin")]
    async fn list(&self, cx: &Call, query: ListUsers) -> Outcome<Page<User>, UserError>;

    /// Suspend an account. All its sessions end, and nobody signs in until it is unsuspended.
    #[post("/users/{id}/suspend", role = "admin")]
    async fn suspend(
        &self,
        cx: &Call,
        id: UserId,
        suspension: Suspension,
    ) -> Outcome<Versioned<User>, UserError>;

    /// End a suspension.
    #[post("/users/{id}/unsuspend", role = "admin")]
    async fn unsuspend(&self, cx: &Call, id: UserId) -> Outcome<Versioned<User>, UserError>;

    /// Let everybody try again to sign in to an account, from wherever they tried too often.
    #[post("/users/{id}/unlock", role = "admin")]
    async fn unlock(&self, cx: &Call, id: UserId) -> Outcome<Versioned<User>, UserError>;
}

/// What can go wrong with an account.
#[derive(Debug, PartialEq, Problem)]
pub enum UserError {
    /// There is no such user.
    #[problem(404, "user-not-found")]
    NotFound,
    /// The e-mail address belongs to an account already.
    #[problem(409, "email-taken")]
    EmailTaken,
    /// The username belongs to an account already.
    #[problem(409, "username-taken")]
    UsernameTaken,
    /// The password is not taken.
    #[problem(422, "password-rejected")]
    PasswordRejected {
        /// `too-short`, `too-long`, `common` or `contains-email`.
        reason: String,
    },
    /// A role was asked for that one cannot give oneself.
    #[problem(422, "role-not-offered")]
    RoleNotOffered {
        /// The roles one can.
        offered: Vec<String>,
    },
    /// The current password is another one.
    #[problem(403, "wrong-password")]
    WrongPassword,
    /// The token was used, or its time is over, or it never was one.
    #[problem(410, "one-time-token-expired")]
    TokenExpired,
    /// The account cannot do that from the state it is in.
    #[problem(409, "invalid-transition")]
    InvalidTransition {
        /// The state it is in.
        current_state: UserStatus,
        /// What it can do from there.
        allowed: Vec<String>,
    },
}

/// Somebody who registers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NewUser {
    /// To sign in with.
    pub email: EmailAddress,
    /// 8 to 1,024 bytes, taken as they are.
    pub password: SecretText,
    /// To be found by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<Username>,
    /// What to be called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 120))]
    pub name: Option<String>,
    /// A language tag (BCP 47), `en-GB`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 35))]
    pub locale: Option<String>,
    /// What to be allowed, of the roles that one can give oneself; the system's first one if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 10))]
    pub roles: Option<Vec<String>>,
}

/// The answer to a registration.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "it is answered at once, and nearly always an account")]
pub enum Registration {
    /// 201: the new account.
    Created(User),
    /// 202: nobody is told whether there was an account already. A mail is on its way.
    Accepted,
}

/// A token that was sent by mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EmailProof {
    /// The token.
    pub token: SecretText,
}

/// An address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Address {
    /// The address.
    pub email: EmailAddress,
}

/// An account, as its owner and administrators see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// Its address.
    pub email: String,
    /// Since when it is known to be theirs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email_verified_at: Option<Timestamp>,
    /// To be found by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// What to be called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A language tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// A picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avatar_url: Option<String>,
    /// What they may do.
    pub roles: Vec<String>,
    /// Where the account stands.
    pub status: UserStatus,
    /// Why it is suspended, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspended_for: Option<String>,
    /// When it will be gone, if it was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_due_at: Option<Timestamp>,
    /// When it came about.
    pub created_at: Timestamp,
    /// The row version.
    pub version: i64,
}

/// Where an account stands. Locks are not among it: they are between an account and an address somebody tries from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UserStatus {
    /// The address is not verified yet.
    PendingVerification,
    /// One can sign in.
    Active,
    /// An administrator has closed it.
    Suspended,
    /// Deleted, and back if somebody signs in before the grace is over.
    DeletionPending,
    /// Gone; what is left names nobody.
    Deleted,
}

/// What everybody may know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PublicUser {
    /// The user.
    pub id: UserId,
    /// To be found by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// What to be called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avatar_url: Option<String>,
}

/// A change to a profile. What is absent stays, what is `null` goes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProfileChange {
    /// To be found by.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub username: Option<Option<Username>>,
    /// What to be called.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 120))]
    pub name: Option<Option<String>>,
    /// A language tag.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 35))]
    pub locale: Option<Option<String>>,
    /// A picture: an `https` address.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2_000))]
    pub avatar_url: Option<Option<String>>,
}

/// Tells `null` from nothing.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(from).map(Some)
}

/// Another password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PasswordChange {
    /// The one until now.
    pub current_password: SecretText,
    /// The one from now on.
    pub new_password: SecretText,
}

/// Another address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EmailChange {
    /// The new one.
    pub email: EmailAddress,
    /// The account's password.
    pub password: SecretText,
}

/// Why an account is suspended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Suspension {
    /// For people.
    #[schemars(length(min = 1, max = 500))]
    pub reason: String,
}

/// Everything that is known of somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Export {
    /// The account.
    pub user: User,
    /// When the password was last changed.
    pub password_changed_at: Timestamp,
    /// Where they are and were signed in, as far as that is kept.
    pub sessions: Vec<Session>,
}

/// Which accounts to list.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct ListUsers {
    /// Only that of this address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Only those that stand here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<UserStatus>,
    /// How many.
    #[serde(default)]
    pub limit: Limit,
    /// From where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Cursor>,
}

impl Entity for User {
    const COLLECTION: &'static str = "/api/v1/users";

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn version(&self) -> Option<i64> {
        Some(self.version)
    }
}

impl Render for Registration {
    const SPEC: ReplySpec = <partie_contract::Created<User> as Render>::SPEC;

    fn render(&self) -> Result<Rendered, Platform> {
        match self {
            Self::Created(user) => partie_contract::Created(user.clone()).render(),
            Self::Accepted => NoContent.render().map(|rendered| Rendered { status: 202, ..rendered }),
        }
    }

    fn parse(rendered: &Rendered) -> Result<Self, Platform> {
        if rendered.status == 202 {
            return Ok(Self::Accepted);
        }
        <partie_contract::Created<User> as Render>::parse(rendered).map(|created| Self::Created(created.0))
    }
}

partie_contract::stored_by_name!(UserStatus);
