//! rfc3161 0.0.1: what is granted and signed is logged as it is; Rekor's words for the rest.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::cms_maker::*;
use super::signer::{admitted, parse, refusal, stored};
use crate::admission::base64::encode;
use crate::admission::index_keys::sha256_hex;
use crate::admission::pki::der;
use crate::admission::{Policy, admit};

fn proposal(response: &[u8]) -> Value {
    json!({"kind": "rfc3161", "apiVersion": "0.0.1", "spec": {
        "tsr": {"content": encode(response)}}})
}

fn response(status: &str, token: &[u8]) -> Vec<u8> {
    element(der::SEQUENCE, &[&element(der::SEQUENCE, &[&hex(status)]), token])
}

fn token(authority: &Cms, attributes: bool) -> Vec<u8> {
    let content = timestamp_info(b"stamped");
    let content_type = TIMESTAMP_INFO;
    let shape = Shape { content_type, content: &content, attributes, ..Shape::default() };
    authority.signed_data(&shape)
}

#[test]
fn what_is_granted_is_logged_as_it_is() {
    for authority in [Cms::new(), Cms::rsa()] {
        for (status, attributes) in [("020100", true), ("020101", true), ("020100", false)] {
            let mut bytes = response(status, &token(&authority, attributes));
            // Rekor ignores what follows, and logs it.
            bytes.extend(b"more");
            let entry = admitted(&proposal(&bytes));
            assert_eq!(stored(&entry), proposal(&bytes));
            assert_eq!(entry.index_keys(), [format!("sha256:{}", sha256_hex(&bytes))]);
            assert_eq!(entry.attestation(), None);
            assert_eq!(admitted(&stored(&entry)).leaf_hash(), entry.leaf_hash());
        }
    }
}

#[test]
fn what_is_not_granted_or_not_signed_is_refused() {
    let authority = Cms::new();
    let good = token(&authority, true);
    let other = Cms::new();
    let content = timestamp_info(b"stamped");
    let shape = Shape { content_type: TIMESTAMP_INFO, content: &content, ..Shape::default() };
    let info = authority.signer_info(&shape);
    let stranger = signed_data(&shape, &[&other.certificate], &[&info]);
    let unsigned = signed_data(&shape, &[&other.certificate], &[]);
    let changed = timestamp_info(b"changed");
    let tampered = Shape { content: &changed, ..shape };
    let tampered = signed_data(&tampered, &[&authority.certificate], &[&info]);
    let empty = authority.signed_data(&Shape { detached: true, ..shape });
    let mut data = good.clone();
    data[14] = 1;
    let granted = |token: &[u8]| response("020100", token);
    for (bytes, words) in [
        (response("020102", &[]), "tsr status not granted: 2"),
        (response("0201ff", &good), "tsr status not granted: -1"),
        (response("02020102", &good), "tsr status not granted: 258"),
        (granted(&data), "tsr wrong content type: 1.2.840.113549.1.7.1"),
        (granted(&[]), "tsr wrong content type: "),
        (granted(&empty), "tsr verification error: pkcs7: missing content"),
        (granted(&unsigned), "tsr verification error: pkcs7 contains no signatures"),
        (granted(&tampered), "tsr verification error: pkcs7: content digest does not match"),
        (granted(b"no"), "asn1: structure error: malformed PKCS#7"),
        (b"no".to_vec(), "asn1: structure error: malformed TimeStampResp"),
        (vec![0; 10_241], "tsr exceeds maximum allowed size (10kB)"),
    ] {
        assert_eq!(refusal(&proposal(&bytes)), words, "{}", hex::encode(bytes));
    }
    let serial = refusal(&proposal(&granted(&stranger)));
    let words = "tsr verification error: certificate missing from signedData: serial=";
    assert!(serial.starts_with(words), "{serial}");
    let last = good.len() - 1;
    let mut broken = good;
    broken[last] ^= 1;
    let words = "tsr verification error: ECDSA verification failed";
    assert_eq!(refusal(&proposal(&granted(&broken))), words);
}

#[test]
fn what_is_missing_is_named() {
    let of = |spec: Value| json!({"kind": "rfc3161", "apiVersion": "0.0.1", "spec": spec});
    let list = |fault: &str| format!("validation failure list:\n{fault}");
    for (spec, words) in [
        (json!({}), list("tsr in body is required")),
        (json!({"tsr": "x"}), list("tsr in body is required")),
        (json!({"tsr": {}}), list("tsr.tsr.content in body is required")),
        (json!({"tsr": {"content": ""}}), list("tsr.tsr.content in body is required")),
        (json!({"tsr": {"content": "\n"}}), "'content' must be specified for data".into()),
        (
            json!({"tsr": {"content": "*"}}),
            "failed parsing base64 data for tsr content: illegal base64 data at input byte 0"
                .into(),
        ),
    ] {
        assert_eq!(refusal(&of(spec.clone())), words, "{spec}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..200)) {
        let _either = admit(&parse(&proposal(&bytes)).into(), &Policy::default());
    }

    #[test]
    fn what_is_cut_or_changed_is_read_or_refused(at in 0_usize..900, bit in 0_u8..8) {
        let bytes = response("020100", &token(&Cms::new(), true));
        let at = at % bytes.len();
        let _either = admit(&parse(&proposal(&bytes[..at])).into(), &Policy::default());
        let mut changed = bytes;
        changed[at] ^= 1 << bit;
        let _either = admit(&parse(&proposal(&changed)).into(), &Policy::default());
    }
}
