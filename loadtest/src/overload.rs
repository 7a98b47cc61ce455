//! Overload: what a server can do at most (closed loop), and what it does when more is asked of it
//! (open loops at multiples of that).

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use tokio::time::sleep;

use crate::plan::{Bounds, COUNT_MAX, Load, Plan};
use crate::report::{RunReport, mebibytes_of, ms};
use crate::run::{RunError, run};

/// Pause before each run, in which the server finishes the last one.
const REST: Duration = Duration::from_secs(1);

/// What is measured.
#[derive(Clone, Debug)]
pub struct Overload {
    /// Server, mode and bounds; its loads are not used.
    pub plan: Plan,
    /// Connections of the closed loop.
    pub closed: usize,
    /// How long the closed loop runs.
    pub closed_duration: Duration,
    /// Connections of the open loops.
    pub open: usize,
    /// The open loops' rates, in multiples of what the closed loop reached.
    pub times: Vec<f64>,
}

/// The table, and the runs behind it.
#[derive(Debug, Serialize)]
pub struct OverloadReport {
    /// `host:port`.
    pub server: String,
    /// Good answers per second of the closed loop.
    pub capacity: f64,
    /// One row for each open loop.
    pub rows: Vec<Row>,
    /// The closed loop, then the open ones.
    pub runs: Vec<RunReport>,
    /// All checks of all runs held.
    pub good: bool,
}

/// One open loop.
#[derive(Debug, Serialize)]
pub struct Row {
    /// Of the capacity.
    pub times: f64,
    /// Good answers per second, of the capacity.
    pub goodput: f64,
    /// Requests that were refused with 429 or 503, per second.
    pub refused_per_second: f64,
    /// 99 of 100 were refused faster, of the status that took longer.
    pub refused_p99_ms: f64,
    /// The slowest refusal.
    pub refused_max_ms: f64,
    /// Refusals that did not say when to come back.
    pub without_retry_after: u64,
    /// Requests with neither a good answer nor a refusal.
    pub other_errors: u64,
    /// CPU time of the generator, of one core.
    pub generator: f64,
}

/// Measures the capacity, then the open loops. Call it within a `LocalSet`.
///
/// # Errors
/// [`RunError`]; failed checks are in the report instead.
pub async fn overload(what: &Overload) -> Result<OverloadReport, RunError> {
    let bounds = Bounds { duration: what.closed_duration, count: what.plan.bounds.count };
    let load = Load::Closed { in_flight: what.closed };
    let mut runs = one(what, load, bounds).await?;
    let capacity = runs.first().map_or(0.0, |run| run.entries_per_second);
    for times in &what.times {
        let load = Load::Open { rate: (times * capacity).max(1.0), in_flight: what.open };
        let bounds = Bounds { count: COUNT_MAX, ..what.plan.bounds };
        runs.extend(one(what, load, bounds).await?);
    }
    let rows = what.times.iter().zip(runs.iter().skip(1));
    Ok(OverloadReport {
        server: what.plan.base.server.authority.clone(),
        capacity,
        rows: rows.map(|(times, run)| Row::new(*times, capacity, run)).collect(),
        good: runs.iter().all(RunReport::good),
        runs,
    })
}

async fn one(what: &Overload, load: Load, bounds: Bounds) -> Result<Vec<RunReport>, RunError> {
    sleep(REST).await;
    let plan = Plan { loads: vec![load], bounds, ..what.plan.clone() };
    Ok(run(&plan).await?.runs)
}

impl Row {
    fn new(times: f64, capacity: f64, run: &RunReport) -> Self {
        let count: u64 = run.refused.values().map(|refused| refused.count).sum();
        let told: u64 = run.refused.values().map(|refused| refused.with_retry_after).sum();
        let errors: u64 = run.errors.values().map(|class| class.count).sum();
        let slowest = run.refused.values().map(|refused| &refused.latency);
        let cpu_us = run.generator_cpu_us_per_entry.unwrap_or(0.0) * run.entries as f64;
        Self {
            times,
            goodput: run.entries_per_second / capacity,
            refused_per_second: count as f64 / run.seconds,
            refused_p99_ms: slowest.clone().map(|latency| latency.p99_ms).fold(0.0, f64::max),
            refused_max_ms: slowest.map(|latency| latency.max_ms).fold(0.0, f64::max),
            without_retry_after: count - told,
            other_errors: errors - count,
            generator: cpu_us / 1e6 / run.seconds,
        }
    }
}

impl fmt::Display for OverloadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "server    http://{}", self.server)?;
        if let Some(closed) = self.runs.first() {
            let connections = closed.connections;
            write!(f, "capacity  {:.0} entries/s, closed loop, ", self.capacity)?;
            writeln!(f, "{connections} connections, {}", closed.service)?;
        }
        writeln!(
            f,
            "\n| due | sent | good | of capacity | accepted p50 / p99, from sent | refused \
            | p99 / max | no Retry-After | other errors | memory start / max / end | generator |"
        )?;
        writeln!(f, "|{}", "---|".repeat(11))?;
        for (row, run) in self.rows.iter().zip(self.runs.iter().skip(1)) {
            let (due, sent, good) =
                (run.rate.unwrap_or(0.0), run.sent_per_second, run.entries_per_second);
            write!(f, "| {}x, {due:.0}/s | {sent:.0}/s | {good:.0}/s ", row.times)?;
            let service = &run.service;
            write!(
                f,
                "| {:.0} % | {} / {} ",
                row.goodput * 100.0,
                ms(service.p50_ms),
                ms(service.p99_ms)
            )?;
            write!(
                f,
                "| {:.0}/s | {} / {} ",
                row.refused_per_second,
                ms(row.refused_p99_ms),
                ms(row.refused_max_ms)
            )?;
            write!(f, "| {} | {} ", row.without_retry_after, row.other_errors)?;
            let of = |bytes: fn(&crate::report::ProcessReport) -> u64| {
                mebibytes_of(run.server_processes.iter().map(bytes).sum())
            };
            let (start, max, end) =
                (of(|p| p.rss_start_bytes), of(|p| p.rss_max_bytes), of(|p| p.rss_bytes));
            writeln!(
                f,
                "| {start:.0} / {max:.0} / {end:.0} MiB | {:.0} % of a core |",
                row.generator * 100.0
            )?;
        }
        let failures = self.runs.iter().flat_map(|run| &run.checks.failures.first);
        failures.into_iter().try_for_each(|failure| writeln!(f, "FAILED  {failure}"))
    }
}
