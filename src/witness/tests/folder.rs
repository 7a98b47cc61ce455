//! What a witness remembers, in its folder: durable, damaged, in use; its name and its key.

use std::fs;

use super::*;
use crate::publisher::signer::{FileSigner, KeyKind};

#[test]
fn a_witness_goes_on_where_it_was() {
    let (folder, log, witness) = house();
    cosigned(&witness, &log.request(0, 5));
    let (shown, key) = (witness.checkpoint(&origin_hash(ORIGIN)), witness.key().clone());
    drop(witness);
    let witness = open(folder.path(), &[log.known()]);
    assert_eq!((witness.checkpoint(&origin_hash(ORIGIN)), witness.key()), (shown, &key));
    assert_refused!(witness, log.request(0, 9), Refusal::Stale { seen: TreeSize(5), .. });
    assert_refused!(witness, log.forked_at(4).request(5, 9), Refusal::Inconsistent(_));
    cosigned(&witness, &log.request(5, 9));
}

#[test]
fn what_cannot_be_remembered_is_not_cosigned() {
    let (folder, log, witness) = house();
    cosigned(&witness, &log.request(0, 5));
    let file = folder.path().join(format!("{}.checkpoint", origin_hash(ORIGIN)));
    let kept = fs::read(&file).unwrap();
    fs::create_dir(file.with_extension("next")).unwrap(); // where the next one would be written
    assert_refused!(witness, log.request(5, 9), Refusal::Failed(_));
    assert_eq!((fs::read(&file).unwrap(), witness.logs()), (kept, vec![(ORIGIN, TreeSize(5))]));
    fs::remove_dir(file.with_extension("next")).unwrap();
    cosigned(&witness, &log.request(5, 9));
}

#[test]
fn damaged_memory_is_not_gone_on_from() {
    let (folder, log, witness) = house();
    cosigned(&witness, &log.request(0, 5));
    drop(witness);
    let file = folder.path().join(format!("{}.checkpoint", origin_hash(ORIGIN)));
    let kept = fs::read_to_string(&file).unwrap();
    let open = || {
        let state = WitnessState::open(folder.path()).unwrap();
        let (cosigner, _) = Cosigner::open_or_create(&state, None).unwrap();
        Witness::open(state, cosigner, [log.known()], || NOW)
    };
    let unsigned = log.request(0, 5).note;
    for damaged in ["", &kept[..kept.len() / 2], &kept.replace("\n5\n", "\n4\n"), &unsigned] {
        fs::write(&file, damaged).unwrap();
        assert!(matches!(open(), Err(StateError::Damaged { .. })), "{damaged:?}");
    }
    fs::write(&file, &kept).unwrap();
    assert!(open().is_ok());
}

#[test]
fn a_folder_is_for_one_process() {
    let (folder, log, witness) = house();
    assert!(matches!(WitnessState::open(folder.path()), Err(StateError::InUse(_))));
    drop(witness);
    open(folder.path(), &[log.known()]);
}

#[test]
fn a_witness_keeps_its_name_and_key() {
    let folder = tempfile::tempdir().unwrap();
    let start = |name| {
        let state = WitnessState::open(folder.path()).unwrap();
        Cosigner::open_or_create(&state, name)
            .map(|(cosigner, made)| (cosigner.key().clone(), made))
    };
    let (key, vkey) = (folder.path().join("witness.key"), folder.path().join("witness.vkey"));
    assert!(matches!(start(None), Err(CosignerError::NoName)));
    assert!(matches!(start(Some("a b")), Err(CosignerError::Name(VkeyError::Name(_)))));
    assert!(!key.exists(), "no key of a name that cannot be");
    let (made, new) = start(Some("w")).unwrap();
    assert!(new && fs::read_to_string(&vkey).unwrap() == format!("{made}\n"));
    assert_eq!(start(None).unwrap(), (made.clone(), false));
    assert_eq!(start(Some("w")).unwrap(), (made.clone(), false));
    assert!(matches!(start(Some("v")), Err(CosignerError::OtherName { .. })));

    // A start that was cut off before the public key was there is finished.
    fs::remove_file(&vkey).unwrap();
    assert_eq!(start(Some("w")).unwrap(), (made, true));
    // But not when something was cosigned already.
    fs::write(folder.path().join("00.checkpoint"), "").unwrap();
    let kept = fs::read(&vkey).unwrap();
    fs::remove_file(&vkey).unwrap();
    assert!(matches!(start(Some("w")), Err(CosignerError::Missing(_))));
    fs::write(&vkey, kept).unwrap();

    // A key of another kind, another key, no key.
    for kind in [KeyKind::EcdsaP256, KeyKind::Ed25519] {
        fs::remove_file(&key).unwrap();
        FileSigner::generate(kind).unwrap().1.write_new(&key).unwrap();
        assert!(matches!(start(None), Err(CosignerError::OtherKey(_))));
    }
    fs::remove_file(&key).unwrap();
    assert!(matches!(start(Some("w")), Err(CosignerError::Missing(_))));
    assert!(!key.exists(), "no key was made");
}
