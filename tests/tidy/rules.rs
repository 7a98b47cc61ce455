//! Which room may name which, and what may be named where.

/// The doors between the rooms of `src/`: who may name whom, or only one thing of theirs.
/// A room that is not listed has no door at all. Paths of one's own room are always open.
pub(crate) const DOORS: &[(&str, &[&str])] = &[
    ("main", &["cli"]),
    // wires the rooms together, so it sees all of them
    (
        "cli",
        &[
            "admission",
            "clock",
            "config",
            "copy",
            "follow",
            "export",
            "frontend",
            "fsck",
            "limits",
            "log",
            "publisher",
            "quota",
            "reader",
            "recovery",
            "sequencer",
            "shard",
            "telemetry",
            "verify",
            "web_client",
            "witness",
        ],
    ),
    (
        "frontend",
        &[
            "admission",
            "annex",
            "clock",
            "config",
            "heavy",
            "limits",
            "log",
            "publisher::Published",
            "publisher::signer::SignError",
            "quota::OverQuota",
            "reader",
            "shard",
            "shards",
            "telemetry",
            "witness",
        ],
    ),
    // the hall, and what it answers with: the rooms' errors, and no more of the rooms
    (
        "log",
        &[
            "admission",
            "annex",
            "answers",
            "heavy",
            "limits",
            "publisher",
            "quota",
            "reader",
            "sequencer",
            "shard",
            "shards",
        ],
    ),
    (
        "answers",
        &[
            "admission::Policy",
            "admission::Rejection",
            "publisher::NotPublishing",
            "publisher::Published",
            "publisher::SigningCore",
            "quota",
            "reader::ReadError",
            "sequencer::AddError",
            "shards",
        ],
    ),
    ("shard", &["annex", "publisher", "reader"]),
    (
        "annex",
        &[
            "admission::attestation_key",
            "limits",
            "publisher::SigningCore",
            "publisher::signer::SignError",
            "reader",
        ],
    ),
    // the rooms do not name each other, but for the one thing that is handed over
    ("admission", &["clock", "limits"]),
    ("sequencer", &["admission::AdmittedEntry", "clock", "limits", "stored_tree", "telemetry"]),
    ("publisher", &["clock", "limits", "stored_tree", "telemetry", "web_client"]),
    ("reader", &["limits"]),
    // in the place of the rooms that write, where the log is written elsewhere
    (
        "follow",
        &["annex", "limits", "publisher", "recovery", "stored_tree", "telemetry", "web_client"],
    ),
    // not of the log: a server of its own, whose key is a file like the log's
    ("witness", &["clock", "publisher::signer"]),
    // offline, and not of the log either: it reads the keys and certificates that admission reads
    ("verify", &["admission::decode_base64", "admission::pki", "limits"]),
    // before the rooms open, and when they are closed
    ("recovery", &["limits", "stored_tree"]),
    ("copy", &["admission::attestation_key", "limits", "stored_tree"]),
    ("fsck", &["admission::attestation_key", "limits", "recovery", "stored_tree"]),
    // beside the rooms, and after what is published: the same for readers without a server
    ("export", &["annex", "limits", "publisher", "stored_tree", "telemetry"]),
    // small things that everybody may hold
    ("shards", &[]),
    ("stored_tree", &[]),
    ("quota", &[]),
    ("heavy", &["limits"]),
    ("config", &["limits"]),
    ("clock", &[]),
    ("limits", &[]),
    ("telemetry", &["config"]),
    ("web_client", &[]),
];

/// What stays behind a wall: a crate, a module or a deed, and the only places that may name it.
pub(crate) const WALLS: &[(&str, &[&str])] = &[
    // protocols stop at the front door
    ("hyper::", &["src/frontend/"]),
    ("hyper_util::", &["src/frontend/"]),
    ("http_body_util::", &["src/frontend/"]),
    ("tonic::", &["src/frontend/grpc/", "proto/"]),
    ("tonic_health::", &["src/frontend/grpc/"]),
    ("tonic_reflection::", &["src/frontend/grpc/"]),
    ("prost::", &["src/frontend/", "src/admission/", "proto/"]),
    ("proto::", &["src/frontend/", "src/admission/"]),
    ("ureq::", &["src/follow/source.rs", "src/publisher/witness/http.rs", "src/web_client.rs"]),
    ("clap::", &["src/cli/", "src/config/"]),
    ("prometheus::", &["src/telemetry/"]),
    ("rocksdb::", &["storage/src/rocksdb/", "storage/src/lib.rs", "src/cli/data_dir/"]),
    ("fjall::", &["storage/src/fjall/", "storage/src/lib.rs", "src/cli/data_dir/"]),
    ("object_store::", &["src/export/objects.rs"]),
    ("tokio_postgres::", &["storage/src/postgres/"]),
    ("rustls::", &["storage/src/postgres/tls.rs", "src/web_client.rs"]),
    // storage hashes nothing and signs nothing; who signs is the publisher
    (
        "aws_lc_rs::",
        &[
            "src/admission/",
            "src/cli/",
            "src/clock.rs",
            "src/publisher/",
            "src/verify/artifact.rs",
            "src/web_client.rs",
            "storage/src/postgres/tls.rs",
            "tlog/src/",
        ],
    ),
    (
        "ed25519_dalek::",
        &[
            "src/admission/",
            "src/annex/",
            "src/publisher/",
            "src/verify/artifact.rs",
            "src/witness/tests/",
            "tlog/src/",
        ],
    ),
    // tlog is pure: no I/O, clock, randomness, async, serde
    ("std::fs", &["src/", "storage/src/", "tlog/src/tests/"]),
    ("std::net", &["src/", "storage/src/postgres/options.rs"]),
    ("std::time", &["src/", "storage/src/"]),
    ("std::thread", &["src/", "storage/src/"]),
    ("tokio::", &["src/", "storage/src/"]),
    ("serde::", &["src/", "storage/src/"]),
    ("serde_json::", &["src/", "storage/src/", "tlog/src/tests/"]),
    // only the sequencer commits, and what takes over a whole log; only the publisher publishes,
    // only the command line founds a log
    (".commit(", &["src/sequencer/", "src/copy.rs", "src/follow/replica.rs", "storage/src/"]),
    (".publish(", &["src/publisher/", "src/copy.rs", "storage/src/"]),
    (".create_log(", &["src/cli/", "src/copy.rs", "storage/src/"]),
];
