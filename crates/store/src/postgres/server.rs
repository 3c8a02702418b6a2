//! The server: where it is, how to get in, and what every connection is set to.

use std::fmt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::Duration;

use futures_util::{Stream, StreamExt, stream};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{AsyncMessage, Client, Connection, NoTls, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::error::whole;
use super::tls::{Trust, connector};
use crate::config::{Config, Durability};
use crate::error::OpenError;

/// How long one attempt to connect may take.
pub(super) const CONNECT: Duration = Duration::from_secs(3);

/// One schema on one server. Cheap to connect to again, as often as needed.
pub(crate) struct Server {
    config: tokio_postgres::Config,
    tls: Option<MakeRustlsConnect>,
    /// Said on every connection.
    setup: String,
    /// The store's name, quoted.
    pub(super) schema: String,
    /// For messages; without the password.
    pub(super) address: PathBuf,
}

/// What a connection says by itself. The connection does its work only while somebody asks for that.
pub(super) type Messages = Pin<Box<dyn Stream<Item = Result<AsyncMessage, tokio_postgres::Error>> + Send>>;

// === impl Server ===

impl Server {
    /// Reads the address. Nothing is connected yet.
    pub(crate) fn new(url: &str, name: &str, config: &Config) -> Result<Self, OpenError> {
        let wrong = |reason: String| OpenError::Address(reason);
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(wrong("it does not begin with `postgres://`".to_owned()));
        }
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        let (mut mode, mut authority, mut rest) = ("prefer", None, Vec::new());
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("sslmode", value)) => mode = value,
                Some(("sslrootcert", value)) => authority = Some(Path::new(value)),
                _ => rest.push(pair),
            }
        }
        let base = if rest.is_empty() { base.to_owned() } else { format!("{base}?{}", rest.join("&")) };
        // The driver's messages quote no password.
        let mut connect: tokio_postgres::Config = base.parse().map_err(|error| wrong(whole(&error)))?;
        let (ssl, trust) = match (mode, authority) {
            ("disable", _) => (SslMode::Disable, None),
            ("prefer", None) => (SslMode::Prefer, Some(Trust::Anybody)),
            ("require", None) => (SslMode::Require, Some(Trust::Anybody)),
            ("prefer" | "require" | "verify-ca", Some(file)) => {
                (SslMode::Require, Some(Trust::Authority(file)))
            }
            ("verify-full", Some(file)) => (SslMode::Require, Some(Trust::Host(file))),
            ("verify-ca" | "verify-full", None) => {
                return Err(wrong(format!(
                    "sslmode={mode} needs sslrootcert=FILE, the certificates to believe"
                )));
            }
            _ => {
                return Err(wrong(format!(
                    "`{mode}` is no sslmode: disable, prefer, require, verify-ca, verify-full"
                )));
            }
        };
        let tls = trust.map(connector).transpose().map_err(|error| wrong(error.to_string()))?;
        if connect.get_application_name().is_none() {
            connect.application_name(format!("partie {name}"));
        }
        connect.ssl_mode(ssl).connect_timeout(CONNECT).keepalives_idle(Duration::from_secs(10));
        connect.keepalives_interval(Duration::from_secs(5)).keepalives_retries(3);
        connect.tcp_user_timeout(config.statement_timeout + Duration::from_secs(5));
        let schema = format!("\"{name}\"");
        let address = address(&connect, name);
        Ok(Self { tls, setup: setup(&schema, config), config: connect, schema, address })
    }

    /// Connects. Somebody has to listen to what comes second.
    pub(super) async fn connect(&self) -> Result<(Client, Messages), tokio_postgres::Error> {
        Ok(match &self.tls {
            None => {
                let (client, connection) = self.config.connect(NoTls).await?;
                (client, messages(connection))
            }
            Some(tls) => {
                let (client, connection) = self.config.connect(tls.clone()).await?;
                (client, messages(connection))
            }
        })
    }

    /// Connects and sets the connection up. It is driven by the runtime that this is called on.
    pub(super) async fn connect_here(&self) -> Result<Client, tokio_postgres::Error> {
        let (client, mut messages) = self.connect().await?;
        // Its end is seen by the client.
        drop(tokio::spawn(async move { while let Some(Ok(_)) = messages.next().await {} }));
        self.set_up(&client).await?;
        Ok(client)
    }

    pub(super) async fn set_up(&self, client: &Client) -> Result<(), tokio_postgres::Error> {
        client.batch_execute(&self.setup).await
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({})", self.address.display())
    }
}

fn messages<T>(mut connection: Connection<Socket, T>) -> Messages
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    Box::pin(stream::poll_fn(move |context| connection.poll_message(context)))
}

/// What holds on every connection of a store.
fn setup(schema: &str, config: &Config) -> String {
    let millis = config.statement_timeout.as_millis().max(1);
    let durability = match config.durability {
        // What the operator has set may be stronger, such as `remote_apply`; only `off` is not enough.
        Durability::Full => {
            "SELECT set_config('synchronous_commit', 'on', false)
             WHERE current_setting('synchronous_commit') IN ('off', 'local');"
        }
        Durability::Relaxed => "SET synchronous_commit = off;",
    };
    // A serializable transaction that reads a table through no index is in the way of everybody who writes to it, and a
    // planner likes to read small tables so. Forbidden, such a read is estimated at ten thousand million pages; where there
    // is no other way the server would compile the statement for that, which takes 100 ms each time.
    format!(
        "SET search_path TO {schema};
         SET statement_timeout = {millis};
         SET idle_in_transaction_session_timeout = {millis};
         SET client_min_messages = warning;
         SET enable_seqscan = off;
         SET jit = off;
         {durability}"
    )
}

fn address(config: &tokio_postgres::Config, schema: &str) -> PathBuf {
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(host)) => host.clone(),
        #[cfg(unix)]
        Some(Host::Unix(path)) => path.display().to_string(),
        None => "localhost".to_owned(),
    };
    let port = config.get_ports().first().copied().unwrap_or(5432);
    let database = config.get_dbname().or_else(|| config.get_user()).unwrap_or_default();
    format!("postgres://{host}:{port}/{database}, schema {schema}").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_never_show_a_password() {
        let config = Config::default();
        let server =
            Server::new("postgres://ann:s3cret@db.local:7000/food?sslmode=require", "orders", &config)
                .unwrap();
        assert_eq!(format!("{server:?}"), "Server(postgres://db.local:7000/food, schema orders)");
        for (url, complaint) in [
            ("mysql://ann:s3cret@db/food", "does not begin with"),
            ("postgres://ann:s3cret@db:port/food", "port"),
            ("postgres://ann:s3cret@db/food?sslmode=maybe", "is no sslmode"),
            ("postgres://ann:s3cret@db/food?sslmode=verify-full", "needs sslrootcert"),
            ("postgres://ann:s3cret@db/food?sslmode=verify-full&sslrootcert=/nowhere.pem", "/nowhere.pem"),
            ("postgres://ann:s3cret@db/food?colour=red", "colour"),
        ] {
            let error = Server::new(url, "orders", &config).unwrap_err().to_string();
            assert!(error.contains(complaint) && !error.contains("s3cret"), "{error}");
        }
    }
}
