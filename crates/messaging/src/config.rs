//! The settings of messaging. Durations are written like `5s`, `7d`.

use std::time::Duration;

use partie_runtime::duration;
use serde::{Deserialize, Serialize};

use partie_runtime::Backoff;

/// The settings of a service's messaging.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Config {
    /// From the outbox to the broker.
    pub relay: RelayConfig,
    /// From the broker to the handlers.
    pub consumers: ConsumerConfig,
    /// Durable timers.
    pub timers: TimerConfig,
    /// Effects outside the store.
    pub jobs: JobConfig,
    /// Sagas.
    pub sagas: SagaConfig,
}

/// The settings of the relay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct RelayConfig {
    /// How many events go to the broker at once.
    pub batch: usize,
    /// How old, in real time, the oldest unsent event may be before operations that publish are refused.
    #[serde(with = "duration")]
    pub backlog_limit: Duration,
    /// How long sent rows are kept, in real time.
    #[serde(with = "duration")]
    pub keep_sent: Duration,
    /// The least time from one batch to the next while there are many events: those that come meanwhile leave together.
    #[serde(with = "duration")]
    pub pace: Duration,
    /// Between attempts to publish.
    pub backoff: Backoff,
    /// How long a stopping relay tries to get rid of what is left.
    #[serde(with = "duration")]
    pub flush: Duration,
}

/// The settings of consumers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct ConsumerConfig {
    /// How many keys a group handles at the same time.
    pub concurrency: usize,
    /// How long, in real time, an event may wait for its handler before operations that publish are refused.
    #[serde(with = "duration")]
    pub backlog_limit: Duration,
    /// After so many failures of one message its key is parked.
    pub attempts: u32,
    /// Between attempts.
    pub backoff: Backoff,
    /// How long it is remembered that an event was handled, in business time. At least twice the broker's retention,
    /// whatever is written here.
    #[serde(with = "duration")]
    pub remember: Duration,
}

/// The settings of timers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct TimerConfig {
    /// How many due timers are fired together at most.
    pub batch: usize,
    /// After so many failures a timer is parked.
    pub attempts: u32,
    /// Between attempts.
    pub backoff: Backoff,
}

/// The settings of jobs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct JobConfig {
    /// How many jobs of the service run at the same time.
    pub concurrency: usize,
    /// How long one attempt may take, in real time.
    #[serde(with = "duration")]
    pub timeout: Duration,
    /// After so many attempts a job is a dead letter.
    pub attempts: u32,
    /// Between attempts.
    pub backoff: Backoff,
    /// How long finished jobs are kept, in business time.
    #[serde(with = "duration")]
    pub keep_done: Duration,
}

/// The settings of sagas.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct SagaConfig {
    /// How many commands of the service's sagas are under way at the same time.
    pub concurrency: usize,
    /// How long one attempt of a command may take, in real time.
    #[serde(with = "duration")]
    pub timeout: Duration,
    /// After so many attempts without an answer a command before the pivot is given up and compensated. After the
    /// pivot, and for compensations, there is no such limit.
    pub attempts: u32,
    /// From so many failed attempts on, each one raises an alert. A compensation that is refused this often is not tried
    /// any more: the saga is parked until somebody has it tried again.
    pub alert_after: u32,
    /// How long, in real time, a saga may wait for its turn before operations that may begin more of them are refused.
    #[serde(with = "duration")]
    pub backlog_limit: Duration,
    /// Between attempts.
    pub backoff: Backoff,
    /// How long sagas are kept that have ended, with their history, in business time; and with what this service answers
    /// to commands that come after their compensation.
    #[serde(with = "duration")]
    pub keep_ended: Duration,
}

impl Default for RelayConfig {
    fn default() -> Self {
        Self {
            batch: 512,
            backlog_limit: Duration::from_secs(5),
            keep_sent: Duration::from_hours(1),
            pace: Duration::from_millis(5),
            backoff: Backoff::new(Duration::from_millis(50), Duration::from_secs(5)),
            flush: Duration::from_secs(5),
        }
    }
}

impl Default for ConsumerConfig {
    fn default() -> Self {
        Self {
            concurrency: 128,
            backlog_limit: Duration::from_secs(2),
            attempts: 8,
            backoff: Backoff::default(),
            remember: Duration::from_hours(14 * 24),
        }
    }
}

impl Default for TimerConfig {
    fn default() -> Self {
        Self { batch: 256, attempts: 8, backoff: Backoff::default() }
    }
}

impl Default for JobConfig {
    fn default() -> Self {
        Self {
            concurrency: 64,
            timeout: Duration::from_secs(30),
            attempts: 10,
            backoff: Backoff::new(Duration::from_millis(500), Duration::from_mins(5)),
            keep_done: Duration::from_hours(24),
        }
    }
}

impl Default for SagaConfig {
    fn default() -> Self {
        Self {
            concurrency: 64,
            timeout: Duration::from_secs(10),
            attempts: 8,
            alert_after: 5,
            backlog_limit: Duration::from_secs(2),
            backoff: Backoff::default(),
            keep_ended: Duration::from_hours(30 * 24),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_configuration_reads_back() {
        let config: Config =
            serde_json::from_str(r#"{"relay": {"backlog-limit": "7s", "backoff": {"first": "10ms"}}}"#)
                .unwrap();
        assert_eq!(config.relay.backlog_limit, Duration::from_secs(7));
        assert_eq!(config.relay.backoff.first, Duration::from_millis(10));
        let text = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<Config>(&text).unwrap(), config, "{text}");
        assert!(serde_json::from_str::<Config>(r#"{"relais": {}}"#).is_err());
    }
}
