//! `cairn entry` against a running log: what is added is found, proven and verified offline; and
//! what each exit code means.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::run::{Server, cairn, text};
use crate::signed::Signed;

/// Runs `cairn entry` on a server; exit code, standard output, standard error.
fn entry(server: &Server, args: &[&str]) -> (i32, String, String) {
    run(&[&["entry"], args, &["--url", &server.url]].concat())
}

fn run(args: &[&str]) -> (i32, String, String) {
    let output = cairn(args);
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

fn add<'a>(signed: &'a [String; 6], more: &[&'a str]) -> Vec<&'a str> {
    ["add"]
        .into_iter()
        .chain(signed.iter().map(String::as_str))
        .chain(more.iter().copied())
        .collect()
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).to_str().unwrap().to_owned()
}

#[test]
fn what_is_added_to_v1_is_found_and_proven() {
    let folder = tempfile::tempdir().unwrap();
    let (data, files) = (folder.path().join("data"), folder.path().join("files"));
    let server = Server::start(&data, &[]).unwrap();
    let signed = Signed::with_key(&files, "what was signed");
    let (key, out) = (path(&data, "v1.pub"), path(&files, "entry.json"));
    let names = signed.arguments();

    let (code, said, error) = entry(&server, &add(&names, &["--log-key", &key, "--out", &out]));
    assert_eq!(code, 0, "{said}{error}");
    assert!(said.contains("index        0") && said.ends_with("verified\n"), "{said}");
    let (code, _, error) = entry(&server, &add(&names, &[]));
    assert!(code == 5 && error.contains("already exists"), "{code} {error}");

    // Offline.
    let artifact = signed.path("artifact");
    let offline = ["verify", &out, "--log-key", &key, "--artifact", &artifact];
    let (code, said, error) = run(&offline);
    assert_eq!(code, 0, "{said}{error}");
    let (code, said, _) = run(&["verify", &out, "--log-key", &key, "--artifact", &key]);
    assert!(code == 4 && said.contains("FAILED       artifact"), "{code} {said}");

    // Again from the server, by index and by ID.
    let (code, ids, _) = entry(&server, &["search", "--artifact", &artifact]);
    assert_eq!((code, ids.lines().count()), (0, 1), "{ids}");
    for name in ["0", ids.trim(), &ids.trim()[16..]] {
        let asked = ["get", name, "--log-key", &key, "--artifact", &artifact, "--output", "json"];
        let (code, said, error) = entry(&server, &asked);
        assert_eq!(code, 0, "{name}: {said}{error}");
        let said: Value = serde_json::from_str(&said).unwrap();
        assert_eq!(said["verification"]["verified"], true);
        assert_eq!(said["body"]["kind"], "hashedrekord");
        assert_eq!(said["id"], ids.trim());
    }
    let signer = signed.path("signer.pem");
    let sha256 = signed.sha256();
    for query in [["--sha256", &sha256], ["--public-key", &signer]] {
        let (code, found, _) = entry(&server, &[&["search"], query.as_slice()].concat());
        assert_eq!((code, &found), (0, &ids), "{query:?}");
    }

    // The proof alone.
    let proof = path(&files, "entry.tlog-proof");
    let (code, said, error) = entry(&server, &["proof", "0", "--out", &proof]);
    assert!(code == 0 && said == fs::read_to_string(&proof).unwrap(), "{said}{error}");
    assert!(error.contains("nothing was verified"), "{error}");
    let (code, said, _) = run(&["verify", &proof, "--log-key", &key, "--artifact", &artifact]);
    assert_eq!(code, 0, "{said}");
}

#[test]
fn what_is_added_to_v2_is_found_and_proven_over_tiles() {
    let folder = tempfile::tempdir().unwrap();
    let (data, files) = (folder.path().join("data"), folder.path().join("files"));
    let server = Server::start(&data, &[]).unwrap();
    let key = path(&data, "v2.pub");
    let mut last = String::new();
    for n in 0..3 {
        let signed = Signed::with_certificate(&files.join(n.to_string()), &format!("artifact {n}"));
        let (names, out) = (signed.arguments(), signed.path("entry.json"));
        let more = ["--log", "v2", "--log-key", &key, "--out", &out];
        let (code, said, error) = entry(&server, &add(&names, &more));
        assert_eq!(code, 0, "{said}{error}");
        last = signed.path("artifact");
        let (code, said, _) = run(&["verify", &out, "--log-key", &key, "--artifact", &last]);
        assert_eq!(code, 0, "{said}");
    }
    for at in ["0", "1", "2"] {
        let artifact = path(&files, &format!("{at}/artifact"));
        let asked = ["get", at, "--log", "v2", "--log-key", &key, "--artifact", &artifact];
        let (code, said, error) = entry(&server, &asked);
        assert_eq!(code, 0, "{said}{error}");
        // Another entry's artifact.
        let other = if at == "2" { path(&files, "0/artifact") } else { last.clone() };
        let asked = ["get", at, "--log", "v2", "--log-key", &key, "--artifact", &other];
        assert_eq!(entry(&server, &asked).0, 4);
    }
    let (code, _, error) = entry(&server, &["get", "3", "--log", "v2"]);
    assert!(code == 3 && error.contains("no entry 3"), "{code} {error}");
    assert_eq!(entry(&server, &["search", "--log", "v2", "--email", "a@b.example"]).0, 2);
}

#[test]
fn a_log_only_grows_and_a_fork_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let data = |name: &str| folder.path().join(name);
    let (log_key, public) = (path(folder.path(), "log.key"), path(folder.path(), "log.pub"));
    fs::write(&public, cairn(&["keygen", "--out", &log_key]).stdout).unwrap();
    let start = |name: &str| {
        let server = Server::start(&data(name), &["--key-file", &log_key]).unwrap();
        for n in 0..3 {
            let files = data(name).join(n.to_string());
            let signed = Signed::with_key(&files, &format!("{name} {n}"));
            let (code, said, error) = entry(&server, &add(&signed.arguments(), &[]));
            assert_eq!(code, 0, "{said}{error}");
            let checkpoint = cairn(&["checkpoint", "--url", &server.url]);
            fs::write(data(name).join(format!("{n}.checkpoint")), checkpoint.stdout).unwrap();
        }
        server
    };
    let (one, other) = (start("one"), start("other"));
    let from = |name: &str, n: u8| path(&data(name), &format!("{n}.checkpoint"));
    for n in 0..3 {
        let asked = ["proof", "--from", &from("one", n), "--log-key", &public];
        let (code, said, error) = entry(&one, &asked);
        assert!(code == 0 && said.ends_with("verified: the log has only grown\n"), "{said}{error}");
        // The same key signed both: a log that was rewritten.
        let (code, said, error) = entry(&other, &asked);
        assert!(code == 4 && error.contains("forked"), "{n}: {code} {said}{error}");
    }
    let asked = ["proof", "--from", "1", "--to", "2", "--output", "json"];
    let (code, said, _) = entry(&one, &asked);
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(
        (code, &said["verified"], said["hashes"].as_array().unwrap().len()),
        (0, &false.into(), 1)
    );
    let other_key = path(&data("one"), "v2.pub");
    let asked = ["proof", "--from", &from("one", 0), "--log-key", &other_key];
    assert_eq!(entry(&one, &asked).0, 4, "another key");
    assert_eq!(entry(&one, &["proof", "--from", "9"]).0, 4, "smaller than it was");

    // Over tiles the same.
    let checkpoint = path(&data("one"), "v2.checkpoint");
    let note = cairn(&["checkpoint", "--url", &one.url, "--log", "v2"]).stdout;
    fs::write(&checkpoint, note).unwrap();
    for n in 0..2 {
        let signed = Signed::with_key(&data("one").join(format!("v2 {n}")), &format!("v2 {n}"));
        assert_eq!(entry(&one, &add(&signed.arguments(), &["--log", "v2"])).0, 0);
        let key = path(&data("one"), "v2.pub");
        let asked = ["proof", "--from", &checkpoint, "--log", "v2", "--log-key", &key];
        let (code, said, error) = entry(&one, &asked);
        assert!(code == 0 && said.ends_with("verified: the log has only grown\n"), "{said}{error}");
    }
}

#[test]
fn exit_codes_say_what_happened() {
    let folder = tempfile::tempdir().unwrap();
    let (data, files) = (folder.path().join("data"), folder.path().join("files"));
    let server = Server::start(&data, &[]).unwrap();
    let signed = Signed::with_key(&files, "what was signed");
    let other = Signed::with_key(&folder.path().join("other"), "what was signed");
    let [artifact, signature, signer] =
        [signed.path("artifact"), signed.path("artifact.sig"), other.path("signer.pem")];
    let mixed =
        ["add", "--artifact", &artifact, "--signature", &signature, "--public-key", &signer];
    let proposal = path(&files, "proposal.json");
    fs::write(&proposal, r#"{"kind":"hashedrekord","apiVersion":"0.0.1","spec":{}}"#).unwrap();
    let nowhere = path(&files, "nowhere");
    for (expected, args) in [
        (3, &["get", "0"][..]),
        (3, &["get", &"0".repeat(64)]),
        (3, &["search", "--email", "nobody@example.com"]),
        (3, &["add", "--proposal", &nowhere]),
        (2, &["search"]),
        (2, &["get", "x"]),
        (2, &["proof"]),
        (2, &["add", "--artifact", &artifact]),
        (4, &mixed),
        (6, &["add", "--proposal", &proposal]),
    ] {
        let (code, said, error) = entry(&server, args);
        assert_eq!(code, expected, "{args:?}: {said}{error}");
        assert!(!error.is_empty(), "{args:?}");
    }
    let (code, _, error) = run(&["entry", "get", "0", "--url", "http://127.0.0.1:1"]);
    assert_eq!(code, 7, "{error}");
    assert_eq!(run(&["entry", "get", "0"]).0, 2, "no server is asked that is not named");
    let url = server.url.clone();
    server.stop();
    assert_eq!(run(&["entry", "get", "0", "--url", &url]).0, 7);
}
