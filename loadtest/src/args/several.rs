//! The commands that make several runs of one kind: overload and hostile clients.

use std::time::Duration;

use clap::Args;
use loadtest::hostile::{Crowd, Hostile};
use loadtest::overload::Overload;
use loadtest::plan::{
    Bounds, Mode, Plan, PlanError, bounds, loads, parse_duration, parse_sampling,
};
use loadtest::server::parse_server;

use super::Output;

/// A server that is written to.
#[derive(Args)]
struct ServerArgs {
    /// The server
    #[arg(default_value = "http://127.0.0.1:3000", value_name = "URL")]
    server: String,
    /// Count the CPU time and memory of this process as the server's (repeat for more)
    #[arg(long, value_name = "PID")]
    server_pid: Vec<u32>,
    /// Allow a server on another machine
    #[arg(long)]
    i_own_this_server: bool,
    /// How long each run lasts
    #[arg(short, long, default_value = "8s", value_parser = parse_duration)]
    duration: Duration,
    /// Longest wait for an answer
    #[arg(long, default_value = "30s", value_parser = parse_duration)]
    timeout: Duration,
    /// Text for people or JSON for scripts
    #[arg(long, value_enum, default_value = "text")]
    output: Output,
}

#[derive(Args)]
pub(crate) struct OverloadArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// Connections of the closed loop
    #[arg(long, default_value_t = 64, value_name = "N")]
    closed: usize,
    /// Connections of the open loops
    #[arg(short, long, default_value_t = 1_024, value_name = "N")]
    connections: usize,
    /// Rates of the open loops, in multiples of what the closed loop reached
    #[arg(long, default_value = "0.5,1,2,5", value_delimiter = ',', value_name = "X,…")]
    times: Vec<f64>,
}

#[derive(Args)]
pub(crate) struct HostileArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// Connections that write as they should
    #[arg(short, long, default_value_t = 64, value_name = "N")]
    connections: usize,
    /// Connections on which nothing is sent
    #[arg(long, default_value_t = 5_000, value_name = "N")]
    idle: usize,
    /// Connections that send a byte of a header each second
    #[arg(long, default_value_t = 250, value_name = "N")]
    slow_headers: usize,
    /// Connections that promise a body and never send it
    #[arg(long, default_value_t = 250, value_name = "N")]
    half_open: usize,
    /// Connections that send 96 KiB and 1.2 MB of headers in turn, one a second
    #[arg(long, default_value_t = 50, value_name = "N")]
    huge_headers: usize,
    /// Connections that ask for much and hardly read
    #[arg(long, default_value_t = 250, value_name = "N")]
    slow_readers: usize,
}

/// Most clients of one sort.
const CROWD_MAX: usize = 20_000;

impl ServerArgs {
    /// A plan without loads, for entries of Rekor v1.
    fn plan(self, bounds: Bounds) -> Result<Plan, PlanError> {
        Ok(Plan {
            base: parse_server(&self.server, self.i_own_this_server)?,
            mode: Mode::WriteV1 { read_back: 0 },
            loads: Vec::new(),
            streams: 1,
            window: 1,
            bounds,
            warm_up: 500,
            timeout: self.timeout,
            sampling: parse_sampling("500")?,
            server_pids: self.server_pid,
        })
    }
}

impl OverloadArgs {
    pub(super) const fn output(&self) -> Output {
        self.server.output
    }

    pub(super) fn into_job(self) -> Result<Overload, PlanError> {
        loads(&[self.closed, self.connections], &self.times, (1, 1))?; // checks them
        let bounds = bounds(self.server.duration, CLOSED_COUNT_MAX)?;
        let (closed, open, times) = (self.closed, self.connections, self.times);
        let closed_duration = bounds.duration.min(CLOSED_DURATION_MAX);
        Ok(Overload { plan: self.server.plan(bounds)?, closed, closed_duration, open, times })
    }
}

impl HostileArgs {
    pub(super) const fn output(&self) -> Output {
        self.server.output
    }

    pub(super) fn into_job(self) -> Result<Hostile, PlanError> {
        let crowd = Crowd {
            idle: self.idle,
            slow_headers: self.slow_headers,
            half_open: self.half_open,
            huge_headers: self.huge_headers,
            slow_readers: self.slow_readers,
        };
        if crowd.all() > CROWD_MAX {
            let max = CROWD_MAX.to_string();
            return Err(PlanError::OutOfRange { what: "the number of hostile clients", max });
        }
        let loads = loads(&[self.connections], &[], (1, 1))?;
        let bounds = bounds(self.server.duration, HOSTILE_COUNT_MAX)?;
        Ok(Hostile { plan: Plan { loads, ..self.server.plan(bounds)? }, crowd })
    }
}

/// Entries that are signed for a closed loop: no server takes more in such a time.
const CLOSED_COUNT_MAX: u64 = 60_000;
const CLOSED_DURATION_MAX: Duration = Duration::from_secs(5);
const HOSTILE_COUNT_MAX: u64 = 120_000;
