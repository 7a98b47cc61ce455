//! A small log of Rekor v2 and of raw leaves, correct or wrong in one way, behind REST, gRPC and
//! tiles on one port.

mod grpc;
mod log;
mod server;

pub(crate) use log::{FakeV2, NAME};
pub(crate) use server::{start, start_hidden};

/// The one way in which the server is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    Nothing,
    /// Answers with the body of the entry before this one.
    Body,
    /// Names another index beside the proof than in it.
    Index,
    /// Gives one index to all entries.
    SameIndex,
    /// Names another log.
    LogId,
    /// Names another version.
    Version,
    /// Gives a time.
    Time,
    /// Leaves a member out, or adds one.
    Promise,
    /// Answers 200.
    Status,
    /// Gives another media type.
    MediaType,
    /// Puts a wrong hash into inclusion proofs.
    InclusionHash,
    /// Breaks the checkpoint's signature.
    CheckpointSignature,
    /// Does not store every third entry, but answers as if.
    Forgets,
    /// Has other bodies in its bundles than it has hashed.
    Bundle,
    /// Bundles with an entry too few, tiles with a hash too few.
    Short,
    /// A wrong hash in each tile.
    Tile,
    /// Rewrites the first entry after some time, and signs the new history.
    Fork,
    /// Gives the checkpoint of ten entries ago.
    Shrinks,
    /// Refuses every second proposal.
    Busy,
    /// Lists another origin.
    Listed,
    /// Gives two results of a stream in the wrong order.
    Order,
    /// Leaves out an index.
    Gap,
    /// Calls a new leaf a duplicate.
    Duplicate,
    /// Ends each stream after ten items.
    Ends,
    /// Ends the connection of the twentieth proposal by gRPC.
    Drops,
    /// Never answers a proposal.
    Hangs,
}
