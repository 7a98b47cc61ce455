//! dsse 0.0.2: which verifiers account for which signatures, every reason, the stored form.

use super::*;
use crate::admission::index_keys::sha256_hex;
use crate::admission::{EnvelopeSignatureV2, EnvelopeV2};

fn sig(sig: Vec<u8>) -> EnvelopeSignatureV2 {
    EnvelopeSignatureV2 { sig, keyid: String::new() }
}

/// Over [`STATEMENT`].
fn envelope(signatures: Vec<EnvelopeSignatureV2>) -> EnvelopeV2 {
    EnvelopeV2 { payload: STATEMENT.into(), payload_type: IN_TOTO.into(), signatures }
}

fn dsse(signatures: Vec<EnvelopeSignatureV2>, verifiers: Vec<VerifierV2>) -> RequestV2 {
    RequestV2::Dsse { envelope: Some(envelope(signatures)), verifiers }
}

fn signed(signers: &[(&Signer, &str)]) -> RequestV2 {
    let message = pae(IN_TOTO, STATEMENT);
    let signatures = signers.iter().map(|(signer, _)| sig(signer.sign(&message))).collect();
    dsse(signatures, signers.iter().map(|(signer, name)| verifier(signer, name)).collect())
}

fn parts(request: &mut RequestV2) -> (&mut EnvelopeV2, &mut Vec<VerifierV2>) {
    let RequestV2::Dsse { envelope: Some(envelope), verifiers } = request else { panic!() };
    (envelope, verifiers)
}

const P256: &str = "ECDSA_P256_SHA_256";
const RSA: &str = "RSA_PKCS1V15_2048_SHA256";
const UNMATCHED: &str = "could not verify envelope: a verifier matches no signature";
const UNCOVERED: &str = "all signatures must have a key that verifies it";

#[test]
fn signatures_are_sorted_and_each_is_logged_with_its_verifier() {
    let (p256, p384, rsa, ed25519) =
        (Signer::p256(), Signer::p384(), Signer::rsa(), Signer::ed25519());
    for signers in [
        vec![(&p256, P256)],
        vec![(&ed25519, "ED25519")],
        vec![(&ed25519, "ED25519_PH")], // signs the message all the same
        vec![(&p384, "ECDSA_P384_SHA_384")],
        vec![(&p256, P256), (&rsa, RSA), (&ed25519, "ED25519"), (&p384, "ECDSA_P384_SHA_384")],
    ] {
        let mut request = signed(&signers);
        let leaf = admitted(&request).leaf_hash();
        // The order in which they come is not logged.
        parts(&mut request).0.signatures.reverse();
        let entry = admit(&request.clone().into(), &policy()).unwrap();
        assert_eq!(entry.leaf_hash(), leaf);
        parts(&mut request).1.reverse();
        assert_eq!(admitted(&request).leaf_hash(), leaf);
    }
}

#[test]
fn index_keys_are_those_of_v1() {
    let signer = Signer::p256();
    let entry = admitted(&signed(&[(&signer, P256)]));
    let expected = [
        format!("sha256:{}", sha256_hex(signer.pem().as_bytes())),
        format!("sha256:{}", sha256_hex(STATEMENT)),
        "sha256:abcd".into(),
        "sha1:ef".into(),
    ];
    assert_eq!(entry.index_keys(), expected);
}

#[test]
fn every_reason_in_order() {
    let (a, b) = (Signer::p256(), Signer::p256());
    let good = signed(&[(&a, P256)]);
    admitted(&good);
    let with = |change: &dyn Fn(&mut EnvelopeV2, &mut Vec<VerifierV2>)| {
        let mut request = good.clone();
        let (envelope, verifiers) = parts(&mut request);
        change(envelope, verifiers);
        request
    };
    let no_envelope = RequestV2::Dsse { envelope: None, verifiers: Vec::new() };
    assert_eq!(reason(&no_envelope), "missing envelope");
    for (request, text) in [
        (with(&|e, v| (v.clear(), e.signatures.clear()).0), "missing verifiers"),
        (with(&|e, _| e.signatures.clear()), "missing signatures"),
        (with(&|_, v| *v = vec![v[0].clone(); 11]), "more than 10 verifiers"),
        (with(&|e, _| e.signatures = vec![e.signatures[0].clone(); 11]), "more than 10 signatures"),
        (with(&|e, _| e.signatures.push(sig(Vec::new()))), "empty signature"),
        (with(&|_, v| v[0].key_details = 0), "unknown signature algorithm 0"),
        (with(&|_, v| v[0].key = None), "invalid verifier: missing public key or certificate"),
        (
            with(&|_, v| v[0] = verifier(&Signer::p384(), P256)),
            "the key, with key details PKIX_ECDSA_P256_SHA_256, is not allowed",
        ),
        (with(&|_, v| v.push(v[0].clone())), "duplicate verifiers"),
        (
            with(&|_, v| v.push(verifier(&b, "ED25519"))),
            "the key, with key details PKIX_ED25519, is not allowed",
        ),
        (with(&|_, v| v.push(verifier(&b, P256))), UNMATCHED),
        (with(&|_, v| v[0] = verifier(&b, P256)), UNMATCHED),
        (with(&|e, _| e.payload_type.push('x')), UNMATCHED),
        (with(&|e, _| e.payload.push(0)), UNMATCHED),
        (with(&|e, _| e.signatures.push(sig(vec![1]))), UNCOVERED),
        // One signature a verifier.
        (with(&|e, _| e.signatures.push(sig(a.sign(&pae(IN_TOTO, STATEMENT))))), UNCOVERED),
    ] {
        assert_eq!(reason(&request), text);
    }
    let mut policy = policy();
    policy.allow_algorithms(&["ecdsa-sha2-256-nistp256"]).unwrap();
    let pure = signed(&[(&Signer::ed25519(), "ED25519")]);
    assert!(matches!(refused_by(&policy, &pure), Rejection::Masked { .. }));
}

/// As Rekor 2.2.1 has it; some clients name keys in ways of their own.
#[test]
fn the_key_that_a_signature_names_does_not_matter() {
    let mut request = signed(&[(&Signer::p256(), P256)]);
    let leaf = admitted(&request).leaf_hash();
    parts(&mut request).0.signatures[0].keyid = "another".into();
    assert_eq!(admitted(&request).leaf_hash(), leaf);
}

#[test]
fn equal_signatures_are_one() {
    let signer = Signer::p256();
    let mut request = signed(&[(&signer, P256)]);
    let leaf = admitted(&request).leaf_hash();
    let (envelope, _) = parts(&mut request);
    envelope.signatures.push(envelope.signatures[0].clone());
    assert_eq!(admit(&request.into(), &policy()).unwrap().leaf_hash(), leaf);
}

#[test]
fn an_empty_payload_has_a_hash_too() {
    let signer = Signer::ed25519();
    let mut request =
        dsse(vec![sig(signer.sign(b"DSSEv1 0  0 "))], vec![verifier(&signer, "ED25519")]);
    let (envelope, _) = parts(&mut request);
    (envelope.payload, envelope.payload_type) = (Vec::new(), String::new());
    let entry = admitted(&request);
    let body = str::from_utf8(entry.body()).unwrap();
    assert!(body.contains("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="), "{body}");
}
