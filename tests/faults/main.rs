//! Real faults, bounded: replicas die and are paused, databases die, are replaced and fill up,
//! wires are cut or slow, disks are full or slow, clocks jump, and what is stored is no longer what
//! it was.
//!
//! After each of them every entry that was answered 201 must be there at its index, and the leaves
//! must make the root of every checkpoint that was ever seen. Each fault prints a line for the
//! table of `docs/reliability.md` (`make reliability`). Rounds: `CAIRN_FAULT_ROUNDS`, of the most
//! frequent fault; the others follow from it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says so by panicking")]
#![allow(clippy::disallowed_methods, reason = "a test has no configuration")]

#[allow(dead_code, reason = "the crash test needs more of it")]
#[path = "../crash/client.rs"]
mod client;
mod clock;
mod damage;
mod database;
mod disk;
#[path = "../crash/ledger.rs"]
mod ledger;
mod load;
#[path = "../support/postgres.rs"]
mod postgres;
mod proxy;
mod readings;
mod replicas;
mod report;
mod rows;
#[allow(dead_code, reason = "the crash test needs more of it")]
#[path = "../crash/server.rs"]
mod server;
mod slow;
#[path = "../support/mod.rs"]
mod support;
#[allow(dead_code, reason = "the crash test needs more of it")]
#[path = "../crash/witness.rs"]
mod witness;

/// Rounds of a fault of which `CAIRN_FAULT_ROUNDS` (6 unless set) is the measure.
fn rounds(part_of: usize) -> usize {
    let set = std::env::var("CAIRN_FAULT_ROUNDS").ok().and_then(|rounds| rounds.parse().ok());
    (set.unwrap_or(6) / part_of).max(1)
}
