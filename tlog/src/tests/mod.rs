//! Tests of the crate against independent oracles (the recursive definitions of RFC 6962, the
//! `rs_merkle` crate), published vectors and, where they are at hand, real bundles.
#![allow(clippy::indexing_slicing)]

mod oracle;
mod range;
mod proof;
mod plan;
mod published;
mod tile;
mod note;
mod checkpoint;
mod vkey;
mod cosignature;
mod policy;
mod witness;
mod tlog_proof;
mod bundles;
