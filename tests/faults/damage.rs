//! Bytes that are no longer what was written, in the files of the embedded engines.
//!
//! Each is noticed: the server does not start and says why, or what it cannot vouch for is an
//! error, or it was a byte that nothing depends on. A wrong answer ends the test.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use tlog::hash_leaf;

use crate::ledger::Ledger;
use crate::load::{check_all, serves};
use crate::readings::{fill, read_all};
use crate::report::Report;
use crate::rounds;
use crate::server::{Server, examine};

/// The entry whose bytes are damaged on purpose.
const TARGET: u64 = 100;
/// Bytes of a file from which on it holds more than the engine's own notes.
const LARGE: u64 = 512;

/// A log that was written and is not served: each damage is done to a copy of it.
struct Original {
    engine: &'static str,
    folder: tempfile::TempDir,
    logs: Vec<Ledger>,
}

/// What is done to a file.
#[derive(Debug)]
enum Damage {
    Flip(u64),
    CutTo(u64),
    Remove,
}

/// Who noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Noticed {
    AtStart,
    InReads,
    ByFsck,
    Nowhere,
}

impl Original {
    /// A log of so many entries and more, whose server was stopped in good order or killed.
    fn make(engine: &'static str, entries: u64, stopped: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut server = Server::start(folder.path(), &storage(engine));
        let mut logs = Ledger::of_logs(&server);
        fill(&server, &mut logs, entries);
        match stopped {
            true => server.stop(),
            false => server.kill(),
        }
        Self { engine, folder, logs }
    }

    /// The files that hold what is stored, below the store's folder.
    fn files(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![PathBuf::new()];
        while let Some(below) = folders.pop() {
            for entry in fs::read_dir(self.store().join(&below)).unwrap().map(Result::unwrap) {
                let path = below.join(entry.file_name());
                let name = entry.file_name().into_string().unwrap();
                let told = ["LOG", "LOCK", "lock", "OPTIONS", "IDENTITY"];
                if entry.file_type().unwrap().is_dir() {
                    folders.push(path);
                } else if !told.iter().any(|start| name.starts_with(start)) {
                    found.push(path);
                }
            }
        }
        found.retain(|path| self.written(path) > 0);
        found.sort();
        found
    }

    fn store(&self) -> PathBuf {
        self.folder.path().join("data/db")
    }

    /// Bytes of a file up to the zeros that it may end with.
    fn written(&self, file: &Path) -> u64 {
        let bytes = fs::read(self.store().join(file)).unwrap();
        bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last as u64 + 1)
    }

    /// Where these bytes stand as they are.
    fn places(&self, wanted: &[u8]) -> Vec<(PathBuf, u64)> {
        let mut found = Vec::new();
        for file in self.files() {
            let bytes = fs::read(self.store().join(&file)).unwrap();
            let hits = bytes.windows(wanted.len()).enumerate().filter(|(_, it)| *it == wanted);
            found.extend(hits.map(|(at, _)| (file.clone(), (at + wanted.len() / 2) as u64)));
        }
        found
    }

    /// Damages a copy, serves and examines it, and gives who noticed.
    fn damage(&mut self, file: &Path, damage: &Damage) -> Noticed {
        let copy = tempfile::tempdir().unwrap();
        let copied = Command::new("cp")
            .args(["-a", "-T"])
            .args([self.folder.path(), copy.path()])
            .status()
            .unwrap();
        assert!(copied.success());
        let damaged = copy.path().join("data/db").join(file);
        match damage {
            Damage::Flip(at) => {
                let mut bytes = fs::read(&damaged).unwrap();
                bytes[usize::try_from(*at).unwrap()] ^= 0x10;
                fs::write(&damaged, bytes).unwrap();
            }
            Damage::CutTo(length) => {
                fs::File::options().write(true).open(&damaged).unwrap().set_len(*length).unwrap();
            }
            Damage::Remove => fs::remove_file(&damaged).unwrap(),
        }
        let more = storage(self.engine);
        let mut server = match Server::attempt(copy.path(), &more) {
            Ok(server) => server,
            Err(said) => {
                println!("refused: {}", said.trim());
                let names = ["damaged", "older copy", "cannot be read", "missing", "no store"];
                assert!(names.iter().any(|name| said.contains(name)), "not named: {said}");
                return Noticed::AtStart;
            }
        };
        let refused = read_all(&server, &mut self.logs, TARGET);
        server.kill();
        let (sound, said) = examine(copy.path(), &more);
        assert!(refused.is_empty() || !sound, "{refused:?} cannot be read: fsck says {said}");
        match (refused.is_empty(), sound) {
            (false, _) => Noticed::InReads,
            (true, false) => Noticed::ByFsck,
            (true, true) => Noticed::Nowhere,
        }
    }

    /// Bytes of one entry, of its leaf hash and of the newest checkpoint, wherever they stand, and
    /// some anywhere; the end of what is written ahead; a sorted file as a whole. Whether it has to
    /// be noticed: a checkpoint that is cut off is signed again, and some bytes mean nothing.
    fn damages(&self) -> Vec<(PathBuf, Damage, bool)> {
        let v1 = &self.logs[0];
        let (entry, mut all) = (&v1.entries[&TARGET], Vec::new());
        let newest = v1.entries.values().max_by_key(|entry| entry.proof.size).unwrap();
        for (wanted, must) in [
            (hash_leaf(&entry.body).as_bytes().as_slice(), true),
            (&entry.body[200..230], true),
            (newest.checkpoint.as_bytes(), false),
        ] {
            let places = self.places(wanted);
            all.extend(places.into_iter().map(|(file, at)| (file, Damage::Flip(at), must)));
        }
        let files = self.files();
        let large: Vec<_> = files.iter().filter(|file| self.written(file) >= LARGE).collect();
        for number in 0..rounds(1) * 2 {
            let file = large[number % large.len()];
            let at = self.written(file) * (number as u64 * 37 % 100) / 100;
            all.push((file.clone(), Damage::Flip(at), false));
        }
        let ends_with = |file: &Path, end: &str| file.extension().is_some_and(|it| it == end);
        let ahead = files.iter().filter(|it| ends_with(it, "log") || ends_with(it, "jnl"));
        all.extend(ahead.map(|it| (it.clone(), Damage::CutTo(self.written(it) / 2), true)));
        let sorted = files.iter().find(|it| ends_with(it, "sst") || it.starts_with("tables"));
        all.extend(sorted.map(|it| (it.clone(), Damage::Remove, true)));
        all
    }
}

#[test]
fn files_of_rocksdb_rot() {
    files_rot("rocksdb", &[(600, true), (600, false)]);
}

#[test]
fn files_of_fjall_rot() {
    // So many that some of it is in sorted files; what is not is in the journal, however it ends.
    files_rot("fjall", &[(6_000, true)]);
}

/// Logs of so many entries, whose servers were stopped in good order or killed.
fn files_rot(engine: &'static str, originals: &[(u64, bool)]) {
    let fault = "a flipped byte, a file cut off or gone, then the sound files again";
    let (mut report, mut all) = (Report::new(fault, engine), Vec::new());
    for (entries, stopped) in originals {
        let mut original = Original::make(engine, *entries, *stopped);
        for (file, damage, must) in original.damages() {
            let noticed = original.damage(&file, &damage);
            println!("{damage:?} of {}: {noticed:?}", file.display());
            assert!(!must || noticed != Noticed::Nowhere, "it was not noticed");
            report.rounds += 1;
        }
        let began = Instant::now();
        let server = Server::start(original.folder.path(), &storage(engine));
        serves(server.address());
        report.worst = report.worst.max(began.elapsed());
        check_all(&mut original.logs, &server);
        all.extend(original.logs);
    }
    report.print(&all);
}

fn storage(engine: &str) -> [String; 2] {
    ["--storage", engine].map(String::from)
}
