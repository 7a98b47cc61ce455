//! Work that takes a core for long: judging entries, reading what is large.
//!
//! Small entries are judged on the threads that serve connections. In a crowd they take turns there
//! and let them read first: who only asks for something, or has to be told that there is no room,
//! does not wait behind all the signatures that are to be verified. What is large runs away from
//! those threads, and no more of it at a time than there are cores: the commits of small entries
//! must not wait behind a crowd.

use std::sync::LazyLock;
use std::thread::available_parallelism;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::{JoinError, spawn_blocking, yield_now};

use crate::limits::JUDGED_IN_A_ROW_MAX;

static ROOM: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(cores()));
static TURNS: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(cores() * JUDGED_IN_A_ROW_MAX));

fn cores() -> usize {
    available_parallelism().map_or(1, usize::from)
}

/// Waits until it is this task's turn to work on its thread for long; hold what it gives while it
/// does. First come, first served.
pub async fn turn() -> Option<SemaphorePermit<'static>> {
    if let Ok(turn) = TURNS.try_acquire() {
        yield_now().await; // whatever else is ready goes first
        return Some(turn);
    }
    TURNS.acquire().await.ok() // it is never closed
}

/// Runs `work` when there is room for it.
///
/// # Errors
/// [`JoinError`] when it panicked.
pub async fn heavy<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, JoinError> {
    // It is never closed; without a permit the work would just not wait.
    let _room = ROOM.acquire().await.ok();
    spawn_blocking(work).await
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn no_more_at_a_time_than_cores() {
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let work = || {
            let (running, most) = (running.clone(), most.clone());
            heavy(move || {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(5));
                running.fetch_sub(1, Ordering::SeqCst);
            })
        };
        let mut all = tokio::task::JoinSet::new();
        for _ in 0..64 {
            all.spawn(work());
        }
        while let Some(done) = all.join_next().await {
            done.unwrap().unwrap();
        }
        assert!(most.load(Ordering::SeqCst) <= available_parallelism().unwrap().get());
    }

    #[tokio::test]
    async fn a_panic_costs_one() {
        assert!(heavy(|| panic!("on purpose")).await.is_err());
        assert_eq!(heavy(|| 7).await.unwrap(), 7);
    }
}
