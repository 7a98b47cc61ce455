//! The time of a batch: the clock's, which is set forward and back.
//!
//! Times of a log do not go back while the clock is set back a little: they stand still until it
//! has caught up. A clock that is set back by far was wrong before, or is wrong now; nobody but its
//! owner can tell, so it is followed. To stand still then would put a wrong time into every entry
//! for hours or years, and the signatures under short-lived certificates could not be verified.

use storage::{CommitError, StorageError};
use tlog::LogIndex;

use super::Writer;
use crate::limits::CLOCK_SET_BACK_MAX;

impl Writer {
    /// The time of the next batch, seconds since 1970.
    pub(super) async fn time(&mut self) -> Result<i64, CommitError> {
        let last = match self.last_time {
            Some(last) => last,
            None => self.stored_time().await?,
        };
        let (time, behind) = after(last, (self.now)());
        if behind > 0 && self.last_time != Some(time) {
            tracing::warn!(seconds = behind, "the clock stands before the newest entry's time");
        }
        self.last_time = Some(time);
        Ok(time)
    }

    /// The time of the newest stored entry; 0 where there is none.
    async fn stored_time(&self) -> Result<i64, CommitError> {
        let Some(newest) = self.edge.size().0.checked_sub(1) else { return Ok(0) };
        loop {
            match self.store.bodies(LogIndex(newest), 1).await {
                Ok(found) => return Ok(found.first().map_or(0, |entry| entry.integrated_time)),
                Err(error @ StorageError::Engine(_)) if self.store.shared() => {
                    self.rest(&error).await;
                }
                Err(error) => return Err(self.halt(error.into())),
            }
        }
    }
}

/// The time after `last`, and by how much the clock is behind that.
fn after(last: i64, now: i64) -> (i64, i64) {
    let behind = last.saturating_sub(now).max(0);
    (if behind <= CLOCK_SET_BACK_MAX { last.max(now) } else { now }, behind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_stand_still_for_a_while_and_no_longer() {
        let noon = 1_700_000_000;
        assert_eq!(after(0, noon), (noon, 0));
        assert_eq!(after(noon, noon + 86_400), (noon + 86_400, 0));
        assert_eq!(after(noon, noon - 1), (noon, 1));
        assert_eq!(after(noon, noon - CLOCK_SET_BACK_MAX), (noon, CLOCK_SET_BACK_MAX));
        let day_before = noon - 86_400;
        assert_eq!(after(noon, day_before), (day_before, 86_400));
        assert_eq!(after(i64::MAX, i64::MIN).0, i64::MIN);
    }
}
