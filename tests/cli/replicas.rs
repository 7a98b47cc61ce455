//! `cairn serve --follow`: a replica has all that its source has, believes nothing of it, and
//! survives it.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::run::{Server, cairn, text};
use crate::spoiler::{Spoil, Spoiler};
use crate::support::Proposals;
use crate::tiles::{get, listed, post};

pub(crate) const STATEMENT: &[u8] = br#"{"_type":"https://in-toto.io/Statement/v1","subject":[
    {"name":"x","digest":{"sha256":"1111111111111111111111111111111111111111111111111111111111111111"}}],
    "predicateType":"https://example.com/p","predicate":{}}"#;

/// Entries of both logs, of kinds that store something beside the body.
pub(crate) fn fill(url: &str, proposals: &mut Proposals, count: usize) {
    for n in 0..count {
        assert_eq!(
            post(&format!("{url}/api/v1/log/entries"), &[], &proposals.next_json()).status,
            201
        );
        let v2 = proposals.next_v2_json();
        assert_eq!(post(&format!("{url}/api/v2/log/entries"), &[], &v2).status, 201);
        if n == 0 {
            // Known ones are no harm.
            let statement = [STATEMENT, &[b' '; 7]].concat();
            post(&format!("{url}/api/v1/log/entries"), &[], &proposals.intoto_json(STATEMENT));
            let dsse = proposals.dsse_of(&statement, "application/vnd.in-toto+json");
            post(&format!("{url}/api/v1/log/entries"), &[], &dsse);
        }
    }
}

/// Waits until the replica shows as much as the source does; gives up after 30 s.
pub(crate) fn wait_for(source: &str, replica: &str, log: &str) -> u64 {
    let began = Instant::now();
    loop {
        let sizes = [source, replica].map(|url| listed(url, log)["tree_size"].as_u64().unwrap());
        if sizes[0] == sizes[1] {
            return sizes[0];
        }
        assert!(began.elapsed() < Duration::from_secs(30), "{log}: {sizes:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub(crate) fn start_replica(folder: &Path, source: &str) -> Result<Server, String> {
    let more = ["--follow", source, "--follow-interval-ms", "20", "--log-level", "warn"];
    Server::start(folder, &more)
}

/// All entries of the v1 log, by index.
fn entries(url: &str, size: u64) -> Vec<Value> {
    let entry = |n| get(&format!("{url}/api/v1/log/entries?logIndex={n}"), &[]).json();
    (0..size).map(entry).collect()
}

/// The one value of an entry's answer, without what a replica has no key for.
fn without_promise(entry: &Value) -> (String, Value) {
    let (id, value) = entry.as_object().unwrap().iter().next().unwrap();
    let mut value = value.clone();
    value["verification"].as_object_mut().unwrap().remove("signedEntryTimestamp");
    (id.clone(), value)
}

fn search(url: &str, hash: &str) -> Value {
    let body = json!({"hash": format!("sha256:{hash}")}).to_string();
    get_sorted(post(&format!("{url}/api/v1/index/retrieve"), &[], &body).json())
}

fn get_sorted(list: Value) -> Value {
    let mut list: Vec<String> = serde_json::from_value(list).unwrap();
    list.sort();
    list.into()
}

#[test]
fn a_replica_has_all_that_its_source_has() {
    let (there, here) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let source = Server::start(there.path(), &["--log-level", "error"]).unwrap();
    let mut proposals = Proposals::new();
    fill(&source.url, &mut proposals, 270);
    let replica = start_replica(here.path(), &source.url).unwrap();
    fill(&source.url, &mut proposals, 5);
    let size = wait_for(&source.url, &replica.url, "v1");
    wait_for(&source.url, &replica.url, "v2");

    let (ours, theirs) = (entries(&replica.url, size), entries(&source.url, size));
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(without_promise(ours), without_promise(theirs));
    }
    let has = |entry: &&Value| !without_promise(entry).1["attestation"].is_null();
    assert_eq!(theirs.iter().filter(has).count(), 2, "attestations came along");
    let hits = search(&source.url, &"1".repeat(64));
    assert_eq!(
        (hits.as_array().unwrap().len(), &search(&replica.url, &"1".repeat(64))),
        (4, &hits)
    );
    for path in ["/checkpoint", "/tile/0/000", "/tile/entries/000", "/tile/1/000.p/1"] {
        let [ours, theirs] =
            [&replica, &source].map(|server| get(&format!("{}{path}", server.url), &[]));
        assert_eq!((ours.status, ours.body), (200, theirs.body), "{path}");
    }
    assert_eq!(listed(&replica.url, "v1")["state"], "replica");
    for path in ["/api/v1/log/entries", "/api/v2/log/entries"] {
        let refused = post(&format!("{}{path}", replica.url), &[], &proposals.next_json());
        assert_eq!(refused.status, 405, "{}", refused.text());
    }
    let annex = listed(&replica.url, "v1")["url"].as_str().unwrap().to_owned() + "/annex/000";
    assert_eq!(get(&annex, &[]).status, 404, "it cannot sign one");

    // Its source goes, and it does not.
    source.stop();
    replica.stop();
    let replica = start_replica(here.path(), "http://127.0.0.1:1").unwrap();
    assert_eq!(entries(&replica.url, size).len() as u64, size);
    assert_eq!(get(&format!("{}/readyz", replica.url), &[]).status, 200);
    replica.stop();
    let fsck = cairn(&["fsck", "--data-dir", here.path().to_str().unwrap()]);
    assert!(fsck.status.success(), "{}", text(&fsck.stdout));
}

/// A replica with the logs' keys promises entries as the log does.
#[test]
fn a_replica_with_the_keys_makes_the_same_promises() {
    let (there, here) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let source = Server::start(there.path(), &["--log-level", "error"]).unwrap();
    fill(&source.url, &mut Proposals::new(), 2);
    for name in ["v1.key", "v2.key", "v1.pub"] {
        std::fs::copy(there.path().join(name), here.path().join(name)).unwrap();
    }
    let replica = start_replica(here.path(), &source.url).unwrap();
    let [ours, theirs] = [&replica, &source].map(|server| entries(&server.url, 1).remove(0));
    let promise = |entry: &Value| {
        let value = entry.as_object().unwrap().values().next().unwrap();
        value["verification"]["signedEntryTimestamp"].as_str().unwrap().len()
    };
    assert!(promise(&ours) > 80 && promise(&theirs) > 80);
    let annex = listed(&replica.url, "v1")["url"].as_str().unwrap().to_owned() + "/annex/000.p/2";
    assert_eq!(get(&annex, &[]).status, 200, "a replica of the replica can follow");
}

/// Whatever a source says, nothing that the log did not vouch for is shown or stored.
#[test]
fn nothing_is_taken_over_that_is_not_proven() {
    let (there, here) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let source = Server::start(there.path(), &["--log-level", "error"]).unwrap();
    let mut proposals = Proposals::new();
    fill(&source.url, &mut proposals, 3);
    let spoiler = Spoiler::before(&source.url);
    let replica = start_replica(here.path(), &spoiler.url).unwrap();
    let before = wait_for(&source.url, &replica.url, "v1");
    let flip = |part: &'static str, at: fn(usize) -> usize| {
        move |path: &str, _: &mut u16, body: &mut Vec<u8>| {
            if path.contains(part) && !body.is_empty() {
                let at = at(body.len());
                body[at] ^= 1;
            }
        }
    };
    fn gone(part: &'static str) -> impl Fn(&str, &mut u16, &mut Vec<u8>) + Send + 'static {
        move |path, status, body| {
            if path.contains(part) {
                (*status, *body) = (404, Vec::new());
            }
        }
    }
    let spoils: Vec<(&str, Box<Spoil>)> = vec![
        ("a body", Box::new(flip("/tile/entries/", |length| length - 9))),
        ("a root", Box::new(flip("/checkpoint", |length| length / 3))),
        ("a time or key", Box::new(flip("/annex/", |length| length / 2))),
        ("an attestation", Box::new(flip("/attestation/", |length| length / 2))),
        ("no annex", Box::new(gone("/annex/"))),
        ("no bundle and no entry", Box::new(gone("/entr"))),
        (
            "an error",
            Box::new(|path, status, _| {
                if path.contains("tile") {
                    *status = 500
                }
            }),
        ),
        (
            "another log's annex",
            Box::new(|path, _, body| {
                if path.contains("/annex/") {
                    *body = String::from_utf8_lossy(body)
                        .replacen("localhost - ", "localhost - 1", 1)
                        .into();
                }
            }),
        ),
    ];
    for (what, spoil) in spoils {
        spoiler.spoil(spoil);
        assert_eq!(
            post(&format!("{}/api/v1/log/entries", source.url), &[], &proposals.next_json()).status,
            201
        );
        let intoto = proposals.intoto_json(format!("{{\"what\":\"{what}\"}}").as_bytes());
        assert_eq!(post(&format!("{}/api/v1/log/entries", source.url), &[], &intoto).status, 201);
        std::thread::sleep(Duration::from_millis(400));
        assert_eq!(listed(&replica.url, "v1")["tree_size"], before, "{what} was believed");
    }
    spoiler.spoil(Box::new(|_, _, _| {}));
    assert!(wait_for(&source.url, &replica.url, "v1") > before, "it goes on with an honest source");
    replica.stop();
    let fsck = cairn(&["fsck", "--data-dir", here.path().to_str().unwrap()]);
    assert!(fsck.status.success(), "{}", text(&fsck.stdout));
}

/// Two trees under one key: the replica has seen one, and is shown the other.
#[test]
fn a_fork_is_told_and_never_shown() {
    let (there, here) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let twin = tempfile::tempdir().unwrap();
    let source = Server::start(there.path(), &["--log-level", "error"]).unwrap();
    let mut proposals = Proposals::new();
    fill(&source.url, &mut proposals, 2);
    source.stop();
    copy(there.path(), twin.path());
    let (source, twin) = (
        Server::start(there.path(), &["--log-level", "error"]).unwrap(),
        Server::start(twin.path(), &["--log-level", "error"]).unwrap(),
    );
    fill(&source.url, &mut proposals, 2);
    fill(&twin.url, &mut proposals, 4);
    let spoiler = Spoiler::before(&source.url);
    let replica = start_replica(here.path(), &spoiler.url).unwrap();
    let size = wait_for(&source.url, &replica.url, "v1");
    spoiler.turn_to(&twin.url);
    // The twin is larger, and cannot prove that it extends what is here.
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(listed(&replica.url, "v1")["tree_size"], size);
    // At a size that the replica has, it is caught with its own signature.
    fill(&source.url, &mut proposals, 6);
    spoiler.turn_to(&source.url);
    wait_for(&source.url, &replica.url, "v1");
    spoiler.turn_to(&twin.url);
    let began = Instant::now();
    loop {
        let ready = get(&format!("{}/readyz?verbose", replica.url), &[]);
        if ready.status == 503 {
            assert!(ready.text().contains("[-]v1 publishing failed"), "{}", ready.text());
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(10), "the fork was not noticed");
        std::thread::sleep(Duration::from_millis(20));
    }
    let entry = get(&format!("{}/api/v1/log/entries?logIndex=0", replica.url), &[]);
    assert_eq!(entry.status, 200, "what is here is still read");
}

pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        let to = to.join(file.file_name());
        match file.file_type().unwrap().is_dir() {
            true => copy(&file.path(), &to),
            false => drop(std::fs::copy(file.path(), to).unwrap()),
        }
    }
}

#[test]
fn whose_logs_they_are_is_held_against_the_keys_in_the_folder() {
    let (there, other, here) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let source = Server::start(there.path(), &["--log-level", "error"]).unwrap();
    drop(Server::start(other.path(), &["--log-level", "error"]).unwrap());
    std::fs::copy(other.path().join("v1.pub"), here.path().join("v1.pub")).unwrap();
    let refused = start_replica(here.path(), &source.url).err().unwrap();
    assert!(refused.contains("v1.pub is not the key that the source names"), "{refused}");
    std::fs::copy(there.path().join("v1.pub"), here.path().join("v1.pub")).unwrap();
    std::fs::copy(other.path().join("v1.key"), here.path().join("v1.key")).unwrap();
    let refused = start_replica(here.path(), &source.url).err().unwrap();
    assert!(refused.contains("is not the key of the log v1"), "{refused}");
    std::fs::remove_file(here.path().join("v1.key")).unwrap();
    drop(start_replica(here.path(), &source.url).unwrap());

    // A replica's folder is no log of its own, and the other way round.
    let refused = Server::start(here.path(), &[]).err().unwrap();
    assert!(refused.contains("cairn promote"), "{refused}");
    let refused = start_replica(other.path(), &source.url).err().unwrap();
    assert!(refused.contains("is no replica"), "{refused}");
    let elsewhere = Server::start(other.path(), &["--log-level", "error"]).unwrap();
    let refused = start_replica(here.path(), &elsewhere.url).err().unwrap();
    assert!(refused.contains("is not the one that the source has now"), "{refused}");
    let nowhere = tempfile::tempdir().unwrap();
    let refused = start_replica(nowhere.path(), "http://127.0.0.1:1").err().unwrap();
    assert!(refused.contains("no log was followed before"), "{refused}");
}
