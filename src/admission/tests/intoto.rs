//! intoto 0.0.1 and 0.0.2: verification, words, stored forms.

use serde_json::{Value, json};

use super::signer::*;
use crate::admission::base64::encode;
use crate::admission::index_keys::sha256_hex;
use crate::admission::pki::key::Key;
use crate::admission::pki::ssh_key::fingerprint;
use crate::admission::{Policy, leaf_hash_of};

fn v001(envelope: &str, key: &Signer) -> Value {
    json!({"kind": "intoto", "apiVersion": "0.0.1", "spec": {
        "content": {"envelope": envelope}, "publicKey": encode(key.pem().as_bytes())}})
}

pub(super) fn v002(signers: &[&Signer], keys: &[&Signer]) -> Value {
    let again = |text: &Value| encode(text.as_str().unwrap().as_bytes());
    let envelope = envelope(signers);
    let items = envelope["signatures"].as_array().unwrap().iter().zip(keys);
    let signatures: Vec<Value> = items
        .map(|(item, key)| {
            let key = encode(key.pem().as_bytes());
            json!({"sig": again(&item["sig"]), "publicKey": key})
        })
        .collect();
    json!({"kind": "intoto", "apiVersion": "0.0.2", "spec": {"content": {
        "envelope": {"payload": again(&envelope["payload"]), "payloadType": IN_TOTO,
                     "signatures": signatures},
        "hash": {"algorithm": "sha256", "value": "anything"},
    }}})
}

const THRESHOLD: &str = "accepted signatures do not match threshold, Found: 0, Expected 1";

fn leaf(value: &Value) -> Result<tlog::LeafHash, String> {
    leaf_hash_of(&parse(value), &Policy::default()).map_err(|error| error.to_string())
}

#[test]
fn v001_needs_one_signature_by_its_key() {
    let (a, b) = (Signer::p256(), Signer::rsa());
    let text = envelope(&[&b, &a]).to_string();
    let entry = admitted(&v001(&text, &a));
    let (envelope_hash, payload_hash) = (sha256_hex(text.as_bytes()), sha256_hex(STATEMENT));
    let key_hash = sha256_hex(a.pem().as_bytes());
    let prefixed = |hash: &str| format!("sha256:{hash}");
    let expected = [&*envelope_hash, &key_hash, &payload_hash, "abcd"].map(prefixed);
    assert_eq!(entry.index_keys()[..4], expected);
    assert_eq!(entry.index_keys()[4], "sha1:ef");
    assert_eq!(refusal(&v001(&text, &Signer::p256())), THRESHOLD);

    let again = stored(&entry);
    assert_eq!(leaf(&again), Ok(entry.leaf_hash()));
    assert_eq!(refusal(&again), "entry not insertable into log: missing envelope content");
    let mut old = again;
    old["spec"]["content"].as_object_mut().unwrap().remove("payloadHash");
    assert_ne!(leaf(&old), Ok(entry.leaf_hash()), "the oldest entries have none");
    leaf(&old).unwrap();

    let mut claims = v001(&text, &a);
    claims["spec"]["content"]["hash"] = json!({"algorithm": "sha256", "value": "not it"});
    assert_eq!(admitted(&claims).leaf_hash(), entry.leaf_hash(), "claims are overwritten");
}

#[test]
fn v001_heeds_key_ids() {
    let signer = Signer::p256();
    let own = fingerprint(&Key::from_spki(&signer.spki()).unwrap()).unwrap();
    for (keyid, ok) in [("", true), (own.as_str(), true), ("SHA256:other", false)] {
        let mut envelope = envelope(&[&signer]);
        envelope["signatures"][0]["keyid"] = keyid.into();
        let value = v001(&envelope.to_string(), &signer);
        if ok { drop(admitted(&value)) } else { assert_eq!(refusal(&value), THRESHOLD) }
    }
}

#[test]
fn v001_faults_are_told_in_rekors_words() {
    let signer = Signer::p256();
    let text = envelope(&[&signer]).to_string();
    let with = |change: &dyn Fn(&mut Value)| {
        let mut value = v001(&text, &signer);
        change(&mut value["spec"]);
        refusal(&value)
    };
    assert_eq!(
        with(&|spec| *spec = json!({})),
        "validation failure list:\ncontent in body is required\npublicKey in body is required"
    );
    assert_eq!(
        with(&|spec| spec["content"]["hash"] = json!({"algorithm": "md5"})),
        "validation failure list:\n\
         content.content.hash.content.hash.algorithm in body should be one of [sha256]"
    );
    assert_eq!(
        with(&|spec| spec["content"]["payloadHash"] = json!({"algorithm": "sha256"})),
        "validation failure list:\n\
         content.content.payloadHash.content.payloadHash.value in body is required"
    );
    assert_eq!(with(&|spec| spec["content"] = json!({})), "missing hash value for envelope");
    assert_eq!(
        with(&|spec| spec["publicKey"] = json!("A")),
        "failed parsing base64 data for public key: illegal base64 data at input byte 0"
    );
    assert_eq!(
        with(&|spec| spec["publicKey"] = json!(encode(b"x"))),
        "invalid public key: failure decoding PEM"
    );
    assert_eq!(with(&|spec| spec["content"]["envelope"] = json!("{}")), "no signature found");
    let empty = |payload_type: &str, payload: &[u8]| {
        let sig = encode(&signer.sign(&pae(payload_type, payload)));
        let envelope = json!({"payloadType": payload_type, "payload": encode(payload),
                              "signatures": [{"sig": sig}]});
        refusal(&v001(&envelope.to_string(), &signer))
    };
    let invalid = "entry not insertable into log: invalid DSSE envelope";
    assert_eq!(empty("", b"x"), invalid);
    assert_eq!(empty("x", b""), invalid);
    let url_safe = json!({"payloadType": "x", "payload": "-_8=",
        "signatures": [{"sig": encode(&signer.sign(&pae("x", &[0xfb, 0xff])))}]});
    assert_eq!(
        refusal(&v001(&url_safe.to_string(), &signer)),
        "illegal base64 data at input byte 0"
    );
}

#[test]
fn v002_uses_every_key_and_needs_every_signature() {
    let (a, b) = (&Signer::p256(), &Signer::ed25519());
    let prefixed = format!("could not verify envelope: {THRESHOLD}");
    let entry = admitted(&v002(&[a, b], &[b, a]));
    assert_eq!(
        entry.index_keys().len(),
        5,
        "no hash of the envelope among {:?}",
        entry.index_keys()
    );
    assert!(!entry.index_keys().contains(&"sha256:anything".to_owned()));
    assert_eq!(refusal(&v002(&[a, b], &[a, &Signer::p256()])), prefixed);
    let no_key = "all signatures must have a key that verifies it";
    assert_eq!(refusal(&v002(&[a, b], &[a, a])), no_key);

    let again = stored(&entry);
    assert_eq!(leaf(&again), Ok(entry.leaf_hash()));
    assert_eq!(refusal(&again), "entry not insertable into log: missing envelope content");
    let mut with_id = v002(&[a], &[a]);
    with_id["spec"]["content"]["envelope"]["signatures"][0]["keyid"] = "id".into();
    let named = admitted(&with_id);
    assert_eq!(stored(&named)["spec"]["content"]["envelope"]["signatures"][0]["keyid"], "id");
    assert_eq!(leaf(&stored(&named)), Ok(named.leaf_hash()));
}

#[test]
fn v002_keeps_keys_as_they_were_sent() {
    let signer = &Signer::p256();
    let mut value = v002(&[signer], &[signer]);
    let sent = encode(format!("\n{}\n", signer.pem()).as_bytes());
    value["spec"]["content"]["envelope"]["signatures"][0]["publicKey"] = sent.clone().into();
    let entry = admitted(&value);
    let signature = &stored(&entry)["spec"]["content"]["envelope"]["signatures"][0];
    assert_eq!(signature["publicKey"], sent.as_str());
    let canonical = format!("sha256:{}", sha256_hex(signer.pem().as_bytes()));
    assert_eq!(entry.index_keys()[0], canonical);
}

#[test]
fn v002_faults_are_told_in_rekors_words() {
    let signer = Signer::p256();
    let with = |change: &dyn Fn(&mut Value)| {
        let mut value = v002(&[&signer], &[&signer]);
        change(&mut value["spec"]["content"]);
        refusal(&value)
    };
    let at = "validation failure list:\ncontent.content.envelope.content.envelope";
    let no_type = format!("{at}.payloadType in body is required");
    assert_eq!(with(&|content| *content = json!(1)), no_type);
    assert_eq!(with(&|content| content["envelope"] = json!("text")), no_type);
    assert_eq!(
        with(&|content| content["envelope"]["signatures"] = json!(1)),
        format!("{at}.signatures in body is required")
    );
    assert_eq!(
        with(&|content| content["envelope"]["signatures"] = json!([])),
        format!("{at}.signatures in body should have at least 1 items")
    );
    assert_eq!(
        with(&|content| content["envelope"]["signatures"] = json!([{"sig": "AAAA"}])),
        format!("{at}.signatures.0.publicKey in body is required")
    );
    assert_eq!(
        with(&|content| content["envelope"]["payload"] = json!(encode(STATEMENT))),
        "could not verify envelope: \
         unable to base64 decode payload (is payload in the right format?)"
    );
    assert_eq!(
        with(&|content| content["envelope"]["payload"] = json!("*")),
        "failed parsing base64 data for payload: illegal base64 data at input byte 0"
    );
    assert_eq!(
        with(&|content| content["envelope"]["signatures"][0]["publicKey"] = json!("AAAA")),
        "could not parse public key as x509: invalid public key: failure decoding PEM"
    );
    assert_eq!(with(&|content| content["hash"] = json!(null)), "missing envelope digest");
    assert_eq!(
        with(&|content| content["hash"] = json!({"algorithm": "sha512", "value": "x"})),
        "validation failure list:\n\
         content.content.hash.content.hash.algorithm in body should be one of [sha256]"
    );
    let stored_without = |name: &str| {
        let mut value = stored(&admitted(&v002(&[&signer], &[&signer])));
        value["spec"]["content"].as_object_mut().unwrap().remove(name);
        leaf(&value).unwrap_err()
    };
    assert_eq!(stored_without("hash"), "missing envelope digest");
    assert_eq!(stored_without("payloadHash"), "missing payload digest");
    assert_eq!(stored_without("envelope"), no_type);
}

#[test]
fn v002_payloads_are_standard_base64_inside() {
    let signer = Signer::p256();
    let mut value = v002(&[&signer], &[&signer]);
    let content = &mut value["spec"]["content"]["envelope"];
    content["payloadType"] = "x".into();
    content["payload"] = encode(b"-_8=").into();
    let sig = encode(&signer.sign(&pae("x", &[0xfb, 0xff])));
    content["signatures"][0]["sig"] = encode(sig.as_bytes()).into();
    assert_eq!(
        refusal(&value),
        "could not decode envelope payload: illegal base64 data at input byte 0"
    );
}
