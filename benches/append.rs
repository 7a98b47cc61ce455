//! The write path end to end, without HTTP: admission, commit, checkpoint, SET and proof.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a bench stops by panicking")]

use std::sync::Arc;

use cairn::admission::{Policy, Proposal};
use cairn::log::{Api, Log, Rules};
use cairn::publisher::signer::{FileSigner, KeyKind, Signer};
use cairn::publisher::{Publisher, Setup, SigningCore};
use cairn::reader::Reader;
use cairn::sequencer::Sequencer;
use cairn::shard::Shard;
use cairn::telemetry::Metrics;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use storage::memory::MemoryStore;
use storage::rocksdb::{Options, RocksStore};
use storage::{LogRecord, Store, TreeId};
use tlog::RightEdge;
use tokio::runtime::Runtime;

#[path = "../tests/support/mod.rs"]
mod support;

const WRITERS: [usize; 3] = [1, 16, 256];

async fn log_over(store: &dyn Store) -> Log {
    let (signer, _) = FileSigner::generate(KeyKind::EcdsaP256).unwrap();
    let tree_id = TreeId::new(1).unwrap();
    let record = LogRecord {
        tree_id,
        name: "v1".into(),
        api: "v1".into(),
        origin: tlog::v1_origin("log.example", 1),
        public_key: signer.public_key().to_vec(),
        created: 0,
    };
    let store = store.create_log(record.clone()).await.unwrap();
    let core = Arc::new(SigningCore::rekor_v1(Arc::new(signer), "log.example", 1));
    let metrics = Metrics::new().log("v1");
    let (sequencer, heads) =
        Sequencer::start(store.clone(), RightEdge::empty(), || 1_700_000_000, metrics.clone());
    let setup = Setup::new(core, store.clone(), || 1_700_000_000, metrics);
    let publisher = Publisher::start(setup, heads).await.unwrap();
    let active = Shard::new(record, Reader::new(store), publisher);
    let rules = Rules::new("v1", Api::V1, Policy::default());
    Log::new(rules, sequencer, Vec::new(), active)
}

fn append_on(c: &mut Criterion, engine: &str, store: &dyn Store) {
    let runtime = Runtime::new().unwrap();
    let log = Arc::new(runtime.block_on(log_over(store)));
    let mut proposals = support::Proposals::new();
    let mut group = c.benchmark_group(format!("append, {engine}"));
    group.sample_size(20);
    for writers in WRITERS {
        group.throughput(Throughput::Elements(writers as u64));
        group.bench_function(BenchmarkId::from_parameter(writers), |b| {
            let batch = || -> Vec<_> {
                let proposals = (0..writers).map(|_| proposals.next_json());
                proposals.map(|json| Proposal::from_json(json.as_bytes()).unwrap()).collect()
            };
            let append = |batch: Vec<Proposal>| {
                runtime.block_on(async {
                    let writers = batch.into_iter().map(|proposal| {
                        let log = log.clone();
                        tokio::spawn(async move {
                            let entry = log.create_entry(proposal).await.unwrap();
                            log.promise(entry).unwrap()
                        })
                    });
                    for writer in writers.collect::<Vec<_>>() {
                        writer.await.unwrap();
                    }
                });
            };
            b.iter_batched(batch, append, criterion::BatchSize::PerIteration);
        });
    }
    group.finish();
}

fn append(c: &mut Criterion) {
    append_on(c, "memory", &MemoryStore::new());
    let folder = tempfile::tempdir().unwrap();
    let options = Options { create_if_missing: true, ..Options::default() };
    let store = RocksStore::open(folder.path(), &options).unwrap();
    append_on(c, "rocksdb", &store);
}

criterion_group!(benches, append);
criterion_main!(benches);
