//! A bundle of a source, with all that belongs to its entries.

use storage::NewEntry;
use tlog::{LogIndex, TILE_WIDTH, TileId, TilePath, TreeSize, decode_bundle, hash_leaf};

use super::replica::{Identity, fetch_part};
use super::source::{Source, SourceError};
use crate::annex::{Annex, AnnexError, Beside, annex_path, attestation_for};
use crate::limits::{
    ANNEX_BYTES_MAX, BUNDLE_BYTES_MAX, FOLLOWED_ATTESTATION_BYTES_MAX, LEAF_BYTES_MAX,
};

const FULL: u16 = TILE_WIDTH as u16;

/// Why the entries of a bundle are not taken.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The source did not answer.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// It does not have what its checkpoint covers.
    #[error("the source has no {0}, which its checkpoint covers")]
    Missing(String),
    /// The bundle is cut off, or has too few entries.
    #[error("bundle {index} of the source is not whole: {why}")]
    Broken {
        /// Which.
        index: u64,
        /// What is wrong.
        why: String,
    },
    /// The annex is not the log's.
    #[error("annex of bundle {index}: {why}")]
    Annex {
        /// Which.
        index: u64,
        /// What is wrong.
        why: AnnexError,
    },
    /// An attestation is not the one that the entry names.
    #[error(transparent)]
    Attestation(#[from] storage::StorageError),
}

/// Which entries of which bundle are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bundle {
    index: u64,
    /// How many entries the tree has of it.
    width: u16,
    /// How many of those are stored already.
    skip: usize,
}

impl Bundle {
    /// What a tree of `end` entries has from `next` on in one bundle; `next` is below `end`.
    pub(super) fn from(next: TreeSize, end: TreeSize) -> Self {
        let index = next.0 / TILE_WIDTH;
        let width = TileId { level: 0, index }.width(end);
        Self { index, width, skip: (next.0 % TILE_WIDTH) as usize }
    }

    /// The entry behind its last one.
    pub(super) fn end(&self) -> TreeSize {
        TreeSize(self.index * TILE_WIDTH + u64::from(self.width))
    }

    /// Index of its entry number `at`.
    fn entry(&self, at: usize) -> LogIndex {
        LogIndex(self.index * TILE_WIDTH + at as u64)
    }
}

/// The wanted entries, ready to be stored once the tree is proven.
pub(super) async fn fetch_bundle(
    source: &dyn Source,
    log: &Identity,
    root: &str,
    bundle: &Bundle,
) -> Result<Vec<NewEntry>, BundleError> {
    let bodies = bodies(source, root, bundle).await?;
    let beside = beside(source, log, root, bundle).await?;
    let mut entries = Vec::with_capacity(bodies.len());
    for (at, (body, beside)) in bodies.into_iter().zip(beside).enumerate().skip(bundle.skip) {
        let attestation = if beside.attestation {
            let path = format!("{root}/attestation/{}", bundle.entry(at));
            let data = source.get(&path, FOLLOWED_ATTESTATION_BYTES_MAX).await?;
            let data = data.ok_or(BundleError::Missing(path))?;
            Some(attestation_for(&body, data)?)
        } else {
            None
        };
        let Beside { integrated_time, index_keys, .. } = beside;
        let leaf_hash = hash_leaf(&body);
        entries.push(NewEntry { body, leaf_hash, integrated_time, index_keys, attestation });
    }
    Ok(entries)
}

/// As many bodies as the bundle is wide. Where one is too long for a bundle there is none, and
/// each entry is asked for by itself.
async fn bodies(
    source: &dyn Source,
    root: &str,
    bundle: &Bundle,
) -> Result<Vec<Vec<u8>>, BundleError> {
    let &Bundle { index, width, .. } = bundle;
    let path = |width| TilePath::Entries { index, width }.to_string();
    let found = fetch_part(source, root, &path(width), &path(FULL), BUNDLE_BYTES_MAX).await?;
    let Some(bytes) = found else {
        let mut bodies = Vec::new();
        for at in 0..usize::from(width) {
            let path = format!("{root}/entry/{}", bundle.entry(at));
            let body = source.get(&path, LEAF_BYTES_MAX).await?;
            bodies.push(body.ok_or_else(|| BundleError::Missing(format!("{root}/{path}")))?);
        }
        return Ok(bodies);
    };
    let broken = |why: String| BundleError::Broken { index, why };
    let mut bodies = decode_bundle(&bytes).map_err(|error| broken(error.to_string()))?;
    if bodies.len() < usize::from(width) {
        return Err(broken(format!("{} entries of {width}", bodies.len())));
    }
    bodies.truncate(width.into());
    Ok(bodies.into_iter().map(<[u8]>::to_vec).collect())
}

/// What belongs to each entry of the bundle.
async fn beside(
    source: &dyn Source,
    log: &Identity,
    root: &str,
    bundle: &Bundle,
) -> Result<Vec<Beside>, BundleError> {
    let &Bundle { index, width, .. } = bundle;
    let (path, full) = (annex_path(index, width), annex_path(index, FULL));
    let found = fetch_part(source, root, &path, &full, ANNEX_BYTES_MAX).await?;
    let bytes = found.ok_or_else(|| BundleError::Missing(format!("{root}/{path}")))?;
    let wrong = |why| BundleError::Annex { index, why };
    let text = String::from_utf8(bytes).map_err(|_| wrong(AnnexError::NoText))?;
    let annex = Annex::open(&text, &log.origin, &log.name, &log.verifier, log.key_id);
    let Annex { first, mut entries } = annex.map_err(wrong)?;
    if first != bundle.entry(0) || entries.len() < usize::from(width) {
        return Err(wrong(AnnexError::OtherEntries { first, count: entries.len() }));
    }
    entries.truncate(width.into());
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Bundle after bundle covers every entry once.
        #[test]
        fn bundles_follow_one_another(from in 0_u64..3000, more in 1_u64..3000) {
            let (mut next, end) = (TreeSize(from), TreeSize(from + more));
            while next < end {
                let bundle = Bundle::from(next, end);
                prop_assert_eq!(bundle.entry(bundle.skip), LogIndex(next.0));
                prop_assert!(bundle.end() > next && bundle.end() <= end);
                prop_assert!(bundle.width == FULL || bundle.end() == end);
                next = bundle.end();
            }
        }
    }
}
