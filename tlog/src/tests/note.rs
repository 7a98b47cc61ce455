//! Signed notes, key ids and public keys, against published examples and hostile text.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use ed25519_dalek::Signer as _;
use proptest::prelude::*;

use crate::note::{NOTE_BYTES_MAX, NOTE_SIGNATURES_MAX, is_key_name};
use crate::{KeyError, KeyId, Note, NoteError, NoteSignature, SignatureError, Verifier};

/// The example of golang.org/x/mod/sumdb/note: an Ed25519 key, and a note that it signed.
const PETER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const PETERS_NOTE: &str = "If you think cryptography is the answer to your problem,\n\
    then you don't know what your problem is.\n\n\
    — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZ\
    b6KE6RyyBwJnAM=\n";

/// The example of c2sp.org/signed-note: text of more than one paragraph.
const POEM: &str = "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\n\
    ed è subito sera.\n\n\
    — quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU\
    0xMcXxj99ihAQwaqP3ZekRwNtIc=\n";

/// The test vector of c2sp.org/signed-note.
const FOO: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
const FOOS_NOTE: &str = "This is an example message.\n\n\
    — example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuw\
    HjG1Yu72IneyaQM=\n";

/// A verifier key `<name>+<key id>+<base64(type || key)>`: name, key id, type, key.
fn vkey(text: &str) -> (String, String, u8, Vec<u8>) {
    let [name, id, key] = text.splitn(3, '+').collect::<Vec<_>>().try_into().unwrap();
    let key = BASE64_STANDARD.decode(key).unwrap();
    (name.to_owned(), id.to_owned(), key[0], key[1..].to_vec())
}

pub(super) fn ed25519_spki(key: &[u8]) -> Vec<u8> {
    [&hex::decode("302a300506032b6570032100").unwrap(), key].concat()
}

#[test]
fn key_ids_are_the_published_ones() {
    // The Go checksum database's key: golang/go, cmd/go/internal/modfetch/key.go.
    let sumdb = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";
    // transparency-dev/formats, note/note_cosigv1_test.go.
    let plus = "TEST+7997405c+AQcC+FTVKf0jlTdHDY3rbevmnKxxPjigCXlVtGe6RIr6";
    for published in [sumdb, plus, PETER, FOO] {
        let (name, id, kind, key) = vkey(published);
        assert_eq!(kind, 0x01);
        assert_eq!(KeyId::ed25519(&name, key[..].try_into().unwrap()).to_string(), id);
        assert_eq!(KeyId::signed_note(&name, kind, &key).to_string(), id);
        assert_eq!(Verifier::from_spki(&ed25519_spki(&key)).unwrap().key_id(&name).to_string(), id);
    }
    // Witnesses that answer in public: remora.n621.de, and Geomys's navigli.
    for published in [
        "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2",
        "witness.navigli.sunlight.geomys.org+a3e00fe2+BNy/co4C1Hn1p+INwJrfUlgz7W55dSZReusH/GhUhJ/G",
    ] {
        let (name, id, kind, key) = vkey(published);
        assert_eq!(kind, 0x04);
        assert_eq!(KeyId::cosignature_v1(&name, key[..].try_into().unwrap()).to_string(), id);
    }
    // The Pixel binary transparency log: transparency-dev/formats, note/note_verifier_test.go.
    let pixel = "pixel6_transparency_log+91c16e30+AjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABN+4x0Jk1yTw\
        vLFI9A4NDdGZcX0aiWVdWM5XJVy0M4VWD3AvyW5Q6Hs9A0mcDkpUoYgn+KKPNzFC0H3nN3q6JQ8=";
    let (name, id, kind, spki) = vkey(pixel);
    assert_eq!(kind, 0x02);
    assert_eq!(KeyId::ecdsa(&spki).to_string(), id);
    assert_eq!(Verifier::from_spki(&spki).unwrap().key_id(&name).to_string(), id);
}

#[test]
fn published_notes_verify_and_are_written_back() {
    for (published, key) in [(PETERS_NOTE, PETER), (FOOS_NOTE, FOO)] {
        let note = Note::parse(published).unwrap();
        let (name, id, _, key) = vkey(key);
        let verifier = Verifier::from_spki(&ed25519_spki(&key)).unwrap();
        let [line] = note.signatures.as_slice() else { panic!("one signature") };
        assert_eq!((&line.name, line.key_id.to_string()), (&name, id));
        assert_eq!(verifier.verify(note.text.as_bytes(), &line.signature), Ok(()));
        assert_eq!(
            verifier.verify(&note.text.as_bytes()[1..], &line.signature),
            Err(SignatureError)
        );
        assert_eq!(note.to_string(), published);
    }
}

#[test]
fn the_last_empty_line_ends_the_text() {
    let note = Note::parse(POEM).unwrap();
    assert!(note.text.ends_with("sole:\n\ned è subito sera.\n"));
    assert_eq!(note.signatures[0].key_id, KeyId([0x36, 0x7b, 0xa0, 0x4b]));
    assert_eq!(note.to_string(), POEM);
    let note = Note::parse("text\n\n\n— a AAAAAAA=\n").unwrap();
    assert_eq!(note.text, "text\n\n");
}

#[test]
fn hostile_notes_are_refused() {
    let line = |line| Err(NoteError::SignatureLine { line });
    let cases = [
        ("", Err(NoteError::NoSignatures)),
        ("text\n", Err(NoteError::NoSignatures)),
        ("text\n\n", Err(NoteError::NoSignatures)),
        ("text\n— a AAAAAAA=\n", Err(NoteError::NoSignatures)),
        ("— a AAAAAAA=\n", Err(NoteError::NoSignatures)),
        ("text\r\n\r\n— a AAAAAAA=\r\n", Err(NoteError::ControlCharacter)),
        ("te\0xt\n\n— a AAAAAAA=\n", Err(NoteError::ControlCharacter)),
        ("te\txt\n\n— a AAAAAAA=\n", Err(NoteError::ControlCharacter)),
        ("text\n\n— a AAAAAAA=", line(1)),
        ("text\n\n— a AAAAAAA= \n", line(1)),
        ("text\n\n— a AAAAAAA=\n— b AAAAAAA=", line(2)),
        ("text\n\n— a AAAAAAA=\n\n", Err(NoteError::NoSignatures)),
        ("text\n\n- a AAAAAAA=\n", line(1)),
        ("text\n\n—a AAAAAAA=\n", line(1)),
        ("text\n\n—  AAAAAAA=\n", line(1)),
        ("text\n\n— AAAAAAA=\n", line(1)),
        ("text\n\n— a\n", line(1)),
        ("text\n\n— a \n", line(1)),
        ("text\n\n— a+b AAAAAAA=\n", line(1)),
        ("text\n\n— a\u{a0}b AAAAAAA=\n", line(1)),
        ("text\n\n— a\u{2003}b AAAAAAA=\n", line(1)),
        ("text\n\n— a b AAAAAAA=\n", line(1)),
        ("text\n\n— a  AAAAAAA=\n", line(1)),
        ("text\n\n— a AAAAAA==\n", line(1)), // a key id and no signature
        ("text\n\n— a AAAA\n", line(1)),
        ("text\n\n— a AAAAAAA\n", line(1)),  // padding missing
        ("text\n\n— a AAAAAAB=\n", line(1)), // bits after the end
        ("text\n\n— a AAAA_-A=\n", line(1)), // another alphabet
        ("text\n\n— a AAAAAAA=\nx\n", line(2)),
    ];
    for (text, expected) in cases {
        assert_eq!(Note::parse(text), expected, "{text:?}");
    }
}

#[test]
fn notes_have_limits() {
    let line = "— a AAAAAAA=\n";
    let most = format!("text\n\n{}", line.repeat(NOTE_SIGNATURES_MAX));
    assert_eq!(Note::parse(&most).unwrap().signatures.len(), NOTE_SIGNATURES_MAX);
    assert_eq!(Note::parse(&(most + line)), Err(NoteError::TooManySignatures));
    let longest = format!("{}\n\n{line}", "x".repeat(NOTE_BYTES_MAX - 2 - line.len()));
    assert!(Note::parse(&longest).is_ok());
    assert_eq!(Note::parse(&format!("x{longest}")), Err(NoteError::TooLong));
}

#[test]
fn key_names_have_no_spaces_and_no_plus() {
    for name in ["a", "rekor.example", "localhost:3000", "example.com/log42", "ø"] {
        assert!(is_key_name(name), "{name:?}");
    }
    for name in ["", " ", "a b", "a+b", "a\n", "a\u{85}", "a\u{3000}b", "a\u{1}"] {
        assert!(!is_key_name(name), "{name:?}");
    }
}

#[test]
fn ecdsa_signatures_verify() {
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new());
    let key =
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.unwrap().as_ref()).unwrap();
    let prefix = "3059301306072a8648ce3d020106082a8648ce3d030107034200";
    let spki = [&hex::decode(prefix).unwrap(), key.public_key().as_ref()].concat();
    let verifier = Verifier::from_spki(&spki).unwrap();
    assert_eq!((verifier.spki(), verifier.log_id()), (&spki[..], crate::hash::sha256(&spki)));
    let signature = key.sign(&SystemRandom::new(), b"message").unwrap();
    check_verifier(&verifier, b"message", signature.as_ref());
}

#[test]
fn ed25519_signatures_verify() {
    let key = ed25519_dalek::SigningKey::from_bytes(&[7; 32]);
    let spki = ed25519_spki(key.verifying_key().as_bytes());
    let verifier = Verifier::from_spki(&spki).unwrap();
    assert_eq!((verifier.spki(), verifier.log_id()), (&spki[..], crate::hash::sha256(&spki)));
    check_verifier(&verifier, b"message", &key.sign(b"message").to_bytes());
}

/// Only these bytes are a signature of this message, and only this DER is the key.
fn check_verifier(verifier: &Verifier, message: &[u8], signature: &[u8]) {
    assert_eq!(verifier.verify(message, signature), Ok(()));
    assert_eq!(verifier.verify(b"another", signature), Err(SignatureError));
    assert_eq!(verifier.verify(message, &signature[1..]), Err(SignatureError));
    assert_eq!(verifier.verify(message, &[signature, &[0]].concat()), Err(SignatureError));
    assert_eq!(verifier.verify(message, &[]), Err(SignatureError));
    for place in 0..signature.len() {
        let mut flipped = signature.to_vec();
        flipped[place] ^= 1;
        assert_eq!(verifier.verify(message, &flipped), Err(SignatureError), "byte {place}");
    }
    let spki = verifier.spki();
    for end in 0..spki.len() {
        assert!(Verifier::from_spki(&spki[..end]).is_err(), "{end} bytes of a key");
        let mut flipped = spki.to_vec();
        flipped[end] ^= 1;
        let other = Verifier::from_spki(&flipped);
        assert!(other.is_err() || other.unwrap().verify(message, signature).is_err());
    }
    let longer = Verifier::from_spki(&[spki, &[0]].concat());
    assert_eq!(longer.unwrap_err(), KeyError::Unsupported);
}

#[test]
fn weak_and_foreign_keys_are_refused() {
    let identity = [&[1][..], &[0; 31]].concat();
    let weak = Verifier::from_spki(&ed25519_spki(&identity));
    assert_eq!(weak.unwrap_err(), KeyError::Point);
    let prefix = hex::decode("3059301306072a8648ce3d020106082a8648ce3d030107034200").unwrap();
    let off_curve = [&prefix[..], &[4], &[1; 64]].concat();
    assert_eq!(Verifier::from_spki(&off_curve).unwrap_err(), KeyError::Point);
    let compressed = [&prefix[..], &[2], &[1; 64]].concat();
    assert_eq!(Verifier::from_spki(&compressed).unwrap_err(), KeyError::Unsupported);
    assert_eq!(Verifier::from_spki(b"not DER").unwrap_err(), KeyError::Unsupported);
}

fn any_note() -> impl Strategy<Value = Note> {
    let line = ("[^\\s+\u{0}-\u{1f}]{1,20}", any::<[u8; 4]>(), "[\u{0}-\u{ff}]{1,80}");
    let line = line.prop_map(|(name, id, signature)| NoteSignature {
        name,
        key_id: KeyId(id),
        signature: signature.into_bytes(),
    });
    ("([^\u{0}-\u{1f}]{0,9}\n){1,6}", prop::collection::vec(line, 1..5))
        .prop_map(|(text, signatures)| Note { text, signatures })
}

proptest! {
    #[test]
    fn notes_round_trip(note in any_note()) {
        prop_assert_eq!(Note::parse(&note.to_string()), Ok(note));
    }

    #[test]
    fn any_text_is_a_note_or_an_error(note in any_note(), place: prop::sample::Index, byte: u8) {
        let mut bytes = note.to_string().into_bytes();
        let place = place.index(bytes.len());
        bytes[place] = byte;
        let text = String::from_utf8_lossy(&bytes);
        if let Ok(note) = Note::parse(&text) {
            prop_assert_eq!(note.to_string(), text);
        }
    }
}
