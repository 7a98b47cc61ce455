//! The command line. Exit code 0: all checks held; 1: a check failed, or no answer was good; 2: the
//! run could not be made as asked.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use loadtest::plan::{
    Mode, Plan, PlanError, ReadBy, Sampling, bounds, loads, parse_duration, parse_sampling,
    parse_server,
};
use loadtest::report::Report;
use loadtest::run::{RunError, run};
use thiserror::Error;
use tokio::task::LocalSet;

/// Puts load on a Rekor v1 server and checks its answers.
#[derive(Parser)]
#[command(version, about, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Write new entries (hashedrekord 0.0.1, each with its own key, digest and signature)
    Write {
        #[command(flatten)]
        common: Common,
        /// How many entries of each run are read back after it
        #[arg(long, default_value_t = 32, value_name = "N")]
        read_back: usize,
    },
    /// Read entries that are there, at random
    Read {
        #[command(flatten)]
        common: Common,
        /// What entries are asked for by
        #[arg(long, value_enum, default_value = "both")]
        by: By,
        /// The same seed asks for the same entries
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
}

#[derive(Args)]
struct Common {
    /// The server
    #[arg(default_value = "http://127.0.0.1:3000", value_name = "URL")]
    server: String,
    /// Connections; a list makes one run for each
    #[arg(short, long, default_value = "8", value_delimiter = ',', value_name = "N,…")]
    connections: Vec<usize>,
    /// Open loop: requests per second, sent whether or not the server keeps up; latency counts from
    /// the instant when a request was due
    #[arg(short, long, value_delimiter = ',', value_name = "R,…")]
    rate: Vec<f64>,
    /// A run ends after this time …
    #[arg(short, long, default_value = "10s", value_parser = parse_duration)]
    duration: Duration,
    /// … or after so many requests
    #[arg(short = 'n', long, default_value_t = 20_000, value_name = "N")]
    count: u64,
    /// Requests before the clock of each run starts
    #[arg(long, default_value_t = 100, value_name = "N")]
    warm_up: u64,
    /// Longest wait for an answer
    #[arg(long, default_value = "30s", value_parser = parse_duration)]
    timeout: Duration,
    /// Verify the first, each N-th and the last answer in full
    #[arg(long, default_value = "50", value_parser = parse_sampling, value_name = "N|all")]
    check_every: Sampling,
    /// Another name of --check-every, for `--check all`
    #[arg(
        long,
        value_parser = parse_sampling,
        value_name = "N|all",
        conflicts_with = "check_every"
    )]
    check: Option<Sampling>,
    /// Count the CPU time and memory of this process as the server's (repeat for more)
    #[arg(long, value_name = "PID")]
    server_pid: Vec<u32>,
    /// Allow a server on another machine
    #[arg(long)]
    i_own_this_server: bool,
    /// Text for people or JSON for scripts
    #[arg(long, value_enum, default_value = "text")]
    output: Output,
}

#[derive(Clone, Copy, ValueEnum)]
enum By {
    Index,
    Uuid,
    Both,
}

#[derive(Clone, Copy, ValueEnum)]
enum Output {
    Text,
    Json,
}

/// Why there is no report.
#[derive(Debug, Error)]
enum MainError {
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error(transparent)]
    Run(#[from] RunError),
    #[error("runtime: {0}")]
    Runtime(#[from] std::io::Error),
    #[error("report: {0}")]
    Json(#[from] serde_json::Error),
}

fn main() -> ExitCode {
    match run_cli(Cli::parse().command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("loadtest: {error}");
            let failed_check = matches!(&error, MainError::Run(error) if error.is_failed_check());
            ExitCode::from(if failed_check { 1 } else { 2 })
        }
    }
}

fn run_cli(command: Command) -> Result<bool, MainError> {
    let (common, mode, read_back) = match command {
        Command::Write { common, read_back } => (common, Mode::Write, read_back),
        Command::Read { common, by, seed } => {
            let by = match by {
                By::Index => ReadBy::Index,
                By::Uuid => ReadBy::Uuid,
                By::Both => ReadBy::Both,
            };
            (common, Mode::Read { by, seed }, 0)
        }
    };
    let output = common.output;
    let report = carry_out(&common.into_plan(mode, read_back)?)?;
    match output {
        Output::Text => print!("{report}"),
        Output::Json => {
            println!("{}", serde_json::to_string_pretty(&report)?);
            // The text names them; whoever pipes JSON away should see them too.
            let failures = report.runs.iter().flat_map(|run| &run.checks.failures.first);
            failures.for_each(|failure| eprintln!("loadtest: {failure}"));
        }
    }
    if !report.good {
        eprintln!("loadtest: FAILED");
    }
    Ok(report.good)
}

/// One thread: the generator shares its cores with the server that it measures.
fn carry_out(plan: &Plan) -> Result<Report, MainError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(LocalSet::new().block_on(&runtime, run(plan))?)
}

impl Common {
    fn into_plan(self, mode: Mode, read_back: usize) -> Result<Plan, PlanError> {
        Ok(Plan {
            server: parse_server(&self.server, self.i_own_this_server)?,
            mode,
            loads: loads(&self.connections, &self.rate)?,
            bounds: bounds(self.duration, self.count)?,
            warm_up: self.warm_up.min(self.count),
            timeout: self.timeout,
            sampling: self.check.unwrap_or(self.check_every),
            read_back,
            server_pids: self.server_pid,
        })
    }
}
