//! Rekor v2 entries: requests made with fresh keys, every reason for a refusal, the leaf bytes held
//! against an independent RFC 8785 implementation, and what real logs stored.

mod dsse;
mod golden;
mod hashedrekord;
mod properties;

use rcgen::{CertificateParams, Issuer, KeyPair, SanType};
use serde_json::{Value, json};

use super::signer::*;
use crate::admission::base64::encode;
use crate::admission::{
    Accepts, AdmittedEntry, KeyV2, Policy, Rejection, RequestV2, SignatureV2, VerifierV2, admit,
    key_details_number,
};

fn policy() -> Policy {
    Policy::of(Accepts::RekorV2)
}

/// A number of `PublicKeyDetails` by the end of its name.
fn details(name: &str) -> i32 {
    key_details_number(&format!("PKIX_{name}")).unwrap()
}

fn verifier(signer: &Signer, name: &str) -> VerifierV2 {
    VerifierV2 { key: Some(KeyV2::PublicKey(signer.spki())), key_details: details(name) }
}

fn digest_of(algorithm: &str) -> Vec<u8> {
    hex::decode(hex_digest(algorithm, CONTENT)).unwrap()
}

/// A request over [`CONTENT`].
fn request(verifier: VerifierV2, algorithm: &str, content: Vec<u8>) -> RequestV2 {
    let signature = Some(SignatureV2 { content, verifier: Some(verifier) });
    RequestV2::HashedRekord { digest: digest_of(algorithm), signature }
}

/// A P-256 key and a certificate for it, issued by another key.
fn certified(names: &[SanType]) -> (Signer, Vec<u8>) {
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let mut params = CertificateParams::default();
    params.subject_alt_names = names.to_vec();
    let issuer_key = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let issuer = Issuer::new(CertificateParams::default(), issuer_key);
    let certificate = params.signed_by(&key, &issuer).unwrap().der().to_vec();
    let algorithm = &aws_lc_rs::signature::ECDSA_P256_SHA256_ASN1_SIGNING;
    let key = aws_lc_rs::signature::EcdsaKeyPair::from_pkcs8(algorithm, &key.serialize_der());
    (Signer::Ecdsa(Box::new(key.unwrap())), certificate)
}

#[track_caller]
fn refused_by(policy: &Policy, request: &RequestV2) -> Rejection {
    match admit(&request.clone().into(), policy) {
        Err(rejection) => rejection,
        Ok(entry) => panic!("{entry:?} is admitted"),
    }
}

/// The reason for the log; the client is told the one text for this kind.
#[track_caller]
fn reason(request: &RequestV2) -> String {
    match refused_by(&policy(), request) {
        Rejection::Masked { shown, detail } => {
            assert_eq!(shown, format!("invalid {} request", request.kind()));
            detail
        }
        other => panic!("{other:?}"),
    }
}

/// Admits, and checks what holds for every admitted entry.
#[track_caller]
fn admitted(request: &RequestV2) -> AdmittedEntry {
    let entry = admit(&request.clone().into(), &policy());
    let entry = entry.unwrap_or_else(|error| panic!("{error:?}: {request:?}"));
    assert_eq!(entry.body(), stored_form(request), "{}", String::from_utf8_lossy(entry.body()));
    assert_eq!(entry.leaf_hash(), tlog::hash_leaf(entry.body()));
    assert_eq!(entry.kind(), request.kind());
    assert!(entry.index_keys().iter().all(|key| *key == key.to_lowercase()));
    entry
}

/// The leaf of a request whose signatures are all right, written down independently.
fn stored_form(request: &RequestV2) -> Vec<u8> {
    let spec = match request {
        RequestV2::HashedRekord { digest, signature } => {
            let signature = signature.as_ref().unwrap();
            let algorithm = ["SHA2_256", "SHA2_384", "SHA2_512"][digest.len() / 16 - 2];
            let algorithm = if digest.len() == 64 { "SHA2_512" } else { algorithm };
            json!({"hashedRekordV002": {
                "data": {"digest": encode(digest), "algorithm": algorithm},
                "signature": stored_signature(&signature.content, signature.verifier.as_ref())}})
        }
        RequestV2::Dsse { envelope, verifiers } => {
            let envelope = envelope.as_ref().unwrap();
            let digest = tlog::hash::sha256(&envelope.payload);
            // Those of these tests come in the order of their verifiers.
            let pairs = envelope.signatures.iter().zip(verifiers);
            let mut pairs: Vec<_> = pairs.collect();
            pairs.sort_by(|a, b| a.0.sig.cmp(&b.0.sig));
            let signatures = pairs.iter().map(|(s, v)| stored_signature(&s.sig, Some(v)));
            json!({"dsseV002": {
                "signatures": signatures.collect::<Vec<_>>(),
                "payloadHash": {"digest": encode(&digest), "algorithm": "SHA2_256"}}})
        }
        RequestV2::None => panic!(),
    };
    let body = json!({"kind": request.kind(), "spec": spec, "apiVersion": "0.0.2"});
    serde_json_canonicalizer::to_vec(&body).unwrap()
}

fn stored_signature(content: &[u8], verifier: Option<&VerifierV2>) -> Value {
    let verifier = verifier.unwrap();
    let (member, der) = match verifier.key.as_ref().unwrap() {
        KeyV2::PublicKey(der) => ("publicKey", der),
        KeyV2::Certificate(der) => ("x509Certificate", der),
    };
    json!({"content": encode(content), "verifier": {
        member: {"rawBytes": encode(der)}, "keyDetails": NAMES[verifier.key_details as usize]}})
}

/// As in sigstore's `sigstore_common.proto`.
const NAMES: [&str; 24] = [
    "PUBLIC_KEY_DETAILS_UNSPECIFIED",
    "PKCS1_RSA_PKCS1V5",
    "PKCS1_RSA_PSS",
    "PKIX_RSA_PKCS1V5",
    "PKIX_RSA_PSS",
    "PKIX_ECDSA_P256_SHA_256",
    "PKIX_ECDSA_P256_HMAC_SHA_256",
    "PKIX_ED25519",
    "PKIX_ED25519_PH",
    "PKIX_RSA_PKCS1V15_2048_SHA256",
    "PKIX_RSA_PKCS1V15_3072_SHA256",
    "PKIX_RSA_PKCS1V15_4096_SHA256",
    "PKIX_ECDSA_P384_SHA_384",
    "PKIX_ECDSA_P521_SHA_512",
    "LMS_SHA256",
    "LMOTS_SHA256",
    "PKIX_RSA_PSS_2048_SHA256",
    "PKIX_RSA_PSS_3072_SHA256",
    "PKIX_RSA_PSS_4096_SHA256",
    "PKIX_ECDSA_P384_SHA_256",
    "PKIX_ECDSA_P521_SHA_256",
    "ML_DSA_65",
    "ML_DSA_87",
    "ML_DSA_44",
];

#[test]
fn key_details_have_the_numbers_of_the_proto_file() {
    for (name, number) in NAMES.iter().zip(0..) {
        assert_eq!(key_details_number(name), Some(number), "{name}");
    }
    assert_eq!(key_details_number("pkix_ed25519"), None);
    assert_eq!(key_details_number(""), None);
}

#[test]
fn a_request_of_no_kind_or_of_another_api() {
    let signer = Signer::p256();
    let good = request(verifier(&signer, "ECDSA_P256_SHA_256"), "sha256", signer.sign(CONTENT));
    let dsse = RequestV2::Dsse { envelope: None, verifiers: Vec::new() };
    let no_dsse = Policy { legacy_dsse: false, ..policy() };
    for (policy, request) in
        [(policy(), &RequestV2::None), (no_dsse.clone(), &RequestV2::None), (no_dsse, &dsse)]
    {
        let text = "invalid type, must be hashedrekord";
        assert_eq!(refused_by(&policy, request), Rejection::Input(text.into()));
    }
    let other = |policy: &Policy, text: &str| {
        assert_eq!(refused_by(policy, &good), Rejection::Input(text.into()));
    };
    other(&Policy::default(), "this log takes Rekor v1 entries, not Rekor v2 entries");
    other(&Policy::of(Accepts::Raw), "this log takes raw entries, not Rekor v2 entries");
    let v1 = parse(&hashedrekord(&signer.pem(), "sha256", &signer.sign(CONTENT)));
    let refused = admit(&v1.into(), &policy()).unwrap_err();
    assert_eq!(refused.to_string(), "this log takes Rekor v2 entries, not Rekor v1 entries");
}

#[test]
fn raw_entries_are_any_bytes() {
    use crate::admission::Proposed;
    let policy = Policy::of(Accepts::Raw);
    let raw = |bytes: Vec<u8>| Proposed::Raw(bytes.into());
    for bytes in [Vec::new(), vec![0xff; 3], vec![0; 65_535]] {
        let entry = admit(&raw(bytes.clone()), &policy).unwrap();
        assert_eq!((entry.kind(), entry.body()), ("raw", bytes.as_slice()));
        assert_eq!(entry.index_keys(), [] as [&str; 0]);
    }
    let too_large = admit(&raw(vec![0; 65_536]), &policy).unwrap_err();
    let text = "the canonical entry is larger than 65535 bytes";
    assert_eq!(too_large, Rejection::Input(text.into()));
    assert!(admit(&raw(Vec::new()), &self::policy()).is_err());
}
