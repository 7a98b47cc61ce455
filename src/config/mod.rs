//! Settings: flag > environment (`CAIRN_…`) > file > default. The only reader of the environment.
//!
//! Every setting stands in one struct, which is at once the flags, the environment and the file.

mod choices;
mod follow;
mod export;
mod logs;
mod storage;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Deserialize;

use crate::limits::REQUEST_BODY_BYTES_DEFAULT;

pub use choices::{DuplicatesSetting, LogFormat, WitnessMode};
pub use export::{BucketSettings, ExportSetting};
pub use follow::FollowSetting;
pub use logs::{ApiSetting, LogConfig, LogSettings, LogsError};
pub use storage::{PasswordError, StorageSetting};

const DATA_DIR: &str = "cairn-data";
const LISTEN: &str = "127.0.0.1:3000";
const METRICS_LISTEN: &str = "127.0.0.1:2112";
/// Rekor's `max_attestation_size`.
const ATTESTATION_BYTES_DEFAULT: usize = 100 * 1024;

/// What can be set. A setting that is absent has not been set at this place.
#[derive(Args, Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Folder that holds the log: its key, its identity and its store [default: ./cairn-data]
    #[arg(long, env = "CAIRN_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,

    /// Address of the API [default: 127.0.0.1:3000]
    #[arg(long, env = "CAIRN_LISTEN", value_name = "IP:PORT")]
    pub listen: Option<SocketAddr>,

    /// Address of the Prometheus metrics, or `off` [default: 127.0.0.1:2112]
    #[arg(long, env = "CAIRN_METRICS_LISTEN", value_name = "IP:PORT|off")]
    pub metrics_listen: Option<MetricsListen>,

    /// Name of the logs in their checkpoints; fixed when they are made [default: localhost]
    #[arg(long, env = "CAIRN_HOSTNAME", value_name = "NAME")]
    pub hostname: Option<String>,

    /// Where clients reach the server, for trust material [default: http://HOSTNAME:PORT]
    #[arg(long, env = "CAIRN_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<String>,

    /// Tree ID of the v1 log; fixed when the log is made [default: a random one]
    #[arg(long, env = "CAIRN_TREE_ID", value_name = "NUMBER")]
    pub tree_id: Option<i64>,

    /// The v1 log's private key, PKCS#8 PEM; fixed when the log is made [default: v1.key in the
    /// folder]
    #[arg(long, env = "CAIRN_KEY_FILE", value_name = "FILE")]
    pub key_file: Option<PathBuf>,

    /// The v2 log's private key, PKCS#8 PEM; fixed when the log is made [default: v2.key in the
    /// folder]
    #[arg(long, env = "CAIRN_V2_KEY_FILE", value_name = "FILE")]
    pub v2_key_file: Option<PathBuf>,

    /// Serve the logs frozen: they are read, and take no entries
    #[arg(long, env = "CAIRN_READ_ONLY", value_name = "BOOL", num_args = 0..=1,
        default_missing_value = "true")]
    pub read_only: Option<bool>,

    /// What a writer is told whose entry is in the log already [default: conflict]
    #[arg(long, env = "CAIRN_DUPLICATES", value_name = "ANSWER")]
    pub duplicates: Option<DuplicatesSetting>,

    /// Take dsse entries of version 0.0.2 into the v2 log [default: true]
    #[arg(long, env = "CAIRN_LEGACY_DSSE", value_name = "BOOL")]
    pub legacy_dsse: Option<bool>,

    /// Time between two checkpoints, at least, in milliseconds; 0: one as soon as a log has grown
    /// [default: 0]
    #[arg(long, env = "CAIRN_CHECKPOINT_INTERVAL_MS", value_name = "MS")]
    pub checkpoint_interval_ms: Option<u64>,

    /// Time without growth after which a witnessed checkpoint is cosigned anew, in seconds
    /// [default: 600]
    #[arg(long, env = "CAIRN_CHECKPOINT_REPUBLISH_SECONDS", value_name = "SECONDS")]
    pub checkpoint_republish_seconds: Option<u64>,

    /// File that names the witnesses and their quorum (C2SP tlog-policy)
    #[arg(long, env = "CAIRN_WITNESS_POLICY", value_name = "FILE")]
    pub witness_policy: Option<PathBuf>,

    /// What happens to a checkpoint that is short of the witnesses' quorum [default: publish]
    #[arg(long, env = "CAIRN_WITNESS_MODE", value_name = "MODE")]
    pub witness_mode: Option<WitnessMode>,

    /// Where entries are stored: rocksdb or fjall, in the data folder, or postgres://USER@HOST/DB,
    /// which any number of servers may share [default: rocksdb]
    #[arg(long, env = "CAIRN_STORAGE", value_name = "ENGINE|URL")]
    pub storage: Option<StorageSetting>,

    /// File with the password of the database's user [default: what CAIRN_STORAGE_PASSWORD holds]
    #[arg(long, env = "CAIRN_STORAGE_PASSWORD_FILE", value_name = "FILE")]
    pub storage_password_file: Option<PathBuf>,

    /// Connections to the database for reads, at most [default: 16]
    #[arg(long, env = "CAIRN_STORAGE_CONNECTIONS", value_name = "N")]
    pub storage_connections: Option<usize>,

    /// Use a database that may lose what it has acknowledged
    #[arg(long, env = "CAIRN_STORAGE_ACCEPT_DATA_LOSS", value_name = "BOOL", num_args = 0..=1,
        default_missing_value = "true")]
    pub storage_accept_data_loss: Option<bool>,

    /// Be a replica of logs that are written elsewhere: the URL of a Cairn or of an export, or a
    /// folder into which files of `cairn export --bundle` are put
    #[arg(long, env = "CAIRN_FOLLOW", value_name = "URL|DIR")]
    pub follow: Option<FollowSetting>,

    /// Time between two looks at the logs that are followed, in milliseconds [default: 1000]
    #[arg(long, env = "CAIRN_FOLLOW_INTERVAL_MS", value_name = "MS")]
    pub follow_interval_ms: Option<u64>,

    /// URLs of replicas of these logs that may be promoted: where one holds more than this server,
    /// or something else, nothing is signed here
    #[arg(long, env = "CAIRN_FENCE", value_name = "URL", value_delimiter = ',')]
    pub fence: Option<Vec<String>>,

    /// File on another volume that remembers the newest checkpoint, so that an old copy of the
    /// data folder is noticed
    #[arg(long, env = "CAIRN_HEAD_GUARD", value_name = "FILE")]
    pub head_guard: Option<PathBuf>,

    /// Folder or s3://BUCKET/PREFIX that all logs are exported to, as static files
    #[arg(long, env = "CAIRN_EXPORT", value_name = "DIR|URL")]
    pub export: Option<ExportSetting>,

    /// Time between two exports of a log, at least, in milliseconds [default: 1000]
    #[arg(long, env = "CAIRN_EXPORT_INTERVAL_MS", value_name = "MS")]
    pub export_interval_ms: Option<u64>,

    /// Largest request body in bytes [default: 33554432]
    #[arg(long, env = "CAIRN_MAX_REQUEST_BODY_BYTES", value_name = "BYTES")]
    pub max_request_body_bytes: Option<usize>,

    /// Entries of one log that may be on their way at once [default: 2048 for each core]
    #[arg(long, env = "CAIRN_MAX_ENTRIES_IN_FLIGHT", value_name = "N")]
    pub max_entries_in_flight: Option<usize>,

    /// Keep the attestations of intoto entries and give them back with the entries [default: true]
    #[arg(long, env = "CAIRN_ATTESTATION_STORAGE", value_name = "BOOL")]
    pub attestation_storage: Option<bool>,

    /// Largest attestation that is kept, in bytes [default: 102400]
    #[arg(long, env = "CAIRN_MAX_ATTESTATION_BYTES", value_name = "BYTES")]
    pub max_attestation_bytes: Option<usize>,

    /// Largest file in META-INF of a jar, unpacked, in bytes; 0 is no limit [default: 1048576]
    #[arg(long, env = "CAIRN_MAX_JAR_METADATA_BYTES", value_name = "BYTES")]
    pub max_jar_metadata_bytes: Option<u64>,

    /// Largest signature or .PKGINFO of an Alpine package, unpacked, in bytes; 0 is 20 MiB
    /// [default: 1048576]
    #[arg(long, env = "CAIRN_MAX_APK_METADATA_BYTES", value_name = "BYTES")]
    pub max_apk_metadata_bytes: Option<u64>,

    /// Entry kinds that may be submitted [default: all that this build knows]
    #[arg(long, env = "CAIRN_ENABLED_KINDS", value_name = "KIND", value_delimiter = ',')]
    pub enabled_kinds: Option<Vec<String>>,

    /// Key and hash algorithms that hashedrekord entries may use, by Rekor's names
    #[arg(
        long,
        env = "CAIRN_CLIENT_SIGNING_ALGORITHMS",
        value_name = "NAME",
        value_delimiter = ','
    )]
    pub client_signing_algorithms: Option<Vec<String>>,

    /// API operations that are served, by Rekor's operation IDs [default: all]
    #[arg(long, env = "CAIRN_ENABLED_API_ENDPOINTS", value_name = "ID", value_delimiter = ',')]
    pub enabled_api_endpoints: Option<Vec<String>>,

    /// Request header that carries the request ID into the log [default: X-Request-Id]
    #[arg(long, env = "CAIRN_REQUEST_ID_HEADER", value_name = "HEADER")]
    pub request_id_header: Option<String>,

    /// Form of the log lines [default: text]
    #[arg(long, env = "CAIRN_LOG_FORMAT", value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,

    /// What is logged: error, warn, info, debug, trace, or a filter [default: info]
    #[arg(long, env = "CAIRN_LOG_LEVEL", value_name = "FILTER")]
    pub log_level: Option<String>,

    /// The logs by name; a file sets them, as `[logs.NAME]`.
    #[arg(skip)]
    #[serde(default)]
    pub logs: BTreeMap<String, LogSettings>,
}

/// Where metrics are served, if anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum MetricsListen {
    /// Nowhere.
    Off,
    /// At this address.
    At(SocketAddr),
}

impl std::str::FromStr for MetricsListen {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "off" => Ok(Self::Off),
            _ => text.parse().map(Self::At).map_err(|_| {
                format!("{text:?} is neither an address such as {METRICS_LISTEN} nor `off`")
            }),
        }
    }
}

impl TryFrom<String> for MetricsListen {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// The configuration file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("configuration file {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// It is not what it should be.
    #[error("configuration file {path}: {source}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Line, column and what is wrong.
        #[source]
        source: Box<toml::de::Error>,
    },
}

macro_rules! first_set {
    ($over:ident, $under:ident, [$($field:ident),* $(,)?]) => {
        Self {
            logs: if $over.logs.is_empty() { $under.logs } else { $over.logs },
            $($field: $over.$field.or($under.$field)),*
        }
    };
}

impl Settings {
    /// Reads a TOML file.
    ///
    /// # Errors
    /// As [`ConfigError`] says; an unknown setting is an error.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|source| ConfigError::Read { path: path.into(), source })?;
        toml::from_str(&text)
            .map_err(|source| ConfigError::Parse { path: path.into(), source: Box::new(source) })
    }

    /// These settings, and those of `under` where these are silent.
    pub fn over(self, under: Self) -> Self {
        first_set!(
            self,
            under,
            [
                data_dir,
                listen,
                metrics_listen,
                hostname,
                public_url,
                tree_id,
                key_file,
                v2_key_file,
                read_only,
                duplicates,
                legacy_dsse,
                checkpoint_interval_ms,
                checkpoint_republish_seconds,
                witness_policy,
                witness_mode,
                storage,
                storage_password_file,
                storage_connections,
                storage_accept_data_loss,
                follow,
                follow_interval_ms,
                fence,
                head_guard,
                export,
                export_interval_ms,
                max_request_body_bytes,
                max_entries_in_flight,
                attestation_storage,
                max_attestation_bytes,
                max_jar_metadata_bytes,
                max_apk_metadata_bytes,
                enabled_kinds,
                client_signing_algorithms,
                enabled_api_endpoints,
                request_id_header,
                log_format,
                log_level,
            ]
        )
    }

    /// The logs to be served, `v1` and `v2` first.
    ///
    /// # Errors
    /// As [`LogsError`] says.
    pub fn logs(&self) -> Result<Vec<LogConfig>, LogsError> {
        logs::resolve(self)
    }

    /// The data folder.
    pub fn data_dir(&self) -> PathBuf {
        self.data_dir.clone().unwrap_or_else(|| DATA_DIR.into())
    }

    /// The API's address.
    pub fn listen(&self) -> SocketAddr {
        self.listen.unwrap_or_else(|| loopback(LISTEN))
    }

    /// The metrics' address, unless they are off.
    pub fn metrics_listen(&self) -> Option<SocketAddr> {
        match self.metrics_listen {
            None => Some(loopback(METRICS_LISTEN)),
            Some(MetricsListen::Off) => None,
            Some(MetricsListen::At(address)) => Some(address),
        }
    }

    /// The largest request body in bytes.
    pub fn max_request_body_bytes(&self) -> usize {
        self.max_request_body_bytes.unwrap_or(REQUEST_BODY_BYTES_DEFAULT)
    }

    /// The largest attestation that is kept, in bytes; `None` when none is.
    pub fn attestation_bytes_max(&self) -> Option<usize> {
        let kept = self.attestation_storage.unwrap_or(true);
        kept.then_some(self.max_attestation_bytes.unwrap_or(ATTESTATION_BYTES_DEFAULT))
    }
}

fn loopback(address: &str) -> SocketAddr {
    #[expect(
        clippy::expect_used,
        reason = "the two constants above are addresses; a test reads them"
    )]
    address.parse().expect("a default address is an address")
}

#[cfg(test)]
mod tests;
