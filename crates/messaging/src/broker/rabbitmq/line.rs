//! One connection to RabbitMQ, made again when it breaks.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use lapin::uri::{AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo};
use lapin::{Channel, Connection, ConnectionProperties};
use tokio::sync::Mutex;

use super::broker_error;
use crate::broker::BrokerError;
use crate::broker::vendor::{Credentials, LogMisconfigured};

pub(super) struct Line {
    uri: AMQPUri,
    timeout: Duration,
    connection: Mutex<Option<Arc<Connection>>>,
}

/// How often each side shows that it is there, in seconds.
const HEARTBEAT: u16 = 10;

// === impl Line ===

impl Line {
    pub(super) fn new(
        at: &str,
        credentials: Option<Credentials>,
        vhost: &str,
        timeout: Duration,
    ) -> Result<Self, LogMisconfigured> {
        let wrong = || LogMisconfigured { setting: "server", reason: format!("`{at}` is no HOST:PORT") };
        let (host, port) = at.rsplit_once(':').ok_or_else(wrong)?;
        let guest = || Credentials { user: "guest".to_owned(), password: "guest".to_owned() };
        let Credentials { user, password } = credentials.unwrap_or_else(guest);
        let uri = AMQPUri {
            scheme: AMQPScheme::AMQP,
            authority: AMQPAuthority {
                userinfo: AMQPUserInfo { username: user, password },
                host: host.to_owned(),
                port: port.parse().map_err(|_| wrong())?,
            },
            vhost: vhost.to_owned(),
            query: AMQPQueryString { heartbeat: Some(HEARTBEAT), ..AMQPQueryString::default() },
        };
        Ok(Self { uri, timeout, connection: Mutex::default() })
    }

    /// A channel of its own, on a connection that stands.
    pub(super) async fn channel(&self) -> Result<Channel, BrokerError> {
        let connection = {
            let mut connection = self.connection.lock().await;
            match connection.as_ref().filter(|connection| connection.status().connected()) {
                Some(connection) => Arc::clone(connection),
                None => {
                    let properties =
                        ConnectionProperties::default().with_connection_name("partie-messaging".into());
                    let made = Connection::connect_uri(self.uri.clone(), properties);
                    let made = Arc::new(made.await.map_err(broker_error)?);
                    *connection = Some(Arc::clone(&made));
                    made
                }
            }
        };
        let made = connection.create_channel().await;
        if made.is_err() {
            // Perhaps there are no numbers left for channels; a new connection has them all.
            self.connection.lock().await.take_if(|known| Arc::ptr_eq(known, &connection));
        }
        made.map_err(broker_error)
    }

    /// As long as the server may take to answer.
    pub(super) async fn within<T>(
        &self,
        work: impl Future<Output = Result<T, BrokerError>>,
    ) -> Result<T, BrokerError> {
        let late = |_| broker_error(format!("no answer within {} ms", self.timeout.as_millis()));
        tokio::time::timeout(self.timeout, work).await.map_err(late)?
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AMQPUri { authority: AMQPAuthority { userinfo, host, port }, vhost, .. } = &self.uri;
        f.debug_struct("Line")
            .field("at", &format_args!("{host}:{port}"))
            .field("user", &userinfo.username)
            .field("vhost", vhost)
            .finish_non_exhaustive()
    }
}
