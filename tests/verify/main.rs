//! `cairn::verify` against bundles of others: the conformance suite's vectors, and sigstore's own
//! verifier in Rust as an oracle.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says so by panicking")]

mod authorities;
mod cases;
mod keyless;
mod made;
mod oracle;
mod tampered;
mod vectors;
