//! The way out: what is sent by mail, as jobs, and the one place that knows how.

use std::fs::{self, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};

use partie::contract::{Abort, Call, Id as _, NoProblem, Outcome, Timestamp};
use partie::messaging::{AfterCrash, Enqueue as _, Job, JobError};
use partie::store::{Error, Tx};
use serde::{Deserialize, Serialize};
use users_contracts::UserId;
use users_contracts::accounts::UserStatus;
use uuid::Uuid;

use crate::desk::UserDesk;
use crate::minter::Purpose;
use crate::rows;
use crate::rows::codes::{Code, Kind};
use crate::rows::users::key;
use crate::session::CodeId;
use crate::user::Account;

/// The development log of mails, in the data directory.
const FILE: &str = "mail.jsonl";
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

/// A mail that was sent.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    id: String,
    to: String,
    subject: String,
    text: String,
    at: Timestamp,
}

impl UserDesk {
    /// Sends a mail.
    pub(crate) async fn mail(&self, cx: &Call, mail: &Mail) -> Result<(), JobError> {
        let token = mail.code.map(|id| self.minter.mint(Purpose::OneTime, [id]));
        let link = |begin: &str| {
            token.as_ref().map(|token| format!("{begin}?token={}", token.reveal())).unwrap_or_default()
        };
        let minutes = self.settings.one_time_lifetime.as_secs().div_ceil(60);
        let (subject, text) = match mail.template {
            Template::Verify => (
                "Please verify your e-mail address",
                format!("Welcome! To verify your address follow this link within {minutes} minutes:\n{}", link(&self.settings.verify_link)),
            ),
            Template::ChangeEmail => (
                "Please verify your new e-mail address",
                format!("To make this the address of your account follow this link within {minutes} minutes:\n{}", link(&self.settings.verify_link)),
            ),
            Template::Reset => (
                "Set a new password",
                format!("To set a new password follow this link within {minutes} minutes. If you did not ask for it, do nothing.\n{}", link(&self.settings.reset_link)),
            ),
            Template::AlreadyRegistered => (
                "You have an account already",
                "Somebody tried to register with this address. It has an account already; if that was you, sign in or set a new password.".to_owned(),
            ),
            Template::EmailChanged => (
                "Your e-mail address was changed",
                "Your account has another e-mail address now. If that was not you, please write to us.".to_owned(),
            ),
            Template::PasswordChanged => (
                "Your password was changed",
                "Your account has another password now. If that was not you, set a new one at once.".to_owned(),
            ),
        };
        let id = cx.key().map(|key| key.key.to_string()).unwrap_or_default();
        let line =
            Line { id, to: mail.to.clone(), subject: subject.to_owned(), text, at: self.store.clock().now() };
        write(&self.mail_log, &line).map_err(JobError::retry)
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
    tx.enqueue(&Mail { to: to.to_owned(), template, code: None })?;
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
    tx.enqueue(&Mail { to: to.to_owned(), template, code: Some(id) })?;
    Ok(())
}

/// The log of a data directory.
pub(crate) fn log(data: &Path) -> PathBuf {
    data.join(FILE)
}

fn write(path: &Path, line: &Line) -> io::Result<()> {
    let mut text = serde_json::to_string(line)?;
    text.push('\n');
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    // Links in it are good for a while.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(text.as_bytes())
}

/// The text of the last mail to an address in the development log of a data directory, if there was one.
///
/// # Errors
/// When the log cannot be read.
pub fn last_mail(data: &Path, to: &str) -> io::Result<Option<String>> {
    let file = match fs::File::open(log(data)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let mut last = None;
    for line in BufReader::new(file).lines() {
        let line: Line = serde_json::from_str(&line?)?;
        if key(&line.to) == key(to) {
            last = Some(format!("To: {}\nSubject: {}\n\n{}\n", line.to, line.subject, line.text));
        }
    }
    Ok(last)
}
