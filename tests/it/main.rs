//! The HTTP contract of Rekor v1, from outside: a server in this process over the in-memory store,
//! and a client that looks at the bytes on the wire. Sections are those of the contract.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod create;
mod fixture;
mod http;
mod limits;
mod read;
mod retrieve;
mod search;
#[path = "../support/mod.rs"]
mod support;
