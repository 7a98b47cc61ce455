//! RFC 6962 §2.1 hashing, and the small words of a tree: index, size, head.
//!
//! A leaf hash, an inner node and a root are all 32 bytes of SHA-256, but they are different
//! things: each has its own type, so that one cannot be passed where another is meant.

use std::fmt;

use aws_lc_rs::digest::{Context, SHA256, digest};

/// Length of every hash of the tree, in bytes (SHA-256).
pub const HASH_BYTES: usize = 32;

macro_rules! hash_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name([u8; HASH_BYTES]);

        impl $name {
            /// Takes 32 bytes for such a hash.
            pub const fn from_bytes(bytes: [u8; HASH_BYTES]) -> Self {
                Self(bytes)
            }

            /// The 32 bytes.
            pub const fn as_bytes(&self) -> &[u8; HASH_BYTES] {
                &self.0
            }

            /// Reads 64 hexadecimal digits of either case; `None` for anything else.
            pub fn from_hex(text: &str) -> Option<Self> {
                let mut bytes = [0; HASH_BYTES];
                hex::decode_to_slice(text, &mut bytes).ok()?;
                Some(Self(bytes))
            }
        }

        /// 64 lower-case hexadecimal digits.
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }
    };
}

hash_type! {
    /// The hash of one leaf: `SHA-256(0x00 || canonical body)`.
    LeafHash
}
hash_type! {
    /// The hash of any node of the tree: of a leaf (level 0) or of two children.
    NodeHash
}
hash_type! {
    /// The hash at the top of a tree of a given size.
    RootHash
}

impl LeafHash {
    /// The leaf as a node at level 0.
    pub const fn to_node(self) -> NodeHash {
        NodeHash(self.0)
    }
}

impl NodeHash {
    /// The node taken for the root of the whole tree; only right for the top node.
    pub const fn to_root(self) -> RootHash {
        RootHash(self.0)
    }
}

impl RootHash {
    /// The root of the empty tree: the SHA-256 of the empty string (RFC 6962 §2.1).
    pub fn empty() -> Self {
        Self(sha256(&[]))
    }
}

/// RFC 6962 leaf hash: `SHA-256(0x00 || leaf)`.
pub fn hash_leaf(leaf: &[u8]) -> LeafHash {
    let mut context = Context::new(&SHA256);
    context.update(&[0x00]);
    context.update(leaf);
    LeafHash(into_array(context.finish().as_ref()))
}

/// RFC 6962 node hash: `SHA-256(0x01 || left || right)`.
pub fn hash_children(left: &NodeHash, right: &NodeHash) -> NodeHash {
    let mut bytes = [0x01; 1 + 2 * HASH_BYTES];
    bytes[1..=HASH_BYTES].copy_from_slice(&left.0);
    bytes[1 + HASH_BYTES..].copy_from_slice(&right.0);
    NodeHash(sha256(&bytes))
}

/// SHA-256 of `bytes`: 32 bytes.
pub fn sha256(bytes: &[u8]) -> [u8; HASH_BYTES] {
    into_array(digest(&SHA256, bytes).as_ref())
}

fn into_array(bytes: &[u8]) -> [u8; HASH_BYTES] {
    let mut array = [0; HASH_BYTES];
    array.copy_from_slice(bytes); // SHA-256 is 32 bytes by definition
    array
}

/// Position of a leaf in one tree, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LogIndex(pub u64);

/// Number of leaves that a tree has (C2SP tlog-checkpoint).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TreeSize(pub u64);

impl TreeSize {
    /// True when a tree of this size holds the leaf at `index`.
    pub const fn covers(self, index: LogIndex) -> bool {
        index.0 < self.0
    }
}

impl fmt::Display for LogIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for TreeSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a checkpoint commits to: a size and the root hash at that size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreeHead {
    /// Number of leaves.
    pub size: TreeSize,
    /// Root hash at that size.
    pub root: RootHash,
}

impl TreeHead {
    /// The head of a log that holds nothing yet.
    pub fn empty() -> Self {
        Self { size: TreeSize(0), root: RootHash::empty() }
    }
}
