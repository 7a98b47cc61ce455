//! rpm 0.0.1: packages made for a test, tag by tag; digests, signatures, Rekor's words.

use aws_lc_rs::digest::{Algorithm, SHA1_FOR_LEGACY_USE_ONLY, SHA256, SHA384, SHA512, digest};
use md5::{Digest as _, Md5};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::pgp_maker::*;
use super::signer::{admitted, parse, refusal, stored};
use crate::admission::base64::encode;
use crate::admission::index_keys::sha256_hex;
use crate::admission::{Policy, admit, leaf_hash_of};

const PAYLOAD: &[u8] = b"not unpacked";

/// A tag: number, type, count, contents.
type Tag = (i32, i32, i32, Vec<u8>);

fn text(tag: i32, text: &str) -> Tag {
    (tag, 6, 1, [text.as_bytes(), &[0]].concat())
}

fn binary(tag: i32, bytes: &[u8]) -> Tag {
    (tag, 7, bytes.len() as i32, bytes.to_vec())
}

fn header(tags: &[Tag], padded: bool) -> Vec<u8> {
    let (mut table, mut data) = (Vec::new(), Vec::new());
    for (tag, kind, count, contents) in tags {
        for word in [*tag, *kind, data.len() as i32, *count] {
            table.extend(word.to_be_bytes());
        }
        data.extend(contents);
    }
    let mut out = vec![0x8e, 0xad, 0xe8, 1, 0, 0, 0, 0];
    out.extend((tags.len() as u32).to_be_bytes());
    out.extend((data.len() as u32).to_be_bytes());
    out.extend(table);
    out.extend(&data);
    if padded {
        out.resize(16 + tags.len() * 16 + data.len().next_multiple_of(8), 0);
    }
    out
}

fn names() -> Vec<Tag> {
    vec![text(1000, "name"), text(1001, "1.2"), text(1002, "3.el9"), text(1022, "x86_64")]
}

fn hex_of(algorithm: &'static Algorithm, content: &[u8]) -> String {
    hex::encode(digest(algorithm, content))
}

fn payload_digest(number: i32, value: &str) -> [Tag; 2] {
    [(5092, 8, 1, [value.as_bytes(), &[0]].concat()), (5093, 4, 1, number.to_be_bytes().to_vec())]
}

/// A package before it is signed.
struct Draft {
    header: Vec<u8>,
    signature_tags: Vec<Tag>,
}

impl Draft {
    fn new(tags: &[Tag]) -> Self {
        let header = header(tags, false);
        let sha256 = text(273, &hex_of(&SHA256, &header));
        Self { header, signature_tags: vec![sha256] }
    }

    fn usual() -> Self {
        let digest = payload_digest(8, &hex_of(&SHA256, PAYLOAD));
        Self::new(&[&names()[..], &digest].concat())
    }

    fn with(mut self, tag: Tag) -> Self {
        self.signature_tags.push(tag);
        self
    }

    fn all(&self) -> Vec<u8> {
        [&self.header[..], PAYLOAD].concat()
    }

    fn signed(self, key: &Key) -> Vec<u8> {
        let (over_header, over_all) = (key.detached(&self.header), key.detached(&self.all()));
        self.with(binary(268, &over_header)).with(binary(1002, &over_all)).file()
    }

    fn file(&self) -> Vec<u8> {
        let mut lead = vec![0xed, 0xab, 0xee, 0xdb, 3, 0];
        lead.resize(96, 0);
        [lead, header(&self.signature_tags, true), self.all()].concat()
    }
}

fn rpm(package: &[u8], key: &[u8]) -> Value {
    json!({"kind": "rpm", "apiVersion": "0.0.1", "spec": {
        "package": {"content": encode(package), "headers": {"Name": "ignored"}},
        "publicKey": {"content": encode(key)},
    }})
}

#[test]
fn what_the_package_calls_itself_is_logged() {
    let key = Key::rsa();
    let package = Draft::usual().signed(&key);
    let entry = admitted(&rpm(&package, &key.public()));
    let body = stored(&entry);
    let hash = sha256_hex(&package);
    assert_eq!(
        body["spec"]["package"],
        json!({
            "hash": {"algorithm": "sha256", "value": hash},
            "headers": {"Architecture": "x86_64", "Epoch": "0", "Name": "name",
                        "Release": "3.el9", "Version": "1.2"},
        })
    );
    assert_eq!(entry.index_keys()[1..], ["some@example.com", &format!("sha256:{hash}")]);
    assert_eq!(refusal(&body), "entry not insertable into log: missing package content");
    let empty = sha256_hex(b"");
    assert_eq!(
        leaf_hash_of(&parse(&body), &Policy::default()).unwrap_err().to_string(),
        format!("SHA mismatch: {empty} != {hash}")
    );

    let mut tags = names();
    tags.push((1003, 4, 1, 7_u32.to_be_bytes().to_vec()));
    tags[0] = (1000, 6, 1, b"a\xff\xe2\x82b\0".to_vec());
    let draft = Draft::new(&tags);
    let md5 = Md5::digest(draft.all());
    let package = draft.with(binary(1004, &md5)).signed(&key);
    let body = stored(&admitted(&rpm(&package, &key.public())));
    let headers = &body["spec"]["package"]["headers"];
    assert_eq!(headers["Epoch"], "7");
    assert_eq!(headers["Name"], "a\u{fffd}\u{fffd}\u{fffd}b");
    assert_eq!(headers["RPMSIGTAG_MD5"], hex::encode(md5));
}

#[test]
fn digests_must_be_right() {
    let key = Key::new();
    let judge = |draft: Draft| rpm(&draft.signed(&key), &key.public());
    for (number, value) in [
        (1, hex::encode(Md5::digest(PAYLOAD))),
        (2, hex_of(&SHA1_FOR_LEGACY_USE_ONLY, PAYLOAD)),
        (8, hex_of(&SHA256, PAYLOAD)),
        (9, hex_of(&SHA384, PAYLOAD)),
        (10, hex_of(&SHA512, PAYLOAD)),
    ] {
        let with =
            |value: &str| Draft::new(&[&names()[..], &payload_digest(number, value)].concat());
        admitted(&judge(with(&value)));
        let words = refusal(&judge(with(&value.to_uppercase())));
        assert!(words.starts_with("payload ") && words.ends_with(" digest mismatch"), "{words}");
    }
    let unknown = || Draft::new(&[&names()[..], &payload_digest(3, "x")].concat());
    let md5 = Md5::digest(unknown().all());
    admitted(&judge(unknown().with(binary(1004, &md5))));
    for (draft, words) in [
        (unknown(), "no usable payload digest found"),
        (unknown().with(binary(1004, b"x")), "md5 digest mismatch"),
        (Draft::usual().with(text(273, "00")), "SHA-256 mismatch in signature header"),
        (
            Draft::usual().with(text(273, "")).with(text(269, "00")),
            "SHA-1 mismatch in signature header",
        ),
    ] {
        assert_eq!(refusal(&judge(draft)), words);
    }
    admitted(&judge(Draft::usual().with(text(273, "")).with(text(269, "0"))));
}

#[test]
fn every_signature_must_hold_whatever_the_key_may() {
    let (key, other) = (Key::new(), Key::p256());
    // A key that may not sign, that is revoked, and that signs before it was made.
    let weak = [
        key.packet(),
        key.sign(&sig(0x20, &[]), &[&key.hashed()]),
        key.user("x", &sig(0x13, MAY_ENCRYPT)),
    ]
    .concat();
    let early = key.sign(&sig(0, &[]).at(1), &[&Draft::usual().header]);
    admitted(&rpm(&Draft::usual().with(binary(267, &early)).file(), &weak));
    let sub = [key.public(), key.subkey(&other, MAY_ENCRYPT)].concat();
    let by_sub = other.detached(&Draft::usual().all());
    admitted(&rpm(&Draft::usual().with(binary(1005, &by_sub)).file(), &sub));

    let public = key.public();
    let refuses = |tag: Tag, words: &str| {
        let over_header = key.detached(&Draft::usual().header);
        let draft = Draft::usual().with(binary(268, &over_header));
        admitted(&rpm(&draft.file(), &public));
        assert_eq!(refusal(&rpm(&draft.with(tag).file(), &public)), words);
    };
    assert_eq!(
        refusal(&rpm(&Draft::usual().file(), &public)),
        "no supported PGP signature found in RPM"
    );
    let good = key.detached(&Draft::usual().all());
    refuses(
        binary(1002, &[&good[..], &[0]].concat()),
        "trailing garbage after PGP signature packet",
    );
    refuses(binary(1002, &[]), "EOF");
    refuses(binary(1002, &packet(13, b"x")), "no supported PGP signature packet found");
    refuses(
        binary(1002, &packet(2, &[3, 5])),
        "openpgp: unsupported feature: signature packet version 3",
    );
    refuses(text(1002, "x"), "unsupported datatype for bytes: 6, tag: 1002");
    refuses(
        binary(1002, &key.detached(b"x")),
        "openpgp: invalid signature: EdDSA verification failure",
    );
    let words = refusal(&rpm(&Draft::usual().signed(&other), &public));
    assert!(words.starts_with("keyid ") && words.ends_with(" not found"), "{words}");
}

#[test]
fn faults_are_told_in_rekors_words() {
    let key = Key::new();
    let package = Draft::usual().signed(&key);
    let cut = |at: usize| rpm(&package[..at], &key.public());
    let header_at = package.len() - Draft::usual().all().len();
    for (at, words) in [
        (95, "error reading RPM lead: unexpected EOF"),
        (96, "error reading RPM header: EOF"),
        (100, "error reading RPM header: unexpected EOF"),
        (112, "error reading RPM header table: EOF"),
        (113, "error reading RPM header table: unexpected EOF"),
        (header_at - 1, "error reading RPM header data: unexpected EOF"),
        (header_at, "error reading RPM header: EOF"),
        (package.len() - 1, "payload SHA-256 digest mismatch"),
    ] {
        assert_eq!(refusal(&cut(at)), words, "{at}");
    }
    let mut changed = package.clone();
    changed[96] = 0;
    assert_eq!(refusal(&rpm(&changed, &key.public())), "bad magic for header");
    assert_eq!(refusal(&rpm(&[1; 200], &key.public())), "file is not an RPM");
    for (tag, words) in [
        ((1000, 6, 1, Vec::new()), "tag 1000 is truncated"),
        ((1000, 6, 0, Vec::new()), "tag 1000 is empty"),
        ((1000, 4, 1, vec![0; 4]), "unsupported datatype for string: 4, tag: 1000"),
        ((1003, 6, 1, vec![0]), "tag 1003 isn't an int type"),
        ((2000, 5, 9, vec![0; 8]), "tag 2000 is malformed"),
        ((2000, 5, -1, vec![0; 8]), "tag 2000 is malformed"),
    ] {
        let digest = payload_digest(8, &hex_of(&SHA256, PAYLOAD));
        let tags = [&names()[..], &digest, &[tag]].concat();
        assert_eq!(refusal(&rpm(&Draft::new(&tags).signed(&key), &key.public())), words);
    }
    let digest = payload_digest(8, &hex_of(&SHA256, PAYLOAD));
    let tags = [&names()[1..], &digest].concat();
    assert_eq!(refusal(&rpm(&Draft::new(&tags).signed(&key), &key.public())), "No such entry 1000");
}

#[test]
fn schema_faults_are_told_in_rekors_words() {
    let key = Key::new();
    let package = Draft::usual().signed(&key);
    let good = rpm(&package, &key.public());
    let with = |change: &dyn Fn(&mut Value)| {
        let mut value = good.clone();
        change(&mut value["spec"]);
        value
    };
    let list = |lines: &str| format!("validation failure list:\n{lines}");
    assert_eq!(
        refusal(&with(&|spec| *spec = json!({"package": {"hash": {}}}))),
        list(
            "package.package.hash.package.hash.algorithm in body is required\n\
             publicKey in body is required"
        )
    );
    assert_eq!(
        refusal(&with(&|spec| *spec = json!({"publicKey": {}}))),
        list("package in body is required\npublicKey.publicKey.content in body is required")
    );
    let claim = |value: &str| {
        with(&|spec| spec["package"]["hash"] = json!({"algorithm": "sha256", "value": value}))
    };
    let hash = sha256_hex(&package);
    admitted(&claim(&hash));
    let upper = hash.to_uppercase();
    assert_eq!(refusal(&claim(&upper)), format!("SHA mismatch: {hash} != {upper}"));
    assert_eq!(refusal(&claim("ab")), "invalid value for hash");
    assert_eq!(
        refusal(&with(&|spec| spec["package"]["content"] = "".into())),
        "'content' must be specified for package"
    );
    assert_eq!(
        refusal(&with(&|spec| spec["publicKey"]["content"] = "\n".into())),
        "'content' must be specified for publicKey"
    );
}

proptest! {
    #[test]
    fn a_damaged_package_is_refused_or_another_entry(
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        cut in any::<bool>(),
    ) {
        let key = Key::new();
        let mut package = Draft::usual().signed(&key);
        let at = at.index(package.len());
        if cut {
            package.truncate(at);
        } else {
            package[at] = byte;
        }
        let proposal = parse(&rpm(&package, &key.public()));
        if let Ok(entry) = admit(&proposal.into(), &Policy::default()) {
            let body = stored(&entry);
            prop_assert_eq!(
                body["spec"]["package"]["hash"]["value"].as_str().unwrap(),
                sha256_hex(&package)
            );
            prop_assert_eq!(body["spec"]["package"]["headers"]["Name"].as_str(), Some("name"));
        }
    }
}
