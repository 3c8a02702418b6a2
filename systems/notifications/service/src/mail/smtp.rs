//! Mail by SMTP: a few connections that are kept for a while, each attempt within its time.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use partie::contract::BoxError;
use partie::runtime::monotonic;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::letter::Sender;
use super::settings::MailSettings;
use super::url::{MailUrl, Security};
use crate::provider::{Message, ProviderError};

/// How long a connection may be idle. Servers close theirs after some minutes (RFC 5321, section 4.5.3.2.7).
const IDLE: Duration = Duration::from_secs(30);
/// How long a mail waits for a connection. It takes the place of others meanwhile, of text messages and webhooks too.
const WAIT: Duration = Duration::from_secs(3);
/// How many mails go over one connection; many servers want no more.
const MAILS: u32 = 100;
/// Refusals of us and not of the mail, though their numbers look final: whoever repairs the configuration wants the mail
/// sent then (RFC 4954, section 6).
const OURS: [u16; 4] = [530, 534, 535, 538];

/// A mail server.
///
/// `lettre` speaks the protocol; its pool is not used, for it has no bound on open connections and takes back one whose
/// attempt was given up in the middle of a mail.
pub(crate) struct Smtp {
    server: MailUrl,
    tls: Option<TlsParameters>,
    login: Option<Credentials>,
    name: ClientId,
    sender: Sender,
    timeout: Duration,
    /// One for each connection there may be.
    slots: Semaphore,
    idle: Mutex<Vec<Line>>,
}

/// A connection between two mails.
struct Line {
    connection: AsyncSmtpConnection,
    since: Instant,
    mails: u32,
}

// === impl Smtp ===

impl Smtp {
    pub(super) fn new(settings: &MailSettings, url: &MailUrl, sender: Sender) -> Result<Self, BoxError> {
        let mut tls = TlsParameters::builder(url.host.clone());
        if let Some(path) = &settings.ca {
            let unusable = |reason: &dyn fmt::Display| format!("mail.ca: {}: {reason}", path.display());
            let pem = std::fs::read(path).map_err(|error| unusable(&error))?;
            tls = tls.add_root_certificate(Certificate::from_pem(&pem).map_err(|error| unusable(&error))?);
        }
        let tls = if url.security == Security::Clear { None } else { Some(tls.build()?) };
        Ok(Self {
            tls,
            login: url.login.clone().map(|(user, password)| Credentials::new(user, password)),
            name: ClientId::Domain(sender.domain().to_owned()),
            server: url.clone(),
            sender,
            timeout: settings.timeout,
            slots: Semaphore::new(settings.connections),
            idle: Mutex::new(Vec::new()),
        })
    }

    pub(super) async fn send(&self, message: &Message) -> Result<(), ProviderError> {
        let letter = self.sender.letter(message)?;
        let bytes = letter.formatted();
        let attempt = async {
            let busy = |_| ProviderError::transient(format!("all connections to {} are busy", self.server));
            let _slot =
                timeout(WAIT, self.slots.acquire()).await.map_err(busy)?.map_err(ProviderError::transient)?;
            let mut line = match self.kept().await {
                Some(line) => line,
                None => self.connect().await.map_err(|error| ProviderError::transient(said(&error)))?,
            };
            // A line that is dropped in the middle is closed: what the server says next is of no other mail.
            line.connection.send(letter.envelope(), &bytes).await.map_err(|error| judged(&error))?;
            self.keep(line);
            Ok(())
        };
        let over = |_| ProviderError::transient(format!("{} did not answer in time", self.server));
        timeout(self.timeout, attempt).await.map_err(over)?
    }

    async fn connect(&self) -> Result<Line, Error> {
        let MailUrl { host, port, security, .. } = &self.server;
        let tls = self.tls.clone().filter(|_| *security == Security::Tls);
        let server = (host.as_str(), *port);
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(server, Some(self.timeout), &self.name, tls, None).await?;
        if let (Security::StartTls, Some(tls)) = (security, &self.tls) {
            // A server that does not offer it, or somebody on the way who hides that it does, gets neither password nor mail.
            connection.starttls(tls.clone(), &self.name).await?;
        }
        if let Some(login) = &self.login {
            connection.auth(&[Mechanism::Plain, Mechanism::Login], login).await?;
        }
        Ok(Line { connection, since: monotonic(), mails: 0 })
    }

    /// A connection that is still good.
    async fn kept(&self) -> Option<Line> {
        loop {
            let mut line = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
            if line.since.elapsed() < IDLE && line.connection.test_connected().await {
                return Some(line);
            }
        }
    }

    fn keep(&self, mut line: Line) {
        line.mails += 1;
        line.since = monotonic();
        if line.mails < MAILS {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            // Nobody else closes those that nobody takes any more.
            idle.retain(|line| line.since.elapsed() < IDLE);
            idle.push(line);
        }
    }
}

/// What the server's answer to a mail means.
fn judged(error: &Error) -> ProviderError {
    let is_final = error.is_permanent() && error.status().is_some_and(|code| !OURS.contains(&code.into()));
    let reason = said(error);
    if is_final { ProviderError::permanent(reason) } else { ProviderError::transient(reason) }
}

/// An error with its causes.
fn said(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}
