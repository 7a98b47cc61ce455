//! Transparency log mathematics as pure functions: no I/O, clock, randomness or async.
//!
//! | module | specification |
//! |---|---|
//! | [`hash`] | RFC 6962 §2.1: leaf, node and root hashes, and the words index, size, tree head |
//! | [`range`] | RFC 6962 §2.1: the right edge of a tree, and how a batch of leaves extends it |
//! | [`proof`] | RFC 6962 §2.1, RFC 9162 §2.1: inclusion and consistency proofs, verified |
//! | [`plan`] | RFC 6962 §2.1: which stored hashes a proof needs, and the proof made of them |
//! | [`tile`] | C2SP tlog-tiles: coordinates, widths, bytes |
//! | [`path`] | C2SP tlog-tiles: paths of tiles and entry bundles |
//! | [`bundle`] | C2SP tlog-tiles: the framing of entry bundles |
//! | [`note`] | C2SP signed-note: texts, signature lines, key ids |
//! | [`verifier`] | RFC 5480, RFC 8410: the public keys that a log can have |
//! | [`vkey`] | C2SP signed-note: verifier keys, of logs and of cosigners |
//! | [`checkpoint`] | C2SP tlog-checkpoint: the text over a tree head, of Rekor v1 and of others |
//! | [`cosignature`] | C2SP tlog-cosignature: what witnesses sign, and how it is verified |
//! | [`policy`] | C2SP tlog-policy: logs, witnesses and the quorum of them |
//! | [`witness`] | C2SP tlog-witness: requests to a witness and its answers |
//! | [`tlog_proof`] | C2SP tlog-proof: an entry's proof as one text |
#![forbid(unsafe_code)]
#![warn(clippy::indexing_slicing)]

pub mod hash;
pub mod range;
pub mod proof;
pub mod plan;
pub mod tile;
pub mod path;
pub mod bundle;
pub mod note;
pub mod verifier;
pub mod vkey;
pub mod checkpoint;
pub mod cosignature;
pub mod policy;
pub mod witness;
pub mod tlog_proof;

pub use bundle::{BundleError, decode_bundle, encode_bundle};
pub use checkpoint::{Checkpoint, CheckpointError, SignedCheckpoint, v1_origin};
pub use cosignature::{CosignatureError, Timestamp};
pub use hash::{
    LeafHash, LogIndex, NodeHash, RootHash, TreeHead, TreeSize, hash_children, hash_leaf,
};
pub use note::{KeyId, Note, NoteError, NoteSignature};
pub use path::TilePath;
pub use plan::{ConsistencyPlan, Hashes, InclusionPlan, RootPlan};
pub use policy::{Policy, PolicyError, PolicyLog, PolicyProblem, PolicyWitness};
pub use proof::{ConsistencyProof, InclusionProof, ProofError};
pub use range::{EdgeError, Extension, LevelHashes, RightEdge};
pub use tile::{HashRange, TILE_WIDTH, Tile, TileId, decode_tile, encode_tile};
pub use tlog_proof::{TlogProof, TlogProofError};
pub use verifier::{KeyError, SignatureError, Verifier};
pub use vkey::{SignatureType, VerifierKey, VkeyError};
pub use witness::{AddCheckpoint, AddCheckpointError};

#[cfg(test)]
mod tests;
