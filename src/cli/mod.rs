//! The command line (stable; scripts depend on it): one file per subcommand.

mod checkpoint;
mod completions;
mod data_dir;
mod export;
mod entry;
mod exit;
mod fsck;
mod import;
mod keygen;
mod open_files;
mod promote;
mod replica;
mod serve;
mod storage;
mod trust;
mod verify;
mod witness;

use std::io::{IsTerminal, Write, stderr};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use crate::config::{ConfigError, Settings};

const EXAMPLES: &str = "\
Examples:
  cairn serve                              a log on http://127.0.0.1:3000, kept in ./cairn-data
  cairn serve --data-dir /var/lib/cairn --hostname rekor.example.com
  cairn checkpoint                         the newest checkpoint of the log in ./cairn-data
  cairn verify a.sigstore.json --artifact a.txt --trusted-root trusted_root.json --key a.pub
  cairn fsck                               recompute all that is stored and compare
  cairn export --to /srv/www               the logs as files, for any web server

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
    /// Add, get, search and prove entries of a log that is running
    Entry(Box<entry::Args>),
    /// Verify a bundle, an entry or a proof, offline
    Verify(Box<verify::Args>),
    /// Recompute everything that is stored and compare
    Fsck(fsck::Args),
    /// Take over logs from a file of `cairn export --bundle`
    Import(import::Args),
    /// Make a replica's logs its own
    Promote(promote::Args),
    /// Write tiles, bundles and checkpoints to a folder or bucket
    Export(Box<export::Args>),
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

/// Shows on a terminal how far a long command is with a log.
fn progress(deed: &str, name: &str) -> impl FnMut(u64, u64) + Send {
    let terminal = stderr().is_terminal();
    let mut shown = 0;
    move |done, all| {
        let percent = done * 100 / all.max(1);
        if terminal && percent != shown {
            shown = percent;
            let end = if done == all { "\n" } else { "" };
            let _unseen = write!(stderr(), "\r{deed} {name}: {percent} % of {all} entries{end}");
        }
    }
}

/// Runs the command that the arguments name.
pub fn run() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Serve(args) => serve::run(args),
        Command::Witness(args) => witness::run(args),
        Command::Keygen(args) => keygen::run(args),
        Command::Checkpoint(args) => checkpoint::run(args),
        Command::TrustedRoot(args) => trust::trusted_root(args),
        Command::SigningConfig(args) => trust::signing_config(args),
        Command::Entry(args) => entry::run(*args),
        Command::Verify(args) => verify::run(*args),
        Command::Fsck(args) => fsck::run(args),
        Command::Import(args) => import::run(args),
        Command::Promote(args) => promote::run(args),
        Command::Export(args) => export::run(*args),
        Command::Storage(args) => storage::run(args),
        Command::Completions(args) => completions::run::<Cli>(args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cairn: {error}");
            exit::Exit::of(&error)
        }
    }
}
