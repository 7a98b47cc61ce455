//! What a run asks of the server: the part of a [`plan`](crate::plan) that says what, not how much.

use crate::server::Base;

/// How entries are asked for in a `read` run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadBy {
    /// `GET /api/v1/log/entries?logIndex=N`
    Index,
    /// `GET /api/v1/log/entries/{entryUUID}`
    Uuid,
    /// Both in turn.
    Both,
    /// `GET /api/v1/log/proof`, from sizes at random to the newest.
    Proof,
    /// `POST /api/v1/index/retrieve`, by hash.
    Search,
    /// `POST /api/v1/log/entries/retrieve`, ten indices at once.
    Retrieve,
}

/// What is asked of the server.
#[derive(Clone, Debug)]
pub enum Mode {
    /// `POST /api/v1/log/entries`
    WriteV1 {
        /// How many entries are read back after a run.
        read_back: usize,
    },
    /// `GET` of entries that are there, at random.
    ReadV1 {
        /// By what they are asked for.
        by: ReadBy,
        /// Seed of the random choice: the same seed asks for the same entries.
        seed: u64,
    },
    /// `CreateEntry` of Rekor v2.
    WriteV2 {
        /// Whose answers these must be.
        log: LogChoice,
        /// How it is called.
        transport: Transport,
        /// How many entries are read back after a run.
        read_back: usize,
    },
    /// `GetInclusionProof` of `cairn.log.v1`, of leaves at random.
    Prove {
        /// The log.
        log: LogChoice,
        /// The same seed asks for the same proofs.
        seed: u64,
    },
    /// `AppendStream` of `cairn.log.v1`.
    Append {
        /// The log, which takes raw entries.
        log: LogChoice,
        /// Length of a leaf.
        bytes: usize,
    },
    /// `GET` of full tiles and entry bundles.
    Tiles {
        /// Whose they are.
        log: LogChoice,
        /// Which of them.
        what: Resources,
        /// In which order.
        order: Order,
    },
}

/// How Rekor v2 is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// `POST /api/v2/log/entries`, JSON over HTTP/1.1.
    Rest,
    /// gRPC over HTTP/2 without TLS.
    Grpc,
}

/// Which log is meant, and where it is read and its key comes from.
#[derive(Clone, Debug, Default)]
pub struct LogChoice {
    /// Name or log ID in the server's list; by default its first active log of the API.
    pub name: Option<String>,
    /// The log's public key in PEM. With it the server's list of logs is not asked for.
    pub public_key: Option<String>,
    /// Where `/checkpoint` and `/tile/` are, if not on the server itself.
    pub read: Option<Base>,
}

impl LogChoice {
    /// For reads of tiles alone: a prefix of the server is the log's own, as `/logs/<log ID>` is.
    #[must_use]
    pub fn of_tiles(mut self, base: &Base) -> Self {
        if base.prefix.is_empty() {
            return self;
        }
        let listed = || base.prefix.strip_prefix("/logs/").map(str::to_owned);
        self.name = self.name.or_else(listed);
        self.read = self.read.or_else(|| Some(base.clone()));
        self
    }
}

/// What is read of a log's tiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resources {
    /// Tiles of all levels.
    Tiles,
    /// Entry bundles.
    Bundles,
    /// Both in turn.
    Both,
}

/// In which order tiles are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// From the first to the last, and again.
    Sequence,
    /// At random; the same seed asks for the same.
    Random(u64),
}
