//! Each stage of the write and the read path, timed. `instructions` counts the same ones.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a bench stops by panicking")]

use criterion::{Criterion, criterion_group, criterion_main};

#[path = "stages/mod.rs"]
mod stages;

fn all(c: &mut Criterion) {
    let mut group = c.benchmark_group("stages");
    group.sample_size(20);
    for stage in stages::STAGES {
        let mut run = None;
        // Prepared only when it is asked for.
        group.bench_function(stage.name, |b| b.iter(run.get_or_insert_with(stage.prepare)));
    }
    group.finish();
}

criterion_group!(benches, all);
criterion_main!(benches);
