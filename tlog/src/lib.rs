//! Transparency log mathematics as pure functions: no I/O, clock, randomness or async.
//!
//! | module | specification |
//! |---|---|
//! | [`hash`] | RFC 6962 §2.1: leaf, node and root hashes, and the words index, size, tree head |
#![forbid(unsafe_code)]

pub mod hash;

pub use hash::{
    LeafHash, LogIndex, NodeHash, RootHash, TreeHead, TreeSize, hash_children, hash_leaf,
};
