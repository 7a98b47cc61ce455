//! `cairn entry add`: put an entry into a log, and verify what it answers.

use std::path::PathBuf;

use serde_json::Value;

use super::super::Failure;
use super::super::exit::Exit;
use super::super::verify::{Trust, bytes, read_artifact};
use super::get::Fetched;
use super::propose::Signed;
use super::remote::{Remote, refusal, text};
use super::{Api, Evidence, Server, check, conclude, save};
use crate::admission::decode_base64;

const EXAMPLES: &str = "\
Examples:
  cairn entry add --artifact artifact.txt --signature artifact.sig --public-key cosign.pub \\
      --url http://127.0.0.1:3000 --log-key cairn-data/v1.pub --out entry.json
  cairn entry add --artifact sha256:9f86d0… --signature artifact.sig --public-key cert.pem \\
      --url http://127.0.0.1:3000 --log v2
  cairn entry add --proposal entry.json --url http://127.0.0.1:3000

A signature is checked before it is sent. A proposal is sent as it is: of any kind to Rekor v1, a
CreateEntryRequest to Rekor v2. Exit code 5: the log has this entry already; 6: it refuses it.";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// What was signed: a file, or its digest
    #[arg(long, value_name = "FILE|DIGEST", required_unless_present = "proposal")]
    artifact: Option<String>,

    /// The signature, as bytes or base64
    #[arg(long, value_name = "FILE", requires = "artifact", required_unless_present = "proposal")]
    signature: Option<PathBuf>,

    /// The signer's public key or certificate, PEM
    #[arg(long, value_name = "FILE", requires = "artifact", required_unless_present = "proposal")]
    public_key: Option<PathBuf>,

    /// An entry as it is proposed, JSON
    #[arg(long, value_name = "FILE", conflicts_with = "artifact")]
    proposal: Option<PathBuf>,

    /// Where to write the entry with its proof
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    #[command(flatten)]
    server: Server,

    #[command(flatten)]
    trust: Trust,
}

pub(super) fn run(args: Args) -> Result<(), Failure> {
    let artifact = args.artifact.as_deref().map(read_artifact).transpose()?;
    let proposal = match (&args.proposal, &artifact, &args.signature, &args.public_key) {
        (Some(path), ..) => String::from_utf8(bytes(path)?)?,
        (None, Some(artifact), Some(signature), Some(key)) => {
            let signed = Signed::new(artifact, &bytes(signature)?, bytes(key)?)?;
            match args.server.log {
                Api::V1 => signed.rekor_v1().to_string(),
                Api::V2 => signed.rekor_v2()?.to_string(),
            }
        }
        _ => return Err(Exit::Usage.with("an artifact, its signature and its key are needed")),
    };
    let path = match args.server.log {
        Api::V1 => "api/v1/log/entries",
        Api::V2 => "api/v2/log/entries",
    };
    let answer = Remote::new(&args.server).post(path, &proposal)?;
    if answer.status != 201 {
        if let Some(place) = answer.location.as_ref().filter(|_| answer.status == 409) {
            eprintln!("cairn: the log has it already: {place}");
        }
        return Err(refusal(&answer));
    }
    let fetched = match args.server.log {
        Api::V1 => Fetched::of_rekor(text(answer)?)?,
        Api::V2 => of_rekor_v2(text(answer)?)?,
    };
    let report = check(&fetched.evidence, &args.trust, artifact.as_ref())?;
    save(args.out.as_ref(), &fetched.evidence)?;
    conclude(&fetched.text(), fetched.json(), report.as_ref(), args.server.output)
}

/// Takes a `TransparencyLogEntry`.
fn of_rekor_v2(text: String) -> Result<Fetched, Failure> {
    let answer: Value = serde_json::from_str(&text)?;
    let body = answer["canonicalizedBody"].as_str().and_then(|body| decode_base64(body).ok());
    let index = answer["logIndex"].as_str().and_then(|index| index.parse().ok());
    Ok(Fetched {
        id: None,
        index: index.or(answer["logIndex"].as_u64()).unwrap_or(0),
        integrated_time: None,
        body: body.ok_or("the answer has no canonicalizedBody")?,
        evidence: Evidence { text, leaf: None },
    })
}
