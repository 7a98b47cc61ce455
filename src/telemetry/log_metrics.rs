//! What is measured of each log: names that begin with `cairn_`, and the log's name as label.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use prometheus::{
    GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts,
};

use super::{Registered, exponential, sure};

const LABELS: &[&str] = &["log"];

/// The metrics of one log.
pub struct LogMetrics {
    /// Entries that wait for the sequencer.
    pub queue_depth: IntGauge,
    /// Entries in a commit.
    pub batch_entries: Histogram,
    /// Time of a commit.
    pub commit_seconds: Histogram,
    /// Commits that another process was faster with.
    pub commit_conflicts: IntCounter,
    /// Time of a checkpoint signature.
    pub sign_seconds: Histogram,
    /// Time until the witnesses have cosigned a checkpoint, or have not.
    pub witness_seconds: Histogram,
    /// Checkpoints that were short of the witnesses' quorum, when their time was over.
    pub witness_quorum_missed: IntCounter,
    /// Looks at a log that is followed which failed.
    pub follow_failures: IntCounter,
    /// Exports that failed.
    pub export_failures: IntCounter,
    export_size: IntGaugeVec,
    name: String,
    tree_size: IntGauge,
    published: Mutex<Option<Instant>>,
}

impl LogMetrics {
    /// A checkpoint over this many entries has been published just now.
    pub fn published(&self, size: u64) {
        self.tree_size.set(i64::try_from(size).unwrap_or(i64::MAX));
        *self.published.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// The destination of exports holds the log up to this size.
    pub fn exported(&self, size: u64) {
        let export_size = self.export_size.with_label_values(&[&self.name]);
        export_size.set(i64::try_from(size).unwrap_or(i64::MAX));
    }
}

/// The same of every log.
pub(super) struct PerLog {
    queue_depth: IntGaugeVec,
    batch_entries: HistogramVec,
    commit_seconds: HistogramVec,
    commit_conflicts: IntCounterVec,
    sign_seconds: HistogramVec,
    witness_seconds: HistogramVec,
    witness_quorum_missed: IntCounterVec,
    follow_failures: IntCounterVec,
    export_failures: IntCounterVec,
    export_size: IntGaugeVec,
    tree_size: IntGaugeVec,
    checkpoint_age_seconds: GaugeVec,
    logs: Mutex<BTreeMap<String, Arc<LogMetrics>>>,
}

impl PerLog {
    pub(super) fn new(registry: &Registered<'_>) -> Self {
        let seconds = exponential(0.000_1, 10.0, 16);
        let gauge =
            |name, help| registry.keep(sure(IntGaugeVec::new(Opts::new(name, help), LABELS)));
        let histogram = |name, help, buckets: &[f64]| {
            let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
            registry.keep(sure(HistogramVec::new(options, LABELS)))
        };
        let age = Opts::new(
            "cairn_checkpoint_age_seconds",
            "Time since the newest checkpoint was published",
        );
        let missed = Opts::new(
            "cairn_witness_quorum_missed_total",
            "Checkpoints that were short of the witnesses' quorum when their time was over",
        );
        let conflicts = Opts::new(
            "cairn_commit_conflicts_total",
            "Commits that another replica was faster with, and that were made again",
        );
        let follow = Opts::new(
            "cairn_follow_failures_total",
            "Looks at a log that is followed which failed: it did not answer, or not what it should",
        );
        let failures = Opts::new(
            "cairn_export_failures_total",
            "Exports that failed, each of which is tried again",
        );
        Self {
            follow_failures: registry.keep(sure(IntCounterVec::new(follow, LABELS))),
            export_failures: registry.keep(sure(IntCounterVec::new(failures, LABELS))),
            export_size: gauge(
                "cairn_export_size",
                "Entries that the destination of exports holds",
            ),
            commit_conflicts: registry.keep(sure(IntCounterVec::new(conflicts, LABELS))),
            queue_depth: gauge("cairn_queue_depth", "Entries that wait for a commit"),
            batch_entries: histogram(
                "cairn_batch_entries",
                "Entries in one commit",
                &exponential(1.0, 4096.0, 13),
            ),
            commit_seconds: histogram(
                "cairn_commit_seconds",
                "Time of one durable commit",
                &seconds,
            ),
            sign_seconds: histogram(
                "cairn_sign_seconds",
                "Time of one checkpoint signature",
                &seconds,
            ),
            witness_seconds: histogram(
                "cairn_witness_seconds",
                "Time of one round of all witnesses",
                &seconds,
            ),
            witness_quorum_missed: registry.keep(sure(IntCounterVec::new(missed, LABELS))),
            tree_size: gauge("cairn_tree_size", "Published size of the active tree"),
            checkpoint_age_seconds: registry.keep(sure(GaugeVec::new(age, LABELS))),
            logs: Mutex::default(),
        }
    }

    pub(super) fn of(&self, name: &str) -> Arc<LogMetrics> {
        let mut logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        let label = &[name];
        let made = || {
            Arc::new(LogMetrics {
                queue_depth: self.queue_depth.with_label_values(label),
                batch_entries: self.batch_entries.with_label_values(label),
                commit_seconds: self.commit_seconds.with_label_values(label),
                commit_conflicts: self.commit_conflicts.with_label_values(label),
                sign_seconds: self.sign_seconds.with_label_values(label),
                witness_seconds: self.witness_seconds.with_label_values(label),
                witness_quorum_missed: self.witness_quorum_missed.with_label_values(label),
                follow_failures: self.follow_failures.with_label_values(label),
                export_failures: self.export_failures.with_label_values(label),
                export_size: self.export_size.clone(), // of logs that are exported
                name: name.to_owned(),
                tree_size: self.tree_size.with_label_values(label),
                published: Mutex::default(),
            })
        };
        logs.entry(name.to_owned()).or_insert_with(made).clone()
    }

    /// Sets what is not kept up to date as it happens.
    pub(super) fn refresh(&self) {
        for (name, log) in self.logs.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let published = *log.published.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(published) = published {
                let age = published.elapsed().as_secs_f64();
                self.checkpoint_age_seconds.with_label_values(&[name]).set(age);
            }
        }
    }
}
