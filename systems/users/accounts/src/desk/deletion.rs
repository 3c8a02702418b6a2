//! Accounts that go: asked for, waited for, forgotten.

use partie::contract::{Abort, Call, Outcome, Versioned};
use partie::messaging::{Publish as _, Schedule as _, Timer};
use partie::runtime::trust_now;
use partie::store::Tx;
use serde::{Deserialize, Serialize};
use users_contracts::UserId;
use users_contracts::accounts::{User, UserError, UserStatus};
use users_contracts::events::{EndReason, UserDeleted, UserDeletionRequested};

use super::UserDesk;
use super::accounts::change;
use super::own::Own;
use crate::audit::Entry;
use crate::rows::users::key;
use crate::{lockout, rows, session};

/// The grace of an account is over.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Forget(pub(crate) UserId);

impl Timer for Forget {
    const KIND: &'static str = "forget-user";

    fn key(&self) -> String {
        self.0.to_string()
    }
}

impl UserDesk {
    pub(super) async fn deletion_requested(&self, cx: &Call) -> Outcome<Versioned<User>, UserError> {
        let (own, settings, trusted) = (Own::of(cx)?, self.settings.clone(), trust_now());
        self.store
            .once(cx, move |tx| {
                let mut account = own.account(tx)?;
                // Asked again, it is as it was.
                if account.status == UserStatus::DeletionPending {
                    return Ok(Versioned(account.view()));
                }
                account.enter(UserStatus::DeletionPending)?;
                let due_at = tx.now() + settings.deletion_grace;
                account.deletion_due_at = Some(due_at);
                change(tx, &mut account)?;
                tx.at(due_at, &Forget(account.id))?;
                session::end_all(tx, account.id, None, EndReason::Deleted, &settings, trusted)?;
                tx.publish(&UserDeletionRequested { user_id: account.id, due_at })?;
                Entry::new("user.deletion_requested", account.id).by(account.id).in_commit(tx);
                Ok(Versioned(account.view()))
            })
            .await
    }

    /// Erases everything that names the person. What is left is an id that nobody else gets, and says that it is gone.
    pub(crate) fn forget(&self, tx: &mut Tx, due: &Forget) -> Result<(), Abort> {
        let pending = |one: &crate::user::Account| one.status == UserStatus::DeletionPending;
        let Some(mut account) = rows::users::find(tx, due.0)?.filter(pending) else { return Ok(()) };
        if let Some(email) = &account.email {
            rows::attempts::clear_all(tx, &lockout::account(&key(email)))?;
        }
        for session in rows::sessions::of_user(tx, account.id)? {
            rows::sessions::remove(tx, session.id)?;
        }
        rows::codes::forget(tx, account.id)?;
        account.forget();
        rows::users::update(tx, &account)?;
        tx.publish(&UserDeleted { user_id: account.id })?;
        Entry::new("user.deleted", account.id).in_commit(tx);
        Ok(())
    }
}
