//! What a run is to do, checked before anything starts: the server, the loads, the bounds.
//! Nothing is sent from here; the command line that fills a plan is in `main.rs`.

use std::net::{SocketAddr, ToSocketAddrs};
use std::num::NonZeroU64;
use std::time::Duration;

use thiserror::Error;

/// Most connections of one run.
pub const CONNECTIONS_MAX: usize = 4_096;
/// Most entries of one run: they are signed before the clock starts and lie in memory (560 B each).
pub const COUNT_MAX: u64 = 2_000_000;
/// Longest run.
pub const DURATION_MAX: Duration = Duration::from_secs(3_600);
/// Highest rate of an open loop, in requests per second.
pub const RATE_MAX: f64 = 1_000_000.0;

/// Where the server listens. The address is resolved once: what was checked is what is dialled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerAddress {
    /// `host:port` as given, for the `Host` header and the report.
    pub authority: String,
    /// The address that is dialled.
    pub socket: SocketAddr,
}

/// How requests are paced.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Load {
    /// Each connection sends its next request when the last one was answered.
    Closed {
        /// Connections, each with one request in flight.
        connections: usize,
    },
    /// Requests are due at fixed instants, whether or not the server keeps up.
    Open {
        /// Requests per second.
        rate: f64,
        /// Connections that share the requests; more requests in flight are not possible.
        connections: usize,
    },
}

impl Load {
    /// The number of connections.
    pub const fn connections(self) -> usize {
        match self {
            Self::Closed { connections } | Self::Open { connections, .. } => connections,
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

/// How entries are asked for in a `read` run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadBy {
    /// `GET /api/v1/log/entries?logIndex=N`
    Index,
    /// `GET /api/v1/log/entries/{entryUUID}`
    Uuid,
    /// Both in turn.
    Both,
}

/// Whether the runs write new entries or read old ones.
#[derive(Clone, Copy, Debug)]
pub enum Mode {
    /// `POST /api/v1/log/entries`
    Write,
    /// `GET` of entries that are there, at random.
    Read {
        /// By what they are asked for.
        by: ReadBy,
        /// Seed of the random choice: the same seed asks for the same entries.
        seed: u64,
    },
}

/// All that is wanted of the program.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The server.
    pub server: ServerAddress,
    /// Write or read.
    pub mode: Mode,
    /// The runs, one after another.
    pub loads: Vec<Load>,
    /// The bounds of each run.
    pub bounds: Bounds,
    /// Requests before the clock of each run starts.
    pub warm_up: u64,
    /// Longest wait for a connection or an answer.
    pub timeout: Duration,
    /// Which answers are verified in full.
    pub sampling: Sampling,
    /// How many entries are read back after a run that wrote.
    pub read_back: usize,
    /// Processes whose CPU time is counted as the server's.
    pub server_pids: Vec<u32>,
}

/// Why a plan is refused.
#[derive(Debug, Error)]
pub enum PlanError {
    /// The server's URL is not of the form that is needed.
    #[error("server {0:?}: give http://host:port (no TLS, no path)")]
    Server(String),
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

/// Resolves `http://host:port` and refuses other machines unless they are owned.
///
/// # Errors
/// Other forms of URL, names that do not resolve, and addresses beyond loopback if not `owned`.
pub fn parse_server(url: &str, owned: bool) -> Result<ServerAddress, PlanError> {
    let refuse = || PlanError::Server(url.to_owned());
    let rest = url.strip_prefix("http://").ok_or_else(refuse)?;
    let given = rest.strip_suffix('/').unwrap_or(rest);
    if given.is_empty() || given.contains(['/', '?', '#', '@', ' ']) {
        return Err(refuse());
    }
    let has_port = given.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let authority = if has_port { given.to_owned() } else { format!("{given}:80") };
    let resolved: Vec<SocketAddr> = authority
        .to_socket_addrs()
        .map_err(|error| PlanError::Resolve(authority.clone(), error))?
        .collect();
    if !owned && !resolved.iter().all(|address| address.ip().to_canonical().is_loopback()) {
        return Err(PlanError::NotLoopback(authority));
    }
    let v4_first = resolved.iter().find(|address| address.is_ipv4()).or(resolved.first());
    let socket = *v4_first.ok_or_else(refuse)?;
    Ok(ServerAddress { authority, socket })
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
///
/// # Errors
/// Empty lists and figures that are out of range.
pub fn loads(connections: &[usize], rates: &[f64]) -> Result<Vec<Load>, PlanError> {
    for count in connections {
        in_range("--connections", count, &1, &CONNECTIONS_MAX, CONNECTIONS_MAX)?;
    }
    for rate in rates {
        in_range("--rate", rate, &0.01, &RATE_MAX, RATE_MAX)?;
    }
    if connections.is_empty() {
        let max = CONNECTIONS_MAX.to_string();
        return Err(PlanError::OutOfRange { what: "--connections", max });
    }
    if rates.is_empty() {
        return Ok(connections.iter().map(|&connections| Load::Closed { connections }).collect());
    }
    let runs = connections
        .iter()
        .flat_map(|&connections| rates.iter().map(move |&rate| Load::Open { rate, connections }));
    Ok(runs.collect())
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
    fn other_machines_are_refused_unless_owned() {
        for url in ["http://192.0.2.1:3000", "http://0.0.0.0:3000", "http://[2001:db8::1]:3000"] {
            assert!(matches!(parse_server(url, false), Err(PlanError::NotLoopback(_))), "{url}");
            assert!(parse_server(url, true).is_ok(), "{url}");
        }
        for url in ["http://127.0.0.1:3000", "http://127.9.9.9:1/", "http://[::1]:3000"] {
            assert!(parse_server(url, false).is_ok(), "{url}");
        }
    }

    #[test]
    fn urls_of_another_form_are_refused() {
        for url in ["https://127.0.0.1:3000", "127.0.0.1:3000", "http://", "http://127.0.0.1:1/x"] {
            assert!(matches!(parse_server(url, false), Err(PlanError::Server(_))), "{url}");
        }
        assert_eq!(parse_server("http://127.0.0.1", false).unwrap().socket.port(), 80);
    }

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
        assert_eq!(loads(&[1, 8], &[]).unwrap().len(), 2);
        let open = loads(&[64], &[100.0, 200.0]).unwrap();
        assert_eq!(open[1], Load::Open { rate: 200.0, connections: 64 });
        assert!(loads(&[0], &[]).is_err());
        assert!(loads(&[1], &[0.0]).is_err());
        assert!(loads(&[1], &[f64::NAN]).is_err());
    }

    #[test]
    fn samplings() {
        assert_eq!(parse_sampling("all").unwrap(), Sampling::All);
        let fifty = parse_sampling("50").unwrap();
        assert!(fifty.takes(0) && fifty.takes(50) && !fifty.takes(51));
        assert!(parse_sampling("0").is_err());
    }
}
