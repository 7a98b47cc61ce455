//! Bringing a store of an older format to this one, when it is opened for writing.

use ::fjall::PersistMode;

use super::{FORMAT_VERSION, Shared, failure, family};
use crate::upgrade::{self, Change, Rows};
use crate::{StorageError, keys};

/// Does nothing to a store of this format or a newer one.
pub(super) fn to_current(shared: &mut Shared) -> Result<(), StorageError> {
    let is_due = shared.version()? == Some(1) || upgrade::is_under_way(shared)?;
    if !is_due && !shared.db.keyspace_exists(keys::SORTED) {
        return Ok(());
    }
    let sorted = shared.db.keyspace(keys::SORTED, || family(keys::SORTED)).map_err(failure)?;
    if is_due {
        shared.families.insert(keys::SORTED, sorted.clone());
        upgrade::add_index_keys(shared, FORMAT_VERSION)?;
        shared.families.remove(keys::SORTED);
    }
    shared.db.delete_keyspace(sorted).map_err(failure)
}

impl Rows for Shared {
    const STATE: &'static str = keys::LOGS;

    fn get(&self, name: &'static str, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        Ok(self.get(name, key)?.map(|value| value.to_vec()))
    }

    fn scan(
        &self,
        name: &'static str,
        from: &[u8],
    ) -> impl Iterator<Item = Result<(impl AsRef<[u8]>, impl AsRef<[u8]>), StorageError>> {
        self.family(name).range(from..).map(|row| row.into_inner().map_err(failure))
    }

    fn write(&self, changes: Vec<Change>, synced: bool) -> Result<(), StorageError> {
        let durability = if synced { PersistMode::SyncAll } else { PersistMode::Buffer };
        let mut batch = self.batch(durability);
        for Change { family: name, key, value } in changes {
            match value {
                Some(value) => batch.insert(self.family(name), key, value),
                None => batch.remove(self.family(name), key),
            }
        }
        batch.commit().map_err(failure)
    }
}
