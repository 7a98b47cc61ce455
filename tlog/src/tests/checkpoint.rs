//! Checkpoints: text, hostile text, and which signatures open them.

use ed25519_dalek::{Signer as _, SigningKey};
use proptest::prelude::*;

use super::note::ed25519_spki;
use crate::{
    Checkpoint, CheckpointError, KeyId, Note, NoteError, NoteSignature, RootHash, SignedCheckpoint,
    TreeHead, TreeSize, Verifier, v1_origin,
};

/// The example of c2sp.org/tlog-checkpoint.
const EXAMPLE: &str = "example.com/behind-the-sofa\n20852163\n\
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";

const ROOT: &str = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";

#[test]
fn the_published_example_is_read_and_written() {
    let checkpoint = Checkpoint::parse_text(EXAMPLE).unwrap();
    assert_eq!(checkpoint.origin, "example.com/behind-the-sofa");
    assert_eq!(checkpoint.head.size, TreeSize(20_852_163));
    let root = "0ac5186a91863e8e1d90c808014aa89bf5da8e3ee1d9f07630f0378f68f1ab62";
    assert_eq!(checkpoint.head.root.to_string(), root);
    assert_eq!((checkpoint.extensions.len(), checkpoint.text()), (0, EXAMPLE.to_owned()));
}

#[test]
fn extension_lines_are_kept() {
    let text = format!("{EXAMPLE}Timestamp: 1689177396617352539\nmore\n");
    let checkpoint = Checkpoint::parse_text(&text).unwrap();
    assert_eq!(checkpoint.extensions, ["Timestamp: 1689177396617352539", "more"]);
    assert_eq!(checkpoint.text(), text);
}

#[test]
fn hostile_texts_are_refused() {
    let hostile = [
        String::new(),
        "\n".to_owned(),
        "o\n".to_owned(),
        "o\n1\n".to_owned(),
        format!("o\n1\n{ROOT}"),
        format!("\n1\n{ROOT}\n"),
        format!("1\n{ROOT}\n"),
        format!("o\n\n{ROOT}\n"),
        format!("o\n{ROOT}\n"),
        format!("o\n01\n{ROOT}\n"),
        format!("o\n00\n{ROOT}\n"),
        format!("o\n+1\n{ROOT}\n"),
        format!("o\n-1\n{ROOT}\n"),
        format!("o\n 1\n{ROOT}\n"),
        format!("o\n1 \n{ROOT}\n"),
        format!("o\n1e3\n{ROOT}\n"),
        format!("o\n0x1\n{ROOT}\n"),
        format!("o\n١\n{ROOT}\n"),
        format!("o\n18446744073709551616\n{ROOT}\n"),
        format!("o\n1\n{ROOT}\n\n"),
        format!("o\n1\n{ROOT}\n\nextension\n"),
        format!("o\n1\n {ROOT}\n"),
        format!("o\n1\n{}\n", &ROOT[..43]),
        format!("o\n1\n{}J=\n", &ROOT[..42]),
        "o\n1\nAAAA\n".to_owned(),
        format!("o\n1\n{}\n", ROOT.replace('/', "_")),
    ];
    for text in hostile {
        let parsed = Checkpoint::parse_text(&text);
        assert!(matches!(parsed, Err(CheckpointError::Text(_))), "{text:?}");
    }
    assert!(Checkpoint::parse_text(&format!("o\n0\n{ROOT}\n")).is_ok());
    assert!(Checkpoint::parse_text(&format!("o\n18446744073709551615\n{ROOT}\n")).is_ok());
}

/// A log with an Ed25519 key.
struct Log {
    key: SigningKey,
    verifier: Verifier,
    origin: String,
    name: String,
    key_id: KeyId,
}

fn log(origin: &str, name: &str) -> Log {
    let key = SigningKey::from_bytes(&[9; 32]);
    let spki = ed25519_spki(key.verifying_key().as_bytes());
    let verifier = Verifier::from_spki(&spki).unwrap();
    let key_id = KeyId::rekor_v1(&spki);
    Log { key, verifier, origin: origin.to_owned(), name: name.to_owned(), key_id }
}

impl Log {
    fn note(&self) -> Note {
        let head = TreeHead { size: TreeSize(3), root: RootHash::from_bytes([3; 32]) };
        let checkpoint = Checkpoint { origin: self.origin.clone(), head, extensions: Vec::new() };
        let text = checkpoint.text();
        let signature = self.key.sign(text.as_bytes()).to_bytes().to_vec();
        let line = NoteSignature { name: self.name.clone(), key_id: self.key_id, signature };
        Note { text, signatures: vec![line] }
    }

    fn open(&self, note: &Note) -> Result<SignedCheckpoint, CheckpointError> {
        SignedCheckpoint::open(&note.to_string(), &self.origin, &self.verifier, self.key_id)
    }
}

fn stranger() -> NoteSignature {
    NoteSignature { name: "witness.example".to_owned(), key_id: KeyId([1; 4]), signature: vec![1] }
}

#[test]
fn the_log_opens_its_own_checkpoints() {
    let v1 = v1_origin("rekor.example", 1_193_050_959_916_656_506);
    assert_eq!(v1, "rekor.example - 1193050959916656506");
    for (origin, name) in [(v1.as_str(), "rekor.example"), ("log.example/a", "log.example/a")] {
        let log = log(origin, name);
        let note = log.note();
        let opened = log.open(&note).unwrap();
        assert_eq!(opened.note(), &note);
        assert_eq!(opened.checkpoint().text(), note.text);
        assert_eq!(opened.checkpoint().key_name(), name);

        // Other signers do not matter, before or after.
        let mut cosigned = note.clone();
        cosigned.signatures.insert(0, stranger());
        cosigned.signatures.push(stranger());
        assert_eq!(log.open(&cosigned).unwrap().checkpoint(), opened.checkpoint());
    }
}

#[test]
fn other_notes_are_not_opened() {
    let log = log("log.example", "log.example");
    let note = log.note();

    let other = SignedCheckpoint::open(&note.to_string(), "b", &log.verifier, log.key_id);
    assert_eq!(other, Err(CheckpointError::Origin { found: "log.example".to_owned() }));

    let no_signature = Err(CheckpointError::NoSignature(log.key_id));
    let mut foreign = note.clone();
    foreign.signatures[0].name = "log.example2".to_owned();
    assert_eq!(log.open(&foreign), no_signature);
    let mut foreign = note.clone();
    foreign.signatures[0].key_id = KeyId([0; 4]);
    assert_eq!(log.open(&foreign), no_signature);

    let mut forged = note.clone();
    forged.text = forged.text.replace("\n3\n", "\n4\n");
    assert_eq!(log.open(&forged), Err(CheckpointError::Signature));
    let mut half = note.clone();
    half.signatures.push(NoteSignature { signature: vec![0; 64], ..note.signatures[0].clone() });
    assert_eq!(log.open(&half), Err(CheckpointError::Signature));

    let unsigned = SignedCheckpoint::open(&note.text, &log.origin, &log.verifier, log.key_id);
    assert_eq!(unsigned, Err(CheckpointError::Note(NoteError::NoSignatures)));
}

#[test]
fn only_a_tree_id_is_cut_from_the_name() {
    for (origin, name) in [
        ("a - 1", "a"),
        ("a - b - 12", "a - b"),
        ("a - b", "a - b"),
        ("a - ", "a - "),
        ("a - 1b", "a - 1b"),
        ("a-1", "a-1"),
    ] {
        let checkpoint = Checkpoint::parse_text(&format!("{origin}\n1\n{ROOT}\n")).unwrap();
        assert_eq!(checkpoint.key_name(), name);
    }
}

proptest! {
    #[test]
    fn checkpoints_round_trip(
        origin in "[^\n]{1,40}", size: u64, root: [u8; 32],
        extensions in prop::collection::vec("[^\n]{1,40}", 0..3),
    ) {
        let head = TreeHead { size: TreeSize(size), root: RootHash::from_bytes(root) };
        let checkpoint = Checkpoint { origin, head, extensions };
        prop_assert_eq!(Checkpoint::parse_text(&checkpoint.text()), Ok(checkpoint));
    }

    #[test]
    fn any_text_is_a_checkpoint_or_an_error(place in 0..EXAMPLE.len(), c in any::<char>()) {
        let mut text: Vec<char> = EXAMPLE.chars().collect();
        text[place] = c;
        let text: String = text.into_iter().collect();
        if let Ok(checkpoint) = Checkpoint::parse_text(&text) {
            prop_assert_eq!(checkpoint.text(), text);
        }
    }
}
