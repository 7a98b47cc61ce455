//! The write path under faults: every durable step is cut once, with the write kept or lost.
//!
//! Invariants of ARCHITECTURE.md are named beside the tests that would catch their breach.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says so by panicking")]

mod crashes;
mod export;
mod damage;
mod fsck;
mod house;
mod invariants;
mod seeds;
mod witnesses;
#[path = "../support/mod.rs"]
mod support;
