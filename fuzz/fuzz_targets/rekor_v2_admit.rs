//! Any request of Rekor v2 is judged without a panic; under a key whose private half was thrown
//! away none is admitted.
#![no_main]

use cairn::admission::{
    Accepts, EnvelopeSignatureV2, EnvelopeV2, KeyV2, Policy, Proposed, RequestV2, SignatureV2,
    VerifierV2, admit,
};
use libfuzzer_sys::fuzz_target;

/// SubjectPublicKeyInfo, P-256.
const KEY: [u8; 91] = *b"\
    \x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\
    \x07\x03\x42\x00\x04\x23\x32\x3d\x43\x5c\x46\x79\x3d\x4c\x1b\x30\x5c\x8b\x3c\x49\x73\x66\
    \xbd\xf6\x74\x8d\x71\xe7\x2e\x64\x3a\x58\x08\x6a\xfd\x96\xe9\x1d\x3d\x93\xa0\xd5\x30\xd4\
    \xc4\x9b\x8e\x19\x3f\x88\x6d\xba\x38\xbb\x78\x39\x5a\x32\xc9\x3d\xa3\x5a\x4e\xd3\x31\x99\
    \x3b\xdc\x35";

fuzz_target!(|input: (Option<Vec<u8>>, bool, u8, Vec<u8>, Vec<u8>)| {
    let (key, is_certificate, details, digest, content) = input;
    let is_known = key.is_none();
    let key = match key {
        Some(der) if is_certificate => KeyV2::Certificate(der),
        Some(der) => KeyV2::PublicKey(der),
        None => KeyV2::PublicKey(KEY.to_vec()),
    };
    let verifier = VerifierV2 { key: Some(key), key_details: i32::from(details) - 1 };
    let signature = SignatureV2 { content: content.clone(), verifier: Some(verifier.clone()) };
    let sig = EnvelopeSignatureV2 { sig: content, keyid: String::new() };
    let envelope = EnvelopeV2 {
        payload: digest.clone(),
        payload_type: "application/vnd.in-toto+json".into(),
        signatures: vec![sig],
    };
    for request in [
        RequestV2::HashedRekord { digest, signature: Some(signature) },
        RequestV2::Dsse { envelope: Some(envelope), verifiers: vec![verifier] },
    ] {
        let admitted = admit(&Proposed::RekorV2(request), &Policy::of(Accepts::RekorV2));
        assert!(!is_known || admitted.is_err());
    }
});
