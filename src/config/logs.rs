//! The logs of one process: `[logs.NAME]` tables in the file, over two that are always there.
//!
//! `v1` and `v2` exist unless they are switched off; they take what is set at the top level where
//! their own table is silent. Any other name is a further log, with a host name or path of its own.

use std::collections::{BTreeMap, HashMap};
use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::{DuplicatesSetting, Settings, WitnessMode};
use crate::limits::REPUBLISH_AFTER_DEFAULT;

/// What a log speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ApiSetting {
    /// Rekor v1.
    V1,
    /// Rekor v2.
    V2,
    /// Bytes as they come.
    Raw,
}

impl ApiSetting {
    /// `v1`, `v2` or `raw`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
            Self::Raw => "raw",
        }
    }
}

/// One `[logs.NAME]` table.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogSettings {
    /// `false` leaves the log unserved.
    pub enabled: Option<bool>,
    /// What it speaks; fixed when the log is made [default: v1 for `v1`, else v2].
    pub api: Option<ApiSetting>,
    /// Name of the log in its checkpoints; fixed when the log is made.
    pub hostname: Option<String>,
    /// Host header that leads to it, without port.
    pub host: Option<String>,
    /// Path that leads to it, such as `/team-a`.
    pub path_prefix: Option<String>,
    /// Where clients reach it, for trust material.
    pub public_url: Option<String>,
    /// Tree ID; fixed when the log is made.
    pub tree_id: Option<i64>,
    /// Private key, PKCS#8 PEM; fixed when the log is made [default: NAME.key in the folder].
    pub key_file: Option<PathBuf>,
    /// Nothing may enter any more.
    pub read_only: Option<bool>,
    /// Entry kinds that may be submitted (v1).
    pub enabled_kinds: Option<Vec<String>>,
    /// Key and hash algorithms of clients.
    pub client_signing_algorithms: Option<Vec<String>>,
    /// Whether dsse entries of version 0.0.2 are taken (v2).
    pub legacy_dsse: Option<bool>,
    /// What a writer of a known entry is told.
    pub duplicates: Option<DuplicatesSetting>,
    /// Entries a second.
    pub quota_entries_per_second: Option<f64>,
    /// Entries at once after a pause.
    pub quota_burst: Option<f64>,
    /// Entries in all.
    pub quota_entries_max: Option<u64>,
    /// Time between two checkpoints, at least, in milliseconds.
    pub checkpoint_interval_ms: Option<u64>,
    /// Time without growth after which a witnessed checkpoint is cosigned anew, in seconds.
    pub checkpoint_republish_seconds: Option<u64>,
    /// File with the witnesses and their quorum (C2SP tlog-policy).
    pub witness_policy: Option<PathBuf>,
    /// What happens without quorum.
    pub witness_mode: Option<WitnessMode>,
    /// Time for one round of witnesses, in milliseconds.
    pub witness_timeout_ms: Option<u64>,
    /// `false` keeps the log from exports.
    pub export: Option<bool>,
}

/// One log, with all that was set.
#[derive(Clone, Debug)]
pub struct LogConfig {
    /// Its name.
    pub name: String,
    /// What it speaks.
    pub api: ApiSetting,
    /// The host that leads to it, in lower case.
    pub host: Option<String>,
    /// The path that leads to it; empty or `/…` without a slash at the end.
    pub path_prefix: String,
    /// Its own table, filled up with the top level.
    pub set: LogSettings,
}

impl LogConfig {
    /// Time between two checkpoints, at least.
    pub fn checkpoint_interval(&self) -> Duration {
        Duration::from_millis(self.set.checkpoint_interval_ms.unwrap_or(0))
    }

    /// Time without growth after which a witnessed checkpoint is cosigned anew.
    pub fn republish_after(&self) -> Duration {
        let set = self.set.checkpoint_republish_seconds;
        set.map_or(REPUBLISH_AFTER_DEFAULT, |seconds| Duration::from_secs(seconds.max(1)))
    }
}

/// The logs cannot be set up like this.
#[derive(Debug, thiserror::Error)]
pub enum LogsError {
    /// A name that is not a file name and label.
    #[error("[logs.{0:?}]: a log's name is 1 to 40 letters a to z, digits and hyphens")]
    Name(String),
    /// Two logs for one API behind one door.
    #[error(
        "[logs.{first}] and [logs.{second}] both answer API {api} at the same host and path: give \
         one of them its own `host` or `path_prefix`"
    )]
    SameDoor {
        /// One.
        first: String,
        /// The other.
        second: String,
        /// The API.
        api: &'static str,
    },
    /// A path that cannot lead to a log.
    #[error(
        "[logs.{name}] path_prefix {found:?}: it begins with `/`, ends without one, holds letters, \
         digits, `-`, `_`, `.` and single slashes, and is none of this server's own paths"
    )]
    PathPrefix {
        /// The log.
        name: String,
        /// As it was set.
        found: String,
    },
    /// A host name that no request can carry.
    #[error(
        "[logs.{name}] host {found:?}: it is a host name or an address, an IPv6 one in brackets, \
         without a port and without a dot at the end"
    )]
    Host {
        /// The log.
        name: String,
        /// As it was set.
        found: String,
    },
    /// A rate that is none.
    #[error("[logs.{name}] {setting} must be above 0")]
    NotPositive {
        /// The log.
        name: String,
        /// Which.
        setting: &'static str,
    },
}

/// First elements of the server's own paths.
const TAKEN: &[&str] = &[
    "api",
    "logs",
    "tile",
    "checkpoint",
    "livez",
    "readyz",
    "healthz",
    "ping",
    "metrics",
    "trusted_root.json",
    "signing_config.json",
    "swagger.json",
    "docs",
];

/// Starts of the names of gRPC services, which are first elements, too.
const TAKEN_STARTS: &[&str] = &["cairn.", "dev.sigstore.", "grpc."];

/// All logs that are to be served, `v1` and `v2` first.
///
/// # Errors
/// As [`LogsError`] says.
pub(super) fn resolve(settings: &Settings) -> Result<Vec<LogConfig>, LogsError> {
    let mut tables: BTreeMap<String, LogSettings> = settings.logs.clone();
    let v1 = with_top_level_of_v1(settings, tables.remove("v1").unwrap_or_default());
    let v2 = with_top_level_of_v2(settings, tables.remove("v2").unwrap_or_default());
    let mut logs = Vec::new();
    let defaults = [("v1".to_owned(), v1), ("v2".to_owned(), v2)];
    for (name, mut set) in defaults.into_iter().chain(tables) {
        set.duplicates = set.duplicates.or(settings.duplicates);
        set.witness_policy = set.witness_policy.or(settings.witness_policy.clone());
        set.witness_mode = set.witness_mode.or(settings.witness_mode);
        set.checkpoint_interval_ms = set.checkpoint_interval_ms.or(settings.checkpoint_interval_ms);
        set.checkpoint_republish_seconds =
            set.checkpoint_republish_seconds.or(settings.checkpoint_republish_seconds);
        set.read_only = set.read_only.or(settings.read_only);
        set.legacy_dsse = set.legacy_dsse.or(settings.legacy_dsse);
        set.enabled_kinds = set.enabled_kinds.or(settings.enabled_kinds.clone());
        if set.enabled.unwrap_or(true) {
            logs.push(check(name, set)?);
        }
    }
    let mut doors: HashMap<_, &str> = HashMap::new();
    for log in logs.iter().filter(|log| log.api != ApiSetting::Raw) {
        let door = (&log.host, &log.path_prefix, log.api);
        if let Some(first) = doors.insert(door, &log.name) {
            let (first, second) = (first.to_owned(), log.name.clone());
            return Err(LogsError::SameDoor { first, second, api: log.api.as_str() });
        }
    }
    Ok(logs)
}

fn with_top_level_of_v1(settings: &Settings, own: LogSettings) -> LogSettings {
    LogSettings {
        api: Some(own.api.unwrap_or(ApiSetting::V1)),
        hostname: own.hostname.or(settings.hostname.clone()),
        public_url: own.public_url.or(settings.public_url.clone()),
        tree_id: own.tree_id.or(settings.tree_id),
        key_file: own.key_file.or(settings.key_file.clone()),
        ..own
    }
}

fn with_top_level_of_v2(settings: &Settings, own: LogSettings) -> LogSettings {
    LogSettings {
        hostname: own.hostname.or(settings.hostname.clone()),
        public_url: own.public_url.or(settings.public_url.clone()),
        key_file: own.key_file.or(settings.v2_key_file.clone()),
        ..own
    }
}

fn check(name: String, set: LogSettings) -> Result<LogConfig, LogsError> {
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || name.len() > 40 || !name.chars().all(letters) {
        return Err(LogsError::Name(name));
    }
    let path_prefix = set.path_prefix.clone().unwrap_or_default();
    if !path_prefix.is_empty() && !is_prefix(&path_prefix) {
        return Err(LogsError::PathPrefix { name, found: path_prefix });
    }
    for (setting, value) in [
        ("quota_entries_per_second", set.quota_entries_per_second),
        ("quota_burst", set.quota_burst),
    ] {
        if value.is_some_and(|value| !value.is_finite() || value <= 0.0) {
            return Err(LogsError::NotPositive { name, setting });
        }
    }
    let host = set.host.as_ref().map(|host| host.to_ascii_lowercase());
    if let Some(found) = host.as_ref().filter(|host| !is_host(host)) {
        return Err(LogsError::Host { name, found: found.clone() });
    }
    let api = set.api.unwrap_or(ApiSetting::V2);
    Ok(LogConfig { name, api, host, path_prefix, set })
}

fn is_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse::<Ipv6Addr>().is_ok();
    }
    let letters = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    host.split('.').all(|label| !label.is_empty() && label.chars().all(letters))
}

fn is_prefix(path: &str) -> bool {
    let element = |element: &str| {
        let letters = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        !matches!(element, "" | "." | "..") && element.chars().all(letters)
    };
    let Some(path) = path.strip_prefix('/') else { return false };
    let taken = |first: &str| {
        TAKEN.contains(&first) || TAKEN_STARTS.iter().any(|start| first.starts_with(start))
    };
    path.split('/').all(element) && !path.split('/').next().is_some_and(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logs(toml: &str) -> Result<Vec<LogConfig>, LogsError> {
        resolve(&toml::from_str(toml).unwrap())
    }

    #[test]
    fn two_logs_are_there_by_default() {
        let found = logs("hostname = 'log.example'\ntree_id = 7").unwrap();
        let [v1, v2] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((v1.name.as_str(), v1.api, v1.set.tree_id), ("v1", ApiSetting::V1, Some(7)));
        assert_eq!((v2.name.as_str(), v2.api, v2.set.tree_id), ("v2", ApiSetting::V2, None));
        assert_eq!(v1.set.hostname, v2.set.hostname);
    }

    #[test]
    fn tables_win_over_the_top_level_and_add_logs() {
        let found = logs(
            "hostname = 'a'\nduplicates = 'return-existing'\n[logs.v1]\nenabled = false\n\
             [logs.v2]\nhostname = 'b'\nduplicates = 'conflict'\n\
             [logs.team]\nhost = 'Team.Example'\nhostname = 'team.example'\n\
             [logs.bulk]\napi = 'raw'",
        );
        let found = found.unwrap();
        let names: Vec<_> = found.iter().map(|log| log.name.as_str()).collect();
        assert_eq!(names, ["v2", "bulk", "team"]);
        assert_eq!(found[0].set.hostname.as_deref(), Some("b"));
        assert_eq!(found[0].set.duplicates, Some(DuplicatesSetting::Conflict));
        assert_eq!(found[1].set.duplicates, Some(DuplicatesSetting::ReturnExisting));
        assert_eq!(found[2].host.as_deref(), Some("team.example"));
    }

    #[test]
    fn what_is_forbidden_at_the_top_is_forbidden_everywhere() {
        let found = logs(
            "read_only = true\nlegacy_dsse = false\n[logs.team]\nhost = '[::1]'\n\
             [logs.open]\nhost = 'open.example'\nread_only = false",
        );
        let found = found.unwrap();
        let read_only: Vec<_> = found.iter().map(|log| log.set.read_only).collect();
        assert_eq!(read_only, [Some(true), Some(true), Some(false), Some(true)]);
        assert!(found.iter().all(|log| log.set.legacy_dsse == Some(false)));
    }

    #[test]
    fn what_cannot_be_is_named() {
        for (toml, says) in [
            ("[logs.A]", "name"),
            ("[logs.team]", "same host and path"),
            ("[logs.one]\nhost='x'\n[logs.two]\nhost='X'", "same host and path"),
            ("[logs.t]\npath_prefix='t'", "path_prefix"),
            ("[logs.t]\npath_prefix='/t/'", "path_prefix"),
            ("[logs.t]\npath_prefix='/api/x'", "path_prefix"),
            ("[logs.t]\npath_prefix='/a/../b'", "path_prefix"),
            ("[logs.t]\npath_prefix='/cairn.log.v1.Log'", "path_prefix"),
            ("[logs.t]\npath_prefix='/trusted_root.json'", "path_prefix"),
            ("[logs.t]\nhost=''", "host"),
            ("[logs.t]\nhost='b.example:3410'", "host"),
            ("[logs.t]\nhost='b.example.'", "host"),
            ("[logs.t]\nhost='::1'", "host"),
            ("[logs.t]\nhost='x'\nquota_entries_per_second=0.0", "above 0"),
        ] {
            let error = logs(toml).unwrap_err().to_string();
            assert!(error.contains(says), "{toml}: {error}");
        }
    }
}
