//! The command line against the real binary: state safety, and what each command prints.

mod run;

mod binding;
mod commands;
