//! Tests of the whole room: proposals made with fresh keys, Rekor's words, and properties.

mod attestations;
mod cms_maker;
mod cose;
mod dsse;
mod golden;
mod golden_keys;
mod golden_archives;
mod golden_pgp;
mod hashedrekord;
mod helm;
mod intoto;
mod jar;
mod keys;
mod minisign;
mod pgp;
mod pgp_faults;
mod pgp_maker;
mod pgp_properties;
mod properties;
mod rekor_v2;
mod rekord;
mod rfc3161;
mod rpm;
mod signer;
mod ssh;
mod tuf;
