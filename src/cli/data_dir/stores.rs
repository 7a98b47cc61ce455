//! Which engine a folder's logs are stored in, and opening it.
//!
//! The file `ENGINE` names it, with the version of its format, from the moment when the store was
//! made. A folder without that file is older than it, and of RocksDB.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use storage::Store;

use super::files::{sync_folder, write_synced};
use super::{DataDirError, STORE};
use crate::config::{Settings, StorageSetting};

pub(super) const ENGINE: &str = "ENGINE";
const POSTGRES: &str = "postgres";

/// How a store is opened.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// It is made.
    Create,
    /// It is there.
    Write,
    /// It is there, and another process may write to it.
    Read,
}

/// The engine of a folder: what it is bound to, and where it is bound to nothing yet, what is set.
///
/// # Errors
/// [`DataDirError::OtherEngine`] when these differ, [`DataDirError::NoServer`] when the logs are in
/// PostgreSQL and the settings do not say where.
pub(super) fn engine_of(settings: &Settings, path: &Path) -> Result<StorageSetting, DataDirError> {
    let bound = bound_to(path)?;
    let asked = settings.storage.clone();
    match (bound.as_deref(), asked) {
        (None, asked) => Ok(asked.unwrap_or(default_engine())),
        (Some(bound), Some(asked)) if bound == asked.engine() => Ok(asked),
        (Some(bound), Some(asked)) => Err(DataDirError::OtherEngine {
            path: path.into(),
            bound: bound.into(),
            asked: asked.engine(),
        }),
        (Some(POSTGRES), None) => Err(DataDirError::NoServer { path: path.into() }),
        (Some(bound), None) => bound
            .parse()
            .map_err(|_| DataDirError::UnknownEngine { path: path.into(), bound: bound.into() }),
    }
}

/// What is embedded where nothing is set.
fn default_engine() -> StorageSetting {
    match cfg!(feature = "rocksdb") || !cfg!(feature = "fjall") {
        true => StorageSetting::Rocksdb,
        false => StorageSetting::Fjall,
    }
}

fn bound_to(path: &Path) -> Result<Option<String>, DataDirError> {
    let file = path.join(ENGINE);
    match fs::read_to_string(&file) {
        Ok(text) => Ok(Some(text.split_whitespace().next().unwrap_or_default().to_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Ok(path.join(STORE).is_dir().then(|| "rocksdb".to_owned()))
        }
        Err(source) => Err(DataDirError::Io { path: file, source }),
    }
}

/// Binds the folder to its engine, durably.
pub(super) fn bind(path: &Path, engine: &StorageSetting) -> std::io::Result<()> {
    let text = match engine {
        #[cfg(feature = "rocksdb")]
        StorageSetting::Rocksdb => format!("rocksdb format {}\n", storage::rocksdb::FORMAT_VERSION),
        #[cfg(feature = "fjall")]
        StorageSetting::Fjall => format!("fjall format {}\n", storage::fjall::FORMAT_VERSION),
        #[cfg(feature = "postgres")]
        StorageSetting::Postgres(_) => {
            format!("{POSTGRES} format {}\n", storage::postgres::FORMAT_VERSION)
        }
        #[cfg(not(all(feature = "rocksdb", feature = "fjall", feature = "postgres")))]
        other => format!("{}\n", other.engine()),
    };
    let file = path.join(ENGINE);
    if fs::read_to_string(&file).is_ok_and(|there| there == text) {
        return Ok(());
    }
    write_synced(&file, text.as_bytes())?;
    sync_folder(path)
}

/// Opens the store.
///
/// # Errors
/// As the engine says; [`DataDirError::NotBuiltIn`] where this program does not have it.
pub(super) async fn open(
    settings: &Settings,
    path: &Path,
    engine: &StorageSetting,
    mode: Mode,
) -> Result<Arc<dyn Store>, DataDirError> {
    // Not every engine needs all of it, and not every program has every engine.
    let (_place, _) = (path.join(STORE), (settings, mode));
    match engine {
        #[cfg(feature = "rocksdb")]
        StorageSetting::Rocksdb => {
            use storage::rocksdb::{Options, RocksStore};
            let options = Options { create_if_missing: mode == Mode::Create, ..Options::default() };
            Ok(Arc::new(match mode {
                Mode::Read => RocksStore::open_read_only(_place)?,
                Mode::Create | Mode::Write => RocksStore::open(_place, &options)?,
            }))
        }
        // Nobody can look on here: reading needs it alone as writing does, or says that it is open.
        #[cfg(feature = "fjall")]
        StorageSetting::Fjall => {
            use storage::fjall::FjallStore;
            Ok(Arc::new(match mode {
                Mode::Read => FjallStore::open_read_only(_place)?,
                Mode::Create | Mode::Write => FjallStore::open(_place, mode == Mode::Create)?,
            }))
        }
        #[cfg(feature = "postgres")]
        StorageSetting::Postgres(url) => {
            use storage::postgres::{Options, PostgresStore};
            let mut options = Options::new(url.clone());
            options.password = settings.storage_password()?;
            options.accept_data_loss = settings.storage_accept_data_loss.unwrap_or(false);
            options.read_only = mode == Mode::Read;
            if let Some(max) = settings.storage_connections {
                options.connections_max = max.max(1);
            }
            let store = PostgresStore::open(&options).await?;
            for doubt in store.doubts() {
                tracing::warn!(doubt, "storage_accept_data_loss: what was answered may be lost");
            }
            Ok(Arc::new(store))
        }
        #[cfg(not(all(feature = "rocksdb", feature = "fjall", feature = "postgres")))]
        other => Err(DataDirError::NotBuiltIn(other.engine())),
    }
}
