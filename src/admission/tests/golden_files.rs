//! Rekor's own test data that no golden line is about: what is taken and what is refused of it.
//!
//! The vectors are not part of this repository; without them the test says that it is skipped.

use serde_json::{Value, json};

use super::golden::{Files, vectors};
use super::signer::{admitted, hex_digest, parse, refusal};
use crate::admission::base64::encode;
use crate::admission::pki::{pem, pkcs7::SignedData};
use crate::admission::{Policy, admit, public_key_index_keys};

fn files() -> Option<Files> {
    let found = vectors().map(Files);
    if found.is_none() {
        eprintln!("SKIPPED: the golden vectors are not at ../shared/vectors");
    }
    found
}

fn proposal(files: &Files, path: &str) -> Value {
    serde_json::from_slice(&files.bytes(path)).unwrap()
}

#[test]
fn whole_proposals() {
    let Some(files) = files() else { return };
    let whole = admitted(&proposal(&files, "tests/canonical_rekor.json"));
    assert!(whole.leaf_hash().to_string().starts_with("d2f305428d7c222d"));
    let insertable = "entry not insertable into log: missing data content";
    for (path, words) in [
        // Legacy URLs stand where the content should.
        ("tests/rekor.json", insertable),
        ("cmd/rekor-cli/app/tests/rekor.json", insertable),
        ("cmd/rekor-server/tests/rekor.json", insertable),
        (
            "cmd/rekor-cli/app/tests/alpine.json",
            "failed parsing base64 data for package content: illegal base64 data at input byte 3647",
        ),
        // Its envelope is a text, as in 0.0.1.
        (
            "pkg/generated/models/testdata/intoto.json",
            "validation failure list:\ncontent.content.envelope.content.envelope.payloadType in body \
             is required",
        ),
    ] {
        assert_eq!(refusal(&proposal(&files, path)), words, "{path}");
    }
    let seed = "tests/fuzz-testdata/seeds/alpine/FuzzPackageUnmarshal/FuzzPackageUnmarshal_seed1";
    let package = encode(&files.bytes(seed));
    let key = encode(&files.bytes("pkg/types/alpine/tests/test_alpine.pub"));
    let spec = json!({"package": {"content": package}, "publicKey": {"content": key}});
    let alpine = json!({"kind": "alpine", "apiVersion": "0.0.1", "spec": spec});
    assert_eq!(refusal(&alpine), "create gzip reader: gzip: invalid header");
}

#[test]
fn signatures_by_each_algorithm() {
    const ALGORITHMS: &str = "tests/client-algos-testdata";
    const SHARDING: &str = "tests/sharding-testdata";
    let Some(files) = files() else { return };
    let verdict = |folder: &str, file: &str, signature: &str, key: &str, hash: &str| {
        let read = |name: &str| files.bytes(&format!("{folder}/{name}"));
        let signature = json!({"content": encode(&read(signature)),
                               "publicKey": {"content": encode(&read(key))}});
        let content = read(file);
        let spec = match hash {
            "" => {
                let mut signature = signature;
                signature["format"] = "x509".into();
                json!({"data": {"content": encode(&content)}, "signature": signature})
            }
            hash => {
                let value = json!({"algorithm": hash, "value": hex_digest(hash, &content)});
                json!({"data": {"hash": value}, "signature": signature})
            }
        };
        let kind = if hash.is_empty() { "rekord" } else { "hashedrekord" };
        let value = json!({"kind": kind, "apiVersion": "0.0.1", "spec": spec});
        let judged = admit(&parse(&value).into(), &Policy::default());
        judged.map(drop).map_err(|error| error.to_string())
    };
    for (file, signature) in [("file1", "file1"), ("file2", "file2")] {
        for (kind, key) in [("ec", "ec_public.pem"), ("rsa", "rsa_public.pem")] {
            let signature = format!("{signature}.{kind}.sig");
            assert_eq!(verdict(ALGORITHMS, file, &signature, key, "sha256"), Ok(()));
            assert_eq!(verdict(ALGORITHMS, file, &signature, key, ""), Ok(()));
        }
        let signature = format!("{signature}.sig");
        assert_eq!(verdict(SHARDING, file, &signature, "ec_public.pem", "sha256"), Ok(()));
    }
    let pure = ("file1", "file1.ed25519.sig", "ed25519_public.pem");
    assert_eq!(verdict(ALGORITHMS, pure.0, pure.1, pure.2, ""), Ok(()));
    verdict(ALGORITHMS, pure.0, pure.1, pure.2, "sha512").unwrap_err();
    assert_eq!(
        verdict(ALGORITHMS, "file2", "file2.rsa512.sig", "rsa_public.pem", "sha512"),
        Err("entry algorithms are not allowed: RSA of 2048 bits with SHA-512".into())
    );
}

#[test]
fn keys_and_signatures_of_other_formats() {
    let Some(files) = files() else { return };
    for name in ["valid_armored_complex_public.pgp", "valid_binary_complex_public.pgp"] {
        let key = files.bytes(&format!("pkg/pki/pgp/testdata/{name}"));
        assert_eq!(public_key_index_keys("pgp", &key).unwrap().len(), 2, "{name}");
    }
    for name in ["bogus_armored.pgp", "bogus_binary.pgp"] {
        let key = files.bytes(&format!("pkg/pki/pgp/testdata/{name}"));
        public_key_index_keys("pgp", &key).unwrap_err();
    }
    for path in ["pkg/pki/tuf/testdata/bogus.json", "pkg/types/tuf/v0.0.1/tests/test_any.json"] {
        public_key_index_keys("tuf", &files.bytes(path)).unwrap_err();
    }
    let read = |name: &str| encode(&files.bytes(&format!("tests/node/{name}")));
    let clear = json!({"kind": "rekord", "apiVersion": "0.0.1", "spec": {
        "data": {"content": read("SHASUMS256.txt")},
        "signature": {"format": "pgp", "content": read("sig.asc"),
                      "publicKey": {"content": read("key")}},
    }});
    admit(&parse(&clear).into(), &Policy::default()).unwrap_err();

    let text = files.bytes("pkg/pki/pkcs7/testdata/sig.pkcs7.pem");
    let (block, _) = pem::first_block(&text).unwrap();
    let (signed, rest) = SignedData::read(&block.contents).unwrap();
    assert!(rest.is_empty() && signed.is_signed_data());
    signed.verify(None).unwrap();
    let detached = signed.detached();
    let (again, _) = SignedData::read(&detached).unwrap();
    assert_eq!(again.content(), None);
    assert_eq!(again.detached(), detached);
    again.verify(signed.content()).unwrap();
    assert_eq!(again.first_certificate(), signed.first_certificate());
}
