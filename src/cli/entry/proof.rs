//! `cairn entry proof`: that an entry is in a log, as a C2SP tlog-proof; or that a log has only
//! grown since a checkpoint, or since a size.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use tlog::{
    Checkpoint, ConsistencyProof, LogIndex, NodeHash, Note, RootHash, TlogProof, TreeHead, TreeSize,
};

use super::super::exit::Exit;
use super::super::verify::{Trust, bytes, in_file, read_artifact};
use super::super::{Failure, Output};
use super::get::{self, Fetched};
use super::remote::Remote;
use super::tiles::TiledLog;
use super::{Api, Evidence, Server, check, conclude, write_new};
use crate::verify::TrustRoot;

const EXAMPLES: &str = "\
Examples:
  cairn entry proof 17 --url http://127.0.0.1:3000 --out entry.tlog-proof
  cairn verify entry.tlog-proof --log-key cairn-data/v1.pub --artifact artifact.txt
  cairn entry proof --from old.checkpoint --url http://127.0.0.1:3000 --log-key cairn-data/v1.pub
  cairn entry proof --from 100 --to 250 --url http://127.0.0.1:3000 --log v2

The proof of an entry has the entry in its extra line. With an older checkpoint it is verified that
the log has only grown since; between sizes alone the hashes are printed, and prove nothing yet.
Exit code 4: a proof does not hold, which means that the log has forked.";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Index or ID of an entry
    #[arg(value_name = "INDEX|ID", required_unless_present = "from", conflicts_with = "from")]
    entry: Option<String>,

    /// What the entry has to be about: a file, or sha256:HEX
    #[arg(long, value_name = "FILE|DIGEST", requires = "entry")]
    artifact: Option<String>,

    /// An older checkpoint of the log, or an older size
    #[arg(long, value_name = "FILE|SIZE")]
    from: Option<String>,

    /// The newer size [default: that of the newest checkpoint]
    #[arg(long, value_name = "SIZE", requires = "from")]
    to: Option<u64>,

    /// Where to write the proof
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    #[command(flatten)]
    server: Server,

    #[command(flatten)]
    trust: Trust,
}

pub(super) fn run(args: Args) -> Result<(), Failure> {
    let remote = Remote::new(&args.server);
    match (&args.entry, &args.from) {
        (Some(entry), _) => inclusion(&args, &remote, entry),
        (None, Some(from)) => consistency(&args, &remote, from),
        (None, None) => Err(Exit::Usage.with("name an entry, or --from")),
    }
}

fn inclusion(args: &Args, remote: &Remote, named: &str) -> Result<(), Failure> {
    let artifact = args.artifact.as_deref().map(read_artifact).transpose()?;
    let fetched = get::fetch(remote, args.server.log, named)?;
    let proof = match args.server.log {
        Api::V1 => of_rekor(&fetched)?.to_string(),
        Api::V2 => fetched.evidence.text,
    };
    if let Some(path) = &args.out {
        write_new(path, proof.as_bytes())?;
    }
    let evidence = Evidence { text: proof, leaf: None };
    let report = check(&evidence, &args.trust, artifact.as_ref())?;
    let fields = json!({ "index": fetched.index, "proof": evidence.text });
    conclude(&evidence.text, fields, report.as_ref(), args.server.output)
}

/// The proof in an answer of Rekor v1.
fn of_rekor(fetched: &Fetched) -> Result<TlogProof, Failure> {
    let answer: Value = serde_json::from_str(&fetched.evidence.text)?;
    let entry = answer.as_object().and_then(|entries| entries.values().next());
    let proof = entry.map(|entry| &entry["verification"]["inclusionProof"]);
    let proof = proof.ok_or("the answer has no inclusion proof")?;
    let hashes: Vec<String> = serde_json::from_value(proof["hashes"].clone())?;
    let index = proof["logIndex"].as_u64().ok_or("the inclusion proof has no index")?;
    let note = proof["checkpoint"].as_str().ok_or("the inclusion proof has no checkpoint")?;
    Ok(TlogProof {
        extra: fetched.body.clone(),
        index: LogIndex(index),
        hashes: node_hashes(&hashes)?,
        note: note.to_owned(),
    })
}

fn node_hashes(hashes: &[String]) -> Result<Vec<NodeHash>, Failure> {
    let read = |hash: &String| {
        let bytes = hex::decode(hash).ok().and_then(|bytes| bytes.try_into().ok());
        Ok(NodeHash::from_bytes(bytes.ok_or("a hash of the proof is malformed")?))
    };
    hashes.iter().map(read).collect()
}

/// The older side: a checkpoint that says its root, or a size alone.
struct Older {
    size: TreeSize,
    root: Option<RootHash>,
    note: Option<String>,
}

impl Older {
    fn read(from: &str) -> Result<Self, Failure> {
        if let Ok(size) = from.parse() {
            return Ok(Self { size: TreeSize(size), root: None, note: None });
        }
        let path = Path::new(from);
        let text = String::from_utf8(bytes(path)?)?;
        let head = head_of(&text).map_err(|error| Exit::Usage.with(in_file(path, error)))?;
        Ok(Self { size: head.size, root: Some(head.root), note: Some(text) })
    }
}

fn head_of(note: &str) -> Result<TreeHead, Failure> {
    Ok(Checkpoint::parse_text(&Note::parse(note)?.text)?.head)
}

fn consistency(args: &Args, remote: &Remote, from: &str) -> Result<(), Failure> {
    let older = Older::read(from)?;
    let (note, proof) = match args.server.log {
        Api::V1 => of_rekor_log(remote, &older, args.to)?,
        Api::V2 => {
            let log = TiledLog::open(remote)?;
            let to = args.to.map_or(log.head.size, TreeSize);
            check_sizes(older.size, to, log.head.size)?;
            let proof = log.consistency(older.size, to)?;
            (log.note, proof)
        }
    };
    let (root, _) = args.trust.read()?;
    let verified = verify_growth(&root, &older, &note, &proof)?;
    let hashes: Vec<String> =
        proof.hashes.iter().map(|hash| BASE64_STANDARD.encode(hash.as_bytes())).collect();
    if let Some(path) = &args.out {
        write_new(path, (hashes.join("\n") + "\n").as_bytes())?;
    }
    match args.server.output {
        Output::Text => {
            println!("from         {}\nto           {}", proof.old, proof.new);
            hashes.iter().for_each(|hash| println!("hash         {hash}"));
            println!("{verified}");
        }
        Output::Json => {
            let is_verified = verified == GROWN;
            println!(
                "{}",
                json!({
                    "from": proof.old.0, "to": proof.new.0, "hashes": hashes,
                    "checkpoint": note, "verified": is_verified, "says": verified,
                })
            );
        }
    }
    Ok(())
}

const GROWN: &str = "verified: the log has only grown";

/// Both checkpoints by a trusted log, and the proof between them.
fn verify_growth(
    trust: &TrustRoot,
    older: &Older,
    note: &str,
    proof: &ConsistencyProof,
) -> Result<&'static str, Failure> {
    let not_verified = |why: String| Exit::NotVerified.with(why);
    let (Some(old_root), Some(old_note)) = (older.root, &older.note) else {
        return Ok("nothing was verified: between sizes alone there are no roots to compare");
    };
    if trust.has_no_log() {
        return Ok("nothing was verified: name a --log-key, a --vkey or a --trusted-root");
    }
    let newer = trust.open_checkpoint(note).map_err(not_verified)?;
    trust.open_checkpoint(old_note).map_err(|why| not_verified(format!("the older: {why}")))?;
    if proof.new != newer.size {
        return Ok("nothing was verified: only the newest checkpoint says its root");
    }
    let held = proof.verify(&old_root, &newer.root);
    held.map_err(|error| not_verified(format!("the log has forked: {error}")))?;
    Ok(GROWN)
}

fn check_sizes(old: TreeSize, new: TreeSize, all: TreeSize) -> Result<(), Failure> {
    if new > all {
        return Err(Exit::NotFound.with(format!("the log has {all} entries, not {new}")));
    }
    if old > new {
        // A log that is smaller than it was has lost entries, or is another one.
        return Err(Exit::NotVerified.with(format!("{old} is more than {new}: logs only grow")));
    }
    Ok(())
}

#[derive(Deserialize)]
struct LogInfo {
    #[serde(rename = "signedTreeHead")]
    signed_tree_head: String,
    #[serde(rename = "treeID")]
    tree_id: String,
    #[serde(rename = "treeSize")]
    tree_size: u64,
}

#[derive(Deserialize)]
struct LogProof {
    hashes: Vec<String>,
}

fn of_rekor_log(
    remote: &Remote,
    older: &Older,
    to: Option<u64>,
) -> Result<(String, ConsistencyProof), Failure> {
    let info: LogInfo = serde_json::from_str(&remote.text("api/v1/log")?)?;
    let (old, new) = (older.size, TreeSize(to.unwrap_or(info.tree_size)));
    check_sizes(old, new, TreeSize(info.tree_size))?;
    let mut hashes = Vec::new();
    // An empty tree is a prefix of every tree; Rekor has no proof of that.
    if old.0 > 0 {
        let path =
            format!("api/v1/log/proof?firstSize={old}&lastSize={new}&treeID={}", info.tree_id);
        let answer: LogProof = serde_json::from_str(&remote.text(&path)?)?;
        hashes = node_hashes(&answer.hashes)?;
    }
    Ok((info.signed_tree_head, ConsistencyProof { old, new, hashes }))
}
