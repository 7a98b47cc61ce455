//! What a run showed, as JSON for scripts and as text for people. Both say the same.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::plan::{Load, Plan};
use crate::tally::{ErrorClass, Failures, Refused};

/// Everything that the program found out.
#[derive(Debug, Serialize)]
pub struct Report {
    /// `host:port`, and the prefix of the log if it has one.
    pub server: String,
    /// The log's origin.
    pub origin: String,
    /// The ID of its key, hexadecimal.
    pub log_id: String,
    /// `write`, `read`, `append` or `tiles`.
    pub mode: &'static str,
    /// `v1`, `v2`, or the part of an API that was asked.
    pub api: &'static str,
    /// The runs in their order.
    pub runs: Vec<RunReport>,
    /// No check failed and every run got answers.
    pub good: bool,
}

/// One run.
#[derive(Debug, Serialize)]
pub struct RunReport {
    /// `closed` or `open`.
    pub load: &'static str,
    /// Connections.
    pub connections: usize,
    /// Streams on each of them.
    pub streams: usize,
    /// Requests in flight on each of those.
    pub window: usize,
    /// Requests per second that were due; open loop only.
    pub rate: Option<f64>,
    /// From the start of the clock to the last answer.
    pub seconds: f64,
    /// What one good answer is about: `entry`, or `request` where it may hold many of them.
    pub unit: &'static str,
    /// Good answers.
    pub entries: u64,
    /// Good answers per second.
    pub entries_per_second: f64,
    /// Requests that were sent, per second.
    pub sent_per_second: f64,
    /// Requests that were due and could not be sent in time; open loop only.
    pub unsent: u64,
    /// Times that the server was dialled during the clock.
    pub dials: u64,
    /// Latency of good answers; open loop: from the instant when the request was due.
    pub latency: Latency,
    /// Latency of good answers from the instant when the request was sent: what the server needed.
    pub service: Latency,
    /// Answers 429 and 503, by status.
    pub refused: BTreeMap<u16, Refusals>,
    /// All other answers, these among them, by class.
    pub errors: BTreeMap<String, ErrorClass>,
    /// Sum of the server's processes, if any were named.
    pub server_cpu_ms_per_entry: Option<f64>,
    /// Each of the server's processes.
    pub server_processes: Vec<ProcessReport>,
    /// The generator's own CPU time.
    pub generator_cpu_us_per_entry: Option<f64>,
    /// What was checked.
    pub checks: Checks,
}

/// Requests that were told to come back later.
#[derive(Debug, Serialize)]
pub struct Refusals {
    /// How many.
    pub count: u64,
    /// So many of them were told when, by `Retry-After`.
    pub with_retry_after: u64,
    /// From the instant when the request was sent.
    pub latency: Latency,
}

/// Percentiles in milliseconds, rounded up by 0.1 % at most.
#[derive(Debug, Serialize)]
pub struct Latency {
    /// Median.
    pub p50_ms: f64,
    /// 90 of 100 were faster.
    pub p90_ms: f64,
    /// 99 of 100 were faster.
    pub p99_ms: f64,
    /// 999 of 1,000 were faster.
    pub p999_ms: f64,
    /// The slowest.
    pub max_ms: f64,
}

/// One process of the server.
#[derive(Debug, Serialize)]
pub struct ProcessReport {
    /// Process id.
    pub pid: u32,
    /// CPU time of all threads during the clock.
    pub cpu_ms: f64,
    /// The same, per good answer.
    pub cpu_ms_per_entry: Option<f64>,
    /// Resident memory at the start of the clock.
    pub rss_start_bytes: u64,
    /// The most resident memory that was seen while it ran, ten times a second.
    pub rss_max_bytes: u64,
    /// Resident memory at the end.
    pub rss_bytes: u64,
    /// The most resident memory that it ever had.
    pub rss_peak_bytes: u64,
}

/// The checks of a run.
#[derive(Debug, Default, Serialize)]
pub struct Checks {
    /// Answers of warm-up and run whose framing and index were checked: all good ones.
    pub framed: u64,
    /// Answers that were verified from end to end.
    pub verified: u64,
    /// Entries that were read back and verified again.
    pub read_back: u64,
    /// Sizes between which a consistency proof holds.
    pub consistent: Vec<(u64, u64)>,
    /// What did not hold.
    pub failures: Failures,
}

impl Latency {
    /// Reads the percentiles of a histogram of microseconds.
    pub fn of(micros: &Histogram<u64>) -> Self {
        let ms = |percent| micros.value_at_percentile(percent) as f64 / 1_000.0;
        Self {
            p50_ms: ms(50.0),
            p90_ms: ms(90.0),
            p99_ms: ms(99.0),
            p999_ms: ms(99.9),
            max_ms: micros.max() as f64 / 1_000.0,
        }
    }
}

impl From<&Refused> for Refusals {
    fn from(refused: &Refused) -> Self {
        let Refused { with_retry_after, latencies } = refused;
        let (count, latency) = (latencies.len(), Latency::of(latencies));
        Self { count, with_retry_after: *with_retry_after, latency }
    }
}

impl RunReport {
    /// Whether every check held and there was something to check.
    pub fn good(&self) -> bool {
        self.checks.failures.count == 0 && self.entries > 0
    }
}

/// The names and figures of a load.
pub const fn load_words(load: Load) -> (&'static str, Option<f64>) {
    match load {
        Load::Closed { .. } => ("closed", None),
        Load::Open { rate, .. } => ("open", Some(rate)),
    }
}

/// A time shared out over good answers.
pub fn per_entry(time: Duration, entries: u64) -> Option<Duration> {
    (entries > 0).then(|| time.div_f64(entries as f64))
}

impl Report {
    /// The report of a log's runs; `asked` is the mode and the API.
    pub fn new(
        plan: &Plan,
        origin: String,
        log_id: String,
        asked: (&'static str, &'static str),
        runs: Vec<RunReport>,
    ) -> Self {
        let server = format!("{}{}", plan.base.server.authority, plan.base.prefix);
        let good = runs.iter().all(RunReport::good);
        Self { server, origin, log_id, mode: asked.0, api: asked.1, runs, good }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "server  http://{}, {} {}", self.server, self.mode, self.api)?;
        writeln!(f, "log     {}, log ID {}", self.origin, self.log_id)?;
        for run in &self.runs {
            write!(f, "\n{run}")?;
        }
        Ok(())
    }
}

impl fmt::Display for RunReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.connections == 1 { "" } else { "s" };
        write!(f, "{} loop, {} connection{plural}", self.load, self.connections)?;
        if self.streams > 1 {
            write!(f, " × {} streams", self.streams)?;
        }
        if self.window > 1 {
            write!(f, ", {} items in flight on each", self.window)?;
        }
        match self.rate {
            Some(rate) => writeln!(f, ", {rate} requests/s due")?,
            None => writeln!(f)?,
        }
        let rate = self.entries_per_second;
        let what = if self.unit == "entry" { "entries " } else { "requests" };
        writeln!(f, "  {what}    {} in {:.1} s = {rate:.1}/s", self.entries, self.seconds)?;
        if self.unsent > 0 {
            writeln!(f, "  NOT SENT    {}: the server did not keep up", self.unsent)?;
        }
        writeln!(f, "  latency     {}", self.latency)?;
        if self.rate.is_some() {
            writeln!(f, "  from sent   {}", self.service)?;
        }
        for (status, Refusals { count, with_retry_after, latency }) in &self.refused {
            writeln!(f, "  refused     {status}: {count}, {with_retry_after} with Retry-After")?;
            writeln!(f, "              {latency}")?;
        }
        writeln!(f, "  errors      {}", errors_text(&self.errors))?;
        self.fmt_processes(f)?;
        if let Some(micros) = self.generator_cpu_us_per_entry {
            writeln!(f, "  generator   {micros:.0} µs of CPU per {}", self.unit)?;
        }
        self.fmt_checks(f)
    }
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p50 {}  p90 {}  p99 {}", ms(self.p50_ms), ms(self.p90_ms), ms(self.p99_ms))?;
        write!(f, "  p99.9 {}  max {}", ms(self.p999_ms), ms(self.max_ms))
    }
}

impl RunReport {
    fn fmt_processes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(sum) = self.server_cpu_ms_per_entry {
            writeln!(f, "  server CPU  {sum:.3} ms per {}", self.unit)?;
        }
        for process in &self.server_processes {
            write!(f, "              pid {}: {:.0} ms", process.pid, process.cpu_ms)?;
            let mebibytes = [
                process.rss_start_bytes,
                process.rss_bytes,
                process.rss_max_bytes,
                process.rss_peak_bytes,
            ];
            let [start, end, max, peak] = mebibytes.map(mebibytes_of);
            write!(f, ", memory {start:.1} → {end:.1} MiB")?;
            writeln!(f, ", at most {max:.1} MiB, peak {peak:.1} MiB")?;
        }
        Ok(())
    }

    fn fmt_checks(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Checks { framed, verified, read_back, consistent, failures } = &self.checks;
        write!(f, "  checks      {framed} framed, {verified} verified in full")?;
        if *read_back > 0 {
            write!(f, ", {read_back} read back")?;
        }
        for (old, new) in consistent {
            write!(f, ", {old} → {new} consistent")?;
        }
        writeln!(f)?;
        if failures.count > 0 {
            writeln!(f, "  FAILED      {}", failures.count)?;
        }
        for failure in &failures.first {
            writeln!(f, "              {failure}")?;
        }
        if self.entries == 0 {
            writeln!(f, "  FAILED      no good answer")?;
        }
        Ok(())
    }
}

fn errors_text(errors: &BTreeMap<String, ErrorClass>) -> String {
    if errors.is_empty() {
        return "none".to_owned();
    }
    let mut text = String::new();
    for (class, ErrorClass { count, example }) in errors {
        let separator = if text.is_empty() { "" } else { "; " };
        let _ = write!(text, "{separator}{class}: {count} ({example})");
    }
    text
}

/// Milliseconds with three digits.
pub fn ms(milliseconds: f64) -> String {
    let digits = match milliseconds {
        m if m < 10.0 => 2,
        m if m < 100.0 => 1,
        _ => 0,
    };
    format!("{milliseconds:.digits$} ms")
}

/// Bytes in MiB.
pub fn mebibytes_of(bytes: u64) -> f64 {
    bytes as f64 / (1 << 20) as f64
}

#[cfg(test)]
mod tests;
