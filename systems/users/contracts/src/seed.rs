//! The tutorials' own requests, unversioned.

use partie_contract::{Call, Outcome, contract};

use crate::UserId;
use crate::accounts::{NewUser, PublicUser, Registration, UserError};

/// The tutorials' user service.
#[contract(service = "users", prefix = "", compat)]
pub trait SeedUsers {
    /// Register, by the rules of `POST /api/v1/users`.
    #[post("/users/register", public)]
    async fn register(&self, cx: &Call, user: NewUser) -> Outcome<Registration, UserError>;

    /// What everybody may know of a user, by the address other services of the tutorial ask at.
    #[get("/api/users/{id}", public)]
    async fn user(&self, cx: &Call, id: UserId) -> Outcome<PublicUser, UserError>;
}
