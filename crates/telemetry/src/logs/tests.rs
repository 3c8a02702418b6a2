//! What a line of log looks like.

use std::io::Write;
use std::sync::{Arc, Mutex};

use super::*;

/// A writer whose text can be read afterwards.
#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn written(filter: &str, people: bool, colour: bool, log: impl FnOnce()) -> String {
    let page = Page::default();
    let to = page.clone();
    let subscriber = subscriber(filter.parse().unwrap(), people, colour, move || to.clone());
    tracing::subscriber::with_default(subscriber, log);
    let bytes = page.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn people_get_one_plain_line_with_the_time_of_day() {
    let line = written("info", true, false, || tracing::info!(target: "orders", port = 8080, "listening"));
    let (time, rest) = line.split_at(12);
    assert!(time.chars().enumerate().all(|(at, c)| match at {
        2 | 5 => c == ':',
        8 => c == '.',
        _ => c.is_ascii_digit(),
    }));
    assert_eq!(rest, "  INFO orders: listening port=8080\n");
}

#[test]
fn machines_get_one_json_object_a_line() {
    let text = written("info", false, false, || {
        let span = tracing::info_span!("place", request_id = "r-1");
        let _entered = span.enter();
        tracing::warn!(target: "orders", took_ms = 12, "a \"slow\"\nline");
    });
    assert_eq!(text.lines().count(), 1, "{text}");
    let line: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(line["level"], "WARN");
    assert_eq!(line["target"], "orders");
    assert_eq!(line["message"], "a \"slow\"\nline");
    assert_eq!(line["took_ms"], 12);
    assert_eq!(line["span"]["request_id"], "r-1");
    assert!(line["timestamp"].as_str().unwrap().ends_with('Z'));
}

#[test]
fn a_message_cannot_steer_the_terminal() {
    for colour in [false, true] {
        let line = written("info", true, colour, || tracing::info!("{}", "\u{1b}[2Jgone"));
        assert!(!line.contains("\u{1b}[2J"), "{line:?}");
    }
}

#[test]
fn targets_are_filtered() {
    let text = written("warn,orders=debug,noisy=off", true, false, || {
        tracing::debug!(target: "orders", "kept");
        tracing::info!(target: "other", "dropped");
        tracing::error!(target: "noisy", "dropped");
    });
    assert_eq!(text.lines().count(), 1, "{text}");
}

#[test]
fn the_variable_goes_before_the_configuration_and_a_bad_one_says_where_it_is_from() {
    assert_eq!(filter(Some("debug".to_owned()), "info").unwrap(), "debug".parse().unwrap());
    assert_eq!(filter(Some(" ".to_owned()), "info").unwrap(), "info".parse().unwrap());
    for (variable, origin) in [(Some("orders=loud".to_owned()), "PARTIE_LOG"), (None, "the configuration")] {
        let error = filter(variable, "orders=loud").unwrap_err().to_string();
        assert!(error.contains(origin) && error.contains("orders=loud"), "{error}");
    }
}

#[test]
fn the_second_call_changes_nothing() {
    init(&Logs::default()).unwrap();
    init(&Logs { format: Format::Json, ..Logs::default() }).unwrap();
}

#[test]
fn unknown_settings_are_errors() {
    let read = |text| serde_json::from_str::<Logs>(text);
    assert_eq!(read(r#"{"format":"json"}"#).unwrap().format, Format::Json);
    assert!(read(r#"{"formt":"json"}"#).is_err());
}
