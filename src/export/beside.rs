//! What a replica needs besides tiles and bundles, under the paths that the server has for it:
//! `annex/<N>[.p/<W>]`, which the log signs (see `annex`), `attestation/<index>`, and
//! `entry/<index>` for the entries of a bundle that cannot be made.

use bytes::Bytes;
use storage::StorageError;
use tlog::{LogIndex, TILE_WIDTH};
use tokio::task::yield_now;

use super::sink::Kind;
use super::{Ends, ExportError};
use crate::annex::{Beside, annex_path, attestation_of, sign_annex};
use crate::limits::EXPORT_ENTRIES_AT_ONCE;

impl Ends {
    /// Writes what belongs to the first `width` entries of a bundle, and `singly` their bodies.
    /// Gives the number of objects.
    pub(super) async fn write_beside(
        &self,
        index: u64,
        width: u16,
        singly: bool,
    ) -> Result<u64, ExportError> {
        let (first, width_left) = (index * TILE_WIDTH, usize::from(width));
        let (mut beside, mut objects) = (Vec::new(), 1);
        while beside.len() < width_left {
            let wanted = EXPORT_ENTRIES_AT_ONCE.min(width_left - beside.len());
            let next = LogIndex(first + beside.len() as u64);
            let entries = self.store.entries(next, wanted).await?;
            if entries.len() != wanted {
                let text = format!("entry {next}, which lies below the head, is not stored");
                return Err(StorageError::Corrupt(text).into());
            }
            for mut entry in entries {
                let attestation = attestation_of(&*self.store, &entry.body).await?;
                let has_one = attestation.is_some();
                if let Some(data) = attestation {
                    self.put(&format!("attestation/{}", entry.index), data).await?;
                    objects += 1;
                }
                if singly {
                    let body = std::mem::take(&mut entry.body);
                    self.put(&format!("entry/{}", entry.index), body).await?;
                    objects += 1;
                }
                beside.push(Beside::of(entry, has_one));
            }
            yield_now().await; // writers go before
        }
        let annex = sign_annex(&self.core, index, beside)?;
        let name = self.name(&annex_path(index, width));
        self.sink.put(&name, Kind::Annex, annex.into()).await?;
        Ok(objects)
    }

    async fn put(&self, path: &str, bytes: Vec<u8>) -> Result<(), ExportError> {
        Ok(self.sink.put(&self.name(path), Kind::Tile, Bytes::from(bytes)).await?)
    }
}
