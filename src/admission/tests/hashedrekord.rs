//! hashedrekord 0.0.1: which keys and hashes, which words, what makes a new leaf.

use aws_lc_rs::digest::{Digest, SHA256, SHA384};
use aws_lc_rs::signature as aws;
use serde_json::{Value, json};

use super::signer::*;
use crate::admission::base64::encode;
use crate::admission::index_keys::sha256_hex;
use crate::admission::{Policy, Proposal, admit, leaf_hash_of};

fn with(change: impl FnOnce(&mut Value)) -> Value {
    let signer = Signer::p256();
    let mut value = hashedrekord(&signer.pem(), "sha256", &signer.sign(CONTENT));
    change(&mut value);
    value
}

#[test]
fn the_default_algorithms_are_admitted() {
    let ed25519 = Signer::ed25519();
    for (signer, algorithm, signature) in [
        (&Signer::p256(), "sha256", None),
        (&Signer::p256_fixed(), "sha256", None),
        (&Signer::p384(), "sha384", None),
        (&Signer::ecdsa(&aws::ECDSA_P384_SHA384_FIXED_SIGNING), "sha384", None),
        (&Signer::p521(), "sha512", None),
        (&Signer::ecdsa(&aws::ECDSA_P521_SHA512_FIXED_SIGNING), "sha512", None),
        (&Signer::rsa(), "sha256", None),
        (&ed25519, "sha512", Some(ed25519.sign_ph(CONTENT))),
    ] {
        let signature = signature.unwrap_or_else(|| signer.sign(CONTENT));
        let entry = admitted(&hashedrekord(&signer.pem(), algorithm, &signature));
        let digest = format!("{algorithm}:{}", hex_digest(algorithm, CONTENT));
        assert_eq!(entry.index_keys(), [sha256_hex(signer.pem().as_bytes()), digest]);
        assert_eq!(entry.kind(), "hashedrekord");
        let body = stored(&entry);
        assert_eq!(body["spec"]["signature"]["content"], encode(&signature), "kept as it came");
        let leaf = leaf_hash_of(&parse(&body), &Policy::default());
        assert_eq!(leaf, Ok(entry.leaf_hash()), "the stored form");
    }
}

/// ECDSA signs the leftmost bits of a digest, so one hash can stand for another.
fn sign_digest(signer: &Signer, digest: Digest) -> Vec<u8> {
    let Signer::Ecdsa(key) = signer else { panic!("only ECDSA") };
    key.sign_digest(&digest).unwrap().as_ref().to_vec()
}

#[test]
fn other_combinations_verify_but_the_policy_refuses_them() {
    let (p256, p384, rsa) = (Signer::p256(), Signer::p384(), Signer::rsa());
    let digest = |algorithm| hex::decode(hex_digest(algorithm, CONTENT)).unwrap();
    let left = |algorithm| Digest::import_less_safe(&digest(algorithm)[..32], &SHA256).unwrap();
    let padded = [vec![0; 16], digest("sha256")].concat();
    let padded = Digest::import_less_safe(&padded, &SHA384).unwrap();
    let p521 = |algorithm| Signer::ecdsa(algorithm);
    let p521_256 = p521(&aws::ECDSA_P521_SHA256_ASN1_SIGNING);
    let p521_384 = p521(&aws::ECDSA_P521_SHA384_FIXED_SIGNING);
    let p384_512 = Digest::import_less_safe(&digest("sha512")[..48], &SHA384).unwrap();
    for (pem, algorithm, signature, named) in [
        (p256.pem(), "sha384", sign_digest(&p256, left("sha384")), "ECDSA on P-256 with SHA-384"),
        (p256.pem(), "sha512", sign_digest(&p256, left("sha512")), "ECDSA on P-256 with SHA-512"),
        (p384.pem(), "sha256", sign_digest(&p384, padded), "ECDSA on P-384 with SHA-256"),
        (p384.pem(), "sha512", sign_digest(&p384, p384_512), "ECDSA on P-384 with SHA-512"),
        (p521_256.pem(), "sha256", p521_256.sign(CONTENT), "ECDSA on P-521 with SHA-256"),
        (p521_384.pem(), "sha384", p521_384.sign(CONTENT), "ECDSA on P-521 with SHA-384"),
        (
            rsa.pem(),
            "sha384",
            rsa.sign_rsa_with(&aws::RSA_PKCS1_SHA384, CONTENT),
            "RSA of 2048 bits with SHA-384",
        ),
        (
            rsa.pem(),
            "sha512",
            rsa.sign_rsa_with(&aws::RSA_PKCS1_SHA512, CONTENT),
            "RSA of 2048 bits with SHA-512",
        ),
    ] {
        let value = hashedrekord(&pem, algorithm, &signature);
        assert_eq!(refusal(&value), format!("entry algorithms are not allowed: {named}"));
        leaf_hash_of(&parse(&value), &Policy::default()).unwrap();
    }
    let mut policy = Policy::default();
    policy.allow_algorithms(&["ecdsa-sha2-256-nistp521"]).unwrap();
    let value = hashedrekord(&p521_256.pem(), "sha256", &p521_256.sign(CONTENT));
    admit(&parse(&value).into(), &policy).unwrap();
}

#[test]
fn wrong_signatures_are_refused_in_rekors_words() {
    let (ec, rsa, ed) = (Signer::p256(), Signer::rsa(), Signer::ed25519());
    let pss = rsa.sign_rsa_with(&aws::RSA_PSS_SHA256, CONTENT);
    let signed_only = ec.sign(b"something else");
    let fixed = Signer::p256_fixed();
    let ph_failed = "failed to verify signature: ed25519: invalid signature";
    for (signer, algorithm, signature, words) in [
        (&ec, "sha256", signed_only, "invalid signature when validating ASN.1 encoded signature"),
        (
            &fixed,
            "sha256",
            fixed.sign(b"something else"),
            "invalid signature when validating IEEE_P1363 encoded signature",
        ),
        (&ec, "sha256", vec![1, 2, 3], "ecdsa: Invalid IEEE_P1363 encoded bytes"),
        (&ec, "sha256", vec![9; 134], "ecdsa: Invalid IEEE_P1363 encoded bytes"),
        (
            &ec,
            "sha256",
            vec![0; 64],
            "invalid signature when validating IEEE_P1363 encoded signature",
        ),
        (&ec, "sha256", vec![], "X509 signature has not been initialized"),
        (&rsa, "sha256", pss, "crypto/rsa: verification error"),
        (
            &ed,
            "sha256",
            ed.sign_ph(CONTENT),
            r#"unsupported hash algorithm: "SHA-256" not in [SHA-512]"#,
        ),
        (&ed, "sha512", ed.sign(CONTENT), ph_failed),
        (&ed, "sha512", vec![1], ph_failed),
    ] {
        let value = hashedrekord(&signer.pem(), algorithm, &signature);
        assert_eq!(refusal(&value), format!("verifying signature: {words}"));
    }
}

#[test]
fn faults_of_the_spec_are_told_in_rekors_words() {
    let list = |lines: &str| format!("validation failure list:\n{lines}");
    let required = "in body is required";
    type Change = fn(&mut Value);
    let cases: [(Change, String); 18] = [
        (|v| v["spec"] = json!("x"), "unsupported input type string for DecodeEntry".into()),
        (
            |v| v["spec"] = json!([1]),
            "unsupported input type []interface {} for DecodeEntry".into(),
        ),
        (|v| v["spec"] = json!(1), "unsupported input type json.Number for DecodeEntry".into()),
        (|v| v["spec"] = json!(true), "unsupported input type bool for DecodeEntry".into()),
        (|v| v["spec"] = json!({}), list(&format!("data {required}\nsignature {required}"))),
        (|v| v["spec"]["signature"] = json!(5), list(&format!("signature {required}"))),
        (|v| v["spec"]["data"] = json!({"hash": "x"}), list(&format!("data {required}"))),
        (
            |v| v["spec"]["data"]["hash"] = json!({}),
            list(&format!("data.data.hash.data.hash.algorithm {required}")),
        ),
        (
            |v| v["spec"]["data"]["hash"]["value"] = json!(7),
            list(&format!("data.data.hash.data.hash.value {required}")),
        ),
        (
            |v| v["spec"]["data"]["hash"]["algorithm"] = json!("md5"),
            list(
                "data.data.hash.data.hash.algorithm in body should be one of \
                 [sha256 sha384 sha512]",
            ),
        ),
        (
            |v| v["spec"]["signature"]["content"] = json!(5),
            "verifying signature: X509 signature has not been initialized".into(),
        ),
        (
            |v| v["spec"]["signature"]["content"] = json!("*"),
            "failed parsing base64 data for signature content: illegal base64 data at input byte 0"
                .into(),
        ),
        (
            |v| v["spec"]["signature"]["publicKey"]["content"] = json!("AAA"),
            "failed parsing base64 data for public key content: illegal base64 data at input byte 0"
                .into(),
        ),
        (|v| v["spec"]["signature"]["publicKey"] = json!(null), "missing public key".into()),
        (
            |v| v["spec"]["signature"]["publicKey"]["content"] = json!(""),
            "invalid public key: failure decoding PEM".into(),
        ),
        (|v| v["spec"]["data"]["hash"]["value"] = json!("ab"), "invalid value for hash".into()),
        (
            |v| v["spec"]["data"]["hash"]["value"] = json!("z".repeat(64)),
            "encoding/hex: invalid byte: U+007A 'z'".into(),
        ),
        (
            |v| v["spec"]["data"]["hash"]["value"] = json!("0".repeat(64)),
            "verifying signature: invalid signature when validating ASN.1 encoded signature".into(),
        ),
    ];
    for (change, words) in cases {
        assert_eq!(refusal(&with(change)), words);
    }
}

#[test]
fn kinds_and_versions_are_looked_up() {
    let words = |change: fn(&mut Value)| refusal(&with(change));
    assert_eq!(
        words(|v| v["apiVersion"] = json!("0.0.9")),
        "hashedrekord implementation for version '0.0.9' not found: \
         unable to locate entry for version 0.0.9"
    );
    assert_eq!(
        words(|v| v["kind"] = json!("ProposedEntry")),
        "could not unmarshal entry for kind 'ProposedEntry'"
    );
    let mut policy = Policy::default();
    policy.enable_kinds(&["rekord"]).unwrap();
    let value = with(|_| {});
    assert_eq!(
        refusal_under(&value, &policy),
        "entry kind 'hashedrekord' is not enabled for submission on this server"
    );
    leaf_hash_of(&parse(&value), &policy).unwrap();
    policy = Policy { body_bytes_max: 100, ..Policy::default() };
    assert_eq!(refusal_under(&value, &policy), "the canonical entry is larger than 100 bytes");
}

#[test]
fn layout_does_not_make_a_new_leaf_but_spelling_does() {
    let signer = Signer::p256_fixed();
    let (pem, signature) = (signer.pem(), signer.sign(CONTENT));
    let plain = hashedrekord(&pem, "sha256", &signature);
    let leaf = admitted(&plain).leaf_hash();
    let content = &["spec", "signature", "publicKey", "content"];
    let change = |at: &[&str], to: &str| {
        let mut value = plain.clone();
        let mut place = &mut value;
        for name in at {
            place = &mut place[*name];
        }
        *place = json!(to);
        value
    };
    let spaced = encode(format!("\n\n  note\n{}\n\t ", pem.replace('\n', "\r\n")).as_bytes());
    let split = encode(&signature).chars().map(|c| format!("{c}\r\n")).collect::<String>();
    let mut unknown = change(&["spec", "signature", "url"], "https://example.com");
    unknown["spec"]["data"]["hash"]["x"] = json!([1, {"y": 2}]);
    unknown["z"] = json!(null);
    for same in
        [change(content, &spaced), change(&["spec", "signature", "content"], &split), unknown]
    {
        assert_eq!(admitted(&same).leaf_hash(), leaf, "{same}");
    }
    let trailing = Proposal::from_json(format!("{plain} garbage").as_bytes()).unwrap();
    assert_eq!(admit(&trailing.into(), &Policy::default()).unwrap().leaf_hash(), leaf);

    let hash = hex_digest("sha256", CONTENT).to_uppercase();
    let upper = admitted(&change(&["spec", "data", "hash", "value"], &hash));
    assert_ne!(upper.leaf_hash(), leaf, "the case of the hash is kept");
    assert_eq!(upper.index_keys(), admitted(&plain).index_keys(), "but not in the index");
    let as_der = super::keys::p1363_as_der(&signature);
    let der = admitted(&change(&["spec", "signature", "content"], &encode(&as_der)));
    assert_ne!(der.leaf_hash(), leaf, "the form of the signature is kept");
}
