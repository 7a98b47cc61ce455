//! A v1 log over any engine, with all its rooms and without a front door.

#![allow(unreachable_pub, reason = "a module of several benches")]

use std::sync::Arc;

use cairn::admission::Policy;
use cairn::log::{Api, Log, Rules};
use cairn::publisher::signer::{FileSigner, KeyKind};
use cairn::publisher::{Publisher, Setup, SigningCore};
use cairn::reader::Reader;
use cairn::sequencer::Sequencer;
use cairn::shard::Shard;
use cairn::telemetry::Metrics;
use storage::{LogRecord, Store, TreeId};
use tlog::RightEdge;

/// What binds the log to its identity; nobody looks at its key here.
pub fn record() -> LogRecord {
    LogRecord {
        tree_id: TreeId::new(1).unwrap(),
        name: "v1".into(),
        api: "v1".into(),
        origin: tlog::v1_origin("log.example", 1),
        public_key: vec![1],
        created: 0,
    }
}

/// A new log of an empty store.
pub async fn log_over(store: &dyn Store) -> Log {
    let (signer, _) = FileSigner::generate(KeyKind::EcdsaP256).unwrap();
    let log = store.create_log(record()).await.unwrap();
    let core = Arc::new(SigningCore::rekor_v1(Arc::new(signer), "log.example", 1));
    let metrics = Metrics::new().log("v1");
    let (sequencer, heads) =
        Sequencer::start(log.clone(), RightEdge::empty(), || 1_700_000_000, metrics.clone());
    let setup = Setup::new(core, log.clone(), || 1_700_000_000, metrics);
    let publisher = Publisher::start(setup, heads).await.unwrap();
    let active = Shard::new(record(), Reader::new(log), publisher);
    Log::new(Rules::new("v1", Api::V1, Policy::default()), sequencer, Vec::new(), active)
}
