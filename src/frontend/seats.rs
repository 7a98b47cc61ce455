//! The connections that are open: no more than so many, and when all seats are taken, those that
//! have been idle longest make room for new ones. Without that, whoever opens enough connections
//! and says nothing keeps everybody else out.

use std::collections::HashMap;
use std::future::pending;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::limits::{IDLE_SPARED, LEAVING_PART};

/// All seats.
pub(super) struct Seats {
    max: usize,
    start: Instant,
    taken: Mutex<HashMap<u64, Arc<State>>>,
    next: AtomicU64,
}

/// One connection's seat; free again when this is dropped.
pub(super) struct Seat {
    id: u64,
    seats: Arc<Seats>,
    state: Arc<State>,
}

struct State {
    start: Instant,
    /// Requests that are being answered.
    requests: AtomicUsize,
    /// When the last one ended, in milliseconds since `start`.
    idle_since: AtomicU64,
    leave: Notify,
}

/// A request that is being answered.
pub(super) struct Busy(Arc<State>);

impl Seats {
    /// So many.
    pub(super) fn new(max: usize) -> Arc<Self> {
        let (taken, next) = (Mutex::default(), AtomicU64::new(0));
        Arc::new(Self { max, start: Instant::now(), taken, next })
    }

    /// A seat for a new connection, if need be that of an idle one. `None` when none is idle.
    pub(super) fn take(self: &Arc<Self>, now: Instant) -> Option<Seat> {
        let mut taken = self.taken();
        if taken.len() >= self.max {
            self.make_room(&mut taken, now);
        }
        if taken.len() >= self.max {
            return None;
        }
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let state = Arc::new(State {
            start: self.start,
            requests: AtomicUsize::new(0),
            idle_since: AtomicU64::new(millis(now.saturating_duration_since(self.start))),
            leave: Notify::new(),
        });
        taken.insert(id, state.clone());
        drop(taken);
        Some(Seat { id, seats: self.clone(), state })
    }

    /// Tells those that have been idle longest to leave: several, because looking at all is slow.
    fn make_room(&self, taken: &mut HashMap<u64, Arc<State>>, now: Instant) {
        let idle = taken.iter().map(|(id, state)| (state.idle_for(now), *id));
        let mut idle: Vec<_> = idle.filter(|(time, _)| *time >= IDLE_SPARED).collect();
        let leaving = idle.len().min((self.max / LEAVING_PART).max(1));
        idle.sort_unstable_by(|one, other| other.cmp(one));
        for (_, id) in &idle[..leaving] {
            if let Some(state) = taken.remove(id) {
                state.leave.notify_one();
            }
        }
    }

    // A panic while the lock is held leaves a map that is still right.
    fn taken(&self) -> MutexGuard<'_, HashMap<u64, Arc<State>>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// Keeps the connection from counting as idle for as long as this is held.
    pub(super) fn busy(&self) -> Busy {
        self.state.requests.fetch_add(1, Ordering::Relaxed);
        Busy(self.state.clone())
    }

    /// How long nothing has been asked.
    pub(super) fn idle_for(&self) -> Duration {
        self.state.idle_for(Instant::now())
    }

    /// Waits until the seat is given away.
    pub(super) async fn given_away(&self) {
        self.state.leave.notified().await;
        if self.state.requests.load(Ordering::Relaxed) > 0 {
            pending::<()>().await; // it has just asked for something: it may stay
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.taken().remove(&self.id);
    }
}

impl State {
    fn idle_for(&self, now: Instant) -> Duration {
        if self.requests.load(Ordering::Relaxed) > 0 {
            return Duration::ZERO;
        }
        let since = Duration::from_millis(self.idle_since.load(Ordering::Relaxed));
        now.saturating_duration_since(self.start).saturating_sub(since)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.idle_since.store(millis(self.0.start.elapsed()), Ordering::Relaxed);
        self.0.requests.fetch_sub(1, Ordering::Relaxed);
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use tokio::time::{sleep, timeout};

    use super::*;

    async fn leaves(seat: &Seat) -> bool {
        timeout(Duration::ZERO, seat.given_away()).await.is_ok()
    }

    #[tokio::test]
    async fn who_was_idle_longest_makes_room() {
        let (seats, now) = (Seats::new(3), Instant::now());
        let [first, second, third] = [(); 3].map(|()| seats.take(now).unwrap());
        assert!(seats.take(now).is_none(), "none of them has been idle for long");
        let busy = first.busy();
        sleep(Duration::from_millis(20)).await;
        drop(second.busy()); // later than `now`
        let soon = seats.start + IDLE_SPARED + Duration::from_millis(10);
        let fourth = seats.take(soon).unwrap();
        assert!(leaves(&third).await);
        assert!(!leaves(&first).await && !leaves(&second).await);
        assert!(seats.take(soon).is_none());
        drop((third, fourth));
        let _fifth = seats.take(soon).unwrap();
        let later = soon + IDLE_SPARED;
        drop(busy);
        let _sixth = seats.take(later).unwrap();
        assert!(leaves(&second).await && !leaves(&first).await);
        assert!(first.idle_for() < IDLE_SPARED);
    }

    #[tokio::test]
    async fn who_asks_in_time_may_stay() {
        let (seats, now) = (Seats::new(1), Instant::now());
        let seat = seats.take(now).unwrap();
        let _new = seats.take(now + 2 * IDLE_SPARED).unwrap();
        let _busy = seat.busy();
        assert!(!leaves(&seat).await);
    }
}
