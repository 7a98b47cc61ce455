//! The command line against the real binary: state safety, and what each command prints.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says so by panicking")]

mod run;
mod signed;
#[path = "../support/mod.rs"]
mod support;

mod binding;
mod bombs;
mod bundles;
mod commands;
mod engines;
mod export;
mod entry;
mod hostile;
mod logs;
mod promotion;
mod replicas;
mod tenants;
mod tiles;
mod urls;
mod spoiler;
mod verify;
mod witness;
