//! PostgreSQL: one store for any number of processes.
//!
//! A commit is one statement, so one round trip and one transaction: it advances the head if the
//! head is still the expected one, and writes the batch only then. Commits of several replicas
//! queue up at the row of the head, and those that were built on an older one change nothing.
//! Nothing is kept here between calls: what is read is what is stored.
//!
//! Statements are plain SQL of PostgreSQL 13: no extension, advisory lock, trigger, sequence or
//! unlogged table. What a server does not have (LISTEN) is done without.

mod checks;
mod commit;
mod connect;
mod log;
mod options;
#[cfg(test)]
mod tests;
mod tls;
#[cfg(test)]
mod tls_tests;
mod turn;
mod upgrade;

use std::sync::Arc;

use async_trait::async_trait;
use deadpool_postgres::Client;
use tlog::TreeHead;
use tokio_postgres::error::SqlState;

use crate::{LogRecord, LogStore, StorageError, Store, TreeId};
use connect::{Connections, Hearing, connection, failure};
use log::PostgresLog;
pub use options::Options;
use options::refused;

/// The version of the tables that this code reads and writes; FORMAT.md describes it.
pub const FORMAT_VERSION: i32 = 2;
const SCHEMA: &str = include_str!("schema.sql");
/// How often it is tried to make the tables: replicas that start together are in each other's way.
const SCHEMA_TRIES: u32 = 5;

/// A store on a server. Clones are handles on the same connections.
#[derive(Clone)]
pub struct PostgresStore {
    shared: Arc<Shared>,
}

struct Shared {
    connections: Connections,
    hearing: Hearing,
    doubts: Vec<String>,
}

impl PostgresStore {
    /// Connects, makes the tables where there are none, and brings those of an older version over.
    ///
    /// # Errors
    /// [`StorageError::Engine`] when the server cannot be reached, is a standby, or may lose what
    /// it acknowledges; [`StorageError::Format`] when it holds tables of a newer version, or of an
    /// older one that are only to be read.
    pub async fn open(options: &Options) -> Result<Self, StorageError> {
        let server = options::parse(options)?;
        let connections = Connections::new(&server, options.connections_max)?;
        let client = connection(&connections.writers).await?;
        let doubts = checks::durable(&client, options.accept_data_loss).await?;
        if !options.read_only {
            make_tables(&client).await?;
            if version(&client).await? == 1 {
                upgrade::from_version_one(connection(&connections.writers).await?).await?;
            }
        }
        check_version(&client).await?;
        let hearing = connect::listen(server);
        Ok(Self { shared: Arc::new(Shared { connections, hearing, doubts }) })
    }

    /// What was found that [`Options::accept_data_loss`] let pass.
    pub fn doubts(&self) -> &[String] {
        &self.shared.doubts
    }

    async fn record(&self, tree: TreeId) -> Result<Option<LogRecord>, StorageError> {
        Ok(self.logs().await?.into_iter().find(|record| record.tree_id == tree))
    }

    fn handle(&self, tree: TreeId) -> Arc<dyn LogStore> {
        Arc::new(PostgresLog::new(self.shared.clone(), tree))
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn logs(&self) -> Result<Vec<LogRecord>, StorageError> {
        let client = connection(&self.shared.connections.readers).await?;
        let rows = client.query("SELECT record FROM cairn_log ORDER BY place", &[]).await;
        let rows = rows.map_err(|error| failure(&error))?;
        let parse = |row: &tokio_postgres::Row| {
            let record = row.try_get::<_, &str>(0).ok().map(serde_json::from_str);
            record.and_then(Result::ok).ok_or_else(|| corrupt("a log's record cannot be read"))
        };
        rows.iter().map(parse).collect()
    }

    async fn create_log(&self, record: LogRecord) -> Result<Arc<dyn LogStore>, StorageError> {
        let json =
            serde_json::to_string(&record).map_err(|error| StorageError::Engine(error.into()))?;
        let (tree, empty) = (record.tree_id.get(), TreeHead::empty());
        let client = connection(&self.shared.connections.writers).await?;
        // One statement, one transaction. Two replicas that make logs at once would take the same
        // place: one of them is refused, and tries again.
        for last in [false, false, true] {
            let made = client
                .execute(
                    "WITH made AS ( \
                       INSERT INTO cairn_log (tree_id, name, place, record) \
                       SELECT $1, $2, (SELECT count(*) FROM cairn_log), $3 RETURNING tree_id \
                     ) INSERT INTO cairn_head (tree_id, size, root) \
                       SELECT tree_id, 0, $4 FROM made",
                    &[&tree, &record.name, &json, &empty.root.as_bytes().as_slice()],
                )
                .await;
            match made {
                Ok(_) => return Ok(self.handle(record.tree_id)),
                Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => {}
                Err(error) => return Err(failure(&error)),
            }
            let known = self.logs().await?;
            let taken = |log: &LogRecord| log.tree_id == record.tree_id || log.name == record.name;
            if last || known.iter().any(taken) {
                break;
            }
        }
        Err(StorageError::LogExists { tree_id: record.tree_id, name: record.name })
    }

    async fn log(&self, tree: TreeId) -> Result<Arc<dyn LogStore>, StorageError> {
        match self.record(tree).await? {
            Some(_) => Ok(self.handle(tree)),
            None => Err(StorageError::NoSuchLog(tree)),
        }
    }
}

async fn make_tables(client: &Client) -> Result<(), StorageError> {
    for last in (0..SCHEMA_TRIES).map(|tried| tried + 1 == SCHEMA_TRIES) {
        let made = client.batch_execute(SCHEMA).await;
        let made = match made {
            Ok(()) => {
                let version = "INSERT INTO cairn_format (one, version) VALUES (true, $1) \
                               ON CONFLICT (one) DO NOTHING";
                client.execute(version, &[&FORMAT_VERSION]).await.map(|_| ())
            }
            failed => failed,
        };
        match made {
            Ok(()) => return Ok(()),
            Err(error) if last => return Err(failure(&error)),
            // Another replica makes them at this moment.
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(200)).await,
        }
    }
    Ok(())
}

async fn version(client: &Client) -> Result<i32, StorageError> {
    let row = client.query_one("SELECT version FROM cairn_format", &[]).await;
    row.and_then(|row| row.try_get(0)).map_err(|error| match error.code() {
        Some(&SqlState::UNDEFINED_TABLE) => refused("there is no store in this database"),
        _ => failure(&error),
    })
}

async fn check_version(client: &Client) -> Result<(), StorageError> {
    match version(client).await? {
        FORMAT_VERSION => Ok(()),
        version if version > FORMAT_VERSION => Err(StorageError::Format(format!(
            "the tables have format version {version}: a newer version made them, this reads up to \
             {FORMAT_VERSION}"
        ))),
        version @ 1.. => Err(StorageError::Format(format!(
            "the tables have format version {version}: `cairn serve` brings them to version \
             {FORMAT_VERSION} when it starts"
        ))),
        _ => Err(corrupt("the tables have a format version that never was")),
    }
}

fn corrupt(what: impl Into<String>) -> StorageError {
    StorageError::Corrupt(what.into())
}
