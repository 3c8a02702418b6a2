//! The contract `Auth`.

use partie::contract::{Call, EventStream, FaultKind, Id as _, NoContent, Outcome, Platform};
use partie::messaging::{Enqueue as _, Publish as _, Schedule as _};
use partie::runtime::trust_now;
use partie::store::Tx;
use users_contracts::accounts::{Address, UserStatus};
use users_contracts::auth::{Auth, AuthError, Login, PasswordReset, Refresh, Tokens};
use users_contracts::events::{
    EndReason, SessionStarted, TokenReuseDetected, UserDeletionCancelled, UserLocked,
};
use users_contracts::{RevocationNews, SecretText, SessionId};
use uuid::Uuid;

use super::deletion::Forget;
use super::own::Own;
use super::{UserDesk, saturated};
use crate::audit::Entry;
use crate::lockout::{Attempts, Pair};
use crate::mail::{Ask, Template};
use crate::minter::Purpose;
use crate::rows;
use crate::rows::users::key;
use crate::session::{self, Record, RefreshId, Trade};
use crate::user::{Account, plain};

impl Auth for UserDesk {
    async fn login(&self, cx: &Call, login: Login) -> Outcome<Tokens, AuthError> {
        if let Some(wrong) = plain("/device", login.device.as_deref()) {
            return Err(Platform::invalid(vec![wrong]).into());
        }
        let address = cx.client_address().map(|address| address.to_string());
        let email = key(&login.email);
        let pair = Pair::new(&email, address.as_deref());

        // Who has tried too often here is not looked at. Known or not makes no difference from here on: the same
        // statements, and a hash that takes as long.
        let asked = pair.clone();
        let found = self
            .store
            .read(move |tx| {
                check_unlocked(tx, &asked)?;
                Ok::<_, partie::Fault<AuthError>>(rows::users::by_email(tx, &email)?)
            })
            .await?;
        let hash = found.as_ref().and_then(|account| account.password.as_deref());
        let verdict = self.passwords.verify(login.password.reveal(), hash).await.map_err(saturated)?;
        let known = found.as_ref().map(|account| account.id);
        let Some(account) = found.filter(|_| verdict.matches) else {
            return self.failed(cx, pair, known).await;
        };
        let rehashed = match verdict.is_outdated {
            // Without room for it now it is done another time.
            true => self.passwords.hash(login.password.reveal()).await.ok(),
            false => None,
        };

        let settings = self.settings.clone();
        let begun = self.store.write(move |tx| {
            check_unlocked(tx, &pair)?;
            let mut account = still(tx, &account)?;
            match account.status {
                UserStatus::Active => {}
                UserStatus::PendingVerification => return Err(AuthError::EmailUnverified.into()),
                UserStatus::Suspended => return Err(AuthError::AccountSuspended.into()),
                UserStatus::Deleted => return Err(AuthError::InvalidCredentials.into()),
                UserStatus::DeletionPending => {
                    account.status = UserStatus::Active;
                    account.deletion_due_at = None;
                    account.version += 1;
                    rows::users::update(tx, &account)?;
                    tx.cancel::<Forget>(&account.id.to_string())?;
                    tx.publish(&UserDeletionCancelled { user_id: account.id })?;
                }
            }
            if let Some(password) = &rehashed {
                rows::users::rehash(tx, account.id, password)?;
            }
            rows::attempts::clear(tx, &pair)?;
            let open = rows::sessions::open_of_user(tx, account.id)?;
            for oldest in open.iter().rev().skip(session::MOST - 1) {
                session::end(tx, oldest, EndReason::EndedElsewhere, &settings, trust_now())?;
            }
            let session = Record::begin(tx, account.id, login.device.clone(), address.clone(), &settings);
            rows::sessions::insert(tx, &session)?;
            tx.publish(&SessionStarted { session_id: session.id, user_id: account.id })?;
            Entry::new("login", session.id).by(account.id).from(address.as_deref()).in_commit(tx);
            Ok::<_, partie::Fault<AuthError>>((account, session))
        });
        let (account, session) = begun.await?;
        Ok(self.tokens(&account, &session, session.refresh)?)
    }

    async fn refresh(&self, cx: &Call, refresh: Refresh) -> Outcome<Tokens, AuthError> {
        self.refreshed(cx, &refresh.refresh_token).await
    }

    async fn logout(&self, cx: &Call) -> Outcome<NoContent, AuthError> {
        let own = Own::of(cx)?;
        // A token without a session is over when its time is.
        let Some(id) = own.session else { return Ok(NoContent) };
        self.ended(cx, own, id).await
    }

    async fn logout_all(&self, cx: &Call) -> Outcome<NoContent, AuthError> {
        let (own, settings, trusted) = (Own::of(cx)?, self.settings.clone(), trust_now());
        self.store
            .once(cx, move |tx| {
                session::end_all(tx, own.id, None, EndReason::Logout, &settings, trusted)?;
                Entry::new("logout.all", own.id).by(own.id).in_commit(tx);
                Ok(NoContent)
            })
            .await
    }

    async fn forgot_password(&self, cx: &Call, account: Address) -> Outcome<NoContent, AuthError> {
        let ask = Ask { email: account.email.as_str().to_owned(), about: Template::Reset };
        self.store
            .once(cx, move |tx| {
                tx.enqueue(&ask)?;
                Ok(NoContent)
            })
            .await
    }

    async fn reset_password(&self, cx: &Call, reset: PasswordReset) -> Outcome<NoContent, AuthError> {
        self.password_reset(cx, reset).await
    }

    async fn revocations(&self, _: &Call) -> Outcome<EventStream<RevocationNews>, AuthError> {
        Ok(self.follower.stream())
    }
}

impl UserDesk {
    /// A wrong password, or nobody's: counted, and answered alike.
    async fn failed(
        &self,
        cx: &Call,
        pair: Pair,
        known: Option<users_contracts::UserId>,
    ) -> Outcome<Tokens, AuthError> {
        let settings = self.settings.clone();
        self.store
            .once(cx, move |tx| {
                let now = tx.now();
                let before = rows::attempts::find(tx, &pair)?;
                if let Some(left) = before.and_then(|before| before.locked_for(now)) {
                    return Err(too_many(left).into());
                }
                let after = Attempts::after_another(before, now, settings.attempts, settings.lock);
                rows::attempts::put(tx, &pair, &after)?;
                let object = known.map_or_else(|| "nobody".to_owned(), |id| id.to_string());
                if let (Some(user_id), Some(until)) = (known, after.locked_until) {
                    tx.publish(&UserLocked { user_id, until })?;
                    Entry::new("login.locked", &object).from(Some(&pair.address)).in_commit(tx);
                }
                Entry::new("login.failed", object).from(Some(&pair.address)).in_commit(tx);
                // It is an answer, and it commits: the count stays.
                Err(tx.commit_problem(AuthError::InvalidCredentials))
            })
            .await
    }

    /// Trades a refresh token.
    pub(crate) async fn refreshed(&self, cx: &Call, token: &SecretText) -> Outcome<Tokens, AuthError> {
        let ids = self.minter.open::<2>(Purpose::Refresh, token);
        let [session, token] = ids.ok_or(AuthError::InvalidRefreshToken)?;
        let (session, settings, trusted) =
            (SessionId::from_uuid(session), self.settings.clone(), trust_now());
        let (call, _) = (cx.clone(), ());
        let traded = self.store.write(move |tx| {
            let now = tx.now();
            let mut record = rows::sessions::find(tx, session)?.ok_or(AuthError::InvalidRefreshToken)?;
            let account =
                rows::users::find(tx, record.user_id)?.filter(|one| one.status == UserStatus::Active);
            let account = account.ok_or(AuthError::InvalidRefreshToken)?;
            let refresh: Uuid = match record.judge(token, now, settings.refresh_grace) {
                Trade::Over => return Err(AuthError::InvalidRefreshToken.into()),
                Trade::Again(successor) => successor,
                Trade::Fresh => {
                    let successor = tx.new_id::<RefreshId>().as_uuid();
                    record.trade(successor, now, &settings);
                    rows::sessions::trade(tx, &record)?;
                    successor
                }
                Trade::Reuse => {
                    session::end(tx, &record, EndReason::TokenReuse, &settings, trusted)?;
                    let (session_id, user_id) = (record.id, record.user_id);
                    tx.publish(&TokenReuseDetected { session_id, user_id })?;
                    let from = call.client_address();
                    Entry::new("token.reused", session_id).by(user_id).from(from).in_commit(tx);
                    return Err(tx.commit_problem(AuthError::InvalidRefreshToken));
                }
            };
            Ok::<_, partie::Fault<AuthError>>((account, record, refresh))
        });
        let (account, record, refresh) = traded.await?;
        Ok(self.tokens(&account, &record, refresh)?)
    }
}

/// Whether nobody has tried too often.
fn check_unlocked(tx: &mut Tx, pair: &Pair) -> Result<(), Platform> {
    let now = tx.now();
    let left = rows::attempts::find(tx, pair)?.and_then(|attempts| attempts.locked_for(now));
    left.map_or(Ok(()), |left| Err(too_many(left)))
}

fn too_many(left: std::time::Duration) -> Platform {
    Platform::new(FaultKind::RateLimited).with_detail("too many wrong passwords from here").retry_after(left)
}

/// The account as it is now, if the password that was checked is still its own.
fn still(tx: &mut Tx, checked: &Account) -> Outcome<Account, AuthError> {
    let now = rows::users::find(tx, checked.id)?;
    Ok(now.filter(|now| now.password == checked.password).ok_or(AuthError::InvalidCredentials)?)
}
