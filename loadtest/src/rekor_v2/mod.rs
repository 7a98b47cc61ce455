//! Rekor v2: learn who the log is; then for each run sign, warm up, measure, check. The log is read
//! as tiles.
//!
//! | module | holds |
//! |---|---|
//! | [`writer`], [`grpc`] | what is asked of the server, over REST and over gRPC |
//! | [`check`], [`wire`] | whether an answer is true |

use std::sync::Arc;

use bytes::Bytes;
use tlog::{TILE_WIDTH, TreeHead};

use crate::drive::Target;
use crate::entries::{Entry, sign};
use crate::fault::Fault;
use crate::grpc::streams;
use crate::history::{Heads, History, link_heads};
use crate::measure::{connections, measure};
use crate::pace::count_due;
use crate::plan::{Load, LogChoice, Plan, Transport};
use crate::rekor_v1::evenly;
use crate::report::{Checks, Report, RunReport};
use crate::run::RunError;
use crate::tally::Failures;
use crate::tiles::source::Source;
use crate::verify::verify_samples;
use check::{LoggedEntry, Verified};
use grpc::GrpcProposals;
use writer::Proposals;

pub mod writer;
pub mod grpc;
pub mod check;
pub mod wire;

/// A target that proposes entries.
pub trait Proposes: Target + Send + Sync {
    /// The entry that request `number` proposes.
    fn entry(&self, number: u64) -> &Entry;

    /// Reads an answer whose framing is good.
    ///
    /// # Errors
    /// [`Fault::Framing`].
    fn parse(answer: &Bytes) -> Result<LoggedEntry, Fault>;
}

/// Carries out the runs of a plan that writes to Rekor v2.
///
/// # Errors
/// [`RunError`]; failed checks of a run are in the report instead.
pub async fn write(
    plan: &Plan,
    choice: &LogChoice,
    transport: Transport,
    read_back: usize,
) -> Result<Report, RunError> {
    let (source, head) = Source::open(plan, choice, "v2").await?;
    let mut session = Runs { plan, source, history: History::starting_at(head), read_back };
    let mut runs = Vec::new();
    for &load in &plan.loads {
        let total = plan.warm_up + count_due(load, plan.bounds);
        runs.push(match transport {
            Transport::Rest => {
                let entries = sign(total, writer::entry).map_err(|_| RunError::Sign)?;
                let target = Proposals::new(entries, &plan.base.prefix).map_err(RunError::call)?;
                let links = connections(&plan.base.server, plan.timeout, load)?;
                session.one_run(load, target, links).await?
            }
            Transport::Grpc => {
                let entries = sign(total, grpc::entry).map_err(|_| RunError::Sign)?;
                let target = GrpcProposals::new(entries, &plan.base.prefix);
                let target = target.map_err(RunError::call)?;
                let links = streams(plan, load).map_err(RunError::call)?;
                session.one_run(load, target, links).await?
            }
        });
    }
    let log = session.source.log;
    let api = match transport {
        Transport::Rest => "v2",
        Transport::Grpc => "v2-grpc",
    };
    Ok(Report::new(plan, log.origin, hex::encode(log.log_id), ("write", api), runs))
}

/// What all runs share.
struct Runs<'a> {
    plan: &'a Plan,
    source: Source,
    history: History,
    read_back: usize,
}

impl Runs<'_> {
    async fn one_run<T: Proposes>(
        &mut self,
        load: Load,
        target: T,
        links: Vec<T::Link>,
    ) -> Result<RunReport, RunError> {
        let target = Arc::new(target);
        let mut measured = measure(self.plan, &target, load, links).await?;
        let mut checks = Checks::default();
        for (index, number) in measured.take_framed(&mut checks) {
            if let Err(fault) = self.history.see_index(index, target.entry(number).leaf) {
                checks.failures.add(target.subject(number), fault);
            }
        }
        let log = &self.source.log;
        let verified = verify_samples(
            &measured.take_samples(),
            |sample| T::parse(&sample.text)?.verify(log, &target.entry(sample.number).body),
            |number| target.subject(number),
            &mut checks.failures,
        );
        checks.verified = verified.len() as u64;
        self.source.reconnect(self.plan)?;
        let again: Vec<&Verified> = evenly(&verified, self.read_back).collect();
        checks.read_back = self.read_back(&again, &mut checks.failures).await;
        let heads: Vec<TreeHead> = verified.iter().map(|entry| entry.head).collect();
        let (source, history) = (&mut self.source, &mut self.history);
        checks.consistent = link_heads(source, history, &heads, &mut checks.failures).await;
        Ok(measured.report(self.plan, checks))
    }

    /// Looks for entries in the log's bundles. Gives how many are where they were said to be.
    async fn read_back(&mut self, entries: &[&Verified], failures: &mut Failures) -> u64 {
        let size = match self.source.newest().await {
            Ok(head) => head.size,
            Err(why) => {
                failures.add(Source::HEAD, why);
                return 0;
            }
        };
        let mut good = 0;
        for entry in entries {
            let (bundle, place) = (entry.index / TILE_WIDTH, (entry.index % TILE_WIDTH) as usize);
            let subject = format!("entry {} in its bundle", entry.index);
            match self.source.bundle(bundle, size).await {
                Ok(bodies) if bodies.get(place) == Some(&entry.body) => good += 1,
                Ok(_) => failures.add(subject, Fault::Body),
                Err(why) => failures.add(subject, why),
            }
        }
        good
    }
}
