//! Which checkpoint may be kept as the newest one: the same rule for every engine.

use tlog::{TreeHead, TreeSize};

use crate::{StorageError, StoredCheckpoint};

/// True when `new` takes the place of the newest one (an equal size does: it may carry more
/// signatures), false when a larger one is there.
///
/// # Errors
/// [`StorageError::Engine`] when it covers more than is stored: only durable heads are published.
pub(crate) fn is_news(
    head: TreeHead,
    newest: Option<TreeSize>,
    new: &StoredCheckpoint,
) -> Result<bool, StorageError> {
    if new.size > head.size {
        let text = format!("checkpoint of size {} beyond the stored {}", new.size, head.size);
        return Err(StorageError::Engine(text.into()));
    }
    Ok(newest.is_none_or(|newest| newest <= new.size))
}
