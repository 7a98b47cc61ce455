//! How many entries may be on their way into a log at once, and what those learn who are too many.
//!
//! What waits here has been read and nothing more: no signature has been looked at. To be turned
//! away costs a fraction of that, but a flood of refusals would still take the cores from the
//! entries that were let in. So refusals keep a pace: the faster they are asked for, the longer
//! they wait.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep_until;

use crate::limits::{
    CROWDED_PART, IN_FLIGHT_PER_CORE, QUEUE_ENTRIES_MAX, REFUSAL_WAIT_MAX, REFUSALS_PER_CORE_SECOND,
};

/// The room of one log.
pub(super) struct Room {
    free: Arc<Semaphore>,
    entries: usize,
    pace: Duration,
    /// When the next refusal may go out.
    next: Mutex<Option<Instant>>,
}

/// Leave to have one entry judged. Others may come in when it is dropped, which is when the entry
/// is durable.
#[derive(Debug)]
#[must_use = "the room is free again when this is dropped"]
pub struct Ticket {
    _place: OwnedSemaphorePermit,
}

/// Entries that may be on their way at once, unless set otherwise: about a fifth of a second's
/// work, however many cores there are.
fn default_entries() -> usize {
    (cores() * IN_FLIGHT_PER_CORE).min(QUEUE_ENTRIES_MAX)
}

fn cores() -> usize {
    available_parallelism().map_or(1, NonZeroUsize::get)
}

impl Room {
    /// Room for so many entries, at least one.
    pub(super) fn new(entries: Option<usize>) -> Self {
        let entries = entries.unwrap_or_else(default_entries).clamp(1, QUEUE_ENTRIES_MAX);
        let refusals = REFUSALS_PER_CORE_SECOND.saturating_mul(cores() as u32);
        let pace = Duration::from_secs(1) / refusals.max(1);
        Self { free: Arc::new(Semaphore::new(entries)), entries, pace, next: Mutex::new(None) }
    }

    /// Whether so many are on their way that those who have only asked go first.
    pub(super) fn crowded(&self) -> bool {
        self.free.available_permits() < self.entries - self.entries / CROWDED_PART
    }

    /// A place at once, or `None` as soon as a refusal may go out.
    pub(super) async fn ticket(&self) -> Option<Ticket> {
        if let Ok(place) = self.free.clone().try_acquire_owned() {
            return Some(Ticket { _place: place });
        }
        sleep_until(self.refusal(Instant::now()).into()).await;
        None
    }

    /// When a refusal that is asked for now may go out.
    fn refusal(&self, now: Instant) -> Instant {
        // A panic while the lock is held leaves an instant that is still right.
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let due = next.map_or(now, |next| next.clamp(now, now + REFUSAL_WAIT_MAX));
        *next = Some(due + self.pace);
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_place_is_free_again_when_its_ticket_is_dropped() {
        let room = Room::new(Some(2));
        let (first, second) = (room.ticket().await, room.ticket().await);
        assert!(room.crowded());
        assert!(first.is_some() && second.is_some());
        assert!(room.ticket().await.is_none());
        drop(first);
        assert!(room.ticket().await.is_some());
        let room = Room::new(Some(8));
        let mut tickets = vec![room.ticket().await, room.ticket().await];
        assert!(!room.crowded());
        tickets.push(room.ticket().await);
        assert!(room.crowded());
    }

    #[test]
    fn refusals_keep_their_pace_and_nobody_waits_for_ever() {
        let room = Room { pace: Duration::from_millis(10), ..Room::new(Some(1)) };
        let now = Instant::now();
        let waits = |n: usize, now| (0..n).map(|_| room.refusal(now) - now).collect::<Vec<_>>();
        assert_eq!(waits(3, now), [0, 10, 20].map(Duration::from_millis));
        let later = now + Duration::from_secs(60);
        assert_eq!(waits(1, later), [Duration::ZERO], "a pause is no debt");
        assert_eq!(waits(200, later).last(), Some(&REFUSAL_WAIT_MAX));
    }
}
