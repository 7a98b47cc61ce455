//! The other side of a promotion: does a replica write to our log by now?
//!
//! A replica that was promoted says so, and shows entries that are not ours. Who had the log before
//! looks for that: before the first signature, where it does not start without an answer, and from
//! then on, where it goes on without one. Between two looks both may sign; only a quorum of
//! witnesses that both ask shuts that gap.

use std::sync::Arc;

use storage::LogStore;
use tlog::note::NOTE_BYTES_MAX;
use tlog::{KeyError, Verifier};
use tokio::sync::watch;
use tokio::time::sleep;

use super::listed::logs_of;
use super::source::{HttpSource, Source, SourceError};
use crate::limits::{FENCE_PAUSE, FENCE_TIMEOUT};
use crate::publisher::SigningCore;
use crate::recovery::{Identity, RecoveryError, contradicts_nothing};

/// Why a replica stands in the way.
#[derive(Debug, thiserror::Error)]
pub enum FenceError {
    /// It does not answer.
    #[error(
        "the fence does not answer ({0}): it has to say that it was not promoted before anything is signed here; \
         start it, or leave --fence out if it is gone for good"
    )]
    Silent(#[from] SourceError),
    /// It was promoted.
    #[error("the replica at {url} was promoted: the log {origin:?} is written there")]
    Promoted {
        /// Where it is.
        url: String,
        /// The log.
        origin: String,
    },
    /// It shows what is not ours.
    #[error(transparent)]
    Contradicts(#[from] RecoveryError),
}

impl FenceError {
    /// Whether it proves that another server writes to the log.
    fn is_proof(&self) -> bool {
        match self {
            Self::Promoted { .. } => true,
            Self::Contradicts(error) => {
                matches!(error, RecoveryError::RolledBack { .. } | RecoveryError::Forked { .. })
            }
            Self::Silent(_) => false,
        }
    }
}

/// A log, and its replicas that may be promoted.
pub struct Fence {
    urls: Vec<String>,
    store: Arc<dyn LogStore>,
    core: Arc<SigningCore>,
    verifier: Verifier,
}

impl Fence {
    /// The log that `core` signs for, and where its replicas are.
    ///
    /// # Errors
    /// [`KeyError`] for a key that no log has.
    pub fn new(
        urls: Vec<String>,
        store: Arc<dyn LogStore>,
        core: Arc<SigningCore>,
    ) -> Result<Self, KeyError> {
        let verifier = Verifier::from_spki(core.public_key())?;
        Ok(Self { urls, store, core, verifier })
    }

    /// Asks all of them, before anything is signed.
    ///
    /// # Errors
    /// As [`FenceError`] says; also when one does not answer.
    pub async fn check(&self) -> Result<(), FenceError> {
        let mut known = false;
        for url in &self.urls {
            known |= self.ask(url).await?;
        }
        if known {
            return Ok(());
        }
        let (place, why) = (self.urls.join(", "), "it has no such log".to_owned());
        Err(SourceError { place, why }.into())
    }

    /// Goes on asking; what it gives says from when on nothing may be signed, and why.
    pub fn watch(self) -> watch::Receiver<Option<Arc<str>>> {
        let (sender, fenced) = watch::channel(None);
        tokio::spawn(async move {
            while !sender.is_closed() {
                sleep(FENCE_PAUSE).await;
                for url in &self.urls {
                    match self.ask(url).await {
                        Err(error) if error.is_proof() => {
                            tracing::error!(%error, "the log signs nothing any more");
                            sender.send_replace(Some(error.to_string().into()));
                            return;
                        }
                        Err(error) => tracing::warn!(%error, "the fence could not be asked"),
                        Ok(_) => {}
                    }
                }
            }
        });
        fenced
    }

    /// Whether it has the log; behind another host or path are other logs.
    async fn ask(&self, url: &str) -> Result<bool, FenceError> {
        let source = HttpSource::new(url, FENCE_TIMEOUT);
        let log_id = hex::encode(self.core.log_id());
        let silent = |why: &str| SourceError { place: url.into(), why: why.into() };
        let listed = logs_of(&source).await?;
        let listed = listed.into_iter().find(|listed| listed.log_id == log_id);
        let Some(listed) = listed else { return Ok(false) };
        if listed.active {
            let (url, origin) = (url.into(), self.core.origin().into());
            return Err(FenceError::Promoted { url, origin });
        }
        let path = format!("{}/checkpoint", listed.path());
        let note = source.get(&path, NOTE_BYTES_MAX).await?;
        let note = note.and_then(|note| String::from_utf8(note).ok());
        let note = note.ok_or_else(|| silent("it shows no checkpoint"))?;
        // After it: what it shows was published before.
        let head = self.store.head().await.map_err(RecoveryError::from)?;
        let (origin, key_id) = (self.core.origin(), self.core.key_id());
        let identity = Identity { origin, verifier: &self.verifier, key_id };
        let witness = format!("the replica at {url}");
        contradicts_nothing(&*self.store, head, &identity, &witness, &note).await?;
        Ok(true)
    }
}
