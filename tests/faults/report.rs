//! What a fault did, as a line of the table.

use std::time::Duration;

use crate::ledger::Ledger;

/// What is counted while faults are injected.
pub(crate) struct Report {
    pub(crate) fault: &'static str,
    pub(crate) engine: &'static str,
    pub(crate) rounds: usize,
    /// The longest time until an entry was answered again.
    pub(crate) worst: Duration,
}

impl Report {
    pub(crate) fn new(fault: &'static str, engine: &'static str) -> Self {
        Self { fault, engine, rounds: 0, worst: Duration::ZERO }
    }

    /// One more round, and how long it took until the log served again.
    pub(crate) fn round(&mut self, served_after: Duration) {
        self.rounds += 1;
        self.worst = self.worst.max(served_after);
    }

    /// Prints the line. All of it was checked before: what is lost or forked ends the test.
    pub(crate) fn print(&self, logs: &[Ledger]) {
        let answered: usize = logs.iter().map(|log| log.entries.len()).sum();
        let Self { fault, engine, rounds, worst } = self;
        assert!(*rounds > 0 && answered >= *rounds, "{fault}: {answered} entries, no load");
        let seconds = worst.as_secs_f64();
        println!(
            "\nreliability: | {fault} | {engine} | {rounds} | {answered} | 0 | 0 | {seconds:.2} s |"
        );
    }
}
