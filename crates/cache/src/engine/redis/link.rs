//! One connection to a Redis server, made when it is needed and given up when it does not answer.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, FromRedisValue, IntoConnectionInfo, RedisConnectionInfo,
    RedisError, ScriptInvocation,
};
use tokio::runtime::Handle;
use tokio::sync::OnceCell;

use crate::engine::EngineError;
use crate::url::CacheUrl;

/// The way to a server, shared by all caches of a service. Cheap to clone.
///
/// A question that gets no answer, because it was given up or the connection broke, takes the connection with it: the next
/// question makes a new one. A server that was started again or a network that swallows packets need no more than that.
#[derive(Clone)]
pub struct RedisLink(Arc<Inner>);

struct Inner {
    /// For people.
    name: String,
    client: Result<Client, String>,
    timeout: Duration,
    /// Whose tasks drive the connection: it outlives whoever asks first.
    runtime: Handle,
    current: Mutex<Arc<Connection>>,
}

/// A connection, once somebody has made it.
type Connection = OnceCell<MultiplexedConnection>;

/// A question under way on that connection.
struct Doubt<'l> {
    link: &'l Inner,
    connection: Arc<Connection>,
    is_answered: bool,
}

// === impl RedisLink ===

impl RedisLink {
    /// To that server; a connection is made within `timeout` or not at all.
    pub fn new(url: &CacheUrl, timeout: Duration, runtime: Handle) -> Self {
        let mut settings = RedisConnectionInfo::default().set_db(i64::from(url.db));
        if let Some(user) = &url.user {
            settings = settings.set_username(user);
        }
        if let Some(password) = &url.password {
            settings = settings.set_password(password);
        }
        let address = ConnectionAddr::Tcp(url.host.clone(), url.port);
        let client = address
            .into_connection_info()
            .and_then(|info| Client::open(info.set_redis_settings(settings)))
            .map_err(|error| error.to_string());
        Self(Arc::new(Inner { name: url.to_string(), client, timeout, runtime, current: Mutex::default() }))
    }

    /// Has a script done.
    pub(super) async fn run<T: FromRedisValue>(&self, call: &ScriptInvocation<'_>) -> Result<T, EngineError> {
        let connection = self.0.current();
        let mut usable = connection.get_or_try_init(|| self.0.connect()).await?.clone();
        let mut doubt = Doubt { link: &self.0, connection, is_answered: false };
        let answer = call.invoke_async(&mut usable).await;
        doubt.is_answered = match &answer {
            Ok(_) => true,
            Err(error) => !error.is_unrecoverable_error() && !error.is_timeout(),
        };
        answer.map_err(|error| self.0.error(error))
    }
}

impl fmt::Display for RedisLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.name)
    }
}

impl fmt::Debug for RedisLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisLink({self})")
    }
}

// === impl Inner ===

impl Inner {
    fn current(&self) -> Arc<Connection> {
        Arc::clone(&self.current.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn connect(&self) -> Result<MultiplexedConnection, EngineError> {
        let client = self.client.clone().map_err(|reason| EngineError::new(&self.name, reason))?;
        // Both are limited by whoever asks, too; these end what nobody waits for any more.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.timeout))
            .set_response_timeout(Some(self.timeout));
        let connecting = self
            .runtime
            .spawn(async move { client.get_multiplexed_async_connection_with_config(&config).await });
        match connecting.await {
            Ok(connection) => connection.map_err(|error| self.error(error)),
            Err(gone) => Err(EngineError::new(&self.name, gone)),
        }
    }

    fn error(&self, error: RedisError) -> EngineError {
        EngineError::new(&self.name, error)
    }
}

// === impl Doubt ===

impl Drop for Doubt<'_> {
    fn drop(&mut self) {
        if self.is_answered {
            return;
        }
        let mut current = self.link.current.lock().unwrap_or_else(PoisonError::into_inner);
        if Arc::ptr_eq(&current, &self.connection) {
            *current = Arc::default();
        }
    }
}
