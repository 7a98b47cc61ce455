//! Verifies what was kept of the answers, after the clock has stopped, on all cores.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use crate::fault::Fault;
use crate::progress::Progress;
use crate::tally::{Failures, Sample};

/// Verifies each answer; what fails is added to `failures`, the rest is given back.
pub fn verify_samples<V: Send>(
    samples: &[Sample],
    verify: impl Fn(&Sample) -> Result<V, Fault> + Sync,
    subject: impl Fn(u64) -> String,
    failures: &mut Failures,
) -> Vec<V> {
    let results = Progress::during("  verifying", samples.len() as u64, |done| {
        verify_on_all_cores(samples, &verify, done)
    });
    let mut verified = Vec::new();
    for (share, numbers) in results {
        let Ok(results) = share else {
            failures.add("verification", "it stopped before its end");
            continue;
        };
        for (result, number) in results.into_iter().zip(numbers) {
            match result {
                Ok(entry) => verified.push(entry),
                Err(fault) => failures.add(subject(number), fault),
            }
        }
    }
    verified
}

/// The results of one core, and the numbers of the requests that they are about.
type Share<V> = (thread::Result<Vec<Result<V, Fault>>>, Vec<u64>);

fn verify_on_all_cores<V: Send>(
    samples: &[Sample],
    verify: &(impl Fn(&Sample) -> Result<V, Fault> + Sync),
    done: &AtomicU64,
) -> Vec<Share<V>> {
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let share = samples.len().div_ceil(cores).max(1);
    let verify_chunk = |chunk: &[Sample]| {
        let counted = chunk.iter().map(|sample| {
            done.fetch_add(1, Ordering::Relaxed);
            verify(sample)
        });
        counted.collect::<Vec<_>>()
    };
    thread::scope(|scope| {
        let workers: Vec<_> = samples
            .chunks(share)
            .map(|chunk| (scope.spawn(move || verify_chunk(chunk)), chunk))
            .collect();
        let numbers = |chunk: &[Sample]| chunk.iter().map(|sample| sample.number).collect();
        workers.into_iter().map(|(worker, chunk)| (worker.join(), numbers(chunk))).collect()
    })
}
