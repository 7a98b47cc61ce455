//! tuf 0.0.1: roots and metadata made here, thresholds, expiry, and what is refused.

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::signature as aws;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::golden::{Files, vectors};
use super::signer::*;
use crate::admission::base64::{decode, encode};
use crate::admission::index_keys::sha256_hex;
use crate::admission::{Policy, admit, leaf_hash_of, public_key_index_keys};
use crate::limits::{TUF_BYTES_MAX, TUF_SIGNATURES_MAX};

const FUTURE: &str = "2999-01-01T00:00:00Z";

/// The key as TUF has it. Ids are free.
fn key(signer: &Signer) -> Value {
    let (kind, public) = match signer {
        Signer::Ed25519(key) => ("ed25519", hex::encode(key.verifying_key().as_bytes())),
        Signer::Ecdsa(_) => ("ecdsa", signer.pem()),
        Signer::Rsa(_) => ("rsa", signer.pem()),
    };
    json!({"keytype": kind, "scheme": "s", "keyval": {"public": public}})
}

fn sign(signer: &Signer, signed: &Value) -> String {
    // Names in order and no space: OLPC's form, but that line ends stand for themselves.
    let message = serde_json::to_string(signed).unwrap().replace("\\n", "\n").into_bytes();
    hex::encode(match signer {
        Signer::Rsa(_) => signer.sign_rsa_with(&aws::RSA_PSS_SHA256, &message),
        _ => signer.sign(&message),
    })
}

/// A signature of each, under the ids that are given.
fn document(signed: &Value, signers: &[(&str, &Signer)]) -> Value {
    let signature =
        |(id, signer): &(&str, &Signer)| json!({"keyid": id, "sig": sign(signer, signed)});
    json!({"signed": signed, "signatures": signers.iter().map(signature).collect::<Vec<_>>()})
}

/// All roles with the same keys.
fn root_of(keys: &[(&str, &Signer)], threshold: usize) -> Value {
    let ids: Vec<_> = keys.iter().map(|(id, _)| *id).collect();
    let role = json!({"keyids": ids, "threshold": threshold});
    let entries: serde_json::Map<_, _> =
        keys.iter().map(|(id, signer)| ((*id).to_owned(), key(signer))).collect();
    json!({
        "_type": "root", "spec_version": "1.0.31", "version": 3, "expires": FUTURE,
        "consistent_snapshot": true, "keys": entries,
        "roles": {"root": role, "targets": role, "snapshot": role, "timestamp": role,
                  "mirrors": role},
    })
}

fn timestamp() -> Value {
    json!({"_type": "timestamp", "spec_version": "1.0.31", "version": 7, "expires": FUTURE,
           "meta": {"snapshot.json": {"version": 5}}})
}

fn proposal(metadata: &Value, root: &Value) -> Value {
    json!({"kind": "tuf", "apiVersion": "0.0.1", "spec": {
        "metadata": {"content": metadata}, "root": {"content": root}}})
}

fn text(document: &Value) -> Value {
    encode(serde_json::to_string_pretty(document).unwrap().as_bytes()).into()
}

#[test]
fn metadata_and_root_are_logged_in_canonical_form() {
    let signers = [Signer::ed25519(), Signer::p256(), Signer::rsa()];
    for signer in &signers {
        let signers = [("k", signer)];
        let root = document(&root_of(&signers, 1), &signers);
        let mut metadata = document(&timestamp(), &signers);
        metadata["other"] = json!("dropped");
        let entry = admitted(&proposal(&metadata, &root));
        metadata.as_object_mut().unwrap().remove("other");
        let logged = |document: &Value| serde_json_canonicalizer::to_vec(document).unwrap();
        let content = |document: &Value| json!({"content": encode(&logged(document))});
        let body = stored(&entry);
        assert_eq!(
            body["spec"],
            json!({
                "metadata": content(&metadata), "root": content(&root), "spec_version": "1.0.31",
            })
        );
        let keys = [
            sha256_hex(&logged(&metadata)),
            "timestamp".into(),
            "7".into(),
            sha256_hex(&logged(&root)),
        ];
        assert_eq!(entry.index_keys(), keys);
        let search = serde_json::to_vec(&root).unwrap();
        assert_eq!(public_key_index_keys("tuf", &search).unwrap()[0], keys[3]);
        for again in
            [body, proposal(&text(&metadata), &text(&root)), proposal(&metadata, &text(&root))]
        {
            assert_eq!(admitted(&again).leaf_hash(), entry.leaf_hash());
        }
        let alone = admitted(&proposal(&root, &root));
        assert_eq!(alone.index_keys()[..3], [&keys[3][..], "root", "3"]);
    }
}

#[test]
fn points_in_hexadecimal_are_keys_of_old_roots() {
    let signer = Signer::p256();
    let mut signed = root_of(&[("k", &signer)], 1);
    let spki = signer.spki();
    let point = hex::encode(&spki[spki.len() - 65..]);
    for kind in ["ecdsa", "ecdsa-sha2-nistp256"] {
        signed["keys"]["k"]["keytype"] = kind.into();
        signed["keys"]["k"]["keyval"]["public"] = point.clone().into();
        let root = document(&signed, &[("k", &signer)]);
        admitted(&proposal(&root, &root));
    }
}

/// What go-tuf writes; python-tuf's are as long as the hash, and are tested above.
#[test]
fn salts_of_rsa_may_be_as_long_as_they_can() {
    use rsa::pkcs8::DecodePrivateKey as _;

    let pair = aws::RsaKeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
    let pkcs8: aws_lc_rs::encoding::Pkcs8V1Der<'_> = pair.as_der().unwrap();
    let private = rsa::RsaPrivateKey::from_pkcs8_der(pkcs8.as_ref()).unwrap();
    let signer = Signer::Rsa(Box::new(pair));
    let signed = root_of(&[("k", &signer)], 1);
    let message = serde_json::to_string(&signed).unwrap().replace("\\n", "\n");
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, message.as_bytes());
    let with_salt = |length: usize| {
        let padding = rsa::Pss::new_with_salt::<sha2::Sha256>(length);
        let sig = private.sign_with_rng(&mut SystemRandom, padding, digest.as_ref()).unwrap();
        let signatures = json!([{"keyid": "k", "sig": hex::encode(sig)}]);
        let root = json!({"signed": signed, "signatures": signatures});
        proposal(&root, &root)
    };
    admitted(&with_salt(32));
    admitted(&with_salt(256 - 32 - 2));
    let words = "tuf: valid signatures did not meet threshold";
    assert_eq!(refusal(&with_salt(20)), words, "neither");
}

struct SystemRandom;

impl rsa::rand_core::RngCore for SystemRandom {
    fn next_u32(&mut self) -> u32 {
        rsa::rand_core::impls::next_u32_via_fill(self)
    }

    fn next_u64(&mut self) -> u64 {
        rsa::rand_core::impls::next_u64_via_fill(self)
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        aws_lc_rs::rand::fill(bytes).unwrap();
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rsa::rand_core::Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

impl rsa::rand_core::CryptoRng for SystemRandom {}

#[test]
fn a_threshold_counts_keys_and_not_their_names() {
    let (one, two, three) = (Signer::ed25519(), Signer::ed25519(), Signer::p256());
    let keys = [("a", &one), ("b", &two), ("c", &three), ("a2", &one)];
    let words = "tuf: valid signatures did not meet threshold";
    let root = document(&root_of(&keys, 2), &keys[..2]);
    let of = |signers: &[(&str, &Signer)]| proposal(&document(&timestamp(), signers), &root);
    admitted(&of(&keys[1..3]));
    assert_eq!(refusal(&of(&keys[..1])), words);
    assert_eq!(refusal(&of(&[keys[0], keys[3]])), words, "one key under two ids");
    assert_eq!(refusal(&of(&[keys[0], keys[0]])), words, "one signature twice");
    assert_eq!(refusal(&of(&[keys[0], ("z", &two)])), words, "an id that nobody has");
    assert_eq!(refusal(&of(&[keys[0], ("b", &three)])), words, "another's signature");
    let mut changed = of(&keys[1..3]);
    changed["spec"]["metadata"]["content"]["signed"]["version"] = 8.into();
    assert_eq!(refusal(&changed), words);
    let weak = document(&root_of(&keys, 2), &keys[..1]);
    assert_eq!(refusal(&proposal(&document(&timestamp(), &keys), &weak)), words, "of the root");
}

#[test]
fn expired_metadata_does_not_enter_but_is_found() {
    let signer = Signer::ed25519();
    let signers = [("k", &signer)];
    let root = document(&root_of(&signers, 1), &signers);
    let mut signed = timestamp();
    signed["expires"] = "2030-03-17T17:46:40Z".into();
    let given = proposal(&document(&signed, &signers), &root);
    let before = Policy { clock: || 1_899_999_999, ..Policy::default() };
    let after = Policy { clock: || 1_900_000_000, ..Policy::default() };
    let entry = admit(&parse(&given).into(), &before).unwrap();
    assert_eq!(refusal_under(&given, &after), "expired at 2030-03-17 17:46:40 +0000 UTC");
    assert_eq!(leaf_hash_of(&parse(&given), &after), Ok(entry.leaf_hash()));
    signed["expires"] = FUTURE.into();
    let mut old = root_of(&signers, 1);
    old["expires"] = "2030-03-17T17:46:40Z".into();
    let given = proposal(&document(&signed, &signers), &document(&old, &signers));
    assert_eq!(refusal_under(&given, &after), "expired at 2030-03-17 17:46:40 +0000 UTC");
}

#[test]
fn what_is_no_metadata_of_its_role_is_refused() {
    let signer = Signer::ed25519();
    let signers = [("k", &signer)];
    let root = document(&root_of(&signers, 1), &signers);
    let with = |change: fn(&mut Value)| {
        let mut signed = timestamp();
        change(&mut signed);
        refusal(&proposal(&document(&signed, &signers), &root))
    };
    assert_eq!(with(|signed| signed["_type"] = "other".into()), "tuf: unknown role \"other\"");
    let words = "tuf: meta file has wrong type";
    assert_eq!(with(|signed| signed["_type"] = "mirrors".into()), words);
    let words = "version -1 is lower than current version 0";
    assert_eq!(with(|signed| signed["version"] = (-1).into()), words);
    let words = "json: version of TUF metadata has the wrong type";
    assert_eq!(with(|signed| signed["version"] = 1.5.into()), words);
    assert!(with(|signed| signed["expires"] = "soon".into()).starts_with("parsing time \"soon\""));
    let words = "expired at 0001-01-01 00:00:00 +0000 UTC";
    assert_eq!(with(|signed| signed["expires"] = Value::Null), words);
    let words = "Can't canonicalize floating point number '0.5'";
    assert_eq!(with(|signed| signed["x"] = 0.5.into()), words);

    let with_root = |change: fn(&mut Value)| {
        let mut signed = root_of(&signers, 1);
        change(&mut signed);
        let root = document(&signed, &signers);
        refusal(&proposal(&root, &root))
    };
    for (words, change) in [
        ("tuf root contains nil key", (|r| r["keys"]["x"] = Value::Null) as fn(&mut Value)),
        ("tuf root contains nil role", |r| r["roles"]["x"] = Value::Null),
        ("tuf: invalid role threshold", |r| r["roles"]["x"] = json!({"threshold": 0})),
        ("invalid key", |r| r["keys"]["k"]["keytype"] = "dsa".into()),
        ("tuf: unknown role \"root\"", |r| r["roles"] = json!({})),
        ("tuf: meta file has wrong type", |r| r["_type"] = "targets".into()),
        (
            "tuf: error unmarshalling key: tuf: unexpected public key length for ed25519 key, \
          expected 32, got 1",
            |r| r["keys"]["k"]["keyval"]["public"] = "00".into(),
        ),
        ("tuf: error unmarshalling key: tuf: invalid ecdsa public key point", |r| {
            r["keys"]["k"]["keytype"] = "ecdsa".into();
            r["keys"]["k"]["keyval"]["public"] = "04".into();
        }),
        ("tuf: error unmarshalling key: invalid PEM value", |r| {
            r["keys"]["k"]["keytype"] = "rsa".into();
        }),
    ] {
        assert_eq!(with_root(change), words);
    }
}

#[test]
fn what_is_missing_or_malformed_is_named() {
    let signer = Signer::ed25519();
    let signers = [("k", &signer)];
    let root = document(&root_of(&signers, 1), &signers);
    let of = |metadata: Value| refusal(&proposal(&metadata, &root));
    let unsigned = json!({"signed": timestamp(), "signatures": []});
    assert_eq!(of(unsigned), "tuf: data has no signatures");
    assert_eq!(of(json!({"signatures": []})), "unexpected end of JSON input");
    assert_eq!(of(json!("")), "unexpected end of JSON input");
    assert_eq!(of(json!(5)), "json: the whole of TUF metadata has the wrong type");
    let words = "base64 decoding TUF metadata content: illegal base64 data at input byte 0";
    assert_eq!(of(json!("*")), words);
    let odd = json!({"signed": timestamp(), "signatures": [{"keyid": "k", "sig": "abc"}]});
    assert_eq!(of(odd), "tuf: invalid JSON hex bytes");
    let mut upper = document(&timestamp(), &signers);
    let sig = upper["signatures"][0]["sig"].as_str().unwrap().to_uppercase();
    upper["signatures"][0]["sig"] = sig.into();
    let entry = admitted(&proposal(&upper, &root));
    let logged = stored(&entry)["spec"]["metadata"]["content"].as_str().unwrap().to_owned();
    assert!(
        !String::from_utf8(decode(&logged).unwrap()).unwrap().contains(|c| ('A'..'F').contains(&c))
    );

    let good = document(&timestamp(), &signers);
    let twice = serde_json::to_string(&good).unwrap().replacen(
        "\"version\":",
        "\"version\":1,\"version\":",
        1,
    );
    let words = of(encode(twice.as_bytes()).into());
    assert!(words.starts_with("Duplicate key: version"), "{words}");
    let long = " ".repeat(TUF_BYTES_MAX + 1);
    let words = format!("TUF metadata of more than {TUF_BYTES_MAX} bytes");
    assert_eq!(of(encode(long.as_bytes()).into()), words);
    let many = vec![json!({"keyid": "k", "sig": ""}); TUF_SIGNATURES_MAX + 1];
    let words = format!("TUF metadata with more than {TUF_SIGNATURES_MAX} signatures");
    assert_eq!(of(json!({"signed": timestamp(), "signatures": many})), words);

    let with = |change: fn(&mut Value)| {
        let mut proposal = proposal(&good, &root);
        change(&mut proposal["spec"]);
        refusal(&proposal)
    };
    let list = |fault: &str| format!("validation failure list:\n{fault}");
    assert_eq!(with(|spec| spec["root"] = Value::Null), list("root in body is required"));
    assert_eq!(
        with(|spec| spec["metadata"] = json!({"content": null})),
        list("metadata.metadata.content in body is required")
    );
}

/// Of Rekor's own test data.
#[test]
fn roots_of_sigstore_are_read() {
    let Some(folder) = vectors() else {
        eprintln!("SKIPPED: the golden vectors are not at ../shared/vectors");
        return;
    };
    let files = Files(folder);
    let read = |name: &str| encode(&files.bytes(&format!("pkg/pki/tuf/testdata/{name}")));
    let early = Policy { clock: || 1_600_000_000, ..Policy::default() };
    let enter = |metadata: &str, root: &str| {
        let proposal = proposal(&read(metadata).into(), &read(root).into());
        admit(&parse(&proposal).into(), &early).map_err(|error| error.to_string())
    };
    let root = enter("1.root.json", "1.root.json").unwrap();
    let again = enter("reformat.1.root.json", "reformat.1.root.json").unwrap();
    assert_eq!(root.leaf_hash(), again.leaf_hash());
    let timestamp = enter("timestamp.json", "1.root.json").unwrap();
    assert_eq!(timestamp.index_keys()[1..3], ["timestamp", "53"]);
    let words = "tuf: valid signatures did not meet threshold";
    assert_eq!(enter("timestamp.json", "other_root.json").unwrap_err(), words);
    assert_eq!(enter("1.root.json", "unsigned_root.json").unwrap_err(), words);
    let other = enter("other_root.json", "other_root.json").unwrap();
    assert_eq!(other.index_keys()[1..3], ["root", "1"]);
    let read = |name: &str| encode(&files.bytes(&format!("pkg/types/tuf/v0.0.1/tests/{name}")));
    let pair = proposal(&read("test_timestamp.json").into(), &read("test_root.json").into());
    let entry = admit(&parse(&pair).into(), &early).unwrap();
    assert_eq!(entry.index_keys()[1..3], ["timestamp", "1"]);
    assert!(refusal(&pair).starts_with("expired at 2021-12-18 13:28:12.99008 -0600 -0600"));
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(bytes in any::<Vec<u8>>()) {
        let content = Value::from(encode(&bytes));
        let _either = admit(&parse(&proposal(&content, &content)).into(), &Policy::default());
    }

    #[test]
    fn what_is_cut_or_changed_is_read_or_refused(at in any::<usize>(), bit in 0_u8..7) {
        let signer = Signer::ed25519();
        let signers = [("k", &signer)];
        let root = serde_json::to_vec(&document(&root_of(&signers, 1), &signers)).unwrap();
        let at = at % root.len();
        let of = |text: &[u8]| {
            let content = Value::from(encode(text));
            admit(&parse(&proposal(&content, &content)).into(), &Policy::default())
        };
        prop_assert!(of(&root[..at]).is_err());
        let mut changed = root;
        changed[at] ^= 1 << bit;
        let _either = of(&changed);
    }
}
