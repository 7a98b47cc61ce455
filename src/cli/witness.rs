//! `cairn witness`: run a witness (C2SP tlog-witness) for logs, ours or others'.

use std::io::{Write as _, stdout};
use std::net::SocketAddr;
use std::path::PathBuf;

use tlog::Policy;

use super::Failure;
use super::serve::{Signals, listen};
use crate::clock::unix_seconds;
use crate::config::{LogFormat, Settings};
use crate::frontend::serve_witness;
use crate::telemetry::init_logging;
use crate::witness::{Cosigner, KnownLog, Witness, WitnessState};

const EXAMPLES: &str = "\
Examples:
  cairn witness --name witness.example.com/w1 --log 'log.example.com+1a2b3c4d+AbCd...'
  cairn witness --log 'rekor.example.com+5e6f7a8b+AjBZ... rekor.example.com - 1193050959916656506'
  cairn witness --data-dir /var/lib/cairn-witness --policy /etc/cairn/logs.policy

In an empty folder it makes a key, and prints the line with which logs name it in their policies.
It cosigns a checkpoint only if that is consistent with the one before; what it cosigned last is on
disk before it answers. Never run it on an old copy of its folder: it could cosign a fork.
SIGINT or SIGTERM ends it: requests that are running are answered first.";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Folder that holds the witness: its key and what it cosigned last
    #[arg(long, value_name = "DIR", default_value = "cairn-witness")]
    data_dir: PathBuf,

    /// Address that it answers on
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:3100")]
    listen: SocketAddr,

    /// Name on its cosignatures: a URL without scheme; fixed when the witness is made
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// A log that it cosigns for: a verifier key, and the origin if that is not the key's name
    #[arg(long = "log", value_name = "VKEY[ ORIGIN]")]
    logs: Vec<KnownLog>,

    /// File whose `log` lines name more logs (C2SP tlog-policy)
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,

    /// Form of the log lines [default: text]
    #[arg(long, env = "CAIRN_LOG_FORMAT", value_name = "FORMAT")]
    log_format: Option<LogFormat>,

    /// What is logged: error, warn, info, debug, trace, or a filter [default: info]
    #[arg(long, env = "CAIRN_LOG_LEVEL", value_name = "FILTER")]
    log_level: Option<String>,
}

#[tokio::main]
pub(super) async fn run(args: Args) -> Result<(), Failure> {
    let Args { data_dir, listen: address, name, logs, policy, log_format, log_level } = args;
    init_logging(&Settings { log_format, log_level, ..Settings::default() })?;
    let mut signals = Signals::install()?;
    let logs = known_logs(logs, policy)?;

    let listener = listen(address, "listen").await?;
    let address = listener.local_addr()?;
    let state = WitnessState::open(&data_dir)?;
    let (cosigner, made) = Cosigner::open_or_create(&state, name.as_deref())?;
    let witness = Witness::open(state, cosigner, logs, unix_seconds)?;

    let made = if made { "made a new witness in" } else { "opened the witness in" };
    let (version, key) = (env!("CARGO_PKG_VERSION"), witness.key());
    let mut text = format!("cairn {version}: {made} {}\n", data_dir.display());
    for (origin, size) in witness.logs() {
        text.push_str(&format!("  log         {origin} ({size} entries)\n"));
    }
    text.push_str(&format!("  key         {key}\n"));
    text.push_str(&format!("  for logs    witness {} {key} http://{address}\n", key.name()));
    // Whoever started it may not be reading any more.
    let _unread = stdout().write_all(text.as_bytes());

    serve_witness(listener, witness, async move {
        signals.end().await;
        tracing::info!("stopping: requests that are running are answered first");
    })
    .await;
    tracing::info!("stopped");
    Ok(())
}

/// The logs of the flags and of the policy.
fn known_logs(mut logs: Vec<KnownLog>, policy: Option<PathBuf>) -> Result<Vec<KnownLog>, Failure> {
    if let Some(path) = policy {
        let at = |error: String| format!("policy {}: {error}", path.display());
        let text = std::fs::read_to_string(&path).map_err(|error| at(error.to_string()))?;
        let policy = Policy::parse(&text).map_err(|error| at(error.to_string()))?;
        logs.extend(policy.logs.into_iter().map(|log| KnownLog::named_by(log.key)));
    }
    if logs.is_empty() {
        return Err("a witness needs a log: name one with --log, or some with --policy".into());
    }
    Ok(logs)
}
