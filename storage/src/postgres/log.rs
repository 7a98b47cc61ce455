//! One log in PostgreSQL.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use deadpool_postgres::Client;
use tlog::{LeafHash, LogIndex, NodeHash, RootHash, TreeHead, TreeSize, hash::sha256};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::commit::{self, number};
use super::connect::{connection, failure, tell};
use super::{Shared, corrupt, turn};
use crate::batch::{self, level_size};
use crate::{
    Batch, CommitError, LogStore, StorageError, StoredBody, StoredCheckpoint, StoredEntry, TreeId,
    Turn, checkpoint, index_keys,
};

/// How often the store is looked at when the server passes nothing on.
const POLL: Duration = Duration::from_millis(50);

/// A log of an open store.
pub(super) struct PostgresLog {
    shared: Arc<Shared>,
    tree: TreeId,
}

type Parameters<'a> = &'a [&'a (dyn ToSql + Sync)];

impl PostgresLog {
    pub(super) fn new(shared: Arc<Shared>, tree: TreeId) -> Self {
        Self { shared, tree }
    }

    /// The rows of a read. A connection that broke while it lay idle is replaced once.
    async fn rows(&self, sql: &str, parameters: Parameters<'_>) -> Result<Vec<Row>, StorageError> {
        let readers = &self.shared.connections.readers;
        let client = connection(readers).await?;
        match query(&client, sql, parameters).await {
            Err(error) if error.is_closed() || client.is_closed() => {
                drop(client);
                let client = connection(readers).await?;
                query(&client, sql, parameters).await.map_err(|error| failure(&error))
            }
            rows => rows.map_err(|error| failure(&error)),
        }
    }

    pub(super) fn no_head(tree: TreeId) -> StorageError {
        corrupt(format!("log {tree} has no head, or none that can be read"))
    }

    async fn size(&self) -> Result<TreeSize, StorageError> {
        Ok(self.head().await?.size)
    }
}

async fn query(
    client: &Client,
    sql: &str,
    parameters: Parameters<'_>,
) -> Result<Vec<Row>, tokio_postgres::Error> {
    let statement = client.prepare_cached(sql).await?;
    client.query(&statement, parameters).await
}

#[async_trait]
impl LogStore for PostgresLog {
    fn shared(&self) -> bool {
        true
    }

    async fn head(&self) -> Result<TreeHead, StorageError> {
        let sql = "SELECT size, root FROM cairn_head WHERE tree_id = $1";
        let rows = self.rows(sql, &[&self.tree.get()]).await?;
        rows.first().and_then(head_of).ok_or_else(|| Self::no_head(self.tree))
    }

    async fn commit(&self, expected: TreeHead, batch: Batch) -> Result<(), CommitError> {
        batch::check(expected, &batch)?;
        let client = connection(&self.shared.connections.writers).await?;
        if commit::run(&client, self.tree, expected, &batch).await? {
            return Ok(());
        }
        Err(CommitError::Conflict { expected, stored: self.head().await? })
    }

    async fn turn(&self) -> Result<Option<Box<dyn Turn>>, StorageError> {
        Ok(Some(Box::new(turn::take(&self.shared, self.tree).await?)))
    }

    async fn entries(&self, first: LogIndex, max: usize) -> Result<Vec<StoredEntry>, StorageError> {
        let sql = "SELECT idx, integrated_time, body, index_keys FROM cairn_entry \
                   WHERE tree_id = $1 AND idx >= $2 AND idx < $3 ORDER BY idx";
        let parse = |row: &Row| {
            Some(StoredEntry {
                index: LogIndex(unsigned(row, 0)?),
                integrated_time: row.try_get(1).ok()?,
                body: row.try_get(2).ok()?,
                index_keys: index_keys::all(row.try_get(3).ok()?)?,
            })
        };
        self.run(sql, &[], first.0, max, None, parse).await
    }

    async fn bodies(&self, first: LogIndex, max: usize) -> Result<Vec<StoredBody>, StorageError> {
        let sql = "SELECT idx, integrated_time, body FROM cairn_entry \
                   WHERE tree_id = $1 AND idx >= $2 AND idx < $3 ORDER BY idx";
        let parse = |row: &Row| {
            Some(StoredBody {
                index: LogIndex(unsigned(row, 0)?),
                integrated_time: row.try_get(1).ok()?,
                body: row.try_get(2).ok()?,
            })
        };
        self.run(sql, &[], first.0, max, None, parse).await
    }

    async fn hashes(
        &self,
        level: u8,
        first: u64,
        count: usize,
    ) -> Result<Vec<NodeHash>, StorageError> {
        let sql = "SELECT place, hash FROM cairn_hash \
                   WHERE tree_id = $1 AND place >= $2 AND place < $3 AND level = $4 ORDER BY place";
        let parse = |row: &Row| Some(NodeHash::from_bytes(hash(row, 1)?));
        self.run(sql, &[&i64::from(level)], first, count, Some(level), parse).await
    }

    async fn indices_of(&self, leaves: &[LeafHash]) -> Result<Vec<Option<LogIndex>>, StorageError> {
        // One descent of the index for each, whatever the planner believes of the table.
        let sql = "SELECT wanted.leaf_hash, (SELECT idx FROM cairn_leaf AS known WHERE tree_id = $1 \
                   AND known.leaf_hash = wanted.leaf_hash) \
                   FROM unnest($2::bytea[]) AS wanted (leaf_hash)";
        let wanted: Vec<&[u8]> = leaves.iter().map(|leaf| leaf.as_bytes().as_slice()).collect();
        let mut found = std::collections::HashMap::new();
        for row in self.rows(sql, &[&self.tree.get(), &wanted]).await? {
            let index = row.try_get::<_, Option<i64>>(1).ok().zip(hash(&row, 0));
            let (index, leaf) =
                index.ok_or_else(|| corrupt("an index of a leaf cannot be read"))?;
            if let Some(index) = index.and_then(|index| u64::try_from(index).ok()) {
                found.insert(LeafHash::from_bytes(leaf), LogIndex(index));
            }
        }
        Ok(leaves.iter().map(|leaf| found.get(leaf).copied()).collect())
    }

    async fn search(
        &self,
        index_key: &str,
        from: LogIndex,
        max: usize,
    ) -> Result<Vec<LogIndex>, StorageError> {
        let sql = "SELECT idx FROM cairn_search \
                   WHERE tree_id = $1 AND key_hash = $2 AND idx >= $3 ORDER BY idx LIMIT $4";
        let (key, max) = (sha256(index_key.as_bytes()), number(max as u64));
        let parameters: Parameters<'_> =
            &[&self.tree.get(), &key.as_slice(), &number(from.0), &max];
        let unreadable = || corrupt("an index under an index key cannot be read");
        let rows = self.rows(sql, parameters).await?;
        rows.iter().map(|row| unsigned(row, 0).map(LogIndex).ok_or_else(unreadable)).collect()
    }

    async fn attestation(&self, key: &str) -> Result<Option<Vec<u8>>, StorageError> {
        let sql = "SELECT data FROM cairn_attestation WHERE key_hash = $1";
        let rows = self.rows(sql, &[&sha256(key.as_bytes()).as_slice()]).await?;
        let unreadable = |_| corrupt("an attestation cannot be read");
        rows.first().map(|row| row.try_get(0).map_err(unreadable)).transpose()
    }

    async fn checkpoint(&self) -> Result<Option<StoredCheckpoint>, StorageError> {
        let sql = "SELECT size, note FROM cairn_checkpoint WHERE tree_id = $1";
        let rows = self.rows(sql, &[&self.tree.get()]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let checkpoint = unsigned(row, 0).zip(row.try_get(1).ok());
        let checkpoint =
            checkpoint.map(|(size, note)| StoredCheckpoint { size: TreeSize(size), note });
        let unreadable = || corrupt(format!("the checkpoint of log {} cannot be read", self.tree));
        checkpoint.map(Some).ok_or_else(unreadable)
    }

    async fn publish(&self, new: StoredCheckpoint) -> Result<(), StorageError> {
        // Heads never shrink, so what is within the head now will be so when the row is written.
        checkpoint::is_news(self.head().await?, None, &new)?;
        let sql = "INSERT INTO cairn_checkpoint (tree_id, size, note) VALUES ($1, $2, $3) \
                   ON CONFLICT (tree_id) DO UPDATE SET size = excluded.size, note = excluded.note \
                   WHERE cairn_checkpoint.size <= excluded.size";
        let client = connection(&self.shared.connections.keepers).await?;
        let statement = client.prepare_cached(sql).await.map_err(|error| failure(&error))?;
        let parameters: Parameters<'_> = &[&self.tree.get(), &number(new.size.0), &new.note];
        let kept = client.execute(&statement, parameters).await;
        kept.map_err(|error| failure(&error))?;
        if self.shared.hearing.works() {
            // Who does not hear it looks for himself before long.
            let _unheard = tell(&client, self.tree, new.size.0).await;
        }
        Ok(())
    }

    async fn checkpoint_beyond(&self, size: TreeSize, patience: Duration) {
        let hearing = &self.shared.hearing;
        let patience = if hearing.works() { patience } else { patience.min(POLL) };
        let _nothing_heard =
            tokio::time::timeout(patience, hearing.beyond(self.tree, size.0)).await;
    }
}

impl PostgresLog {
    /// Rows `first .. first + max` of a numbered sequence; fewer only where the log ends. The SQL
    /// takes the tree, both ends and what is in `more`.
    async fn run<T>(
        &self,
        sql: &str,
        more: Parameters<'_>,
        first: u64,
        max: usize,
        level: Option<u8>,
        parse: impl Fn(&Row) -> Option<T>,
    ) -> Result<Vec<T>, StorageError> {
        let read = async |end: u64| {
            let (tree, first, end) = (self.tree.get(), number(first), number(end));
            let mut parameters: Vec<&(dyn ToSql + Sync)> = vec![&tree, &first, &end];
            parameters.extend(more);
            self.rows(sql, &parameters).await
        };
        let end = first.saturating_add(max as u64);
        let mut rows = read(end).await?;
        if rows.len() < max {
            // At the end of the log, or a gap. The head may have moved since: only what it covered
            // before a second look has to be there.
            let size = self.size().await?;
            let size = level.map_or(size.0, |level| level_size(size, level));
            let (end, wanted) = (end.min(size), end.min(size).saturating_sub(first));
            if rows.len() as u64 != wanted {
                rows = read(end).await?;
            }
            if rows.len() as u64 != wanted {
                let (tree, found) = (self.tree, rows.len());
                return Err(corrupt(format!(
                    "{found} rows of log {tree} are stored from {first} to {end}"
                )));
            }
        }
        let parsed = rows.iter().map(parse).collect::<Option<_>>();
        parsed.ok_or_else(|| corrupt(format!("a row of log {} cannot be read", self.tree)))
    }
}

/// The head in a row of size and root.
pub(super) fn head_of(row: &Row) -> Option<TreeHead> {
    let (size, root) = (unsigned(row, 0)?, hash(row, 1)?);
    Some(TreeHead { size: TreeSize(size), root: RootHash::from_bytes(root) })
}

fn unsigned(row: &Row, column: usize) -> Option<u64> {
    u64::try_from(row.try_get::<_, i64>(column).ok()?).ok()
}

fn hash(row: &Row, column: usize) -> Option<[u8; 32]> {
    row.try_get::<_, &[u8]>(column).ok()?.try_into().ok()
}
