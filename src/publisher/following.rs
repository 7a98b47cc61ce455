//! Showing the checkpoints of a log that is written elsewhere: nothing is signed here.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::watch;

use super::core::Published;
use super::press::Press;
use super::{PublishError, Publisher, Setup, State, newest, show};

/// The other end of a [`Publisher`] that only follows.
pub struct Following {
    press: Press,
    state: watch::Sender<State>,
}

impl Following {
    /// Shows a first checkpoint, of which all entries are stored. Witnesses are not asked: the note
    /// carries the cosignatures that it has.
    ///
    /// # Errors
    /// [`PublishError::Foreign`] when it is not this log's, or not of the tree that is stored.
    pub async fn start(setup: Setup, note: &str) -> Result<(Publisher, Self), PublishError> {
        let (core, press) = (setup.core.clone(), Press { setup });
        let first = press.take(note).await?;
        let recent = VecDeque::from([first]);
        let (sender, state) = watch::channel(State { recent, held_since: None, stopped: None });
        Ok((Publisher { core, state }, Self { press, state: sender }))
    }

    /// The checkpoint that is shown.
    pub fn shown(&self) -> Arc<Published> {
        newest(&self.state.borrow().recent)
    }

    /// Shows another one instead, of which all entries are stored.
    ///
    /// # Errors
    /// As [`start`](Self::start) says.
    pub async fn show(&self, note: &str) -> Result<(), PublishError> {
        let published = self.press.take(note).await?;
        show(&self.state, published);
        Ok(())
    }

    /// Says why no newer one will be shown.
    pub fn stop(&self, why: &str) {
        self.state.send_modify(|state| state.stopped = Some(why.into()));
    }
}

impl Press {
    /// A checkpoint that somebody else signed: checked, remembered by the guard, and kept.
    async fn take(&self, note: &str) -> Result<Arc<Published>, PublishError> {
        let adopted = self.adopt(note).await?;
        if let Some(guard) = &self.setup.guard {
            guard.remember(&adopted).await?;
        }
        self.keep(&adopted).await?;
        Ok(Arc::new(adopted))
    }
}
