//! Cosignatures against another implementation's (transparency-dev/formats 0.1.1 and
//! filippo.io/mldsa 1.0.0 made `cosigned.note`), and notes that carry them.

use ed25519_dalek::{Signer as _, SigningKey};

use super::note::ed25519_spki;
use super::vkey::cosigned_keys;
use crate::cosignature::{ed25519_message, mldsa44_message};
use crate::note::{PUBLISHED_SIGNATURES_MAX, parse_signatures};
use crate::{
    Checkpoint, CheckpointError, CosignatureError, KeyId, Note, NoteError, NoteSignature, RootHash,
    SignedCheckpoint, Timestamp, TreeHead, TreeSize, VerifierKey,
};

const COSIGNED: &str = include_str!("cosigned.note");
const ORIGIN: &str = "example.com/behind-the-sofa";

fn cosigned() -> (Checkpoint, Vec<NoteSignature>) {
    let note = Note::parse(COSIGNED).unwrap();
    (Checkpoint::parse_text(&note.text).unwrap(), note.signatures)
}

fn time(seconds: i64) -> Timestamp {
    Timestamp::from_unix(seconds).unwrap()
}

#[test]
fn cosignatures_of_another_implementation_verify() {
    let (checkpoint, lines) = cosigned();
    let [log, witness, pq] = cosigned_keys();
    assert_eq!(log.verify(&checkpoint, &lines[0]), Ok(()));
    for (key, line, bytes) in [(&witness, &lines[1], 72), (&pq, &lines[2], 2428)] {
        assert_eq!(line.signature.len(), bytes);
        assert_eq!(key.verify_cosignature(&checkpoint, line).unwrap(), time(1_795_426_144));
        assert_eq!(key.verify(&checkpoint, line), Ok(()));
        for place in [0, 7, 8, 40, bytes - 1] {
            let mut flipped = line.clone();
            flipped.signature[place] ^= 1;
            let failed = Err(CosignatureError::Signature);
            assert_eq!(key.verify(&checkpoint, &flipped), failed, "byte {place}");
        }
    }
    // The origin, the size and the root are under both; extension lines under one.
    for change in [0, 1, 2, 3] {
        let mut other = checkpoint.clone();
        match change {
            0 => other.origin.push('x'),
            1 => other.head.size.0 += 1,
            2 => other.head.root = RootHash::empty(),
            _ => other.extensions.clear(),
        }
        let failed = Err(CosignatureError::Signature);
        assert_eq!(log.verify(&other, &lines[0]), failed);
        assert_eq!(witness.verify(&other, &lines[1]), failed);
        assert_eq!(pq.verify(&other, &lines[2]), if change == 3 { Ok(()) } else { failed });
    }
}

#[test]
fn messages_are_what_the_specification_says() {
    let head = TreeHead { size: TreeSize(0x0102), root: RootHash::from_bytes([7; 32]) };
    let checkpoint = Checkpoint { origin: "o".into(), head, extensions: vec!["e".into()] };
    let text = "cosignature/v1\ntime 1679315147\no\n258\nBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\ne\n";
    assert_eq!(ed25519_message(time(1_679_315_147), &checkpoint), text.as_bytes());

    let message = mldsa44_message("wit", time(0x0a0b), &checkpoint).unwrap();
    let fixed = "737562747265652f76310a00 03 776974 0000000000000a0b 01 6f 0000000000000000 0000000000000102";
    let expected = [hex::decode(fixed.replace(' ', "")).unwrap(), vec![7; 32]].concat();
    assert_eq!(message, expected);

    let long = "x".repeat(255);
    let far = Checkpoint { origin: long.clone(), ..checkpoint.clone() };
    assert_eq!(mldsa44_message(&long, time(0), &far).unwrap().len(), 12 + 256 + 8 + 256 + 16 + 32);
    let too_long = Err(CosignatureError::NameTooLong);
    assert_eq!(mldsa44_message(&"x".repeat(256), time(0), &far), too_long);
    let further = Checkpoint { origin: "x".repeat(256), ..checkpoint };
    assert_eq!(mldsa44_message("w", time(0), &further), too_long);
}

#[test]
fn times_are_from_1970_to_the_end_of_time() {
    assert_eq!(Timestamp::from_unix(-1), None);
    assert_eq!(time(i64::MAX).unix_seconds(), i64::MAX);
    let (checkpoint, lines) = cosigned();
    let [_, witness, _] = cosigned_keys();
    let mut late = lines[1].clone();
    late.signature[0] = 0x80;
    let refused = witness.verify_cosignature(&checkpoint, &late);
    assert_eq!(refused, Err(CosignatureError::Timestamp));
}

#[test]
fn lines_of_other_keys_forms_and_lengths_are_refused() {
    use CosignatureError::{Length, NotACosigner, OtherKey};
    let (checkpoint, lines) = cosigned();
    let [log, witness, pq] = cosigned_keys();
    assert_eq!(witness.verify(&checkpoint, &lines[2]), Err(OtherKey));
    assert_eq!(log.verify(&checkpoint, &lines[1]), Err(OtherKey));
    let renamed = NoteSignature { name: "witness.example/w2".into(), ..lines[1].clone() };
    assert_eq!(witness.verify(&checkpoint, &renamed), Err(OtherKey));
    let renamed = NoteSignature { name: "example.com".into(), ..lines[0].clone() };
    assert_eq!(log.verify(&checkpoint, &renamed), Err(OtherKey));
    assert_eq!(log.verify_cosignature(&checkpoint, &lines[0]), Err(NotACosigner));
    assert_eq!(log.cosignature(time(1), &[0; 64]), Err(NotACosigner));
    assert_eq!(log.cosigned_message(time(1), &checkpoint), Err(NotACosigner));
    for (key, line) in [(&witness, &lines[1]), (&pq, &lines[2])] {
        let raw = &line.signature[8..];
        let timestamp = key.verify_cosignature(&checkpoint, line).unwrap();
        assert_eq!(key.cosignature(timestamp, raw).unwrap(), *line);
        let longer = [raw, &[0]].concat();
        assert_eq!(key.cosignature(timestamp, &longer), Err(Length { bytes: longer.len() }));
        let bytes = raw.len() - 1;
        assert_eq!(key.cosignature(timestamp, &raw[1..]), Err(Length { bytes }));
        for signature in [
            line.signature[1..].to_vec(),
            [&line.signature[..], &[0]].concat(),
            line.signature[..7].to_vec(),
        ] {
            let bytes = signature.len();
            let line = NoteSignature { signature, ..line.clone() };
            assert_eq!(key.verify_cosignature(&checkpoint, &line), Err(Length { bytes }));
        }
    }
}

#[test]
fn what_a_witness_signs_verifies() {
    let (checkpoint, _) = cosigned();
    let key = SigningKey::from_bytes(&[5; 32]);
    let witness = VerifierKey::cosigner_ed25519("w", key.verifying_key().as_bytes()).unwrap();
    let message = witness.cosigned_message(time(77), &checkpoint).unwrap();
    let line = witness.cosignature(time(77), &key.sign(&message).to_bytes()).unwrap();
    assert_eq!(witness.verify_cosignature(&checkpoint, &line), Ok(time(77)));
}

#[test]
fn a_cosigned_note_is_opened_wherever_the_log_stands() {
    let [log, witness, pq] = cosigned_keys();
    let spki = ed25519_spki(log.public_key());
    let verifier = crate::Verifier::from_spki(&spki).unwrap();
    let mut note = Note::parse(COSIGNED).unwrap();
    for _ in 0..note.signatures.len() {
        note.signatures.rotate_left(1);
        let text = note.to_string();
        let opened = SignedCheckpoint::open_by(&text, ORIGIN, &log).unwrap();
        assert_eq!(opened.note().to_string(), text);
        assert_eq!(SignedCheckpoint::open(&text, ORIGIN, &verifier, log.key_id()), Ok(opened));
        // A log may sign with the key of a cosigner: any key of the three opens it.
        assert!(SignedCheckpoint::open_by(&text, ORIGIN, &witness).is_ok());
        assert!(SignedCheckpoint::open_by(&text, ORIGIN, &pq).is_ok());
    }
    // A line of the log's name under another key is nobody's.
    let other = NoteSignature { key_id: KeyId([1; 4]), ..note.signatures[0].clone() };
    note.signatures.insert(0, other);
    let opened = SignedCheckpoint::open_by(&note.to_string(), ORIGIN, &log).unwrap();
    assert_eq!(opened.note(), &note);
    // A second line of the same key is the log's word, too.
    let forged = NoteSignature { signature: vec![0; 64], ..note.signatures[1].clone() };
    note.signatures.push(NoteSignature { name: log.name().into(), key_id: log.key_id(), ..forged });
    let opened = SignedCheckpoint::open_by(&note.to_string(), ORIGIN, &log);
    assert_eq!(opened, Err(CheckpointError::Signature));
}

#[test]
fn a_note_of_another_log_is_not_opened_by_a_key() {
    let [log, ..] = cosigned_keys();
    let found = ORIGIN.to_owned();
    let other = SignedCheckpoint::open_by(COSIGNED, "b", &log);
    assert_eq!(other, Err(CheckpointError::Origin { found }));
    let stranger = VerifierKey::for_log("stranger", &ed25519_spki(log.public_key())).unwrap();
    let other = SignedCheckpoint::open_by(COSIGNED, ORIGIN, &stranger);
    assert_eq!(other, Err(CheckpointError::NoSignature(stranger.key_id())));
    let forged = COSIGNED.replace("\n20852163\n", "\n20852164\n");
    assert_eq!(SignedCheckpoint::open_by(&forged, ORIGIN, &log), Err(CheckpointError::Signature));
    // The key of a v1 log: its name is not the origin.
    let key = SigningKey::from_bytes(&[3; 32]);
    let host = VerifierKey::for_log("host", &ed25519_spki(key.verifying_key().as_bytes())).unwrap();
    let head = TreeHead::empty();
    let v1 = Checkpoint { origin: "host - 7".into(), head, extensions: Vec::new() };
    let signature = key.sign(v1.text().as_bytes()).to_bytes().to_vec();
    let line = NoteSignature { name: "host".into(), key_id: host.key_id(), signature };
    let note = Note { text: v1.text(), signatures: vec![line] }.to_string();
    assert_eq!(SignedCheckpoint::open_by(&note, "host - 7", &host).unwrap().checkpoint(), &v1);
}

#[test]
fn cosignatures_go_behind_the_log() {
    let full = Note::parse(COSIGNED).unwrap();
    let bare = Note { signatures: full.signatures[..1].to_vec(), ..full.clone() };
    let cosigned = bare.clone().with_cosignatures(full.signatures[1..].to_vec());
    assert_eq!(cosigned.to_string(), COSIGNED);
    // Neither the log's line nor a witness's is there twice.
    let again = cosigned.clone().with_cosignatures(full.signatures.clone());
    assert_eq!(again, cosigned);
    let same_key = NoteSignature { signature: vec![1; 72], ..full.signatures[1].clone() };
    assert_eq!(cosigned.clone().with_cosignatures([same_key]), cosigned);
    // The same name under another key is another witness.
    let many =
        (0..99).map(|n| NoteSignature { key_id: KeyId([n; 4]), ..full.signatures[1].clone() });
    let many = cosigned.with_cosignatures(many);
    assert_eq!(many.signatures.len(), PUBLISHED_SIGNATURES_MAX);
    assert_eq!(many.signatures[..3], full.signatures[..]);
    assert_eq!(Note::parse(&many.to_string()), Ok(many));
}

#[test]
fn signature_lines_stand_alone() {
    let (_, lines) = COSIGNED.rsplit_once("\n\n").unwrap();
    assert_eq!(parse_signatures(lines).unwrap(), Note::parse(COSIGNED).unwrap().signatures);
    assert_eq!(parse_signatures(""), Err(NoteError::NoSignatures));
    for bad in ["\n", &lines[3..], lines.trim_end(), "text\n"] {
        assert!(matches!(parse_signatures(bad), Err(NoteError::SignatureLine { .. })), "{bad:?}");
    }
}
