//! `cairn entry`: entries of a log that somebody runs: add, get, search, prove. What a server says
//! is verified as far as one says whom to trust; no server is asked unless it is named.

mod add;
mod get;
mod proof;
mod propose;
mod remote;
mod search;
mod tiles;

use std::path::{Path, PathBuf};

use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::exit::Exit;
use super::verify::{Trust, as_json, print_lines};
use super::{Failure, Output};
use crate::clock::unix_seconds;
use crate::verify::{Artifact, Demand, Report, Request, verify};

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Add an entry: a signature over an artifact, or any proposal
    Add(add::Args),
    /// Get an entry by index or ID, and verify it
    Get(get::Args),
    /// Find entries by artifact, address or key
    Search(search::Args),
    /// Get a proof: of an entry, or that a log has only grown
    Proof(proof::Args),
}

/// Which API of the server.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Api {
    /// Rekor v1.
    V1,
    /// Rekor v2, and any log that is read over tiles.
    V2,
}

/// Whom to ask.
#[derive(clap::Args)]
struct Server {
    /// Base URL of the server; of a log that is read over tiles alone, the prefix of its tiles
    #[arg(long, value_name = "URL", env = "CAIRN_URL")]
    url: String,

    /// Which of its logs
    #[arg(long, value_enum, default_value = "v1")]
    log: Api,

    /// Seconds for each question
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    timeout: u64,

    /// Form of the output
    #[arg(long, value_enum, default_value = "text")]
    output: Output,
}

pub(super) fn run(args: Args) -> Result<(), Failure> {
    match args.command {
        Command::Add(args) => add::run(args),
        Command::Get(args) => get::run(args),
        Command::Search(args) => search::run(args),
        Command::Proof(args) => proof::run(args),
    }
}

/// What a server answered, in a form that `cairn verify` reads.
struct Evidence {
    text: String,
    /// The leaf, where it does not stand in the text by itself.
    leaf: Option<Vec<u8>>,
}

/// Holds an answer against whom one trusts; `None` if nobody is named.
fn check(
    evidence: &Evidence,
    trust: &Trust,
    artifact: Option<&Artifact>,
) -> Result<Option<Report>, Failure> {
    if !trust.is_named() {
        return Ok(None);
    }
    let (root, policy) = trust.read()?;
    Ok(Some(verify(&Request {
        file: evidence.text.as_bytes(),
        leaf: evidence.leaf.as_deref(),
        artifact,
        trust: &root,
        demand: &Demand::default(),
        policy: policy.as_ref(),
        now: unix_seconds(),
    })))
}

/// Prints an answer with what was verified of it, and fails if that does not hold.
fn conclude(
    text: &str,
    mut fields: Value,
    report: Option<&Report>,
    output: Output,
) -> Result<(), Failure> {
    match output {
        Output::Text => print!("{text}"),
        Output::Json => {
            fields["verification"] = report.map_or(Value::Null, as_json);
            println!("{fields}");
        }
    }
    let Some(report) = report else {
        eprintln!("cairn: nothing was verified: name a --log-key, a --vkey or a --trusted-root");
        return Ok(());
    };
    if output == Output::Text {
        print_lines(report);
    }
    super::verify::conclude(report)
}

/// Writes what came to a file, which may not be there yet.
fn save(path: Option<&PathBuf>, evidence: &Evidence) -> Result<(), Failure> {
    let Some(path) = path else { return Ok(()) };
    write_new(path, evidence.text.as_bytes())
}

fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    use std::io::Write as _;
    let failed = |error: std::io::Error| {
        let exit = match error.kind() {
            std::io::ErrorKind::AlreadyExists => Exit::Conflict,
            _ => Exit::Failure,
        };
        exit.with(format!("{}: {error}", path.display()))
    };
    let mut file = std::fs::File::create_new(path).map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed)
}

/// A body as people read it: JSON where it is JSON, else hexadecimal.
fn shown_body(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_else(|_| json!({ "hex": hex::encode(body) }))
}
