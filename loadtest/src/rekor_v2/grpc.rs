//! Writes over gRPC: `dev.sigstore.rekor.v2.Rekor/CreateEntry`, request `n` proposes entry `n`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hyper::http::uri::PathAndQuery;
use prost::Message;
use proto::common_v1::PublicKeyDetails;
use proto::rekor_v1::TransparencyLogEntry;
use proto::rekor_v2::{
    CreateEntryRequest, HashedRekordRequestV002, PublicKey, Signature, Verifier,
    create_entry_request, verifier,
};

use crate::client::{Answer, CallError, uri};
use crate::drive::Target;
use crate::entries::{Entry, Signed};
use crate::fault::Fault;
use crate::grpc::Shared;
use crate::rekor_v2::Proposes;
use crate::rekor_v2::check::LoggedEntry;
use crate::rekor_v2::writer::canonical_body;

const CREATE_ENTRY: &str = "/dev.sigstore.rekor.v2.Rekor/CreateEntry";

/// The entries of a run.
pub struct GrpcProposals {
    entries: Vec<Entry>,
    path: PathAndQuery,
}

impl GrpcProposals {
    /// Entries for the log behind this prefix.
    ///
    /// # Errors
    /// A prefix that cannot stand in a path.
    pub fn new(entries: Vec<Entry>, prefix: &str) -> Result<Self, CallError> {
        let path = uri(&format!("{prefix}{CREATE_ENTRY}"))?.into_parts().path_and_query;
        let path = path.ok_or_else(|| CallError::Malformed(format!("request path {prefix:?}")))?;
        Ok(Self { entries, path })
    }
}

/// Writes an entry down as hashedrekord 0.0.2: the request as a message, and the body that the log
/// must hold.
pub fn entry(signed: &Signed) -> Entry {
    let key = PublicKey { raw_bytes: Bytes::from(signed.spki.clone()) };
    let verifier = Verifier {
        key_details: PublicKeyDetails::PkixEcdsaP256Sha256.into(),
        verifier: Some(verifier::Verifier::PublicKey(key)),
    };
    let content = Bytes::from(signed.signature.clone());
    let spec = HashedRekordRequestV002 {
        digest: Bytes::copy_from_slice(&signed.digest),
        signature: Some(Signature { content, verifier: Some(verifier) }),
    };
    let spec = create_entry_request::Spec::HashedRekordRequestV002(spec);
    let request = CreateEntryRequest { spec: Some(spec) }.encode_to_vec();
    let body = canonical_body(
        &STANDARD.encode(signed.digest),
        &STANDARD.encode(&signed.signature),
        &STANDARD.encode(&signed.spki),
    );
    Entry::new(Bytes::from(request), body)
}

/// Reads a message, which keeps the bytes of the answer.
fn decode(answer: Bytes) -> Result<TransparencyLogEntry, Fault> {
    TransparencyLogEntry::decode(answer)
        .map_err(|error| Fault::Framing(format!("TransparencyLogEntry: {error}")))
}

fn unsigned(what: &str, number: i64) -> Result<u64, Fault> {
    number.try_into().map_err(|_| Fault::Framing(format!("{what} is {number}")))
}

impl Proposes for GrpcProposals {
    fn entry(&self, number: u64) -> &Entry {
        &self.entries[number as usize]
    }

    fn parse(answer: &Bytes) -> Result<LoggedEntry, Fault> {
        let missing = |what: &str| Fault::Framing(format!("no {what}"));
        let entry = decode(answer.clone())?;
        let kind_version = entry.kind_version.ok_or_else(|| missing("kind_version"))?;
        let proof = entry.inclusion_proof.ok_or_else(|| missing("inclusion_proof"))?;
        let (proof_index, size) =
            (unsigned("log_index", proof.log_index)?, unsigned("tree_size", proof.tree_size)?);
        Ok(LoggedEntry {
            index: unsigned("log_index", entry.log_index)?,
            log_id: entry.log_id.ok_or_else(|| missing("log_id"))?.key_id.to_vec(),
            kind_version: (kind_version.kind, kind_version.version),
            integrated_time: entry.integrated_time,
            promised: entry.inclusion_promise.is_some(),
            proof: (proof_index, proof.root_hash.to_vec(), size),
            hashes: proof.hashes.iter().map(|hash| hash.to_vec()).collect(),
            checkpoint: proof.checkpoint.ok_or_else(|| missing("checkpoint"))?.envelope,
            body: entry.canonicalized_body.to_vec(),
        })
    }
}

impl Target for GrpcProposals {
    type Link = Shared;

    async fn call(&self, stream: &mut Shared, number: u64) -> Result<Answer, CallError> {
        stream.unary(self.path.clone(), self.entry(number).request.clone()).await
    }

    fn framing(&self, number: u64, answer: &Answer) -> Result<u64, Fault> {
        let entry = decode(answer.body.clone())?;
        if entry.canonicalized_body != self.entry(number).body {
            return Err(Fault::Body);
        }
        unsigned("log_index", entry.log_index)
    }

    fn subject(&self, number: u64) -> String {
        format!("entry {number} ({})", self.entry(number).leaf)
    }
}
