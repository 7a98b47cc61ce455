//! `cairn promote`: make a replica's logs its own.

use tlog::{SignedCheckpoint, Verifier};

use super::data_dir::{FolderLog, Promotion, followed, open_read_only};
use super::{Configured, Failure, Output};
use crate::config::FollowSetting;
use crate::follow::{HttpSource, Listed, Source, logs_of};
use crate::limits::FENCE_TIMEOUT;
use crate::publisher::signer::{FileSigner, Signer};

const EXAMPLES: &str = "\
Examples:
  cairn promote --data-dir ./replica                     the logs' server is frozen (--read-only)
  cairn promote --data-dir ./replica --source-is-gone    it will never answer again

Two servers that sign for one log fork it, and a fork is for ever. So the server that the replica
follows has to be frozen, and everything that it published has to be here; or you answer for it that
it is gone. Give that server --fence with the URL of this one, so that it does not sign again should
it come back; witnesses that both ask shut the gap between (docs/following.md).
The replica's own server must be stopped, and the logs' private keys have to be in the folder.";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The server that was followed is gone for good: what it published and is not here is lost
    #[arg(long)]
    source_is_gone: bool,

    #[command(flatten)]
    configured: Configured,

    /// Form of the output
    #[arg(long, value_enum, default_value = "text")]
    output: Output,
}

#[tokio::main(flavor = "current_thread")]
pub(super) async fn run(args: Args) -> Result<(), Failure> {
    let settings = args.configured.resolve()?;
    let path = settings.data_dir();
    let promotion = Promotion::begin(&settings)?;
    let logs = open_read_only(&settings).await?;
    for log in &logs {
        let name = &log.record.name;
        let configured = settings.logs()?.into_iter().find(|config| config.name == *name);
        let key = configured.and_then(|config| config.set.key_file);
        let key = key.unwrap_or_else(|| path.join(format!("{name}.key")));
        let signer = FileSigner::read(&key)?;
        if signer.public_key() != log.record.public_key {
            return Err(format!("the key in {} is not that of log {name}", key.display()).into());
        }
    }
    let source = followed(&path)?.unwrap_or_default();
    let source: FollowSetting = source.trim().parse()?;
    for log in &logs {
        if log.store.checkpoint().await?.is_none() {
            let name = &log.record.name;
            return Err(format!(
                "no checkpoint of log {name} was ever shown here: its first copy is not whole, and \
                 to go on from it would take back what the log has published. Nothing was changed"
            )
            .into());
        }
    }
    match args.source_is_gone {
        true => is_gone(&source, &logs).await?,
        false => is_settled(&source, &logs).await?,
    }
    promotion.finish()?;
    let mut promoted = Vec::new();
    for log in &logs {
        let size = log.store.head().await?.size.0;
        if args.output == Output::Text {
            println!("{}: is written here from now on, from {size} entries on", log.record.name);
        }
        promoted.push(serde_json::json!({ "name": log.record.name, "entries": size }));
    }
    match args.output {
        Output::Text => {
            println!("start it: cairn serve --data-dir {}", path.display());
            println!(
                "never start the server that was followed without --read-only again, and promote \
                 no other replica: two that sign for one log fork it"
            );
        }
        Output::Json => println!("{}", serde_json::json!({ "logs": promoted })),
    }
    Ok(())
}

/// That the source does not answer as one that still writes.
async fn is_gone(source: &FollowSetting, logs: &[FolderLog]) -> Result<(), Failure> {
    let FollowSetting::Url(url) = source else { return Ok(()) };
    let listed = logs_of(&HttpSource::new(url, FENCE_TIMEOUT)).await.unwrap_or_default();
    let writes = |log: &&FolderLog| {
        listed.iter().any(|listed| listed.active && listed.tree_id == log.record.tree_id)
    };
    match logs.iter().find(writes) {
        None => Ok(()),
        Some(log) => Err(format!(
            "{url} answers, and still writes to the log {}: it is not gone. Nothing was changed",
            log.record.name
        )
        .into()),
    }
}

/// That the source writes no more, and that all of what it published is here.
async fn is_settled(source: &FollowSetting, logs: &[FolderLog]) -> Result<(), Failure> {
    let FollowSetting::Url(url) = source else {
        return Err(
            "what came in files cannot be asked: stop the server that wrote them for good, \
             import the last file, then promote with --source-is-gone"
                .into(),
        );
    };
    let asked = HttpSource::new(url, FENCE_TIMEOUT);
    let listed = logs_of(&asked).await.map_err(|error| {
        format!(
            "{error}. Nothing was changed. If that server is gone for good, so that it can never \
             sign again, promote with --source-is-gone"
        )
    })?;
    for log in logs {
        let name = &log.record.name;
        let found = listed.iter().find(|listed| listed.tree_id == log.record.tree_id);
        let found = found.ok_or_else(|| format!("{url} has no log {name} any more"))?;
        if found.active {
            return Err(format!(
                "{url} still writes to the log {name}: start it with --read-only, let the replica \
                 catch up, then promote. Nothing was changed"
            )
            .into());
        }
        if !found.frozen {
            return Err(format!(
                "{url} is itself a replica or an export of the log {name}, and cannot say that \
                 nobody writes to it: follow the server that does, or when that is gone for good \
                 promote with --source-is-gone. Nothing was changed"
            )
            .into());
        }
        let (there, here) = (published(&asked, found, log).await?, log.store.head().await?.size.0);
        if there != here {
            return Err(format!(
                "{url} has published {there} entries of {name}, and {here} are here: let the \
                 replica catch up, then promote. Nothing was changed"
            )
            .into());
        }
    }
    Ok(())
}

/// How many entries the source's checkpoint covers.
async fn published(source: &HttpSource, listed: &Listed, log: &FolderLog) -> Result<u64, Failure> {
    let path = format!("{}/checkpoint", listed.path());
    let note = source.get(&path, tlog::note::NOTE_BYTES_MAX).await?;
    let note = String::from_utf8(note.ok_or_else(|| format!("{path}: there is none"))?)?;
    let verifier = Verifier::from_spki(&log.record.public_key)?;
    let key_id = log.key_id(&verifier);
    let signed = SignedCheckpoint::open(&note, &log.record.origin, &verifier, key_id)?;
    Ok(signed.checkpoint().head.size.0)
}
