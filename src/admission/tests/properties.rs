//! Properties: nothing unverified gets in, nothing panics, bodies are canonical.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::intoto::v002;
use super::signer::*;
use crate::admission::base64::encode;
use crate::admission::pki::{pem, x509::PublicKey};
use crate::admission::{Policy, Proposal, admit, attestation_key, leaf_hash_of};

fn judge(value: &Value) {
    if let Ok(proposal) = Proposal::from_value(value.clone()) {
        let policy = Policy { attestation_bytes_max: Some(1000), ..Policy::default() };
        let leaf = leaf_hash_of(&proposal, &policy);
        if let Ok(entry) = admit(&proposal.clone().into(), &policy) {
            let body: Value = serde_json::from_slice(entry.body()).unwrap();
            assert_eq!(serde_json_canonicalizer::to_vec(&body).unwrap(), entry.body());
            assert_eq!(leaf, Ok(entry.leaf_hash()));
            attestation_key(entry.body());
        }
    }
}

fn good_proposals() -> Vec<Value> {
    let (a, b) = (Signer::p256(), Signer::ed25519());
    let keys = [a.pem(), b.pem()].map(|pem| encode(pem.as_bytes()));
    let envelope = envelope(&[&a, &b]).to_string();
    let rekord = json!({"kind": "rekord", "apiVersion": "0.0.1", "spec": {
        "data": {"content": encode(CONTENT)},
        "signature": {"format": "x509", "content": encode(&b.sign(CONTENT)),
                      "publicKey": {"content": keys[1]}}}});
    vec![
        hashedrekord(&a.pem(), "sha256", &a.sign(CONTENT)),
        json!({"kind": "dsse", "apiVersion": "0.0.1",
               "spec": {"proposedContent": {"envelope": envelope, "verifiers": keys}}}),
        json!({"kind": "intoto", "apiVersion": "0.0.1",
               "spec": {"content": {"envelope": envelope}, "publicKey": keys[0]}}),
        v002(&[&a, &b], &[&a, &b]),
        rekord,
    ]
}

/// Any JSON that could stand somewhere in a proposal.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-zA-Z0-9+/=\n{}\":-]{0,20}".prop_map(Value::from),
        proptest::sample::select(vec!["sha256", "x509", "0.0.1", "AAAA", ""]).prop_map(Value::from),
    ];
    let names = proptest::sample::select(vec![
        "signature",
        "content",
        "publicKey",
        "data",
        "hash",
        "algorithm",
        "value",
        "envelope",
        "payload",
        "payloadType",
        "signatures",
        "sig",
        "keyid",
        "payloadHash",
        "envelopeHash",
        "proposedContent",
        "verifiers",
        "verifier",
        "format",
        "x",
    ]);
    leaf.prop_recursive(5, 40, 5, move |inner| {
        let object = proptest::collection::btree_map(names.clone(), inner.clone(), 0..5);
        prop_oneof![
            proptest::collection::vec(inner, 0..4).prop_map(Value::from),
            object.prop_map(|map| map.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()),
        ]
    })
}

/// All places of a value.
fn places(value: &Value, at: String, out: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            map.iter().for_each(|(name, inner)| places(inner, format!("{at}/{name}"), out));
        }
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(i, inner)| places(inner, format!("{at}/{i}"), out));
        }
        _ => {}
    }
    out.push(at);
}

proptest! {
    #[test]
    fn a_changed_signature_is_never_admitted(bit in 0_usize..512, which in 0_usize..4) {
        let signer = [Signer::p256, Signer::p256_fixed, Signer::rsa, Signer::ed25519][which]();
        let is_ed25519 = matches!(signer, Signer::Ed25519(_));
        let mut signature = if is_ed25519 { signer.sign_ph(CONTENT) } else { signer.sign(CONTENT) };
        let at = bit / 8 % signature.len();
        signature[at] ^= 1 << (bit % 8);
        let algorithm = if is_ed25519 { "sha512" } else { "sha256" };
        refusal(&hashedrekord(&signer.pem(), algorithm, &signature));
    }

    #[test]
    fn any_spec_is_judged_without_a_panic(spec in any_json(), which in 0_usize..5) {
        let kind = ["hashedrekord", "dsse", "intoto", "intoto", "rekord"][which];
        let version = if which == 3 { "0.0.2" } else { "0.0.1" };
        judge(&json!({"kind": kind, "apiVersion": version, "spec": spec}));
    }

    #[test]
    fn any_replaced_part_is_judged_without_a_panic(
        part in any_json(),
        place in any::<prop::sample::Index>(),
        which in any::<prop::sample::Index>(),
    ) {
        let mut value = which.get(&good_proposals()).clone();
        let mut all = Vec::new();
        places(&value, String::new(), &mut all);
        *value.pointer_mut(&all[place.index(all.len())]).unwrap() = part;
        judge(&value);
    }

    #[test]
    fn any_key_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = PublicKey::from_pem(&bytes);
        for label in ["PUBLIC KEY", "CERTIFICATE"] {
            let mut text = String::new();
            pem::write(&mut text, label, &bytes);
            let _ = PublicKey::from_pem(text.as_bytes());
        }
    }

    #[test]
    fn a_damaged_key_is_read_or_refused(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        for signer in [Signer::p256(), Signer::ed25519()] {
            let mut spki = signer.spki();
            let at = at.index(spki.len());
            spki[at] = byte;
            let mut text = String::new();
            pem::write(&mut text, "PUBLIC KEY", &spki);
            let signature = signer.sign(CONTENT);
            if let Ok(key) = PublicKey::from_pem(text.as_bytes()) {
                let same = spki == signer.spki();
                prop_assert_eq!(key.verify_content(CONTENT, &signature).is_ok(), same);
            }
        }
    }
}

#[test]
fn the_proposals_that_are_damaged_here_are_good() {
    good_proposals().iter().for_each(|value| drop(admitted(value)));
}
