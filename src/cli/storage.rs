//! `cairn storage`: what is done to stores that no server has open.

use std::path::PathBuf;

use clap::Subcommand;

use super::data_dir::{open_copy, open_read_only};
use super::{Configured, Failure, Output, progress};
use crate::config::{Settings, StorageSetting};
use crate::copy::copy;

const EXAMPLES: &str = "\
Examples:
  cairn storage copy --to-dir ./fjall-data --to fjall
  cairn storage copy --data-dir ./cairn-data --to-dir ./replica --to postgres://cairn@db/log

Copies all logs of a data folder, their keys included, into another folder, and holds every root
against that of the source. Stop the server first: what it takes after the copy is not in it, and
two servers must never sign for one log. A copy that was interrupted goes on when it is run again.";

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Copy all logs into a new data folder, of another engine if so wished
    Copy(Box<CopyArgs>),
}

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
struct CopyArgs {
    /// The new data folder
    #[arg(long, value_name = "DIR")]
    to_dir: PathBuf,

    /// Its engine: rocksdb, fjall or postgres://USER@HOST/DB
    #[arg(long, value_name = "ENGINE|URL")]
    to: StorageSetting,

    #[command(flatten)]
    configured: Configured,

    /// Form of the output
    #[arg(long, value_enum, default_value = "text")]
    output: Output,
}

pub(super) fn run(args: Args) -> Result<(), Failure> {
    match args.command {
        Command::Copy(args) => run_copy(*args),
    }
}

#[tokio::main]
async fn run_copy(args: CopyArgs) -> Result<(), Failure> {
    let settings = args.configured.resolve()?;
    let logs = open_read_only(&settings).await?;
    let target = Settings {
        data_dir: Some(args.to_dir.clone()),
        storage: Some(args.to.clone()),
        ..settings.clone()
    };
    let (target, records) = (open_copy(&settings, &target).await?, logs.len());
    let mut copied = Vec::new();
    for log in &logs {
        let record = &log.record;
        let known = target.logs().await?.into_iter().find(|known| known.tree_id == record.tree_id);
        let part = match known {
            Some(known) if known == *record => target.log(record.tree_id).await?,
            Some(_) => {
                let name = &record.name;
                return Err(format!("the target has another log with the tree ID of {name}").into());
            }
            None => target.create_log(record.clone()).await?,
        };
        let head = copy(&*log.store, &*part, &mut progress("copy", &record.name)).await;
        let head = head.map_err(|error| format!("log {}: {error}", record.name))?;
        if args.output == Output::Text {
            println!("{}: {} entries, root {}, verified", record.name, head.size, head.root);
        }
        copied.push(serde_json::json!({
            "name": record.name,
            "entries": head.size.0,
            "root": head.root.to_string(),
        }));
    }
    match args.output {
        Output::Json => println!("{}", serde_json::json!({ "logs": copied })),
        Output::Text => {
            println!("{records} logs are in {} ({})", args.to_dir.display(), args.to.engine());
        }
    }
    Ok(())
}
