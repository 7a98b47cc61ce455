//! Load on a log's tiles and entry bundles (C2SP tlog-tiles), of any API.
//!
//! | module | holds |
//! |---|---|
//! | [`source`] | one log: checkpoint, tiles, bundles, proofs |
//! | [`target`] | what is asked of the server |
//! | [`tree`] | whether a tile is true |

use std::sync::Arc;

use tlog::TreeHead;

use crate::drive::Target;
use crate::history::{History, link_heads};
use crate::measure::{connections, measure};
use crate::plan::{Load, LogChoice, Order, Plan, Resources};
use crate::report::{Checks, Report, RunReport};
use crate::run::RunError;
use crate::tally::{Failures, Sample};
use crate::verify::verify_samples;
use source::Source;
use target::Reads;
use tree::Tree;

pub mod source;
pub mod target;
pub mod tree;

/// Carries out the runs of a plan that reads tiles.
///
/// # Errors
/// [`RunError`]; failed checks of a run are in the report instead.
pub async fn read(
    plan: &Plan,
    choice: &LogChoice,
    what: Resources,
    order: Order,
) -> Result<Report, RunError> {
    let (mut source, head) = Source::open(plan, choice, "v2").await?;
    let mut history = History::starting_at(head);
    let mut runs = Vec::new();
    for &load in &plan.loads {
        let target = Reads::new(&source.base.prefix, what, order, head.size);
        let target = target.ok_or_else(|| {
            let why = format!("the log of {} entries has no full tile", head.size);
            RunError::Setup("tiles".to_owned(), why)
        })?;
        runs.push(one_run(plan, load, target, (&mut source, head), &mut history).await?);
    }
    let (origin, log_id) = (source.log.origin, hex::encode(source.log.log_id));
    Ok(Report::new(plan, origin, log_id, ("read", "tiles"), runs))
}

async fn one_run(
    plan: &Plan,
    load: Load,
    target: Reads,
    (source, head): (&mut Source, TreeHead),
    history: &mut History,
) -> Result<RunReport, RunError> {
    let target = Arc::new(target);
    let links = connections(&source.base.server, plan.timeout, load)?;
    let mut measured = measure(plan, &target, load, links).await?;
    let mut checks = Checks::default();
    measured.take_framed(&mut checks);
    source.reconnect(plan)?;
    let samples = measured.take_samples();
    match Tree::open(source, head).await {
        Ok(tree) => {
            checks.verified = verify(source, tree, &target, &samples, &mut checks.failures).await;
        }
        Err(why) => checks.failures.add("tiles", why),
    }
    checks.consistent = link_heads(source, history, &[], &mut checks.failures).await;
    let mut report = measured.report(plan, checks);
    report.unit = "request";
    Ok(report)
}

/// Holds the roots of kept tiles and bundles against the tiles above them.
async fn verify(
    source: &mut Source,
    mut tree: Tree,
    target: &Reads,
    samples: &[Sample],
    failures: &mut Failures,
) -> u64 {
    let subject = |number| target.subject(number);
    let hashed = |sample: &Sample| {
        let (tile, root) = target.root(sample.number, &sample.text)?;
        Ok((sample.number, tile, root))
    };
    let mut verified = 0;
    for (number, tile, root) in verify_samples(samples, hashed, subject, failures) {
        match tree.root_of(source, tile).await {
            Ok(expected) if expected == root => verified += 1,
            Ok(_) => failures.add(subject(number), "its hashes do not lead to the root hash"),
            Err(why) => failures.add(subject(number), why),
        }
    }
    verified
}
