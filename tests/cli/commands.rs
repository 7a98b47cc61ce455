//! keygen, checkpoint, fsck, completions and help.

use crate::run::{Server, cairn, text};

#[test]
fn a_key_is_made_once_and_serves() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("log.key");
    let made = cairn(&["keygen", "--out", key.to_str().unwrap()]);
    assert!(made.status.success(), "{}", text(&made.stderr));
    let public_key = text(&made.stdout);
    assert!(public_key.starts_with("-----BEGIN PUBLIC KEY-----\n"));
    let again = cairn(&["keygen", "--out", key.to_str().unwrap()]);
    assert!(!again.status.success(), "a key file is never overwritten");
    assert!(text(&again.stderr).contains("exists"), "{}", text(&again.stderr));

    let data = folder.path().join("data");
    let server = Server::start(&data, &["--key-file", key.to_str().unwrap()]).unwrap();
    assert_eq!(server.public_key, public_key);
    assert!(!data.join("v1.key").exists(), "the key stays where it is");
}

#[test]
fn the_checkpoint_is_printed_from_the_folder_and_from_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]).unwrap();
    let data = folder.path().to_str().unwrap();
    let ours = cairn(&["checkpoint", "--data-dir", data]);
    assert!(ours.status.success(), "{}", text(&ours.stderr));
    assert!(text(&ours.stdout).starts_with("localhost - "));

    let key = folder.path().join("v1.pub");
    let key = key.to_str().unwrap();
    let remote = cairn(&["checkpoint", "--url", &server.url, "--public-key", key]);
    assert!(remote.status.success(), "{}", text(&remote.stderr));
    assert_eq!(text(&remote.stdout), text(&ours.stdout));
    assert!(remote.stderr.is_empty(), "{}", text(&remote.stderr));

    let unverified = cairn(&["checkpoint", "--url", &server.url, "--output", "json"]);
    let json: serde_json::Value = serde_json::from_slice(&unverified.stdout).unwrap();
    assert_eq!(json["size"], 0);
    assert_eq!(json["verified"], false);
    assert!(text(&unverified.stderr).contains("--public-key"));

    let other = tempfile::tempdir().unwrap();
    let other_key = other.path().join("other.key");
    let made = cairn(&["keygen", "--out", other_key.to_str().unwrap()]);
    let other_pub = other.path().join("other.pub");
    std::fs::write(&other_pub, made.stdout).unwrap();
    let other_pub = other_pub.to_str().unwrap();
    let wrong = cairn(&["checkpoint", "--url", &server.url, "--public-key", other_pub]);
    assert!(!wrong.status.success(), "another log's key does not verify");
}

#[test]
fn fsck_says_what_it_saw() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let data = data.to_str().unwrap();
    let absent = cairn(&["fsck", "--data-dir", data]);
    assert!(text(&absent.stderr).contains("no log in"), "{}", text(&absent.stderr));
    Server::start(data.as_ref(), &[]).unwrap().stop();
    let found = cairn(&["fsck", "--data-dir", data, "--output", "json"]);
    assert!(found.status.success(), "{}", text(&found.stderr));
    let json: serde_json::Value = serde_json::from_slice(&found.stdout).unwrap();
    assert_eq!(json["ok"], true);
    assert_eq!(json["logs"].as_array().unwrap().len(), 2);
    for log in json["logs"].as_array().unwrap() {
        assert_eq!(log["stored_root"], log["computed_root"]);
    }
}

#[test]
fn settings_come_from_flag_environment_and_file_in_this_order() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cairn.toml");
    std::fs::write(&file, "hostname = \"from.file\"\n").unwrap();
    let file = file.to_str().unwrap();
    let server = Server::start(&folder.path().join("one"), &["--config", file]).unwrap();
    assert!(server.value("origin").starts_with("from.file - "));
    let flags = ["--config", file, "--hostname", "from.flag"];
    let server = Server::start(&folder.path().join("two"), &flags).unwrap();
    assert!(server.value("origin").starts_with("from.flag - "));

    std::fs::write(file, "hostnam = \"typo\"\n").unwrap();
    let error = Server::start(&folder.path().join("three"), &["--config", file]).err().unwrap();
    assert!(error.contains("hostnam") && error.contains("cairn.toml"), "{error}");
}

#[test]
fn help_has_examples_and_shells_have_completions() {
    for command in ["serve", "keygen", "checkpoint", "fsck", "export", "completions"] {
        let help = text(&cairn(&[command, "--help"]).stdout);
        assert!(help.contains("Examples:"), "{command}: {help}");
    }
    for shell in ["bash", "zsh", "fish"] {
        let script = cairn(&["completions", shell]);
        assert!(script.status.success() && text(&script.stdout).contains("keygen"));
    }
}
