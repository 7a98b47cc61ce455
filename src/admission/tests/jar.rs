//! jar 0.0.1: archives signed here, what may be odd in them, and what is refused.

use std::io::{Cursor, Write as _};

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use md5::Digest as _;
use proptest::prelude::*;
use serde_json::{Value, json};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::cms_maker::*;
use super::signer::{admitted, parse, refusal, stored};
use crate::admission::base64::{decode, encode};
use crate::admission::index_keys::sha256_hex;
use crate::admission::pki::{der, pem};
use crate::admission::{Policy, admit, leaf_hash_of};

const MANIFEST: &str = "META-INF/MANIFEST.MF";
pub(super) const CLASS: &[u8] = b"\xca\xfe\xba\xbe";

pub(super) type Members = Vec<(String, Vec<u8>)>;

fn sha256(content: &[u8]) -> String {
    encode(digest(&SHA256, content).as_ref())
}

pub(super) fn archive(members: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in members {
        zip.start_file(name.as_str(), SimpleFileOptions::default()).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

pub(super) fn proposal(archive: &[u8]) -> Value {
    json!({"kind": "jar", "apiVersion": "0.0.1", "spec": {
        "archive": {"content": encode(archive)}}})
}

fn manifest() -> String {
    let class = sha256(CLASS);
    format!(
        "Manifest-Version: 1.0\r\n\r\nName: a/very/long/name/that/goes/on/in/the/next/line/of/it\r\n \
         /Main.class\r\nSHA-256-Digest: {class}\r\n\r\n"
    )
}

pub(super) const LONG: &str = "a/very/long/name/that/goes/on/in/the/next/line/of/it/Main.class";

fn whole(manifest: &str) -> String {
    format!(
        "Signature-Version: 1.0\r\nSHA-256-Digest-Manifest: {}\r\n\r\n",
        sha256(manifest.as_bytes())
    )
}

/// With the digests of each section only.
fn by_section(manifest: &str) -> String {
    let main = manifest.find("\r\n\r\n").unwrap() + 4;
    let (main, section) = manifest.split_at(main);
    let (main, section) = (sha256(main.as_bytes()), sha256(section.as_bytes()));
    format!(
        "Signature-Version: 1.0\r\nSHA-256-Digest-Manifest-Main-Attributes: {main}\r\n\r\n\
         Name: {LONG}\r\nSHA-256-Digest: {section}\r\n\r\n"
    )
}

fn block(signer: &Cms, file: &str) -> Vec<u8> {
    let content = file.as_bytes();
    signer.signed_data(&Shape { content, detached: true, ..Shape::default() })
}

fn members(manifest: &str, file: &str, block: Vec<u8>) -> Members {
    vec![
        (MANIFEST.into(), manifest.into()),
        ("META-INF/A.SF".into(), file.into()),
        ("META-INF/A.EC".into(), block),
        (LONG.into(), CLASS.into()),
        ("not-listed.txt".into(), b"whatever".into()),
    ]
}

fn signed(manifest: &str, file: &str) -> Members {
    members(manifest, file, block(&Cms::new(), file))
}

pub(super) fn good() -> Members {
    signed(&manifest(), &whole(&manifest()))
}

#[test]
fn a_signed_archive_becomes_its_hash_its_signature_and_its_certificate() {
    for (signer, name) in [(Cms::new(), "META-INF/A.EC"), (Cms::rsa(), "meta-inf/a.rsa")] {
        for file in [whole(&manifest()), by_section(&manifest())] {
            let block = block(&signer, &file);
            let mut members = members(&manifest(), &file, block.clone());
            members[2].0 = name.into();
            let archive = archive(&members);
            let entry = admitted(&proposal(&archive));
            let body = stored(&entry);
            let hash = sha256_hex(&archive);
            let claimed = json!({"algorithm": "sha256", "value": hash});
            assert_eq!(body["spec"]["archive"], json!({"hash": claimed}));
            let content = |value: &Value| decode(value["content"].as_str().unwrap()).unwrap();
            let (mut signature, mut key) = (String::new(), String::new());
            pem::write(&mut signature, "PKCS7", &block);
            pem::write(&mut key, "CERTIFICATE", &signer.certificate);
            let signature_members = &body["spec"]["signature"];
            assert_eq!(content(signature_members), signature.as_bytes());
            assert_eq!(content(&signature_members["publicKey"]), key.as_bytes());
            let keys = [sha256_hex(signature.as_bytes()), format!("sha256:{hash}")];
            assert_eq!(entry.index_keys(), keys);

            let mut with_hash = proposal(&archive);
            with_hash["spec"]["archive"]["hash"] = claimed;
            assert_eq!(admitted(&with_hash).leaf_hash(), entry.leaf_hash());
            assert_eq!(
                refusal(&body),
                "entry not insertable into log: missing archive content",
                "the stored form"
            );
            let again = leaf_hash_of(&parse(&body), &Policy::default()).unwrap_err().to_string();
            assert_eq!(again, format!("SHA mismatch: {} != {hash}", sha256_hex(b"")));
        }
    }
}

#[test]
fn content_within_the_signature_is_taken_out() {
    let (signer, file) = (Cms::new(), whole(&manifest()));
    let shape = Shape { content: file.as_bytes(), ..Shape::default() };
    let info = signer.signer_info(&shape);
    let attached = signed_data(&shape, &[&signer.certificate], &[&info]);
    let shape = Shape { detached: true, ..shape };
    let detached = signed_data(&shape, &[&signer.certificate], &[&info]);
    // Zeros after it are no garbage, and are not logged.
    let padded = [&detached[..], &[0; 5]].concat();
    let logged = |block| {
        let archive = archive(&members(&manifest(), &file, block));
        stored(&admitted(&proposal(&archive)))["spec"]["signature"].clone()
    };
    assert_eq!(logged(attached), logged(detached.clone()));
    assert_eq!(logged(padded), logged(detached));
}

#[test]
fn old_digests_and_odd_lines_are_read() {
    let class = encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, CLASS).as_ref());
    let md5 = encode(&md5::Md5::digest(CLASS));
    let lines = |end: &str| {
        format!(
            "Manifest-Version: 1.0{end}{end}name:x{end}NAME: {LONG}{end}sha1-DIGEST:{class}{end}\
             MD5-Digest: {md5}{end}Sha256-Digest: {}{end}{end}\
             Name: elsewhere{end}Magic: yes{end}{end}",
            sha256(CLASS)
        )
    };
    for manifest in [lines("\n"), lines("\r\n")] {
        let file = format!("A: b\n\nName: {LONG}\nSHA1-Digest: no\n\n");
        let words = "manifest main attributes signature: no recognized digests found";
        assert_eq!(refusal(&proposal(&archive(&signed(&manifest, &file)))), words);
        let file = whole(&manifest).replace("\r\n", "\n");
        admitted(&proposal(&archive(&signed(&manifest, &file))));
    }
}

pub(super) fn with(change: impl FnOnce(&mut Members)) -> Vec<u8> {
    let mut members = good();
    change(&mut members);
    archive(&members)
}

#[test]
fn what_is_not_signed_as_it_is_is_refused() {
    let other = b"changed".to_vec();
    let cases: Vec<(Vec<u8>, String)> = vec![
        (with(|all| all.clear()), "JAR contains no META-INF/MANIFEST.MF".into()),
        (with(|all| drop(all.drain(1..3))), "JAR contains no signatures".into()),
        (
            with(|all| drop(all.remove(2))),
            "JAR contains sigfile META-INF/A.SF with no matching signature".into(),
        ),
        (with(|all| all[1].1.push(b' ')), "pkcs7: content digest does not match".into()),
        (
            with(|all| all[0].1.push(b' ')),
            format!(
                "manifest signature: Sha-256-Digest-Manifest mismatch: manifest {} != \
                 calculated {}",
                sha256(manifest().as_bytes()),
                sha256((manifest() + " ").as_bytes())
            ),
        ),
        (
            with(|all| all[3].1 = other.clone()),
            format!(
                "file \"{LONG}\" in MANIFEST.MF: Sha-256-Digest mismatch: manifest {} != \
                 calculated {}",
                sha256(CLASS),
                sha256(&other)
            ),
        ),
        (with(|all| drop(all.remove(3))), format!("file {LONG} is in manifest but not JAR")),
        (
            with(|all| all.push(("META-INF/B.SF".into(), vec![]))),
            "multiple signatures detected in JAR; unable to process".into(),
        ),
        (
            with(|all| all.insert(0, ("META-INF/SIG-X.y".into(), vec![]))),
            "the first signature block of the JAR does not belong to META-INF/A.SF".into(),
        ),
        (with(|all| all[2].1.push(b'x')), "pkcs7: trailing garbage after PKCS#7 structure".into()),
        (with(|all| all[2].1.clear()), "asn1: structure error: malformed PKCS#7".into()),
        (b"no archive".to_vec(), "zip: not a valid zip file".into()),
    ];
    for (archive, words) in cases {
        assert_eq!(refusal(&proposal(&archive)), words);
    }
}

#[test]
fn manifests_that_are_none_are_refused() {
    let endings = "manifest has incorrect line ending sequence";
    for (manifest, words) in [
        ("", "manifest has no sections"),
        ("A: b\n", endings),
        ("A: b\n\n\n\n", endings),
        ("A: b\n\nC: d\n\n", "manifest has section with no \"Name\" attribute"),
        ("A: b\n\nName: x\nno\n\n", "jar manifest is malformed"),
        (
            "A: b\n\nName: META-INF/A.SF\n\n",
            "file \"META-INF/A.SF\" in MANIFEST.MF: \
                                             no recognized digests found",
        ),
        (
            "A: b\n\nName: META-INF/A.SF\nSHA-3-Digest: x\n\n",
            "file \"META-INF/A.SF\" in MANIFEST.MF: unknown digest key in manifest: SHA-3",
        ),
    ] {
        let archive = archive(&signed(manifest, &whole(manifest)));
        assert_eq!(refusal(&proposal(&archive)), words, "{manifest:?}");
    }
    let section = "Name: other\nSHA-256-Digest: x\n\n";
    let main = sha256(b"A: b\n\n");
    let file = format!("SHA-256-Digest-Manifest-Main-Attributes: {main}\n\n{section}");
    let archive = archive(&signed("A: b\n\n", &file));
    let words = "manifest is missing signed section \"other\"";
    assert_eq!(refusal(&proposal(&archive)), words);
}

#[test]
fn a_timestamp_beside_the_signature_must_be_of_it() {
    let (signer, authority) = (Cms::rsa(), Cms::new());
    let file = whole(&manifest());
    let shape = Shape { content: file.as_bytes(), detached: true, ..Shape::default() };
    // RSA signs the same each time.
    let plain = signer.signer_info(&shape);
    let signature = der::elements(der::element(&plain).unwrap().value)
        .find(|member| member.tag == der::OCTET_STRING)
        .unwrap()
        .value;
    let stamped = |message: &[u8]| {
        let content = timestamp_info(message);
        let content_type = TIMESTAMP_INFO;
        let token =
            authority.signed_data(&Shape { content_type, content: &content, ..Shape::default() });
        let id = hex("060b2a864886f70d010910020e");
        let attribute = element(der::SEQUENCE, &[&id, &element(der::SET, &[&token])]);
        let block = signer.signed_data(&Shape { unsigned: &attribute, ..shape });
        proposal(&archive(&members(&manifest(), &file, block)))
    };
    admitted(&stamped(signature));
    let words = "verifying timestamp imprint: pkcs9: digest check failed";
    assert_eq!(refusal(&stamped(b"something else")), words);
}

#[test]
fn what_is_missing_is_named() {
    let of = |spec: Value| json!({"kind": "jar", "apiVersion": "0.0.1", "spec": spec});
    let list = |fault: &str| format!("validation failure list:\n{fault}");
    let hash = |value: &str| json!({"algorithm": "sha256", "value": value});
    for (spec, words) in [
        (json!({}), list("archive in body is required")),
        (json!({"archive": {}}), "'content' must be specified for package".into()),
        (
            json!({"archive": {"content": "eA==", "hash": {"algorithm": "sha1"}}}),
            list("archive.archive.hash.archive.hash.algorithm in body should be one of [sha256]"),
        ),
        (
            json!({"archive": {"content": "eA==", "hash": hash("x")}}),
            "invalid value for hash".into(),
        ),
        (
            json!({"archive": {"content": "eA=="}, "signature": {}}),
            list("signature.signature.content in body is required"),
        ),
        (
            json!({"archive": {"content": "eA=="}, "signature": {"content": "eA=="}}),
            list("signature.signature.publicKey in body is required"),
        ),
        (
            json!({"archive": {"content": "eA=="},
                   "signature": {"content": "eA==", "publicKey": {}}}),
            list("signature.signature.publicKey.signature.publicKey.content in body is required"),
        ),
        (
            json!({"archive": {"content": "*"}}),
            "failed parsing base64 data for archive content: illegal base64 data at input byte 0"
                .into(),
        ),
        (
            json!({"archive": {"content": "eA==", "hash": hash(&sha256_hex(b"y"))}}),
            format!("SHA mismatch: {} != {}", sha256_hex(b"x"), sha256_hex(b"y")),
        ),
    ] {
        assert_eq!(refusal(&of(spec.clone())), words, "{spec}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn what_is_cut_or_changed_is_read_or_refused(at in any::<usize>(), bit in 0_u8..8) {
        let bytes = archive(&good());
        let at = at % bytes.len();
        let _either = admit(&parse(&proposal(&bytes[..at])).into(), &Policy::default());
        let mut changed = bytes;
        changed[at] ^= 1 << bit;
        let _either = admit(&parse(&proposal(&changed)).into(), &Policy::default());
    }
}
