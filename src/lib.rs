//! Cairn: a transparency log server that takes the place of a whole Rekor deployment.
//!
//! The rooms, in the order in which an entry walks through them; `ARCHITECTURE.md` has the drawing.
#![forbid(unsafe_code)]

pub mod cli;
pub mod config;
pub mod copy;
pub mod export;
pub mod frontend;
pub mod log;
pub mod answers;
pub mod annex;
pub mod shard;
pub mod shards;
pub mod stored_tree;
pub mod quota;
pub mod admission;
pub mod sequencer;
pub mod publisher;
pub mod reader;
pub mod witness;
pub mod follow;
pub mod recovery;
pub mod fsck;
pub mod trust;
pub mod verify;
pub mod heavy;
pub mod clock;
pub mod web_client;
pub mod limits;
pub mod telemetry;
