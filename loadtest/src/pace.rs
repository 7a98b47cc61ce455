//! When each request is due. Closed loop: at once. Open loop: at fixed instants, whether or not the
//! server keeps up; latency counts from that instant, so that a stall of the server is seen by
//! every request that it delayed (no coordinated omission).

use std::cell::Cell;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use crate::plan::{Bounds, Load};

/// How late after the end an open loop may still send what was due before it.
const GRACE: Duration = Duration::from_millis(250);

/// Gives out the requests of one run.
pub struct Pace {
    start: Instant,
    bounds: Bounds,
    next: Cell<u64>,
    due: Option<Due>,
}

/// The clock of an open loop.
struct Due {
    rate: f64,
    /// One permit for each request that is due and was not taken yet.
    permits: Arc<Semaphore>,
}

/// Leave to send one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// Number of the request in its run, from 0.
    pub number: u64,
    /// The instant from which its latency counts.
    pub due: Instant,
}

impl Pace {
    /// Starts the clock.
    pub fn start(load: Load, bounds: Bounds) -> Self {
        let start = Instant::now();
        let Load::Open { rate, in_flight } = load else {
            return Self { start, bounds, next: Cell::new(0), due: None };
        };
        let bounds = Bounds { count: count_due(load, bounds), ..bounds };
        let permits = Arc::new(Semaphore::new(0));
        let weak = Arc::downgrade(&permits);
        // A thread, because the runtime's own timers only know milliseconds.
        thread::spawn(move || release(&weak, start, rate, bounds.count, in_flight));
        Self { start, bounds, next: Cell::new(0), due: Some(Due { rate, permits }) }
    }

    /// When the clock was started.
    pub const fn started(&self) -> Instant {
        self.start
    }

    /// Tickets that were given out.
    pub fn sent(&self) -> u64 {
        self.next.get()
    }

    /// Requests that were due and never got a ticket, because the server was too slow.
    pub fn unsent(&self) -> u64 {
        self.due.as_ref().map_or(0, |_| self.bounds.count.saturating_sub(self.next.get()))
    }

    /// Waits for the next request; `None` at the end of the run.
    pub async fn next(&self) -> Option<Ticket> {
        let Some(due) = &self.due else {
            let now = Instant::now();
            let ticket = Ticket { number: self.next.get(), due: now };
            return self.take(ticket, now, self.bounds.duration);
        };
        due.permits.acquire().await.ok()?.forget();
        let number = self.next.get();
        let ticket = Ticket { number, due: self.start + instant(number, due.rate) };
        self.take(ticket, Instant::now(), self.bounds.duration + GRACE)
    }

    fn take(&self, ticket: Ticket, now: Instant, end: Duration) -> Option<Ticket> {
        if ticket.number >= self.bounds.count || now - self.start >= end {
            return None;
        }
        self.next.set(ticket.number + 1);
        Some(ticket)
    }
}

/// How many requests a run can have at most.
pub fn count_due(load: Load, bounds: Bounds) -> u64 {
    match load {
        Load::Closed { .. } => bounds.count,
        Load::Open { rate, .. } => {
            bounds.count.min((bounds.duration.as_secs_f64() * rate).ceil() as u64)
        }
    }
}

fn instant(number: u64, rate: f64) -> Duration {
    Duration::from_secs_f64(number as f64 / rate)
}

/// Gives a permit for each request when it is due, and in the end one to each worker to stop.
fn release(weak: &Weak<Semaphore>, start: Instant, rate: f64, count: u64, workers: usize) {
    let mut released = 0;
    while released < count {
        let ahead = (start + instant(released, rate)).saturating_duration_since(Instant::now());
        thread::sleep(ahead);
        let due = (start.elapsed().as_secs_f64() * rate) as u64 + 1;
        let due = due.clamp(released + 1, count);
        let Some(permits) = weak.upgrade() else { return };
        permits.add_permits((due - released) as usize);
        released = due;
    }
    if let Some(permits) = weak.upgrade() {
        permits.add_permits(workers);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
    }

    fn bounds(milliseconds: u64, count: u64) -> Bounds {
        Bounds { duration: Duration::from_millis(milliseconds), count }
    }

    #[test]
    fn a_closed_loop_ends_at_its_count_and_at_its_duration() {
        run(async {
            let pace = Pace::start(Load::Closed { in_flight: 1 }, bounds(60_000, 2));
            assert_eq!(pace.next().await.unwrap().number, 0);
            assert_eq!(pace.next().await.unwrap().number, 1);
            assert_eq!(pace.next().await, None);
            let pace = Pace::start(Load::Closed { in_flight: 1 }, bounds(1, 2));
            thread::sleep(Duration::from_millis(2));
            assert_eq!(pace.next().await, None);
            assert_eq!(pace.unsent(), 0);
        });
    }

    #[test]
    fn an_open_loop_counts_from_the_instant_that_was_due() {
        run(async {
            let load = Load::Open { rate: 1_000.0, in_flight: 1 };
            let pace = Pace::start(load, bounds(50, 1_000));
            let mut numbers = 0;
            while let Some(ticket) = pace.next().await {
                assert_eq!(ticket.number, numbers);
                let milliseconds = Duration::from_millis(numbers);
                assert_eq!(ticket.due, pace.started() + milliseconds);
                assert!(Instant::now() >= ticket.due);
                if numbers == 10 {
                    thread::sleep(Duration::from_millis(20)); // a stall: the schedule goes on
                }
                numbers += 1;
            }
            assert_eq!((numbers, pace.unsent()), (50, 0));
        });
    }

    #[test]
    fn what_a_slow_server_left_over_is_counted() {
        run(async {
            let load = Load::Open { rate: 1_000.0, in_flight: 1 };
            let pace = Pace::start(load, bounds(20, 1_000));
            assert!(pace.next().await.is_some());
            thread::sleep(Duration::from_millis(20) + GRACE);
            assert_eq!(pace.next().await, None);
            assert_eq!((pace.sent(), pace.unsent()), (1, 19));
        });
    }
}
