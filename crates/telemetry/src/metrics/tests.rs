//! What the text looks like to Prometheus.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::*;
use crate::SlowPolls;

/// The value of the line that starts with `series`.
fn value(text: &str, series: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok())
}

fn series(name: &str, operation: &str, rest: &str) -> String {
    format!("{name}{{service=\"metrics-test\",version=\"1\",operation=\"{operation}\"{rest}}}")
}

#[test]
fn installing_again_gives_the_same_metrics() {
    const TWICE: Definition = Definition::new("test.twice", Unit::Count, "Counts twice");
    Metrics::install();
    TWICE.counter(&[]).increment(1);
    Metrics::install();
    TWICE.counter(&[]).increment(1);
    assert_eq!(value(&Metrics::install().render(), "test_twice_total"), Some(2.0));
}

#[test]
fn the_facades_own_macros_reach_the_same_text() {
    let metrics = Metrics::install();
    metrics::counter!("test.facade", "who" => "a program").increment(3);
    assert_eq!(value(&metrics.render(), "test_facade_total{who=\"a program\"}"), Some(3.0));
}

#[test]
fn durations_are_in_seconds_by_operation_and_class() {
    let operation = HttpServerMetrics::for_operation("metrics-test", 1, "durations");
    operation.record(201, Duration::from_millis(30));
    operation.record(204, Duration::from_millis(3));
    operation.record(422, Duration::from_secs(20));
    let text = Metrics::install().render();
    let of = |part: &str, rest: &str| {
        let name = format!("http_server_request_duration_seconds_{part}");
        value(&text, &series(&name, "durations", rest))
    };
    assert_eq!(of("count", ",status=\"2xx\""), Some(2.0));
    assert_eq!(of("sum", ",status=\"2xx\""), Some(0.033));
    assert_eq!(of("bucket", ",status=\"2xx\",le=\"0.005\""), Some(1.0));
    assert_eq!(of("bucket", ",status=\"2xx\",le=\"0.05\""), Some(2.0));
    assert_eq!(of("bucket", ",status=\"4xx\",le=\"10\""), Some(0.0));
    assert_eq!(of("bucket", ",status=\"4xx\",le=\"+Inf\""), Some(1.0));
    assert_eq!(of("count", ",status=\"5xx\""), Some(0.0), "there before the first failure");
    assert_eq!(of("count", ",status=\"3xx\""), None, "no series for what never occurs");
    assert!(text.contains("# TYPE http_server_request_duration_seconds histogram"), "{text}");
}

#[test]
fn a_request_is_active_until_it_ends_and_a_dropped_one_was_cancelled() {
    let operation = HttpServerMetrics::for_operation("metrics-test", 1, "active");
    let active = || value(&Metrics::install().render(), &series("http_server_active_requests", "active", ""));
    let (answered, dropped) = (operation.begin(), operation.begin());
    assert_eq!(active(), Some(2.0));
    answered.finish(200);
    assert_eq!(active(), Some(1.0));
    drop(dropped);
    assert_eq!(active(), Some(0.0));
    let text = Metrics::install().render();
    for class in ["2xx", "cancelled"] {
        let count =
            series("http_server_request_duration_seconds_count", "active", &format!(",status=\"{class}\""));
        assert_eq!(value(&text, &count), Some(1.0), "{class}");
    }
}

#[test]
fn a_watched_request_lasts_until_its_work_ends() {
    let operation = HttpServerMetrics::for_operation("metrics-test", 1, "watched");
    let slow = SlowPolls::for_operation("metrics-test", 1, "watched");
    let mut request = operation.begin();
    {
        let work = pin!(request.watch(&slow, std::future::ready(7)));
        assert_eq!(work.poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(7));
    }
    let took = request.elapsed();
    assert_eq!(request.elapsed(), took);
}

#[test]
fn hostile_label_values_stay_on_their_line() {
    const HOSTILE: Definition = Definition::new("test.hostile", Unit::Count, "Hostile");
    HOSTILE.counter(&[("name", "a\"} 1\nprocess_threads 7\\")]).increment(1);
    let text = Metrics::install().render();
    assert!(!text.contains("\nprocess_threads 7\\"), "{text}");
}

#[test]
#[cfg(target_os = "linux")]
fn the_process_tells_about_itself() {
    let text = Metrics::install().render();
    assert!(value(&text, "process_resident_memory_bytes ").unwrap() > 100_000.0);
    assert!(value(&text, "process_cpu_seconds_total ").unwrap() >= 0.0);
    assert!(value(&text, "process_open_fds ").unwrap() >= 3.0);
    assert!(value(&text, "process_start_time_seconds ").unwrap() > 1_600_000_000.0);
}

#[test]
fn upkeep_loses_nothing() {
    const KEPT: Definition = Definition::new("test.kept", Unit::Seconds, "Kept");
    let kept = KEPT.histogram(&[]);
    kept.record(0.25);
    Metrics::install().upkeep();
    kept.record(0.5);
    let text = Metrics::install().render();
    assert_eq!(value(&text, "test_kept_seconds_sum"), Some(0.75));
    assert_eq!(value(&text, "test_kept_seconds_count"), Some(2.0));
}
