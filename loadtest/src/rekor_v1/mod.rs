//! Rekor v1: learn who the log is; then for each run sign, warm up, measure, check.
//!
//! | module | holds |
//! |---|---|
//! | [`writer`], [`reader`], [`monitor`] | what is asked of the server |
//! | [`check`], [`wire`] | whether an answer is true |
//! | [`audit`] | what is asked of the log after a run |

use std::sync::Arc;

use tlog::{TreeHead, hash_leaf};

use crate::client::Connection;
use crate::drive::Target;
use crate::entries::sign;
use crate::fault::Fault;
use crate::history::{History, link_heads};
use crate::measure::{Measured, connection, connections, measure};
use crate::pace::count_due;
use crate::plan::{Load, Mode, Plan, ReadBy};
use crate::report::{Checks, Report, RunReport};
use crate::run::{RunError, get_ok};
use crate::tally::Failures;
use crate::verify::verify_samples;
use audit::Asked;
use check::{Expected, LogIdentity, Verified};
use monitor::Questions;
use reader::{Known, Lookups, path_by_index, spread};
use writer::Proposals;

pub mod writer;
pub mod reader;
pub mod monitor;
pub mod check;
pub mod wire;
pub mod audit;

/// Entries whose IDs are learnt before a read by ID; each costs one request.
const KNOWN_MAX: u64 = 1_000;

/// Carries out the runs of a plan for Rekor v1.
///
/// # Errors
/// [`RunError`]; failed checks of a run are in the report instead.
pub async fn run(plan: &Plan) -> Result<Report, RunError> {
    let mut connection = connection(&plan.base.server, plan.timeout)?;
    let (log, head) = identify(&mut connection).await?;
    let mut session = Runs { plan, log, history: History::starting_at(head), connection };
    let mut runs = Vec::new();
    for &load in &plan.loads {
        let report = match plan.mode {
            Mode::ReadV1 { by, seed } => session.read(load, by, seed).await?,
            Mode::WriteV1 { read_back } => session.write(load, read_back).await?,
            _ => continue, // not this API
        };
        runs.push(report);
    }
    let mode = if matches!(plan.mode, Mode::WriteV1 { .. }) { "write" } else { "read" };
    Ok(Report::new(plan, session.log.origin, session.log.log_id, (mode, "v1"), runs))
}

/// Asks the log for its key and its head.
async fn identify(connection: &mut Connection) -> Result<(LogIdentity, TreeHead), RunError> {
    let info = get_ok(connection, "/api/v1/log").await?.body;
    let info: wire::LogInfo = serde_json::from_slice(&info)
        .map_err(|error| RunError::Identity(Fault::Framing(error.to_string())))?;
    let key = get_ok(connection, "/api/v1/log/publicKey").await?.body;
    // Asked for JSON, the server gives the PEM as a JSON string.
    let key: String =
        serde_json::from_slice(&key).unwrap_or_else(|_| String::from_utf8_lossy(&key).into_owned());
    let log = LogIdentity::new(&key, &info).map_err(RunError::Identity)?;
    let head = log.open_checkpoint(&info.signed_tree_head).map_err(RunError::Identity)?;
    Ok((log, head))
}

/// What all runs share.
struct Runs<'a> {
    plan: &'a Plan,
    log: LogIdentity,
    history: History,
    connection: Connection,
}

impl Runs<'_> {
    async fn write(&mut self, load: Load, read_back: usize) -> Result<RunReport, RunError> {
        let total = self.plan.warm_up + count_due(load, self.plan.bounds);
        let entries = sign(total, writer::entry).map_err(|_| RunError::Sign)?;
        let mut tree = [0; 16];
        let prefix = self.log.entry_id(&hash_leaf(&[]));
        tree.copy_from_slice(&prefix.as_bytes()[..16]);
        let target = Arc::new(Proposals::new(entries, tree));
        let links = connections(&self.plan.base.server, self.plan.timeout, load)?;
        let mut measured = measure(self.plan, &target, load, links).await?;
        let mut checks = Checks::default();
        for (index, number) in measured.take_framed(&mut checks) {
            if let Err(fault) = self.history.see_index(index, target.entry(number).leaf) {
                checks.failures.add(target.subject(number), fault);
            }
        }
        let expected =
            |number| Expected { body: Some(&target.entry(number).body[..]), ..Expected::default() };
        let verified = self.verify(&mut measured, &*target, expected, &mut checks.failures);
        checks.verified = verified.len() as u64;
        self.reconnect()?;
        let again: Vec<Verified> = evenly(&verified, read_back).cloned().collect();
        checks.read_back = self.asked().read_back(&again, &mut checks.failures).await;
        self.link(&verified, &mut checks).await;
        Ok(measured.report(self.plan, checks))
    }

    async fn read(&mut self, load: Load, by: ReadBy, seed: u64) -> Result<RunReport, RunError> {
        self.reconnect()?;
        let (_, head) = identify(&mut self.connection).await?;
        let (first, size) = (self.log.first_index, head.size.0);
        if size == 0 {
            let why = "the log holds no entry".to_owned();
            return Err(RunError::Setup("read".to_owned(), why));
        }
        let known = match by {
            ReadBy::Index | ReadBy::Proof | ReadBy::Retrieve => Vec::new(),
            _ => self.learn(first, size).await?,
        };
        if matches!(by, ReadBy::Proof | ReadBy::Search | ReadBy::Retrieve) {
            return self.ask(load, (by, seed), first, size, known).await;
        }
        let target = Arc::new(Lookups::new(by, seed, first, size, known));
        let links = connections(&self.plan.base.server, self.plan.timeout, load)?;
        let mut measured = measure(self.plan, &target, load, links).await?;
        let mut checks = Checks::default();
        measured.take_framed(&mut checks);
        let expected = |number| target.expected(number);
        let verified = self.verify(&mut measured, &*target, expected, &mut checks.failures);
        checks.verified = verified.len() as u64;
        for entry in &verified {
            if let Err(fault) = self.history.see_index(entry.index, hash_leaf(&entry.body)) {
                checks.failures.add(&entry.id, fault);
            }
        }
        self.reconnect()?;
        self.link(&verified, &mut checks).await;
        Ok(measured.report(self.plan, checks))
    }

    async fn ask(
        &mut self,
        load: Load,
        (by, seed): (ReadBy, u64),
        first: u64,
        size: u64,
        mut known: Vec<Known>,
    ) -> Result<RunReport, RunError> {
        known.retain(|known| !known.hash.is_empty());
        if by == ReadBy::Search && known.is_empty() {
            let why = "the log holds no hashedrekord entry".to_owned();
            return Err(RunError::Setup("search".to_owned(), why));
        }
        let tree = self.log.tree_id.clone();
        let target = Arc::new(Questions::new((by, seed), first, size, tree, known));
        let links = connections(&self.plan.base.server, self.plan.timeout, load)?;
        let mut measured = measure(self.plan, &target, load, links).await?;
        let mut checks = Checks::default();
        measured.take_framed(&mut checks);
        self.reconnect()?;
        self.link(&[], &mut checks).await;
        Ok(measured.report(self.plan, checks))
    }

    /// Takes a new connection: the server may have closed one that was idle during a run.
    fn reconnect(&mut self) -> Result<(), RunError> {
        self.connection = connection(&self.plan.base.server, self.plan.timeout)?;
        Ok(())
    }

    const fn asked(&mut self) -> Asked<'_> {
        Asked { log: &self.log, connection: &mut self.connection }
    }

    /// Learns entry IDs, evenly over the log.
    async fn learn(&mut self, first: u64, size: u64) -> Result<Vec<Known>, RunError> {
        let mut known = Vec::new();
        for index in spread(first, size, KNOWN_MAX) {
            let path = path_by_index(index);
            let expected = Expected { index: Some(index), ..Expected::default() };
            let entry = self.asked().entry(&path, expected).await;
            let entry = entry.map_err(|why| RunError::Existing(format!("GET {path}"), why))?;
            known.push(Known { index, id: entry.id, hash: hash_of(&entry.body) });
        }
        Ok(known)
    }

    /// Verifies what was kept of warm-up and run.
    fn verify<'a, T: Target>(
        &self,
        measured: &mut Measured,
        target: &T,
        expected: impl Fn(u64) -> Expected<'a> + Sync,
        failures: &mut Failures,
    ) -> Vec<Verified> {
        let log = &self.log;
        verify_samples(
            &measured.take_samples(),
            |sample| log.verify_entry(&sample.text, expected(sample.number)),
            |number| target.subject(number),
            failures,
        )
    }

    async fn link(&mut self, verified: &[Verified], checks: &mut Checks) {
        let heads: Vec<TreeHead> = verified.iter().map(|entry| entry.head).collect();
        let mut asked = Asked { log: &self.log, connection: &mut self.connection };
        let proven = link_heads(&mut asked, &mut self.history, &heads, &mut checks.failures).await;
        checks.consistent = proven;
    }
}

/// What a hashedrekord is found by.
fn hash_of(body: &[u8]) -> String {
    let body: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let hash = |name: &str| body.pointer(&format!("/spec/data/hash/{name}"))?.as_str();
    match (hash("algorithm"), hash("value")) {
        (Some(algorithm), Some(value)) => format!("{algorithm}:{value}"),
        _ => String::new(),
    }
}

/// At most `count` of them, evenly over all.
pub fn evenly<T>(all: &[T], count: usize) -> impl Iterator<Item = &T> {
    all.iter().step_by(all.len().div_ceil(count.max(1)).max(1)).take(count)
}
