//! A turn: a transaction that holds the row of the head.

use async_trait::async_trait;
use deadpool_postgres::{Client, Object};
use tlog::TreeHead;
use tokio_postgres::types::ToSql;

use super::commit;
use super::connect::{connection, failure};
use super::log::{PostgresLog, head_of};
use super::{Shared, corrupt};
use crate::{Batch, CommitError, StorageError, TreeId, Turn, batch};

/// Waits at the row of the head, as long as the session lets it.
pub(super) async fn take(shared: &Shared, tree: TreeId) -> Result<HeadRow, StorageError> {
    let client = connection(&shared.connections.writers).await?;
    let turn = HeadRow { tree, head: TreeHead::empty(), client: Some(client) };
    turn.begun().await
}

/// The locked row, and the transaction that has locked it.
pub(super) struct HeadRow {
    tree: TreeId,
    head: TreeHead,
    client: Option<Client>, // until the transaction is over
}

impl HeadRow {
    async fn begun(mut self) -> Result<Self, StorageError> {
        let Some(client) = &self.client else { return Err(over()) };
        let sql = "SELECT size, root FROM cairn_head WHERE tree_id = $1 FOR UPDATE";
        let locked = async {
            let statement = client.prepare_cached(sql).await?;
            // Both are on their way before the first is answered.
            let tree = self.tree.get();
            let parameters: [&(dyn ToSql + Sync); 1] = [&tree];
            let row = client.query_opt(&statement, &parameters);
            let (begun, row) = tokio::join!(client.batch_execute("BEGIN"), row);
            begun?;
            row
        };
        let row: Result<_, tokio_postgres::Error> = locked.await;
        let row = row.map_err(|error| failure(&error))?;
        self.head =
            row.as_ref().and_then(head_of).ok_or_else(|| PostgresLog::no_head(self.tree))?;
        Ok(self)
    }
}

#[async_trait]
impl Turn for HeadRow {
    fn head(&self) -> TreeHead {
        self.head
    }

    async fn commit(mut self: Box<Self>, batch: Batch) -> Result<(), CommitError> {
        batch::check(self.head, &batch)?;
        let Some(client) = &self.client else { return Err(over().into()) };
        if !commit::run(client, self.tree, self.head, &batch).await? {
            return Err(corrupt("a head that was locked has moved").into());
        }
        client.batch_execute("COMMIT").await.map_err(|error| failure(&error))?;
        // Back into the pool: nothing is open in it any more.
        drop(self.client.take());
        Ok(())
    }
}

/// A transaction that is not over ends with its connection, and so does the lock.
impl Drop for HeadRow {
    fn drop(&mut self) {
        if let Some(client) = self.client.take() {
            drop(Object::take(client));
        }
    }
}

fn over() -> StorageError {
    StorageError::Engine("the turn is over".into())
}
