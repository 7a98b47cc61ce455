//! The command line (stable; scripts depend on it): one file per subcommand.

mod checkpoint;
mod completions;
mod data_dir;
mod fsck;
mod keygen;
mod open_files;
mod serve;
mod storage;
mod trust;
mod witness;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use crate::config::{ConfigError, Settings};

const EXAMPLES: &str = "\
Examples:
  cairn serve                              a log on http://127.0.0.1:3000, kept in ./cairn-data
  cairn serve --data-dir /var/lib/cairn --hostname rekor.example.com
  cairn checkpoint                         the newest checkpoint of the log in ./cairn-data
  cairn fsck                               recompute all that is stored and compare

Every setting is a flag, an environment variable (CAIRN_...) or a line of --config FILE (TOML);
a flag wins over the environment, the environment over the file.";

/// A transparency log server that takes the place of a whole Rekor deployment.
#[derive(Parser)]
#[command(name = "cairn", version, about, after_help = EXAMPLES, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the log
    Serve(serve::Args),
    /// Run a witness, which cosigns checkpoints of logs
    Witness(witness::Args),
    /// Make a log key
    Keygen(keygen::Args),
    /// Print the newest checkpoint of a log, ours or remote
    Checkpoint(checkpoint::Args),
    /// Print the trusted root that verifiers of our logs need
    TrustedRoot(trust::RootArgs),
    /// Print the signing config that signers need to use our logs
    SigningConfig(trust::ConfigArgs),
    /// Recompute everything that is stored and compare
    Fsck(fsck::Args),
    /// Copy logs from one engine to another
    Storage(storage::Args),
    /// Print a completion script for a shell
    Completions(completions::Args),
}

/// Settings as they come from flags and environment, and the file that stands behind them.
#[derive(clap::Args, Clone)]
struct Configured {
    /// Configuration file (TOML)
    #[arg(long, env = "CAIRN_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,

    #[command(flatten)]
    settings: Settings,
}

impl Configured {
    fn resolve(self) -> Result<Settings, ConfigError> {
        match self.config {
            Some(path) => Ok(self.settings.over(Settings::read(&path)?)),
            None => Ok(self.settings),
        }
    }
}

/// Form of what a command prints.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people.
    Text,
    /// One JSON object.
    Json,
}

/// What a command ends with; its text is printed after `cairn: `.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Runs the command that the arguments name.
pub fn run() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Serve(args) => serve::run(args),
        Command::Witness(args) => witness::run(args),
        Command::Keygen(args) => keygen::run(args),
        Command::Checkpoint(args) => checkpoint::run(args),
        Command::TrustedRoot(args) => trust::trusted_root(args),
        Command::SigningConfig(args) => trust::signing_config(args),
        Command::Fsck(args) => fsck::run(args),
        Command::Storage(args) => storage::run(args),
        Command::Completions(args) => completions::run::<Cli>(args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cairn: {error}");
            ExitCode::FAILURE
        }
    }
}
