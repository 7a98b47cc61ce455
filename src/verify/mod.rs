//! Offline verification: bytes in, a [`Report`] of steps out. No I/O, and the time is an argument.
//!
//! A file brings [evidence](evidence): entries with their proofs, timestamps, a signer, what was
//! signed. [`verify`] holds it against whom one trusts ([`TrustRoot`], a [`Policy`] of witnesses)
//! and whom one expects ([`Demand`]), in this order: is the entry in a trusted log (`inclusion`),
//! when was it (`timestamp`), whose is the certificate (`certificate`, `sct`), does the signature
//! hold, and are entry and artifact what it is over (`content`).

mod artifact;
mod body;
mod bundle;
mod certificate;
mod content;
mod cosign_bundle;
mod evidence;
mod inclusion;
mod json;
mod log_entry;
mod report;
mod sct;
mod timestamp;
mod trust_root;

use tlog::Policy;
use x509_cert::der::DateTime;

use crate::admission::pki::key::Key;
use crate::admission::pki::pem;
use crate::admission::pki::x509::Certificate;

pub use artifact::{Artifact, ArtifactReader};
pub use report::{Line, Outcome, Report, Step};
pub use trust_root::{TrustRoot, TrustRootError};

use body::{Body, BodySigner};
use content::Maker;
use evidence::{Evidence, Form, Signer};
use inclusion::Needs;
use trust_root::LogKey;

/// Whom one expects to have signed.
#[derive(Clone, Debug, Default)]
pub struct Demand {
    key: Option<Key>,
    /// A name in the certificate: an e-mail address, a URI, whatever the authority writes.
    pub identity: Option<String>,
    /// Who vouched for that name (the issuer of the identity token).
    pub issuer: Option<String>,
    /// A certificate of anybody will do.
    pub any_identity: bool,
}

/// Not a public key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is no public key in PEM that signatures can be checked with{0}")]
pub struct NoKey(String);

impl Demand {
    /// Expects this public key, PEM.
    ///
    /// # Errors
    /// [`NoKey`].
    pub fn set_key(&mut self, text: &[u8]) -> Result<(), NoKey> {
        let block = pem::first_block(text).map(|(block, _)| block);
        let block = block.filter(|block| block.label == "PUBLIC KEY");
        let block = block.ok_or_else(|| NoKey(String::new()))?;
        self.key = Some(Key::from_spki(&block.contents).map_err(|why| NoKey(format!(": {why}")))?);
        Ok(())
    }

    fn names_somebody(&self) -> bool {
        self.identity.is_some() || self.issuer.is_some()
    }
}

/// What is to be verified, and against what.
pub struct Request<'a> {
    /// The file, of any form that is known.
    pub file: &'a [u8],
    /// The entry that a tlog-proof is about: its leaf bytes.
    pub leaf: Option<&'a [u8]>,
    /// What is said to be signed; bundles prove nothing without it.
    pub artifact: Option<&'a Artifact>,
    /// Whom one trusts.
    pub trust: &'a TrustRoot,
    /// Whom one expects.
    pub demand: &'a Demand,
    /// Which cosignatures are enough; without it none is looked at.
    pub policy: Option<&'a Policy>,
    /// Seconds since 1970. Counts only where nothing proves another time.
    pub now: i64,
}

/// A time, and who says so.
struct Proven {
    time: i64,
    by: String,
}

/// Verifies all that can be.
pub fn verify(request: &Request<'_>) -> Report {
    let mut report = Report::default();
    report.needs(&[Step::Format]);
    let evidence = match evidence::read(request.file, request.leaf) {
        Ok(evidence) => evidence,
        Err(why) => {
            report.failed(Step::Format, why);
            return report;
        }
    };
    report.form = evidence.form.describe();
    let bodies = bodies(&mut report, &evidence);
    demand(&mut report, request, &evidence);

    let mut times = Vec::new();
    let mut logs = Vec::new();
    for entry in &evidence.entries {
        let found = inclusion::check(&mut report, request, entry, needs(evidence.form));
        let Some((log, proven)) = found else { continue };
        logs.push(log);
        times.extend(proven);
    }
    let signature = evidence.content.as_ref().map(evidence::Content::signature);
    let stamped = signature.unwrap_or_default();
    times.extend(timestamp::check(&mut report, request, &evidence.timestamps, stamped));
    windows(&mut report, &logs, &times, request.now);

    match &evidence.content {
        Some(_) => bundle_signer(&mut report, request, &evidence, &bodies, &times),
        None => entry_signer(&mut report, request, &bodies, &times),
    }
    report
}

/// Reads the entries, which have to be what stands beside them.
fn bodies(report: &mut Report, evidence: &Evidence) -> Vec<Body> {
    let mut bodies = Vec::new();
    for entry in &evidence.entries {
        let body = Body::read(&entry.body).and_then(|body| {
            let says = entry.kind_version.as_ref();
            let same = says.is_none_or(|(k, v)| (k, v) == (&body.kind, &body.version));
            let other = || "the entry's body is of another kind than it says beside it".to_owned();
            let says = format!("{}, {} {}", evidence.form.describe(), body.kind, body.version);
            same.then_some((body, says)).ok_or_else(other)
        });
        // What a log of bytes holds need not be read.
        let body = match body {
            Err(_) if evidence.form == Form::TlogProof => Ok((Body::unread(), "bytes".to_owned())),
            other => other,
        };
        bodies.extend(report.judge(Step::Format, body));
    }
    bodies
}

/// Which proofs each form has to bring: version 0.1 of bundles knew only the promise, later ones
/// have to have the proof.
fn needs(form: Form) -> Needs {
    match form {
        Form::Bundle { version: 1 } | Form::Cosign => Needs { promise: true, proof: false },
        Form::RekorV1 => Needs { promise: false, proof: false },
        Form::Bundle { .. } | Form::TransparencyLogEntry | Form::TlogProof => {
            Needs { promise: false, proof: true }
        }
    }
}

/// Without what nothing is verified.
fn demand(report: &mut Report, request: &Request<'_>, evidence: &Evidence) {
    report.needs(&[Step::Log]);
    report.needs(&[Step::Promise, Step::Inclusion]);
    let Needs { promise, proof } = needs(evidence.form);
    if promise {
        report.needs(&[Step::Promise]);
    }
    if proof {
        report.needs(&[Step::Inclusion]);
        report.needs(&[Step::Checkpoint]);
    }
    if evidence.form.is_bundle() {
        report.needs(&[Step::Signature]);
        report.needs(&[Step::Entry]);
        report.needs(&[Step::Identity, Step::Key]);
    }
    if evidence.form.is_bundle() || request.artifact.is_some() {
        report.needs(&[Step::Artifact]);
    }
    if request.policy.is_some() {
        report.needs(&[Step::Witnesses]);
    }
    if request.demand.key.is_some() {
        report.needs(&[Step::Key]);
    }
    if request.demand.names_somebody() {
        report.needs(&[Step::Identity]);
        report.needs(&[Step::Certificate]);
    }
}

/// The keys of logs are trusted for a while: at one of the proven times, or now if there is none.
fn windows(report: &mut Report, logs: &[&LogKey], times: &[Proven], now: i64) {
    for log in logs {
        let proven = times.iter().map(|proven| proven.time);
        let times: Vec<i64> = if times.is_empty() { vec![now] } else { proven.collect() };
        if !times.iter().all(|time| log.window.covers(*time)) {
            let at: Vec<String> = times.iter().map(|time| time_text(*time)).collect();
            let says = format!("{} is not trusted at {}", log.name, at.join(", "));
            report.failed(Step::Log, says);
        }
    }
}

/// A bundle: signer, signature, entry and artifact.
fn bundle_signer(
    report: &mut Report,
    request: &Request<'_>,
    evidence: &Evidence,
    bodies: &[Body],
    times: &[Proven],
) {
    let Some(content) = &evidence.content else { return };
    let maker = match (&evidence.signer, &request.demand.key) {
        (Some(Signer::Certificates(all)), None) => {
            certificate(report, request, all, times);
            all.first().map(Maker::Certificate)
        }
        (Some(Signer::Certificates(all)), Some(key)) => {
            if request.demand.names_somebody() {
                certificate(report, request, all, times);
            } else {
                let says = "the key was given, so nothing rests on the certificate";
                report.not_checked(Step::Certificate, says);
            }
            let of = all.first().filter(|leaf| leaf.key == *key);
            let same = of.map(|_| ((), format!("the certificate is of the given key, {key}")));
            let same = same.ok_or_else(|| "the certificate is of another key".to_owned());
            report.judge(Step::Key, same);
            all.first().map(Maker::Certificate)
        }
        (_, Some(key)) => {
            report.ok(Step::Key, format!("the signature is held against the given key, {key}"));
            Some(Maker::Key(key))
        }
        (Some(Signer::Hint(hint)), None) => {
            let says = format!("it was signed with a key (hint {hint:?}): name it with --key");
            report.failed(Step::Key, says);
            None
        }
        (None, None) => None,
    };
    let Some(artifact) = request.artifact else {
        report.failed(Step::Artifact, "nothing was named that was signed");
        return;
    };
    content::artifact(report, content, artifact);
    let Some(maker) = maker else { return };
    let signed = content::signed_bytes(content, artifact);
    let verified = signed.verify(maker.key(), content.signature());
    let verified = verified.map(|by| ((), format!("by {by}, over {}", signed.describe())));
    report.judge(Step::Signature, verified);
    for body in bodies {
        report.judge(Step::Entry, content::entry(body, content, maker, &signed));
    }
}

fn certificate(report: &mut Report, request: &Request<'_>, all: &[Certificate], times: &[Proven]) {
    report.needs(&[Step::Certificate]);
    report.needs(&[Step::Time]);
    if !request.trust.ct_logs.is_empty() {
        report.needs(&[Step::Sct]);
    }
    certificate::check(report, request.trust, all, times);
    let Some(leaf) = all.first() else { return };
    let demand = request.demand;
    if demand.any_identity || (demand.identity.is_some() && demand.issuer.is_some()) {
        certificate::identity(report, leaf, demand);
    } else {
        report.failed(Step::Identity, "nobody said whose certificate it has to be, and by whom");
    }
}

/// An entry alone: what it says of itself, and of whom one expects.
fn entry_signer(report: &mut Report, request: &Request<'_>, bodies: &[Body], times: &[Proven]) {
    let demand = request.demand;
    for body in bodies {
        content::alone(report, body, request.artifact);
        let signers: Vec<&BodySigner> = body.signatures.iter().map(|one| &one.signer).collect();
        if let Some(key) = &demand.key {
            let found = signers.iter().any(|signer| signer.key() == key);
            let says = found.then(|| ((), format!("the entry is by the given key, {key}")));
            report.judge(Step::Key, says.ok_or_else(|| "the entry is by another key".to_owned()));
        }
        for signer in signers {
            let BodySigner::Certificate(leaf) = signer else { continue };
            if demand.names_somebody() {
                certificate::check(report, request.trust, std::slice::from_ref(leaf), times);
                certificate::identity(report, leaf, demand);
            } else {
                let names = leaf.subjects().unwrap_or_default().join(", ");
                let says = format!("the entry is by a certificate of {names}: nobody was expected");
                report.not_checked(Step::Identity, says);
            }
        }
    }
}

/// A time as people and machines read it (RFC 3339); its number if it has no such form.
fn time_text(seconds: i64) -> String {
    let since = u64::try_from(seconds).ok().map(std::time::Duration::from_secs);
    let time = since.and_then(|since| DateTime::from_unix_duration(since).ok());
    time.map_or_else(|| seconds.to_string(), |time| time.to_string())
}
