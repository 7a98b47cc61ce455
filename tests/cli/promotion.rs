//! `cairn promote` and `--fence`: one server at a time signs for a log.

use std::time::{Duration, Instant};

use crate::replicas::{fill, start_replica, wait_for};
use crate::run::{Server, cairn, text};
use crate::support::Proposals;
use crate::tiles::{listed, post};

fn promote(folder: &tempfile::TempDir, more: &[&str]) -> Result<String, String> {
    let args = [&["promote", "--data-dir", folder.path().to_str().unwrap()], more].concat();
    let ended = cairn(&args);
    match ended.status.success() {
        true => Ok(text(&ended.stdout)),
        false => Err(text(&ended.stderr)),
    }
}

struct Pair {
    there: tempfile::TempDir,
    here: tempfile::TempDir,
    proposals: Proposals,
}

/// A source with entries, and the folder of a replica that has them all, and the keys.
fn pair() -> (Pair, Server) {
    let (there, here) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let source = Server::start(there.path(), &["--log-level", "error"]).unwrap();
    let mut proposals = Proposals::new();
    fill(&source.url, &mut proposals, 3);
    for name in ["v1.key", "v2.key"] {
        std::fs::copy(there.path().join(name), here.path().join(name)).unwrap();
    }
    let replica = start_replica(here.path(), &source.url).unwrap();
    for log in ["v1", "v2"] {
        wait_for(&source.url, &replica.url, log);
    }
    replica.stop();
    (Pair { there, here, proposals }, source)
}

#[test]
fn a_replica_takes_over_when_its_source_is_frozen() {
    let (mut pair, source) = pair();
    let refused = promote(&pair.here, &[]).unwrap_err();
    assert!(refused.contains("still writes to the log v1"), "{refused}");
    let refused = promote(&pair.here, &["--source-is-gone"]).unwrap_err();
    assert!(refused.contains("it is not gone"), "{refused}");
    fill(&source.url, &mut pair.proposals, 1);
    let address = source.url.strip_prefix("http://").unwrap().to_owned();
    source.stop();
    let frozen = ["--read-only", "--log-level", "error"];
    let source = Server::start_at(&address, pair.there.path(), &frozen).unwrap();
    let refused = promote(&pair.here, &[]).unwrap_err();
    assert!(refused.contains("let the replica catch up"), "{refused}");
    let replica = start_replica(pair.here.path(), &source.url).unwrap();
    let size = wait_for(&source.url, &replica.url, "v1");
    wait_for(&source.url, &replica.url, "v2");
    let refused = promote(&pair.here, &[]).unwrap_err();
    assert!(refused.contains("has the data folder") && refused.contains("open"), "{refused}");
    replica.stop();
    std::fs::rename(pair.here.path().join("v2.key"), pair.here.path().join("aside")).unwrap();
    assert!(promote(&pair.here, &[]).unwrap_err().contains("v2.key"));
    std::fs::rename(pair.here.path().join("aside"), pair.here.path().join("v2.key")).unwrap();
    let said = promote(&pair.here, &[]).unwrap();
    assert!(said.contains(&format!("v1: is written here from now on, from {size}")), "{said}");
    assert!(promote(&pair.here, &[]).unwrap_err().contains("is no replica"));

    let promoted = Server::start(pair.here.path(), &["--log-level", "error"]).unwrap();
    fill(&promoted.url, &mut pair.proposals, 2);
    assert_eq!(listed(&promoted.url, "v1")["state"], "active");
    let (ours, theirs) = (listed(&promoted.url, "v1"), listed(&source.url, "v1"));
    assert_eq!((&ours["log_id"], &ours["tree_id"]), (&theirs["log_id"], &theirs["tree_id"]));
    assert!(ours["tree_size"].as_u64().unwrap() > size);
    source.stop();

    // Who comes back asks first.
    let url = promoted.url.clone();
    let fenced = ["--fence", &url, "--log-level", "error"];
    let refused = Server::start(pair.there.path(), &fenced).err().unwrap();
    assert!(refused.contains("was promoted"), "{refused}");
    promoted.stop();
    let refused = Server::start(pair.there.path(), &fenced).err().unwrap();
    assert!(refused.contains("does not answer") && refused.contains("--fence"), "{refused}");
}

/// A replica, or an export, cannot say that nobody writes to the log.
#[test]
fn a_replica_of_a_replica_does_not_take_over_by_itself() {
    let (pair, source) = pair();
    let replica = start_replica(pair.here.path(), &source.url).unwrap();
    let far = tempfile::tempdir().unwrap();
    for name in ["v1.key", "v2.key"] {
        std::fs::copy(pair.there.path().join(name), far.path().join(name)).unwrap();
    }
    let second = start_replica(far.path(), &replica.url).unwrap();
    wait_for(&replica.url, &second.url, "v1");
    second.stop();
    let refused = promote(&far, &[]).unwrap_err();
    assert!(refused.contains("is itself a replica or an export"), "{refused}");
}

#[test]
fn who_still_writes_stops_when_a_replica_was_promoted() {
    let (mut pair, source) = pair();
    source.stop();
    let replica = start_replica(pair.here.path(), "http://127.0.0.1:1").unwrap();
    let address = replica.url.strip_prefix("http://").unwrap().to_owned();
    let fenced = ["--fence", &replica.url, "--log-level", "error"];
    let source = Server::start(pair.there.path(), &fenced).unwrap();
    fill(&source.url, &mut pair.proposals, 2);
    replica.stop();
    let refused = promote(&pair.here, &[]).unwrap_err();
    assert!(refused.contains("--source-is-gone"), "{refused}");
    promote(&pair.here, &["--source-is-gone"]).unwrap();
    let promoted = Server::start_at(&address, pair.here.path(), &["--log-level", "error"]);
    let promoted = promoted.unwrap();
    fill(&promoted.url, &mut pair.proposals, 1);

    let (began, url) = (Instant::now(), format!("{}/api/v1/log/entries", source.url));
    while post(&url, &[], &pair.proposals.next_json()).status == 201 {
        assert!(began.elapsed() < Duration::from_secs(20), "it still signs");
        std::thread::sleep(Duration::from_millis(50));
    }
    let stopped = post(&url, &[], &pair.proposals.next_json());
    assert!(stopped.status >= 500, "{}", stopped.text());
    assert_eq!(listed(&promoted.url, "v1")["state"], "active");
}
