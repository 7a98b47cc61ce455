//! `cairn fsck`: recompute everything that is stored and compare.

use std::io::{IsTerminal, Write, stderr};

use tlog::Verifier;

use super::data_dir::{FolderLog, open_read_only, pick};
use super::{Configured, Failure, Output};
use crate::fsck::{Report, examine};
use crate::recovery::Identity;

const EXAMPLES: &str = "\
Examples:
  cairn fsck                               the logs in ./cairn-data
  cairn fsck --data-dir /var/lib/cairn --output json

It reads only, and works while a server has the folder open: it then sees the log as it was when it
began. Exit code 0: all is as it should be; 1: something differs, or could not be read.";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Only the log of this name
    #[arg(long, value_name = "NAME")]
    log: Option<String>,

    #[command(flatten)]
    configured: Configured,

    /// Form of the output
    #[arg(long, value_enum, default_value = "text")]
    output: Output,
}

/// A log is not as it should be.
#[derive(Debug, thiserror::Error)]
#[error("{0} differences: the log is damaged")]
struct Damaged(u64);

#[tokio::main(flavor = "current_thread")]
pub(super) async fn run(args: Args) -> Result<(), Failure> {
    let settings = args.configured.resolve()?;
    let mut logs = open_read_only(&settings).await?;
    if let Some(name) = &args.log {
        logs = vec![pick(&settings, logs, name)?];
    }
    let (mut differences, mut reports) = (0, Vec::new());
    for log in &logs {
        let verifier = Verifier::from_spki(&log.record.public_key)?;
        let key_id = log.key_id(&verifier);
        let identity = Identity { origin: &log.record.origin, verifier: &verifier, key_id };
        let report = examine(&*log.store, &identity, &mut progress(&log.record.name)).await?;
        differences += report.differences;
        match args.output {
            Output::Text => print_text(log, &report),
            Output::Json => reports.push(as_json(log, &report)),
        }
    }
    if args.output == Output::Json {
        println!("{}", serde_json::json!({ "logs": reports, "ok": differences == 0 }));
    }
    if differences > 0 { Err(Damaged(differences).into()) } else { Ok(()) }
}

fn progress(name: &str) -> impl FnMut(u64, u64) + Send {
    let terminal = stderr().is_terminal();
    let mut shown = 0;
    move |done, all| {
        let percent = done * 100 / all.max(1);
        if terminal && percent != shown {
            shown = percent;
            let end = if done == all { "\n" } else { "" };
            let _unseen = write!(stderr(), "\rfsck {name}: {percent} % of {all} entries{end}");
        }
    }
}

fn print_text(log: &FolderLog, report: &Report) {
    println!("log         {}", log.record.name);
    println!("origin      {}", log.record.origin);
    println!("entries     {}", report.head.size);
    println!("root        {} (stored)", report.head.root);
    println!("root        {} (recomputed from the entries)", report.computed.root);
    match report.checkpoint {
        Some(size) => println!("checkpoint  {size} entries, signature and root verified"),
        None => println!("checkpoint  none that verifies"),
    }
    println!("attestations {} compared with their digest", report.attestations);
    for difference in &report.described {
        println!("DIFFERS     {difference}");
    }
    println!("{}", if report.differences == 0 { "ok" } else { "DAMAGED" });
}

fn as_json(log: &FolderLog, report: &Report) -> serde_json::Value {
    serde_json::json!({
        "name": log.record.name,
        "origin": log.record.origin,
        "entries": report.head.size.0,
        "stored_root": report.head.root.to_string(),
        "computed_root": report.computed.root.to_string(),
        "checkpoint_entries": report.checkpoint,
        "attestations": report.attestations,
        "differences": report.differences,
        "described": report.described,
        "ok": report.differences == 0,
    })
}
