//! NATS JetStream: one stream for the system, a subject for each type, a short-lived consumer for each reader.

mod feed;
mod names;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::Context;
use async_nats::jetstream::context::{ContextBuilder, PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{Config, Stream};
use async_nats::{ConnectOptions, ServerAddr};
use futures_util::future::join_all;
use partie_contract::BoxFuture;
use tokio::sync::OnceCell;
use tracing::warn;

use self::feed::NatsFeed;
use super::log::{Feed, Log, Place, ReadError, waves};
use super::vendor::{Credentials, LogConfig, LogMisconfigured, Refusals, broker_error};
use super::{BrokerError, Message, Refused, percent};

/// The events of a system in a stream of NATS JetStream, 2.10 or later.
///
/// The stream is named as the prefix and made when it is not there: on file, with the retention as `max_age`. The subject
/// is `PREFIX.TYPE`, the payload the CloudEvent, `Nats-Msg-Id` the event's id, `Partie-Key` the key, percent-encoded. A
/// publication that is repeated within two minutes is dropped by the server.
///
/// The server's default is to sync its files every two minutes: what it acknowledged survives its process, and with
/// replicas its machine. Alone on a machine that may lose power it needs `sync_interval: always`.
pub struct NatsLog {
    servers: Vec<ServerAddr>,
    credentials: Option<Credentials>,
    config: LogConfig,
    context: OnceCell<Context>,
}

/// The longest wait between attempts to connect.
const RECONNECT: Duration = Duration::from_secs(2);
/// How long the server remembers ids.
const DEDUPE: Duration = Duration::from_secs(120);

// === impl NatsLog ===

impl NatsLog {
    /// The log at servers of one cluster, each `HOST:PORT`. Nothing is asked of them yet.
    ///
    /// # Errors
    /// [`LogMisconfigured`]
    pub fn new(
        servers: &[String],
        credentials: Option<Credentials>,
        config: LogConfig,
    ) -> Result<Self, LogMisconfigured> {
        config.check()?;
        let server = |at: &String| format!("nats://{at}").parse().ok();
        let servers: Option<Vec<_>> = servers.iter().map(server).collect();
        let Some(servers) = servers.filter(|servers| !servers.is_empty()) else {
            return Err(LogMisconfigured { setting: "servers", reason: "each is HOST:PORT".to_owned() });
        };
        Ok(Self { servers, credentials, config, context: OnceCell::new() })
    }

    /// The connection, which from then on looks after itself.
    async fn context(&self) -> Result<&Context, BrokerError> {
        let connect = async || {
            let mut options = ConnectOptions::new()
                .name(&self.config.prefix)
                .retry_on_initial_connect()
                .connection_timeout(self.config.timeout)
                .request_timeout(Some(self.config.timeout))
                .reconnect_delay_callback(|attempts| {
                    let doubled = 1_u64 << attempts.min(16);
                    Duration::from_millis(25 * doubled).min(RECONNECT)
                });
            if let Some(Credentials { user, password }) = &self.credentials {
                options = options.user_and_password(user.clone(), password.clone());
            }
            let client = options.connect(&self.servers).await.map_err(broker_error)?;
            Ok(ContextBuilder::new().timeout(self.config.timeout).build(client))
        };
        self.context.get_or_try_init(connect).await
    }

    /// The stream as it is now, made if it is not there.
    async fn stream(&self) -> Result<Stream, BrokerError> {
        let LogConfig { prefix, retention, replicas, .. } = &self.config;
        let wanted = Config {
            name: prefix.clone(),
            subjects: vec![format!("{prefix}.>")],
            max_age: *retention,
            num_replicas: usize::from(*replicas),
            duplicate_window: DEDUPE.min(*retention),
            ..Config::default()
        };
        let stream = self.context().await?.get_or_create_stream(wanted).await.map_err(broker_error)?;
        let max_age = stream.cached_info().config.max_age;
        if max_age != *retention {
            warn!(
                stream = prefix,
                ?max_age,
                ?retention,
                "the stream keeps messages otherwise than configured"
            );
        }
        Ok(stream)
    }

    /// Sends a wave and waits for the answers. The error means that nobody knows of some.
    async fn send(
        &self,
        context: &Context,
        batch: &[Message],
        wave: &[usize],
        refusals: &mut Refusals,
    ) -> Result<(), BrokerError> {
        let mut waiting = Vec::with_capacity(wave.len());
        for &index in wave {
            let message = &batch[index];
            if !refusals.admits(index, message) {
                continue;
            }
            let Some(subject) = names::subject(&self.config.prefix, &message.type_name) else {
                let reason = format!("the type `{}` is no subject", message.type_name);
                refusals.refuse(index, message, BrokerError(reason.into()));
                continue;
            };
            let publish = PublishMessage::build()
                .message_id(message.id.to_string())
                .header("Content-Type", "application/cloudevents+json")
                .header(names::KEY, percent::encode(&message.key).as_str())
                .payload(message.body.as_bytes().to_vec().into());
            match context.send_publish(subject, publish).await {
                Ok(answer) => waiting.push((index, answer)),
                Err(error) if error.kind() == PublishErrorKind::MaxPayloadExceeded => {
                    refusals.refuse(index, message, broker_error(error));
                }
                Err(error) => return Err(broker_error(error)),
            }
        }
        let answers = waiting.into_iter().map(|(index, answer)| async move { (index, answer.await) });
        for (index, answer) in join_all(answers).await {
            match answer {
                Ok(_) => {}
                Err(error) if is_refusal(&error) => {
                    refusals.refuse(index, &batch[index], broker_error(error));
                }
                Err(error) => return Err(broker_error(error)),
            }
        }
        Ok(())
    }
}

impl Log for NatsLog {
    fn publish(&self, batch: Vec<Message>) -> BoxFuture<'_, Result<Vec<Refused>, BrokerError>> {
        Box::pin(async move {
            let context = self.context().await?;
            let mut refusals = Refusals::default();
            for wave in waves(&batch) {
                match self.send(context, &batch, &wave, &mut refusals).await {
                    Ok(()) => {}
                    Err(error) => {
                        // Perhaps there is no stream yet. Whoever is not sure publishes again.
                        self.stream().await?;
                        return Err(error);
                    }
                }
            }
            Ok(refusals.finish())
        })
    }

    fn parts(&self) -> BoxFuture<'_, Result<u32, BrokerError>> {
        Box::pin(async { self.stream().await.map(|_| 1) })
    }

    fn read(&self, place: Place) -> BoxFuture<'_, Result<Box<dyn Feed>, ReadError>> {
        Box::pin(async move {
            let stream = self.stream().await?;
            let last = stream.cached_info().state.last_sequence;
            let after = u64::try_from(place.after).unwrap_or(0);
            if last < after {
                return Err(ReadError::Anew { after: place.after });
            }
            let subjects = place.types.iter().filter_map(|name| names::subject(&self.config.prefix, name));
            let feed = NatsFeed::open(&stream, &self.config.prefix, subjects.collect(), after).await?;
            Ok(Box::new(feed) as Box<dyn Feed>)
        })
    }

    fn retention(&self) -> Duration {
        self.config.retention
    }
}

impl fmt::Debug for NatsLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsLog")
            .field("servers", &self.servers)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

/// Whether the server has said that the message is not in the stream. Its words come as the source of the error; an
/// answer nobody understood says nothing.
fn is_refusal(error: &PublishError) -> bool {
    let said = std::error::Error::source(error);
    error.kind() == PublishErrorKind::Other && said.is_some_and(|said| !said.is::<serde_json::Error>())
}

/// Shares a message's text without another copy.
fn text(bytes: &[u8]) -> Option<Arc<str>> {
    std::str::from_utf8(bytes).ok().map(Arc::from)
}
