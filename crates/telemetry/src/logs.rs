//! Logs: what `tracing` is told, to stderr, for people on a terminal and as JSON lines otherwise.

use std::fmt;
use std::io::{IsTerminal, Write, stderr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{ParseError, Targets};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::fmt::{MakeWriter, layer};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry;

/// The variable that goes before the configured filter.
const VARIABLE: &str = "PARTIE_LOG";

/// How logs are written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Logs {
    /// For whom.
    pub format: Format,
    /// Which: a level, or targets with levels, such as `info,partie_mesh=debug,hyper=off`. The environment variable
    /// `PARTIE_LOG` goes before it. `info` by default.
    pub filter: String,
}

/// For whom logs are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Format {
    /// For people if stderr is a terminal, as JSON otherwise.
    #[default]
    Auto,
    /// For people: one line an event, local time, colour on a terminal unless `NO_COLOR` is set.
    Human,
    /// One JSON object a line, time in UTC.
    Json,
}

/// Why logs cannot be written as wished.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogsError {
    /// The filter cannot be read.
    #[error("the log filter {text:?} of {origin} cannot be read; write for example info,partie_mesh=debug")]
    Filter {
        /// The filter.
        text: String,
        /// Where it is from.
        origin: &'static str,
        /// What is wrong with it.
        source: ParseError,
    },
    /// The program set its own subscriber before.
    #[error("the program has set a tracing subscriber before; logs go there")]
    Taken,
}

/// Begins to write logs. A second call changes nothing.
///
/// # Errors
/// [`LogsError::Filter`] for a filter that cannot be read; [`LogsError::Taken`] when a subscriber that is not ours is
/// set, which keeps the logs.
pub fn init(logs: &Logs) -> Result<(), LogsError> {
    init_through(logs, stderr)
}

/// The same for a program that draws on its terminal: what is logged goes to stderr through a writer of its own. One is
/// made for each event and given the event in one piece.
///
/// # Errors
/// As [`init`].
pub fn init_through<W: Write>(
    logs: &Logs,
    to: impl Fn() -> W + Send + Sync + 'static,
) -> Result<(), LogsError> {
    static OURS: AtomicBool = AtomicBool::new(false);
    let terminal = stderr().is_terminal();
    let colour = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let filter = filter(std::env::var(VARIABLE).ok(), &logs.filter)?;
    let people = match logs.format {
        Format::Auto => terminal,
        Format::Human => true,
        Format::Json => false,
    };
    match tracing::subscriber::set_global_default(subscriber(filter, people, colour, to)) {
        Ok(()) => OURS.store(true, Ordering::Release),
        Err(_) if OURS.load(Ordering::Acquire) => {}
        Err(_) => return Err(LogsError::Taken),
    }
    Ok(())
}

fn filter(variable: Option<String>, configured: &str) -> Result<Targets, LogsError> {
    let (text, origin) = match variable.filter(|text| !text.trim().is_empty()) {
        Some(text) => (text, VARIABLE),
        None => (configured.to_owned(), "the configuration"),
    };
    text.trim().parse().map_err(|source| LogsError::Filter { text, origin, source })
}

fn subscriber<W>(filter: Targets, people: bool, colour: bool, to: W) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    // A process whose stderr nobody reads any more must go on: by default a failed write is reported with `eprintln!`,
    // which panics.
    let layer = layer().with_writer(to).log_internal_errors(false);
    if people {
        let zone = jiff::tz::TimeZone::system();
        let layer = layer.compact().with_ansi(colour).with_timer(TimeOfDay(zone));
        Box::new(registry().with(layer.with_filter(filter)))
    } else {
        let layer = layer.json().flatten_event(true).with_span_list(false);
        Box::new(registry().with(layer.with_filter(filter)))
    }
}

impl Default for Logs {
    fn default() -> Self {
        Self { format: Format::Auto, filter: "info".to_owned() }
    }
}

/// `14:03:07.123`, in the time zone of the machine: the date is today's.
struct TimeOfDay(jiff::tz::TimeZone);

impl FormatTime for TimeOfDay {
    #[expect(clippy::disallowed_methods, reason = "people compare it with the clock on the wall")]
    fn format_time(&self, out: &mut Writer<'_>) -> fmt::Result {
        let now = jiff::Timestamp::try_from(SystemTime::now()).map_err(|_| fmt::Error)?;
        let now = now.to_zoned(self.0.clone());
        write!(out, "{:02}:{:02}:{:02}.{:03}", now.hour(), now.minute(), now.second(), now.millisecond())
    }
}

#[cfg(test)]
mod tests;
