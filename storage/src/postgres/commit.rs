//! One commit: one statement.

use std::collections::{BTreeMap, HashMap};

use deadpool_postgres::Client;
use tlog::{TreeHead, hash::sha256};
use tokio_postgres::error::SqlState;

use super::connect::failure;
use crate::{Batch, CommitError, StorageError, TreeId, index_keys};

/// Advances the head from the expected one, and adds the batch only if that was done: the rows to
/// be inserted are joined with the head's row. A second writer waits at that row, finds another
/// head there, and inserts nothing.
const COMMIT: &str = "\
WITH advanced AS (
    UPDATE cairn_head SET size = $4, root = $5
    WHERE tree_id = $1 AND size = $2 AND root = $3
    RETURNING tree_id
), entries AS (
    INSERT INTO cairn_entry (tree_id, idx, integrated_time, body, index_keys)
    SELECT tree_id, t.idx, t.integrated_time, t.body, t.index_keys
    FROM advanced, unnest($6::bigint[], $7::bigint[], $8::bytea[], $20::bytea[])
        AS t (idx, integrated_time, body, index_keys)
), leaves AS (
    INSERT INTO cairn_leaf (tree_id, leaf_hash, idx)
    SELECT tree_id, t.leaf_hash, t.idx
    FROM advanced, unnest($9::bytea[], $10::bigint[]) AS t (leaf_hash, idx)
    ON CONFLICT (tree_id, leaf_hash) DO UPDATE SET idx = excluded.idx
), hashes AS (
    INSERT INTO cairn_hash (tree_id, level, place, hash)
    SELECT tree_id, t.level, t.place, t.hash
    FROM advanced, unnest($11::bigint[], $12::bigint[], $13::bytea[]) AS t (level, place, hash)
), search AS (
    INSERT INTO cairn_search (tree_id, key_hash, idx, index_key)
    SELECT tree_id, t.key_hash, t.idx, t.index_key
    FROM advanced, unnest($14::bytea[], $15::bigint[], $16::bytea[]) AS t (key_hash, idx, index_key)
    ON CONFLICT (tree_id, key_hash, idx) DO NOTHING
), attestations AS (
    INSERT INTO cairn_attestation (key_hash, attestation_key, data)
    SELECT t.key_hash, t.attestation_key, t.data
    FROM advanced, unnest($17::bytea[], $18::bytea[], $19::bytea[])
        AS t (key_hash, attestation_key, data)
    ON CONFLICT (key_hash) DO UPDATE SET data = excluded.data
)
SELECT tree_id FROM advanced";

/// The columns of a batch.
#[derive(Default)]
struct Columns<'a> {
    indices: Vec<i64>,
    times: Vec<i64>,
    bodies: Vec<&'a [u8]>,
    leaves: Vec<&'a [u8]>,
    leaf_indices: Vec<i64>,
    levels: Vec<i64>,
    places: Vec<i64>,
    hashes: Vec<&'a [u8]>,
    key_hashes: Vec<Vec<u8>>,
    key_indices: Vec<i64>,
    keys: Vec<&'a [u8]>,
    attestation_hashes: Vec<Vec<u8>>,
    attestation_keys: Vec<&'a [u8]>,
    attestations: Vec<&'a [u8]>,
    lists_of_keys: Vec<Vec<u8>>,
}

impl<'a> Columns<'a> {
    fn of(first: u64, batch: &'a Batch) -> Self {
        let mut all = Self::default();
        // A statement may touch a row once: of what has the same key, the last counts.
        let mut leaves = HashMap::with_capacity(batch.entries.len());
        let mut attestations = BTreeMap::new();
        for (index, new) in (first..).map(number).zip(&batch.entries) {
            all.indices.push(index);
            all.times.push(new.integrated_time);
            all.bodies.push(&new.body);
            let mut list = Vec::with_capacity(index_keys::size_hint(&new.index_keys));
            index_keys::append(&new.index_keys, &mut list);
            all.lists_of_keys.push(list);
            leaves.insert(&new.leaf_hash, index);
            for key in &new.index_keys {
                all.key_hashes.push(sha256(key.as_bytes()).to_vec());
                all.key_indices.push(index);
                all.keys.push(key.as_bytes());
            }
            if let Some(new) = &new.attestation {
                attestations.insert(&new.key, &new.data);
            }
        }
        for (leaf, index) in leaves {
            all.leaves.push(leaf.as_bytes());
            all.leaf_indices.push(index);
        }
        for (key, data) in attestations {
            all.attestation_hashes.push(sha256(key.as_bytes()).to_vec());
            all.attestation_keys.push(key.as_bytes());
            all.attestations.push(data);
        }
        for new in &batch.hashes {
            for (place, hash) in (new.first..).map(number).zip(&new.hashes) {
                all.levels.push(i64::from(new.level));
                all.places.push(place);
                all.hashes.push(hash.as_bytes());
            }
        }
        all
    }
}

/// True when the head was the expected one, and all of the batch is stored.
pub(super) async fn run(
    client: &Client,
    tree: TreeId,
    expected: TreeHead,
    batch: &Batch,
) -> Result<bool, CommitError> {
    let statement = client.prepare_cached(COMMIT).await.map_err(|error| failure(&error))?;
    let all = Columns::of(expected.size.0, batch);
    let committed = client
        .query_opt(
            &statement,
            &[
                &tree.get(),
                &number(expected.size.0),
                &expected.root.as_bytes().as_slice(),
                &number(batch.head.size.0),
                &batch.head.root.as_bytes().as_slice(),
                &all.indices,
                &all.times,
                &all.bodies,
                &all.leaves,
                &all.leaf_indices,
                &all.levels,
                &all.places,
                &all.hashes,
                &all.key_hashes,
                &all.key_indices,
                &all.keys,
                &all.attestation_hashes,
                &all.attestation_keys,
                &all.attestations,
                &all.lists_of_keys,
            ],
        )
        .await;
    match committed {
        Ok(advanced) => Ok(advanced.is_some()),
        Err(error) => Err(refusal(&error)),
    }
}

/// The server says so when it has rolled the transaction back; then nothing was written.
fn refusal(error: &tokio_postgres::Error) -> CommitError {
    match (failure(error), error.code()) {
        (StorageError::Engine(why), Some(&SqlState::DISK_FULL)) => {
            CommitError::Full(why.to_string())
        }
        (error, _) => CommitError::Storage(error),
    }
}

/// A size, index or place as PostgreSQL counts: what has no place in 63 bits has none in a log.
pub(super) fn number(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
