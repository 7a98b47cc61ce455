//! Bringing the tables of version 1 to version 2: an entry's row gets its index keys.
//!
//! One transaction, in which the server does the work. Replicas that start meanwhile wait for it;
//! those of the older version that are running go on reading, and can write no more.

use deadpool_postgres::{Client, Object};

use super::FORMAT_VERSION;
use super::connect::{failure, patience};
use crate::StorageError;

/// Entries without keys need no change. Afterwards a row without a list is refused: a replica of
/// version 1 would write it.
fn one_to_two() -> String {
    let (length, count) = (number("length(index_key)"), number("found.count"));
    format!(
        "ALTER TABLE cairn_entry ADD COLUMN index_keys bytea NOT NULL DEFAULT '\\x00'; \
         UPDATE cairn_entry AS entry SET index_keys = {count} || found.keys FROM ( \
           SELECT tree_id, idx, count(*)::integer AS count, \
             string_agg({length} || index_key, ''::bytea ORDER BY index_key) AS keys \
           FROM cairn_search GROUP BY tree_id, idx \
         ) AS found WHERE entry.tree_id = found.tree_id AND entry.idx = found.idx; \
         ALTER TABLE cairn_entry ALTER COLUMN index_keys DROP DEFAULT; \
         UPDATE cairn_format SET version = {FORMAT_VERSION}"
    )
}

/// A number below 2^21 as `index_keys` writes it. An entry has 2^16 keys at most, of 2^11 bytes.
fn number(n: &str) -> String {
    format!(
        "CASE WHEN {n} < 128 THEN set_byte('\\x00', 0, {n}) \
         WHEN {n} < 16384 THEN set_byte(set_byte('\\x0000', 0, {n} % 128 + 128), 1, {n} / 128) \
         ELSE set_byte(set_byte(set_byte('\\x000000', 0, {n} % 128 + 128), \
           1, {n} / 128 % 128 + 128), 2, {n} / 16384) END"
    )
}

/// Does nothing when another replica has done it meanwhile.
pub(super) async fn from_version_one(client: Client) -> Result<(), StorageError> {
    // Its settings are not those of the others, so it does not go back to them.
    let mut client = Object::take(client);
    patience(&client).await?;
    let upgraded = async {
        let transaction = client.transaction().await?;
        let version = "SELECT version FROM cairn_format FOR UPDATE";
        if transaction.query_one(version, &[]).await?.try_get::<_, i32>(0)? == 1 {
            transaction.batch_execute(&one_to_two()).await?;
        }
        transaction.commit().await
    };
    let upgraded: Result<(), tokio_postgres::Error> = upgraded.await;
    upgraded.map_err(|error| failure(&error))
}
