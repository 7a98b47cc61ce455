//! What is measured and how it is logged: metric names, and the set-up of `tracing`.
//!
//! Names that begin with `rekor_` are those of Rekor v1, for dashboards that
//! exist.

mod log_metrics;
mod summary;

use std::sync::Arc;
use std::time::Duration;

use prometheus::core::Collector;
use prometheus::process_collector::ProcessCollector;
use prometheus::{
    HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry, TextEncoder,
};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::util::TryInitError;

use crate::config::{LogFormat, Settings};
pub use log_metrics::LogMetrics;
use log_metrics::PerLog;
use summary::Summaries;

/// Content type of [`Metrics::render`].
pub const METRICS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All metrics of one process.
pub struct Metrics {
    /// Entries that were created since the start.
    pub new_entries: IntCounter,
    new_hashedrekords_v2: IntCounter,
    new_dsse_v2: IntCounter,
    registry: Registry,
    per_log: PerLog,
    requests: Requests,
    index_latency: Summaries<bool>,
}

/// What Rekor counts of every request; latencies are in nanoseconds.
struct Requests {
    api_latency: HistogramVec,
    api_latency_summary: Summaries<(&'static str, u16)>,
    latency_by_api: HistogramVec,
    qps_by_api: IntCounterVec,
}

impl Metrics {
    /// All metrics at zero, in a registry of their own.
    pub fn new() -> Arc<Self> {
        let registry = Registry::new();
        let in_registry = Registered(&registry);
        let requests = Requests::new(&in_registry);
        sure(registry.register(Box::new(ProcessCollector::for_self())));
        in_registry.build_info();
        let metrics = Self {
            new_entries: in_registry
                .keep(sure(IntCounter::new("rekor_new_entries", "Entries that were created"))),
            new_hashedrekords_v2: in_registry.keep(sure(IntCounter::new(
                "rekor_v2_new_hashedrekord_entries",
                "hashedrekord entries of API v2 that were created",
            ))),
            new_dsse_v2: in_registry.keep(sure(IntCounter::new(
                "rekor_v2_new_dsse_entries",
                "dsse entries of API v2 that were created",
            ))),
            per_log: PerLog::new(&in_registry),
            index_latency: in_registry.keep(Summaries::new(
                "rekor_index_storage_latency_summary",
                "Latency of the search index, in nanoseconds",
                &["success"],
                |success| vec![success.to_string()],
            )),
            requests,
            registry,
        };
        Arc::new(metrics)
    }

    /// Counts an entry of API v2 that was created, by its kind.
    pub(crate) fn new_entry_v2(&self, kind: &str) {
        match kind {
            "dsse" => self.new_dsse_v2.inc(),
            _ => self.new_hashedrekords_v2.inc(),
        }
    }

    /// The metrics of one log, by its name in the configuration.
    pub fn log(&self, name: &str) -> Arc<LogMetrics> {
        self.per_log.of(name)
    }

    /// Counts one request under its route template, exactly once.
    pub(crate) fn request(&self, path: &'static str, method: &str, status: u16, took: Duration) {
        let (code, nanos) = (status.to_string(), nanoseconds(took));
        let requests = &self.requests;
        requests.api_latency.with_label_values(&[path, &code]).observe(nanos);
        requests.api_latency_summary.observe((path, status), nanos);
        requests.latency_by_api.with_label_values(&[path, method]).observe(nanos);
        requests.qps_by_api.with_label_values(&[path, method, &code]).inc();
    }

    /// Counts one look-up in the search index.
    pub(crate) fn index_lookup(&self, success: bool, took: Duration) {
        self.index_latency.observe(success, nanoseconds(took));
    }

    /// All metrics in the Prometheus text format.
    pub fn render(&self) -> String {
        self.per_log.refresh();
        let text = TextEncoder::new().encode_to_string(&self.registry.gather());
        text.unwrap_or_else(|error| format!("# {error}\n"))
    }
}

impl Requests {
    fn new(in_registry: &Registered<'_>) -> Self {
        let api_latency = HistogramOpts::new("rekor_api_latency", "API latency by path and code");
        let by_api =
            HistogramOpts::new("rekor_latency_by_api", "API latency by path and method, in ns")
                .buckets(exponential(1e6, 60e9, 10));
        let qps = Opts::new("rekor_qps_by_api", "API requests by path, method and code");
        Self {
            api_latency: in_registry.keep(sure(HistogramVec::new(api_latency, &["path", "code"]))),
            api_latency_summary: in_registry.keep(Summaries::new(
                "rekor_api_latency_summary",
                "API latency by path and code, in ns",
                &["path", "code"],
                |(path, code)| vec![(*path).into(), code.to_string()],
            )),
            latency_by_api: in_registry.keep(sure(HistogramVec::new(by_api, &["path", "method"]))),
            qps_by_api: in_registry
                .keep(sure(IntCounterVec::new(qps, &["path", "method", "code"]))),
        }
    }
}

struct Registered<'a>(&'a Registry);

impl Registered<'_> {
    fn keep<C: Collector + Clone + 'static>(&self, collector: C) -> C {
        sure(self.0.register(Box::new(collector.clone())));
        collector
    }

    fn build_info(&self) {
        let options = Opts::new("rekor_build_info", "Version of this program; always 1");
        let labels = ["version", "revision", "build_date", "goversion"];
        let info = self.keep(sure(prometheus::IntGaugeVec::new(options, &labels)));
        info.with_label_values(&[env!("CARGO_PKG_VERSION"), "", "", ""]).set(1);
    }
}

fn sure<T>(made: prometheus::Result<T>) -> T {
    #[expect(clippy::expect_used, reason = "names and labels are constants, and a test makes them")]
    made.expect("a metric with a valid name of its own")
}

/// `count` bounds from `first` to `last`, each the same factor above the one before.
fn exponential(first: f64, last: f64, count: u32) -> Vec<f64> {
    let factor = (last / first).powf(1.0 / f64::from(count - 1));
    (0..count).map(|n| first * factor.powf(f64::from(n))).collect()
}

fn nanoseconds(took: Duration) -> f64 {
    took.as_secs_f64() * 1e9
}

/// Logging cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// The filter is none.
    #[error("log level {filter:?}: {source}")]
    Filter {
        /// As it was set.
        filter: String,
        /// What is wrong.
        #[source]
        source: ParseError,
    },
    /// It has been set up before.
    #[error(transparent)]
    SetUp(#[from] TryInitError),
}

/// Sends log lines to standard error, in the form and from the level that the settings say.
///
/// # Errors
/// As [`LoggingError`] says.
pub fn init_logging(settings: &Settings) -> Result<(), LoggingError> {
    use std::io::IsTerminal as _;
    use tracing_subscriber::util::SubscriberInitExt as _;

    let filter = settings.log_level.as_deref().unwrap_or("info");
    let filter = EnvFilter::try_new(filter)
        .map_err(|source| LoggingError::Filter { filter: filter.into(), source })?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal()) // no colour codes in files
        .with_writer(std::io::stderr);
    match settings.log_format.unwrap_or(LogFormat::Text) {
        LogFormat::Text => lines.finish().try_init()?,
        LogFormat::Json => lines.json().flatten_event(true).finish().try_init()?,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rekor_names_and_labels() {
        let metrics = Metrics::new();
        metrics.request("/api/v1/log", "GET", 200, Duration::from_millis(2));
        metrics.index_lookup(true, Duration::from_nanos(5));
        metrics.new_entries.inc();
        metrics.log("v2").published(7);
        let text = metrics.render();
        for line in [
            r#"rekor_latency_by_api_count{method="GET",path="/api/v1/log"} 1"#,
            r#"rekor_qps_by_api{code="200",method="GET",path="/api/v1/log"} 1"#,
            r#"rekor_api_latency_count{code="200",path="/api/v1/log"} 1"#,
            "# TYPE rekor_api_latency_summary summary",
            r#"rekor_api_latency_summary_sum{code="200",path="/api/v1/log"} 2000000"#,
            r#"rekor_api_latency_summary_count{code="200",path="/api/v1/log"} 1"#,
            r#"rekor_index_storage_latency_summary_sum{success="true"} 5"#,
            "rekor_new_entries 1",
            r#"cairn_tree_size{log="v2"} 7"#,
            r#"cairn_queue_depth{log="v2"} 0"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }

    #[test]
    fn two_registries_do_not_clash() {
        let (one, two) = (Metrics::new(), Metrics::new());
        one.new_entries.inc();
        assert_eq!(two.new_entries.get(), 0);
    }

    #[test]
    fn bounds_of_rekor() {
        let bounds = exponential(1e6, 60e9, 10);
        assert_eq!((bounds.len(), bounds[0]), (10, 1e6));
        assert!((bounds[9] / 60e9 - 1.0).abs() < 1e-9, "{bounds:?}");
    }
}
