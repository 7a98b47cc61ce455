//! cose 0.0.1: messages made here, Rekor's words, and headers that are odd.

use aws_lc_rs::signature as aws;
use ciborium::{Value as Cbor, cbor};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::signer::*;
use crate::admission::base64::encode;
use crate::admission::index_keys::sha256_hex;
use crate::admission::{Policy, admit, attestation_key, leaf_hash_of};
use crate::limits::COSE_HEADER_BYTES_MAX;

const ES256: i64 = -7;
const PS256: i64 = -37;

fn bytes(value: &Cbor) -> Vec<u8> {
    let mut out = Vec::new();
    ciborium::into_writer(value, &mut out).unwrap();
    out
}

fn algorithm(number: i64) -> Cbor {
    cbor!({ 1 => number }).unwrap()
}

/// A message, made independently of the code under test.
struct Maker<'a> {
    signer: &'a Signer,
    /// `None` is an empty byte string.
    protected: Option<Cbor>,
    unprotected: Cbor,
    payload: &'a [u8],
    external: &'a [u8],
}

impl<'a> Maker<'a> {
    fn new(signer: &'a Signer) -> Self {
        let number = if matches!(signer, Signer::Rsa(_)) { PS256 } else { ES256 };
        let protected = Some(algorithm(number));
        let unprotected = Cbor::Map(vec![]);
        Self { signer, protected, unprotected, payload: CONTENT, external: b"" }
    }

    fn message(&self) -> Vec<u8> {
        self.message_of(Cbor::Bytes(self.payload.to_vec()))
    }

    fn message_of(&self, payload: Cbor) -> Vec<u8> {
        let protected = Cbor::Bytes(self.protected.as_ref().map(bytes).unwrap_or_default());
        let signed = bytes(&Cbor::Array(vec![
            Cbor::Text("Signature1".into()),
            protected.clone(),
            Cbor::Bytes(self.external.to_vec()),
            Cbor::Bytes(self.payload.to_vec()),
        ]));
        let signature = match self.signer {
            Signer::Rsa(_) => self.signer.sign_rsa_with(&aws::RSA_PSS_SHA256, &signed),
            _ => self.signer.sign(&signed),
        };
        let list = vec![protected, self.unprotected.clone(), payload, Cbor::Bytes(signature)];
        bytes(&Cbor::Tag(18, Box::new(Cbor::Array(list))))
    }

    fn proposal(&self) -> Value {
        proposal(&self.message(), self.signer, self.external)
    }
}

fn proposal(message: &[u8], signer: &Signer, external: &[u8]) -> Value {
    json!({"kind": "cose", "apiVersion": "0.0.1", "spec": {
        "message": encode(message),
        "publicKey": encode(signer.pem().as_bytes()),
        "data": {"aad": encode(external)},
    }})
}

#[test]
fn a_message_becomes_its_hashes_and_its_key_and_is_kept() {
    for signer in [Signer::p256_fixed(), Signer::rsa()] {
        for (external, payload) in [(&b""[..], CONTENT), (b"beside", CONTENT), (b"", b"")] {
            let maker = Maker { external, payload, ..Maker::new(&signer) };
            let message = maker.message();
            let proposed = proposal(&message, &signer, external);
            let policy = Policy { attestation_bytes_max: Some(message.len()), ..Policy::default() };
            let entry = admit(&parse(&proposed).into(), &policy).unwrap();
            let hash = |bytes: &[u8]| json!({"algorithm": "sha256", "value": sha256_hex(bytes)});
            let body = stored(&entry);
            assert_eq!(
                body["spec"],
                json!({
                    "data": {"envelopeHash": hash(&message), "payloadHash": hash(payload)},
                    "publicKey": encode(signer.pem().as_bytes()),
                })
            );
            let keys = [
                sha256_hex(signer.pem().as_bytes()),
                format!("sha256:{}", sha256_hex(&message)),
                format!("sha256:{}", sha256_hex(payload)),
            ];
            assert_eq!(entry.index_keys(), keys);
            let kept = entry.attestation().unwrap();
            assert_eq!((&kept.key, &kept.data), (&keys[1], &message));
            assert_eq!(attestation_key(entry.body()).as_ref(), Some(&keys[1]));

            let policy = Policy { attestation_bytes_max: Some(message.len() - 1), ..policy };
            let without = admit(&parse(&proposed).into(), &policy).unwrap();
            assert_eq!((without.attestation(), without.body()), (None, entry.body()));
            admitted(&proposed);

            let words = "entry not insertable into log: missing COSE Sign1 message";
            assert_eq!(refusal(&body), words, "the stored form");
            let again = leaf_hash_of(&parse(&body), &Policy::default()).unwrap_err();
            assert_eq!(again.to_string(), "signed message uninitialized");
        }
    }
}

#[test]
fn a_statement_is_found_by_its_subjects() {
    let signer = Signer::p256_fixed();
    for (content_type, found) in [(IN_TOTO, true), ("text/plain", false)] {
        let protected = Some(cbor!({ 1 => ES256, 3 => content_type }).unwrap());
        let maker = Maker { protected, payload: STATEMENT, ..Maker::new(&signer) };
        let entry = admitted(&maker.proposal());
        assert_eq!(entry.index_keys().contains(&"sha256:abcd".to_owned()), found);
        assert!(!entry.index_keys().contains(&"sha1:ef".to_owned()), "materials are no subjects");
    }
}

#[test]
fn headers_may_be_odd() {
    let signer = Signer::p256_fixed();
    let odd = [
        cbor!({ 1 => ES256, 2 => [3], 3 => 9999, 4 => Cbor::Bytes(vec![1]) }),
        cbor!({ 1 => ES256, 5 => Cbor::Bytes(vec![]), "own" => { "a" => [1.5, true, null] } }),
        cbor!({ 1 => ES256, 16 => "a/b", -70000 => "x" }),
    ];
    for protected in odd {
        admitted(&Maker { protected: Some(protected.unwrap()), ..Maker::new(&signer) }.proposal());
    }
    let countersignature = cbor!([Cbor::Bytes(vec![]), {}, Cbor::Bytes(vec![1])]).unwrap();
    for unprotected in [
        cbor!({ 1 => "any", 4 => Cbor::Bytes(vec![1]), 9 => Cbor::Bytes(vec![1]) }),
        cbor!({ 7 => countersignature.clone(), 11 => [countersignature] }),
    ] {
        let unprotected = unprotected.unwrap();
        admitted(&Maker { unprotected, ..Maker::new(&signer) }.proposal());
    }
    // Without an algorithm there must be something beside the message.
    for protected in [None, Some(Cbor::Map(vec![]))] {
        let maker = Maker { protected, external: b"beside", ..Maker::new(&signer) };
        admitted(&maker.proposal());
        let maker = Maker { external: b"", ..maker };
        assert_eq!(refusal(&maker.proposal()), "algorithm not found");
    }
}

#[test]
fn headers_that_are_wrong_are_refused() {
    let signer = Signer::p256_fixed();
    let inner = "cbor: invalid protected header: ";
    let header = "cbor: invalid protected header: protected header: header parameter: ";
    let long = "x".repeat(COSE_HEADER_BYTES_MAX);
    for (protected, words) in [
        (cbor!({ 1 => PS256 }), "algorithm mismatch: verifier ES256: header PS256".into()),
        (cbor!({ 1 => 5 }), "algorithm mismatch: verifier ES256: header Algorithm(5)".into()),
        (cbor!({ 1 => "ES256" }), "Algorithm(\"ES256\")".into()),
        (cbor!({ 1 => null }), format!("{header}alg: require int / tstr type")),
        (cbor!({ 1 => ES256, 2 => [] }), format!("{header}crit: empty crit header")),
        (cbor!({ 1 => ES256, 2 => 1 }), format!("{header}crit: invalid crit header")),
        (cbor!({ 1 => ES256, 2 => [9] }), format!("{header}crit: missing critical header: 9")),
        (
            cbor!({ 1 => ES256, 3 => "x" }),
            format!("{header}content type: require text of form type/subtype"),
        ),
        (
            cbor!({ 1 => ES256, 3 => " a/b" }),
            format!("{header}content type: require no leading/trailing whitespace"),
        ),
        (cbor!({ 1 => ES256, 16 => -1 }), format!("{header}type: require tstr / uint type")),
        (cbor!({ 1 => ES256, 4 => "kid" }), format!("{header}kid: require bstr type")),
        (
            cbor!({ 1 => ES256, 5 => Cbor::Bytes(vec![]), 6 => Cbor::Bytes(vec![]) }),
            format!("{header}IV and PartialIV: parameters must not both be present"),
        ),
        (cbor!({ 1 => ES256, 7 => [] }), format!("{header}counter signature: not allowed")),
        (
            cbor!({ 1 => ES256, 1.5 => 0 }),
            format!("{inner}cbor: header label: require int / tstr type"),
        ),
        (cbor!([1]), format!("{inner}cbor: protected header: require map type")),
        (cbor!({ 1 => ES256, "x" => long }), format!("{inner}more than 262144 bytes")),
    ] {
        let maker = Maker { protected: Some(protected.unwrap()), ..Maker::new(&signer) };
        assert_eq!(refusal(&maker.proposal()), words);
    }
    let twice = Cbor::Map(vec![(1.into(), ES256.into()), (1.into(), ES256.into())]);
    let maker = Maker { protected: Some(twice), ..Maker::new(&signer) };
    assert!(
        refusal(&maker.proposal()).starts_with(&format!("{inner}cbor: found duplicate map key"))
    );
    let header = "cbor: invalid unprotected header: unprotected header: header parameter: ";
    for (unprotected, words) in [
        (cbor!({ 2 => [1] }), format!("{header}crit: not allowed")),
        (
            cbor!({ 11 => [1] }),
            format!("{header}invalid Countersignature object / list of objects"),
        ),
        (
            cbor!({ 6 => Cbor::Bytes(vec![]) }),
            "IV (protected) and PartialIV (unprotected) parameters must not both be present".into(),
        ),
    ] {
        let protected = Some(cbor!({ 1 => ES256, 5 => Cbor::Bytes(vec![]) }).unwrap());
        let unprotected = unprotected.unwrap();
        let maker = Maker { protected, unprotected, ..Maker::new(&signer) };
        assert_eq!(refusal(&maker.proposal()), words);
    }
}

#[test]
fn messages_that_are_wrong_are_refused() {
    let signer = Signer::p256_fixed();
    let maker = Maker::new(&signer);
    let good = maker.message();
    let of = |message: &[u8]| refusal(&proposal(message, &signer, b""));
    assert_eq!(of(&good[1..]), "cbor: invalid COSE_Sign1_Tagged object");
    assert_eq!(of(&maker.message_of(Cbor::Null)), "missing payload");
    assert_eq!(of(&maker.message_of(Cbor::Bytes(b"other".to_vec()))), "verification error");
    assert_eq!(of(&maker.message_of(Cbor::Text("text".into()))), "cbor: require bstr type");
    assert_eq!(of(&[&good[..], b"xy"].concat()), "cbor: 2 bytes of extraneous data");
    assert_eq!(refusal(&proposal(&good, &signer, b"aad")), "verification error");
    assert_eq!(refusal(&proposal(&good, &Signer::p256(), b"")), "verification error");
    assert_eq!(of(b"\xd2\x84\x40\xa0\x40\x40"), "empty signature");
    let nil = "cbor: invalid protected header: cbor: nil protected header";
    assert_eq!(of(b"\xd2\x84\xf6\xa0\x40\x41x"), nil);
    let deep = [&b"\xd2\x84\x40\xa1\x01"[..], &[0x81; 40], b"\x01\x40\x41x"].concat();
    for malformed in [&b"\xd2\x84"[..], b"\xd2\x84\x40\xc2\xa0", b"\xd2\x84\x5f\x40\xff", &deep] {
        assert_eq!(of(malformed), "cbor: malformed COSE_Sign1 message");
    }
    // Lengths may be written in more bytes than they need, and are signed in the fewest.
    let length = good[2] - 0x40;
    let wide = [&good[..2], &[0x58, length], &good[3..]].concat();
    admitted(&proposal(&wide, &signer, b""));

    for (signer, words) in [
        (Signer::p384(), "unsupported elliptic curve P-384"),
        (Signer::p521(), "unsupported elliptic curve P-521"),
        (Signer::ed25519(), "unsupported algorithm type ed25519.PublicKey"),
    ] {
        assert_eq!(refusal(&proposal(&good, &signer, b"")), words);
    }
}

#[test]
fn what_is_missing_is_named() {
    let signer = Signer::p256_fixed();
    let with = |change: fn(&mut Value)| {
        let mut proposal = Maker::new(&signer).proposal();
        change(&mut proposal["spec"]);
        refusal(&proposal)
    };
    assert_eq!(with(|spec| spec["data"] = Value::Null), "cose object data cannot be nil");
    assert_eq!(
        with(|spec| spec["publicKey"] = json!("")),
        "validation failure list:\npublicKey in body is required"
    );
    assert_eq!(
        with(|spec| spec["data"]["envelopeHash"] = json!({"algorithm": "sha1"})),
        "validation failure list:\ndata.data.envelopeHash.data.envelopeHash.algorithm in body \
         should be one of [sha256]"
    );
    let words = "envelope hash should have been previously computed";
    assert_eq!(with(|spec| spec["message"] = json!("")), words);
    assert_eq!(
        with(|spec| spec["message"] = json!("*")),
        "failed parsing base64 data for message: illegal base64 data at input byte 0"
    );
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..100)) {
        let signer = Signer::p256_fixed();
        let message = [&b"\xd2\x84"[..], &bytes].concat();
        let _either = admit(&parse(&proposal(&message, &signer, b"")).into(), &Policy::default());
    }

    #[test]
    fn what_is_cut_or_changed_is_refused(at in any::<usize>(), bit in 0_u8..8) {
        let signer = Signer::p256_fixed();
        let message = Maker::new(&signer).message();
        let at = at % message.len();
        refusal(&proposal(&message[..at.max(1)], &signer, b""));
        let mut changed = message;
        changed[at] ^= 1 << bit;
        refusal(&proposal(&changed, &signer, b""));
    }
}
