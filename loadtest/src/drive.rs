//! Runs one load against the server: so many links, each sending when its next ticket comes.
//! Everything is on one thread, and nothing in here hashes, verifies or parses more than it must.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::{JoinSet, spawn_local};
use tokio::time::sleep;

use crate::client::{Answer, CallError};
use crate::fault::Fault;
use crate::pace::{Pace, Ticket};
use crate::plan::{Bounds, Load, Sampling};
use crate::progress::Progress;
use crate::tally::{Tally, Times};

/// Rest of a connection that could not be made, so that a dead server is not dialled in a circle.
const REDIAL_AFTER: Duration = Duration::from_millis(10);
const PROGRESS_EVERY: Duration = Duration::from_millis(250);

/// What requests are sent on, one at a time: a connection, or a stream of one.
pub trait Link: 'static {
    /// Dials the server, so that the first request need not.
    fn open(&mut self) -> impl Future<Output = Result<(), CallError>>;

    /// How often the server was dialled.
    fn dials(&self) -> u64;
}

/// What is asked of the server.
pub trait Target: 'static {
    /// What its requests are sent on.
    type Link: Link;

    /// Sends request `number` and waits for its answer.
    fn call(
        &self,
        link: &mut Self::Link,
        number: u64,
    ) -> impl Future<Output = Result<Answer, CallError>>;

    /// Checks the answer's framing and gives the index that it names.
    ///
    /// # Errors
    /// The [`Fault`] that can be seen without mathematics.
    fn framing(&self, number: u64, answer: &Answer) -> Result<u64, Fault>;

    /// Names the request in a failure.
    fn subject(&self, number: u64) -> String;
}

/// What came of a run.
pub struct Driven {
    /// The notes.
    pub tally: Tally,
    /// From the start of the clock to the last answer.
    pub elapsed: Duration,
    /// Requests that were sent.
    pub sent: u64,
    /// Requests that an open loop could not send in time.
    pub unsent: u64,
}

struct Shared<T> {
    target: Arc<T>,
    first: u64,
    pace: Pace,
    tally: RefCell<Tally>,
}

/// Sends requests `first`, `first + 1`, … until a bound is met. Call it within a `LocalSet`.
pub async fn drive<T: Target>(
    target: &Arc<T>,
    first: u64,
    links: &mut Vec<T::Link>,
    load: Load,
    bounds: Bounds,
    sampling: Sampling,
) -> Driven {
    let shared = Rc::new(Shared {
        target: Arc::clone(target),
        first,
        pace: Pace::start(load, bounds),
        tally: RefCell::new(Tally::new(sampling)),
    });
    let mut workers = JoinSet::new();
    for link in links.drain(..) {
        workers.spawn_local(work(Rc::clone(&shared), link));
    }
    let progress = spawn_local(show(Rc::clone(&shared), bounds));
    while let Some(worker) = workers.join_next().await {
        links.extend(worker.ok());
    }
    progress.abort();
    let _ = progress.await;
    let empty = Tally::new(sampling);
    let tally = shared.tally.replace(empty);
    let elapsed = tally.finished.saturating_duration_since(shared.pace.started());
    Driven { tally, elapsed, sent: shared.pace.sent(), unsent: shared.pace.unsent() }
}

async fn work<T: Target>(shared: Rc<Shared<T>>, mut link: T::Link) -> T::Link {
    while let Some(Ticket { number, due }) = shared.pace.next().await {
        let number = shared.first + number;
        let times = Times { due, sent: Instant::now() };
        let answer = shared.target.call(&mut link, number).await;
        let dead = matches!(answer, Err(CallError::Connect(_)));
        note(&shared, number, times, answer);
        if dead {
            sleep(REDIAL_AFTER).await;
        }
    }
    link
}

fn note<T: Target>(
    shared: &Shared<T>,
    number: u64,
    times: Times,
    answer: Result<Answer, CallError>,
) {
    let mut tally = shared.tally.borrow_mut();
    let target = &shared.target;
    match answer {
        Ok(answer) => match target.framing(number, &answer) {
            Ok(index) => tally.good(number, times, index, &answer.body),
            Err(fault) => tally.fault(&target.subject(number), times, &answer, &fault),
        },
        Err(error) => tally.call_error(&target.subject(number), &error),
    }
}

async fn show<T: Target>(shared: Rc<Shared<T>>, bounds: Bounds) {
    let progress = Progress::new();
    while progress.shows() {
        sleep(PROGRESS_EVERY).await;
        let elapsed = shared.pace.started().elapsed();
        let tally = shared.tally.borrow();
        let errors: u64 = tally.errors.values().map(|class| class.count).sum();
        progress.line(&format!(
            "  {:.1}/{:.0} s  {}/{} answered  {} errors",
            elapsed.as_secs_f64(),
            bounds.duration.as_secs_f64(),
            tally.indices.len(),
            bounds.count,
            errors,
        ));
    }
}
