//! `cairn fsck`: recompute everything that is stored and compare.

use std::io::{IsTerminal, Write, stderr};

use tlog::{KeyId, Verifier};

use super::data_dir::{DataDir, open_read_only};
use super::{Configured, Failure, Output};
use crate::fsck::{Report, examine};
use crate::recovery::Identity;

const EXAMPLES: &str = "\
Examples:
  cairn fsck                               the log in ./cairn-data
  cairn fsck --data-dir /var/lib/cairn --output json

It reads only, and works while a server has the folder open: it then sees the log as it was when it
began. Exit code 0: all is as it should be; 1: something differs, or could not be read.";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(flatten)]
    configured: Configured,

    /// Form of the output
    #[arg(long, value_enum, default_value = "text")]
    output: Output,
}

/// The log is not as it should be.
#[derive(Debug, thiserror::Error)]
#[error("{0} differences: the log is damaged")]
struct Damaged(u64);

#[tokio::main(flavor = "current_thread")]
pub(super) async fn run(args: Args) -> Result<(), Failure> {
    let folder = open_read_only(&args.configured.resolve()?).await?;
    let verifier = Verifier::from_spki(&folder.record.public_key)?;
    let identity = Identity {
        origin: &folder.record.origin,
        verifier: &verifier,
        key_id: KeyId::rekor_v1(&folder.record.public_key),
    };
    let report = examine(&*folder.log, &identity, &mut progress()).await?;
    match args.output {
        Output::Text => print_text(&folder, &report),
        Output::Json => print_json(&folder, &report),
    }
    if report.differences > 0 { Err(Damaged(report.differences).into()) } else { Ok(()) }
}

fn progress() -> impl FnMut(u64, u64) + Send {
    let terminal = stderr().is_terminal();
    let mut shown = 0;
    move |done, all| {
        let percent = done * 100 / all.max(1);
        if terminal && percent != shown {
            shown = percent;
            let end = if done == all { "\n" } else { "" };
            let _unseen = write!(stderr(), "\rfsck: {percent} % of {all} entries{end}");
        }
    }
}

fn print_text(folder: &DataDir, report: &Report) {
    println!("origin      {}", folder.record.origin);
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

fn print_json(folder: &DataDir, report: &Report) {
    let json = serde_json::json!({
        "origin": folder.record.origin,
        "entries": report.head.size.0,
        "stored_root": report.head.root.to_string(),
        "computed_root": report.computed.root.to_string(),
        "checkpoint_entries": report.checkpoint,
        "attestations": report.attestations,
        "differences": report.differences,
        "described": report.described,
        "ok": report.differences == 0,
    });
    println!("{json}");
}
