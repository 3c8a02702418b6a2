//! The way out: what is sent by mail, as jobs. The notifications service of the system takes it from there.

use std::collections::BTreeMap;

use notifications_contracts::{Channel, NewNotification, Wording};
use partie::contract::{Abort, Call, Id as _, NoProblem, Outcome, Timestamp};
use partie::messaging::{AfterCrash, Enqueue as _, Job, JobError};
use partie::store::{Error, Tx};
use serde::{Deserialize, Serialize};
use users_contracts::UserId;
use users_contracts::accounts::UserStatus;
use users_contracts::mails;
use uuid::Uuid;

use crate::desk::UserDesk;
use crate::minter::Purpose;
use crate::rows;
use crate::rows::codes::{Code, Kind};
use crate::rows::users::key;
use crate::session::CodeId;
use crate::user::Account;

/// Tokens of a kind that may be out for one account: more mails are not sent.
const MOST_OUT: i64 = 5;

/// What a mail is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Template {
    /// Welcome; follow the link to verify the address.
    Verify,
    /// Follow the link to make this the account's address.
    ChangeEmail,
    /// Follow the link to set another password.
    Reset,
    /// Somebody tried to register with this address, which has an account.
    AlreadyRegistered,
    /// The account has another address now.
    EmailChanged,
    /// The account has another password now.
    PasswordChanged,
}

/// Sends a mail. The token in it is made when it is sent, so that none lies in a queue.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Mail {
    pub(crate) to: String,
    pub(crate) template: Template,
    pub(crate) code: Option<Uuid>,
    /// When the token is over, and the mail with it.
    #[serde(default)]
    pub(crate) until: Option<Timestamp>,
}

impl Job for Mail {
    const KIND: &'static str = "mail";
    // The provider knows the job's id, so a second one is dropped.
    const AFTER_CRASH: AfterCrash = AfterCrash::Retry;
}

/// Sends a token to the owner of an address, if there is one. Whether there is, is found out here and not while somebody
/// waits: they are answered alike.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Ask {
    pub(crate) email: String,
    pub(crate) about: Template,
}

impl Job for Ask {
    const KIND: &'static str = "mail-if-known";
    const AFTER_CRASH: AfterCrash = AfterCrash::Retry;
}

impl Template {
    fn wording(self) -> Wording {
        match self {
            Self::Verify => mails::VERIFY,
            Self::ChangeEmail => mails::CHANGE_EMAIL,
            Self::Reset => mails::RESET_PASSWORD,
            Self::AlreadyRegistered => mails::ALREADY_REGISTERED,
            Self::EmailChanged => mails::EMAIL_CHANGED,
            Self::PasswordChanged => mails::PASSWORD_CHANGED,
        }
    }
}

impl UserDesk {
    /// Hands a mail to the notifications. Their answer is kept under the job's id, so a second one is the first.
    pub(crate) async fn mail(&self, cx: &Call, mail: &Mail) -> Result<(), JobError> {
        let mut variables = BTreeMap::new();
        if let Some(id) = mail.code {
            let begin = match mail.template {
                Template::Reset => &self.settings.reset_link,
                _ => &self.settings.verify_link,
            };
            let token = self.minter.mint(Purpose::OneTime, [id]);
            let minutes = self.settings.one_time_lifetime.as_secs().div_ceil(60);
            variables.insert("link".to_owned(), format!("{begin}?token={}", token.reveal()));
            variables.insert("minutes".to_owned(), minutes.to_string());
        }
        let notification = NewNotification {
            channel: Channel::Email,
            recipient: mail.to.clone(),
            template: mail.template.wording().name.to_owned(),
            variables,
            dedupe_key: cx.key().map(|key| key.key.to_string()).unwrap_or_default(),
            until: mail.until,
        };
        match self.notifications.send(cx, notification).await {
            Ok(_) => Ok(()),
            // An address nobody can be reached at stays one.
            Err(partie::Fault::Domain(error)) => Err(JobError::failed(format!("{error:?}"))),
            Err(partie::Fault::Platform(fault)) => Err(JobError::retry(fault)),
        }
    }

    /// Sends a token to the owner of an address, if there is one.
    pub(crate) async fn mail_if_known(&self, _: &Call, ask: &Ask) -> Result<(), JobError> {
        let (email, about, settings) = (ask.email.clone(), ask.about, self.settings.clone());
        let asked: Outcome<(), NoProblem> = self
            .store
            .write(move |tx| {
                let Some(account) = rows::users::by_email(tx, &key(&email))? else { return Ok(()) };
                let is_pending = account.status == UserStatus::PendingVerification;
                match about {
                    Template::Verify if is_pending => {
                        send_code(tx, &account, Kind::Verify, &email, &settings)?
                    }
                    Template::Reset if account.status != UserStatus::Suspended => {
                        send_code(tx, &account, Kind::Reset, &email, &settings)?;
                    }
                    Template::AlreadyRegistered => send(tx, &email, about)?,
                    _ => {}
                }
                Ok(())
            })
            .await;
        asked.map_err(|fault| JobError::retry(Abort::from(fault).into_platform()))
    }
}

/// Has a mail sent that carries no token.
pub(crate) fn send(tx: &mut Tx, to: &str, template: Template) -> Result<(), Error> {
    tx.enqueue(&Mail { to: to.to_owned(), template, code: None, until: None })?;
    Ok(())
}

/// Has a token of that kind sent to an address, unless too many are out already.
pub(crate) fn send_code(
    tx: &mut Tx,
    account: &Account,
    kind: Kind,
    to: &str,
    settings: &crate::settings::Settings,
) -> Result<(), Error> {
    let (user_id, now): (UserId, _) = (account.id, tx.now());
    if rows::codes::out(tx, user_id, kind, now)? >= MOST_OUT {
        return Ok(());
    }
    let id = tx.new_id::<CodeId>().as_uuid();
    let expires_at = now + settings.one_time_lifetime;
    rows::codes::insert(tx, &Code { id, kind, user_id, email: to.to_owned(), expires_at })?;
    let template = match kind {
        Kind::Verify => Template::Verify,
        Kind::ChangeEmail => Template::ChangeEmail,
        Kind::Reset => Template::Reset,
    };
    tx.enqueue(&Mail { to: to.to_owned(), template, code: Some(id), until: Some(expires_at) })?;
    Ok(())
}
