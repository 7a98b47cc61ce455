//! `cairn export --bundle` and `cairn import`: logs that cross a gap in files.

use std::path::Path;

use serde_json::Value;

use crate::replicas::{fill, start_replica, wait_for};
use crate::run::{Server, cairn, text};
use crate::support::Proposals;
use crate::tiles::listed;

fn run(command: &str, folder: &Path, more: &[&str]) -> Result<Value, String> {
    let folder = ["--data-dir", folder.to_str().unwrap(), "--output", "json"];
    let ended = cairn(&[&[command], folder.as_slice(), more].concat());
    match ended.status.success() {
        true => Ok(serde_json::from_slice(&ended.stdout).unwrap()),
        false => Err(text(&ended.stderr)),
    }
}

fn export(folder: &Path, file: &Path, since: u64) -> Result<Value, String> {
    let (file, since) = (file.to_str().unwrap(), since.to_string());
    run("export", folder, &["--bundle", file, "--since", &since])
}

fn import(folder: &Path, file: &Path) -> Result<Value, String> {
    run("import", folder, &["--bundle", file.to_str().unwrap(), "--log-level", "error"])
}

fn entries(imported: &Value) -> Vec<u64> {
    let logs = imported["logs"].as_array().unwrap().iter();
    logs.map(|log| log["entries"].as_u64().unwrap()).collect()
}

#[test]
fn logs_cross_a_gap_in_files() {
    let (there, here) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let files = tempfile::tempdir().unwrap();
    let file = |name: &str| files.path().join(name);
    let source = Server::start(there.path(), &["--log-level", "error"]).unwrap();
    let mut proposals = Proposals::new();
    fill(&source.url, &mut proposals, 260);
    export(there.path(), &file("one.tar"), 0).unwrap();
    fill(&source.url, &mut proposals, 300);
    export(there.path(), &file("two.tar"), 260).unwrap();
    export(there.path(), &file("late.tar"), 530).unwrap();
    let refused = export(there.path(), &file("two.tar"), 0).unwrap_err();
    assert!(refused.contains("there is such a file already"), "{refused}");
    let refused = export(there.path(), &file("beyond.tar"), 100_000).unwrap_err();
    assert!(refused.contains("so nobody has 100000"), "{refused}");
    assert!(!file("beyond.tar").exists() && !file("beyond.tar.unfinished").exists());

    let refused = import(here.path(), &file("two.tar")).unwrap_err();
    assert!(refused.contains("which its checkpoint covers"), "a part is missing: {refused}");
    assert_eq!(entries(&import(here.path(), &file("one.tar")).unwrap()), [262, 260]);
    let refused = import(here.path(), &file("late.tar")).unwrap_err();
    assert!(refused.contains("which its checkpoint covers"), "{refused}");
    assert_eq!(entries(&import(here.path(), &file("two.tar")).unwrap()), [564, 560]);
    let again = import(here.path(), &file("two.tar")).unwrap();
    assert_eq!((entries(&again), again["logs"][0]["before"].as_u64()), (vec![564, 560], Some(564)));
    // An old file says nothing new, and nothing wrong.
    assert_eq!(entries(&import(here.path(), &file("one.tar")).unwrap()), [564, 560]);

    // The far side serves, and takes what is put into its inbox.
    let inbox = tempfile::tempdir().unwrap();
    let replica = start_replica(here.path(), inbox.path().to_str().unwrap()).unwrap();
    assert_eq!(listed(&replica.url, "v1")["tree_size"], 564);
    fill(&source.url, &mut proposals, 3);
    export(there.path(), &inbox.path().join("three.tar"), 560).unwrap();
    assert_eq!(wait_for(&source.url, &replica.url, "v1"), 569);
    assert_eq!(wait_for(&source.url, &replica.url, "v2"), 563);
    replica.stop();
    let fsck = cairn(&["fsck", "--data-dir", here.path().to_str().unwrap()]);
    assert!(fsck.status.success(), "{}", text(&fsck.stdout));
    let exported = export(here.path(), &file("keyless.tar"), 0).unwrap_err();
    assert!(exported.contains("the private key of log v1 is not in the folder"), "{exported}");
}

/// Wherever a byte of a bundle is flipped, the import says so or takes over the true log.
#[test]
fn a_damaged_file_is_refused() {
    let (there, files) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let source = Server::start(there.path(), &["--log-level", "error"]).unwrap();
    fill(&source.url, &mut Proposals::new(), 3);
    let (whole, spoilt) = (files.path().join("whole.tar"), files.path().join("spoilt.tar"));
    export(there.path(), &whole, 0).unwrap();
    let bytes = std::fs::read(&whole).unwrap();
    let truth = [5, 3];
    let (mut refused, mut taken) = (0, 0);
    for at in (0..bytes.len()).step_by(bytes.len() / 60) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 4;
        std::fs::write(&spoilt, flipped).unwrap();
        let here = tempfile::tempdir().unwrap();
        for name in ["v1.pub", "v2.pub"] {
            std::fs::copy(there.path().join(name), here.path().join(name)).unwrap();
        }
        match import(here.path(), &spoilt) {
            Err(_) => refused += 1,
            Ok(imported) => {
                taken += 1;
                assert_eq!(entries(&imported), truth, "byte {at}");
                let fsck = cairn(&["fsck", "--data-dir", here.path().to_str().unwrap()]);
                assert!(fsck.status.success(), "byte {at}: {}", text(&fsck.stdout));
            }
        }
    }
    assert!(refused > 20 && taken > 0, "{refused} refused, {taken} in padding");
    for length in [0, 100, bytes.len() / 2] {
        std::fs::write(&spoilt, &bytes[..length]).unwrap();
        let here = tempfile::tempdir().unwrap();
        assert!(import(here.path(), &spoilt).is_err(), "{length} bytes");
    }
}
