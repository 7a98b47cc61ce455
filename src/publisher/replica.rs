//! What the other replicas of a shared log publish, this one shows too.

use std::sync::Arc;

use tlog::{SignedCheckpoint, TreeHead, Verifier};
use tokio::sync::watch;

use super::core::Published;
use super::press::Press;
use super::witness::published_before;
use super::{PublishError, State, newest, show};
use crate::stored_tree::root_at;

/// A checkpoint that another process made is not one that this log could have published.
#[derive(Debug, thiserror::Error)]
pub enum ForeignCheckpoint {
    /// It is not signed as this log's are.
    #[error("a checkpoint is not this log's: {0}")]
    NotOurs(String),
    /// It contradicts what is stored.
    #[error("a checkpoint of {0} entries has another root than the stored entries make")]
    Forked(u64),
}

impl Press {
    /// Shows a larger checkpoint that the store holds. Gives a stored head that nobody has
    /// published since the last look, when `unpublished` named it then: the replica that made it
    /// is gone, and its entries shall not wait for the next ones.
    pub(super) async fn look(
        &self,
        state: &watch::Sender<State>,
        unpublished: &mut Option<TreeHead>,
    ) -> Result<Option<TreeHead>, PublishError> {
        let shown = newest(&state.borrow().recent).head;
        let stored = self.setup.store.checkpoint().await?;
        let head = self.setup.store.head().await?;
        let mut published = shown.size;
        if let Some(stored) = stored.filter(|stored| stored.size > shown.size) {
            let adopted = self.adopt(&stored.note).await?;
            published = adopted.head.size;
            self.setup.metrics.published(published.0);
            if let Some(guard) = &self.setup.guard {
                guard.remember(&adopted).await?;
            }
            show(state, Arc::new(adopted));
        }
        let waits = (head.size > published).then_some(head);
        let since = unpublished.replace(head).filter(|before| Some(*before) == waits);
        Ok(since)
    }

    /// Another replica's checkpoint: under the log's key, over a part of the stored tree.
    pub(super) async fn adopt(&self, note: &str) -> Result<Published, PublishError> {
        let core = &self.setup.core;
        let not_ours = |why: String| PublishError::Foreign(ForeignCheckpoint::NotOurs(why));
        let verifier = Verifier::from_spki(core.public_key());
        let verifier = verifier.map_err(|error| not_ours(error.to_string()))?;
        let signed = SignedCheckpoint::open(note, core.origin(), &verifier, core.key_id());
        let head = signed.map_err(|error| not_ours(error.to_string()))?.checkpoint().head;
        if root_at(&*self.setup.store, head.size).await? != head.root {
            return Err(PublishError::Foreign(ForeignCheckpoint::Forked(head.size.0)));
        }
        let adopted = published_before(note, (self.setup.now)());
        adopted.ok_or_else(|| not_ours("its signature line has another name".into()))
    }
}
