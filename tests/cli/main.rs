//! The command line against the real binary: state safety, and what each command prints.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says so by panicking")]

mod run;

mod binding;
mod commands;
