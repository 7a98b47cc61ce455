//! A true answer verifies; each way in which it can be false is refused, and named.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::StatusCode;
use hyper::header::{HeaderMap, HeaderValue};
use loadtest::client::Answer;
use loadtest::fault::Fault;
use loadtest::rekor_v1::check::{Expected, LogIdentity, framing, verify_consistency};
use loadtest::rekor_v1::wire::Entry;
use tlog::{TreeHead, hash_leaf};

use crate::fake_log::{FIRST_INDEX, FakeLog, text};
use crate::fake_server::altered;

const LOCAL: usize = 5;

fn fake_log(size: usize) -> FakeLog {
    let mut log = FakeLog::new();
    for n in 0..size {
        log.add(body(n).as_bytes()).unwrap();
    }
    log
}

fn body(n: usize) -> String {
    format!("{{\"entry\":{n}}}")
}

fn identity(log: &FakeLog) -> LogIdentity {
    LogIdentity::new(&log.public_key_pem(), &log.info()).unwrap()
}

/// Alters the true answer for entry [`LOCAL`] of eleven and gives the fault that is found.
fn fault_of(alter: impl FnOnce(&FakeLog, &mut Entry)) -> Fault {
    let log = fake_log(11);
    let mut entry = log.entry(LOCAL);
    alter(&log, &mut entry);
    let wanted = body(LOCAL);
    let expected = Expected { body: Some(wanted.as_bytes()), ..Expected::default() };
    identity(&log).verify_entry(&text(&log.id(LOCAL), &entry), expected).unwrap_err()
}

/// Flips one bit in the middle of some base64.
fn flip(base64: &str) -> String {
    let mut bytes = STANDARD.decode(base64).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    STANDARD.encode(bytes)
}

#[test]
fn true_answers_verify_at_every_size() {
    for size in 1..20 {
        let log = fake_log(size);
        let identity = identity(&log);
        for local in 0..size {
            let (body, id) = (body(local), log.id(local));
            let index = FIRST_INDEX + local as u64;
            let expected =
                Expected { body: Some(body.as_bytes()), id: Some(&id), index: Some(index) };
            let verified = identity.verify_entry(&text(&id, &log.entry(local)), expected).unwrap();
            assert_eq!((verified.index, verified.head.size.0), (index, size as u64));
        }
    }
}

#[test]
fn false_entries_are_refused() {
    let set = fault_of(|_, entry| {
        let set = &mut entry.verification.signed_entry_timestamp;
        *set = flip(set);
    });
    assert_eq!(set, Fault::Set);
    assert_eq!(fault_of(|_, entry| entry.integrated_time += 1), Fault::Set);
    assert_eq!(fault_of(|_, entry| entry.body = flip(&entry.body)), Fault::Body);
    assert_eq!(fault_of(|_, entry| entry.log_index += 1), Fault::Set);
    let foreign = "ab".repeat(32);
    let log_id = fault_of(|_, entry| entry.log_id.clone_from(&foreign));
    assert_eq!(log_id, Fault::LogId(foreign.clone()));
    let other = fault_of(|log, entry| *entry = log.entry(LOCAL + 1));
    assert_eq!(other, Fault::Body);
}

#[test]
fn a_signed_but_wrong_index_is_refused() {
    let fault = fault_of(|log, entry| {
        entry.log_index += 1;
        let (body, log_id) = (&entry.body, &entry.log_id);
        let signed = format!(
            r#"{{"body":"{body}","integratedTime":{},"logID":"{log_id}","logIndex":{}}}"#,
            entry.integrated_time, entry.log_index
        );
        entry.verification.signed_entry_timestamp = STANDARD.encode(log.sign(&signed));
    });
    let right = FIRST_INDEX + LOCAL as u64;
    assert_eq!(fault, Fault::Index { named: right + 1, expected: right });
}

#[test]
fn false_proofs_are_refused() {
    for n in 0..4 {
        let fault = fault_of(|_, entry| {
            let hash = &mut entry.verification.inclusion_proof.hashes[n];
            let first = if hash.starts_with('0') { "1" } else { "0" };
            hash.replace_range(..1, first);
        });
        assert!(matches!(fault, Fault::Inclusion(_)), "hash {n}: {fault}");
    }
    for alter in [
        |entry: &mut Entry| drop(entry.verification.inclusion_proof.hashes.pop()),
        |entry: &mut Entry| entry.verification.inclusion_proof.hashes.swap(0, 1),
        |entry: &mut Entry| entry.verification.inclusion_proof.hashes[0].truncate(62),
    ] {
        let fault = fault_of(|_, entry| alter(entry));
        assert!(matches!(fault, Fault::Inclusion(_)), "{fault}");
    }
    let index = fault_of(|_, entry| entry.verification.inclusion_proof.log_index += 1);
    assert!(matches!(index, Fault::Index { .. }), "{index}");
    for alter in [
        |entry: &mut Entry| entry.verification.inclusion_proof.tree_size += 1,
        |entry: &mut Entry| entry.verification.inclusion_proof.root_hash = "ab".repeat(32),
    ] {
        assert_eq!(fault_of(|_, entry| alter(entry)), Fault::Head);
    }
}

#[test]
fn false_checkpoints_are_refused() {
    type Alter = fn(&FakeLog, &str) -> String;
    let cases: &[(&str, Alter)] = &[
        ("the signature does not verify", |_, checkpoint| altered(checkpoint, 40)),
        ("the signature's hint is not the start of the log ID", |_, checkpoint| {
            altered(checkpoint, 0)
        }),
        ("the signature does not verify", |_, checkpoint| {
            checkpoint.replacen("\n11\n", "\n12\n", 1)
        }),
        ("not exactly one signature", |_, checkpoint| {
            let line = checkpoint.lines().last().unwrap();
            format!("{checkpoint}{line}\n")
        }),
        ("the signature's name is not the origin's host name", |_, checkpoint| {
            checkpoint.replace("— log.example ", "— log.elsewhere ")
        }),
        ("origin \"log.example - 7\"", |log, _| log.checkpoint_of(7, 11)),
        ("the signature's hint is not the start of the log ID", |_, _| fake_log(11).checkpoint(11)),
    ];
    for (why, alter) in cases {
        let fault = fault_of(|log, entry| {
            let checkpoint = &mut entry.verification.inclusion_proof.checkpoint;
            *checkpoint = alter(log, checkpoint);
        });
        assert_eq!(fault, Fault::Checkpoint((*why).to_owned()));
    }
}

#[test]
fn text_that_clients_cannot_slice_is_refused() {
    let log = fake_log(3);
    let good = String::from_utf8(text(&log.id(1), &log.entry(1))).unwrap();
    let identity = identity(&log);
    let refused = |text: &str| {
        let fault = identity.verify_entry(text.as_bytes(), Expected::default()).unwrap_err();
        assert!(matches!(fault, Fault::Framing(_)), "{text}: {fault}");
    };
    identity.verify_entry(good.as_bytes(), Expected::default()).unwrap();
    refused(good.trim_end());
    refused(&good.replace("\":{", "\": {"));
    refused(&good.replacen("\"body\"", "\"extra\":1,\"body\"", 1));
    refused(&good.replacen("\"hashes\":[", "\"hashes\":null,\"x\":[", 1));
    refused("{}\n");
    refused("");
}

#[test]
fn entry_ids_are_held_against_the_leaf() {
    let log = fake_log(3);
    let identity = identity(&log);
    let swapped = text(&log.id(0), &log.entry(1));
    let fault = identity.verify_entry(&swapped, Expected::default()).unwrap_err();
    assert_eq!(fault, Fault::EntryId { named: log.id(0), expected: log.id(1) });
    let true_but_other = text(&log.id(1), &log.entry(1));
    let id = log.id(0);
    let expected = Expected { id: Some(&id), ..Expected::default() };
    let fault = identity.verify_entry(&true_but_other, expected).unwrap_err();
    assert_eq!(fault, Fault::EntryId { named: log.id(1), expected: log.id(0) });
    let expected = Expected { index: Some(FIRST_INDEX), ..Expected::default() };
    let fault = identity.verify_entry(&true_but_other, expected).unwrap_err();
    assert_eq!(fault, Fault::Index { named: FIRST_INDEX + 1, expected: FIRST_INDEX });
    assert_eq!(identity.entry_id(&hash_leaf(body(2).as_bytes())), log.id(2));
}

#[test]
fn consistency_proofs() {
    let log = fake_log(19);
    let identity = identity(&log);
    let head = |size| identity.open_checkpoint(&log.checkpoint(size)).unwrap();
    for (old, new) in (1..19).flat_map(|old| (old + 1..=19).map(move |new| (old, new))) {
        let (old_head, new_head): (TreeHead, TreeHead) = (head(old), head(new));
        let mut proof = log.consistency(old, new);
        let text = serde_json::to_vec(&proof).unwrap();
        verify_consistency(&text, &old_head, &new_head).unwrap();
        let other = head(old - 1 + 2 * usize::from(old == 1));
        let forked = TreeHead { root: other.root, ..old_head };
        assert!(verify_consistency(&text, &forked, &new_head).is_err(), "{old} {new}");
        proof.root_hash.truncate(62);
        let unclear = serde_json::to_vec(&proof).unwrap();
        assert!(verify_consistency(&unclear, &old_head, &new_head).is_err(), "{old} {new}");
        proof.root_hash = "ab".repeat(32); // of another size than the newest: says nothing
        let later = serde_json::to_vec(&proof).unwrap();
        verify_consistency(&later, &old_head, &new_head).unwrap();
        proof.hashes[0] = "ab".repeat(32);
        let text = serde_json::to_vec(&proof).unwrap();
        let fault = verify_consistency(&text, &old_head, &new_head).unwrap_err();
        assert!(matches!(fault, Fault::Consistency { .. }), "{old} {new}");
    }
}

#[test]
fn a_log_that_lies_about_itself_is_refused() {
    let log = fake_log(4);
    let new = |info| LogIdentity::new(&log.public_key_pem(), &info).map(drop);
    assert_eq!(new(log.info()), Ok(()));
    let mut info = log.info();
    info.tree_size += 1;
    assert_eq!(new(info), Err(Fault::Head));
    let mut info = log.info();
    info.signed_tree_head = altered(&info.signed_tree_head, 40);
    assert!(matches!(new(info), Err(Fault::Checkpoint(_))));
    for tree_id in ["", "0", "-1", "x"] {
        let mut info = log.info();
        info.tree_id = tree_id.to_owned();
        assert!(matches!(new(info), Err(Fault::Framing(_))), "{tree_id}");
    }
    let other = FakeLog::new().public_key_pem();
    assert!(matches!(LogIdentity::new(&other, &log.info()).map(drop), Err(Fault::Checkpoint(_))));
    assert!(matches!(LogIdentity::new("x", &log.info()).map(drop), Err(Fault::Framing(_))));
}

/// A 201 with these headers and this text.
fn created(headers: &HashMap<&'static str, String>, text: &str) -> Answer {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.insert(*name, HeaderValue::from_str(value).unwrap());
    }
    Answer { status: StatusCode::CREATED, headers: map, body: text.to_owned().into() }
}

#[test]
fn framing_of_every_answer() {
    let log = fake_log(3);
    let id = log.id(1);
    let good_text = String::from_utf8(text(&id, &log.entry(1))).unwrap();
    let good = HashMap::from([
        ("content-type", "application/json".to_owned()),
        ("etag", id.clone()),
        ("location", format!("/api/v1/log/entries/{id}")),
    ]);
    let check =
        |headers: &_, text: &str| framing(&created(headers, text), StatusCode::CREATED, Some(&id));
    assert_eq!(check(&good, &good_text), Ok(FIRST_INDEX + 1));
    for (name, value) in [
        ("content-type", "text/plain".to_owned()),
        ("etag", format!("\"{id}\"")),
        ("location", "/api/v1/log/entries".to_owned()),
    ] {
        let mut headers = good.clone();
        headers.insert(name, value);
        assert!(matches!(check(&headers, &good_text), Err(Fault::Framing(_))), "{name}");
        headers.remove(name);
        assert!(matches!(check(&headers, &good_text), Err(Fault::Framing(_))), "no {name}");
    }
    for text in ["", "{}\n", good_text.trim_end(), &good_text.to_uppercase()] {
        assert!(matches!(check(&good, text), Err(Fault::Framing(_))), "{text}");
    }
    let huge = good_text.replacen("\"logIndex\":1001", "\"logIndex\":99999999999999999999", 1);
    assert!(matches!(check(&good, &huge), Err(Fault::Framing(_))));
    let other = framing(&created(&good, &good_text), StatusCode::CREATED, Some(&log.id(0)));
    assert!(matches!(other, Err(Fault::EntryId { .. })));
    let other = framing(&created(&good, &good_text), StatusCode::OK, None);
    assert_eq!(other, Err(Fault::Status(201)));
}
