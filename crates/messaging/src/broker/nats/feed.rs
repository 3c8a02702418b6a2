//! Reads the stream through a consumer that lives no longer than its reader.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::stream::Stream;
use futures_util::{FutureExt, StreamExt};
use partie_contract::BoxFuture;
use tracing::warn;
use uuid::Uuid;

use super::{broker_error, names, text};
use crate::broker::log::{Feed, Page};
use crate::broker::{BrokerError, Message, percent};

/// How many messages are on their way at most.
const AHEAD: usize = 512;
/// How many messages a page has at most.
const PAGE: usize = 256;
/// How often the server shows that it is there.
const HEARTBEAT: Duration = Duration::from_secs(2);
/// How long the server keeps a consumer nobody asks.
const INACTIVE: Duration = Duration::from_secs(30);

pub(super) struct NatsFeed {
    messages: pull::Stream,
    prefix: String,
    /// How many messages came. A gap shows that some were lost on the way.
    came: u64,
    to: i64,
}

// === impl NatsFeed ===

impl NatsFeed {
    pub(super) async fn open(
        stream: &Stream,
        prefix: &str,
        subjects: Vec<String>,
        after: u64,
    ) -> Result<Self, BrokerError> {
        let deliver_policy = match after {
            0 => DeliverPolicy::All,
            after => DeliverPolicy::ByStartSequence { start_sequence: after + 1 },
        };
        let config = pull::Config {
            deliver_policy,
            // How far we are stands in our store.
            ack_policy: AckPolicy::None,
            filter_subjects: subjects,
            inactive_threshold: INACTIVE,
            memory_storage: true,
            num_replicas: 1,
            ..pull::Config::default()
        };
        let consumer = stream.create_consumer(config).await.map_err(broker_error)?;
        let messages = consumer.stream().max_messages_per_batch(AHEAD).heartbeat(HEARTBEAT).messages().await;
        let to = i64::try_from(after).unwrap_or(i64::MAX);
        Ok(Self { messages: messages.map_err(broker_error)?, prefix: prefix.to_owned(), came: 0, to })
    }

    fn take(
        &mut self,
        page: &mut Page,
        next: Option<Result<jetstream::Message, pull::MessagesError>>,
    ) -> Result<(), BrokerError> {
        let message = next.ok_or_else(|| broker_error("the consumer is gone"))?.map_err(broker_error)?;
        let info = message.info().map_err(BrokerError)?;
        self.came += 1;
        if info.consumer_sequence != self.came {
            return Err(broker_error("messages were lost on the way"));
        }
        self.to = i64::try_from(info.stream_sequence).unwrap_or(i64::MAX);
        page.to = self.to;
        match read(&self.prefix, &message) {
            Some(message) => page.rows.push((self.to, Arc::new(message))),
            None => {
                warn!(position = self.to, subject = %message.subject, "a message of somebody else is passed over")
            }
        }
        Ok(())
    }
}

impl Feed for NatsFeed {
    fn next(&mut self) -> BoxFuture<'_, Result<Page, BrokerError>> {
        Box::pin(async move {
            let mut page = Page { rows: Vec::new(), to: self.to };
            let first = self.messages.next().await;
            self.take(&mut page, first)?;
            // What is here already; nothing is awaited, so nothing is lost when somebody does not wait for us.
            while page.rows.len() < PAGE
                && let Some(next) = self.messages.next().now_or_never()
            {
                if let Err(error) = self.take(&mut page, next) {
                    // What came before is good, and the error comes again.
                    warn!(%error, "the line to the log is about to break");
                    break;
                }
            }
            Ok(page)
        })
    }
}

fn read(prefix: &str, message: &jetstream::Message) -> Option<Message> {
    let headers = message.headers.as_ref()?;
    Some(Message {
        id: Uuid::parse_str(headers.get(async_nats::header::NATS_MESSAGE_ID)?.as_str()).ok()?,
        type_name: names::type_of(prefix, &message.subject)?.into(),
        key: percent::decode(headers.get(names::KEY)?.as_str())?.into(),
        body: text(&message.payload)?,
    })
}
