//! `cairn entry get`: one entry, with its proof, verified.

use std::path::PathBuf;

use serde_json::{Value, json};
use tlog::LogIndex;

use super::super::Failure;
use super::super::exit::Exit;
use super::super::verify::{Trust, read_artifact};
use super::remote::{Remote, refusal, text};
use super::tiles::TiledLog;
use super::{Api, Evidence, Server, check, conclude, save, shown_body};
use crate::admission::decode_base64;

const EXAMPLES: &str = "\
Examples:
  cairn entry get 17 --url http://127.0.0.1:3000 --log-key cairn-data/v1.pub
  cairn entry get 24296fb24b8ad77a… --url https://rekor.example.com --out entry.json
  cairn entry get 0 --url http://127.0.0.1:3000 --log v2 --vkey \"$VKEY\" --output json

By index or, of Rekor v1, by ID (64 or 80 hexadecimal digits). What --out writes is what
`cairn verify` reads later, without the server.";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Index or ID of the entry
    #[arg(value_name = "INDEX|ID")]
    entry: String,

    /// What the entry has to be about: a file, or sha256:HEX
    #[arg(long, value_name = "FILE|DIGEST")]
    artifact: Option<String>,

    /// Where to write the entry with its proof
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    #[command(flatten)]
    server: Server,

    #[command(flatten)]
    trust: Trust,
}

/// An entry as a server gave it.
pub(super) struct Fetched {
    pub(super) evidence: Evidence,
    /// Rekor v1's ID; none over tiles.
    pub(super) id: Option<String>,
    pub(super) index: u64,
    pub(super) integrated_time: Option<i64>,
    pub(super) body: Vec<u8>,
}

pub(super) fn run(args: Args) -> Result<(), Failure> {
    let artifact = args.artifact.as_deref().map(read_artifact).transpose()?;
    let fetched = fetch(&Remote::new(&args.server), args.server.log, &args.entry)?;
    let report = check(&fetched.evidence, &args.trust, artifact.as_ref())?;
    save(args.out.as_ref(), &fetched.evidence)?;
    conclude(&fetched.text(), fetched.json(), report.as_ref(), args.server.output)
}

/// Asks for an entry by index or ID.
pub(super) fn fetch(remote: &Remote, api: Api, named: &str) -> Result<Fetched, Failure> {
    let index = named.parse::<u64>().ok().filter(|_| named.len() < 20);
    let is_id = matches!(named.len(), 64 | 80) && named.bytes().all(|b| b.is_ascii_hexdigit());
    match (api, index) {
        (Api::V2, Some(index)) => over_tiles(remote, LogIndex(index)),
        (Api::V2, None) => Err(Exit::Usage.with("an entry over tiles is named by its index")),
        (Api::V1, Some(index)) => of_rekor(remote, &format!("api/v1/log/entries?logIndex={index}")),
        (Api::V1, None) if is_id => of_rekor(remote, &format!("api/v1/log/entries/{named}")),
        (Api::V1, None) => {
            Err(Exit::Usage.with("an entry is named by index, or by 64 or 80 hexadecimal digits"))
        }
    }
}

fn of_rekor(remote: &Remote, path: &str) -> Result<Fetched, Failure> {
    let answer = remote.get(path)?;
    if answer.status != 200 {
        return Err(refusal(&answer));
    }
    Fetched::of_rekor(text(answer)?)
}

fn over_tiles(remote: &Remote, index: LogIndex) -> Result<Fetched, Failure> {
    let log = TiledLog::open(remote)?;
    let body = log.entry(index)?;
    let proof = log.proof(index, &body)?;
    let evidence = Evidence { text: proof.to_string(), leaf: None };
    Ok(Fetched { evidence, id: None, index: index.0, integrated_time: None, body })
}

impl Fetched {
    /// Takes an answer of Rekor v1.
    pub(super) fn of_rekor(text: String) -> Result<Self, Failure> {
        let answer: Value = serde_json::from_str(&text)?;
        let entry = answer.as_object().and_then(|entries| entries.iter().next());
        let (id, entry) = entry.ok_or("the answer holds no entry")?;
        let body = entry["body"].as_str().and_then(|body| decode_base64(body).ok());
        Ok(Self {
            id: Some(id.clone()),
            index: entry["logIndex"].as_u64().ok_or("the answer has no logIndex")?,
            integrated_time: entry["integratedTime"].as_i64(),
            body: body.ok_or("the answer has no body")?,
            evidence: Evidence { text, leaf: None },
        })
    }

    pub(super) fn text(&self) -> String {
        let mut out = format!("index        {}\n", self.index);
        if let Some(id) = &self.id {
            out.push_str(&format!("id           {id}\n"));
        }
        if let Some(time) = self.integrated_time.filter(|time| *time > 0) {
            out.push_str(&format!("integrated   {time} (seconds since 1970)\n"));
        }
        out.push_str(&format!("body         {}\n", shown_body(&self.body)));
        out
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "index": self.index,
            "id": self.id,
            "integrated_time": self.integrated_time,
            "body": shown_body(&self.body),
        })
    }
}
