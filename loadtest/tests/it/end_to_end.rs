//! The program itself against the fake server: a correct server passes, and a wrong one fails
//! however fast it is.

use std::process::{Command, Output};

use serde_json::Value;

use crate::fake_server::{Wrong, start};

fn loadtest(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_loadtest")).args(arguments).output().unwrap()
}

/// Runs against a server that is wrong in this way; gives exit code, report and standard error.
fn against(wrong: Wrong, size: usize, arguments: &[&str]) -> (i32, Value, String) {
    let url = format!("http://{}", start(wrong, size));
    let mut all = vec![arguments[0], &url, "--output", "json"];
    all.extend_from_slice(&arguments[1..]);
    let output = loadtest(&all);
    let report = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    let errors = String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), report, errors)
}

const SMALL: [&str; 8] = ["write", "-n", "60", "--warm-up", "5", "-c", "4", "--check-every=7"];

#[test]
fn a_correct_server_passes() {
    for size in [0, 1, 7] {
        let pid = std::process::id().to_string();
        let arguments = SMALL.map(|argument| if argument == "4" { "1,8" } else { argument });
        let arguments = [&arguments[..], &["--server-pid", &pid]].concat();
        let (code, report, errors) = against(Wrong::Nothing, size, &arguments);
        assert_eq!((code, errors.as_str()), (0, ""), "{report:#}");
        assert_eq!(report["good"], true);
        for (run, connections) in [(0, 1), (1, 8)] {
            let run = &report["runs"][run];
            assert_eq!(run["connections"], connections);
            assert_eq!(run["entries"], 60);
            assert_eq!(run["dials"], 0); // the connections of the warm-up are kept
            assert_eq!(run["errors"], serde_json::json!({}));
            assert!(run["latency"]["p50_ms"].as_f64().unwrap() > 0.0);
            assert!(run["server_processes"][0]["rss_bytes"].as_u64().unwrap() > 0);
            let checks = &run["checks"];
            assert_eq!(checks["framed"], 65);
            // 0, 7, …, 56 and the last one of the run; 0 and the last one of the warm-up
            assert_eq!(checks["verified"], 12);
            assert_eq!(checks["read_back"], 12);
            assert!(!checks["consistent"].as_array().unwrap().is_empty());
        }
    }
}

#[test]
fn an_open_loop_keeps_its_rate() {
    let arguments = ["write", "-r", "300", "-d", "300ms", "-c", "4", "--warm-up", "0"];
    let (code, report, errors) = against(Wrong::Nothing, 0, &arguments);
    assert_eq!((code, errors.as_str()), (0, ""), "{report:#}");
    let run = &report["runs"][0];
    let (sent, unsent) = (&run["entries"], &run["unsent"]); // unsent if this machine is very busy
    assert_eq!(
        (&run["load"], sent.as_u64().unwrap() + unsent.as_u64().unwrap()),
        (&"open".into(), 90)
    );
    assert!(run["seconds"].as_f64().unwrap() >= 0.29, "{run}");
}

#[test]
fn a_wrong_server_fails_and_is_told_why() {
    for (wrong, why) in [
        (Wrong::Set, "the signed entry timestamp does not verify"),
        (Wrong::InclusionHash, "inclusion proof: "),
        (Wrong::CheckpointSignature, "checkpoint: the signature does not verify"),
        (Wrong::CheckpointHint, "checkpoint: the signature's hint"),
        (Wrong::OtherEntry, "is not that of the entry"),
        (Wrong::SameIndex, "index 1000 was already given to entry"),
        (Wrong::Pretty, "framing: "),
        (Wrong::QuotedEtag, "framing: ETag"),
        (Wrong::Forgets, "was already given to entry"),
        (Wrong::ReadBack, "GET /api/v1/log/entries?logIndex="),
        (Wrong::Consistency, "consistency proof from size "),
        (Wrong::Fork, "GET /api/v1/log/proof: consistency proof from size "),
        (Wrong::Shrinks, "GET /api/v1/log: the log has shrunk from "),
        (Wrong::Garbage, "malformed answer"),
    ] {
        let (code, report, errors) = against(wrong, 3, &SMALL);
        assert_eq!(code, 1, "{wrong:?}: {errors}{report:#}");
        assert!(errors.contains(why), "{wrong:?}: {errors}");
        assert_eq!(report["good"], false, "{wrong:?}");
        if wrong == Wrong::Shrinks {
            // The smaller head is still an honest one of the same history.
            assert_eq!(report["runs"][0]["checks"]["failures"]["count"], 1, "{errors}");
        }
    }
}

#[test]
fn first_and_last_answers_are_always_verified() {
    let few = ["write", "-n", "60", "--warm-up", "0", "-c", "1", "--check-every=1000"];
    let all = ["write", "-n", "60", "--warm-up", "0", "-c", "1", "--check", "all"];
    for (late, arguments, expected) in [
        (0, &few[..], 1),
        (59, &few, 1),
        (30, &few, 0), // nobody looked: this is what sampling means
        (30, &all, 1),
    ] {
        let mut arguments = arguments.to_vec();
        arguments.extend_from_slice(&["--read-back", "0"]);
        let (code, report, errors) = against(Wrong::Late(late), 0, &arguments);
        assert_eq!(code, expected, "{late}: {errors}{report:#}");
        assert_eq!(report["runs"][0]["checks"]["failures"]["count"], expected);
    }
}

#[test]
fn refusals_are_errors_but_not_failures() {
    let (code, report, errors) = against(Wrong::Busy, 3, &SMALL);
    assert_eq!((code, errors.as_str()), (0, ""), "{report:#}");
    let run = &report["runs"][0];
    let refused = &run["errors"]["status 503"];
    assert_eq!(refused["count"].as_u64().unwrap() + run["entries"].as_u64().unwrap(), 60);
    assert_eq!(refused["example"], r#"{"code":503,"message":"later"}"#);
    let apart = &run["refused"]["503"];
    assert_eq!(apart["count"], refused["count"]);
    let told = apart["with_retry_after"].as_u64().unwrap();
    assert!(told > 0 && told < apart["count"].as_u64().unwrap(), "{apart}");
    assert!(apart["latency"]["p99_ms"].as_f64().unwrap() > 0.0);
}

#[test]
fn overload_is_measured_in_multiples_of_the_capacity() {
    let pid = std::process::id().to_string();
    let arguments = ["overload", "-d", "300ms", "--closed=4", "-c=8", "--times=0.1,0.5"];
    let arguments = [&arguments[..], &["--server-pid", &pid]].concat();
    let (code, report, errors) = against(Wrong::Busy, 3, &arguments);
    assert_eq!((code, errors.as_str()), (0, ""), "{report:#}");
    let capacity = report["capacity"].as_f64().unwrap();
    let near = |value: &Value, to: f64| (value.as_f64().unwrap() / to - 1.0).abs() < 1e-9;
    assert!(near(&report["runs"][0]["entries_per_second"], capacity));
    for (row, times) in [(0, 0.1), (1, 0.5)] {
        let (run, row) = (&report["runs"][row + 1], &report["rows"][row]);
        assert!(near(&row["times"], times) && near(&run["rate"], times * capacity));
        let good = run["entries_per_second"].as_f64().unwrap();
        assert!(near(&row["goodput"], good / capacity));
        assert!(row["refused_per_second"].as_f64().unwrap() > 0.0, "{row}");
        assert!(row["without_retry_after"].as_u64().unwrap() > 0, "{row}");
        assert_eq!(row["other_errors"], 0);
        let process = &run["server_processes"][0];
        assert!(process["rss_max_bytes"].as_u64() >= process["rss_start_bytes"].as_u64());
    }
}

#[test]
fn a_crowd_is_there_while_the_second_run_is() {
    let crowd = ["--idle=7", "--slow-headers=2", "--half-open=2", "--huge-headers=0"];
    let arguments = [&["hostile", "-d", "300ms", "-c=4", "--slow-readers=2"], &crowd[..]].concat();
    let (code, report, errors) = against(Wrong::Nothing, 3, &arguments);
    assert_eq!((code, errors.as_str()), (0, ""), "{report:#}");
    assert_eq!(report["open"], serde_json::json!([13, 13]));
    assert_eq!(report["dials"], serde_json::json!([13, 0]));
    let p99 = |run: usize| report["runs"][run]["latency"]["p99_ms"].as_f64().unwrap();
    let ratio = report["ratio"][1].as_f64().unwrap();
    assert!((ratio / (p99(1) / p99(0)) - 1.0).abs() < 1e-9, "{report:#}");
    let (code, _, errors) = against(Wrong::Nothing, 3, &["hostile", "--idle=20001"]);
    assert_eq!(code, 2, "{errors}");
}

#[test]
fn a_server_without_good_answers_fails() {
    let (code, report, errors) = against(Wrong::Refuses, 3, &SMALL);
    assert_eq!((code, errors.as_str()), (1, "loadtest: FAILED\n"), "{report:#}");
    let hanging = ["write", "-n", "2", "--warm-up", "0", "--timeout", "100ms"];
    let (code, report, _) = against(Wrong::Hangs, 3, &hanging);
    assert_eq!((code, &report["runs"][0]["errors"]["timeout"]["count"]), (1, &2.into()));
}

#[test]
fn reading() {
    let read = ["read", "-n", "50", "--warm-up", "3", "-c", "2", "--check-every=5"];
    for by in ["index", "uuid", "both"] {
        let mut arguments = read.to_vec();
        arguments.extend_from_slice(&["--by", by]);
        let (code, report, errors) = against(Wrong::Nothing, 9, &arguments);
        assert_eq!((code, errors.as_str()), (0, ""), "{report:#}");
        assert_eq!(report["mode"], "read");
        assert_eq!(report["runs"][0]["entries"], 50);
    }
    for (wrong, by) in [(Wrong::ReadBack, "index"), (Wrong::ReadBack, "both"), (Wrong::Set, "uuid")]
    {
        let mut arguments = read.to_vec();
        arguments.extend_from_slice(&["--by", by]);
        let (code, _, errors) = against(wrong, 9, &arguments);
        assert_eq!(code, 1, "{wrong:?} {by}: {errors}");
    }
    // An answer with another index than the one asked for needs no mathematics.
    let by_index = ["read", "-n", "50", "--warm-up", "3", "--check-every", "99", "--by", "index"];
    let (_, report, _) = against(Wrong::ReadBack, 9, &by_index);
    assert_eq!(report["runs"][0]["checks"]["failures"]["count"], 53);
    let (code, _, errors) = against(Wrong::Nothing, 0, &read);
    assert_eq!((code, errors.as_str()), (2, "loadtest: read: the log holds no entry\n"));
}

#[test]
fn what_cannot_be_run_is_refused() {
    for (arguments, why) in [
        (&["write", "http://192.0.2.1:3000"][..], "--i-own-this-server"),
        (&["write", "https://127.0.0.1:3000"], "no TLS"),
        (&["write", "--count", "0"], "--count must be from 1"),
        (&["write", "--duration", "0"], "a duration must be from"),
        (&["write", "http://127.0.0.1:1"], "cannot connect"),
        (&["write", "--check", "none"], "is not a sampling"),
    ] {
        let output = loadtest(arguments);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {errors}");
        assert!(errors.contains(why), "{arguments:?}: {errors}");
    }
    let url = format!("http://{}", start(Wrong::Nothing, 0));
    let output = loadtest(&["write", &url, "--server-pid", "4294967295", "-n", "1"]);
    assert_eq!(output.status.code(), Some(2));
}
