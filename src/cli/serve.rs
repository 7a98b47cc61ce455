//! `cairn serve`: run the log. Wires the rooms together; nothing else sees more than one.

use std::net::SocketAddr;
use std::sync::Arc;

use tlog::{KeyId, Verifier};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use super::data_dir::{DataDir, open_or_create};
use super::{Configured, Failure};
use crate::admission::Policy;
use crate::clock::unix_seconds;
use crate::config::Settings;
use crate::frontend::{self, App, FrontendSettings};
use crate::log::{Log, Shard};
use crate::publisher::signer::{Signer, public_key_pem};
use crate::publisher::{HeadGuard, Publisher, SigningCore};
use crate::reader::Reader;
use crate::recovery::{Identity, recover};
use crate::sequencer::Sequencer;
use crate::telemetry::{Metrics, init_logging};

const EXAMPLES: &str = "\
Examples:
  cairn serve
  cairn serve --data-dir /var/lib/cairn --hostname rekor.example.com --listen 0.0.0.0:3000
  CAIRN_LOG_FORMAT=json cairn serve --config /etc/cairn.toml

In an empty folder it makes a log: key, tree and store. In a folder with a log it goes on with that
log, or says why it does not; it never makes a second key or tree.
SIGINT or SIGTERM ends it: requests that are running are answered first.";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(flatten)]
    configured: Configured,
}

/// An address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} (--{flag}): {source}")]
struct ListenError {
    address: SocketAddr,
    flag: &'static str,
    #[source]
    source: std::io::Error,
}

#[tokio::main]
pub(super) async fn run(args: Args) -> Result<(), Failure> {
    let settings = args.configured.resolve()?;
    init_logging(&settings)?;
    let mut signals = Signals::install()?;
    let policy = policy(&settings)?;
    let frontend_settings = FrontendSettings::from_settings(&settings)?;

    // Addresses first: a second server on the same machine fails before it touches the folder.
    let listener = listen(settings.listen(), "listen").await?;
    let metrics_listener = match settings.metrics_listen() {
        Some(address) => Some(listen(address, "metrics-listen").await?),
        None => None,
    };
    let (folder, signer) = open_or_create(&settings).await?;
    let metrics = Metrics::new();
    let log = open_log(&settings, policy, &folder, signer, metrics.clone()).await?;
    let metrics_address = metrics_listener.as_ref().map(TcpListener::local_addr).transpose()?;
    announce(&settings, &folder, &log, listener.local_addr()?, metrics_address);

    let (stop, stopping) = watch::channel(false);
    let app = Arc::new(App { log, metrics: metrics.clone(), settings: frontend_settings });
    let api = tokio::spawn(frontend::serve(listener, app, stopped(stopping.clone())));
    let metrics = metrics_listener.map(|listener| {
        tokio::spawn(frontend::serve_metrics(listener, metrics, stopped(stopping)))
    });
    signals.end().await;
    tracing::info!("stopping: requests that are running are answered first");
    stop.send_replace(true);
    api.await?;
    if let Some(metrics) = metrics {
        metrics.await?;
    }
    tracing::info!("stopped");
    Ok(())
}

/// The rooms of one log, from the cellar up.
async fn open_log(
    settings: &Settings,
    policy: Policy,
    folder: &DataDir,
    signer: Arc<dyn Signer>,
    metrics: Arc<Metrics>,
) -> Result<Arc<Log>, Failure> {
    let tree_id = folder.record.tree_id;
    let core = Arc::new(SigningCore::rekor_v1(signer, &folder.hostname, tree_id.get()));
    let guard = settings.head_guard.clone().map(HeadGuard::new);
    let guarded = guard.as_ref().map(HeadGuard::recall).transpose()?.flatten();
    let verifier = Verifier::from_spki(core.public_key())?;
    let key_id = KeyId::rekor_v1(core.public_key());
    let identity = Identity { origin: core.origin(), verifier: &verifier, key_id };
    let edge = recover(&*folder.log, &identity, guarded.as_deref()).await?;

    let store = folder.log.clone();
    let (sequencer, heads) = Sequencer::start(store.clone(), edge, unix_seconds, metrics.clone());
    let publisher = Publisher::start(core, store.clone(), guard, heads, metrics).await?;
    let active = Shard::new(tree_id, Reader::new(store), publisher);
    Ok(Arc::new(Log::new(policy, sequencer, Vec::new(), active)))
}

fn policy(settings: &Settings) -> Result<Policy, Failure> {
    let attestation_bytes_max = settings.attestation_bytes_max();
    let mut policy = Policy { attestation_bytes_max, ..Policy::default() };
    if let Some(kinds) = &settings.enabled_kinds {
        policy.enable_kinds(kinds)?;
    }
    if let Some(algorithms) = &settings.client_signing_algorithms {
        policy.allow_algorithms(algorithms)?;
    }
    Ok(policy)
}

/// What an operator needs to know of a log that has started, on standard output.
fn announce(
    settings: &Settings,
    folder: &DataDir,
    log: &Log,
    api: SocketAddr,
    metrics: Option<SocketAddr>,
) {
    let record = &folder.record;
    let made = if folder.created { "made a new log in" } else { "opened the log in" };
    println!("cairn {}: {made} {}", env!("CARGO_PKG_VERSION"), settings.data_dir().display());
    println!("  API         http://{api}");
    if let Some(address) = metrics {
        println!("  metrics     http://{address}/metrics");
    }
    println!("  origin      {}", record.origin);
    println!("  tree ID     {}", record.tree_id);
    println!("  log ID      {}", hex::encode(tlog::hash::sha256(&record.public_key)));
    println!("  entries     {}", log.health().head.size);
    print!("{}", public_key_pem(&record.public_key));
}

async fn listen(address: SocketAddr, flag: &'static str) -> Result<TcpListener, ListenError> {
    let listener = TcpListener::bind(address).await;
    listener.map_err(|source| ListenError { address, flag, source })
}

/// The two signals that end the server; they are heard from the moment of installation on.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn install() -> std::io::Result<Self> {
        let interrupt = signal(SignalKind::interrupt())?;
        Ok(Self { interrupt, terminate: signal(SignalKind::terminate())? })
    }

    async fn end(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

async fn stopped(mut stopping: watch::Receiver<bool>) {
    let _sender_gone = stopping.wait_for(|stop| *stop).await;
}
