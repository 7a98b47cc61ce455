//! `cairn entry search`: which entries of a Rekor v1 log carry a digest, a name or a key.

use std::path::PathBuf;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value, json};

use super::super::exit::Exit;
use super::super::verify::{bytes, read_artifact};
use super::super::{Failure, Output};
use super::remote::{Remote, refusal};
use super::{Api, Server};

const EXAMPLES: &str = "\
Examples:
  cairn entry search --artifact artifact.txt --url http://127.0.0.1:3000
  cairn entry search --sha256 9f86d0… --email dev@example.com --all --url http://127.0.0.1:3000
  cairn entry search --public-key cosign.pub --url http://127.0.0.1:3000 --output json

It prints one ID a line, oldest first. An answer is what the server says: `cairn entry get` proves
that an entry is there, nothing proves that none is. Exit code 3: there is none.";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Of this artifact: a file, or its digest
    #[arg(long, value_name = "FILE|DIGEST", conflicts_with = "sha256")]
    artifact: Option<String>,

    /// Of this SHA-256, in hexadecimal
    #[arg(long, value_name = "HEX")]
    sha256: Option<String>,

    /// Signed by a certificate of this e-mail address
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,

    /// Signed by a certificate of this name: an address, a URI, a host
    #[arg(long, value_name = "NAME")]
    subject: Option<String>,

    /// Signed with this key or certificate
    #[arg(long, value_name = "FILE")]
    public_key: Option<PathBuf>,

    /// The form of the key
    #[arg(long, value_name = "FORMAT", default_value = "x509", requires = "public_key")]
    key_format: String,

    /// Entries that all of this holds for, not any of it
    #[arg(long)]
    all: bool,

    #[command(flatten)]
    server: Server,
}

pub(super) fn run(args: Args) -> Result<(), Failure> {
    if args.server.log == Api::V2 {
        return Err(Exit::Usage.with("there is no search in Rekor v2"));
    }
    let query = query(&args)?;
    if query.is_empty() {
        return Err(Exit::Usage.with("say what to search for: --artifact, --email, --public-key …"));
    }
    let mut query = Value::Object(query);
    query["operator"] = if args.all { "and" } else { "or" }.into();
    let answer = Remote::new(&args.server).post("api/v1/index/retrieve", &query.to_string())?;
    if answer.status != 200 {
        return Err(refusal(&answer));
    }
    let ids: Vec<String> = serde_json::from_slice(&answer.body)?;
    match args.server.output {
        Output::Text => ids.iter().for_each(|id| println!("{id}")),
        Output::Json => println!("{}", json!({ "ids": ids })),
    }
    if ids.is_empty() { Err(Exit::NotFound.with("there is no such entry")) } else { Ok(()) }
}

fn query(args: &Args) -> Result<Map<String, Value>, Failure> {
    let mut query = Map::new();
    let artifact = args.artifact.as_deref().map(read_artifact).transpose()?;
    let digest = artifact.map(|artifact| artifact.describe());
    if let Some(hash) = digest.or(args.sha256.as_ref().map(|digits| format!("sha256:{digits}"))) {
        query.insert("hash".into(), hash.into());
    }
    for (name, value) in [("email", &args.email), ("subject", &args.subject)] {
        query.extend(value.iter().map(|value| (name.to_owned(), value.as_str().into())));
    }
    if let Some(path) = &args.public_key {
        let content = BASE64_STANDARD.encode(bytes(path)?);
        let key = json!({ "format": args.key_format, "content": content });
        query.insert("publicKey".into(), key);
    }
    Ok(query)
}
