//! Attestations: of intoto entries alone, up to the cap, under the payload's hash.

use serde_json::json;

use super::intoto::v002;
use super::signer::*;
use crate::admission::base64::{decoded_len_max, encode};
use crate::admission::index_keys::sha256_hex;
use crate::admission::{Policy, admit, attestation_key};

#[test]
fn payloads_are_kept_up_to_the_cap() {
    let signer = Signer::p256();
    let text = envelope(&[&signer]).to_string();
    let v001 = json!({"kind": "intoto", "apiVersion": "0.0.1", "spec": {
        "content": {"envelope": text}, "publicKey": encode(signer.pem().as_bytes())}});
    // The bound counts the base64 text, so a payload of just the cap may not fit.
    let bound = decoded_len_max(encode(STATEMENT).len());
    assert!(bound > STATEMENT.len());
    for value in [v001, v002(&[&signer], &[&signer])] {
        for (max, kept) in [(None, false), (Some(bound - 1), false), (Some(bound), true)] {
            let policy = Policy { attestation_bytes_max: max, ..Policy::default() };
            let entry = admit(&parse(&value).into(), &policy).unwrap();
            let key = format!("sha256:{}", sha256_hex(STATEMENT));
            assert_eq!(attestation_key(entry.body()), Some(key.clone()));
            let attestation = entry.attestation();
            assert_eq!(attestation.map(|a| a.data.as_slice()), kept.then_some(STATEMENT));
            assert!(attestation.is_none_or(|a| a.key == key));
        }
    }
}

#[test]
fn other_bodies_have_no_key() {
    let signer = Signer::p256();
    let entry = admitted(&hashedrekord(&signer.pem(), "sha256", &signer.sign(CONTENT)));
    assert_eq!(attestation_key(entry.body()), None);
    for body in ["", "[]", r#"{"kind":"intoto"}"#, r#"{"kind":"intoto","spec":{"content":{}}}"#] {
        assert_eq!(attestation_key(body.as_bytes()), None);
    }
}
