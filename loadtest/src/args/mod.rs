//! What can be asked for on the command line, and the plan that it makes.

mod several;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use loadtest::hostile::Hostile;
use loadtest::overload::Overload;
use loadtest::plan::{
    LogChoice, Mode, Order, Plan, PlanError, ReadBy, Resources, Sampling, Transport, bounds,
    leaf_bytes, loads, parse_duration, parse_sampling,
};
use loadtest::server::{Base, parse_base, parse_server};

use several::{HostileArgs, OverloadArgs};

/// Puts load on a transparency log and checks its answers.
#[derive(Parser)]
#[command(version, about, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Write new entries (hashedrekord, each with its own key, digest and signature)
    Write {
        #[command(flatten)]
        common: Common,
        /// The API that entries are written through
        #[arg(long, value_enum, default_value = "v1")]
        api: Api,
        /// How many entries of each run are read back after it
        #[arg(long, default_value_t = 32, value_name = "N")]
        read_back: usize,
        /// Requests in flight on each connection (v2-grpc)
        #[arg(long, default_value_t = 1, value_name = "N")]
        streams: usize,
        #[command(flatten)]
        log: LogArgs,
    },
    /// Read entries of Rekor v1 that are there, at random
    Read {
        #[command(flatten)]
        common: Common,
        /// What entries are asked for by, or what else is asked for
        #[arg(long, value_enum, default_value = "both")]
        by: By,
        /// The same seed asks for the same entries
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Append raw leaves on streams (cairn.log.v1), to a log that takes any bytes
    Append {
        #[command(flatten)]
        common: Common,
        /// Streams on each connection
        #[arg(long, default_value_t = 1, value_name = "N")]
        streams: usize,
        /// Items in flight on each stream
        #[arg(long, default_value_t = 1_024, value_name = "N")]
        window: usize,
        /// Length of a leaf
        #[arg(long, default_value_t = 512, value_name = "N")]
        bytes: usize,
        /// Name or log ID in the server's list, GET /logs (default: its first active raw log)
        #[arg(long, value_name = "NAME")]
        log: Option<String>,
    },
    /// Ask for inclusion proofs of leaves that are there (cairn.log.v1)
    Prove {
        #[command(flatten)]
        common: Common,
        /// The same seed asks for the same proofs
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Name or log ID in the server's list, GET /logs (default: its first active raw log)
        #[arg(long, value_name = "NAME")]
        log: Option<String>,
    },
    /// Read full tiles and entry bundles of a log (C2SP tlog-tiles)
    Tiles {
        #[command(flatten)]
        common: Common,
        /// What is read
        #[arg(long, value_enum, default_value = "both")]
        what: What,
        /// From the first to the last and again, not at random
        #[arg(long, conflicts_with = "seed")]
        sequence: bool,
        /// The same seed asks for the same tiles
        #[arg(long, default_value_t = 1)]
        seed: u64,
        #[command(flatten)]
        log: LogArgs,
    },
    /// Write to Rekor v1 as fast as the server can, then at multiples of that
    Overload(OverloadArgs),
    /// Write to Rekor v1 alone, then beside clients that are slow, idle or hostile
    Hostile(HostileArgs),
}

/// What is to be done.
pub(crate) enum Job {
    Runs(Plan),
    Overload(Overload),
    Hostile(Hostile),
}

/// Which log is meant; not for Rekor v1, whose server says it.
#[derive(Args)]
pub(crate) struct LogArgs {
    /// Name or log ID in the server's list, GET /logs (default: its first active v2 log)
    #[arg(long, value_name = "NAME")]
    log: Option<String>,
    /// The log's public key (PEM), for a server that does not list its logs
    #[arg(long, value_name = "FILE", conflicts_with = "log")]
    public_key: Option<PathBuf>,
    /// Where /checkpoint and /tile/ are, if not on the server itself
    #[arg(long, value_name = "URL")]
    read_url: Option<String>,
}

#[derive(Args)]
pub(crate) struct Common {
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

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Api {
    /// Rekor v1, REST
    V1,
    /// Rekor v2, REST
    V2,
    /// Rekor v2, gRPC without TLS
    V2Grpc,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum What {
    Tiles,
    Bundles,
    Both,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum By {
    Index,
    Uuid,
    Both,
    /// No entries, but consistency proofs
    Proof,
    /// No entries, but who has a hash
    Search,
    /// Ten at once, by index
    Retrieve,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Output {
    Text,
    Json,
}

impl Command {
    pub(crate) fn into_job(self) -> Result<(Job, Output), PlanError> {
        match self {
            Self::Overload(args) => {
                let output = args.output();
                Ok((Job::Overload(args.into_job()?), output))
            }
            Self::Hostile(args) => {
                let output = args.output();
                Ok((Job::Hostile(args.into_job()?), output))
            }
            _ => self.into_plan().map(|(plan, output)| (Job::Runs(plan), output)),
        }
    }

    fn into_plan(self) -> Result<(Plan, Output), PlanError> {
        let (common, in_flight, mode, base) = match self {
            Self::Overload(_) | Self::Hostile(_) => {
                return Err(PlanError::Unfit("these make more than one plan"));
            }
            Self::Write { common, api, read_back, streams, log } => {
                let (mode, base) = write_mode(&common, api, read_back, log)?;
                if streams > 1 && api != Api::V2Grpc {
                    return Err(PlanError::Unfit("--streams is for --api v2-grpc"));
                }
                (common, (streams, 1), mode, base)
            }
            Self::Read { common, by, seed } => {
                let by = match by {
                    By::Index => ReadBy::Index,
                    By::Uuid => ReadBy::Uuid,
                    By::Both => ReadBy::Both,
                    By::Proof => ReadBy::Proof,
                    By::Search => ReadBy::Search,
                    By::Retrieve => ReadBy::Retrieve,
                };
                let base = parse_server(&common.server, common.i_own_this_server)?;
                (common, (1, 1), Mode::ReadV1 { by, seed }, base)
            }
            Self::Append { common, streams, window, bytes, log } => {
                let base = parse_base(&common.server, common.i_own_this_server)?;
                let log = LogChoice { name: log, ..LogChoice::default() };
                let mode = Mode::Append { log, bytes: leaf_bytes(bytes)? };
                (common, (streams, window), mode, base)
            }
            Self::Prove { common, seed, log } => {
                let base = parse_base(&common.server, common.i_own_this_server)?;
                let log = LogChoice { name: log, ..LogChoice::default() };
                (common, (1, 1), Mode::Prove { log, seed }, base)
            }
            Self::Tiles { common, what, sequence, seed, log } => {
                let base = parse_base(&common.server, common.i_own_this_server)?;
                let log = log.choice(common.i_own_this_server)?.of_tiles(&base);
                let order = if sequence { Order::Sequence } else { Order::Random(seed) };
                let what = match what {
                    What::Tiles => Resources::Tiles,
                    What::Bundles => Resources::Bundles,
                    What::Both => Resources::Both,
                };
                (common, (1, 1), Mode::Tiles { log, what, order }, base)
            }
        };
        let output = common.output;
        Ok((common.into_plan(base, mode, in_flight)?, output))
    }
}

fn write_mode(
    common: &Common,
    api: Api,
    read_back: usize,
    log: LogArgs,
) -> Result<(Mode, Base), PlanError> {
    let owned = common.i_own_this_server;
    let transport = match api {
        Api::V1 if log.is_given() => {
            return Err(PlanError::Unfit("a Rekor v1 server says itself which log it is"));
        }
        Api::V1 => {
            return Ok((Mode::WriteV1 { read_back }, parse_server(&common.server, owned)?));
        }
        Api::V2 => Transport::Rest,
        Api::V2Grpc => Transport::Grpc,
    };
    let mode = Mode::WriteV2 { log: log.choice(owned)?, transport, read_back };
    Ok((mode, parse_base(&common.server, owned)?))
}

impl LogArgs {
    const fn is_given(&self) -> bool {
        self.log.is_some() || self.public_key.is_some() || self.read_url.is_some()
    }

    fn choice(self, owned: bool) -> Result<LogChoice, PlanError> {
        let read = |path: PathBuf| {
            let name = path.display().to_string();
            std::fs::read_to_string(path).map_err(|error| PlanError::PublicKey(name, error))
        };
        let public_key = self.public_key.map(read).transpose()?;
        let read = self.read_url.map(|url| parse_base(&url, owned)).transpose()?;
        Ok(LogChoice { name: self.log, public_key, read })
    }
}

impl Common {
    fn into_plan(
        self,
        base: Base,
        mode: Mode,
        (streams, window): (usize, usize),
    ) -> Result<Plan, PlanError> {
        Ok(Plan {
            base,
            mode,
            loads: loads(&self.connections, &self.rate, (streams, window))?,
            streams,
            window,
            bounds: bounds(self.duration, self.count)?,
            warm_up: self.warm_up.min(self.count),
            timeout: self.timeout,
            sampling: self.check.unwrap_or(self.check_every),
            server_pids: self.server_pid,
        })
    }
}
