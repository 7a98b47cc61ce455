//! `cairn verify`: a bundle, an entry or a proof, offline, with every step told.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use tlog::{Policy, VerifierKey};

use super::exit::Exit;
use super::{Failure, Output};
use crate::clock::unix_seconds;
use crate::limits::{VERIFY_ARTIFACT_BYTES_MAX, VERIFY_FILE_BYTES_MAX};
use crate::publisher::signer::public_key_der;
use crate::verify::{Artifact, ArtifactReader, Demand, Report, Request, TrustRoot, verify};

const EXAMPLES: &str = "\
Examples:
  cairn verify artifact.sigstore.json --artifact artifact.txt --trusted-root trusted_root.json \\
      --key cosign.pub
  cairn verify artifact.sigstore.json --artifact sha256:9f86d0… --trusted-root trusted_root.json \\
      --certificate-identity ci@example.com --certificate-oidc-issuer https://accounts.example.com
  cairn verify entry.json --log-key cairn-data/v1.pub --artifact artifact.txt
  cairn verify entry.tlog-proof --policy witnesses.policy --output json

It reads a Sigstore bundle (0.1 to 0.3), a bundle of cosign's older form, an entry of Rekor v1, a
TransparencyLogEntry of Rekor v2 and a C2SP tlog-proof, asks nobody, and tells each step: what it
held against what, and what it could not check.
Exit code 0: all that had to be checked holds; 4: it does not; 2: something is missing to judge it.";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The bundle, the entry or the proof; `-` for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// What was signed: a file, or sha256:HEX (sha384, sha512). Bundles prove nothing without it
    #[arg(long, value_name = "FILE|DIGEST")]
    artifact: Option<String>,

    #[command(flatten)]
    trust: Trust,

    /// The signer's public key, PEM
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,

    /// The name that the signer's certificate has to have
    #[arg(long, value_name = "NAME", requires = "certificate_oidc_issuer")]
    certificate_identity: Option<String>,

    /// Who has to have vouched for that name
    #[arg(long, value_name = "URL", requires = "certificate_identity")]
    certificate_oidc_issuer: Option<String>,

    /// Accept a certificate of anybody whom the authorities know
    #[arg(long, conflicts_with_all = ["certificate_identity", "key"])]
    any_identity: bool,

    /// The entry that a tlog-proof is about, as it was logged, if the proof does not hold it
    #[arg(long, value_name = "FILE")]
    entry: Option<PathBuf>,

    /// Form of the output
    #[arg(long, value_enum, default_value = "text")]
    output: Output,
}

/// Whom one trusts. Nothing is trusted by default.
#[derive(clap::Args, Clone, Default)]
pub(super) struct Trust {
    /// Logs, certificate and timestamp authorities that are trusted (trusted_root.json)
    #[arg(long, value_name = "FILE")]
    trusted_root: Option<PathBuf>,

    /// A log that is trusted: its public key, PEM; may be given several times
    #[arg(long, value_name = "FILE")]
    log_key: Vec<PathBuf>,

    /// A log that is trusted: its verifier key (NAME+ID+KEY); may be given several times
    #[arg(long, value_name = "VKEY")]
    vkey: Vec<VerifierKey>,

    /// Logs that are trusted, and the witnesses that have to have cosigned (C2SP tlog-policy)
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
}

impl Trust {
    /// Reads what is named.
    pub(super) fn read(&self) -> Result<(TrustRoot, Option<Policy>), Failure> {
        let mut root = TrustRoot::default();
        if let Some(path) = &self.trusted_root {
            let read = TrustRoot::parse(&bytes(path)?);
            root = read.map_err(|error| Exit::NotVerified.with(in_file(path, error)))?;
        }
        for path in &self.log_key {
            let der = public_key_der(&bytes(path)?);
            let der = der.ok_or_else(|| Exit::Usage.with(in_file(path, "no public key in PEM")))?;
            let added = root.add_log_key(&path.display().to_string(), &der);
            added.map_err(|error| Exit::Usage.with(error))?;
        }
        for key in &self.vkey {
            root.add_log_vkey(key.clone());
        }
        let Some(path) = &self.policy else { return Ok((root, None)) };
        let policy = Policy::parse(&String::from_utf8_lossy(&bytes(path)?));
        let policy = policy.map_err(|error| Exit::Usage.with(in_file(path, error)))?;
        for log in &policy.logs {
            root.add_log_vkey(log.key.clone());
        }
        Ok((root, Some(policy)))
    }

    /// Whether anything is named.
    pub(super) fn is_named(&self) -> bool {
        let Self { trusted_root, log_key, vkey, policy } = self;
        trusted_root.is_some() || policy.is_some() || !log_key.is_empty() || !vkey.is_empty()
    }
}

pub(super) fn run(args: Args) -> Result<(), Failure> {
    let (root, policy) = args.trust.read()?;
    if root.has_no_log() {
        let text = "no log is trusted: name a --trusted-root, a --log-key or a --vkey";
        return Err(Exit::Usage.with(text));
    }
    let mut demand = Demand::default();
    demand.identity = args.certificate_identity;
    demand.issuer = args.certificate_oidc_issuer;
    demand.any_identity = args.any_identity;
    if let Some(path) = &args.key {
        let key = demand.set_key(&bytes(path)?);
        key.map_err(|error| Exit::Usage.with(in_file(path, error)))?;
    }
    let artifact = args.artifact.as_deref().map(read_artifact).transpose()?;
    let leaf = args.entry.as_deref().map(bytes).transpose()?;
    let report = verify(&Request {
        file: &bytes(&args.file)?,
        leaf: leaf.as_deref(),
        artifact: artifact.as_ref(),
        trust: &root,
        demand: &demand,
        policy: policy.as_ref(),
        now: unix_seconds(),
    });
    print(&args.file, &report, args.output);
    conclude(&report)
}

/// The failure that a report amounts to, if any.
pub(super) fn conclude(report: &Report) -> Result<(), Failure> {
    match report.is_verified() {
        true => Ok(()),
        false => Err(Exit::NotVerified.with("not verified")),
    }
}

fn print(file: &Path, report: &Report, output: Output) {
    match output {
        Output::Text => {
            println!("{}: {}", file.display(), report.form);
            print_lines(report);
        }
        Output::Json => {
            let mut json = as_json(report);
            json["file"] = file.display().to_string().into();
            println!("{json}");
        }
    }
}

/// The steps, and what they come to.
pub(super) fn print_lines(report: &Report) {
    for line in report.lines() {
        println!("{:<12} {:<12} {}", line.outcome, line.step.name(), line.says);
    }
    println!("{}", if report.is_verified() { "verified" } else { "NOT VERIFIED" });
}

/// The same for machines.
pub(super) fn as_json(report: &Report) -> serde_json::Value {
    use crate::verify::Outcome;
    let outcome = |outcome| match outcome {
        Outcome::Ok => "ok",
        Outcome::Failed => "failed",
        Outcome::NotChecked => "not_checked",
    };
    let steps: Vec<_> = report
        .lines()
        .iter()
        .map(|line| {
            serde_json::json!({
                "step": line.step.name(), "outcome": outcome(line.outcome), "says": line.says,
            })
        })
        .collect();
    serde_json::json!({ "form": report.form, "verified": report.is_verified(), "steps": steps })
}

/// An artifact by file or digest.
pub(super) fn read_artifact(named: &str) -> Result<Artifact, Failure> {
    if let Some(artifact) = Artifact::from_digest(named) {
        return Ok(artifact);
    }
    let path = Path::new(named);
    let mut file = File::open(path).map_err(|error| unreadable(path, &error))?;
    let metadata = file.metadata().map_err(|error| unreadable(path, &error))?;
    if metadata.len() <= VERIFY_ARTIFACT_BYTES_MAX && metadata.is_file() {
        let mut content = Vec::new();
        let read = file.read_to_end(&mut content);
        read.map_err(|error| unreadable(path, &error))?;
        return Ok(Artifact::of(content));
    }
    let (mut reader, mut piece) = (ArtifactReader::default(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut piece).map_err(|error| unreadable(path, &error))? {
            0 => return Ok(reader.finish()),
            length => reader.update(&piece[..length]),
        }
    }
}

/// A whole file, or standard input.
pub(super) fn bytes(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut read = Vec::new();
    let source: Box<dyn std::io::Read> = match path.to_str() {
        Some("-") => Box::new(std::io::stdin()),
        _ => Box::new(File::open(path).map_err(|error| unreadable(path, &error))?),
    };
    let limit = VERIFY_FILE_BYTES_MAX;
    source.take(limit + 1).read_to_end(&mut read).map_err(|error| unreadable(path, &error))?;
    if read.len() as u64 > limit {
        return Err(in_file(path, format!("it is larger than {limit} bytes")).into());
    }
    Ok(read)
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    let exit = match error.kind() {
        std::io::ErrorKind::NotFound => Exit::NotFound,
        _ => Exit::Failure,
    };
    exit.with(in_file(path, error))
}

pub(super) fn in_file(path: &Path, what: impl std::fmt::Display) -> String {
    format!("{}: {what}", path.display())
}
