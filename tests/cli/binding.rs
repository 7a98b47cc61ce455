//! Folder, tree, origin and key are bound when the log is made; what does not fit is refused.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;

use crate::run::Server;
use crate::support::Proposals;

fn refused(folder: &std::path::Path, more: &[&str], says: &[&str]) {
    let error = Server::start(folder, more).err().expect("it must not start");
    for part in says {
        assert!(error.contains(part), "{part:?} is not in {error:?}");
    }
}

#[test]
fn a_second_start_goes_on_with_the_same_log() {
    let folder = tempfile::tempdir().unwrap();
    let first = Server::start(folder.path(), &[]).unwrap();
    assert!(first.announced[0].contains("made a new log"), "{:?}", first.announced);
    assert!(first.value("origin").starts_with("localhost - "));
    let (tree, log, key) = (
        first.value("tree ID").to_owned(),
        first.value("log ID").to_owned(),
        first.public_key.clone(),
    );
    first.stop();
    let mode = fs::metadata(folder.path().join("v1.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(fs::read_to_string(folder.path().join("v1.pub")).unwrap(), key);

    let second = Server::start(folder.path(), &[]).unwrap();
    assert!(second.announced[0].contains("opened the log"), "{:?}", second.announced);
    assert_eq!(second.value("tree ID"), tree);
    assert_eq!(second.value("log ID"), log);
    assert_eq!(second.public_key, key);
}

#[test]
fn a_lost_key_is_never_replaced() {
    let folder = tempfile::tempdir().unwrap();
    Server::start(folder.path(), &[]).unwrap().stop();
    fs::rename(folder.path().join("v1.key"), folder.path().join("elsewhere")).unwrap();
    refused(folder.path(), &[], &["v1.key", "is gone", "--key-file"]);
    assert!(!folder.path().join("v1.key").exists(), "no key was made");
    let elsewhere = folder.path().join("elsewhere");
    Server::start(folder.path(), &["--key-file", elsewhere.to_str().unwrap()]).unwrap().stop();
}

#[test]
fn another_key_is_refused() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    Server::start(one.path(), &[]).unwrap().stop();
    Server::start(two.path(), &[]).unwrap().stop();
    let key = two.path().join("v1.key");
    let says = ["is not the key of the log", "--key-file"];
    refused(one.path(), &["--key-file", key.to_str().unwrap()], &says);
}

#[test]
fn a_key_that_others_may_read_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    Server::start(folder.path(), &[]).unwrap().stop();
    let key = folder.path().join("v1.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    refused(folder.path(), &[], &["0644", "chmod 600"]);
}

#[test]
fn a_lost_store_is_never_replaced() {
    let folder = tempfile::tempdir().unwrap();
    Server::start(folder.path(), &[]).unwrap().stop();
    fs::remove_dir_all(folder.path().join("db")).unwrap();
    refused(folder.path(), &[], &["no log", "db is missing", "backup"]);
    assert!(!folder.path().join("db").exists(), "no store was made");
}

#[test]
fn a_folder_with_something_else_in_it_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("letter.txt"), "dear").unwrap();
    refused(folder.path(), &[], &["letter.txt", "--data-dir"]);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing was added");
}

#[test]
fn host_name_and_tree_are_bound() {
    let folder = tempfile::tempdir().unwrap();
    let first = ["--hostname", "rekor.example", "--tree-id", "4711"];
    Server::start(folder.path(), &first).unwrap().stop();
    refused(folder.path(), &["--hostname", "other.example"], &["rekor.example", "--hostname"]);
    refused(folder.path(), &["--tree-id", "4712"], &["4711", "--tree-id"]);
    let again = Server::start(folder.path(), &[]).unwrap();
    assert_eq!(again.value("origin"), "rekor.example - 4711");
}

#[test]
fn names_that_checkpoints_cannot_carry_are_refused() {
    for name in ["two words", "a+b", ""] {
        let folder = tempfile::tempdir().unwrap();
        refused(folder.path(), &["--hostname", name], &["host name"]);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing was made");
    }
    let folder = tempfile::tempdir().unwrap();
    refused(folder.path(), &["--tree-id", "0"], &["tree ID"]);
}

#[test]
fn an_interrupted_creation_is_done_again() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("CREATING"), "").unwrap();
    fs::write(folder.path().join("v1.key"), "half a k").unwrap();
    fs::create_dir(folder.path().join("db")).unwrap();
    let server = Server::start(folder.path(), &[]).unwrap();
    assert!(server.announced[0].contains("made a new log"));
    assert!(!folder.path().join("CREATING").exists());
}

#[test]
fn two_servers_cannot_have_one_folder() {
    let folder = tempfile::tempdir().unwrap();
    let _first = Server::start(folder.path(), &[]).unwrap();
    refused(folder.path(), &[], &["another process"]);
}

/// The second of two first starts must not clear away what the first one is making.
#[test]
fn a_folder_that_is_being_made_is_left_to_its_maker() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("CREATING"), "").unwrap();
    fs::write(folder.path().join("v1.key"), "of the other process").unwrap();
    let other_process = fs::File::open(folder.path()).unwrap();
    other_process.try_lock().unwrap();
    refused(folder.path(), &[], &["another process"]);
    let key = fs::read_to_string(folder.path().join("v1.key")).unwrap();
    assert_eq!(key, "of the other process");
}

/// A backup that is copied over an interrupted creation, for example.
#[test]
fn a_log_with_entries_is_never_cleared_away() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]).unwrap();
    let address = server.url.trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(address).unwrap();
    let proposal = Proposals::new().next_json();
    let head = "POST /api/v1/log/entries HTTP/1.1\r\nHost: log\r\nConnection: close";
    let body = format!("Content-Length: {}\r\n\r\n{proposal}", proposal.len());
    write!(stream, "{head}\r\nContent-Type: application/json\r\n{body}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    let tree = server.value("tree ID").to_owned();
    server.stop();
    fs::write(folder.path().join("CREATING"), "").unwrap();
    refused(folder.path(), &[], &["CREATING", "entries"]);
    fs::remove_file(folder.path().join("CREATING")).unwrap();
    assert_eq!(Server::start(folder.path(), &[]).unwrap().value("tree ID"), tree);
}
