//! The HTTP contracts of Rekor v1 and v2, from outside: a server in this process over the in-memory
//! store, and a client that looks at the bytes on the wire. Sections are those of the contract.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod create;
mod fixture;
mod grpc;
mod http;
mod limits;
mod read;
mod rekor_v2;
mod retrieve;
mod search;
#[path = "../support/mod.rs"]
mod support;
