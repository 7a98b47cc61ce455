//! One run with its clock: links are opened, warmed up, measured; what came of it is put together
//! for the report.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinHandle, spawn_local};
use tokio::time::sleep;

use crate::client::Connection;
use crate::drive::{Driven, Link, Target, drive};
use crate::plan::{Bounds, Load, Plan};
use crate::procfs::{Usage, own_usage, usage};
use crate::report::{Checks, Latency, ProcessReport, RunReport, load_words, per_entry};
use crate::run::RunError;
use crate::server::ServerAddress;
use crate::tally::Sample;

/// A run that is over, and what it cost.
pub struct Measured {
    /// Requests before the clock.
    pub warm_up: Driven,
    /// Requests while it ran.
    pub driven: Driven,
    load: Load,
    dials: u64,
    generator: Duration,
    server: Vec<Process>,
}

/// A process of the server.
struct Process {
    pid: u32,
    before: Usage,
    /// The most memory that was seen meanwhile.
    rss_max_bytes: u64,
    after: io::Result<Usage>,
}

/// How often the server's memory is looked at while the clock runs.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A connection of its own for each request in flight.
///
/// # Errors
/// The server's name cannot stand in a header.
pub fn connections(
    server: &ServerAddress,
    timeout: Duration,
    load: Load,
) -> Result<Vec<Connection>, RunError> {
    (0..load.in_flight()).map(|_| connection(server, timeout)).collect()
}

/// A connection that is not dialled yet.
///
/// # Errors
/// As for [`connections`].
pub fn connection(server: &ServerAddress, timeout: Duration) -> Result<Connection, RunError> {
    Connection::new(server, timeout).map_err(RunError::call)
}

/// Warms up, then runs with the clock on. The same links serve both.
///
/// # Errors
/// A link that cannot be opened, a process whose usage cannot be read.
pub async fn measure<T: Target>(
    plan: &Plan,
    target: &Arc<T>,
    load: Load,
    mut links: Vec<T::Link>,
) -> Result<Measured, RunError> {
    let Plan { bounds, sampling, warm_up, .. } = *plan;
    for link in &mut links {
        link.open().await.map_err(RunError::call)?;
    }
    let closed = Load::Closed { in_flight: load.in_flight() };
    let brief = Bounds { count: warm_up, ..bounds };
    let warm_up = drive(target, 0, &mut links, closed, brief, sampling).await;
    let dials = |links: &[T::Link]| links.iter().map(Link::dials).sum::<u64>();
    let dials_before = dials(&links);
    let clock = Clock::start(&plan.server_pids)?;
    let driven = drive(target, brief.count, &mut links, load, bounds, sampling).await;
    let (generator, server) = clock.stop()?;
    let dials = dials(&links) - dials_before;
    Ok(Measured { warm_up, driven, load, dials, generator, server })
}

/// What the processes had used when the clock was started.
struct Clock {
    own: Usage,
    server: Vec<(u32, Usage)>,
    rss_max: Rc<RefCell<Vec<u64>>>,
    looking: JoinHandle<()>,
}

impl Clock {
    fn start(pids: &[u32]) -> Result<Self, RunError> {
        let read = |&pid| {
            usage(pid).map(|usage| (pid, usage)).map_err(|error| RunError::Process(pid, error))
        };
        let server = pids.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let rss_max = Rc::new(RefCell::new(vec![0; pids.len()]));
        let looking = spawn_local(look(pids.to_vec(), Rc::clone(&rss_max)));
        Ok(Self { own: own()?, server, rss_max, looking })
    }

    /// The generator's CPU time, and the server's usage now and then, by process.
    fn stop(self) -> Result<(Duration, Vec<Process>), RunError> {
        self.looking.abort();
        let generator = own()?.cpu.saturating_sub(self.own.cpu);
        let rss_max = self.rss_max.take();
        let server = self.server.into_iter().zip(rss_max).map(|((pid, before), seen)| {
            let after = usage(pid);
            let ends = [before.rss_bytes, after.as_ref().map_or(0, |after| after.rss_bytes)];
            let rss_max_bytes = ends.into_iter().fold(seen, u64::max);
            Process { pid, before, rss_max_bytes, after }
        });
        Ok((generator, server.collect()))
    }
}

async fn look(pids: Vec<u32>, rss_max: Rc<RefCell<Vec<u64>>>) {
    while !pids.is_empty() {
        sleep(LOOK_EVERY).await;
        for (pid, max) in pids.iter().zip(rss_max.borrow_mut().iter_mut()) {
            *max = usage(*pid).map_or(*max, |usage| usage.rss_bytes.max(*max));
        }
    }
}

fn own() -> Result<Usage, RunError> {
    own_usage().map_err(|error| RunError::Process(std::process::id(), error))
}

impl Measured {
    /// Takes the notes on framing out of warm-up and run: how many answers were good, and each of
    /// them as index and request number.
    pub fn take_framed(&mut self, checks: &mut Checks) -> Vec<(u64, u64)> {
        let mut indices = Vec::new();
        for driven in [&mut self.warm_up, &mut self.driven] {
            checks.failures.absorb(std::mem::take(&mut driven.tally.failures));
            checks.framed += driven.tally.indices.len() as u64;
            indices.extend_from_slice(&driven.tally.indices);
        }
        indices
    }

    /// Whether each request of warm-up and run had a good answer.
    pub fn without_errors(&self) -> bool {
        self.warm_up.tally.errors.is_empty() && self.driven.tally.errors.is_empty()
    }

    /// Takes what was kept of warm-up and run.
    pub fn take_samples(&mut self) -> Vec<Sample> {
        let mut samples = self.warm_up.tally.take_samples();
        samples.extend(self.driven.tally.take_samples());
        samples
    }

    /// The report of the run.
    pub fn report(self, plan: &Plan, mut checks: Checks) -> RunReport {
        let Driven { tally, elapsed, sent, unsent } = self.driven;
        let entries = tally.indices.len() as u64;
        let seconds = elapsed.as_secs_f64();
        let ms = |time: Duration| time.as_secs_f64() * 1_000.0;
        let mut server_processes = Vec::new();
        for Process { pid, before, rss_max_bytes, after } in self.server {
            let Ok(after) = after else {
                checks.failures.add(format!("process {pid}"), "it ended during the run");
                continue;
            };
            let cpu = after.cpu.saturating_sub(before.cpu);
            server_processes.push(ProcessReport {
                pid,
                cpu_ms: ms(cpu),
                cpu_ms_per_entry: per_entry(cpu, entries).map(ms),
                rss_start_bytes: before.rss_bytes,
                rss_max_bytes,
                rss_bytes: after.rss_bytes,
                rss_peak_bytes: after.rss_peak_bytes,
            });
        }
        let (load, rate) = load_words(self.load);
        let sum: f64 = server_processes.iter().map(|process| process.cpu_ms).sum();
        let named = entries > 0 && !server_processes.is_empty();
        let generator = per_entry(self.generator, entries);
        RunReport {
            load,
            connections: self.load.in_flight() / (plan.streams * plan.window),
            streams: plan.streams,
            window: plan.window,
            rate,
            seconds,
            unit: "entry",
            entries,
            entries_per_second: entries as f64 / seconds.max(1e-9),
            sent_per_second: sent as f64 / seconds.max(1e-9),
            unsent,
            dials: self.dials,
            latency: Latency::of(&tally.latencies),
            service: Latency::of(&tally.service),
            refused: tally.refused.iter().map(|(status, told)| (*status, told.into())).collect(),
            errors: tally.errors,
            server_cpu_ms_per_entry: named.then(|| sum / entries as f64),
            server_processes,
            generator_cpu_us_per_entry: generator.map(|time| ms(time) * 1_000.0),
            checks,
        }
    }
}
