//! Why a data folder is not opened; each text names the fix.

use std::path::PathBuf;

use storage::StorageError;

use crate::clock::NoRandomness;
use crate::config::PasswordError;
use crate::publisher::signer::KeyError;

/// Why a data folder is not opened.
#[derive(Debug, thiserror::Error)]
pub(in super::super) enum DataDirError {
    /// The system refused a file operation.
    #[error("data folder {path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Somebody else has the folder.
    #[error("another process has the data folder {path} open")]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// It says that it was never finished, and holds entries.
    #[error(
        "data folder {path} holds a log with entries, and a file CREATING, which says that it was \
         never finished: remove that file if the log is to be served. Nothing was changed"
    )]
    NotUnfinished {
        /// The folder.
        path: PathBuf,
    },
    /// There is something in the folder, but no log.
    #[error(
        "data folder {path} holds {found:?} but no log ({missing} is missing): a log is made in an \
         empty folder only. Name the right folder with --data-dir, bring {missing} back from a \
         backup, or empty the folder if nothing in it matters"
    )]
    NotALog {
        /// The folder.
        path: PathBuf,
        /// Something that is in it.
        found: String,
        /// What a log would have.
        missing: &'static str,
    },
    /// There is no folder, and the command makes none.
    #[error("there is no log in {path}: `cairn serve --data-dir {path}` makes one")]
    Absent {
        /// The folder.
        path: PathBuf,
    },
    /// The folder's logs are stored by another engine.
    #[error(
        "the logs of data folder {path} are stored in {bound}, and --storage asks for {asked}: \
         leave --storage out or name {bound}; `cairn storage copy` takes a log from one to the \
         other"
    )]
    OtherEngine {
        /// The folder.
        path: PathBuf,
        /// What they are stored in.
        bound: String,
        /// What is asked for.
        asked: &'static str,
    },
    /// A copy would go where it comes from.
    #[error("{path} is the folder that is copied: name another one with --to-dir")]
    CopyOntoItself {
        /// The folder.
        path: PathBuf,
    },
    /// The logs are on a server, and it is not said where.
    #[error(
        "the logs of data folder {path} are stored in PostgreSQL: name the server with \
         --storage postgres://USER@HOST/DATABASE"
    )]
    NoServer {
        /// The folder.
        path: PathBuf,
    },
    /// An engine of which nothing is known.
    #[error("data folder {path} names the engine {bound:?}, which this version does not know")]
    UnknownEngine {
        /// The folder.
        path: PathBuf,
        /// As it stands in the folder.
        bound: String,
    },
    /// An engine that was left out.
    #[cfg(not(all(feature = "rocksdb", feature = "fjall", feature = "postgres")))]
    #[error("this program was built without the engine {0}: build it with `--features {0}`")]
    NotBuiltIn(&'static str),
    /// The database's password cannot be read.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// The log's key is gone.
    #[error(
        "log {log} in {path} was made with the key in {key}, and that file is gone: bring it back, \
         or name where it is with --key-file (of the v2 log: --v2-key-file; of another: key_file \
         in its table). A new key would break every verifier, so none is made"
    )]
    KeyMissing {
        /// The log.
        log: String,
        /// The folder.
        path: PathBuf,
        /// Where the key should be.
        key: PathBuf,
    },
    /// The key is not the one that the log was made with.
    #[error(
        "the key in {key} is not the key of the log {log} (SHA-256 {expected}, that of \
         the key is {found}): name the right key with --key-file (of the v2 \
         log: --v2-key-file; of another: key_file in its table)"
    )]
    OtherKey {
        /// The log.
        log: String,
        /// The key file.
        key: PathBuf,
        /// The log's ID, hexadecimal.
        expected: String,
        /// What the key would make, hexadecimal.
        found: String,
    },
    /// A setting contradicts what the log was made with.
    #[error(
        "log {log} was made with {what} {bound:?}, now it is {asked:?}: start with \
         --{flag} {bound}, or without --{flag}; for another log use an empty folder"
    )]
    Bound {
        /// The log.
        log: String,
        /// What differs.
        what: &'static str,
        /// Its flag.
        flag: &'static str,
        /// What the log was made with.
        bound: String,
        /// What is asked now.
        asked: String,
    },
    /// A name that checkpoints cannot carry.
    #[error("{0:?} cannot be a log's host name: it must not be empty or hold spaces or `+`")]
    Hostname(String),
    /// A tree ID that is none.
    #[error("{0} cannot be a tree ID: it is a positive 63-bit number")]
    TreeId(i64),
    /// A log has a key that was used, and the store does not know it.
    #[error(
        "{public_key} says that log {log} was made here, and the store does not know it: this is \
         an older copy of the store; restore the newest one. To make the log anew, with another \
         key, move {public_key} and the key beside it away"
    )]
    OlderStore {
        /// The log.
        log: String,
        /// Its public key file.
        public_key: PathBuf,
    },
    /// The folder of a replica.
    #[error(
        "data folder {path} is a replica of logs that are written elsewhere ({followed}): serve it \
         with --follow, or make its logs its own with `cairn promote`"
    )]
    Follows {
        /// The folder.
        path: PathBuf,
        /// What it follows.
        followed: String,
    },
    /// The folder of logs that are written here.
    #[error(
        "data folder {path} is no replica: its logs are written here. Name another folder with \
         --data-dir for a replica of others"
    )]
    NotAReplica {
        /// The folder.
        path: PathBuf,
    },
    /// The source has another log of that name.
    #[error(
        "the log {log} in {path} is not the one that the source has now (tree ID, origin, key or \
         API differ): follow the source that it was made from, or use an empty folder"
    )]
    OtherSource {
        /// The log.
        log: String,
        /// The folder.
        path: PathBuf,
    },
    /// The source has no such log.
    #[error("the source has no log {log}: switch it off with `enabled = false` in its table")]
    NotAtSource {
        /// The log.
        log: String,
    },
    /// The key that was put into the folder is not the source's.
    #[error(
        "{public_key} is not the key that the source names for the log {log}: this is another log, \
         or somebody who poses as it. Nothing was taken over"
    )]
    Pin {
        /// The log.
        log: String,
        /// The file with the expected key.
        public_key: PathBuf,
    },
    /// Two logs with one origin.
    #[error(
        "log {log} would have the origin {origin:?} of log {other}: give it a `hostname` of its own"
    )]
    SameOrigin {
        /// The new log.
        log: String,
        /// The one that is there.
        other: String,
        /// Their origin.
        origin: String,
    },
    /// A name that no log of the store has.
    #[error("there is no log {log:?} in {path}; there are {known}")]
    NoSuchLog {
        /// As it was asked.
        log: String,
        /// The folder.
        path: PathBuf,
        /// Their names.
        known: String,
    },
    /// The key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The store cannot be opened.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// No tree ID could be made.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}
