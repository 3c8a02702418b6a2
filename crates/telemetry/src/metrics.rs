//! The recorder of all metrics and its Prometheus text.

mod http;
mod process;

use std::sync::{Arc, OnceLock};

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Label, Level, Metadata, Recorder, Unit};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

pub use http::{ActiveRequest, HttpServerMetrics};

/// The bounds OpenTelemetry's HTTP conventions advise for durations, in seconds.
const SECONDS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// Where the metrics of this process are. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Metrics {
    recorder: Arc<PrometheusRecorder>,
    text: PrometheusHandle,
}

/// What a metric is: its OpenTelemetry name, its unit, its meaning. Crates keep theirs as constants in one file.
///
/// In the Prometheus text dots become underscores, the unit follows the name, and a counter ends in `_total`:
/// `partie.outbox.age` in seconds is `partie_outbox_age_seconds`.
///
/// ```
/// use partie_telemetry::{Definition, Unit};
///
/// const RETRIES: Definition =
///     Definition::new("partie.mesh.retries", Unit::Count, "Attempts beyond the first of a call");
///
/// let orders = RETRIES.counter(&[("service", "orders")]); // once, and kept
/// orders.increment(1);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Definition {
    name: &'static str,
    unit: Unit,
    help: &'static str,
}

// === impl Metrics ===

impl Metrics {
    /// The metrics of this process, installed on the first call as the recorder of the `metrics` facade.
    ///
    /// If the program has given the facade another recorder before, ours still gets what Partie measures, and the
    /// other one gets what the program's own `metrics` macros measure.
    pub fn install() -> Self {
        static INSTALLED: OnceLock<Metrics> = OnceLock::new();
        INSTALLED
            .get_or_init(|| {
                let recorder = Arc::new(builder().build_recorder());
                if metrics::set_global_recorder(Arc::clone(&recorder)).is_err() {
                    tracing::warn!("another metrics recorder was installed before; /metrics shows Partie's own metrics only");
                }
                Self { text: recorder.handle(), recorder }
            })
            .clone()
    }

    /// The media type of [`render`](Self::render).
    pub const MEDIA_TYPE: &'static str = "text/plain; version=0.0.4; charset=utf-8";

    /// Everything in Prometheus' text format 0.0.4, with the figures of the process read now.
    pub fn render(&self) -> String {
        let mut text = self.text.render();
        process::write(&mut text);
        text
    }

    /// Folds the samples of the histograms into their buckets. Until then each sample takes eight bytes, so a
    /// background task calls this every few seconds; [`render`](Self::render) does it too.
    pub fn upkeep(&self) {
        self.text.run_upkeep();
    }
}

fn builder() -> PrometheusBuilder {
    let builder = PrometheusBuilder::new().with_recommended_naming(true);
    match builder.set_buckets(&SECONDS) {
        Ok(builder) => builder,
        Err(never) => unreachable!("there are bounds: {never}"),
    }
}

// === impl Definition ===

impl Definition {
    /// A metric of that OpenTelemetry name, unit and meaning.
    pub const fn new(name: &'static str, unit: Unit, help: &'static str) -> Self {
        Self { name, unit, help }
    }

    /// The counter with those labels. Register it once and keep it.
    pub fn counter(&self, labels: &[(&'static str, &str)]) -> Counter {
        let recorder = Metrics::install().recorder;
        recorder.describe_counter(KeyName::from_const_str(self.name), Some(self.unit), self.help.into());
        recorder.register_counter(&self.key(labels), &METADATA)
    }

    /// The gauge with those labels. Register it once and keep it.
    pub fn gauge(&self, labels: &[(&'static str, &str)]) -> Gauge {
        let recorder = Metrics::install().recorder;
        recorder.describe_gauge(KeyName::from_const_str(self.name), Some(self.unit), self.help.into());
        recorder.register_gauge(&self.key(labels), &METADATA)
    }

    /// The histogram with those labels. Register it once and keep it. Record seconds for [`Unit::Seconds`].
    pub fn histogram(&self, labels: &[(&'static str, &str)]) -> Histogram {
        let recorder = Metrics::install().recorder;
        recorder.describe_histogram(KeyName::from_const_str(self.name), Some(self.unit), self.help.into());
        recorder.register_histogram(&self.key(labels), &METADATA)
    }

    fn key(&self, labels: &[(&'static str, &str)]) -> Key {
        let labels = labels.iter().map(|(name, value)| Label::new(*name, (*value).to_owned()));
        Key::from_parts(self.name, labels.collect::<Vec<_>>())
    }
}

/// The Prometheus recorder does not look at it.
static METADATA: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, None);

#[cfg(test)]
mod tests;
