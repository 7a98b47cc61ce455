//! The clock of the machine is set forward and back under the server, which goes on.
//!
//! A library of Debian's package `faketime` stands between the real binary and the clock.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::ledger::Ledger;
use crate::load::{check_all, serves, under_load};
use crate::report::Report;
use crate::rounds;
use crate::server::{Server, fsck};

/// Seconds that the clock may be set back for times to stand still: `CLOCK_SET_BACK_MAX`.
const STANDS_STILL: i64 = cairn::limits::CLOCK_SET_BACK_MAX;
const DAY: i64 = 86_400;

/// A clock that can be set, for the servers that are started with it.
struct Clock {
    folder: tempfile::TempDir,
    library: PathBuf,
}

impl Clock {
    /// Says why there is none where the library is not installed, unless it has to be there:
    /// `CAIRN_TEST_FAKETIME=required`.
    fn new() -> Option<Self> {
        let place = |entry: fs::DirEntry| entry.path().join("faketime/libfaketimeMT.so.1");
        let places = fs::read_dir("/usr/lib").unwrap().map(|entry| place(entry.unwrap()));
        let Some(library) = places.into_iter().find(|library| library.exists()) else {
            let required = std::env::var("CAIRN_TEST_FAKETIME").is_ok_and(|it| it == "required");
            assert!(!required, "libfaketime is not installed");
            eprintln!("skipped: libfaketime is not installed");
            return None;
        };
        let clock = Self { folder: tempfile::tempdir().unwrap(), library };
        clock.set(0);
        Some(clock)
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("offset")
    }

    /// Sets it so many seconds before or after the real time.
    fn set(&self, seconds: i64) {
        let new = self.folder.path().join("new");
        fs::write(&new, format!("{seconds:+}\n")).unwrap();
        fs::rename(new, self.file()).unwrap();
    }

    fn serve(&self, place: &Path) -> Server {
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let set = [
            ("LD_PRELOAD", text(&self.library)),
            ("FAKETIME_TIMESTAMP_FILE", text(&self.file())),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            // As on a machine whose clock is set: what measures durations is another one.
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ];
        Server::start_with(place, &[], &set)
    }
}

/// Integrated times in the order of the entries.
fn times(logs: &[Ledger]) -> Vec<i64> {
    let entries = &logs.iter().find(|log| log.name == "v1").unwrap().entries;
    let mut times: Vec<_> = entries.values().map(|it| (it.index, it.integrated_time)).collect();
    times.sort_unstable();
    times.into_iter().map(|(_, time)| time).collect()
}

/// By how much each time is before the one before, where it is.
fn steps_back(times: &[i64]) -> Vec<i64> {
    times.windows(2).map(|pair| pair[0] - pair[1]).filter(|back| *back > 0).collect()
}

/// Days forward and back: the times follow, and nothing else happens.
#[test]
fn the_clock_jumps() {
    let Some(clock) = Clock::new() else { return };
    let place = tempfile::tempdir().unwrap();
    let mut server = clock.serve(place.path());
    let mut logs = Ledger::of_logs(&server);
    let mut report = Report::new("clock set a day forward, a day back, under load", "rocksdb");
    for round in 0..rounds(1) {
        let address = server.address();
        let before = logs.iter().map(|log| log.checkpoints.len()).sum::<usize>();
        under_load(&[address], &mut logs, || {
            sleep(Duration::from_millis(100));
            for offset in [DAY, 0, -DAY, 0] {
                clock.set(offset);
                let began = Instant::now();
                serves(address);
                report.worst = report.worst.max(began.elapsed());
                sleep(Duration::from_millis(100));
            }
        });
        report.rounds += 1;
        let after = logs.iter().map(|log| log.checkpoints.len()).sum::<usize>();
        assert!(after > before + 4, "{before} checkpoints, {after} after four jumps");
        if round % 2 == 1 {
            server.kill();
            clock.set(-DAY);
            server = clock.serve(place.path());
            serves(server.address());
            clock.set(0);
        }
        check_all(&mut logs, &server);
    }
    server.stop();
    fsck(place.path());
    let (times, back) = (times(&logs), steps_back(&times(&logs)));
    let span = times.iter().max().unwrap() - times.iter().min().unwrap();
    assert!(span > 2 * DAY - STANDS_STILL, "the clock was not set: all within {span} s");
    assert!(back.iter().all(|step| *step > STANDS_STILL), "times go back by little: {back:?}");
    assert!(back.len() >= 2 * report.rounds, "it was set back in each round: {back:?}");
    report.print(&logs);
}

/// Set back by little, as a time server does it: times stand still, also over a restart.
#[test]
fn the_clock_is_set_back_a_little() {
    let Some(clock) = Clock::new() else { return };
    let place = tempfile::tempdir().unwrap();
    let mut server = clock.serve(place.path());
    let mut logs = Ledger::of_logs(&server);
    let mut report = Report::new("clock set back a minute, server killed, under load", "rocksdb");
    for _ in 0..rounds(2) {
        under_load(&[server.address()], &mut logs, || {
            sleep(Duration::from_millis(100));
            clock.set(-60);
            serves(server.address());
            sleep(Duration::from_millis(100));
            server.kill();
            clock.set(-120);
            let began = Instant::now();
            server = clock.serve(place.path());
            serves(server.address());
            report.round(began.elapsed());
        });
        // The writers of that load have lost the address.
        under_load(&[server.address()], &mut logs, || sleep(Duration::from_millis(100)));
        check_all(&mut logs, &server);
        // Forward again, and on from there.
        clock.set(0);
        serves(server.address());
    }
    server.stop();
    fsck(place.path());
    let times = times(&logs);
    assert!(steps_back(&times).is_empty(), "times go back: {times:?}");
    report.print(&logs);
}
