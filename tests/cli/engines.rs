//! Which engine a folder's logs are stored in, and how they get from one to another.

use crate::run::{Server, cairn, text};
use crate::support::Proposals;
use crate::tiles;

/// Root and size of each log, and that nothing is wrong.
fn fsck(folder: &std::path::Path) -> serde_json::Value {
    let found = cairn(&["fsck", "--data-dir", folder.to_str().unwrap(), "--output", "json"]);
    assert!(found.status.success(), "{}{}", text(&found.stdout), text(&found.stderr));
    serde_json::from_slice(&found.stdout).unwrap()
}

fn post(url: &str, path: &str, body: &str) -> u16 {
    tiles::post(&format!("{url}{path}"), &[], body).status
}

fn hits(url: &str, key: &serde_json::Value) -> String {
    let url = format!("{url}/api/v1/index/retrieve");
    let answer = tiles::post(&url, &[], &key.to_string());
    text(&answer.body)
}

#[test]
fn a_log_goes_from_engine_to_engine_and_stays_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let [first, second, third] = ["rocksdb", "fjall", "back"].map(|name| folder.path().join(name));
    let server = Server::start(&first, &["--log-level", "error"]).unwrap();
    let mut proposals = Proposals::new();
    let mut digests = Vec::new();
    for _ in 0..300 {
        let proposal = proposals.next_json();
        let json: serde_json::Value = serde_json::from_str(&proposal).unwrap();
        digests.push(json["spec"]["data"]["hash"]["value"].as_str().unwrap().to_owned());
        assert_eq!(post(&server.url, "/api/v1/log/entries", &proposal), 201);
    }
    assert_eq!(post(&server.url, "/api/v2/log/entries", &proposals.next_v2_json()), 201);
    let key = serde_json::json!({ "hash": format!("sha256:{}", digests[150]) });
    let (found, public_key) = (hits(&server.url, &key), server.public_key.clone());
    assert!(found.len() > 10, "{found}");
    server.stop();
    assert!(std::fs::read_to_string(first.join("ENGINE")).unwrap().starts_with("rocksdb format"));
    let before = fsck(&first);
    assert_eq!(before["logs"][0]["entries"], 300);

    for (from, to, engine) in [(&first, &second, "fjall"), (&second, &third, "rocksdb")] {
        let [from_dir, to_dir] = [from, to].map(|path| path.to_str().unwrap());
        let copy = || {
            let to = ["--to-dir", to_dir, "--to", engine];
            cairn(&[&["storage", "copy", "--data-dir", from_dir], to.as_slice()].concat())
        };
        let copied = copy();
        assert!(copied.status.success(), "{}", text(&copied.stderr));
        assert!(text(&copied.stdout).contains("300 entries"), "{}", text(&copied.stdout));
        // Again there is nothing left to do.
        assert!(copy().status.success());
        assert_eq!(fsck(to), before);
        // The folder says what it is, so nobody has to.
        let server = Server::start(to, &[]).unwrap();
        assert_eq!(server.public_key, public_key);
        assert_eq!(hits(&server.url, &key), found);
        server.stop();
    }

    // What grew since is copied too; what is another log is not copied into.
    let server = Server::start(&second, &[]).unwrap();
    assert_eq!(post(&server.url, "/api/v1/log/entries", &proposals.next_json()), 201);
    server.stop();
    let [second, third] = [&second, &third].map(|path| path.to_str().unwrap());
    let copy = |from, to| {
        let engine = if to == third { "rocksdb" } else { "fjall" };
        cairn(&["storage", "copy", "--data-dir", from, "--to-dir", to, "--to", engine])
    };
    assert!(copy(second, third).status.success());
    assert_eq!(fsck(third.as_ref())["logs"][0]["entries"], 301);
    let server = Server::start(third.as_ref(), &[]).unwrap();
    assert_eq!(post(&server.url, "/api/v1/log/entries", &proposals.next_json()), 201);
    server.stop();
    let other = copy(second, third);
    assert!(text(&other.stderr).contains("302 entries which are not"), "{}", text(&other.stderr));
    let onto_itself = copy(second, second);
    assert!(text(&onto_itself.stderr).contains("--to-dir"), "{}", text(&onto_itself.stderr));
}

#[test]
fn a_folder_is_not_opened_as_what_it_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    Server::start(&data, &["--storage", "fjall"]).unwrap().stop();
    assert_eq!(std::fs::read_to_string(data.join("ENGINE")).unwrap(), "fjall format 2\n");
    for other in ["rocksdb", "postgres://cairn@127.0.0.1:1/log"] {
        let error = Server::start(&data, &["--storage", other]).err().unwrap();
        assert!(error.contains("are stored in fjall") && error.contains("storage copy"), "{error}");
    }
    std::fs::write(data.join("ENGINE"), "postgres format 1\n").unwrap();
    let error = Server::start(&data, &[]).err().unwrap();
    assert!(error.contains("--storage postgres://"), "{error}");
    std::fs::write(data.join("ENGINE"), "leveldb format 9\n").unwrap();
    let error = Server::start(&data, &[]).err().unwrap();
    assert!(error.contains("leveldb"), "{error}");
}

#[test]
fn a_database_that_is_not_there_or_not_safe_is_named() {
    let folder = tempfile::tempdir().unwrap();
    for (url, why) in [
        ("postgres://cairn@127.0.0.1:1/log", "PostgreSQL"),
        ("postgres://cairn:secret@127.0.0.1:1/log", "storage_password_file"),
        ("postgres://cairn@db.example/log?sslmode=prefer", "sslmode=prefer"),
        ("mysql://cairn@db.example/log", "none of rocksdb, fjall"),
    ] {
        let serve = ["serve", "--listen", "127.0.0.1:0", "--metrics-listen", "off", "--data-dir"];
        let data = folder.path().join("data");
        let output = cairn(&[&serve[..], &[data.to_str().unwrap(), "--storage", url]].concat());
        let error = text(&output.stderr);
        assert!(!output.status.success() && error.contains(why), "{url}: {error}");
        assert!(!error.contains("secret") || url.contains("mysql"), "{error}");
        assert!(!data.join("v1.key").exists(), "a key was made for nothing");
    }
}
