//! `cairn import`: take over what another log's servers wrote into a file.

use std::path::PathBuf;

use super::data_dir::open_or_create;
use super::replica::Upstream;
use super::{Configured, Failure, Output};
use crate::config::FollowSetting;
use crate::telemetry::{Metrics, init_logging};

const EXAMPLES: &str = "\
Examples:
  cairn import --bundle monday.tar --data-dir ./replica
  cairn serve --data-dir ./replica --follow ./inbox      the same for every file that is put there

The file is one of `cairn export --bundle`. Every entry is held against the checkpoint in it, and
what the tree does not commit to against the log's signature, before anything is stored. Put the
log's public key, as it was told to you, into the folder as NAME.pub first; without it the key in
the file is taken the first time, and a warning says so. Importing a file again changes nothing.";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The file
    #[arg(long, value_name = "FILE")]
    bundle: PathBuf,

    #[command(flatten)]
    configured: Configured,

    /// Form of the output
    #[arg(long, value_enum, default_value = "text")]
    output: Output,
}

#[tokio::main]
pub(super) async fn run(args: Args) -> Result<(), Failure> {
    let mut settings = args.configured.resolve()?;
    if !args.bundle.is_file() {
        return Err(format!("{}: there is no such file", args.bundle.display()).into());
    }
    settings.follow = Some(FollowSetting::Inbox(args.bundle.clone()));
    init_logging(&settings)?;
    let upstream = Upstream::find(&FollowSetting::Inbox(args.bundle)).await;
    let configs = upstream.followed(&settings, settings.logs()?)?;
    let folder = open_or_create(&settings, &configs, upstream.role()).await?;
    let metrics = Metrics::new();
    let mut imported = Vec::new();
    for (config, owned) in configs.iter().zip(folder.logs) {
        let name = &config.name;
        let before = owned.log.store.head().await?.size;
        let caught_up = async {
            let opened = upstream.open(&settings, config, owned, metrics.log(name)).await?;
            opened.catch_up(name).await
        };
        let shown = caught_up.await.map_err(|error| format!("log {name}: {error}"))?;
        let head = shown.head;
        if args.output == Output::Text {
            let new = head.size.0.saturating_sub(before.0);
            println!(
                "{name}: {} entries, {new} of them new, root {}, verified",
                head.size, head.root
            );
        }
        imported.push(serde_json::json!({
            "name": name,
            "entries": head.size.0,
            "before": before.0,
            "root": head.root.to_string(),
        }));
    }
    if args.output == Output::Json {
        println!("{}", serde_json::json!({ "logs": imported }));
    }
    Ok(())
}
