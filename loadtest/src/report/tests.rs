//! The report as text and as JSON.

use super::*;

fn run() -> RunReport {
    let mut micros = Histogram::new(3).unwrap();
    for n in 1..=1_000 {
        micros.record(n * 10).unwrap();
    }
    RunReport {
        load: "closed",
        connections: 8,
        streams: 1,
        window: 1,
        rate: None,
        seconds: 2.0,
        unit: "entry",
        entries: 1_000,
        entries_per_second: 500.0,
        sent_per_second: 500.0,
        unsent: 0,
        dials: 8,
        latency: Latency::of(&micros),
        service: Latency::of(&micros),
        refused: BTreeMap::new(),
        errors: BTreeMap::new(),
        server_cpu_ms_per_entry: Some(0.312),
        server_processes: vec![ProcessReport {
            pid: 17,
            cpu_ms: 312.0,
            cpu_ms_per_entry: Some(0.312),
            rss_start_bytes: 40 << 20,
            rss_max_bytes: 50 << 20,
            rss_bytes: 45 << 20,
            rss_peak_bytes: 60 << 20,
        }],
        generator_cpu_us_per_entry: Some(31.4),
        checks: Checks {
            framed: 1_100,
            verified: 22,
            read_back: 16,
            consistent: vec![(1, 1_100)],
            failures: Failures::default(),
        },
    }
}

fn report(run: RunReport) -> Report {
    Report {
        server: "127.0.0.1:3000".to_owned(),
        origin: "log.example - 1234".to_owned(),
        log_id: "ab".repeat(32),
        mode: "write",
        api: "v1",
        good: run.good(),
        runs: vec![run],
    }
}

#[test]
fn a_good_run() {
    let expected = "\
server  http://127.0.0.1:3000, write v1
log     log.example - 1234, log ID abababababababababababababababababababababababababababababababab

closed loop, 8 connections
  entries     1000 in 2.0 s = 500.0/s
  latency     p50 5.00 ms  p90 9.01 ms  p99 9.90 ms  p99.9 10.0 ms  max 10.0 ms
  errors      none
  server CPU  0.312 ms per entry
              pid 17: 312 ms, memory 40.0 → 45.0 MiB, at most 50.0 MiB, peak 60.0 MiB
  generator   31 µs of CPU per entry
  checks      1100 framed, 22 verified in full, 16 read back, 1 → 1100 consistent
";
    assert_eq!(report(run()).to_string(), expected);
    assert!(report(run()).good);
}

#[test]
fn a_bad_run_says_what_and_where() {
    let mut run = run();
    (run.load, run.connections, run.rate, run.unsent) = ("open", 1, Some(750.0), 3);
    (run.streams, run.window, run.unit) = (4, 9, "request");
    let refused = ErrorClass { count: 2, example: "later".to_owned() };
    let mut later = Refused::new();
    later.with_retry_after = 1;
    [1_000, 3_000].into_iter().for_each(|micros| later.latencies.record(micros).unwrap());
    run.refused.insert(503, Refusals::from(&later));
    run.errors.insert("status 503".to_owned(), refused);
    run.errors.insert("timeout".to_owned(), ErrorClass { count: 1, example: "x".to_owned() });
    run.checks.failures.add("entry 7", "the signed entry timestamp does not verify");
    let text = run.to_string();
    for line in [
        "open loop, 1 connection × 4 streams, 9 items in flight on each, 750 requests/s due\n",
        "  requests    1000 in 2.0 s = 500.0/s\n",
        "  server CPU  0.312 ms per request\n",
        "  NOT SENT    3: the server did not keep up\n",
        "  from sent   p50 5.00 ms",
        "  refused     503: 2, 1 with Retry-After\n              p50 1.00 ms",
        "  errors      status 503: 2 (later); timeout: 1 (x)\n",
        "  FAILED      1\n",
        "              entry 7: the signed entry timestamp does not verify\n",
    ] {
        assert!(text.contains(line), "{line:?} is not in {text}");
    }
    assert!(!report(run).good);
}

#[test]
fn a_run_without_answers_is_not_good() {
    let mut run = run();
    run.entries = 0;
    assert!(run.to_string().ends_with("  FAILED      no good answer\n"));
    assert!(!run.good());
}

#[test]
fn json_says_the_same() {
    let json = serde_json::to_value(report(run())).unwrap();
    assert_eq!(json["good"], true);
    assert_eq!(json["runs"][0]["entries_per_second"], 500.0);
    assert_eq!(json["runs"][0]["latency"]["p999_ms"], 10.007);
    assert_eq!(json["runs"][0]["server_processes"][0]["pid"], 17);
    assert_eq!(json["runs"][0]["checks"]["consistent"][0][1], 1_100);
    assert_eq!(json["runs"][0]["checks"]["failures"]["count"], 0);
}
