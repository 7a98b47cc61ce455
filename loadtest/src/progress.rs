//! One line on a terminal that is written over; nothing at all when standard error is not one.

use std::io::{IsTerminal, Write, stderr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

const EVERY: Duration = Duration::from_millis(100);

/// The line. It is wiped when this is dropped.
pub struct Progress {
    shows: bool,
}

impl Progress {
    /// A line, if somebody can see it.
    pub fn new() -> Self {
        Self { shows: stderr().is_terminal() }
    }

    /// Whether anything is shown.
    pub const fn shows(&self) -> bool {
        self.shows
    }

    /// Writes over the line.
    pub fn line(&self, text: &str) {
        if self.shows {
            let _ = write!(stderr(), "\r\x1b[K{text}");
        }
    }

    /// Shows how far `work` has come, which counts its steps.
    pub fn during<T>(label: &str, total: u64, work: impl FnOnce(&AtomicU64) -> T) -> T {
        let progress = Self::new();
        let (steps, ended) = (AtomicU64::new(0), AtomicBool::new(false));
        if !progress.shows {
            return work(&steps);
        }
        thread::scope(|scope| {
            scope.spawn(|| {
                while !ended.load(Ordering::Relaxed) {
                    progress.line(&format!("{label} {}/{total}", steps.load(Ordering::Relaxed)));
                    thread::sleep(EVERY);
                }
            });
            let made = work(&steps);
            ended.store(true, Ordering::Relaxed);
            made
        })
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.line("");
    }
}
