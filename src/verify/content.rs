//! The signature over the artifact or over an envelope that speaks of it, and whether the log's
//! entry is about that signature by that key.

use serde::Deserialize;
use std::collections::BTreeMap;

use super::artifact::Artifact;
use super::body::{Body, BodySigner, Signed};
use super::evidence::Content;
use super::report::{Report, Step};
use crate::admission::pki::key::Key;
use crate::admission::pki::x509::Certificate;

/// The payload type of in-toto statements.
const IN_TOTO: &str = "application/vnd.in-toto+json";

/// Who is taken to have signed.
#[derive(Clone, Copy)]
pub(super) enum Maker<'a> {
    Key(&'a Key),
    Certificate(&'a Certificate),
}

impl<'a> Maker<'a> {
    pub(super) fn key(self) -> &'a Key {
        match self {
            Self::Key(key) => key,
            Self::Certificate(certificate) => &certificate.key,
        }
    }

    /// Whether it is the one that an entry names. A certificate is more than its key.
    fn is(self, named: &BodySigner) -> bool {
        match (self, named) {
            (Self::Key(key), named) => key == named.key(),
            (Self::Certificate(own), BodySigner::Certificate(named)) => own.der == named.der,
            (Self::Certificate(_), BodySigner::Key(_)) => false,
        }
    }
}

/// What the signature is over: the artifact, or an envelope's pre-authentication encoding.
pub(super) fn signed_bytes(content: &Content, artifact: &Artifact) -> Artifact {
    match content {
        Content::Message { .. } => artifact.clone(),
        Content::Envelope { payload_type, payload, .. } => Artifact::of(pae(payload_type, payload)),
    }
}

/// DSSE's pre-authentication encoding.
fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut out = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
    out.reserve(payload.len());
    [out.as_bytes(), payload].concat()
}

/// Whether what was signed is about the artifact.
pub(super) fn artifact(report: &mut Report, content: &Content, artifact: &Artifact) {
    let named = artifact.describe();
    let result = match content {
        Content::Message { digest: None, .. } => Ok(((), format!("{named} is what was signed"))),
        Content::Message { digest: Some((hash, digest)), .. } => match artifact.digest(*hash) {
            Some(own) if own == digest => Ok(((), format!("{named} is what was signed"))),
            Some(_) => Err(format!("{named} is not the artifact of the bundle's digest")),
            None => Err(format!("its {} is needed, not {named}", hash.name())),
        },
        Content::Envelope { payload_type, payload, .. } if payload_type == IN_TOTO => {
            subject(payload, artifact)
        }
        Content::Envelope { payload_type, .. } => {
            Err(format!("payloads of type {payload_type:?} do not say what they are about"))
        }
    };
    report.judge(Step::Artifact, result);
}

#[derive(Deserialize)]
struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    subject: Vec<Subject>,
}

#[derive(Deserialize)]
struct Subject {
    #[serde(default)]
    name: Option<String>,
    digest: BTreeMap<String, String>,
}

fn subject(payload: &[u8], artifact: &Artifact) -> Result<((), String), String> {
    let statement: Statement = serde_json::from_slice(payload)
        .map_err(|error| format!("the payload is no in-toto statement: {error}"))?;
    if !statement.kind.starts_with("https://in-toto.io/Statement/v") {
        return Err(format!("the payload is no in-toto statement, but {:?}", statement.kind));
    }
    // Of each subject all digests that can be compared have to be the artifact's.
    let is_it = |subject: &&Subject| {
        let compared =
            subject.digest.iter().filter_map(|(name, hex)| artifact.has_digest(name, hex));
        let compared: Vec<bool> = compared.collect();
        !compared.is_empty() && compared.iter().all(|same| *same)
    };
    let found = statement.subject.iter().find(is_it);
    let named = artifact.describe();
    let found = found.ok_or_else(|| format!("{named} is no subject of the statement"))?;
    let name = found.name.as_deref().unwrap_or("without a name");
    Ok(((), format!("{named} is a subject of the signed statement: {name}")))
}

/// Whether an entry is about this signature, by this maker, over this content.
///
/// # Errors
/// How it differs.
pub(super) fn entry(
    body: &Body,
    content: &Content,
    maker: Maker<'_>,
    signed: &Artifact,
) -> Result<((), String), String> {
    let kind = format!("{} {}", body.kind, body.version);
    match (&body.signed, content) {
        (Signed::Digest(hash, digest), _) => match signed.digest(*hash) {
            Some(own) if own == digest => {}
            Some(_) => return Err(format!("the {kind} entry is of another digest")),
            None => return Err(format!("the {kind} entry is of a {} digest", hash.name())),
        },
        (Signed::Payload(sha256), Content::Envelope { payload, .. }) => {
            if tlog::hash::sha256(payload) != sha256.as_slice() {
                return Err(format!("the {kind} entry is of another payload"));
            }
        }
        (Signed::Payload(_), Content::Message { .. }) => {
            return Err(format!("the {kind} entry is of an envelope, not of an artifact"));
        }
        (Signed::Unread, _) => return Err(format!("entries of kind {kind} prove no signature")),
    }
    let [one] = body.signatures.as_slice() else {
        return Err(format!("the {kind} entry has {} signatures", body.signatures.len()));
    };
    if one.signature != content.signature() {
        return Err(format!("the {kind} entry is of another signature"));
    }
    if !maker.is(&one.signer) {
        return Err(format!("the {kind} entry is of another signer"));
    }
    Ok(((), format!("the {kind} entry is of this signature by this signer")))
}

/// What an entry that stands alone says of an artifact, and of its own signature.
pub(super) fn alone(report: &mut Report, body: &Body, artifact: Option<&Artifact>) {
    let kind = format!("{} {}", body.kind, body.version);
    match (&body.signed, body.signatures.as_slice()) {
        (Signed::Digest(hash, digest), [one]) => {
            let signed = format!("{}:{}", hash.name(), hex::encode(digest));
            let verified = match Artifact::from_digest(&signed) {
                Some(artifact) => artifact.verify(one.signer.key(), &one.signature),
                None => Err("the digest is malformed".into()),
            };
            let verified = verified.map(|by| ((), format!("by {by}, over {signed}")));
            report.judge(Step::Signature, verified);
        }
        _ => report.not_checked(
            Step::Signature,
            format!("a {kind} entry does not hold what was signed; the log checked it"),
        ),
    }
    let Some(artifact) = artifact else {
        report.not_checked(Step::Artifact, "no artifact was named");
        return;
    };
    let named = artifact.describe();
    let found = body
        .digests
        .iter()
        .find(|(_, name, digits)| artifact.has_digest(name, digits) == Some(true))
        .map(|(place, ..)| ((), format!("{named} is the {place} of the {kind} entry")))
        .ok_or_else(|| format!("the {kind} entry does not name {named}"));
    report.judge(Step::Artifact, found);
}
