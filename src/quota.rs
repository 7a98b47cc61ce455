//! How much may enter a log: entries a second, and entries in all.
//!
//! A token bucket: it holds up to `burst` entries and gains `per_second` of them each second. The
//! time comes as an argument.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tlog::TreeSize;

/// The limits of one log; without any, everything may enter.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Limits {
    /// Entries a second, above 0.
    pub per_second: Option<f64>,
    /// Entries that may come at once after a pause; at least 1. One second's worth if not set.
    pub burst: Option<f64>,
    /// Entries that the log may hold.
    pub entries_max: Option<u64>,
}

/// More came than the limits allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OverQuota {
    /// Too fast.
    #[error("the log's quota of entries a second is used up; try again in {retry_after_seconds} s")]
    Rate {
        /// When there is room for one again, in whole seconds, at least 1.
        retry_after_seconds: u64,
    },
    /// Full.
    #[error("the log holds {entries_max} entries, which is all that its quota allows")]
    Full {
        /// The limit.
        entries_max: u64,
    },
}

/// Keeps count against the limits.
pub struct Quota {
    limits: Limits,
    bucket: Mutex<Bucket>,
    on_their_way: Arc<AtomicU64>,
}

/// One entry's worth of a quota, for as long as the log's size does not count the entry.
#[derive(Debug)]
#[must_use = "the entry is no longer counted when this is dropped"]
pub struct Taken(Arc<AtomicU64>);

impl Drop for Taken {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[derive(Clone, Copy)]
struct Bucket {
    entries: f64,
    filled: Option<Instant>,
}

impl Quota {
    /// A full bucket.
    pub fn new(limits: Limits) -> Self {
        let bucket = Mutex::new(Bucket { entries: 0.0, filled: None });
        Self { limits, bucket, on_their_way: Arc::default() }
    }

    /// Takes one entry's worth, to be dropped when the log's size counts the entry. `size` is the
    /// log's size now.
    ///
    /// # Errors
    /// [`OverQuota`]; nothing was taken then.
    pub fn take(&self, size: TreeSize, now: Instant) -> Result<Taken, OverQuota> {
        let before = self.on_their_way.fetch_add(1, Ordering::Relaxed);
        let taken = Taken(self.on_their_way.clone());
        let entries = size.0.saturating_add(before);
        if let Some(entries_max) = self.limits.entries_max.filter(|max| entries >= *max) {
            return Err(OverQuota::Full { entries_max });
        }
        let Some(per_second) = self.limits.per_second else { return Ok(taken) };
        self.take_from_bucket(per_second, now).map(|()| taken)
    }

    fn take_from_bucket(&self, per_second: f64, now: Instant) -> Result<(), OverQuota> {
        let burst = self.limits.burst.unwrap_or(per_second).max(1.0);
        // A panic while the lock is held leaves a bucket that is still right.
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let entries = match bucket.filled {
            None => burst,
            Some(filled) => {
                let passed = now.saturating_duration_since(filled).as_secs_f64();
                (bucket.entries + passed * per_second).min(burst)
            }
        };
        let taken = entries >= 1.0;
        *bucket = Bucket { entries: entries - f64::from(u8::from(taken)), filled: Some(now) };
        if taken {
            return Ok(());
        }
        let wait = Duration::try_from_secs_f64((1.0 - entries) / per_second);
        let seconds = wait.map_or(u64::MAX, |wait| wait.as_secs_f64().ceil() as u64);
        Err(OverQuota::Rate { retry_after_seconds: seconds.max(1) })
    }
}

impl Default for Quota {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: TreeSize = TreeSize(0);

    #[test]
    fn without_limits_all_may_enter() {
        let (quota, now) = (Quota::default(), Instant::now());
        assert!((0..10_000).all(|_| quota.take(EMPTY, now).is_ok()));
    }

    #[test]
    fn a_burst_and_then_the_rate() {
        let limits = Limits { per_second: Some(2.0), burst: Some(5.0), entries_max: None };
        let (quota, start) = (Quota::new(limits), Instant::now());
        let taken = |after: u64| {
            let now = start + Duration::from_millis(after);
            (0..100).filter(|_| quota.take(EMPTY, now).is_ok()).count()
        };
        assert_eq!(taken(0), 5);
        assert_eq!(taken(400), 0);
        assert_eq!(taken(500), 1);
        assert_eq!(taken(2500), 4);
        assert_eq!(taken(60_000), 5, "no more than the burst is saved up");
        let over = quota.take(EMPTY, start + Duration::from_secs(60)).unwrap_err();
        assert_eq!(over, OverQuota::Rate { retry_after_seconds: 1 });
    }

    #[test]
    fn a_slow_rate_says_when() {
        let limits = Limits { per_second: Some(0.1), burst: None, entries_max: None };
        let (quota, now) = (Quota::new(limits), Instant::now());
        let _taken = quota.take(EMPTY, now).unwrap();
        let over = quota.take(EMPTY, now).unwrap_err();
        assert_eq!(over, OverQuota::Rate { retry_after_seconds: 10 });
    }

    #[test]
    fn a_full_log() {
        let quota = Quota::new(Limits { entries_max: Some(3), ..Limits::default() });
        let now = Instant::now();
        let full = OverQuota::Full { entries_max: 3 };
        assert_eq!(quota.take(TreeSize(3), now).unwrap_err(), full);
        let on_its_way = quota.take(TreeSize(2), now).unwrap();
        assert_eq!(quota.take(TreeSize(2), now).unwrap_err(), full, "what is on its way counts");
        drop(on_its_way);
        let _again = quota.take(TreeSize(2), now).unwrap();
    }
}
