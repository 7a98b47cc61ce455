//! rekord 0.0.1: the format x509, the words of the others, the claim about the content's hash.

use serde_json::{Value, json};

use super::signer::*;
use crate::admission::base64::encode;
use crate::admission::index_keys::sha256_hex;
use crate::admission::{Policy, leaf_hash_of};

fn rekord(signer: &Signer, signature: &[u8]) -> Value {
    json!({"kind": "rekord", "apiVersion": "0.0.1", "spec": {
        "data": {"content": encode(CONTENT)},
        "signature": {"format": "x509", "content": encode(signature),
                      "publicKey": {"content": encode(signer.pem().as_bytes())}},
    }})
}

#[test]
fn content_is_verified_with_sha256_or_pure_ed25519() {
    for signer in [Signer::p256(), Signer::p256_fixed(), Signer::rsa(), Signer::ed25519()] {
        let entry = admitted(&rekord(&signer, &signer.sign(CONTENT)));
        let hash = sha256_hex(CONTENT);
        let keys = [sha256_hex(signer.pem().as_bytes()), format!("sha256:{hash}")];
        assert_eq!(entry.index_keys(), keys);
        let again = stored(&entry);
        assert_eq!(refusal(&again), "entry not insertable into log: missing data content");
        let empty = sha256_hex(b"");
        assert_eq!(
            leaf_hash_of(&parse(&again), &Policy::default()).unwrap_err().to_string(),
            format!("SHA mismatch: {empty} != {hash}")
        );
    }
    let signer = Signer::ed25519();
    assert_eq!(refusal(&rekord(&signer, &signer.sign_ph(CONTENT))), "failed to verify signature");
    let signer = Signer::p256();
    assert_eq!(
        refusal(&rekord(&signer, &signer.sign(b"x"))),
        "invalid signature when validating ASN.1 encoded signature"
    );
}

#[test]
fn faults_are_told_in_rekors_words() {
    let signer = Signer::p256();
    let with = |change: &dyn Fn(&mut Value)| {
        let mut value = rekord(&signer, &signer.sign(CONTENT));
        change(&mut value["spec"]);
        refusal(&value)
    };
    let list = |lines: &str| format!("validation failure list:\n{lines}");
    assert_eq!(
        with(&|spec| *spec = json!({})),
        list("data in body is required\nsignature in body is required")
    );
    assert_eq!(
        with(&|spec| *spec = json!({"data": {"hash": {}}, "signature": {"content": "AAAA"}})),
        list(
            "data.data.hash.data.hash.algorithm in body is required\n\
             signature.signature.format in body is required"
        )
    );
    let signature = "signature.signature";
    for (name, value, words) in [
        ("content", json!(""), format!("{signature}.content in body is required")),
        ("publicKey", json!(1), format!("{signature}.publicKey in body is required")),
        (
            "publicKey",
            json!({}),
            format!("{signature}.publicKey.signature.publicKey.content in body is required"),
        ),
        (
            "format",
            json!("pkcs7"),
            format!("{signature}.format in body should be one of [pgp minisign x509 ssh]"),
        ),
    ] {
        assert_eq!(with(&|spec| spec["signature"][name] = value.clone()), list(&words));
    }
    let newline = json!("\n");
    for (at, words) in [
        (&["signature", "content"][..], "'content' must be specified for signature"),
        (&["signature", "publicKey", "content"], "'content' must be specified for publicKey"),
        (&["data", "content"], "'content' must be specified for data"),
    ] {
        let change = |spec: &mut Value| {
            let place = at.iter().fold(spec, |place, name| &mut place[*name]);
            *place = newline.clone();
        };
        assert_eq!(with(&change), words);
    }
}

#[test]
fn a_claimed_hash_must_be_the_contents() {
    let signer = Signer::p256();
    let with = |claim: &str| {
        let mut value = rekord(&signer, &signer.sign(CONTENT));
        value["spec"]["data"]["hash"] = json!({"algorithm": "sha256", "value": claim});
        value
    };
    let hash = sha256_hex(CONTENT);
    admitted(&with(&hash));
    let upper = hash.to_uppercase();
    assert_eq!(refusal(&with(&upper)), format!("SHA mismatch: {hash} != {upper}"));
    assert_eq!(refusal(&with("")), "missing hash value");
    assert_eq!(refusal(&with("ab")), "invalid value for hash");
    assert_eq!(refusal(&with(&"z".repeat(64))), "invalid value for hash");
}
