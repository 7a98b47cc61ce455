//! Messages ↔ what the hall takes and gives.

use bytes::Bytes;
use proto::{common_v1, log_v1, rekor_v1, rekor_v2};
use tlog::{InclusionProof, NodeHash};
use tonic::Status;

use crate::admission::{
    EnvelopeSignatureV2, EnvelopeV2, KeyV2, Proposal, Proposed, RequestV2, SignatureV2, VerifierV2,
};
use crate::log::LoggedEntry;
use crate::publisher::Published;

/// A proposed entry of Rekor v2.
pub(super) fn request(message: rekor_v2::CreateEntryRequest) -> RequestV2 {
    use rekor_v2::create_entry_request::Spec;
    #[expect(deprecated, reason = "released clients still send dsse entries")]
    match message.spec {
        Some(Spec::HashedRekordRequestV002(request)) => RequestV2::HashedRekord {
            digest: request.digest.into(),
            signature: request.signature.map(|signature| SignatureV2 {
                content: signature.content.into(),
                verifier: signature.verifier.map(verifier),
            }),
        },
        Some(Spec::DsseRequestV002(request)) => RequestV2::Dsse {
            envelope: request.envelope.map(|envelope| EnvelopeV2 {
                payload: envelope.payload.into(),
                payload_type: envelope.payload_type,
                signatures: envelope
                    .signatures
                    .into_iter()
                    .map(|line| EnvelopeSignatureV2 { sig: line.sig.into(), keyid: line.keyid })
                    .collect(),
            }),
            verifiers: request.verifiers.into_iter().map(verifier).collect(),
        },
        None => RequestV2::None,
    }
}

fn verifier(message: rekor_v2::Verifier) -> VerifierV2 {
    use rekor_v2::verifier::Verifier;
    let key = message.verifier.map(|verifier| match verifier {
        Verifier::PublicKey(key) => KeyV2::PublicKey(key.raw_bytes.into()),
        Verifier::X509Certificate(certificate) => KeyV2::Certificate(certificate.raw_bytes.into()),
    });
    VerifierV2 { key, key_details: message.key_details }
}

/// What is appended.
///
/// # Errors
/// INVALID_ARGUMENT for an item without entry, or one whose JSON is no proposed entry.
pub(super) fn proposed(item: Option<log_v1::Item>) -> Result<Proposed, Status> {
    use log_v1::item::Entry;
    match item.and_then(|item| item.entry) {
        Some(Entry::Raw(bytes)) => Ok(Proposed::Raw(bytes)),
        Some(Entry::RekorV1(json)) => Proposal::from_json(&json)
            .map(Proposed::RekorV1)
            .map_err(|error| Status::invalid_argument(error.to_string())),
        Some(Entry::RekorV2(message)) => Ok(Proposed::RekorV2(request(message))),
        None => Err(Status::invalid_argument("the item has no entry")),
    }
}

/// An entry of Rekor v2 with its proof.
pub(super) fn tle(kind: &str, entry: LoggedEntry) -> rekor_v1::TransparencyLogEntry {
    // Indices and sizes of a log fit 63 bits: it would take centuries to fill them.
    let index = entry.proof.index.0.cast_signed();
    let size = entry.proof.size.0.cast_signed();
    let root = entry.checkpoint.head.root;
    rekor_v1::TransparencyLogEntry {
        log_index: index,
        log_id: Some(common_v1::LogId { key_id: Bytes::copy_from_slice(&entry.log_id) }),
        kind_version: Some(rekor_v1::KindVersion {
            kind: kind.to_owned(),
            version: RequestV2::VERSION.to_owned(),
        }),
        integrated_time: 0,
        inclusion_promise: None,
        inclusion_proof: Some(rekor_v1::InclusionProof {
            log_index: index,
            root_hash: Bytes::copy_from_slice(root.as_bytes()),
            tree_size: size,
            hashes: hashes(&entry.proof.hashes),
            checkpoint: Some(rekor_v1::Checkpoint {
                envelope: entry.checkpoint.cosigned.to_string(),
            }),
        }),
        canonicalized_body: entry.body.into(),
    }
}

/// A proof to a published checkpoint.
pub(super) fn inclusion_proof(
    proof: &InclusionProof,
    root: &[u8; 32],
    checkpoint: Option<&Published>,
) -> log_v1::InclusionProof {
    log_v1::InclusionProof {
        tree_index: proof.index.0,
        tree_size: proof.size.0,
        root_hash: Bytes::copy_from_slice(root),
        hashes: hashes(&proof.hashes),
        checkpoint: checkpoint.map(|found| found.cosigned.to_string()).unwrap_or_default(),
    }
}

/// A published checkpoint.
pub(super) fn checkpoint(origin: &str, published: &Published) -> log_v1::Checkpoint {
    log_v1::Checkpoint {
        origin: origin.to_owned(),
        tree_size: published.head.size.0,
        root_hash: Bytes::copy_from_slice(published.head.root.as_bytes()),
        note: published.cosigned.to_string(),
    }
}

pub(super) fn hashes(hashes: &[NodeHash]) -> Vec<Bytes> {
    hashes.iter().map(|hash| Bytes::copy_from_slice(hash.as_bytes())).collect()
}
