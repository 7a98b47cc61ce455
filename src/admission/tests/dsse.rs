//! dsse 0.0.1: which keys and signatures, which words, the stored form.

use serde_json::{Value, json};

use super::signer::*;
use crate::admission::base64::encode;
use crate::admission::index_keys::sha256_hex;
use crate::admission::{Policy, Rejection, leaf_hash_of};

fn proposal(envelope: &str, keys: &[&Signer]) -> Value {
    let keys: Vec<String> = keys.iter().map(|key| encode(key.pem().as_bytes())).collect();
    json!({"kind": "dsse", "apiVersion": "0.0.1",
           "spec": {"proposedContent": {"envelope": envelope, "verifiers": keys}}})
}

fn signed(signers: &[&Signer], keys: &[&Signer]) -> Value {
    proposal(&envelope(signers).to_string(), keys)
}

const NO_KEY: &str = "all signatures must have a key that verifies it";
const THRESHOLD: &str = "could not verify envelope: \
    accepted signatures do not match threshold, Found: 0, Expected 1";

#[test]
fn every_signature_needs_a_key_and_every_tried_key_a_signature() {
    let (a, b, c) = (&Signer::p256(), &Signer::rsa(), &Signer::ed25519());
    for (signers, keys, words) in [
        (vec![a], vec![a], None),
        (vec![a, b], vec![a, b], None),
        (vec![a, b, c], vec![c, a, b], None),
        (vec![a], vec![a, b], None), // the second is not tried
        (vec![a, b], vec![a], Some(NO_KEY)),
        (vec![a], vec![b], Some(THRESHOLD)),
        (vec![a], vec![b, a], Some(THRESHOLD)),
        (vec![a, b], vec![a, c, b], Some(THRESHOLD)),
        (vec![a, a], vec![a], Some(NO_KEY)), // one signature a key
    ] {
        let value = signed(&signers, &keys);
        match words {
            Some(words) => assert_eq!(refusal(&value), words),
            None => drop(admitted(&value)),
        }
    }
}

#[test]
fn bodies_name_hashes_and_sorted_signatures() {
    let (a, b) = (Signer::p256(), Signer::p384());
    let text = format!(" {} ", envelope(&[&a, &b]));
    // P-384 signs DSSE with SHA-256 too, which this signer cannot.
    assert_eq!(refusal(&proposal(&text, &[&a, &b])), THRESHOLD);
    let b = Signer::ed25519();
    let text = format!(" {} ", envelope(&[&a, &b]));
    let entry = admitted(&proposal(&text, &[&b, &a]));
    let body = stored(&entry);
    let signatures = body["spec"]["signatures"].as_array().unwrap();
    assert!(signatures[0]["signature"].as_str() < signatures[1]["signature"].as_str());
    let other_order = admitted(&proposal(&text, &[&a, &b]));
    assert_eq!(other_order.leaf_hash(), entry.leaf_hash(), "the order of the keys");
    assert_eq!(body["spec"]["envelopeHash"]["value"], sha256_hex(text.as_bytes()));
    let payload_hash = sha256_hex(STATEMENT);
    assert_eq!(body["spec"]["payloadHash"]["value"], payload_hash.as_str());
    for key in [
        format!("sha256:{payload_hash}"),
        format!("sha256:{}", sha256_hex(text.as_bytes())),
        format!("sha256:{}", sha256_hex(a.pem().as_bytes())),
        "sha256:abcd".into(),
        "sha1:ef".into(),
    ] {
        assert!(entry.index_keys().contains(&key), "{key}");
    }
    assert_eq!(entry.index_keys().len(), 6);
    assert_eq!(entry.attestation(), None);
    let compact = admitted(&proposal(text.trim(), &[&b, &a]));
    assert_ne!(compact.leaf_hash(), entry.leaf_hash(), "the envelope is hashed as text");
}

#[test]
fn stored_forms_are_found_but_not_inserted() {
    let signer = Signer::p256();
    let url_safe = || {
        let mut envelope = envelope(&[&signer]);
        let sig = envelope["signatures"][0]["sig"].as_str().unwrap();
        let sig = sig.replace('+', "-").replace('/', "_");
        envelope["signatures"][0]["sig"] = sig.into();
        envelope["payload"] = encode(STATEMENT).replace('+', "-").replace('/', "_").into();
        proposal(&envelope.to_string(), &[&signer])
    };
    for value in [signed(&[&signer], &[&signer]), url_safe()] {
        let entry = admitted(&value);
        let again = stored(&entry);
        assert_eq!(leaf_hash_of(&parse(&again), &Policy::default()), Ok(entry.leaf_hash()));
        assert_eq!(refusal(&again), "entry not insertable into log: missing proposed content");
    }
}

#[test]
fn faults_are_told_in_rekors_words() {
    let signer = Signer::p256();
    let good = envelope(&[&signer]);
    let neither =
        "either proposedContent or envelopeHash, payloadHash, and signatures must be present";
    let with = |change: &dyn Fn(&mut Value)| {
        let mut value = proposal(&good.to_string(), &[&signer]);
        change(&mut value["spec"]);
        refusal(&value)
    };
    let hash = json!({"algorithm": "sha256", "value": "x"});
    assert_eq!(with(&|spec| *spec = json!({})), neither);
    assert_eq!(with(&|spec| spec["payloadHash"] = hash.clone()), format!("{neither} but not both"));
    assert_eq!(
        with(&|spec| spec["payloadHash"] = json!({"algorithm": "sha1", "value": "x"})),
        "validation failure list:\n\
         payloadHash.payloadHash.algorithm in body should be one of [sha256]"
    );
    assert_eq!(
        with(&|spec| {
            spec["proposedContent"] = json!({});
            spec["signatures"] = json!([{"verifier": "AAAA"}]);
        }),
        "validation failure list:\n\
         proposedContent.proposedContent.envelope in body is required\n\
         signatures.0.signature in body is required"
    );
    let verifiers = |list: Value| with(&|spec| spec["proposedContent"]["verifiers"] = list.clone());
    let path = "validation failure list:\nproposedContent.proposedContent.verifiers in body";
    assert_eq!(verifiers(json!("x")), format!("{path} is required"));
    assert_eq!(verifiers(json!([""])), format!("{path} should have at least 1 items"));
    assert_eq!(
        verifiers(json!(["*"])),
        "failed parsing base64 data for verifier: illegal base64 data at input byte 0"
    );
    assert_eq!(
        verifiers(json!([encode(b"junk")])),
        "could not parse public key as x509: invalid public key: failure decoding PEM"
    );
    let many = vec![encode(signer.pem().as_bytes()); 33];
    assert_eq!(verifiers(json!(many)), "at most 32 signatures and keys are accepted");
}

#[test]
fn faults_of_the_envelope_are_told_in_rekors_words() {
    let signer = Signer::p256();
    let with = |change: &dyn Fn(&mut Value)| {
        let mut envelope = envelope(&[&signer]);
        change(&mut envelope);
        refusal(&proposal(&envelope.to_string(), &[&signer]))
    };
    let second = |envelope: &mut Value, item| {
        envelope["signatures"].as_array_mut().unwrap().push(item);
    };
    let none = "DSSE envelope must contain 1 or more signatures";
    assert_eq!(with(&|e| *e = json!(null)), none);
    assert_eq!(with(&|e| e["signatures"] = json!([])), none);
    let unreadable = "could not verify envelope: \
        unable to base64 decode payload (is payload in the right format?)";
    assert_eq!(with(&|e| e["payload"] = json!("*")), unreadable);
    assert_eq!(with(&|e| second(e, json!({"sig": "*"}))), unreadable);
    assert_eq!(with(&|e| second(e, json!(null))), NO_KEY);
    assert_eq!(with(&|e| e["payloadType"] = json!("x")), THRESHOLD);
    assert_eq!(refusal(&proposal("{", &[&signer])), "unexpected end of JSON input");
    for bad in ["[]", "{} {}", r#"{"signatures":1}"#, r#"{"payload":1}"#, r#"{"signatures":[1]}"#] {
        refusal(&proposal(bad, &[&signer]));
    }
    let folded = envelope(&[&signer]).to_string().replace("payloadType", "PAYLOADTYPE");
    admitted(&proposal(&folded, &[&signer]));
    let stored = json!({"kind": "dsse", "apiVersion": "0.0.1", "spec": {"signatures": []}});
    assert_eq!(
        leaf_hash_of(&parse(&stored), &Policy::default()),
        Err(Rejection::Input(
            "validation failure list:\nsignatures in body should have at least 1 items".into()
        ))
    );
}

#[test]
fn keyids_and_chains_do_not_matter() {
    let signer = Signer::p256();
    let mut envelope = envelope(&[&signer]);
    envelope["signatures"][0]["keyid"] = "anything".into();
    admitted(&proposal(&envelope.to_string(), &[&signer]));
}

/// Every key is tried with every signature: without a bound that is a thousand checks in 18 KB.
#[test]
fn the_checks_of_one_envelope_are_bounded() {
    let refused =
        "could not verify envelope: too many signatures and keys for a payload of this size";
    let (a, b) = (Signer::p256(), Signer::ed25519());
    let many = |signers: Vec<&Signer>, keys: usize| {
        let mut envelope = envelope(&signers);
        let last = envelope["signatures"].as_array_mut().unwrap().pop().unwrap();
        let junk = (0..31_u8).map(|n| json!({"sig": encode(&[n; 64])}));
        envelope["signatures"] = junk.chain([last]).collect();
        proposal(&envelope.to_string(), &vec![signers[0]; keys])
    };
    assert_eq!(refusal(&many(vec![&a], 8)), NO_KEY);
    assert_eq!(refusal(&many(vec![&a], 9)), refused);
    assert_eq!(refusal(&many(vec![&b], 9)), refused);
    let signers: Vec<Signer> = (0..22).map(|_| Signer::p256()).collect();
    let signers: Vec<&Signer> = signers.iter().collect();
    drop(admitted(&signed(&signers, &signers))); // in order: 22 * 23 / 2 checks
}
