//! The write path end to end, without HTTP: admission, commit, checkpoint, SET and proof.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a bench stops by panicking")]

use std::sync::Arc;

use cairn::admission::Proposal;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use storage::Store;
use storage::memory::MemoryStore;
use storage::rocksdb::{Options, RocksStore};
use tokio::runtime::Runtime;

#[path = "../tests/support/mod.rs"]
mod support;
#[path = "stages/logs.rs"]
mod logs;

const WRITERS: [usize; 3] = [1, 16, 256];

fn append_on(c: &mut Criterion, engine: &str, store: &dyn Store) {
    let runtime = Runtime::new().unwrap();
    let log = Arc::new(runtime.block_on(logs::log_over(store)));
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
