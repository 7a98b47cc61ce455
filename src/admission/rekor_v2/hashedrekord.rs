//! hashedrekord 0.0.2: a signature over a digest that the client computed.
//!
//! The checks are in Rekor's order. Nothing ties the digest to an artifact, and of a certificate
//! only the key counts.

use super::super::index_keys::sha256_hex;
use super::super::kinds::Canonical;
use super::super::policy::Policy;
use super::{SignatureV2, Verifier, body};

/// Judges a request; the error is the reason.
pub(super) fn judge(
    digest: &[u8],
    signature: Option<&SignatureV2>,
    policy: &Policy,
) -> Result<Canonical, String> {
    let signature = signature.filter(|signature| !signature.content.is_empty());
    let signature = signature.ok_or("missing signature")?;
    let verifier = signature.verifier.as_ref().ok_or("missing verifier")?;
    if digest.is_empty() {
        return Err("missing digest".into());
    }
    let verifier = Verifier::read(verifier)?;
    let hash = verifier.details.hash();
    if !policy.is_allowed(verifier.key.key(), hash) {
        return Err(verifier.not_allowed());
    }
    let hash = hash.ok_or_else(|| {
        format!("key details {} have no associated digest algorithm", verifier.details.name)
    })?;
    if digest.len() != hash.output_len() {
        let (found, wanted) = (digest.len(), hash.output_len());
        return Err(format!("the digest has {found} bytes, {} asks for {wanted}", hash.title()));
    }
    let verified = verifier.key.key().verify_digest(hash, digest, &signature.content);
    verified.map_err(|error| format!("verifying signature: {error}"))?;

    let mut index_keys = vec![sha256_hex(verifier.key.canonical())];
    index_keys.extend_from_slice(verifier.key.subjects());
    index_keys.push(format!("{}:{}", hash.name(), hex::encode(digest)));
    let body = body::hashedrekord(hash, digest, &signature.content, &verifier);
    Ok(Canonical { body, index_keys, attestation: None })
}
