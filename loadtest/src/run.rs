//! The order of things: learn who the log is; then for each run sign, warm up, measure, check.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use thiserror::Error;
use tlog::TreeHead;

use crate::rekor_v1::audit::{History, get, get_entry, link_heads, read_back, verify_samples};
use crate::rekor_v1::check::{Expected, Fault, LogIdentity, Verified};
use crate::client::{CallError, Connection};
use crate::drive::{Driven, Target, drive};
use crate::entries::sign;
use crate::pace::count_due;
use crate::plan::{Bounds, Load, Mode, Plan, ReadBy};
use crate::procfs::{Usage, own_usage, usage};
use crate::progress::Progress;
use crate::rekor_v1::reader::{Known, Lookups, path_by_index, spread};
use crate::report::{Checks, Latency, ProcessReport, Report, RunReport, load_words, per_entry};
use crate::tally::Failures;
use crate::rekor_v1::wire;
use crate::rekor_v1::writer::Proposals;

/// Entries whose IDs are learnt before a read by ID; each costs one request.
const KNOWN_MAX: u64 = 1_000;

/// Why there is no report.
#[derive(Debug, Error)]
pub enum RunError {
    /// The log could not be asked who it is.
    #[error("{0}: {1}")]
    Setup(&'static str, String),
    /// What the log says of itself is false.
    #[error("the log's own description: {0}")]
    Identity(Fault),
    /// An entry that is to be read does not verify.
    #[error("{0}: {1}")]
    Existing(String, String),
    /// `/proc` cannot be read.
    #[error("process {0}: {1}")]
    Process(u32, io::Error),
    /// No randomness, no keys.
    #[error("cannot sign entries")]
    Sign,
}

impl RunError {
    /// Whether the server is at fault, as opposed to the way it was asked.
    pub const fn is_failed_check(&self) -> bool {
        matches!(self, Self::Identity(_) | Self::Existing(..))
    }
}

/// Carries out a plan. Call it within a `LocalSet`.
///
/// # Errors
/// [`RunError`]; failed checks of a run are in the report instead.
pub async fn run(plan: &Plan) -> Result<Report, RunError> {
    let mut connection = new_connection(plan)?;
    let (log, head) = identify(&mut connection).await?;
    let mut session = Runs { plan, log, history: History::starting_at(head), connection };
    let mut runs = Vec::new();
    for &load in &plan.loads {
        let report = match plan.mode {
            Mode::Write => session.write(load).await?,
            Mode::Read { by, seed } => session.read(load, by, seed).await?,
        };
        runs.push(report);
    }
    Ok(Report {
        server: plan.server.authority.clone(),
        origin: session.log.origin,
        log_id: session.log.log_id,
        mode: if matches!(plan.mode, Mode::Write) { "write" } else { "read" },
        good: runs.iter().all(RunReport::good),
        runs,
    })
}

/// Asks the log for its key and its head.
async fn identify(connection: &mut Connection) -> Result<(LogIdentity, TreeHead), RunError> {
    let (key_path, log_path) = ("/api/v1/log/publicKey", "/api/v1/log");
    let info = get_ok(connection, log_path).await?;
    let info: wire::LogInfo = serde_json::from_slice(&info)
        .map_err(|error| RunError::Identity(Fault::Framing(error.to_string())))?;
    let key = get_ok(connection, key_path).await?;
    // Asked for JSON, the server gives the PEM as a JSON string.
    let key: String =
        serde_json::from_slice(&key).unwrap_or_else(|_| String::from_utf8_lossy(&key).into_owned());
    let log = LogIdentity::new(&key, &info).map_err(RunError::Identity)?;
    let head = log.open_checkpoint(&info.signed_tree_head).map_err(RunError::Identity)?;
    Ok((log, head))
}

async fn get_ok(connection: &mut Connection, path: &'static str) -> Result<bytes::Bytes, RunError> {
    let refuse = |why: String| RunError::Setup(path, why);
    let answer = get(connection, path).await.map_err(|error| refuse(error.to_string()))?;
    if answer.status != StatusCode::OK {
        return Err(refuse(format!("status {}", answer.status.as_u16())));
    }
    Ok(answer.body)
}

fn new_connection(plan: &Plan) -> Result<Connection, RunError> {
    let refuse = |error: CallError| RunError::Setup("connection", error.to_string());
    Connection::new(&plan.server, plan.timeout).map_err(refuse)
}

/// What all runs share.
struct Runs<'a> {
    plan: &'a Plan,
    log: LogIdentity,
    history: History,
    connection: Connection,
}

/// A run that is over, and what it cost.
struct Measured {
    load: Load,
    warm_up: Driven,
    driven: Driven,
    dials: u64,
    generator: Duration,
    server: Vec<(u32, io::Result<Usage>, Usage)>,
}

impl Runs<'_> {
    async fn write(&mut self, load: Load) -> Result<RunReport, RunError> {
        let total = self.plan.warm_up + count_due(load, self.plan.bounds);
        let entries = Progress::during("  signing", total, |made| sign(total, made));
        let entries = entries.map_err(|_| RunError::Sign)?;
        let mut tree = [0; 16];
        let prefix = self.log.entry_id(&tlog::hash_leaf(&[]));
        tree.copy_from_slice(&prefix.as_bytes()[..16]);
        let target = Arc::new(Proposals::new(entries, tree));
        let mut measured = self.measure(&target, load).await?;
        let mut checks = Checks::default();
        let failures = &mut checks.failures;
        for driven in [&mut measured.warm_up, &mut measured.driven] {
            failures.absorb(std::mem::take(&mut driven.tally.failures));
            checks.framed += driven.tally.indices.len() as u64;
            for &(index, number) in &driven.tally.indices {
                let id = self.log.entry_id(&target.entry(number).leaf);
                if let Err(fault) = self.history.see_index(index, &id) {
                    failures.add(target.subject(number), fault);
                }
            }
        }
        let expected =
            |number| Expected { body: Some(&target.entry(number).body[..]), ..Expected::default() };
        let verified = self.verify(&mut measured, &*target, expected, failures);
        checks.verified = verified.len() as u64;
        self.reconnect()?;
        let step = verified.len().div_ceil(self.plan.read_back.max(1)).max(1);
        let again: Vec<Verified> = verified.iter().step_by(step).cloned().collect();
        let again = if self.plan.read_back == 0 { &[] } else { &again[..] };
        checks.read_back = read_back(&self.log, &mut self.connection, again, failures).await;
        self.link(&verified, &mut checks).await;
        Ok(self.report(measured, checks))
    }

    async fn read(&mut self, load: Load, by: ReadBy, seed: u64) -> Result<RunReport, RunError> {
        self.reconnect()?;
        let (_, head) = identify(&mut self.connection).await?;
        let (first, size) = (self.log.first_index, head.size.0);
        if size == 0 {
            return Err(RunError::Setup("read", "the log holds no entry".to_owned()));
        }
        let known = if by == ReadBy::Index { Vec::new() } else { self.learn(first, size).await? };
        let target = Arc::new(Lookups::new(by, seed, first, size, known));
        let mut measured = self.measure(&target, load).await?;
        let mut checks = Checks::default();
        for driven in [&mut measured.warm_up, &mut measured.driven] {
            checks.failures.absorb(std::mem::take(&mut driven.tally.failures));
            checks.framed += driven.tally.indices.len() as u64;
        }
        let expected = |number| target.expected(number);
        let verified = self.verify(&mut measured, &*target, expected, &mut checks.failures);
        checks.verified = verified.len() as u64;
        for entry in &verified {
            if let Err(fault) = self.history.see_index(entry.index, &entry.id) {
                checks.failures.add(&entry.id, fault);
            }
        }
        self.reconnect()?;
        self.link(&verified, &mut checks).await;
        Ok(self.report(measured, checks))
    }

    /// Takes a new connection: the server may have closed one that was idle during a run.
    fn reconnect(&mut self) -> Result<(), RunError> {
        self.connection = new_connection(self.plan)?;
        Ok(())
    }

    /// Learns entry IDs, evenly over the log.
    async fn learn(&mut self, first: u64, size: u64) -> Result<Vec<Known>, RunError> {
        let mut known = Vec::new();
        for index in spread(first, size, KNOWN_MAX) {
            let path = path_by_index(index);
            let expected = Expected { index: Some(index), ..Expected::default() };
            let entry = get_entry(&self.log, &mut self.connection, &path, expected).await;
            let entry = entry.map_err(|why| RunError::Existing(format!("GET {path}"), why))?;
            known.push(Known { index, id: entry.id });
        }
        Ok(known)
    }

    /// Warms up, then runs with the clock on. The same connections serve both.
    async fn measure<T: Target>(&self, target: &Arc<T>, load: Load) -> Result<Measured, RunError> {
        let Plan { bounds, sampling, warm_up, .. } = *self.plan;
        let mut connections = Vec::new();
        for _ in 0..load.connections() {
            let mut connection = new_connection(self.plan)?;
            let dialled = connection.connect().await;
            dialled.map_err(|error| RunError::Setup("connection", error.to_string()))?;
            connections.push(connection);
        }
        let closed = Load::Closed { connections: load.connections() };
        let brief = Bounds { count: warm_up, ..bounds };
        let warm_up = drive(target, 0, &mut connections, closed, brief, sampling).await;
        let dials = |connections: &[Connection]| connections.iter().map(Connection::connects).sum();
        let dials_before: u64 = dials(&connections);
        let server = self.plan.server_pids.iter().map(|&pid| {
            usage(pid).map(|usage| (pid, usage)).map_err(|error| RunError::Process(pid, error))
        });
        let server = server.collect::<Result<Vec<_>, _>>()?;
        let own = || own_usage().map_err(|error| RunError::Process(std::process::id(), error));
        let own_before = own()?;
        let driven = drive(target, brief.count, &mut connections, load, bounds, sampling).await;
        let generator = own()?.cpu.saturating_sub(own_before.cpu);
        let server = server.into_iter().map(|(pid, before)| (pid, usage(pid), before)).collect();
        let dials = dials(&connections) - dials_before;
        Ok(Measured { load, warm_up, driven, dials, generator, server })
    }

    /// Verifies what was kept of warm-up and run.
    fn verify<'a, T: Target>(
        &self,
        measured: &mut Measured,
        target: &T,
        expected: impl Fn(u64) -> Expected<'a> + Sync,
        failures: &mut Failures,
    ) -> Vec<Verified> {
        let mut samples = measured.warm_up.tally.take_samples();
        samples.extend(measured.driven.tally.take_samples());
        let subject = |number| target.subject(number);
        Progress::during("  verifying", samples.len() as u64, |done| {
            verify_samples(&self.log, &samples, expected, subject, done, failures)
        })
    }

    async fn link(&mut self, verified: &[Verified], checks: &mut Checks) {
        let heads: Vec<TreeHead> = verified.iter().map(|entry| entry.head).collect();
        let (log, connection) = (&self.log, &mut self.connection);
        let history = &mut self.history;
        let failures = &mut checks.failures;
        checks.consistent = link_heads(log, connection, history, &heads, failures).await;
    }

    fn report(&self, measured: Measured, mut checks: Checks) -> RunReport {
        let Driven { tally, elapsed, unsent } = measured.driven;
        let entries = tally.indices.len() as u64;
        let ms = |time: Duration| time.as_secs_f64() * 1_000.0;
        let mut server_processes = Vec::new();
        for (pid, after, before) in measured.server {
            let Ok(after) = after else {
                checks.failures.add(format!("process {pid}"), "it ended during the run");
                continue;
            };
            let cpu = after.cpu.saturating_sub(before.cpu);
            server_processes.push(ProcessReport {
                pid,
                cpu_ms: ms(cpu),
                cpu_ms_per_entry: per_entry(cpu, entries).map(ms),
                rss_bytes: after.rss_bytes,
                rss_peak_bytes: after.rss_peak_bytes,
            });
        }
        let (load, rate) = load_words(measured.load);
        let sum: f64 = server_processes.iter().map(|process| process.cpu_ms).sum();
        let named = entries > 0 && !server_processes.is_empty();
        let generator = per_entry(measured.generator, entries);
        RunReport {
            load,
            connections: measured.load.connections(),
            rate,
            seconds: elapsed.as_secs_f64(),
            entries,
            entries_per_second: entries as f64 / elapsed.as_secs_f64().max(1e-9),
            unsent,
            dials: measured.dials,
            latency: Latency::of(&tally.latencies),
            errors: tally.errors,
            server_cpu_ms_per_entry: named.then(|| sum / entries as f64),
            server_processes,
            generator_cpu_us_per_entry: generator.map(|time| ms(time) * 1_000.0),
            checks,
        }
    }
}
