//! Passwords that change.

use partie::contract::{Call, NoContent, Outcome};
use partie::messaging::Publish as _;
use partie::runtime::trust_now;
use users_contracts::SecretText;
use users_contracts::accounts::{PasswordChange, UserError, UserStatus};
use users_contracts::auth::{AuthError, PasswordReset};
use users_contracts::events::{EndReason, UserPasswordChanged};

use super::own::Own;
use super::{UserDesk, saturated};
use crate::audit::Entry;
use crate::mail::{self, Template};
use crate::minter::Purpose;
use crate::rows::codes::Kind;
use crate::{rows, session};

impl UserDesk {
    /// Whether the password is that of the account. With another one in mind, that one is judged too.
    pub(super) async fn check_current_password(
        &self,
        own: Own,
        current: &SecretText,
        new: Option<&SecretText>,
    ) -> Outcome<(), UserError> {
        let account = self.store.read(move |tx| Ok::<_, partie::Fault<UserError>>(own.account(tx)?)).await?;
        let hash = account.password.as_deref();
        let verdict = self.passwords.verify(current.reveal(), hash).await.map_err(saturated)?;
        if !verdict.matches {
            return Err(UserError::WrongPassword.into());
        }
        if let Some(new) = new {
            let email = account.email.as_deref().unwrap_or_default();
            partie::identity::passwords::check(new.reveal(), email)
                .map_err(|rejection| UserError::PasswordRejected { reason: rejection.reason().to_owned() })?;
        }
        Ok(())
    }

    pub(super) async fn password_changed(
        &self,
        cx: &Call,
        change: PasswordChange,
    ) -> Outcome<NoContent, UserError> {
        let own = Own::of(cx)?;
        self.check_current_password(own, &change.current_password, Some(&change.new_password)).await?;
        let password = self.passwords.hash(change.new_password.reveal()).await.map_err(saturated)?;
        let (settings, trusted) = (self.settings.clone(), trust_now());
        self.store
            .once(cx, move |tx| {
                let mut account = own.account(tx)?;
                account.password = Some(password.clone());
                account.password_changed_at = tx.now();
                super::accounts::change(tx, &mut account)?;
                rows::codes::void(tx, account.id, Kind::Reset)?;
                session::end_all(
                    tx,
                    account.id,
                    own.session,
                    EndReason::PasswordChanged,
                    &settings,
                    trusted,
                )?;
                tx.publish(&UserPasswordChanged { user_id: account.id, was_reset: false })?;
                if let Some(email) = &account.email {
                    mail::send(tx, email, Template::PasswordChanged)?;
                }
                Entry::new("password.changed", account.id).by(account.id).in_commit(tx);
                Ok(NoContent)
            })
            .await
    }

    pub(super) async fn password_reset(
        &self,
        cx: &Call,
        reset: PasswordReset,
    ) -> Outcome<NoContent, AuthError> {
        let [id] = self.minter.open(Purpose::OneTime, &reset.token).ok_or(AuthError::TokenExpired)?;
        // A token is looked at before a hash is computed for it, and used up only by a password that is taken.
        let email = self
            .store
            .read(move |tx| {
                let now = tx.now();
                let found = rows::codes::find(tx, id, Kind::Reset, now)?;
                Ok::<_, partie::Fault<AuthError>>(found.ok_or(AuthError::TokenExpired)?.email)
            })
            .await?;
        partie::identity::passwords::check(reset.new_password.reveal(), &email)
            .map_err(|rejection| AuthError::PasswordRejected { reason: rejection.reason().to_owned() })?;
        let password = self.passwords.hash(reset.new_password.reveal()).await.map_err(saturated)?;
        let (settings, trusted) = (self.settings.clone(), trust_now());
        self.store
            .once(cx, move |tx| {
                let now = tx.now();
                let code = rows::codes::take(tx, id, &[Kind::Reset], now)?.ok_or(AuthError::TokenExpired)?;
                let mut account = rows::users::find(tx, code.user_id)?.ok_or(AuthError::TokenExpired)?;
                if matches!(account.status, UserStatus::Deleted) {
                    return Err(AuthError::TokenExpired.into());
                }
                // Who has the token has the mailbox.
                if account.email.as_deref() == Some(&code.email) && account.email_verified_at.is_none() {
                    account.verify(&code.email, now);
                }
                account.password = Some(password.clone());
                account.password_changed_at = now;
                account.version += 1;
                rows::users::update(tx, &account)?;
                rows::codes::void(tx, account.id, Kind::Reset)?;
                session::end_all(tx, account.id, None, EndReason::PasswordReset, &settings, trusted)?;
                let counted = crate::lockout::account(&rows::users::key(&code.email));
                rows::attempts::clear_all(tx, &counted)?;
                tx.publish(&UserPasswordChanged { user_id: account.id, was_reset: true })?;
                mail::send(tx, &code.email, Template::PasswordChanged)?;
                Entry::new("password.reset", account.id).in_commit(tx);
                Ok(NoContent)
            })
            .await
    }
}
