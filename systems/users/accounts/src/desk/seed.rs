//! The contract `SeedUsers`: the tutorials' routes.

use partie::contract::{Call, Outcome};
use users_contracts::UserId;
use users_contracts::accounts::{Accounts, NewUser, PublicUser, Registration, UserError};
use users_contracts::seed::SeedUsers;

use super::UserDesk;

impl SeedUsers for UserDesk {
    async fn register(&self, cx: &Call, user: NewUser) -> Outcome<Registration, UserError> {
        self.registered(cx, user).await
    }

    async fn user(&self, cx: &Call, id: UserId) -> Outcome<PublicUser, UserError> {
        Accounts::user(self, cx, id).await
    }
}
