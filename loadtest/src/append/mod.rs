//! Load on the log's own API, `cairn.log.v1`: raw leaves on append streams, results in their order,
//! indices without gaps. For logs that take any bytes (`api = "raw"`).
//!
//! | module | holds |
//! |---|---|
//! | [`stream`] | one stream and the places in its window |
//! | [`target`] | the leaves |
//! | [`prove`] | proofs of leaves that are there |
//! | [`audit`] | what is asked of the log after a run |

use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use tlog::{TreeHead, hash_leaf};
use tokio::select;
use tokio::time::sleep;

use crate::drive::Target;
use crate::fault::Fault;
use crate::grpc::{Http2, streams};
use crate::history::{Heads, History, link_heads};
use crate::measure::{Measured, measure};
use crate::plan::{Load, LogChoice, Plan};
use crate::progress::Progress;
use crate::report::{Checks, Report, RunReport};
use crate::run::RunError;
use crate::tiles::source::Source;
use audit::Asked;
use prove::Proofs;
use stream::places;
use target::Items;

pub mod stream;
pub mod target;
pub mod audit;
pub mod prove;

const WATCH_EVERY: Duration = Duration::from_millis(250);

/// Carries out the runs of a plan that appends leaves of so many bytes.
///
/// # Errors
/// [`RunError`]; failed checks of a run are in the report instead.
pub async fn append(plan: &Plan, choice: &LogChoice, bytes: usize) -> Result<Report, RunError> {
    let (source, head) = Source::open(plan, choice, "raw").await?;
    let name = hex::encode(source.log.log_id);
    let http2 = Http2::new(&plan.base.server, plan.timeout).map_err(RunError::call)?;
    let mut asked = Asked { log: &source.log, name, http2: Rc::new(http2) };
    let mut history = History::starting_at(head);
    let mut runs = Vec::new();
    for &load in &plan.loads {
        let mut prefix = [0; 16];
        SystemRandom::new().fill(&mut prefix).map_err(|_| RunError::Sign)?;
        let items = Arc::new(Items::new(prefix, bytes));
        runs.push(one_run(plan, load, items, &mut asked, &mut history).await?);
    }
    let log_id = asked.name;
    Ok(Report::new(plan, source.log.origin, log_id, ("append", "cairn.log.v1"), runs))
}

/// Carries out the runs of a plan that asks for proofs.
///
/// # Errors
/// As [`append`].
pub async fn prove(plan: &Plan, choice: &LogChoice, seed: u64) -> Result<Report, RunError> {
    let (source, head) = Source::open(plan, choice, "raw").await?;
    let name = hex::encode(source.log.log_id);
    if head.size.0 == 0 {
        let why = "the log holds no entry".to_owned();
        return Err(RunError::Setup("prove".to_owned(), why));
    }
    let http2 = Http2::new(&plan.base.server, plan.timeout).map_err(RunError::call)?;
    let mut asked = Asked { log: &source.log, name, http2: Rc::new(http2) };
    let mut history = History::starting_at(head);
    let mut runs = Vec::new();
    for &load in &plan.loads {
        let links = streams(plan, load).map_err(RunError::call)?;
        let target = Arc::new(Proofs::new(asked.name.clone(), head.size.0, seed));
        let mut measured = measure(plan, &target, load, links).await?;
        let mut checks = Checks::default();
        measured.take_framed(&mut checks);
        let newest = link_heads(&mut asked, &mut history, &[], &mut checks.failures);
        checks.consistent = newest.await;
        runs.push(measured.report(plan, checks));
    }
    let log_id = asked.name;
    Ok(Report::new(plan, source.log.origin, log_id, ("prove", "cairn.log.v1"), runs))
}

async fn one_run(
    plan: &Plan,
    load: Load,
    items: Arc<Items>,
    asked: &mut Asked<'_>,
    history: &mut History,
) -> Result<RunReport, RunError> {
    let streams = streams(plan, load).map_err(RunError::call)?;
    let links = places(streams, &asked.name, plan.window);
    let seen = RefCell::new(Vec::new());
    let mut measured = select! {
        measured = measure(plan, &items, load, links) => measured?,
        never = watch(asked.again(), &seen) => match never {},
    };
    let mut checks = Checks::default();
    let framed = measured.take_framed(&mut checks);
    for &(index, number) in &framed {
        let leaf = hash_leaf(&items.leaf(number));
        if let Err(fault) = history.see_index(index, leaf) {
            checks.failures.add(items.subject(number), fault);
        }
    }
    if measured.without_errors()
        && let Some(fault) = gap(framed.iter().map(|(index, _)| *index))
    {
        checks.failures.add("indices", fault);
    }
    let mut heads = verify(asked, &items, &mut measured, &mut checks).await;
    for seen in seen.take() {
        match seen {
            Ok(head) => heads.push(head),
            Err(why) => checks.failures.add(Asked::HEAD, why),
        }
    }
    heads.retain(|head| head.size.0 > 0); // whatever was said of nothing is true
    checks.consistent = link_heads(asked, history, &heads, &mut checks.failures).await;
    Ok(measured.report(plan, checks))
}

/// Looks at the log's head now and then while the run goes on: proofs of items all lead to its end.
async fn watch(mut asked: Asked<'_>, seen: &RefCell<Vec<Result<TreeHead, String>>>) -> Infallible {
    loop {
        let head = asked.newest().await;
        seen.borrow_mut().push(head);
        sleep(WATCH_EVERY).await;
    }
}

/// Asks for the proofs of the items that were kept, one after the other.
async fn verify(
    asked: &Asked<'_>,
    items: &Items,
    measured: &mut Measured,
    checks: &mut Checks,
) -> Vec<TreeHead> {
    let progress = Progress::new();
    let samples = measured.take_samples();
    let mut heads = Vec::new();
    for (n, sample) in samples.iter().enumerate() {
        progress.line(&format!("  verifying {n}/{}", samples.len()));
        let leaf = hash_leaf(&items.leaf(sample.number));
        let proven = match Items::parse(&sample.text) {
            Ok(appended) => asked.prove_inclusion(appended.tree_index, &leaf).await,
            Err(fault) => Err(fault.to_string()),
        };
        match proven {
            Ok(head) => heads.push(head),
            Err(why) => checks.failures.add(items.subject(sample.number), why),
        }
    }
    checks.verified = heads.len() as u64;
    heads
}

/// Whether indices that nobody else can have leave one out.
fn gap(indices: impl Iterator<Item = u64>) -> Option<Fault> {
    let mut indices: Vec<u64> = indices.collect();
    indices.sort_unstable();
    let pair = indices.windows(2).find(|pair| pair[1] > pair[0] + 1)?;
    Some(Fault::Gap { before: pair[0], after: pair[1] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_that_is_left_out_is_found() {
        assert_eq!(gap([7, 5, 6].into_iter()), None);
        assert_eq!(gap([].into_iter()), None);
        assert_eq!(gap([5, 8, 6].into_iter()), Some(Fault::Gap { before: 6, after: 8 }));
    }
}
