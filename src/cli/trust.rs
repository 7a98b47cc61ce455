//! `cairn trusted-root` and `cairn signing-config`: what clients need to verify and to sign.

use std::fs;
use std::path::{Path, PathBuf};

use tlog::Verifier;

use super::data_dir::{FolderLog, open_read_only, pick};
use super::{Configured, Failure};
use crate::config::{LogConfig, Settings};
use crate::publisher::signer::certificates_der;
use crate::trust::{self, Authority, Services, TrustedLog};

const ROOT_EXAMPLES: &str = "\
Examples:
  cairn trusted-root > trusted_root.json
  cairn trusted-root --url https://rekor.example.com --merge sigstore.json > trusted_root.json
  cairn trusted-root --tsa-url http://tsa:3004 --tsa-chain tsa.pem > trusted_root.json
  cosign verify-blob --trusted-root trusted_root.json ...

The host in the URL has to be the log's host name: verifiers look for it in checkpoints.";

const CONFIG_EXAMPLES: &str = "\
Examples:
  cairn signing-config --tsa-url http://tsa:3004/api/v1/timestamp > signing_config.json
  cairn signing-config --log v1 > signing_config.json
  cosign sign-blob --signing-config signing_config.json ...

A v2 log promises no time, so keyless signing with one needs a timestamp authority.";

#[derive(clap::Args)]
struct Common {
    /// Where clients reach the server [default: the setting public_url, else
    /// http://HOSTNAME:PORT]
    #[arg(long, value_name = "URL")]
    url: Option<String>,

    /// Only the log of this name; may be given several times [default: all but raw ones]
    #[arg(long, value_name = "NAME")]
    log: Vec<String>,

    /// An existing file whose other parts are kept
    #[arg(long, value_name = "FILE")]
    merge: Option<PathBuf>,

    /// A timestamp authority
    #[arg(long, value_name = "URL")]
    tsa_url: Vec<String>,

    #[command(flatten)]
    configured: Configured,
}

#[derive(clap::Args)]
#[command(after_help = ROOT_EXAMPLES)]
pub(super) struct RootArgs {
    #[command(flatten)]
    common: Common,

    /// The timestamp authority's certificates, PEM, its own first
    #[arg(long, value_name = "FILE", requires = "tsa_url")]
    tsa_chain: Option<PathBuf>,
}

#[derive(clap::Args)]
#[command(after_help = CONFIG_EXAMPLES)]
pub(super) struct ConfigArgs {
    #[command(flatten)]
    common: Common,

    /// A certificate authority (Fulcio)
    #[arg(long, value_name = "URL")]
    fulcio_url: Vec<String>,

    /// An issuer of identity tokens
    #[arg(long, value_name = "URL")]
    oidc_url: Vec<String>,
}

pub(super) fn trusted_root(args: RootArgs) -> Result<(), Failure> {
    let existing = args.common.merge.as_deref().map(read).transpose()?;
    let mut authorities = Vec::new();
    if let Some(path) = &args.tsa_chain {
        let chain = certificates_der(&read(path)?);
        if chain.is_empty() {
            return Err(format!("{} holds no certificate in PEM", path.display()).into());
        }
        let url = args.common.tsa_url.first().cloned().unwrap_or_default();
        authorities.push(Authority { url, chain });
    }
    let logs = logs(&args.common)?;
    print(&trust::trusted_root(&logs, &authorities, existing.as_deref())?)
}

pub(super) fn signing_config(args: ConfigArgs) -> Result<(), Failure> {
    let existing = args.common.merge.as_deref().map(read).transpose()?;
    let services = Services {
        fulcio_urls: args.fulcio_url,
        oidc_urls: args.oidc_url,
        tsa_urls: args.common.tsa_url.clone(),
    };
    print(&trust::signing_config(&logs(&args.common)?, &services, existing.as_deref())?)
}

fn read(path: &Path) -> Result<String, Failure> {
    Ok(fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?)
}

fn print(json: &serde_json::Value) -> Result<(), Failure> {
    println!("{}", serde_json::to_string_pretty(json)?);
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn logs(args: &Common) -> Result<Vec<TrustedLog>, Failure> {
    let settings = args.configured.clone().resolve()?;
    let configs = settings.logs()?;
    let mut logs = Vec::new();
    if args.log.is_empty() {
        logs.extend(open_read_only(&settings).await?.into_iter().filter(|log| !log.is_raw()));
    }
    for name in &args.log {
        logs.push(pick(&settings, open_read_only(&settings).await?, name)?);
    }
    logs.iter().map(|log| trusted(&settings, &configs, args, log)).collect()
}

fn trusted(
    settings: &Settings,
    configs: &[LogConfig],
    args: &Common,
    log: &FolderLog,
) -> Result<TrustedLog, Failure> {
    let config = configs.iter().find(|config| config.name == log.record.name);
    let configured = config.and_then(|config| config.set.public_url.clone());
    let base = args.url.clone().or(configured);
    let base = base.unwrap_or_else(|| match settings.listen().port() {
        80 => format!("http://{}", log.hostname()),
        port => format!("http://{}:{port}", log.hostname()),
    });
    let prefix = config.map_or("", |config| config.path_prefix.as_str());
    let base_url = format!("{}{prefix}", base.trim_end_matches('/'));
    if !base_url.contains(log.hostname()) {
        let (name, host) = (&log.record.name, log.hostname());
        eprintln!(
            "cairn: log {name} is {host:?} in its checkpoints, and the URL is {base_url}: verifiers will not find it"
        );
    }
    let verifier = Verifier::from_spki(&log.record.public_key)?;
    Ok(TrustedLog {
        base_url,
        log_id: match log.is_v1() {
            true => verifier.log_id(),
            false => verifier.note_key_hash(log.hostname()),
        },
        api: if log.is_v1() { 1 } else { 2 },
        valid_from: log.record.created,
        active: config.is_none_or(|config| !config.set.read_only.unwrap_or(false)),
        public_key: log.record.public_key.clone(),
    })
}
