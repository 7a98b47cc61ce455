//! Crash test: the real binary, killed with SIGKILL at random instants under load, again and again.
//!
//! Both logs are written to. After each death the same folder is served again, and everything that
//! was answered 201 must be there, at its index; the leaves must make the root of every checkpoint
//! that was ever seen (invariants 3 and 4). With witnesses, which die as well, no checkpoint is
//! seen without all of them. Rounds: `CAIRN_CRASH_ROUNDS`, 30 unless set.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says so by panicking")]

mod client;
mod ledger;
mod server;
#[path = "../support/mod.rs"]
mod support;
mod witness;

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use client::{Client, Entry};
use ledger::Ledger;
use server::Server;
use support::Proposals;
use witness::Witness;

const ROUNDS: usize = 30;
/// Writers of each log.
const WRITERS: usize = 4;
/// The longest life of a server, in milliseconds; the instant of death is random below it.
const LIFE_MS_MAX: u64 = 400;
/// The longest absence of a witness.
const ABSENCE_MS_MAX: u64 = 50;
/// Entries of earlier rounds that are checked again in each round; the last round checks all.
const SAMPLE: usize = 200;

#[test]
fn nothing_answered_is_lost_and_nothing_forks() {
    let folder = tempfile::tempdir().unwrap();
    let ledgers = Ledger::of_logs(&Server::start(folder.path(), &[]));
    run("SIGKILL of the server, under load", folder.path(), ledgers, Vec::new(), &[]);
}

#[test]
fn with_witnesses_that_die_nothing_is_published_without_them() {
    let folder = tempfile::tempdir().unwrap();
    let ledgers = Ledger::of_logs(&Server::start(folder.path(), &[]));
    let logs: Vec<_> = ledgers.iter().map(|log| format!("{} {}", log.key, log.origin)).collect();
    let witnesses = ["w1", "w2"].map(|name| Witness::create(&folder.path().join(name), &logs));
    let policy = folder.path().join("policy");
    let lines = witnesses.each_ref().map(|witness| witness.line.as_str()).join("\n");
    fs::write(&policy, format!("{lines}\ngroup both all w1 w2\nquorum both\n")).unwrap();
    let policy = policy.to_str().unwrap();
    let more = ["--witness-policy", policy, "--witness-mode", "wait"].map(String::from);
    let fault = "SIGKILL of the server and of its witnesses in turn, under load";
    run(fault, folder.path(), ledgers, Vec::from(witnesses), &more);
}

/// All rounds. The witnesses are the quorum.
fn run(
    fault: &str,
    folder: &Path,
    mut logs: Vec<Ledger>,
    mut quorum: Vec<Witness>,
    more: &[String],
) {
    let rounds = set("CAIRN_CRASH_ROUNDS").and_then(|n| n.parse().ok());
    let (engine, mut worst) = (set("CAIRN_STORAGE").unwrap_or("rocksdb".into()), 0.0_f64);
    let rounds: usize = rounds.unwrap_or(ROUNDS);
    let mut randomness = Randomness(0x9e37_79b9_7f4a_7c15);
    println!("{rounds} rounds, {} witnesses, seed {:#x}", quorum.len(), randomness.0);
    assert_eq!(logs.len(), 2);

    for round in 1..=rounds {
        let began = Instant::now();
        let mut server = Server::start(folder, more);
        worst = worst.max(began.elapsed().as_secs_f64());
        check(&mut logs, &server, &quorum, SAMPLE);
        let answered = load_until(server.address(), &logs, || {
            sleep_ms(randomness.below(LIFE_MS_MAX) + 5);
            if !quorum.is_empty() {
                let dies = &mut quorum[round % 2];
                dies.kill();
                sleep_ms(randomness.below(ABSENCE_MS_MAX));
                // In every third round the log dies while its witness is away.
                if round.is_multiple_of(3) {
                    server.kill();
                }
                dies.restart();
                sleep_ms(randomness.below(LIFE_MS_MAX));
            }
            server.kill();
        });
        let counts: Vec<_> = answered.iter().map(|seen| seen.entries.len()).collect();
        println!("round {round:2}: {counts:?} entries answered, then killed");
        for (log, seen) in logs.iter_mut().zip(answered) {
            for note in &seen.checkpoints {
                log.saw_checkpoint(note, &quorum);
            }
            log.remember(seen.entries, &quorum);
        }
    }
    let server = Server::start(folder, more);
    logs.iter_mut().for_each(Ledger::read_anew);
    check(&mut logs, &server, &quorum, usize::MAX);
    server.stop();
    server::fsck(folder);
    for Ledger { name, entries, checkpoints, .. } in &logs {
        let (entries, checkpoints) = (entries.len(), checkpoints.len());
        assert!(entries > rounds, "no load on {name}: {entries} entries in {rounds} rounds");
        println!("{name}: {entries} entries answered, 0 lost; {checkpoints} checkpoints, 0 forks");
    }
    let answered: usize = logs.iter().map(|log| log.entries.len()).sum();
    println!(
        "\nreliability: | {fault} | {engine} | {rounds} | {answered} | 0 | 0 | {worst:.2} s |"
    );
}

/// What the environment says; the server reads some of it too.
fn set(name: &str) -> Option<String> {
    #[allow(clippy::disallowed_methods, reason = "a test has no configuration")]
    std::env::var(name).ok()
}

fn check(logs: &mut [Ledger], server: &Server, quorum: &[Witness], sample: usize) {
    for log in logs {
        log.check_key(server);
        log.check(server, quorum, sample);
    }
}

/// What one log answered in one life of the server.
#[derive(Default)]
struct Seen {
    entries: Vec<Entry>,
    checkpoints: Vec<String>,
}

/// Writes to both logs from several clients, and reads their checkpoints, until `death` is over.
fn load_until(address: SocketAddr, logs: &[Ledger], death: impl FnOnce()) -> Vec<Seen> {
    let stop = &AtomicBool::new(false);
    let seen: Vec<Mutex<Seen>> = logs.iter().map(|_| Mutex::default()).collect();
    std::thread::scope(|scope| {
        for (log, seen) in logs.iter().zip(&seen) {
            let create = if log.name == "v1" { write_v1 } else { write_v2 };
            for _ in 0..WRITERS {
                scope.spawn(move || {
                    let mut proposals = Proposals::new();
                    let Some(mut client) = Client::connect(address) else { return };
                    while !stop.load(Ordering::Relaxed) {
                        let Some(entry) = create(&mut client, &mut proposals) else { return };
                        seen.lock().unwrap().entries.push(entry);
                    }
                });
            }
            scope.spawn(move || {
                let Some(mut client) = Client::connect(address) else { return };
                while !stop.load(Ordering::Relaxed) {
                    let Some(note) = client.checkpoint(&log.name) else { return };
                    seen.lock().unwrap().checkpoints.push(note);
                    sleep_ms(2);
                }
            });
        }
        death();
        stop.store(true, Ordering::Relaxed);
    });
    seen.into_iter().map(|seen| seen.into_inner().unwrap()).collect()
}

fn write_v1(client: &mut Client, proposals: &mut Proposals) -> Option<Entry> {
    client.create_v1(&proposals.next_json())
}

fn write_v2(client: &mut Client, proposals: &mut Proposals) -> Option<Entry> {
    client.create_v2(&proposals.next_v2_json())
}

fn sleep_ms(ms: u64) {
    std::thread::sleep(Duration::from_millis(ms));
}

/// SplitMix64: seeded, so that a failure can be repeated as far as the machine allows.
struct Randomness(u64);

impl Randomness {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}
