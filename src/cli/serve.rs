//! `cairn serve`: run the log. Wires the rooms together; nothing else sees more than one.

use std::collections::HashMap;
use std::io::{Write as _, stdout};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tlog::{Policy, Verifier};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::data_dir::{FolderLog, OwnedLog, Role, open_or_create};
use super::export::open_sink;
use super::replica::{Upstream, follow_log};
use super::{Configured, Failure, open_files};
use crate::admission::{self, Accepts};
use crate::clock::unix_seconds;
use crate::config::{ApiSetting, DuplicatesSetting, LogConfig, Settings, WitnessMode};
use crate::export::{Exporter, follow};
use crate::follow::Fence;
use crate::frontend::{self, App, Door, FrontendSettings, Sites};
use crate::limits::WITNESS_ROUND_DEFAULT;
use crate::log::{Api, Duplicates, Log, Rules};
use crate::publisher::signer::{Signer, public_key_pem};
use crate::publisher::witness::{HttpWitness, WithoutQuorum, Witnessing};
use crate::publisher::{self, HeadGuard, Publisher, SigningCore};
use crate::quota::{self, Quota};
use crate::reader::Reader;
use crate::recovery::{Identity, recover};
use crate::sequencer::Sequencer;
use crate::shard::Shard;
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
pub(super) struct ListenError {
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
    let mut configs = settings.logs()?;
    for config in &configs {
        rules(&settings, config)?; // what cannot be is said before anything is made
    }
    let mut frontend_settings = FrontendSettings::from_settings(&settings)?;
    let connections_max = &mut frontend_settings.limits.connections_max;
    *connections_max = open_files::connections(*connections_max);

    // Addresses first: a second server on the same machine fails before it touches the folder.
    let listener = listen(settings.listen(), "listen").await?;
    let metrics_listener = match settings.metrics_listen() {
        Some(address) => Some(listen(address, "metrics-listen").await?),
        None => None,
    };
    let upstream = match &settings.follow {
        Some(setting) => {
            let upstream = Upstream::find(setting).await;
            configs = upstream.followed(&settings, configs)?;
            Some(upstream)
        }
        None => None,
    };
    let role = upstream.as_ref().map_or(Role::Writes, Upstream::role);
    let folder = open_or_create(&settings, &configs, role).await?;
    let metrics = Metrics::new();
    let (made, owned) = (folder.created, folder.logs);
    let (logs, mut exports) = open_all(&settings, &configs, owned, &upstream, &metrics).await?;
    check_log_ids(&logs)?;
    let metrics_address = metrics_listener.as_ref().map(TcpListener::local_addr).transpose()?;
    let text = announcement(&settings, made, &logs, listener.local_addr()?, metrics_address);
    // Whoever started the server may not be reading any more.
    let _unread = stdout().write_all(text.as_bytes());
    let doors = configs.iter().zip(logs).map(|(config, log)| Door {
        host: config.host.clone(),
        path_prefix: config.path_prefix.clone(),
        public_url: config.set.public_url.clone(),
        log,
    });
    let sites = Sites::new(doors.collect());

    let (stop, stopping) = watch::channel(false);
    let app = Arc::new(App { sites, metrics: metrics.clone(), settings: frontend_settings });
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
    // An export that is running is dropped: the next start goes on with it.
    exports.shutdown().await;
    tracing::info!("stopped");
    Ok(())
}

/// The rooms of all logs, and the tasks that export them.
async fn open_all(
    settings: &Settings,
    configs: &[LogConfig],
    owned: Vec<OwnedLog>,
    upstream: &Option<Upstream>,
    metrics: &Metrics,
) -> Result<(Vec<Arc<Log>>, JoinSet<()>), Failure> {
    let sink = settings.export.as_ref().map(open_sink).transpose()?;
    let (mut logs, mut exports) = (Vec::new(), JoinSet::new());
    for (config, owned) in configs.iter().zip(owned) {
        let store = owned.log.store.clone();
        let log = match upstream {
            Some(upstream) => follow_log(settings, config, owned, upstream, metrics).await?,
            None => open_log(settings, config, owned, metrics).await?,
        };
        if let Some(sink) = sink.clone().filter(|_| config.set.export.unwrap_or(true)) {
            let (shard, metrics) = (log.active(), metrics.log(&config.name));
            let exporter = Exporter::new(shard.core(), shard.record(), store, sink)?;
            exports.spawn(follow(
                exporter,
                shard.checkpoints(),
                settings.export_interval(),
                metrics,
            ));
        }
        logs.push(log);
    }
    Ok((logs, exports))
}

/// A log ID names one log: in the paths of tiles, and in what clients trust.
fn check_log_ids(logs: &[Arc<Log>]) -> Result<(), Failure> {
    let mut known = HashMap::new();
    for log in logs {
        if let Some(first) = known.insert(log.active().log_id(), log.name()) {
            let second = log.name();
            return Err(format!(
                "[logs.{first}] and [logs.{second}] have the same key and name, so the same log \
                 ID: give one of them a key of its own"
            )
            .into());
        }
    }
    Ok(())
}

/// The rooms of one log, from the cellar up.
async fn open_log(
    settings: &Settings,
    config: &LogConfig,
    owned: OwnedLog,
    metrics: &Metrics,
) -> Result<Arc<Log>, Failure> {
    let OwnedLog { log: folder, signer } = owned;
    let core = Arc::new(signing_core(&folder, signer)?);
    let guard = settings.head_guard.as_ref().map(|path| HeadGuard::new(guard_of(path, config)));
    let guarded = guard.as_ref().map(HeadGuard::recall).transpose()?.flatten();
    let verifier = Verifier::from_spki(core.public_key())?;
    let identity = Identity { origin: core.origin(), verifier: &verifier, key_id: core.key_id() };
    let recovered = recover(&*folder.store, &identity, guarded.as_deref()).await;
    let edge = recovered.map_err(|error| format!("log {}: {error}", config.name))?;
    let fenced = fence(settings, &folder, &core).await;
    let fenced = fenced.map_err(|error| format!("log {}: {error}", config.name))?;

    let (store, metrics) = (folder.store, metrics.log(&config.name));
    let (sequencer, heads) = Sequencer::start(store.clone(), edge, unix_seconds, metrics.clone());
    let setup = publisher::Setup {
        guard,
        fenced,
        witnessing: witnessing(config)?,
        interval_min: config.checkpoint_interval(),
        republish_after: config.republish_after(),
        ..publisher::Setup::new(core, store.clone(), unix_seconds, metrics)
    };
    let publisher = Publisher::start(setup, heads).await;
    let publisher = publisher.map_err(|error| format!("log {}: {error}", config.name))?;
    let active = Shard::new(folder.record, Reader::new(store), publisher);
    Ok(Arc::new(Log::new(rules(settings, config)?, sequencer, Vec::new(), active)))
}

/// What signs for a log.
pub(super) fn signing_core(
    folder: &FolderLog,
    signer: Arc<dyn Signer>,
) -> Result<SigningCore, Failure> {
    Ok(match folder.is_v1() {
        true => SigningCore::rekor_v1(signer, folder.hostname(), folder.record.tree_id.get()),
        false => SigningCore::rekor_v2(signer, folder.hostname())?,
    })
}

/// Asks the replicas that may have been promoted, and goes on asking.
async fn fence(
    settings: &Settings,
    folder: &FolderLog,
    core: &Arc<SigningCore>,
) -> Result<Option<watch::Receiver<Option<Arc<str>>>>, Failure> {
    let Some(urls) = &settings.fence else { return Ok(None) };
    let fence = Fence::new(urls.clone(), folder.store.clone(), core.clone())?;
    fence.check().await?;
    Ok(Some(fence.watch()))
}

/// The witnesses that a log's policy file names.
fn witnessing(config: &LogConfig) -> Result<Option<Witnessing>, Failure> {
    let set = &config.set;
    let Some(path) = &set.witness_policy else { return Ok(None) };
    let file =
        |error: &dyn std::fmt::Display| format!("witness policy {}: {error}", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| file(&error))?;
    let policy = Policy::parse(&text).map_err(|error| file(&error))?;
    let without_quorum = match set.witness_mode {
        None | Some(WitnessMode::Publish) => WithoutQuorum::Publish,
        Some(WitnessMode::Wait) => WithoutQuorum::Wait,
        Some(WitnessMode::Stop) => WithoutQuorum::Stop,
    };
    let round_max = set.witness_timeout_ms.map_or(WITNESS_ROUND_DEFAULT, Duration::from_millis);
    let connect = |_: &str, url: &str| Arc::new(HttpWitness::new(url, round_max)) as Arc<_>;
    let made = Witnessing::new(policy, without_quorum, round_max, connect);
    let made = made.map_err(|name| file(&format!("witness {name} has no URL")))?;
    Ok(Some(made))
}

/// Each log has a guard file of its own; the v1 log's has the name that was set.
pub(super) fn guard_of(path: &Path, config: &LogConfig) -> PathBuf {
    if config.name == "v1" {
        return path.into();
    }
    let mut path = path.as_os_str().to_owned();
    path.push(format!(".{}", config.name));
    path.into()
}

pub(super) fn rules(settings: &Settings, config: &LogConfig) -> Result<Rules, Failure> {
    let set = &config.set;
    let attestation_bytes_max = settings.attestation_bytes_max();
    let accepts = match config.api {
        ApiSetting::V1 => Accepts::RekorV1,
        ApiSetting::V2 => Accepts::RekorV2,
        ApiSetting::Raw => Accepts::Raw,
    };
    let defaults = admission::Policy::of(accepts);
    let legacy_dsse = set.legacy_dsse.unwrap_or(defaults.legacy_dsse);
    let mut policy = admission::Policy { attestation_bytes_max, legacy_dsse, ..defaults };
    if let Some(max) = settings.max_jar_metadata_bytes {
        policy.jar_metadata_bytes_max = max;
    }
    if let Some(max) = settings.max_apk_metadata_bytes {
        policy.apk_metadata_bytes_max = max;
    }
    if let Some(kinds) = &set.enabled_kinds {
        policy.enable_kinds(kinds)?;
    }
    if let Some(algorithms) = &set.client_signing_algorithms {
        policy.allow_algorithms(algorithms)?;
    } else if let Some(algorithms) = &settings.client_signing_algorithms {
        policy.restrict_algorithms(algorithms)?;
    }
    Ok(Rules {
        name: config.name.clone(),
        api: match config.api {
            ApiSetting::V1 => Api::V1,
            ApiSetting::V2 => Api::V2,
            ApiSetting::Raw => Api::Raw,
        },
        policy,
        duplicates: match set.duplicates {
            None | Some(DuplicatesSetting::Conflict) => Duplicates::Conflict,
            Some(DuplicatesSetting::ReturnExisting) => Duplicates::ReturnExisting,
        },
        quota: Quota::new(quota::Limits {
            per_second: set.quota_entries_per_second,
            burst: set.quota_burst,
            entries_max: set.quota_entries_max,
        }),
        in_flight_max: settings.max_entries_in_flight,
        frozen: set.read_only.unwrap_or(false),
        replica: false,
    })
}

/// What an operator needs to know of a server that has started.
fn announcement(
    settings: &Settings,
    made: bool,
    logs: &[Arc<Log>],
    api: SocketAddr,
    metrics: Option<SocketAddr>,
) -> String {
    let made = match (made, &settings.follow) {
        (_, Some(_)) => "opened the replica in",
        (true, None) => "made a new log in",
        (false, None) => "opened the log in",
    };
    let (version, folder) = (env!("CARGO_PKG_VERSION"), settings.data_dir());
    let mut text = format!("cairn {version}: {made} {}\n", folder.display());
    if let Some(source) = &settings.follow {
        text.push_str(&format!("  follows     {source}\n"));
    }
    text.push_str(&format!("  API         http://{api}\n"));
    if let Some(address) = metrics {
        text.push_str(&format!("  metrics     http://{address}/metrics\n"));
    }
    if let Some(export) = &settings.export {
        text.push_str(&format!("  export      {export}\n"));
    }
    for log in logs {
        let shard = log.active();
        let record = shard.record();
        text.push_str(&format!("log {} (API {})\n", log.name(), log.api()));
        for (label, value) in [
            ("origin", record.origin.clone()),
            ("tree ID", record.tree_id.to_string()),
            ("log ID", hex::encode(shard.log_id())),
            ("entries", log.health().head.size.to_string()),
        ] {
            text.push_str(&format!("  {label:<11} {value}\n"));
        }
        text.push_str(&public_key_pem(&record.public_key));
    }
    text
}

pub(super) async fn listen(
    address: SocketAddr,
    flag: &'static str,
) -> Result<TcpListener, ListenError> {
    let listener = TcpListener::bind(address).await;
    listener.map_err(|source| ListenError { address, flag, source })
}

/// The two signals that end the server; they are heard from the moment of installation on.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    pub(super) fn install() -> std::io::Result<Self> {
        let interrupt = signal(SignalKind::interrupt())?;
        Ok(Self { interrupt, terminate: signal(SignalKind::terminate())? })
    }

    pub(super) async fn end(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

async fn stopped(mut stopping: watch::Receiver<bool>) {
    let _sender_gone = stopping.wait_for(|stop| *stop).await;
}
