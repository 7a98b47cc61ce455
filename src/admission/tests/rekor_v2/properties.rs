//! Properties: nothing unverified gets in, nothing panics, bodies are canonical.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::admission::{EnvelopeSignatureV2, EnvelopeV2};

/// Good requests of both kinds.
static GOOD: LazyLock<Vec<RequestV2>> = LazyLock::new(|| {
    let (p256, ed25519, rsa) = (Signer::p256(), Signer::ed25519(), Signer::rsa());
    let (certified, der) = certified(&[]);
    let key_details = details("ECDSA_P256_SHA_256");
    let certificate = VerifierV2 { key: Some(KeyV2::Certificate(der)), key_details };
    let message = pae("kind", b"payload");
    let sig =
        |signer: &Signer| EnvelopeSignatureV2 { sig: signer.sign(&message), keyid: String::new() };
    let envelope = EnvelopeV2 {
        payload: b"payload".into(),
        payload_type: "kind".into(),
        signatures: vec![sig(&p256), sig(&ed25519)],
    };
    vec![
        request(verifier(&p256, "ECDSA_P256_SHA_256"), "sha256", p256.sign(CONTENT)),
        request(verifier(&rsa, "RSA_PKCS1V15_2048_SHA256"), "sha256", rsa.sign(CONTENT)),
        request(verifier(&ed25519, "ED25519_PH"), "sha512", ed25519.sign_ph(CONTENT)),
        request(certificate, "sha256", certified.sign(CONTENT)),
        RequestV2::Dsse {
            envelope: Some(envelope),
            verifiers: vec![verifier(&p256, "ECDSA_P256_SHA_256"), verifier(&ed25519, "ED25519")],
        },
    ]
});

fn judge(request: &RequestV2) {
    if let Ok(entry) = admit(&request.clone().into(), &policy()) {
        let body: Value = serde_json::from_slice(entry.body()).unwrap();
        assert_eq!(serde_json_canonicalizer::to_vec(&body).unwrap(), entry.body());
        assert_eq!(entry.leaf_hash(), tlog::hash_leaf(entry.body()));
    }
}

/// All byte strings of a request that are covered by its signatures or are signatures.
fn covered(request: &mut RequestV2) -> Vec<&mut Vec<u8>> {
    match request {
        RequestV2::HashedRekord { digest, signature } => {
            vec![digest, &mut signature.as_mut().unwrap().content]
        }
        RequestV2::Dsse { envelope, .. } => {
            let envelope = envelope.as_mut().unwrap();
            let signatures = envelope.signatures.iter_mut().map(|s| &mut s.sig);
            std::iter::once(&mut envelope.payload).chain(signatures).collect()
        }
        RequestV2::None => Vec::new(),
    }
}

fn keys(request: &mut RequestV2) -> Vec<&mut Vec<u8>> {
    let verifiers: Vec<&mut VerifierV2> = match request {
        RequestV2::HashedRekord { signature, .. } => {
            signature.as_mut().unwrap().verifier.iter_mut().collect()
        }
        RequestV2::Dsse { verifiers, .. } => verifiers.iter_mut().collect(),
        RequestV2::None => Vec::new(),
    };
    let keys = verifiers.into_iter().filter_map(|verifier| verifier.key.as_mut());
    keys.map(|key| match key {
        KeyV2::PublicKey(der) | KeyV2::Certificate(der) => der,
    })
    .collect()
}

#[test]
fn the_requests_that_are_damaged_here_are_good() {
    GOOD.iter().for_each(|request| drop(admitted(request)));
}

proptest! {
    #[test]
    fn a_changed_bit_of_what_is_signed_or_signs_is_never_admitted(
        which in any::<prop::sample::Index>(),
        part in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        bit in 0_u32..8,
    ) {
        let mut request = which.get(&GOOD).clone();
        let mut parts = covered(&mut request);
        let part = part.index(parts.len());
        let at = at.index(parts[part].len());
        parts[part][at] ^= 1 << bit;
        let refused = admit(&request.clone().into(), &policy());
        prop_assert!(matches!(refused, Err(Rejection::Masked { .. })), "{request:?}");
    }

    #[test]
    fn a_damaged_key_is_read_or_refused(
        which in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        bytes in proptest::collection::vec(any::<u8>(), 0..4),
        details in -1..25,
    ) {
        let mut request = which.get(&GOOD).clone();
        for key in keys(&mut request) {
            let at = at.index(key.len());
            let end = (at + bytes.len()).min(key.len());
            key.splice(at..end, bytes.iter().copied());
        }
        judge(&request);
        if let RequestV2::HashedRekord { signature: Some(signature), .. } = &mut request {
            signature.verifier.as_mut().unwrap().key_details = details;
        }
        judge(&request);
    }

    #[test]
    fn any_key_and_signature_are_judged(
        key in proptest::collection::vec(any::<u8>(), 0..200),
        content in proptest::collection::vec(any::<u8>(), 0..150),
        digest in proptest::collection::vec(any::<u8>(), 0..66),
        is_certificate in any::<bool>(),
        key_details in -1..25,
    ) {
        let key = if is_certificate { KeyV2::Certificate(key) } else { KeyV2::PublicKey(key) };
        let verifier = Some(VerifierV2 { key: Some(key), key_details });
        let signature = Some(SignatureV2 { content: content.clone(), verifier: verifier.clone() });
        judge(&RequestV2::HashedRekord { digest, signature });
        let signatures = vec![EnvelopeSignatureV2 { sig: content, keyid: String::new() }];
        let envelope = Some(EnvelopeV2 { signatures, ..EnvelopeV2::default() });
        judge(&RequestV2::Dsse { envelope, verifiers: verifier.into_iter().collect() });
    }
}
