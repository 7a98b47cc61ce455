//! The command line against the real binary: state safety, and what each command prints.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says so by panicking")]

mod run;
#[path = "../support/mod.rs"]
mod support;

mod binding;
mod bombs;
mod commands;
mod engines;
mod hostile;
mod logs;
mod tenants;
mod tiles;
mod urls;
mod witness;
