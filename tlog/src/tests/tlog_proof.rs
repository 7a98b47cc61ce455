//! tlog-proofs: the published form, hostile text, and a whole proof verified from its text alone.

use proptest::prelude::*;

use super::vkey::cosigned_keys;
use crate::{
    LogIndex, NodeHash, RightEdge, RootHash, SignedCheckpoint, TlogProof, TlogProofError, hash_leaf,
};

/// The example of c2sp.org/tlog-proof, with a whole number of bytes in `extra`.
const EXAMPLE: &str = "c2sp.org/tlog-proof@v1\nextra YWdlLXYxLjIuMS1kYXJ3aW4tYXJtNjQudGFyLmd6\n\
    index 73894\n\
    gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=\n\
    B95lDa8R83lS8n0eG+o0buTxRKQTYFi//1U8anccXmA=\n\
    EKNzoDWG8LGC0Yp9o+sv3qllpMP9uHQ9B20KNL+Q1zs=\n\
    RoopEkOdqkYqMB4MJXrbt/hMjOxsVn0IrWjpz1ZMMes=\n\
    AHCioX9nLjsrse6YhjRRmk1WUEirVOLLRoOQ6vfO5vk=\n\n\
    example.com/fancylog\n109482\nsFodV/vSp5O8n9a8QpW6PRY97tfOSW5bsc2Xl/EQi08=\n\n\
    — example.com/fancylog hI2DJwA=\n";

#[test]
fn the_published_example_is_read_and_written() {
    let proof = TlogProof::parse(EXAMPLE).unwrap();
    assert_eq!(proof.extra, b"age-v1.2.1-darwin-arm64.tar.gz");
    assert_eq!((proof.index, proof.hashes.len()), (LogIndex(73_894), 5));
    assert!(proof.note.starts_with("example.com/fancylog\n109482\n"));
    assert_eq!(proof.to_string(), EXAMPLE);
    let bare = TlogProof { extra: Vec::new(), hashes: Vec::new(), index: LogIndex(0), ..proof };
    assert!(
        bare.to_string().starts_with("c2sp.org/tlog-proof@v1\nindex 0\n\nexample.com/fancylog\n")
    );
    assert_eq!(TlogProof::parse(&bare.to_string()), Ok(bare));
}

#[test]
fn a_proof_is_verified_from_its_text() {
    let leaves: Vec<_> = (0..7_u8).map(|n| hash_leaf(&[n])).collect();
    let tree = RightEdge::empty().extend(&leaves);
    let head = tree.head();
    let key = ed25519_dalek::SigningKey::from_bytes(&[8; 32]);
    let spki = super::note::ed25519_spki(key.verifying_key().as_bytes());
    let log = crate::VerifierKey::for_log("log.example", &spki).unwrap();
    let checkpoint =
        crate::Checkpoint { origin: "log.example".into(), head, extensions: Vec::new() };
    let signature = ed25519_dalek::Signer::sign(&key, checkpoint.text().as_bytes()).to_vec();
    let line = crate::NoteSignature { name: "log.example".into(), key_id: log.key_id(), signature };
    let note = crate::Note { text: checkpoint.text(), signatures: vec![line] }.to_string();
    let made = tree.inclusion_proof(LogIndex(5)).unwrap();
    let text = TlogProof { extra: vec![1], index: made.index, hashes: made.hashes.clone(), note };

    let read = TlogProof::parse(&text.to_string()).unwrap();
    let opened = SignedCheckpoint::open_by(&read.note, "log.example", &log).unwrap();
    let inclusion = read.inclusion_proof(opened.checkpoint().head.size);
    assert_eq!(inclusion, made);
    assert_eq!(inclusion.verify(&leaves[5], &opened.checkpoint().head.root), Ok(()));
    assert!(inclusion.verify(&leaves[4], &opened.checkpoint().head.root).is_err());
    assert!(inclusion.verify(&leaves[5], &RootHash::empty()).is_err());
}

#[test]
fn hostile_proofs_are_refused() {
    use TlogProofError::{Extra, Hash, Header, Index, NoCheckpoint, TooManyHashes};
    let hash = "gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=";
    for (rest, expected) in [
        ("", NoCheckpoint),
        ("index 0\n", NoCheckpoint),
        ("index 0\n\n", NoCheckpoint),
        ("\nnote", NoCheckpoint),
        ("\n\nnote", Index),
        ("extra AAAA\n\nnote", Index),
        ("extra \nindex 0\n\nnote", Extra),
        ("extra !!!!\nindex 0\n\nnote", Extra),
        ("extra AAA\nindex 0\n\nnote", Extra),
        ("extra\nindex 0\n\nnote", Index),
        ("index 0\nextra AAAA\n\nnote", Hash { number: 1 }),
        ("extra AAAA\nextra AAAA\nindex 0\n\nnote", Index),
        ("index x\n\nnote", Index),
        ("index -5\n\nnote", Index),
        ("index 00\n\nnote", Index),
        ("index 5 \n\nnote", Index),
        ("index 18446744073709551616\n\nnote", Index),
        (&format!("{hash}\n\nnote"), Index),
        (&format!("index 0\n{hash}\nAAAA\n\nnote"), Hash { number: 2 }),
        (&format!("index 0\n{hash}\r\n\nnote"), Hash { number: 1 }),
        (&format!("index 0\n{}\nnote", format!("{hash}\n").repeat(65)), TooManyHashes),
    ] {
        let text = format!("c2sp.org/tlog-proof@v1\n{rest}");
        assert_eq!(TlogProof::parse(&text), Err(expected), "{rest:?}");
    }
    for header in
        ["", "c2sp.org/tlog-proof@v2\n", " c2sp.org/tlog-proof@v1\n", "c2sp.org/tlog-proof@v1"]
    {
        let text = format!("{header}index 0\n\nnote");
        assert_eq!(TlogProof::parse(&text), Err(Header), "{header:?}");
    }
    let most = format!("c2sp.org/tlog-proof@v1\nindex 0\n{}\nnote", format!("{hash}\n").repeat(64));
    assert_eq!(TlogProof::parse(&most).unwrap().hashes.len(), 64);
}

#[test]
fn cosigned_checkpoints_stay_as_they_are() {
    let note = include_str!("cosigned.note").to_owned();
    let proof = TlogProof { extra: Vec::new(), index: LogIndex(1), hashes: Vec::new(), note };
    let read = TlogProof::parse(&proof.to_string()).unwrap();
    let [log, witness, _] = cosigned_keys();
    let opened = SignedCheckpoint::open_by(&read.note, log.name(), &log).unwrap();
    assert!(witness.verify(opened.checkpoint(), &opened.note().signatures[1]).is_ok());
}

proptest! {
    #[test]
    fn proofs_round_trip(
        extra in prop::collection::vec(any::<u8>(), 0..50), index: u64,
        hashes in prop::collection::vec(any::<[u8; 32]>(), 0..=64), note in "[a-z\n]{1,40}",
    ) {
        let hashes = hashes.into_iter().map(NodeHash::from_bytes).collect();
        let proof = TlogProof { extra, index: LogIndex(index), hashes, note };
        prop_assert_eq!(TlogProof::parse(&proof.to_string()), Ok(proof));
    }

    #[test]
    fn any_text_is_a_proof_or_an_error(place in 0..EXAMPLE.len(), byte: u8) {
        let mut bytes = EXAMPLE.as_bytes().to_vec();
        bytes[place] = byte;
        let text = String::from_utf8_lossy(&bytes);
        if let Ok(proof) = TlogProof::parse(&text) {
            prop_assert_eq!(proof.to_string(), text);
        }
    }
}
