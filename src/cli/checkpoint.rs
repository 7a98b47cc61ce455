//! `cairn checkpoint`: print the newest checkpoint of a log, ours or remote.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use tlog::{Checkpoint, KeyId, Note, SignedCheckpoint, Verifier};

use super::data_dir::{open_read_only, pick};
use super::{Configured, Failure, Output};
use crate::publisher::signer::public_key_der;
use crate::web_client::agent;

const EXAMPLES: &str = "\
Examples:
  cairn checkpoint                         of the v1 log in ./cairn-data, also while it is served
  cairn checkpoint --log v2                of the v2 log
  cairn checkpoint --url http://127.0.0.1:3000 --public-key cairn-data/v1.pub
  cairn checkpoint --url https://rekor.example.com --output json

Our own checkpoint is verified with the key in the store, a remote one with --public-key; without it
the checkpoint is printed as the log gave it, and a warning says so.";

const TIMEOUT: Duration = Duration::from_secs(20);
const ANSWER_BYTES_MAX: u64 = 1 << 20;

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Which log: `v1`, `v2`, or another name of ours
    #[arg(long, value_name = "NAME", default_value = "v1")]
    log: String,

    /// Base URL of a remote server, which is asked for its v1 log or, with `--log v2`, its v2 log
    #[arg(long, value_name = "URL")]
    url: Option<String>,

    /// The remote log's public key, PEM
    #[arg(long, value_name = "FILE", requires = "url")]
    public_key: Option<PathBuf>,

    /// Form of the output
    #[arg(long, value_enum, default_value = "text")]
    output: Output,

    #[command(flatten)]
    configured: Configured,
}

/// The log has published nothing.
#[derive(Debug, thiserror::Error)]
#[error("the log in {0} has published no checkpoint yet")]
pub(super) struct NothingPublished(pub(super) PathBuf);

/// A file that should hold a public key does not.
#[derive(Debug, thiserror::Error)]
#[error("{0} holds no public key in PEM")]
struct NoPublicKey(PathBuf);

#[derive(Deserialize)]
struct LogAnswer {
    #[serde(rename = "signedTreeHead")]
    signed_tree_head: String,
}

pub(super) fn run(args: Args) -> Result<(), Failure> {
    let (note, verified) = match &args.url {
        Some(url) => remote(url, &args.log, args.public_key.as_deref())?,
        None => (ours(args.configured, &args.log)?, true),
    };
    if !verified {
        eprintln!("cairn: the signature was not verified: name the log's key with --public-key");
    }
    match args.output {
        Output::Text => print!("{note}"),
        Output::Json => {
            let checkpoint = Checkpoint::parse_text(&Note::parse(&note)?.text)?;
            let json = serde_json::json!({
                "origin": checkpoint.origin,
                "size": checkpoint.head.size.0,
                "root": checkpoint.head.root.to_string(),
                "note": note,
                "verified": verified,
            });
            println!("{json}");
        }
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn ours(configured: Configured, name: &str) -> Result<String, Failure> {
    let settings = configured.resolve()?;
    let log = pick(&settings, open_read_only(&settings).await?, name)?;
    let published = log.store.checkpoint().await?;
    let note = published.ok_or_else(|| NothingPublished(settings.data_dir()))?.note;
    let verifier = Verifier::from_spki(&log.record.public_key)?;
    SignedCheckpoint::open(&note, &log.record.origin, &verifier, log.key_id(&verifier))?;
    Ok(note)
}

fn remote(url: &str, log: &str, public_key: Option<&Path>) -> Result<(String, bool), Failure> {
    let url = url.trim_end_matches('/');
    let note = match log {
        "v1" => {
            let url = format!("{url}/api/v1/log");
            let answer: LogAnswer = serde_json::from_str(&fetch(&url)?)
                .map_err(|error| format!("{url} is not a Rekor v1 log: {error}"))?;
            answer.signed_tree_head
        }
        "v2" => fetch(&format!("{url}/checkpoint"))?,
        other => return Err(format!("a remote log is v1 or v2, not {other:?}").into()),
    };
    let Some(path) = public_key else { return Ok((note, false)) };
    let der = public_key_der(&std::fs::read(path)?).ok_or_else(|| NoPublicKey(path.into()))?;
    let verifier = Verifier::from_spki(&der)?;
    let checkpoint = Checkpoint::parse_text(&Note::parse(&note)?.text)?;
    let key_id = match log {
        "v1" => KeyId::rekor_v1(&der),
        _ => verifier.key_id(checkpoint.key_name()),
    };
    SignedCheckpoint::open(&note, &checkpoint.origin, &verifier, key_id)?;
    Ok((note, true))
}

fn fetch(url: &str) -> Result<String, Failure> {
    let answer = agent(TIMEOUT).get(url).call().map_err(|error| format!("{url}: {error}"))?;
    if !answer.status().is_success() {
        return Err(format!("{url}: {}", answer.status()).into());
    }
    Ok(answer.into_body().into_with_config().limit(ANSWER_BYTES_MAX).read_to_string()?)
}
