//! Logs as files: what `cairn export` and `serve --export` write is what the server answers, also
//! when they are killed, and never over another log.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rs_merkle::{Hasher as _, MerkleTree};

use crate::run::{Server, cairn, text};
use crate::support::Proposals;
use crate::tiles::{Rfc6962, get, index_path, listed, post};

/// All files below a folder by their path, but those that are still being written.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for file in fs::read_dir(&next).into_iter().flatten().flatten() {
            let path = file.path();
            let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
            if path.is_dir() && name != ".incoming" {
                folders.push(path);
            } else if path.is_file() {
                found.extend(fs::read(&path).ok().map(|bytes| (name, bytes)));
            }
        }
    }
    found
}

/// Each file is what the server answers at its path. Gives how many there are.
fn same_as(server: &Server, folder: &Path) -> usize {
    let files = files(folder);
    for (path, bytes) in files.iter().filter(|(path, _)| *path != "logs.json") {
        let answer = get(&format!("{}/{path}", server.url), &[]);
        // An annex is signed anew for each who asks: the signature is another one, the text is not.
        let signed = |bytes: &[u8]| match path.contains("/annex/") {
            true => text(bytes).split_once("\n\n").unwrap().0.as_bytes().to_vec(),
            false => bytes.to_vec(),
        };
        assert_eq!((answer.status, signed(&answer.body)), (200, signed(bytes)), "{path}");
    }
    files.len()
}

fn export(data: &Path, to: &Path, more: &[&str]) -> Result<serde_json::Value, String> {
    let (data, to) = (data.to_str().unwrap(), to.to_str().unwrap());
    let args = ["export", "--data-dir", data, "--to", to, "--output", "json"];
    let output = cairn(&[&args, more].concat());
    match output.status.success() {
        true => Ok(serde_json::from_slice(&output.stdout).unwrap()),
        false => Err(text(&output.stderr)),
    }
}

fn add(server: &Server, proposals: &mut Proposals, count: usize) {
    for _ in 0..count {
        for (api, json) in [("v1", proposals.next_json()), ("v2", proposals.next_v2_json())] {
            let url = format!("{}/api/{api}/log/entries", server.url);
            assert_eq!(post(&url, &[], &json).status, 201);
        }
    }
}

/// Waits until something is so, for a minute at most.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(60), "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Where the files of the log of a name are, below a destination.
fn place(server: &Server, name: &str) -> String {
    format!("logs/{}", listed(&server.url, name)["log_id"].as_str().unwrap())
}

/// Reads a log from its files alone, as its checkpoint says; gives its size.
fn rebuild(log: &Path) -> u64 {
    let note = fs::read_to_string(log.join("checkpoint")).unwrap();
    let mut lines = note.lines().skip(1);
    let size: u64 = lines.next().unwrap().parse().unwrap();
    let root = STANDARD.decode(lines.next().unwrap()).unwrap();
    let mut leaves = Vec::new();
    for index in 0..size.div_ceil(256) {
        let width = usize::try_from((size - index * 256).min(256)).unwrap();
        // Of what is partial, or the start of what has become full since.
        let read = |kind: &str| {
            let path = log.join(format!("tile/{kind}/{}", index_path(index)));
            let part = format!("{}.p/{width}", path.display());
            fs::read(part).or_else(|_| fs::read(&path)).unwrap_or_else(|e| panic!("{path:?}: {e}"))
        };
        let (bundle, tile) = (read("entries"), read("0"));
        let (mut bytes, first) = (bundle.as_slice(), leaves.len());
        while let [high, low, rest @ ..] = bytes
            && leaves.len() < first + width
        {
            let (entry, rest) = rest.split_at(usize::from(u16::from_be_bytes([*high, *low])));
            leaves.push(Rfc6962::hash(&[&[0], entry].concat()));
            bytes = rest;
        }
        assert_eq!(tile[..width * 32], leaves[first..].concat(), "bundle {index} of {size}");
    }
    assert_eq!(leaves.len() as u64, size);
    if size > 0 {
        let tree = MerkleTree::<Rfc6962>::from_leaves(&leaves);
        assert_eq!(tree.root().unwrap().as_slice(), root, "{size} entries");
    }
    size
}

#[test]
fn every_file_is_what_the_server_answers() {
    let folder = tempfile::tempdir().unwrap();
    let (data, out) = (folder.path().join("data"), folder.path().join("deep/out"));
    let server = Server::start(&data, &["--log-level", "error"]).unwrap();
    let mut proposals = Proposals::new();
    let empty = export(&data, &out, &[]).unwrap();
    assert_eq!(
        (&empty["logs"][0]["entries"], &empty["logs"][1]["entries"]),
        (&0.into(), &0.into())
    );
    assert_eq!(same_as(&server, &out), 3, "two checkpoints, and the list");
    for (more, entries, files_of_both) in [(3, 3, 9), (253, 256, 11), (4, 260, 17), (260, 520, 25)]
    {
        add(&server, &mut proposals, more);
        let done = export(&data, &out, &[]).unwrap();
        for log in 0..2 {
            assert_eq!(done["logs"][log]["entries"], entries);
            assert_eq!(done["logs"][log]["entries_before"], entries - more);
        }
        // Nothing partial is left of what is full.
        let found = same_as(&server, &out);
        assert_eq!(found, files_of_both, "{entries}: {:?}", files(&out).keys());
        for name in ["v1", "v2"] {
            assert_eq!(rebuild(&out.join(place(&server, name))), entries as u64);
        }
        let again = export(&data, &out, &[]).unwrap();
        assert_eq!(again["logs"][0]["objects_written"], 0);
    }

    let list: serde_json::Value =
        serde_json::from_slice(&fs::read(out.join("logs.json")).unwrap()).unwrap();
    for n in 0..2 {
        let there = list["logs"][n].as_object().unwrap();
        let mut here = listed(&server.url, there["name"].as_str().unwrap());
        here["url"] = format!("logs/{}", here["log_id"].as_str().unwrap()).into();
        let here = here.as_object_mut().unwrap();
        assert!(here.remove("state").is_some() && here.remove("tree_size").is_some());
        assert_eq!(there, here);
    }
    let one = folder.path().join("one");
    let done = export(&data, &one, &["--log", "v2"]).unwrap();
    assert_eq!(done["logs"].as_array().unwrap().len(), 1);
    assert!(!one.join(place(&server, "v1")).exists() && one.join(place(&server, "v2")).exists());
    assert!(export(&data, &one, &["--log", "v3"]).unwrap_err().contains("there are v1, v2"));
}

#[test]
fn a_server_that_exports_keeps_its_folder_whole_and_new() {
    let folder = tempfile::tempdir().unwrap();
    let (data, out) = (folder.path().join("data"), folder.path().join("out"));
    let to = out.to_str().unwrap();
    let export_now = ["--export", to, "--export-interval-ms", "0", "--log-level", "error"];
    let server = Server::start(&data, &export_now).unwrap();
    assert_eq!(server.value("export"), to);
    let busy = export(&data, &out, &[]).unwrap_err();
    assert!(busy.contains("another process exports into"), "{busy}");
    let logs = ["v1", "v2"].map(|name| out.join(place(&server, name)));
    let reached = |size: u64| {
        let sizes = logs.iter().filter(|log| log.join("checkpoint").exists());
        sizes.map(|log| rebuild(log)).filter(|found| *found >= size).count() == 2
    };
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut proposals = Proposals::new();
            for _ in 0..60 {
                add(&server, &mut proposals, 10);
            }
            done.store(true, Ordering::Relaxed);
        });
        // Whenever one looks, whatever the checkpoint says is there.
        until("600 entries", || reached(600) && done.load(Ordering::Relaxed));
    });
    // Stopped, and started again: it goes on.
    server.stop();
    let server = Server::start(&data, &export_now).unwrap();
    add(&server, &mut Proposals::new(), 1);
    until("601 entries", || reached(601));
    // The list comes after the checkpoints, and what is full by now goes.
    let settled = || {
        let names: Vec<_> = files(&out).into_keys().collect();
        let partial = names.iter().filter_map(|name| name.split_once(".p/"));
        let full = partial.filter(|(full, _)| names.contains(&(*full).to_owned()));
        out.join("logs.json").exists() && full.count() == 0
    };
    until("no partial tile beside its full one", settled);
    same_as(&server, &out);
}

#[test]
fn an_export_that_is_killed_ends_when_it_is_run_again() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server = Server::start(&data, &["--log-level", "error"]).unwrap();
    add(&server, &mut Proposals::new(), 1400);
    let logs = ["v1", "v2"].map(|name| place(&server, name));
    let mut killed = 0;
    for files_before in 0..24 {
        let out = folder.path().join(format!("out-{files_before}"));
        let mut process = Command::new(env!("CARGO_BIN_EXE_cairn"))
            .args(["export", "--data-dir", data.to_str().unwrap(), "--to", out.to_str().unwrap()])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        while process.try_wait().unwrap().is_none() && files(&out).len() <= files_before {
            std::thread::yield_now();
        }
        process.kill().unwrap(); // SIGKILL; nothing happens to one that has ended
        killed += usize::from(!process.wait().unwrap().success());
        for log in
            logs.iter().map(|log| out.join(log)).filter(|log| log.join("checkpoint").exists())
        {
            assert_eq!(rebuild(&log), 1400, "no checkpoint is there before its tiles");
        }
        export(&data, &out, &[]).unwrap();
        assert_eq!(same_as(&server, &out), 2 * (3 * 6 + 1 + 1) + 1);
    }
    assert!(killed > 0, "none was killed in time");
}

#[test]
fn a_destination_with_another_log_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let [data, old, out] = ["data", "old", "out"].map(|name| folder.path().join(name));
    let server = Server::start(&data, &[]).unwrap();
    let mut proposals = Proposals::new();
    add(&server, &mut proposals, 5);
    let checkpoint = format!("{}/checkpoint", place(&server, "v1"));
    let of_v2 = get(&format!("{}/checkpoint", server.url), &[]).body;
    server.stop();
    let copied = Command::new("cp").args(["-a".as_ref(), data.as_path(), &old]).status().unwrap();
    assert!(copied.success());
    let server = Server::start(&data, &[]).unwrap();
    add(&server, &mut proposals, 5);
    export(&data, &out, &[]).unwrap();
    let before = files(&out);

    let error = export(&old, &out, &[]).unwrap_err();
    assert!(error.contains("older copy") && error.contains("over 10 entries"), "{error}");
    let forked = Server::start(&old, &[]).unwrap();
    add(&forked, &mut Proposals::new(), 10);
    let error = export(&old, &out, &[]).unwrap_err();
    assert!(error.contains("two different logs"), "{error}");
    assert_eq!(files(&out), before);
    // Nor does a server write, and it serves all the same.
    forked.stop();
    let to = ["--export", out.to_str().unwrap(), "--export-interval-ms", "1"];
    let forked = Server::start(&old, &to).unwrap();
    add(&forked, &mut Proposals::new(), 10);
    assert_eq!(get(&format!("{}/readyz", forked.url), &[]).status, 200);
    forked.stop();
    assert_eq!(files(&out), before);

    fs::write(out.join(&checkpoint), of_v2).unwrap();
    let before = files(&out);
    let error = export(&data, &out, &[]).unwrap_err();
    assert!(error.contains("not this log's") && error.contains(&checkpoint), "{error}");
    assert_eq!(files(&out), before);
}

#[test]
fn a_bucket_that_does_not_answer_stops_no_writer() {
    let folder = tempfile::tempdir().unwrap();
    let environment = "export AWS_ENDPOINT_URL=http://127.0.0.1:1 AWS_ALLOW_HTTP=true \
                       AWS_ACCESS_KEY_ID=key AWS_SECRET_ACCESS_KEY=secret-of-the-test;";
    let export = ["--export", "s3://logs/a", "--export-interval-ms", "1"];
    let server = Server::start_under(environment, folder.path(), &export).unwrap();
    assert_eq!(server.value("export"), "s3://logs/a");
    add(&server, &mut Proposals::new(), 3);
    assert_eq!(get(&format!("{}/readyz", server.url), &[]).status, 200);
    server.stop();
    let wrong = Server::start(&folder.path().join("x"), &["--export", "gs://logs"]).err().unwrap();
    assert!(wrong.contains("s3://BUCKET"), "{wrong}");
}

#[test]
fn a_log_can_be_kept_from_exports() {
    let folder = tempfile::tempdir().unwrap();
    let (data, out) = (folder.path().join("data"), folder.path().join("out"));
    let config = folder.path().join("cairn.toml");
    fs::write(&config, format!("export = {out:?}\n[logs.v1]\nexport = false\n")).unwrap();
    let config = ["--config", config.to_str().unwrap()];
    let server = Server::start(&data, &config).unwrap();
    let [v1, v2] = ["v1", "v2"].map(|name| out.join(place(&server, name)));
    until("a checkpoint", || v2.join("checkpoint").exists());
    server.stop();
    export(&data, &out, &config).unwrap();
    assert!(!v1.exists());
}
