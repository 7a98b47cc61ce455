//! Opening a log of the folder, and making one: here, or as the replica of one elsewhere.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use storage::{LogRecord, StorageError, Store, TreeId};

use super::files::{sync_folder, write_synced};
use super::{DataDirError, FolderLog, OwnedLog, Role};
use crate::clock::{random_tree_id, unix_seconds};
use crate::config::{ApiSetting, LogConfig};
use crate::follow::Listed;
use crate::publisher::signer::{
    FileSigner, KeyKind, PublicHalf, Signer, public_key_der, public_key_pem,
};

const HOSTNAME_DEFAULT: &str = "localhost";

/// A log's settings where the folder is concerned, checked before anything is written.
pub(super) struct Founding<'a> {
    log: &'a LogConfig,
    role: Role<'a>,
    hostname: Option<&'a str>,
    tree_id: Option<TreeId>,
}

impl<'a> Founding<'a> {
    pub(super) fn check(log: &'a LogConfig, role: Role<'a>) -> Result<Self, DataDirError> {
        let hostname = log.set.hostname.as_deref();
        let wrong = |name: &&str| {
            name.is_empty()
                || name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+')
        };
        if let Some(hostname) = hostname.filter(wrong) {
            return Err(DataDirError::Hostname(hostname.into()));
        }
        let tree_id = log.set.tree_id.map(|id| TreeId::new(id).ok_or(DataDirError::TreeId(id)));
        Ok(Self { log, role, hostname, tree_id: tree_id.transpose()? })
    }

    fn key_file(&self, path: &Path) -> PathBuf {
        let beside = || path.join(format!("{}.key", self.log.name));
        self.log.set.key_file.clone().unwrap_or_else(beside)
    }

    /// The log as the store knows it, or a new one.
    pub(super) async fn open_or_found(
        &self,
        path: &Path,
        store: &dyn Store,
    ) -> Result<OwnedLog, DataDirError> {
        let name = &self.log.name;
        let find = async || {
            let known = store.logs().await?;
            Ok::<_, DataDirError>(known.into_iter().find(|record| record.name == *name))
        };
        if let Some(record) = find().await? {
            return self.open(path, store, record).await;
        }
        let made = match self.role {
            Role::Writes => self.found(path, store).await,
            Role::Follows(_) => self.take_over(path, store).await,
        };
        match made {
            // Another replica made it in this moment.
            Err(DataDirError::Storage(StorageError::LogExists { tree_id, name })) => {
                match find().await? {
                    Some(record) => self.open(path, store, record).await,
                    None => Err(StorageError::LogExists { tree_id, name }.into()),
                }
            }
            made => made,
        }
    }

    /// Makes the log. A crash before the record is stored leaves at most a key that never signed;
    /// the public key says that the record was stored.
    async fn found(&self, path: &Path, store: &dyn Store) -> Result<OwnedLog, DataDirError> {
        let name = &self.log.name;
        let io = |source| DataDirError::Io { path: path.into(), source };
        let public_key = path.join(format!("{name}.pub"));
        if public_key.exists() {
            return Err(DataDirError::OlderStore { log: name.clone(), public_key });
        }
        let tree_id = match self.tree_id {
            Some(tree_id) => tree_id,
            None => random_tree_id()?,
        };
        let hostname = self.hostname.or(self.log.host.as_deref()).unwrap_or(HOSTNAME_DEFAULT);
        let origin = match self.log.api {
            ApiSetting::V1 => tlog::v1_origin(hostname, tree_id.get()),
            ApiSetting::V2 | ApiSetting::Raw => hostname.into(),
        };
        refuse_same_origin(&store.logs().await?, name, &origin)?;
        let key = self.key_file(path);
        let signer = if self.log.set.key_file.is_some() || key.exists() {
            FileSigner::read(&key)?
        } else {
            let kind = match self.log.api {
                ApiSetting::V1 => KeyKind::EcdsaP256,
                ApiSetting::V2 | ApiSetting::Raw => KeyKind::Ed25519,
            };
            let (signer, pem) = FileSigner::generate(kind)?;
            pem.write_new(&key)?;
            signer
        };
        let record = LogRecord {
            tree_id,
            name: name.clone(),
            api: self.log.api.as_str().into(),
            origin,
            public_key: signer.public_key().to_vec(),
            created: unix_seconds(),
        };
        sync_folder(path).map_err(io)?; // the key's name, before anything is signed with it
        let part = store.create_log(record.clone()).await?;
        let pem = public_key_pem(signer.public_key());
        write_synced(&public_key, pem.as_bytes()).map_err(io)?;
        sync_folder(path).map_err(io)?;
        let log = FolderLog { record, store: part };
        Ok(OwnedLog { log, signer: Arc::new(signer) })
    }

    /// Holds key and settings against what the log was made with.
    async fn open(
        &self,
        path: &Path,
        store: &dyn Store,
        record: LogRecord,
    ) -> Result<OwnedLog, DataDirError> {
        let log = FolderLog { store: store.log(record.tree_id).await?, record };
        let name = &self.log.name;
        let bound = |what, flag, bound: &str, asked: String| {
            let (log, bound) = (name.clone(), bound.into());
            Err(DataDirError::Bound { log, what, flag, bound, asked })
        };
        if let Some(asked) = self.hostname.filter(|asked| *asked != log.hostname()) {
            return bound("host name", "hostname", log.hostname(), asked.into());
        }
        let tree_id = log.record.tree_id;
        if let Some(asked) = self.tree_id.filter(|asked| *asked != tree_id) {
            return bound("tree ID", "tree-id", &tree_id.to_string(), asked.to_string());
        }
        if self.log.api.as_str() != log.record.api {
            return bound("api", "config", &log.record.api, self.log.api.as_str().into());
        }
        if self.listed().is_some_and(|listed| !is_of(&log.record, listed)) {
            return Err(DataDirError::OtherSource { log: name.clone(), path: path.into() });
        }
        let signer = self.signer(path, &log.record.public_key)?;
        Ok(OwnedLog { log, signer })
    }

    /// The log's key, which must be the one that it was made with. A replica may be without it.
    pub(super) fn signer(
        &self,
        path: &Path,
        public_key: &[u8],
    ) -> Result<Arc<dyn Signer>, DataDirError> {
        let (log, key) = (self.log.name.clone(), self.key_file(path));
        if !key.exists() {
            return match self.role {
                Role::Writes => Err(DataDirError::KeyMissing { log, path: path.into(), key }),
                Role::Follows(_) => Ok(Arc::new(PublicHalf::new(public_key.to_vec()))),
            };
        }
        let signer = FileSigner::read(&key)?;
        if signer.public_key() != public_key {
            let id = |spki| hex::encode(tlog::hash::sha256(spki));
            let (expected, found) = (id(public_key), id(signer.public_key()));
            return Err(DataDirError::OtherKey { log, key, expected, found });
        }
        Ok(Arc::new(signer))
    }

    /// What the source says of the log that is followed.
    fn listed(&self) -> Option<&'a Listed> {
        let Role::Follows(listed) = self.role else { return None };
        listed.iter().find(|listed| listed.name == self.log.name)
    }

    /// Makes the replica of a log. Its key is the one that lies in the folder, as NAME.pub or
    /// NAME.key, and where none does the one that the source names: whoever starts a replica
    /// without either trusts the source this once.
    async fn take_over(&self, path: &Path, store: &dyn Store) -> Result<OwnedLog, DataDirError> {
        let (name, io) = (&self.log.name, |source| DataDirError::Io { path: path.into(), source });
        let no_such = || DataDirError::NotAtSource { log: name.clone() };
        let listed = self.listed().ok_or_else(no_such)?;
        let public_key = path.join(format!("{name}.pub"));
        let pinned = match fs::read(&public_key) {
            Ok(pem) => Some(public_key_der(&pem).ok_or_else(|| DataDirError::Pin {
                log: name.clone(),
                public_key: public_key.clone(),
            })?),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(source) => return Err(io(source)),
        };
        if pinned.as_ref().is_some_and(|pinned| *pinned != listed.public_key) {
            return Err(DataDirError::Pin { log: name.clone(), public_key });
        }
        let signer = self.signer(path, &listed.public_key)?;
        if pinned.is_none() && !signer.signs() {
            let id = hex::encode(tlog::hash::sha256(&listed.public_key));
            tracing::warn!(log = name, sha256 = id, "the key is taken as the source names it");
        }
        let record = LogRecord {
            tree_id: listed.tree_id,
            name: name.clone(),
            api: self.log.api.as_str().into(),
            origin: listed.origin.clone(),
            public_key: listed.public_key.clone(),
            created: unix_seconds(),
        };
        if !is_of(&record, listed) {
            let (bound, asked) = (listed.api.clone(), record.api.clone());
            let (log, what, flag) = (name.clone(), "api", "config");
            return Err(DataDirError::Bound { log, what, flag, bound, asked });
        }
        refuse_same_origin(&store.logs().await?, name, &record.origin)?;
        let part = store.create_log(record.clone()).await?;
        let pem = public_key_pem(&record.public_key);
        write_synced(&public_key, pem.as_bytes()).map_err(io)?;
        sync_folder(path).map_err(io)?;
        Ok(OwnedLog { log: FolderLog { record, store: part }, signer })
    }
}

/// Whether the log of a record is the one that a source lists.
fn is_of(record: &LogRecord, listed: &Listed) -> bool {
    let ours = (record.tree_id, &record.origin, &record.public_key, &record.api);
    ours == (listed.tree_id, &listed.origin, &listed.public_key, &listed.api)
}

/// Two logs of one origin and key would be one log with two heads to every witness.
fn refuse_same_origin(known: &[LogRecord], log: &str, origin: &str) -> Result<(), DataDirError> {
    match known.iter().find(|known| known.origin == origin) {
        None => Ok(()),
        Some(other) => Err(DataDirError::SameOrigin {
            log: log.into(),
            other: other.name.clone(),
            origin: origin.into(),
        }),
    }
}
