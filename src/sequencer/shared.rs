//! A log that other processes write to as well: who was first, and is what was sent stored?
//!
//! A root hash commits to every entry below it. So the stored tree tells whether a batch is in it,
//! whatever became of the connection that carried it. The one thing that it does not tell is whose
//! batch that is: the same entry may have been sent to two replicas at once, and then both built
//! the same tree. Entries that another one stored are duplicates, and carry its time.

use storage::{Batch, CommitError, LogStore, StorageError, Turn};
use tlog::{LeafHash, LogIndex, NodeHash, RightEdge, RootHash, TreeHead};
use tokio::time::sleep;

use super::{Outcome, Writer};
use crate::limits::{QUEUE_ENTRIES_MAX, STORE_RETRY_PAUSE, TURNS_AFTER_CONFLICT};
use crate::stored_tree::{TreeError, edge_of, root_at};

/// How the stored tree stands to a batch.
enum Standing {
    /// It holds the batch.
    Stored,
    /// It is the one that the batch was built on.
    Unmoved,
    /// Others were first: it is that one and more, and ends here.
    Moved(RightEdge),
}

/// What is stored cannot have come of what was.
#[derive(Debug, thiserror::Error)]
enum Broken {
    /// Less than there was.
    #[error(
        "the store holds {stored} entries, and held {built_on}: it was replaced by an older copy, \
         or a standby took over that had not received all. Nothing more is written"
    )]
    RolledBack {
        /// The stored head's size.
        stored: u64,
        /// The size that was stored before.
        built_on: u64,
    },
    /// Another history.
    #[error(
        "the store has root {stored} at size {size}, and had {known}: these are two different \
         logs. Nothing more is written"
    )]
    Forked {
        /// Where they differ.
        size: u64,
        /// What is stored.
        stored: RootHash,
        /// What was.
        known: RootHash,
    },
    /// The hashes make no tree.
    #[error(transparent)]
    Tree(TreeError),
    /// The store does not answer; it may later.
    #[error(transparent)]
    Away(StorageError),
}

impl From<TreeError> for Broken {
    fn from(error: TreeError) -> Self {
        match error {
            TreeError::Storage(error) => error.into(),
            other => Self::Tree(other),
        }
    }
}

impl From<StorageError> for Broken {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Engine(_) => Self::Away(error),
            other => Self::Tree(other.into()),
        }
    }
}

/// A batch that may be stored: the head that it makes, and the time of its entries.
struct Sent {
    after: TreeHead,
    integrated_time: i64,
}

/// Where a batch stands that was built on `before`. One that is known not to have been written is
/// not `sent`.
async fn standing(
    store: &dyn LogStore,
    before: &RightEdge,
    sent: Option<&Sent>,
) -> Result<Standing, Broken> {
    let stored = store.head().await?;
    if stored == before.head() {
        return Ok(Standing::Unmoved);
    }
    if let Some(Sent { after, integrated_time }) = sent
        && stored.size >= after.size
        && root_at(store, after.size).await? == after.root
        && let [first] = store.bodies(LogIndex(before.size().0), 1).await?.as_slice()
        && first.integrated_time == *integrated_time
    {
        return Ok(Standing::Stored);
    }
    Ok(Standing::Moved(catch_up(store, before, stored).await?))
}

/// The right edge of the stored head, which is held against the one that is known: the leaves
/// between the two have to make it, or else the tree of old has to be a part of the new.
async fn catch_up(
    store: &dyn LogStore,
    known: &RightEdge,
    stored: TreeHead,
) -> Result<RightEdge, Broken> {
    let Some(new) = stored.size.0.checked_sub(known.size().0) else {
        let (stored, built_on) = (stored.size.0, known.size().0);
        return Err(Broken::RolledBack { stored, built_on });
    };
    if let Some(new) = usize::try_from(new).ok().filter(|new| *new <= QUEUE_ENTRIES_MAX) {
        let leaves = store.hashes(0, known.size().0, new).await?;
        let leaf = |hash: &NodeHash| LeafHash::from_bytes(*hash.as_bytes());
        let edge = known.extend(&leaves.iter().map(leaf).collect::<Vec<_>>()).edge().clone();
        if edge.head() == stored {
            return Ok(edge);
        }
    }
    let (size, known) = (known.size(), known.head().root);
    let root = root_at(store, size).await?;
    if root != known {
        return Err(Broken::Forked { size: size.0, stored: root, known });
    }
    Ok(edge_of(store, stored).await?)
}

impl Writer {
    /// Waits for this process's turn where others write too, and goes on from where they ended.
    ///
    /// While nobody else writes a turn would cost a round trip and bring nothing, so there is none.
    pub(super) async fn turn(&mut self) -> Result<Option<Box<dyn Turn>>, CommitError> {
        while self.contended > 0 {
            let caught_up = async {
                let Some(turn) = self.store.turn().await? else { return Ok(None) };
                let edge = match turn.head() == self.edge.head() {
                    true => None,
                    false => Some(catch_up(&*self.store, &self.edge, turn.head()).await?),
                };
                Ok(Some((turn, edge)))
            };
            match caught_up.await {
                Ok(Some((turn, None))) => {
                    self.contended -= 1;
                    return Ok(Some(turn));
                }
                Ok(Some((turn, Some(edge)))) => {
                    (self.edge, self.contended) = (edge, TURNS_AFTER_CONFLICT);
                    return Ok(Some(turn));
                }
                Ok(None) => return Ok(None),
                Err(Broken::Away(error)) => self.rest(&error).await,
                Err(error) => return Err(self.halt(error.into())),
            }
        }
        Ok(None)
    }

    /// Stores a batch, and when that is not said to be done, finds out what became of it: as soon
    /// as the store answers again.
    pub(super) async fn commit_among_others(
        &self,
        mut turn: Option<Box<dyn Turn>>,
        batch: Batch,
    ) -> Result<Outcome, CommitError> {
        let before = self.edge.head();
        let integrated_time = batch.entries.first().map_or(0, |entry| entry.integrated_time);
        let mut sent = None;
        loop {
            let committed = match turn.take() {
                Some(turn) => turn.commit(batch.clone()).await,
                None => self.store.commit(before, batch.clone()).await,
            };
            match committed {
                Ok(()) => {
                    self.recovered();
                    return Ok(Outcome::Stored);
                }
                Err(CommitError::Full(why)) => return Ok(Outcome::Full(why.into())),
                Err(CommitError::Conflict { .. }) => {}
                Err(CommitError::Storage(error @ StorageError::Engine(_))) => {
                    sent = Some(Sent { after: batch.head, integrated_time });
                    self.rest(&error).await;
                }
                Err(error) => return Err(self.halt(error)),
            }
            // Sending it again is harmless whatever became of it: were it stored after this look,
            // the head would be another one, and the second copy a conflict.
            let standing = loop {
                match standing(&*self.store, &self.edge, sent.as_ref()).await {
                    Ok(standing) => break standing,
                    Err(Broken::Away(error)) => self.rest(&error).await,
                    Err(error) => return Err(self.halt(error.into())),
                }
            };
            self.recovered();
            match standing {
                Standing::Stored => return Ok(Outcome::Stored),
                Standing::Moved(edge) => return Ok(Outcome::Moved(edge, batch)),
                Standing::Unmoved => {}
            }
        }
    }

    /// Says that the store does not answer, and waits a moment.
    pub(super) async fn rest(&self, error: &StorageError) {
        if self.stop.borrow().is_none() {
            tracing::warn!(%error, "the store does not answer; the log waits for it");
            let why = format!("the store does not answer: {error}");
            self.stop.send_replace(Some(why.into()));
        }
        sleep(STORE_RETRY_PAUSE).await;
    }
}

impl From<Broken> for CommitError {
    fn from(error: Broken) -> Self {
        match error {
            Broken::Away(error) => error.into(),
            other => StorageError::Corrupt(other.to_string()).into(),
        }
    }
}
