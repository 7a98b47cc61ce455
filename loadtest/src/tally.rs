//! What is noted of each answer while the clock runs: latency, index, errors by class, and the text
//! of those answers that are verified afterwards.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hdrhistogram::Histogram;
use hyper::header::RETRY_AFTER;
use serde::Serialize;

use crate::client::{Answer, CallError};
use crate::fault::Fault;
use crate::plan::Sampling;

/// Failures that are kept with their text; more are only counted.
pub const FAILURES_KEPT_MAX: usize = 20;

/// A check that did not hold. Any of them makes the program's exit code 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// What was checked: an entry ID, or a request.
    pub subject: String,
    /// What is wrong.
    pub fault: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.subject, self.fault)
    }
}

/// The failures of a run.
#[derive(Debug, Default, Serialize)]
pub struct Failures {
    /// All of them.
    pub count: u64,
    /// The first ones.
    pub first: Vec<Failure>,
}

impl Failures {
    /// Adds one.
    pub fn add(&mut self, subject: impl Into<String>, fault: impl ToString) {
        self.count += 1;
        if self.first.len() < FAILURES_KEPT_MAX {
            self.first.push(Failure { subject: subject.into(), fault: fault.to_string() });
        }
    }

    /// Adds those of another part of the run.
    pub fn absorb(&mut self, other: Self) {
        self.count += other.count;
        self.first.extend(other.first);
        self.first.truncate(FAILURES_KEPT_MAX);
    }
}

/// Errors of one class.
#[derive(Debug, Default, Serialize)]
pub struct ErrorClass {
    /// How many.
    pub count: u64,
    /// What the first one said.
    pub example: String,
}

/// An answer that is kept to be verified.
#[derive(Debug, PartialEq, Eq)]
pub struct Sample {
    /// Number of its request.
    pub number: u64,
    /// The answer's body.
    pub text: Bytes,
}

/// Requests that were told to come back later.
#[derive(Debug)]
pub struct Refused {
    /// So many of them were told when.
    pub with_retry_after: u64,
    /// Their latencies from the instants when they were sent, in microseconds.
    pub latencies: Histogram<u64>,
}

impl Refused {
    /// None yet.
    pub fn new() -> Self {
        Self { with_retry_after: 0, latencies: latencies() }
    }
}

impl Default for Refused {
    fn default() -> Self {
        Self::new()
    }
}

/// When a request was due, and when it was sent.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// From this on the client waits.
    pub due: Instant,
    /// From this on the server can know.
    pub sent: Instant,
}

/// The notes of one run.
pub struct Tally {
    /// Latencies of good answers, in microseconds from when they were due.
    pub latencies: Histogram<u64>,
    /// The same from when they were sent.
    pub service: Histogram<u64>,
    /// Answers 429 and 503; they are among the errors, too.
    pub refused: BTreeMap<u16, Refused>,
    /// Index and request number of each good answer.
    pub indices: Vec<(u64, u64)>,
    /// Everything else, by class.
    pub errors: BTreeMap<String, ErrorClass>,
    /// Answers that are wrong in themselves.
    pub failures: Failures,
    /// Answers to be verified.
    pub samples: Vec<Sample>,
    /// When the newest answer came.
    pub finished: Instant,
    sampling: Sampling,
    latest: Option<Sample>,
}

/// The longest latency that is told apart, in microseconds: ten minutes, longer than any time-out.
const LATENCY_MICROS_MAX: u64 = 600_000_000;

impl Tally {
    /// Starts empty.
    pub fn new(sampling: Sampling) -> Self {
        Self {
            latencies: latencies(),
            service: latencies(),
            refused: BTreeMap::new(),
            indices: Vec::new(),
            errors: BTreeMap::new(),
            failures: Failures::default(),
            samples: Vec::new(),
            finished: Instant::now(),
            sampling,
            latest: None,
        }
    }

    /// Notes an answer whose framing is good.
    pub fn good(&mut self, number: u64, times: Times, index: u64, text: &Bytes) {
        self.finished = Instant::now();
        self.latencies.saturating_record(micros(self.finished - times.due));
        self.service.saturating_record(micros(self.finished - times.sent));
        let before = self.indices.len() as u64;
        self.indices.push((index, number));
        if self.sampling.takes(before) {
            // A copy: the answer itself may keep the whole buffer that it was read into.
            self.samples.push(Sample { number, text: Bytes::copy_from_slice(text) });
            self.latest = None;
        } else {
            // The last answer is always verified, whichever it will be.
            self.latest = Some(Sample { number, text: text.clone() });
        }
    }

    /// Notes an answer that is not good. A refusal is an error; a false or malformed answer also a
    /// failure.
    pub fn fault(&mut self, subject: &str, times: Times, answer: &Answer, fault: &Fault) {
        self.finished = Instant::now();
        if let Fault::Status(status) = fault {
            if matches!(status, 429 | 503) {
                let refused = self.refused.entry(*status).or_default();
                refused.latencies.saturating_record(micros(self.finished - times.sent));
                refused.with_retry_after += u64::from(answer.headers.contains_key(RETRY_AFTER));
            }
            let text = String::from_utf8_lossy(&answer.body);
            return self.error(&format!("status {status}"), &text);
        }
        self.error("malformed", &fault.to_string());
        self.failures.add(subject, fault);
    }

    /// Notes that there was no answer.
    pub fn call_error(&mut self, subject: &str, error: &CallError) {
        self.finished = Instant::now();
        let class = match error {
            CallError::Connect(_) => "connect",
            CallError::Timeout => "timeout",
            CallError::Disconnect(_) => "disconnect",
            CallError::Malformed(_) => "malformed",
            CallError::Refused(code, message) => {
                return self.error(&format!("status {code:?}"), message);
            }
        };
        self.error(class, &error.to_string());
        if matches!(error, CallError::Malformed(_)) {
            self.failures.add(subject, error);
        }
    }

    /// All samples, the last answer included.
    pub fn take_samples(&mut self) -> Vec<Sample> {
        let mut samples = std::mem::take(&mut self.samples);
        samples.extend(self.latest.take());
        samples
    }

    fn error(&mut self, class: &str, example: &str) {
        const EXAMPLE_CHARS_MAX: usize = 200;
        let known = self.errors.entry(class.to_owned()).or_default();
        if known.count == 0 {
            known.example = example.trim().chars().take(EXAMPLE_CHARS_MAX).collect();
        }
        known.count += 1;
    }
}

/// # Panics
/// Never: the histogram's precision is within its range.
fn latencies() -> Histogram<u64> {
    #[expect(clippy::expect_used, reason = "1 < LATENCY_MICROS_MAX, and 3 digits are allowed")]
    Histogram::new_with_bounds(1, LATENCY_MICROS_MAX, 3)
        .expect("the bounds and the precision of the histogram are valid")
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;
    use std::time::Duration;

    use super::*;

    /// Due so many seconds ago, sent now.
    fn since(seconds: u64) -> Times {
        let sent = Instant::now();
        Times { due: sent.checked_sub(Duration::from_secs(seconds)).unwrap(), sent }
    }

    fn numbers(mut tally: Tally) -> Vec<u64> {
        tally.take_samples().iter().map(|sample| sample.number).collect()
    }

    #[test]
    fn first_each_nth_and_last_are_kept() {
        let filled = |sampling, count| {
            let mut tally = Tally::new(sampling);
            for number in 0..count {
                tally.good(number, since(0), number, &Bytes::from_static(b"x"));
            }
            tally
        };
        let every = |n| Sampling::Every(NonZeroU64::new(n).unwrap());
        assert_eq!(numbers(filled(every(4), 10)), [0, 4, 8, 9]);
        assert_eq!(numbers(filled(every(4), 9)), [0, 4, 8]);
        assert!(numbers(filled(every(4), 0)).is_empty());
        assert_eq!(numbers(filled(Sampling::All, 3)), [0, 1, 2]);
    }

    #[test]
    fn latencies_from_microseconds_to_minutes_are_told_apart() {
        let mut tally = Tally::new(Sampling::All);
        for seconds in [1, 20, 300] {
            tally.good(seconds, since(seconds), seconds, &Bytes::from_static(b"x"));
        }
        let near = |micros: u64, seconds: u64| micros.abs_diff(seconds * 1_000_000) < 300_000;
        assert!(near(tally.latencies.min(), 1), "{}", tally.latencies.min());
        assert!(near(tally.latencies.value_at_percentile(50.0), 20));
        assert!(near(tally.latencies.max(), 300), "{}", tally.latencies.max());
        assert!(tally.service.max() < 300_000, "the server had nothing to do with it");
    }

    #[test]
    fn who_is_to_come_back_and_knows_when_is_counted_apart() {
        let mut tally = Tally::new(Sampling::All);
        for (status, header) in [(503, Some("1")), (503, None), (429, Some("7")), (500, None)] {
            let mut headers = hyper::HeaderMap::new();
            header.map(|seconds| headers.insert(RETRY_AFTER, seconds.parse().unwrap()));
            let answer = Answer {
                status: hyper::StatusCode::from_u16(status).unwrap(),
                headers,
                body: Bytes::new(),
            };
            tally.fault("x", since(300), &answer, &Fault::Status(status));
        }
        let refused = tally.refused.iter();
        let counts: Vec<_> =
            refused.map(|(s, r)| (*s, r.latencies.len(), r.with_retry_after)).collect();
        assert_eq!(counts, [(429, 1, 1), (503, 2, 1)]);
        assert!(tally.refused[&503].latencies.max() < 300_000, "from when it was sent");
        assert_eq!(tally.errors.len(), 3, "and all are errors");
    }

    #[test]
    fn errors_are_classed_and_failures_bounded() {
        let mut tally = Tally::new(Sampling::All);
        tally.call_error("a", &CallError::Timeout);
        for _ in 0..FAILURES_KEPT_MAX + 1 {
            tally.call_error("b", &CallError::Malformed("x".to_owned()));
        }
        let counts: Vec<_> = tally.errors.iter().map(|(c, e)| (c.as_str(), e.count)).collect();
        assert_eq!(counts, [("malformed", 21), ("timeout", 1)]);
        assert_eq!((tally.failures.count, tally.failures.first.len()), (21, 20));
    }
}
