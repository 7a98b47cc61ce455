//! What a run is to do, checked before anything starts: the log, the loads, the bounds.
//! Nothing is sent from here; the command line that fills a plan is in `main.rs`.

use std::num::NonZeroU64;
use std::time::Duration;

use thiserror::Error;

pub use crate::mode::{LogChoice, Mode, Order, ReadBy, Resources, Transport};
use crate::server::Base;

/// Most connections of one run.
pub const CONNECTIONS_MAX: usize = 4_096;
/// Most streams on one connection.
pub const STREAMS_MAX: usize = 1_024;
/// Most requests in flight on one stream: what a server works on at a time.
pub const WINDOW_MAX: usize = 4_096;
/// Most requests in flight in all.
pub const IN_FLIGHT_MAX: usize = 262_144;
/// Lengths of an appended leaf: a random start and a number, up to what an entry bundle holds.
pub const LEAF_BYTES: std::ops::RangeInclusive<usize> = 24..=65_535;
/// Most entries of one run: they are signed before the clock starts and lie in memory (1 KiB each).
pub const COUNT_MAX: u64 = 2_000_000;
/// Longest run.
pub const DURATION_MAX: Duration = Duration::from_secs(3_600);
/// Highest rate of an open loop, in requests per second.
pub const RATE_MAX: f64 = 1_000_000.0;

/// How requests are paced.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Load {
    /// Each connection, or stream, sends its next request when the last one was answered.
    Closed {
        /// Requests in flight.
        in_flight: usize,
    },
    /// Requests are due at fixed instants, whether or not the server keeps up.
    Open {
        /// Requests per second.
        rate: f64,
        /// The most requests in flight.
        in_flight: usize,
    },
}

impl Load {
    /// The number of connections, or of streams on all of them.
    pub const fn in_flight(self) -> usize {
        match self {
            Self::Closed { in_flight } | Self::Open { in_flight, .. } => in_flight,
        }
    }
}

/// Where a run ends: at the first of the two.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// No request starts later than this after the clock started.
    pub duration: Duration,
    /// No more requests than this.
    pub count: u64,
}

/// Which answers are verified in full. Every answer's framing is checked in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sampling {
    /// All of them.
    All,
    /// The first, each n-th after it, and the last.
    Every(NonZeroU64),
}

impl Sampling {
    /// Whether the answer with this number (from 0) is kept for the full check.
    pub const fn takes(self, number: u64) -> bool {
        match self {
            Self::All => true,
            Self::Every(n) => number.is_multiple_of(n.get()),
        }
    }
}

/// All that is wanted of the program.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The server.
    pub base: Base,
    /// What is asked of it.
    pub mode: Mode,
    /// The runs, one after another.
    pub loads: Vec<Load>,
    /// Streams on one connection.
    pub streams: usize,
    /// Requests in flight on one stream.
    pub window: usize,
    /// The bounds of each run.
    pub bounds: Bounds,
    /// Requests before the clock of each run starts.
    pub warm_up: u64,
    /// Longest wait for a connection or an answer.
    pub timeout: Duration,
    /// Which answers are verified in full.
    pub sampling: Sampling,
    /// Processes whose CPU time is counted as the server's.
    pub server_pids: Vec<u32>,
}

/// Why a plan is refused.
#[derive(Debug, Error)]
pub enum PlanError {
    /// The URL of a Rekor v1 server has a path.
    #[error("server {0:?}: give http://host:port (no TLS, no path)")]
    Server(String),
    /// A URL is not of the form that is needed.
    #[error("{0:?}: give http://host:port, or http://host:port/path (no TLS)")]
    Url(String),
    /// The file of the public key cannot be read.
    #[error("{0}: {1}")]
    PublicKey(String, std::io::Error),
    /// A leaf that cannot be made, or that no log takes.
    #[error("--bytes must be from {} to {}", LEAF_BYTES.start(), LEAF_BYTES.end())]
    LeafBytes,
    /// An option that only another API knows.
    #[error("{0}")]
    Unfit(&'static str),
    /// The host name does not resolve.
    #[error("server {0}: {1}")]
    Resolve(String, std::io::Error),
    /// The server is another machine.
    #[error(
        "server {0} is not on this machine; load on somebody else's log is an attack and cannot \
         be undone: give --i-own-this-server if it is yours"
    )]
    NotLoopback(String),
    /// A figure is zero or beyond what is allowed.
    #[error("{what} must be from 1 to {max}")]
    OutOfRange {
        /// The option.
        what: &'static str,
        /// The largest value.
        max: String,
    },
    /// A text is not a duration.
    #[error("{0:?} is not a duration: give 500ms, 10s or 2m")]
    Duration(String),
    /// A text is not a sampling.
    #[error("{0:?} is not a sampling: give a number from 1, or \"all\"")]
    Sampling(String),
}

/// Reads `500ms`, `10s`, `2m` or a bare number of seconds.
///
/// # Errors
/// Anything else, zero, and durations beyond [`DURATION_MAX`].
pub fn parse_duration(text: &str) -> Result<Duration, PlanError> {
    let split = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let refuse = || PlanError::Duration(text.to_owned());
    let seconds_per_unit = match unit {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        _ => return Err(refuse()),
    };
    let seconds = number.parse::<f64>().map_err(|_| refuse())? * seconds_per_unit;
    let duration = Duration::try_from_secs_f64(seconds).map_err(|_| refuse())?;
    in_range("a duration", &duration, &Duration::from_millis(1), &DURATION_MAX, "1 hour")?;
    Ok(duration)
}

/// Reads a number or `all`.
///
/// # Errors
/// Anything else, and zero.
pub fn parse_sampling(text: &str) -> Result<Sampling, PlanError> {
    if text == "all" {
        return Ok(Sampling::All);
    }
    let number = text.parse::<NonZeroU64>();
    number.map(Sampling::Every).map_err(|_| PlanError::Sampling(text.to_owned()))
}

/// Makes the list of runs: one for each number of connections, at each rate if rates are given.
/// Each connection has so many streams, each stream so many requests in flight.
///
/// # Errors
/// Empty lists and figures that are out of range.
pub fn loads(
    connections: &[usize],
    rates: &[f64],
    (streams, window): (usize, usize),
) -> Result<Vec<Load>, PlanError> {
    in_range("--streams", &streams, &1, &STREAMS_MAX, STREAMS_MAX)?;
    in_range("--window", &window, &1, &WINDOW_MAX, WINDOW_MAX)?;
    for count in connections {
        in_range("--connections", count, &1, &CONNECTIONS_MAX, CONNECTIONS_MAX)?;
        let in_flight = count * streams * window;
        in_range("connections × streams × window", &in_flight, &1, &IN_FLIGHT_MAX, IN_FLIGHT_MAX)?;
    }
    for rate in rates {
        in_range("--rate", rate, &0.01, &RATE_MAX, RATE_MAX)?;
    }
    if connections.is_empty() {
        let max = CONNECTIONS_MAX.to_string();
        return Err(PlanError::OutOfRange { what: "--connections", max });
    }
    let in_flight = connections.iter().map(|&connections| connections * streams * window);
    if rates.is_empty() {
        return Ok(in_flight.map(|in_flight| Load::Closed { in_flight }).collect());
    }
    let runs = in_flight
        .flat_map(|in_flight| rates.iter().map(move |&rate| Load::Open { rate, in_flight }));
    Ok(runs.collect())
}

/// Checks the length of the leaves that are appended.
///
/// # Errors
/// Lengths beyond [`LEAF_BYTES`].
pub fn leaf_bytes(bytes: usize) -> Result<usize, PlanError> {
    if LEAF_BYTES.contains(&bytes) { Ok(bytes) } else { Err(PlanError::LeafBytes) }
}

/// Both bounds are always in force; zero would mean a run without end.
///
/// # Errors
/// A count of zero or beyond [`COUNT_MAX`].
pub fn bounds(duration: Duration, count: u64) -> Result<Bounds, PlanError> {
    in_range("--count", &count, &1, &COUNT_MAX, COUNT_MAX)?;
    Ok(Bounds { duration, count })
}

fn in_range<T: PartialOrd>(
    what: &'static str,
    value: &T,
    min: &T,
    max: &T,
    max_text: impl ToString,
) -> Result<(), PlanError> {
    if value >= min && value <= max {
        return Ok(());
    }
    Err(PlanError::OutOfRange { what, max: max_text.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, milliseconds) in [("500ms", 500), ("10s", 10_000), ("2m", 120_000), ("3", 3_000)]
        {
            assert_eq!(parse_duration(text).unwrap().as_millis(), milliseconds, "{text}");
        }
        for text in ["", "0", "0s", "2h", "-1s", "61m", "s", "NaN"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn runs_are_bounded_and_listed() {
        let duration = Duration::from_secs(10);
        assert!(bounds(duration, 0).is_err());
        assert!(bounds(duration, COUNT_MAX + 1).is_err());
        let closed = [Load::Closed { in_flight: 4 }, Load::Closed { in_flight: 32 }];
        assert_eq!(loads(&[1, 8], &[], (2, 2)).unwrap(), closed);
        let open = loads(&[64], &[100.0, 200.0], (1, 1)).unwrap();
        assert_eq!(open[1], Load::Open { rate: 200.0, in_flight: 64 });
        assert!(loads(&[0], &[], (1, 1)).is_err());
        assert!(loads(&[1], &[], (0, 1)).is_err());
        assert!(loads(&[1], &[], (1, 0)).is_err());
        assert!(loads(&[1_000], &[], (1_000, 1)).is_err());
        assert!(leaf_bytes(23).is_err() && leaf_bytes(65_536).is_err());
        assert!(loads(&[1], &[0.0], (1, 1)).is_err());
        assert!(loads(&[1], &[f64::NAN], (1, 1)).is_err());
    }

    #[test]
    fn samplings() {
        assert_eq!(parse_sampling("all").unwrap(), Sampling::All);
        let fifty = parse_sampling("50").unwrap();
        assert!(fifty.takes(0) && fifty.takes(50) && !fifty.takes(51));
        assert!(parse_sampling("0").is_err());
    }
}
