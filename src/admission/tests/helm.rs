//! helm 0.0.1: provenance files, what their sums may look like, Rekor's words.

use serde_json::{Value, json};

use super::pgp_maker::*;
use super::signer::{admitted, parse, refusal, stored};
use crate::admission::base64::encode;
use crate::admission::index_keys::sha256_hex;
use crate::admission::{Policy, leaf_hash_of};
use crate::limits::{HELM_FILES_BYTES_MAX, YAML_COLLECTIONS_MAX};

const SUMS: &str = "files:\n  chart-1.tgz: sha256:ABcd\n";

fn message(sums: &str) -> String {
    format!("name: chart\n- dashed \t\n\n...\n{sums}")
}

/// A clear-signed message.
fn provenance(key: &Key, message: &str) -> String {
    let lines = message.strip_suffix('\n').unwrap_or(message).split('\n');
    let signed = lines.clone().map(|line| line.trim_end_matches([' ', '\t']));
    let signed = signed.collect::<Vec<_>>().join("\r\n");
    let signature = key.sign(&sig(1, &[]), &[signed.as_bytes()]);
    let escape = |line: &str| if line.starts_with('-') { format!("- {line}") } else { line.into() };
    let text = lines.map(escape).collect::<Vec<_>>().join("\n");
    let signature = armored("PGP SIGNATURE", &signature);
    format!("-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n{text}\n{signature}")
}

fn helm(provenance: &str, key: &Key) -> Value {
    json!({"kind": "helm", "apiVersion": "0.0.1", "spec": {
        "chart": {"provenance": {"content": encode(provenance.as_bytes())}},
        "publicKey": {"content": encode(&key.public())},
    }})
}

fn with_sums(sums: &str) -> Value {
    let key = Key::new();
    helm(&provenance(&key, &message(sums)), &key)
}

#[test]
fn the_charts_hash_is_logged_as_the_provenance_has_it() {
    let key = Key::rsa();
    let text = provenance(&key, &message(SUMS));
    let entry = admitted(&helm(&text, &key));
    let body = stored(&entry);
    assert_eq!(
        body["spec"]["chart"]["hash"],
        json!({"algorithm": "sha256", "value": "ABcd"}),
        "unchecked"
    );
    let armor = body["spec"]["chart"]["provenance"]["signature"]["content"].as_str().unwrap();
    let armor = String::from_utf8(crate::admission::base64::decode(armor).unwrap()).unwrap();
    assert!(armor.starts_with("-----BEGIN PGP SIGNATURE-----\n\nw"), "made anew: {armor}");
    let key_text = body["spec"]["publicKey"]["content"].as_str().unwrap();
    let key_hash = sha256_hex(&crate::admission::base64::decode(key_text).unwrap());
    assert_eq!(entry.index_keys(), [key_hash.as_str(), "some@example.com", "sha256:abcd"]);

    let again = format!("text\n{}", text.replace('\n', "\r\n"));
    assert_eq!(admitted(&helm(&again, &key)).leaf_hash(), entry.leaf_hash());
    assert_eq!(refusal(&body), "entry not insertable into log: missing provenance content");
    assert_eq!(
        leaf_hash_of(&parse(&body), &Policy::default()).unwrap_err().to_string(),
        "provenance file contains no content"
    );
}

#[test]
fn sums_are_yaml() {
    for sums in [
        "files: {'a': \"sha256:ABcd\"}",
        "---\nFiles:\n  ? a\n  : sha256:ABcd\nimages:\n  b: 1\n...\nmore: [",
        "images: &x\nfiles: {a: &y 'sha256:ABcd', b: *y}",
        "# first of two\nfiles:\n  z: sha256:ABcd\n  a: sha256:2\n",
    ] {
        let body = stored(&admitted(&with_sums(sums)));
        assert_eq!(body["spec"]["chart"]["hash"]["value"], "ABcd", "{sums}");
    }
    let located = "unable to locate chart hash";
    let invalid = "invalid hash found in Provenance file";
    for (sums, words) in [
        ("\n", located),
        ("other: 1", located),
        ("files:", located),
        ("files: {}", "no checksums found"),
        ("files: {a: }", invalid),
        ("files: {a: 5}", invalid),
        ("files: {a: 'x'}", invalid),
        ("files: {a: 'x:y:z'}", invalid),
    ] {
        assert_eq!(refusal(&with_sums(sums)), words, "{sums}");
    }
    for sums in ["files: [a]", "files: a", "- a", "files: {a: {}}", "files: {a: b}\nimages: []"] {
        let start = "error occurred parsing message block: error occurred parsing SumCollection: ";
        assert!(refusal(&with_sums(sums)).starts_with(start), "{sums}");
    }
    for (sums, words) in [
        ("files: {a: \"\u{1}:x\"}", "control characters are not allowed".to_owned()),
        (&"x".repeat(HELM_FILES_BYTES_MAX + 1), format!("more than {HELM_FILES_BYTES_MAX} bytes")),
        (
            &"[".repeat(YAML_COLLECTIONS_MAX + 2),
            format!("more than {YAML_COLLECTIONS_MAX} collections"),
        ),
    ] {
        assert!(refusal(&with_sums(sums)).ends_with(&words));
    }
}

#[test]
fn faults_are_told_in_rekors_words() {
    let key = Key::new();
    let text = provenance(&key, &message(SUMS));
    let decoding = "unable to decode provenance file";
    let (head, tail) = text.split_at(text.find("-----BEGIN PGP SIGNATURE").unwrap());
    let verification = "openpgp: invalid signature: EdDSA verification failure";
    for (given, words) in [
        ("text".to_owned(), decoding),
        (head.to_owned(), decoding),
        (text.replace("-----END", "----- END"), decoding),
        (text.replace("Hash: SHA256", "Hash: none"), decoding),
        (text.replace("Hash: SHA256", "Name: x"), decoding),
        (format!("x{text}"), decoding),
        (format!("-----BEGIN PGP SIGNED MESSAGE-----\n\n{tail}"), decoding),
        (text.replace("name", "game"), verification),
        (
            provenance(&key, "name: chart\n"),
            "error occurred parsing message block: message block must have at least two parts",
        ),
        (
            format!("{head}{}", tail.replacen("x\n\n", "x\n\n*", 1)),
            "unable to read PGP signature: illegal base64 data at input byte 0",
        ),
        (provenance(&Key::new(), &message(SUMS)), "openpgp: signature made by unknown entity"),
    ] {
        assert_eq!(refusal(&helm(&given, &key)), words, "{given}");
    }
}

#[test]
fn schema_faults_are_told_in_rekors_words() {
    let good = with_sums(SUMS);
    let with = |change: &dyn Fn(&mut Value)| {
        let mut value = good.clone();
        change(&mut value["spec"]);
        refusal(&value)
    };
    let list = |lines: &str| format!("validation failure list:\n{lines}");
    assert_eq!(
        with(&|spec| *spec = json!({})),
        list("chart in body is required\npublicKey in body is required")
    );
    let chart = "chart.chart";
    for (value, words) in [
        (json!({}), format!("{chart}.provenance in body is required")),
        (
            json!({"provenance": {"signature": {}}}),
            format!(
                "{chart}.provenance.chart.provenance.signature.\
                 chart.provenance.signature.content in body is required"
            ),
        ),
        (
            json!({"hash": {"algorithm": "md5"}, "provenance": {}}),
            format!("{chart}.hash.chart.hash.algorithm in body should be one of [sha256]"),
        ),
    ] {
        assert_eq!(with(&|spec| spec["chart"] = value.clone()), list(&words));
    }
    assert_eq!(
        with(&|spec| spec["publicKey"] = json!({})),
        list("publicKey.publicKey.content in body is required")
    );
    for (at, value, words) in [
        ("/publicKey/content", "\n", "'content' must be specified for publicKey"),
        ("/chart/provenance/content", "", "'content' must be specified for provenance"),
        (
            "/chart/provenance/content",
            "!",
            "failed parsing base64 data for provenance content: illegal base64 data at input byte 0",
        ),
    ] {
        assert_eq!(with(&|spec| *spec.pointer_mut(at).unwrap() = value.into()), words);
    }
}

#[test]
fn aliases_do_not_multiply() {
    let mut sums = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for n in 1..9 {
        let alias = format!("*a{}", n - 1);
        let row = vec![alias; 10].join(",");
        sums.push_str(&format!("a{n}: &a{n} [{row}]\n"));
    }
    sums.push_str("files: {chart-1.tgz: 'sha256:ab'}\n");
    let refused = refusal(&with_sums(&sums));
    assert!(refused.contains("alias expansion exceeded"), "{refused}");
}
