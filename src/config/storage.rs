//! Where entries are stored.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::Deserialize;

use super::Settings;

const PASSWORD: &str = "CAIRN_STORAGE_PASSWORD";

/// An engine, and where it is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum StorageSetting {
    /// RocksDB, in the data folder.
    Rocksdb,
    /// Fjall, in the data folder.
    Fjall,
    /// A PostgreSQL server at this URL, which any number of processes may share.
    Postgres(String),
}

impl StorageSetting {
    /// The engine's name, as a data folder has it.
    pub fn engine(&self) -> &'static str {
        match self {
            Self::Rocksdb => "rocksdb",
            Self::Fjall => "fjall",
            Self::Postgres(_) => "postgres",
        }
    }
}

impl FromStr for StorageSetting {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "rocksdb" => Ok(Self::Rocksdb),
            "fjall" => Ok(Self::Fjall),
            _ if text.starts_with("postgres://") || text.starts_with("postgresql://") => {
                Ok(Self::Postgres(text.to_owned()))
            }
            _ => {
                Err(format!("{text:?} is none of rocksdb, fjall and postgres://USER@HOST/DATABASE"))
            }
        }
    }
}

impl TryFrom<String> for StorageSetting {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// As it is set.
impl fmt::Display for StorageSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Postgres(url) => f.write_str(url),
            embedded => f.write_str(embedded.engine()),
        }
    }
}

/// The file with the database's password cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("--storage-password-file {path}: {source}")]
pub struct PasswordError {
    path: PathBuf,
    #[source]
    source: std::io::Error,
}

impl Settings {
    /// The password of the database's user: from the file, or else from `CAIRN_STORAGE_PASSWORD`.
    /// There is no flag for it: any user of the machine could read that.
    ///
    /// # Errors
    /// [`PasswordError`] when the file cannot be read.
    pub fn storage_password(&self) -> Result<Option<String>, PasswordError> {
        let Some(path) = &self.storage_password_file else {
            #[expect(clippy::disallowed_methods, reason = "settings are what may read it")]
            return Ok(std::env::var(PASSWORD).ok());
        };
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|source| PasswordError { path: path.clone(), source })?;
        Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_is_named_or_reached() {
        assert_eq!("rocksdb".parse(), Ok(StorageSetting::Rocksdb));
        let url = "postgres://cairn@db/log";
        assert_eq!(url.parse(), Ok(StorageSetting::Postgres(url.into())));
        let error = "mysql://db".parse::<StorageSetting>().unwrap_err();
        assert!(error.contains("mysql://db") && error.contains("fjall"), "{error}");
    }

    #[test]
    fn the_file_with_the_password_ends_where_its_line_does() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "p w\n").unwrap();
        let path = Some(file.path().to_owned());
        let settings = Settings { storage_password_file: path, ..Settings::default() };
        assert_eq!(settings.storage_password().unwrap().as_deref(), Some("p w"));
        let gone = Settings { storage_password_file: Some("/not/there".into()), ..settings };
        assert!(gone.storage_password().unwrap_err().to_string().contains("/not/there"));
    }
}
