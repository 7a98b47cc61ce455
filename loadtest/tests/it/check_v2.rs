//! True answers of Rekor v2 verify at every size; checkpoints that no client could take are
//! refused.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use loadtest::fault::Fault;
use loadtest::log_key::LogKey;
use loadtest::rekor_v2::check::LoggedEntry;
use tlog::NodeHash;

use crate::fake_v2::{FakeV2, NAME, Wrong};

fn key(log: &FakeV2) -> LogKey {
    LogKey::new(&log.public_key_pem(), &log.published()).unwrap().0
}

#[test]
fn true_answers_verify_at_every_size() {
    for size in 1..20 {
        let log = FakeV2::new(Wrong::Nothing, size);
        let key = key(&log);
        assert_eq!((key.origin.as_str(), &key.log_id[..]), (NAME, &log.log_id()[..]));
        for index in 0..size {
            let text = serde_json::to_vec(&log.entry(index, size)).unwrap();
            let entry = LoggedEntry::from_json(&text).unwrap();
            let verified = entry.verify(&key, &log.bodies[index]).unwrap();
            assert_eq!((verified.index, verified.head.size.0), (index as u64, size as u64));
        }
    }
}

#[test]
fn false_proofs_are_refused() {
    let log = FakeV2::new(Wrong::Nothing, 11);
    let key = key(&log);
    let good = LoggedEntry::from_json(&serde_json::to_vec(&log.entry(5, 11)).unwrap()).unwrap();
    let refused = |alter: fn(&mut LoggedEntry)| {
        let mut entry = good.clone();
        alter(&mut entry);
        entry.verify(&key, &log.bodies[5]).unwrap_err()
    };
    for (n, alter) in [
        |entry: &mut LoggedEntry| drop(entry.hashes.pop()),
        |entry: &mut LoggedEntry| entry.hashes.swap(0, 1),
        |entry: &mut LoggedEntry| entry.hashes[2][31] ^= 1,
        |entry: &mut LoggedEntry| entry.hashes[0].truncate(31),
        |entry: &mut LoggedEntry| (entry.index, entry.proof.0) = (6, 6),
    ]
    .into_iter()
    .enumerate()
    {
        assert!(matches!(refused(alter), Fault::Inclusion(_)), "{n}");
    }
    assert_eq!(refused(|entry| entry.proof.1[0] ^= 1), Fault::Head);
    assert_eq!(refused(|entry| entry.proof.2 += 1), Fault::Head);
    assert_eq!(refused(|entry| entry.index += 1), Fault::Index { named: 6, expected: 5 });
    assert_eq!(refused(|entry| entry.body[0] ^= 1), Fault::Body);
    assert!(matches!(refused(|entry| entry.promised = true), Fault::Framing(_)));
}

#[test]
fn json_that_is_not_a_whole_entry_is_refused() {
    let log = FakeV2::new(Wrong::Nothing, 2);
    let good = serde_json::to_value(log.entry(1, 2)).unwrap();
    let parse = |json: &serde_json::Value| LoggedEntry::from_json(json.to_string().as_bytes());
    parse(&good).unwrap();
    for member in good.as_object().unwrap().keys() {
        let mut json = good.clone();
        json.as_object_mut().unwrap().remove(member);
        assert!(matches!(parse(&json), Err(Fault::Framing(_))), "{member}");
    }
    for (pointer, value) in [
        ("/logIndex", 1.into()),
        ("/logIndex", "01".into()),
        ("/logIndex", "-1".into()),
        ("/inclusionProof/hashes", serde_json::Value::Null),
        ("/inclusionProof/rootHash", "x".into()),
        ("/canonicalizedBody", "x".into()),
    ] {
        let mut json = good.clone();
        *json.pointer_mut(pointer).unwrap() = value;
        assert!(matches!(parse(&json), Err(Fault::Framing(_))), "{pointer}");
    }
}

#[test]
fn checkpoints_that_clients_refuse_are_refused() {
    let log = FakeV2::new(Wrong::Nothing, 3);
    let key = key(&log);
    let good = log.checkpoint(3);
    let witness = |n: u8| format!("— witness{n}.example {}\n", STANDARD.encode([n; 76]));
    let cosigned: String = (0..15).map(witness).collect();
    assert_eq!(key.open(&format!("{good}{cosigned}")).unwrap().size.0, 3);
    let refused = |note: &str| match key.open(note) {
        Err(Fault::Checkpoint(why)) => why,
        other => panic!("{other:?}: {note}"),
    };
    let too_many = format!("{good}{cosigned}{}", witness(16));
    assert_eq!(refused(&too_many), "more than 16 signatures");
    let (text, line) = good.split_once("\n\n").unwrap();
    let not_first = format!("{text}\n\n{}{line}", witness(1));
    let place = "the log's signature is not the first, or not the only one";
    assert_eq!(refused(&not_first), place);
    assert_eq!(refused(&format!("{good}{line}")), place);
    assert_eq!(refused(&log.note(&format!("{text}\nextension\n"))), "extension lines");
    let empty = NodeHash::from_bytes([0; 32]);
    let root = STANDARD.encode(empty.as_bytes());
    let other = refused(&log.note(&format!("other.example\n3\n{root}\n")));
    assert!(other.contains("another log"), "{other}");
    assert!(refused(&FakeV2::new(Wrong::Nothing, 3).checkpoint(3)).contains("no signature"));
}
