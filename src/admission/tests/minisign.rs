//! rekord with keys of minisign and signify: what is read, what is logged, what is refused.

use blake2::{Blake2b512, Digest as _};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::signer::*;
use crate::admission::base64::encode;
use crate::admission::{Policy, admit, public_key_index_keys};

const ID: &[u8; 8] = b"8 bytes.";

fn public(signer: &Signer) -> Vec<u8> {
    [b"Ed", &ID[..], &signer.spki()[12..]].concat()
}

fn key_file(signer: &Signer) -> String {
    format!("untrusted comment: x\n{}\n", encode(&public(signer)))
}

fn signature(algorithm: &[u8; 2], signer: &Signer, content: &[u8]) -> Vec<u8> {
    [&algorithm[..], ID, &signer.sign(content)].concat()
}

/// As minisign writes it; the global signature is wrong, which nobody minds.
fn minisig(signature: &[u8]) -> String {
    format!(
        "untrusted comment: y\n{}\ntrusted comment: z\n{}\n",
        encode(signature),
        encode(&[7; 64])
    )
}

fn rekord(signature: &[u8], key: &[u8]) -> Value {
    json!({"kind": "rekord", "apiVersion": "0.0.1", "spec": {
        "data": {"content": encode(CONTENT)},
        "signature": {"format": "minisign", "content": encode(signature),
                      "publicKey": {"content": encode(key)}},
    }})
}

#[test]
fn content_or_its_blake2b_is_signed_and_comments_are_dropped() {
    let signer = Signer::ed25519();
    let plain = signature(b"Ed", &signer, CONTENT);
    let hashed = signature(b"ED", &signer, &Blake2b512::digest(CONTENT));
    for signed in [plain, hashed] {
        let key = encode(&public(&signer));
        let signify = format!("untrusted comment: verify with x.pub\n{}\n", encode(&signed));
        let first = admitted(&rekord(minisig(&signed).as_bytes(), key.as_bytes()));
        for (signature, key) in [
            (signify.clone(), key_file(&signer)),
            (signify.trim_end().to_owned(), key.clone()),
            (minisig(&signed).replace('\n', "\r\n"), key_file(&signer).replace('\n', "\r\n")),
        ] {
            let entry = admitted(&rekord(signature.as_bytes(), key.as_bytes()));
            assert_eq!(entry.leaf_hash(), first.leaf_hash(), "{signature:?} {key:?}");
        }
        let body = stored(&first);
        let logged = &body["spec"]["signature"];
        assert_eq!(logged["publicKey"]["content"], encode(key.as_bytes()));
        let signature = format!("untrusted comment:\n{}", encode(&signed));
        assert_eq!(logged["content"], encode(signature.as_bytes()));
    }
}

#[test]
fn the_32_bytes_of_old_entries_are_a_key_too() {
    let signer = Signer::ed25519();
    let signed = minisig(&signature(b"Ed", &signer, CONTENT));
    let raw = &signer.spki()[12..];
    let entry = admitted(&rekord(signed.as_bytes(), raw));
    let logged = encode(&[b"Ed", &[0; 8][..], raw].concat());
    let body = stored(&entry);
    assert_eq!(body["spec"]["signature"]["publicKey"]["content"], encode(logged.as_bytes()));
    let search = |key: &[u8]| public_key_index_keys("minisign", key).unwrap();
    assert_eq!(search(raw), search(logged.as_bytes()));
    assert_ne!(search(raw), search(key_file(&signer).as_bytes()), "the key ID is part of it");
}

#[test]
fn what_is_wrong_is_told() {
    let signer = Signer::ed25519();
    let key = key_file(&signer);
    let good = signature(b"Ed", &signer, CONTENT);
    let unhashed = signature(b"ED", &signer, CONTENT);
    let unreadable = "unable to read minisign public key: Invalid encoded public key";
    for (signature, key, text) in [
        (minisig(&signature(b"Ed", &signer, b"x")), key.clone(), "failed to verify signature"),
        (minisig(&unhashed), key.clone(), "failed to verify signature"),
        (minisig(&good), key_file(&Signer::ed25519()), "failed to verify signature"),
        (minisig(&good), "c\nAAAA".into(), unreadable),
        (minisig(&good), "A".repeat(31), unreadable),
        (encode(&good), key.clone(), "invalid signature provided: 1 lines detected"),
        (
            format!("{}x", minisig(&good)),
            key.clone(),
            "invalid signature provided: 5 lines detected",
        ),
        ("c\n*".into(), key.clone(), "invalid signature provided: base64 decoding failed"),
        (
            format!("c\n{}", encode(&good[1..])),
            key.clone(),
            "invalid signature provided: incorrect size 73 detected",
        ),
    ] {
        assert_eq!(refusal(&rekord(signature.as_bytes(), key.as_bytes())), text, "{signature}");
    }
}

proptest! {
    #[test]
    fn anything_is_judged(signature in vec(any::<u8>(), 1..200), key in vec(any::<u8>(), 1..200)) {
        let _ = admit(&parse(&rekord(&signature, &key)).into(), &Policy::default());
        let text = format!("c\n{}", encode(&signature));
        let _ = admit(&parse(&rekord(text.as_bytes(), &key)).into(), &Policy::default());
    }
}
