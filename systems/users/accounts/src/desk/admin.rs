//! What administrators do about accounts.

use partie::contract::{Call, Id as _, Outcome, Page, Platform, Versioned};
use partie::messaging::{Publish as _, Schedule as _};
use partie::runtime::trust_now;
use users_contracts::UserId;
use users_contracts::accounts::{ListUsers, Suspension, User, UserError, UserStatus};
use users_contracts::events::{EndReason, UserSuspended, UserUnlocked, UserUnsuspended};

use super::UserDesk;
use super::accounts::change;
use super::deletion::Forget;
use crate::audit::Entry;
use crate::rows::users::{Wanted, key};
use crate::user::{Account, plain};
use crate::{lockout, rows, session};

impl UserDesk {
    pub(super) async fn listed(&self, query: ListUsers) -> Outcome<Page<User>, UserError> {
        let ListUsers { email, status, limit, after } = query;
        let newest = || UserId::from_uuid(uuid::Uuid::max());
        let before = after.map_or_else(|| Ok(newest()), |after| after.key())?;
        let wanted = Wanted { status, before, most: limit.get() as usize + 1 };
        self.store
            .read(move |tx| {
                let found = match email {
                    Some(email) => {
                        let found = rows::users::by_email(tx, &key(&email))?;
                        let fits = |one: &Account| {
                            one.id < wanted.before && wanted.status.is_none_or(|status| one.status == status)
                        };
                        found.into_iter().filter(fits).collect()
                    }
                    None => rows::users::list(tx, &wanted)?,
                };
                let views = found.iter().map(Account::view).collect();
                Ok(Page::from_rows(views, limit, |user: &User| user.id)?)
            })
            .await
    }

    pub(super) async fn suspended(
        &self,
        cx: &Call,
        id: UserId,
        suspension: Suspension,
    ) -> Outcome<Versioned<User>, UserError> {
        if let Some(wrong) = plain("/reason", Some(&suspension.reason)) {
            return Err(Platform::invalid(vec![wrong]).into());
        }
        let (admin, settings, trusted) = (cx.subject()?.to_owned(), self.settings.clone(), trust_now());
        self.store
            .once(cx, move |tx| {
                let mut account = rows::users::find(tx, id)?.ok_or(UserError::NotFound)?;
                account.enter(UserStatus::Suspended)?;
                account.suspended_for = Some(suspension.reason.clone());
                account.deletion_due_at = None;
                tx.cancel::<Forget>(&id.to_string())?;
                change(tx, &mut account)?;
                session::end_all(tx, id, None, EndReason::Suspended, &settings, trusted)?;
                tx.publish(&UserSuspended { user_id: id })?;
                Entry::new("user.suspended", id).by(&admin).in_commit(tx);
                Ok(Versioned(account.view()))
            })
            .await
    }

    pub(super) async fn unsuspended(&self, cx: &Call, id: UserId) -> Outcome<Versioned<User>, UserError> {
        let admin = cx.subject()?.to_owned();
        self.store
            .once(cx, move |tx| {
                let mut account = rows::users::find(tx, id)?.ok_or(UserError::NotFound)?;
                account.leave_suspension()?;
                change(tx, &mut account)?;
                tx.publish(&UserUnsuspended { user_id: id })?;
                Entry::new("user.unsuspended", id).by(&admin).in_commit(tx);
                Ok(Versioned(account.view()))
            })
            .await
    }

    pub(super) async fn unlocked(&self, cx: &Call, id: UserId) -> Outcome<Versioned<User>, UserError> {
        let admin = cx.subject()?.to_owned();
        self.store
            .once(cx, move |tx| {
                let account = rows::users::find(tx, id)?.ok_or(UserError::NotFound)?;
                if let Some(email) = &account.email {
                    rows::attempts::clear_all(tx, &lockout::account(&key(email)))?;
                    tx.publish(&UserUnlocked { user_id: id })?;
                    Entry::new("user.unlocked", id).by(&admin).in_commit(tx);
                }
                Ok(Versioned(account.view()))
            })
            .await
    }
}
