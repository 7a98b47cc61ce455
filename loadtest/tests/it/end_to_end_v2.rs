//! The program itself against the fake v2 server: a correct server passes, and a wrong one fails
//! however fast it is.

use std::process::Command;

use serde_json::Value;

use crate::fake_v2::{Wrong, start, start_hidden};

/// Runs against a server; gives exit code, report and standard error.
fn run(url: &str, arguments: &[&str]) -> (i32, Value, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_loadtest"))
        .args([arguments[0], url, "--output", "json"])
        .args(&arguments[1..])
        .output()
        .unwrap();
    let report = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    let errors = String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), report, errors)
}

fn against(wrong: Wrong, size: usize, arguments: &[&str]) -> (i32, Value, String) {
    run(&format!("http://{}", start(wrong, size)), arguments)
}

const REST: [&str; 10] =
    ["write", "--api", "v2", "-n", "60", "--warm-up", "5", "-c", "4", "--check-every=7"];
const GRPC: [&str; 12] = [
    "write",
    "--api",
    "v2-grpc",
    "--streams",
    "4",
    "-n",
    "60",
    "--warm-up",
    "5",
    "-c",
    "1",
    "--check-every=7",
];
const APPEND: [&str; 14] = [
    "append",
    "--streams",
    "2",
    "--window",
    "4",
    "-n",
    "60",
    "--warm-up",
    "5",
    "-c",
    "1",
    "--check-every=7",
    "--bytes",
    "100",
];

#[test]
fn a_correct_server_passes() {
    for (arguments, mode, api) in [
        (&REST[..], "write", "v2"),
        (&GRPC, "write", "v2-grpc"),
        (&APPEND, "append", "cairn.log.v1"),
    ] {
        for size in [0, 1, 250] {
            let pid = std::process::id().to_string();
            let arguments = [arguments, &["--server-pid", &pid]].concat();
            let (code, report, errors) = against(Wrong::Nothing, size, &arguments);
            assert_eq!((code, errors.as_str()), (0, ""), "{report:#}");
            assert_eq!((&report["mode"], &report["api"]), (&mode.into(), &api.into()));
            assert_eq!(report["origin"], "log2.example");
            let run = &report["runs"][0];
            assert_eq!((&run["entries"], &run["dials"]), (&60.into(), &0.into()), "{report:#}");
            assert!(run["server_processes"][0]["rss_bytes"].as_u64().unwrap() > 0);
            let checks = &run["checks"];
            // 0, 7, …, 56 and the last one of the run; 0 and the last one of the warm-up
            assert_eq!((&checks["framed"], &checks["verified"]), (&65.into(), &12.into()));
            let read_back = if mode == "append" { 0 } else { 12 };
            assert_eq!(checks["read_back"], read_back);
            // Proofs of appended items all lead to the newest head: with nothing before them there
            // is a proof only if the head was seen on its way.
            let proven = !checks["consistent"].as_array().unwrap().is_empty();
            assert!(proven || mode == "append" && size == 0, "{report:#}");
        }
    }
}

#[test]
fn streams_and_windows_are_reported() {
    let (_, report, _) = against(Wrong::Nothing, 3, &GRPC);
    let run = &report["runs"][0];
    assert_eq!((&run["connections"], &run["streams"]), (&1.into(), &4.into()));
    let (_, report, _) = against(Wrong::Nothing, 3, &APPEND);
    let run = &report["runs"][0];
    let figures = (&run["connections"], &run["streams"], &run["window"]);
    assert_eq!(figures, (&1.into(), &2.into(), &4.into()));
}

#[test]
fn a_second_run_continues_the_first() {
    let arguments = ["append", "-c", "1,2", "--window", "8", "-n", "50", "--check-every=9"];
    let (code, report, errors) = against(Wrong::Nothing, 3, &arguments);
    assert_eq!((code, errors.as_str()), (0, ""), "{report:#}");
    assert_eq!(report["runs"][1]["checks"]["consistent"][0][0], 103);
}

#[test]
fn a_wrong_server_fails_and_is_told_why() {
    let rest_only =
        [(Wrong::MediaType, "framing: Content-Type"), (Wrong::Promise, "framing: JSON: ")];
    let both = [
        (Wrong::Body, "the body is not the entry's canonical body"),
        (Wrong::Index, "should be "),
        (Wrong::SameIndex, "index 0 was already given to entry"),
        (Wrong::LogId, "log ID 0707"),
        (Wrong::Version, "framing: kind \"hashedrekord\", version \"0.0.1\""),
        (Wrong::Time, "framing: an integrated time or an inclusion promise"),
        (Wrong::InclusionHash, "inclusion proof: "),
        (Wrong::CheckpointSignature, "checkpoint: the log's signature on the checkpoint"),
        (Wrong::Forgets, "was already given to entry"),
        (Wrong::Bundle, "in its bundle: the body is not"),
        (Wrong::Short, "in its bundle: tile/entries/000.p/"),
        (Wrong::Tile, "tiles: consistency proof from size "),
        (Wrong::Fork, "tiles: consistency proof from size "),
        (Wrong::Shrinks, "checkpoint: the log has shrunk from "),
    ];
    let rest = rest_only.iter().chain(&both).map(|case| (case, &REST[..]));
    let grpc = both.iter().map(|case| (case, &GRPC[..]));
    for (&(wrong, why), arguments) in rest.chain(grpc) {
        let (code, report, errors) = against(wrong, 3, arguments);
        assert_eq!(code, 1, "{wrong:?} {arguments:?}: {errors}{report:#}");
        assert!(errors.contains(why), "{wrong:?} {arguments:?}: {errors}");
        assert_eq!(report["good"], false, "{wrong:?}");
    }
    // The body of each answer is looked at, not only of those that are verified.
    for arguments in [&REST[..], &GRPC] {
        let (_, report, _) = against(Wrong::Body, 3, arguments);
        assert_eq!(report["runs"][0]["checks"]["failures"]["count"], 65, "{report:#}");
    }
    let (code, _, errors) = against(Wrong::Promise, 3, &GRPC);
    assert!(code == 1 && errors.contains("an inclusion promise"), "{errors}");
}

#[test]
fn another_status_is_no_good_answer() {
    let (code, report, errors) = against(Wrong::Status, 3, &REST);
    assert_eq!((code, errors.as_str()), (1, "loadtest: FAILED\n"), "{report:#}");
    assert_eq!(report["runs"][0]["errors"]["status 200"]["count"], 60);
}

#[test]
fn a_wrong_stream_fails_and_is_told_why() {
    for (wrong, why) in [
        (Wrong::Body, "the body is not the entry's canonical body"),
        (Wrong::Duplicate, "framing: a duplicate"),
        (Wrong::Index, "is not covered by size"),
        (Wrong::SameIndex, "index 3 was already given to entry"),
        (Wrong::Forgets, "was already given to entry"),
        (Wrong::Order, "a result of item 6 where 5 was due"),
        (Wrong::Gap, "indices: no entry was given an index between 21 and 23"),
        (Wrong::InclusionHash, "inclusion proof: "),
        (Wrong::CheckpointSignature, "checkpoint: the log's signature on the checkpoint"),
        (Wrong::Fork, "GetConsistencyProof: consistency proof from size "),
        (Wrong::Shrinks, "GetCheckpoint: the log has shrunk from "),
    ] {
        let (code, report, errors) = against(wrong, 3, &APPEND);
        assert_eq!(code, 1, "{wrong:?}: {errors}{report:#}");
        assert!(report["runs"][0]["errors"]["timeout"].is_null(), "{wrong:?}: {report:#}");
        assert!(errors.contains(why), "{wrong:?}: {errors}");
        assert_eq!(report["good"], false, "{wrong:?}");
    }
}

#[test]
fn refusals_are_errors_but_not_failures() {
    for (arguments, class, example) in [
        (&REST[..], "status 503", r#"{"code":14,"message":"later","details":[]}"#),
        (&GRPC, "status Unavailable", "later"),
        (&APPEND, "status ResourceExhausted", "later"),
    ] {
        let (code, report, errors) = against(Wrong::Busy, 3, arguments);
        assert_eq!((code, errors.as_str()), (0, ""), "{report:#}");
        let run = &report["runs"][0];
        let refused = &run["errors"][class];
        let all = refused["count"].as_u64().unwrap() + run["entries"].as_u64().unwrap();
        assert_eq!((all, &refused["example"]), (60, &example.into()), "{report:#}");
    }
}

#[test]
fn a_stream_that_ends_is_opened_again() {
    let (code, report, errors) = against(Wrong::Ends, 3, &APPEND);
    assert_eq!((code, errors.as_str()), (0, ""), "{report:#}");
    let run = &report["runs"][0];
    let lost = run["errors"]["status Unavailable"]["count"].as_u64().unwrap();
    assert_eq!(lost + run["entries"].as_u64().unwrap(), 60, "{report:#}");
    assert!(lost >= 6 && run["dials"] == 0, "{report:#}");
}

#[test]
fn a_connection_that_is_lost_is_made_again() {
    let (code, report, errors) = against(Wrong::Drops, 3, &GRPC);
    assert_eq!((code, errors.as_str()), (0, ""), "{report:#}");
    let run = &report["runs"][0];
    let lost = run["errors"]["disconnect"]["count"].as_u64().unwrap();
    assert_eq!((lost + run["entries"].as_u64().unwrap(), &run["dials"]), (60, &1.into()));
}

#[test]
fn a_server_that_does_not_answer() {
    let rest = ["write", "--api", "v2", "-n", "2", "--warm-up", "0", "--timeout", "200ms"];
    let append = ["append", "--window", "2", "-n", "4", "--warm-up", "0", "--timeout", "200ms"];
    for (arguments, lost) in [(&rest[..], 2), (&append, 4)] {
        let (code, report, _) = against(Wrong::Hangs, 3, arguments);
        let count = &report["runs"][0]["errors"]["timeout"]["count"];
        assert_eq!((code, count), (1, &lost.into()), "{report:#}");
    }
}

#[test]
fn tiles() {
    let read = ["tiles", "-n", "80", "--warm-up", "3", "-c", "2", "--check-every=5"];
    for extra in [&["--what", "tiles"][..], &["--what", "bundles"], &["--sequence"], &[]] {
        let (code, report, errors) = against(Wrong::Nothing, 700, &[&read[..], extra].concat());
        assert_eq!((code, errors.as_str()), (0, ""), "{extra:?} {report:#}");
        let run = &report["runs"][0];
        assert_eq!((&run["entries"], &run["unit"]), (&80.into(), &"request".into()));
        assert_eq!(run["checks"]["verified"], 19);
    }
    let wrong = [
        (Wrong::MediaType, "framing: Content-Type"),
        (Wrong::Short, "tile/0/000: tile: 256 hashes in 8160 bytes"),
        (Wrong::Bundle, "its hashes do not lead to the root hash"),
        (Wrong::Tile, "the tiles at size 700 do not give the root hash"),
    ];
    for (wrong, why) in wrong {
        let (code, report, errors) = against(wrong, 700, &[&read[..], &["--sequence"]].concat());
        assert_eq!(code, 1, "{wrong:?}: {errors}{report:#}");
        assert!(errors.contains(why), "{wrong:?}: {errors}");
    }
    let (code, _, errors) = against(Wrong::Nothing, 255, &read);
    let why = "loadtest: tiles: the log of 255 entries has no full tile\n";
    assert_eq!((code, errors.as_str()), (2, why));
}

#[test]
fn tiles_of_the_upper_levels() {
    let read = ["tiles", "--what", "tiles", "-n", "30", "--warm-up", "0", "--check", "all"];
    // Partial tiles at two levels, and none below a full one.
    for size in [65_536 + 300, 65_536] {
        let (code, report, errors) = against(Wrong::Nothing, size, &read);
        assert_eq!((code, errors.as_str()), (0, ""), "{report:#}");
        assert_eq!(report["runs"][0]["checks"]["verified"], 30);
    }
}

#[test]
fn which_log() {
    let url = format!("http://{}", start(Wrong::Nothing, 300));
    let (_, report, _) = run(&url, &["tiles", "-n", "2", "--log", "v2"]);
    let prefixed = format!("{url}/logs/{}", report["log_id"].as_str().unwrap());
    let (code, report, errors) = run(&prefixed, &["tiles", "-n", "2"]);
    assert_eq!((code, errors.as_str()), (0, ""), "{report:#}");
    for (arguments, why) in [
        (&["tiles", "--log", "x"][..], "GET /logs: no log x in the list"),
        (&["write", "--log", "v2"], "a Rekor v1 server says itself which log it is"),
        (&["write", "--streams", "2"], "--streams is for --api v2-grpc"),
        (&["write", "--api", "v2", "--public-key", "/nowhere"], "/nowhere: "),
        (&["append", "--bytes", "23"], "--bytes must be from 24 to 65535"),
        (&["append", "--window", "5000"], "--window must be from 1 to 4096"),
    ] {
        let (code, _, errors) = run(&url, arguments);
        assert!(code == 2 && errors.contains(why), "{arguments:?}: {errors}");
    }
    let (code, _, errors) = against(Wrong::Listed, 3, &REST);
    assert!(code == 1 && errors.contains("/logs says elsewhere.example"), "{errors}");
}

#[test]
fn a_server_that_lists_no_logs() {
    let (address, key) = start_hidden(Wrong::Nothing, 300);
    let (other, _) = start_hidden(Wrong::Nothing, 1);
    let file = std::env::temp_dir().join(format!("loadtest-{}.pem", address.port()));
    std::fs::write(&file, key).unwrap();
    let url = format!("http://{address}");
    let key = file.to_str().unwrap();
    let (code, report, errors) = run(&url, &[&REST[..], &["--public-key", key]].concat());
    assert_eq!((code, errors.as_str()), (0, ""), "{report:#}");
    // Reads go elsewhere, to a log of another key.
    let elsewhere = format!("http://{other}");
    let arguments = [&REST[..], &["--public-key", key, "--read-url", &elsewhere]].concat();
    let (code, _, errors) = run(&url, &arguments);
    assert!(code == 1 && errors.contains("the log's own description: checkpoint"), "{errors}");
    let (code, _, errors) = run(&url, &REST);
    assert!(code == 2 && errors.contains("give --public-key"), "{errors}");
    std::fs::remove_file(file).unwrap();
}
