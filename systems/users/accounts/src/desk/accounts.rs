//! The contract `Accounts`.

use partie::contract::{Call, NoContent, Outcome, Page, Platform, Versioned};
use partie::messaging::{Enqueue as _, Publish as _};
use partie::store::Tx;
use users_contracts::UserId;
use users_contracts::accounts::{
    Accounts, Address, EmailChange, EmailProof, Export, ListUsers, NewUser, PasswordChange, ProfileChange,
    PublicUser, Registration, Suspension, User, UserError,
};
use users_contracts::events::{UserEmailChanged, UserEmailVerified, UserProfileUpdated, UserRegistered};

use super::own::{Own, precondition};
use super::{UserDesk, saturated};
use crate::audit::Entry;
use crate::mail::{self, Ask, Template};
use crate::minter::Purpose;
use crate::rows::codes::Kind;
use crate::rows::users::key;
use crate::user::{Account, check_change, check_new, check_password};
use crate::{roles, rows};

impl Accounts for UserDesk {
    async fn register(&self, cx: &Call, user: NewUser) -> Outcome<Registration, UserError> {
        self.registered(cx, user).await
    }

    async fn verify_email(&self, cx: &Call, proof: EmailProof) -> Outcome<Versioned<User>, UserError> {
        let [id] = self.minter.open(Purpose::OneTime, &proof.token).ok_or(UserError::TokenExpired)?;
        self.store
            .once(cx, move |tx| {
                let now = tx.now();
                let code = rows::codes::take(tx, id, &[Kind::Verify, Kind::ChangeEmail], now)?
                    .ok_or(UserError::TokenExpired)?;
                let mut account = rows::users::find(tx, code.user_id)?.ok_or(UserError::TokenExpired)?;
                let before = account.email.clone();
                account.verify(&code.email, now);
                change(tx, &mut account)?;
                if code.kind == Kind::ChangeEmail {
                    tx.publish(&UserEmailChanged { user_id: account.id })?;
                    if let Some(before) = before.filter(|before| *before != code.email) {
                        mail::send(tx, &before, Template::EmailChanged)?;
                    }
                } else {
                    tx.publish(&UserEmailVerified { user_id: account.id })?;
                }
                rows::codes::void(tx, account.id, code.kind)?;
                Entry::new("email.verified", account.id).in_commit(tx);
                Ok(Versioned(account.view()))
            })
            .await
    }

    async fn resend_verification(&self, cx: &Call, to: Address) -> Outcome<NoContent, UserError> {
        let ask = Ask { email: to.email.as_str().to_owned(), about: Template::Verify };
        self.store
            .once(cx, move |tx| {
                tx.enqueue(&ask)?;
                Ok(NoContent)
            })
            .await
    }

    async fn me(&self, cx: &Call) -> Outcome<Versioned<User>, UserError> {
        let own = Own::of(cx)?;
        self.store.read(move |tx| Ok(Versioned(own.account(tx)?.view()))).await
    }

    async fn change_profile(&self, cx: &Call, change: ProfileChange) -> Outcome<Versioned<User>, UserError> {
        let (own, expected) = (Own::of(cx)?, precondition(cx)?);
        let wrong = check_change(&change);
        if !wrong.is_empty() {
            return Err(Platform::invalid(wrong).into());
        }
        self.store
            .once(cx, move |tx| {
                let mut account = own.account(tx)?;
                expected.check(account.version)?;
                let before = account.clone();
                account.change(change.clone());
                if account != before {
                    self::change(tx, &mut account)?;
                    tx.publish(&UserProfileUpdated { user_id: account.id, version: account.version })?;
                }
                Ok(Versioned(account.view()))
            })
            .await
    }

    async fn delete(&self, cx: &Call) -> Outcome<Versioned<User>, UserError> {
        self.deletion_requested(cx).await
    }

    async fn export(&self, cx: &Call) -> Outcome<Export, UserError> {
        let own = Own::of(cx)?;
        self.store
            .read(move |tx| {
                let account = own.account(tx)?;
                let sessions = rows::sessions::of_user(tx, account.id)?;
                Ok(Export {
                    password_changed_at: account.password_changed_at,
                    sessions: sessions.into_iter().map(|session| session.view(own.session)).collect(),
                    user: account.view(),
                })
            })
            .await
    }

    async fn change_password(&self, cx: &Call, change: PasswordChange) -> Outcome<NoContent, UserError> {
        self.password_changed(cx, change).await
    }

    async fn change_email(&self, cx: &Call, change: EmailChange) -> Outcome<NoContent, UserError> {
        let own = Own::of(cx)?;
        self.check_current_password(own, &change.password, None).await?;
        let (email, settings) = (change.email.as_str().to_owned(), self.settings.clone());
        self.store
            .once(cx, move |tx| {
                let account = own.account(tx)?;
                let taken = rows::users::by_email(tx, &key(&email))?.filter(|other| other.id != account.id);
                match (taken, settings.enumeration_safe) {
                    (None, _) => mail::send_code(tx, &account, Kind::ChangeEmail, &email, &settings)?,
                    (Some(_), true) => mail::send(tx, &email, Template::AlreadyRegistered)?,
                    (Some(_), false) => return Err(UserError::EmailTaken.into()),
                }
                Entry::new("email.change_requested", account.id).by(account.id).in_commit(tx);
                Ok(NoContent)
            })
            .await
    }

    async fn user(&self, _: &Call, id: UserId) -> Outcome<PublicUser, UserError> {
        self.store
            .read(move |tx| {
                let found = rows::users::find(tx, id)?.and_then(Account::public_view);
                Ok(found.ok_or(UserError::NotFound)?)
            })
            .await
    }

    async fn list(&self, _: &Call, query: ListUsers) -> Outcome<Page<User>, UserError> {
        self.listed(query).await
    }

    async fn suspend(
        &self,
        cx: &Call,
        id: UserId,
        suspension: Suspension,
    ) -> Outcome<Versioned<User>, UserError> {
        self.suspended(cx, id, suspension).await
    }

    async fn unsuspend(&self, cx: &Call, id: UserId) -> Outcome<Versioned<User>, UserError> {
        self.unsuspended(cx, id).await
    }

    async fn unlock(&self, cx: &Call, id: UserId) -> Outcome<Versioned<User>, UserError> {
        self.unlocked(cx, id).await
    }
}

impl UserDesk {
    /// Registers somebody.
    pub(super) async fn registered(&self, cx: &Call, new: NewUser) -> Outcome<Registration, UserError> {
        let wrong = check_new(&new);
        if !wrong.is_empty() {
            return Err(Platform::invalid(wrong).into());
        }
        if let Err(rejection) = check_password(new.password.reveal(), &new.email) {
            return Err(UserError::PasswordRejected { reason: rejection.reason().to_owned() }.into());
        }
        let offered = &self.settings.roles;
        let granted = roles::of_new(new.roles.as_deref(), offered)
            .ok_or_else(|| UserError::RoleNotOffered { offered: offered.clone() })?;

        // Known to be taken: no hash is computed for it, unless that would be noticed.
        let is_safe = self.settings.enumeration_safe;
        if !is_safe {
            let (email, username) = (new.email.key(), new.username.as_ref().map(|name| name.key()));
            let free: Outcome<(), UserError> =
                self.store.read(move |tx| check_free(tx, &email, username.as_deref())).await;
            free?;
        }
        let password = self.passwords.hash(new.password.reveal()).await.map_err(saturated)?;

        let settings = self.settings.clone();
        self.store
            .once(cx, move |tx| {
                let username = new.username.as_ref().map(|name| name.key());
                match check_free(tx, &new.email.key(), username.as_deref()) {
                    Err(partie::Fault::Domain(UserError::EmailTaken)) if is_safe => {
                        let email = new.email.as_str().to_owned();
                        tx.enqueue(&Ask { email, about: Template::AlreadyRegistered })?;
                        return Ok(Registration::Accepted);
                    }
                    free => free?,
                }
                let account = Account::new(tx.new_id(), &new, granted.clone(), password.clone(), tx.now());
                rows::users::insert(tx, &account)?;
                mail::send_code(tx, &account, Kind::Verify, new.email.as_str(), &settings)?;
                tx.publish(&UserRegistered { user_id: account.id, roles: account.roles.clone() })?;
                let address = tx.call().and_then(Call::client_address);
                Entry::new("user.registered", account.id).from(address).in_commit(tx);
                Ok(if is_safe { Registration::Accepted } else { Registration::Created(account.view()) })
            })
            .await
    }
}

/// Whether nobody has the address and the username yet.
fn check_free(tx: &mut Tx, email: &str, username: Option<&str>) -> Outcome<(), UserError> {
    // The username first: with the address unknown to nobody, that is all a stranger may learn.
    if let Some(username) = username
        && rows::users::by_username(tx, username)?.is_some()
    {
        return Err(UserError::UsernameTaken.into());
    }
    if rows::users::by_email(tx, email)?.is_some() {
        return Err(UserError::EmailTaken.into());
    }
    Ok(())
}

/// Writes an account that has changed.
pub(super) fn change(tx: &mut Tx, changed: &mut Account) -> Outcome<(), UserError> {
    changed.version += 1;
    let username = changed.username.as_deref().map(key);
    if let Some(username) = username
        && rows::users::by_username(tx, &username)?.is_some_and(|id| id != changed.id)
    {
        return Err(UserError::UsernameTaken.into());
    }
    match rows::users::update(tx, changed) {
        Err(error) if error.is_unique_violation() => Err(UserError::EmailTaken.into()),
        written => Ok(written?),
    }
}
