//! `cairn fsck`: recompute everything that is stored and compare.

use tlog::Verifier;

use super::data_dir::{FolderLog, open_read_only, pick};
use super::exit::Exit;
use super::{Configured, Failure, Output, progress};
use crate::fsck::{Report, examine};
use crate::recovery::Identity;

const EXAMPLES: &str = "\
Examples:
  cairn fsck                               the logs in ./cairn-data
  cairn fsck --data-dir /var/lib/cairn --output json

It reads only, and works while a server has the folder open: it then sees the log as it was when it
began. Exit code 0: all is as it should be; 8: something differs; 1: it could not be read.";

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
        let report =
            examine(&*log.store, &identity, &mut progress("fsck", &log.record.name)).await?;
        differences += report.differences;
        match args.output {
            Output::Text => print_text(log, &report),
            Output::Json => reports.push(as_json(log, &report)),
        }
    }
    if args.output == Output::Json {
        println!("{}", serde_json::json!({ "logs": reports, "ok": differences == 0 }));
    }
    match differences {
        0 => Ok(()),
        n => Err(Exit::Integrity.with(format!("{n} differences: the log is damaged"))),
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
    println!("index keys  {} searched for", report.index_keys);
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
        "index_keys": report.index_keys,
        "differences": report.differences,
        "described": report.described,
        "ok": report.differences == 0,
    })
}
