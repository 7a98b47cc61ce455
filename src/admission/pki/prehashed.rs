//! Hands a digest that was computed elsewhere to a library that wants to hash for itself.
//!
//! ed25519-dalek takes the message of Ed25519ph as a hasher, while a hashedrekord carries only the
//! hash. This "hasher" ignores input and answers with the digest that it was made with.

use digest::consts::U64;
use digest::{FixedOutput, HashMarker, Output, OutputSizeUser, Update};

#[derive(Clone)]
pub(super) struct Prehashed([u8; 64]);

impl Prehashed {
    pub(super) fn new(sha512: [u8; 64]) -> Self {
        Self(sha512)
    }
}

impl Default for Prehashed {
    fn default() -> Self {
        Self([0; 64])
    }
}

impl HashMarker for Prehashed {}

impl OutputSizeUser for Prehashed {
    type OutputSize = U64;
}

impl Update for Prehashed {
    fn update(&mut self, _data: &[u8]) {}
}

impl FixedOutput for Prehashed {
    fn finalize_into(self, out: &mut Output<Self>) {
        out.copy_from_slice(&self.0);
    }
}
