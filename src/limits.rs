//! Every cap of the server in one place, and how they relate.

use std::time::Duration;

/// Bytes of a proposal up to which it is judged on the thread that serves its connection.
pub const ADMIT_INLINE_BYTES_MAX: usize = 64 << 10;

/// Entries of one log that may be on their way to the disk at once, for each core, unless set
/// otherwise: about a fifth of a second's work. Beyond it a writer is told to come back later,
/// before anything is verified.
pub const IN_FLIGHT_PER_CORE: usize = 2048;

/// The part of that from which on what is read goes before what is judged. Below it, entries are
/// judged as they come, which is cheaper.
pub const CROWDED_PART: usize = 4;

/// Writers that are told so in a second, for each core. One takes some 30 µs, so that all of them
/// leave nine tenths of the core to those who were let in.
pub const REFUSALS_PER_CORE_SECOND: u32 = 3000;

/// How long a refusal may wait for its turn.
pub const REFUSAL_WAIT_MAX: Duration = Duration::from_secs(1);

/// Small entries, for each core, that are judged before the next look at what else is to do.
pub const JUDGED_IN_A_ROW_MAX: usize = 64;

/// Entries that may wait for the sequencer. Beyond it a writer is told to come back later.
pub const QUEUE_ENTRIES_MAX: usize = 8192;

/// Bytes of the entries that may wait for the sequencer, whether their writers still wait or not.
pub const QUEUE_BYTES_MAX: usize = 64 << 20;

/// Seconds by which a clock may be set back for integrated times to stand still meanwhile; beyond
/// it they follow the clock. Half of what Fulcio's certificates are valid for: a signature of now
/// still verifies at a time that is off by so much.
pub const CLOCK_SET_BACK_MAX: i64 = 300;

/// Entries in one commit. Bounds the time of a commit and the memory of a batch.
pub const BATCH_ENTRIES_MAX: usize = 4096;

/// Bytes of canonical bodies, attestations and index keys in one commit.
pub const BATCH_BYTES_MAX: usize = 16 << 20;

/// Bytes of one canonical body. Rekor's back end refuses larger ones too (4 MiB gRPC messages).
pub const LEAF_BYTES_MAX: usize = 4 << 20;

/// Index keys of one entry: statements with more subjects and materials are refused.
pub const INDEX_KEYS_MAX: usize = 65_536;

/// Characters of one index key; a longer one, which no search could name, is left out.
pub const INDEX_KEY_CHARS_MAX: usize = 512;

/// Packets of the OpenPGP keys of one entry. Keys that many people certified have thousands.
pub const PGP_PACKETS_MAX: usize = 16_384;

/// Signatures within the OpenPGP keys of one entry that are checked: those of the keys themselves.
pub const PGP_SIGNATURE_CHECKS_MAX: usize = 1024;

/// Bytes of one OpenPGP user ID; GnuPG makes none above 2,048.
pub const PGP_USER_ID_BYTES_MAX: usize = 16 << 10;

/// How deep OpenPGP signatures stand within signatures. One in the binding of a subkey is usual.
pub const PGP_EMBEDDING_MAX: usize = 4;

/// Bytes of the sums in the provenance of a Helm chart: a line for the chart, and one an image.
pub const HELM_FILES_BYTES_MAX: usize = 64 << 10;

/// Collections in a YAML text, which bounds how deep they nest.
pub const YAML_COLLECTIONS_MAX: usize = 512;

/// Bytes of one header of a COSE message, which is read into values of many times its size.
pub const COSE_HEADER_BYTES_MAX: usize = 256 << 10;

/// Bytes of the answer of a timestamp authority, as Rekor has it.
pub const TIMESTAMP_BYTES_MAX: usize = 10 << 10;

/// Bytes of what describes a jar or an Alpine package, unless set otherwise, as in Rekor.
pub const ARCHIVE_METADATA_BYTES_DEFAULT: u64 = 1 << 20;

/// Bytes that all members of an archive may have, unpacked. Packed, they fit into one request.
pub const ARCHIVE_BYTES_MAX: u64 = 256 << 20;

/// Bytes that the signature, and what describes the package, of an Alpine package may have,
/// unpacked: scripts and a few lines of text.
pub const ALPINE_CONTROL_BYTES_MAX: u64 = 64 << 20;

/// Members of an archive, each of which is remembered while it is read.
pub const ARCHIVE_MEMBERS_MAX: usize = 65_536;

/// Bytes of one TUF document, as text. A leaf has no room for more.
pub const TUF_BYTES_MAX: usize = 4 << 20;

/// Signatures of one TUF document, for each of which the document may be hashed.
pub const TUF_SIGNATURES_MAX: usize = 128;

/// Keys of one TUF root.
pub const TUF_KEYS_MAX: usize = 1024;

/// Tags in a header of an RPM package, as rpm itself has it.
pub const RPM_TAGS_MAX: usize = 65_535;

/// Bytes of one leaf that an entry bundle can hold (C2SP tlog-tiles: a 16-bit length).
pub const BUNDLED_LEAF_BYTES_MAX: usize = u16::MAX as usize;

/// Integrated heads that may wait for the publisher.
pub const UNPUBLISHED_HEADS_MAX: usize = 1024;

/// Published checkpoints that are kept at hand for writers that wake up late.
pub const RECENT_CHECKPOINTS_MAX: usize = 64;

/// How long a writer waits for its entry to be published. Below the 30 s of Rekor's write timeout.
pub const PUBLISH_WAIT_MAX: Duration = Duration::from_secs(25);

/// Time without growth after which a witnessed checkpoint is published again, as Rekor v2 does.
pub const REPUBLISH_AFTER_DEFAULT: Duration = Duration::from_secs(600);

/// How long the log rests before it asks a store again that did not answer.
pub const STORE_RETRY_PAUSE: Duration = Duration::from_millis(100);

/// Batches that a replica waits its turn for after another one was faster. So many in a row without
/// another one's batch between them, and it commits without asking again.
pub const TURNS_AFTER_CONFLICT: u32 = 64;

/// How long a replica waits for word of the others' checkpoints before it looks for itself.
pub const REPLICA_LOOK_AFTER: Duration = Duration::from_secs(1);

/// Time between two looks at what the other replicas published, at least.
pub const REPLICA_LOOK_PAUSE: Duration = Duration::from_millis(10);

/// How often a republication looks whether the log has grown.
pub const WITNESS_LINGER_PAUSE: Duration = Duration::from_millis(20);

/// How long a checkpoint that is short of its quorum rests before the witnesses see it again.
pub const WITNESS_RETRY_PAUSE: Duration = Duration::from_millis(200);

/// Time for one round of all witnesses, unless set otherwise.
pub const WITNESS_ROUND_DEFAULT: Duration = Duration::from_secs(5);

/// For how long a checkpoint may be short of its quorum before writers are turned away at once.
pub const WITNESS_PATIENCE: Duration = Duration::from_secs(10);

/// Bytes of a witness's answer. A few cosignatures of 5 kB each, at most.
pub const WITNESS_ANSWER_BYTES_MAX: u64 = 64 << 10;

/// Bytes of a request to our own witness: 63 hashes, and a note with many signatures of 5 kB.
pub const WITNESS_REQUEST_BYTES_MAX: usize = 128 << 10;

/// Tiles that a reader keeps in memory: 8 KiB each, 16 once proofs were made from them.
pub const CACHED_TILES_MAX: usize = 512;

/// Bytes of the annex of one bundle: 256 statements with a thousand subjects each.
pub const ANNEX_BYTES_MAX: usize = 32 << 20;

/// Bytes of a list of logs: a thousand of them.
pub const LOG_LIST_BYTES_MAX: usize = 1 << 20;

/// Bytes of an entry bundle: 256 of the longest entries, and their lengths.
pub const BUNDLE_BYTES_MAX: usize = 256 * (BUNDLED_LEAF_BYTES_MAX + 2);

/// Bytes of an attestation that a replica takes over. More than any server is set to keep.
pub const FOLLOWED_ATTESTATION_BYTES_MAX: usize = 128 << 20;

/// Bundles, with all that belongs to them, that a replica asks for at once.
pub const FOLLOW_AT_ONCE: usize = 4;

/// Time for one answer to a replica.
pub const FOLLOW_TIMEOUT: Duration = Duration::from_secs(30);

/// Time between two looks at a log that is followed, unless set otherwise.
pub const FOLLOW_PAUSE_DEFAULT: Duration = Duration::from_secs(1);

/// How long a replica rests, at most, after its source did not answer.
pub const FOLLOW_REST_MAX: Duration = Duration::from_secs(30);

/// Time between two looks at the replicas that may be promoted.
pub const FENCE_PAUSE: Duration = Duration::from_secs(2);
/// Time for one answer of such a replica.
pub const FENCE_TIMEOUT: Duration = Duration::from_secs(5);

/// Files in all bundles of an inbox: three for each 256 entries.
pub const ARCHIVED_FILES_MAX: usize = 4 << 20;

/// Answers to one search. Rekor has no bound; a larger set is cut, oldest first.
pub const SEARCH_HITS_MAX: usize = 10_000;

/// Bytes of one request body, unless set otherwise. Rekor's compose file uses nearly the same.
pub const REQUEST_BODY_BYTES_DEFAULT: usize = 32 << 20;

/// Bytes of one request body of API v2, unless set otherwise, as in Rekor v2.
pub const V2_REQUEST_BODY_BYTES_DEFAULT: usize = 4 << 20;

/// Objects of one log that are on their way to a destination of exports at once.
pub const EXPORT_OBJECTS_AT_ONCE: usize = 16;

/// Entries that an export reads at once. So many of the largest are in memory, for each object that
/// is on its way, before it is noticed that they fit no bundle.
pub const EXPORT_ENTRIES_AT_ONCE: usize = 8;

/// Bytes of what an export reads back from its destination: checkpoints, tiles, the list of logs.
pub const EXPORT_READ_BYTES_MAX: u64 = 4 << 20;

/// Tiles of each level before the edge beside which a process that begins to export looks for
/// partial ones that a killed one left.
pub const EXPORT_LOOK_BACK: u64 = 16;

/// How often the list of logs is written again when other exporters write it at the same time.
pub const EXPORT_LIST_TRIES_MAX: u32 = 8;

/// Time between two exports of a log, at least, unless set otherwise.
pub const EXPORT_INTERVAL_DEFAULT: Duration = Duration::from_secs(1);

/// How long an export that failed rests at most. It begins with the interval, and doubles.
pub const EXPORT_PAUSE_MAX: Duration = Duration::from_secs(30);

/// Time for one request to a bucket.
pub const EXPORT_REQUEST_MAX: Duration = Duration::from_secs(30);

/// For how long a request to a bucket is tried again, before the export has failed.
pub const EXPORT_RETRY_MAX: Duration = Duration::from_secs(60);
/// Bytes of one answer of a server that `cairn entry` asks.
pub const REMOTE_ANSWER_BYTES_MAX: u64 = 64 << 20;

/// Bytes of a file that `cairn verify` reads whole. Envelopes hold statements of some megabytes.
pub const VERIFY_FILE_BYTES_MAX: u64 = 128 << 20;

/// Bytes of an artifact that is kept in memory while it is verified, for signatures that are over
/// the bytes themselves (Ed25519). Of a larger one only the digests are.
pub const VERIFY_ARTIFACT_BYTES_MAX: u64 = 256 << 20;

/// Bytes of a trusted root. The public one has some ten thousand.
pub const TRUST_ROOT_BYTES_MAX: usize = 4 << 20;

/// Certificates of one authority in a trusted root.
pub const TRUST_ROOT_CERTIFICATES_MAX: usize = 16;

/// Log entries in one bundle.
pub const BUNDLE_ENTRIES_MAX: usize = 32;

/// Timestamps in one bundle.
pub const BUNDLE_TIMESTAMPS_MAX: usize = 32;

/// Certificates in one bundle: the signer's and what leads up to the root.
pub const BUNDLE_CERTIFICATES_MAX: usize = 10;

/// Signed certificate timestamps in one certificate.
pub const CERTIFICATE_SCTS_MAX: usize = 32;

const _: () = assert!(BATCH_ENTRIES_MAX <= QUEUE_ENTRIES_MAX);
const _: () = assert!(LEAF_BYTES_MAX <= BATCH_BYTES_MAX);
const _: () = assert!(BATCH_BYTES_MAX <= QUEUE_BYTES_MAX);
