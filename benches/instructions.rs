//! Instructions of each stage, counted by callgrind: no noise, so that a small loss shows.
//!
//! `make instructions` compares with `instructions.tsv` and fails where a stage costs more than
//! 5 % more; `make instructions UPDATE=1` writes the file anew. The counts hold for one
//! architecture and compiler (`rust-toolchain.toml`); the processor's own kind valgrind hides.
//!
//! gungraun (once iai-callgrind) counts in the same way. It compares with the run before on the
//! same machine, not with figures in the repository, and wants a second program of its version.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a bench stops by panicking")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::{Command, ExitCode};

#[path = "stages/mod.rs"]
mod stages;

const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/instructions.tsv");
/// Each stage is done so often; a multiple of the keys that it goes through.
const RUNS: u64 = 32;
const MORE_MAX_PERCENT: f64 = 5.0;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "--stage") {
        run(&arguments[at + 1]);
        return ExitCode::SUCCESS;
    }
    assert_eq!(verdict(100, 106), Verdict::Worse, "6 % more is too much");
    assert_eq!(verdict(100, 104), Verdict::Same, "4 % more is not");
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        println!("instructions: skipped, the committed figures are those of Linux on x86_64");
        return ExitCode::SUCCESS;
    }
    let counts = stages::STAGES
        .iter()
        .filter(|stage| stage.name != stages::ROCKSDB)
        .map(|stage| (stage.name, count(stage.name)));
    if arguments.iter().any(|argument| argument == "--update") {
        let mut text = String::new();
        for (name, now) in counts {
            println!("{name:45} {now:>10}");
            writeln!(text, "{name}\t{now}").unwrap();
        }
        std::fs::write(COMMITTED, text).unwrap();
        return ExitCode::SUCCESS;
    }
    compare(counts)
}

/// What is counted: the stage alone, after a first time that fills caches.
fn run(name: &str) {
    let stage = stages::STAGES.iter().find(|stage| stage.name == name).expect("a stage");
    let mut run = (stage.prepare)();
    for _ in 0..RUNS {
        run();
    }
    for _ in 0..RUNS {
        counted(&mut *run);
    }
}

#[inline(never)]
fn counted(run: &mut dyn FnMut()) {
    run();
    std::hint::black_box(()); // no tail call: the function has to return for the count to stop
}

/// Instructions of a stage, by a process of its own.
fn count(name: &str) -> u64 {
    let mut valgrind = Command::new("valgrind");
    valgrind
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg("--toggle-collect=instructions::counted*")
        .arg(std::env::current_exe().unwrap())
        .args(["--stage", name]);
    let output = valgrind.output().expect("valgrind is needed: apt-get install valgrind");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {text}");
    let line = text.lines().find_map(|line| line.split_once("Collected : "));
    let all: u64 = line.expect("callgrind says what it collected").1.trim().parse().unwrap();
    assert!(all > 0, "{name}: nothing was counted");
    all / RUNS
}

#[derive(Debug, PartialEq)]
enum Verdict {
    Better,
    Same,
    Worse,
}

fn change(committed: u64, now: u64) -> f64 {
    (now as f64 / committed as f64 - 1.0) * 100.0
}

fn verdict(committed: u64, now: u64) -> Verdict {
    match change(committed, now) {
        change if change > MORE_MAX_PERCENT => Verdict::Worse,
        change if change < -MORE_MAX_PERCENT => Verdict::Better,
        _ => Verdict::Same,
    }
}

fn compare(counts: impl Iterator<Item = (&'static str, u64)>) -> ExitCode {
    let text = std::fs::read_to_string(COMMITTED).unwrap();
    let lines = text.lines().map(|line| line.split_once('\t').expect("name, tab, count"));
    let mut committed: BTreeMap<&str, u64> =
        lines.map(|(name, count)| (name, count.parse().unwrap())).collect();
    let (mut stages, mut bad) = (0, Vec::new());
    println!("{:45} {:>10} {:>10} {:>8}", "instructions", "committed", "now", "change");
    for (name, now) in counts {
        stages += 1;
        let Some(before) = committed.remove(name) else {
            bad.push(format!("{name} has no committed figure: make instructions UPDATE=1"));
            continue;
        };
        let verdict = verdict(before, now);
        let word = match verdict {
            Verdict::Better => "  better: UPDATE=1 keeps it so",
            Verdict::Same => "",
            Verdict::Worse => "  WORSE",
        };
        println!("{name:45} {before:>10} {now:>10} {:>+7.1}%{word}", change(before, now));
        if verdict == Verdict::Worse {
            bad.push(format!("{name} costs more than {MORE_MAX_PERCENT} % more"));
        }
    }
    bad.extend(committed.keys().map(|name| format!("{name} is no stage any more")));
    for bad in &bad {
        println!("instructions: {bad}");
    }
    println!("instructions: {stages} stages, {} failed", bad.len());
    if bad.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
