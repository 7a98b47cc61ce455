//! `cairn checkpoint`: print the newest checkpoint of a log, ours or remote.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tlog::{Checkpoint, KeyId, Note, SignedCheckpoint, Verifier};
use ureq::tls::{RootCerts, TlsConfig};

use super::data_dir::open_read_only;
use super::{Configured, Failure, Output};
use crate::publisher::signer::public_key_der;

const EXAMPLES: &str = "\
Examples:
  cairn checkpoint                         of the log in ./cairn-data, also while it is served
  cairn checkpoint --url http://127.0.0.1:3000 --public-key cairn-data/v1.pub
  cairn checkpoint --url https://rekor.example.com --output json

Our own checkpoint is verified with the key in the store, a remote one with --public-key; without it
the checkpoint is printed as the log gave it, and a warning says so.";

const TIMEOUT: Duration = Duration::from_secs(20);
const ANSWER_BYTES_MAX: u64 = 1 << 20;

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Base URL of a Rekor v1 log
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
struct NothingPublished(PathBuf);

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
        Some(url) => remote(url, args.public_key.as_deref())?,
        None => (ours(args.configured)?, true),
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
async fn ours(configured: Configured) -> Result<String, Failure> {
    let settings = configured.resolve()?;
    let folder = open_read_only(&settings).await?;
    let published = folder.log.checkpoint().await?;
    let note = published.ok_or_else(|| NothingPublished(settings.data_dir()))?.note;
    verify(&note, &folder.record.public_key, &folder.record.origin)?;
    Ok(note)
}

fn remote(url: &str, public_key: Option<&Path>) -> Result<(String, bool), Failure> {
    let agent = agent();
    let url = format!("{}/api/v1/log", url.trim_end_matches('/'));
    let body = agent.get(&url).call().map_err(|error| format!("{url}: {error}"))?;
    let body = body.into_body().into_with_config().limit(ANSWER_BYTES_MAX).read_to_string()?;
    let answer: LogAnswer = serde_json::from_str(&body)
        .map_err(|error| format!("{url} is not a Rekor v1 log: {error}"))?;
    let note = answer.signed_tree_head;
    let Some(path) = public_key else { return Ok((note, false)) };
    let der = public_key_der(&std::fs::read(path)?).ok_or_else(|| NoPublicKey(path.into()))?;
    let origin = Checkpoint::parse_text(&Note::parse(&note)?.text)?.origin;
    verify(&note, &der, &origin)?;
    Ok((note, true))
}

/// An HTTP client that trusts the machine's certificate authorities.
fn agent() -> ureq::Agent {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = TlsConfig::builder()
        .unversioned_rustls_crypto_provider(provider)
        .root_certs(RootCerts::PlatformVerifier)
        .build();
    ureq::Agent::config_builder().timeout_global(Some(TIMEOUT)).tls_config(tls).build().new_agent()
}

fn verify(note: &str, spki: &[u8], origin: &str) -> Result<(), Failure> {
    let verifier = Verifier::from_spki(spki)?;
    SignedCheckpoint::open(note, origin, &verifier, KeyId::rekor_v1(spki))?;
    Ok(())
}
