//! What a database gives back is no longer what it was given: a row that somebody changed, a byte
//! that a disk changed. The database may not notice; Cairn does.

use std::fs;
use std::time::Instant;

use tlog::hash_leaf;

use crate::ledger::Ledger;
use crate::load::{check_all, serves};
use crate::postgres::Postgres;
use crate::readings::{fill, read_all};
use crate::report::Report;
use crate::server::{Server, examine};

/// More than a tile, so that there are two, and a second level.
const ENTRIES: u64 = 400;
const TARGET: u64 = 100;

/// One server on a database, and all that was ever answered.
struct House {
    place: tempfile::TempDir,
    more: [String; 2],
    logs: Vec<Ledger>,
}

impl House {
    fn make(database: &Postgres) -> (Self, Server) {
        let place = tempfile::tempdir().unwrap();
        let more = ["--storage".to_owned(), database.url("log")];
        let server = Server::start(place.path(), &more);
        let mut logs = Ledger::of_logs(&server);
        fill(&server, &mut logs, ENTRIES);
        (Self { place, more, logs }, server)
    }

    fn attempt(&self) -> Result<Server, String> {
        Server::attempt(self.place.path(), &self.more)
    }

    /// All that a server that starts now answers: nothing, or nothing wrong. True when that, or the
    /// examination, names the damage.
    fn is_noticed(&mut self) -> bool {
        let noticed = match self.attempt() {
            Ok(server) => !read_all(&server, &mut self.logs, TARGET).is_empty(),
            Err(said) => {
                let named = ["damaged", "two different logs", "not this log's"];
                assert!(named.iter().any(|words| said.contains(words)), "not named: {said}");
                println!("refused: {}", said.trim());
                true
            }
        };
        let (sound, said) = examine(self.place.path(), &self.more);
        assert!(!sound, "fsck finds nothing wrong: {said}");
        let named: Vec<_> = said.lines().filter(|it| it.starts_with("DIFFERS")).collect();
        println!("fsck: {named:?} {}", said.lines().last().unwrap_or_default());
        noticed
    }

    /// Served again after the damage is undone; nothing is missing.
    fn is_whole(&mut self, report: &mut Report) -> Server {
        let began = Instant::now();
        let server = self.attempt().unwrap();
        serves(server.address());
        report.round(began.elapsed());
        check_all(&mut self.logs, &server);
        // The entry that was just made is in none of the ledgers: they learn the new size.
        for log in &mut self.logs {
            fill_up(log, &server);
        }
        server
    }
}

/// Takes the entries that others made since.
fn fill_up(log: &mut Ledger, server: &Server) {
    let mut client = crate::client::Client::connect(server.address()).unwrap();
    let size = log.checkpoints.keys().next_back().unwrap().0;
    for index in log.entries.len() as u64..size {
        let entry = client.get_v1(index).unwrap();
        entry.verify_inclusion();
        log.entries.insert(index, entry);
    }
}

/// Each is its own undoing. The last one stops the writer of a running server for good.
const CHANGES: [(&str, &str, &str); 7] = [
    ("body", "cairn_entry", "body = set_byte(body, 70, get_byte(body, 70) # 1) WHERE idx = 100"),
    (
        "leaf hash",
        "cairn_hash",
        "hash = set_byte(hash, 3, get_byte(hash, 3) # 1) WHERE level = 0 AND place = 100",
    ),
    (
        "leaf hash at the edge",
        "cairn_hash",
        "hash = set_byte(hash, 3, get_byte(hash, 3) # 1) WHERE level = 0 AND place = 390",
    ),
    (
        "hash of a tile",
        "cairn_hash",
        "hash = set_byte(hash, 31, get_byte(hash, 31) # 128) WHERE level = 1 AND place = 0",
    ),
    ("look-up of two leaves", "cairn_leaf", "idx = 107 - idx WHERE idx IN (7, 100)"),
    (
        "checkpoint",
        "cairn_checkpoint",
        "note = convert_from(set_byte(convert_to(note, 'UTF8'), length(note) - 9, \
         get_byte(convert_to(note, 'UTF8'), length(note) - 9) # 1), 'UTF8') WHERE true",
    ),
    ("head", "cairn_head", "root = set_byte(root, 0, get_byte(root, 0) # 1) WHERE true"),
];

#[test]
fn rows_are_changed() {
    let Some(database) = Postgres::start(&[]) else { return };
    let (mut house, mut server) = House::make(&database);
    let tree = server_tree(&server);
    let mut report = Report::new("a row changed by SQL, then put right again", "postgres");
    for (what, table, change) in CHANGES {
        let sql = format!("UPDATE {table} SET {change} AND tree_id = {tree}");
        database.sql("log", &sql);
        let refused = read_all(&server, &mut house.logs, TARGET);
        println!("{what}: {refused:?} on the running server");
        drop(server);
        assert!(house.is_noticed(), "{what}: neither the start nor a read notices");
        database.sql("log", &sql);
        server = house.is_whole(&mut report);
    }
    report.print(&house.logs);
}

/// The ID of the v1 tree, which is in its origin.
fn server_tree(server: &Server) -> String {
    let logs = Ledger::of_logs(server);
    let origin = &logs.iter().find(|log| log.name == "v1").unwrap().origin;
    origin.rsplit_once(" - ").unwrap().1.to_owned()
}

#[test]
fn a_database_with_checksums_reads_what_rots() {
    rows_rot("a flipped byte in a table's file, with data checksums", &["--data-checksums"]);
}

#[test]
fn a_database_without_checksums_reads_what_rots() {
    rows_rot("a flipped byte in a table's file, without data checksums", &[]);
}

fn rows_rot(fault: &'static str, initdb: &[&str]) {
    let made = Postgres::make(&std::env::temp_dir(), &["autovacuum=off"], initdb);
    let Some(mut database) = made else { return };
    let (mut house, server) = House::make(&database);
    drop(server);
    let mut report = Report::new(fault, "postgres");
    let v1 = house.logs.iter().find(|log| log.name == "v1").unwrap();
    let entry = &v1.entries[&TARGET];
    let (leaf, body) = (hash_leaf(&entry.body), entry.body[200..230].to_vec());
    for (table, wanted) in [("cairn_entry", body), ("cairn_hash", leaf.as_bytes().to_vec())] {
        let file = database.sql("log", &format!("SELECT pg_relation_filepath('{table}')"));
        let file = database.data_folder().join(file);
        let flip = || {
            let mut bytes = fs::read(&file).unwrap();
            let at = bytes.windows(wanted.len()).position(|it| it == wanted);
            let at = at.unwrap_or_else(|| panic!("{table} does not hold it as it is"));
            let sound = bytes.clone();
            bytes[at + wanted.len() / 2] ^= 0x01;
            fs::write(&file, bytes).unwrap();
            sound
        };
        database.stop();
        let sound = flip();
        database.begin();
        assert!(house.is_noticed(), "{table}: neither the start nor a read notices");
        database.stop();
        fs::write(&file, sound).unwrap();
        database.begin();
        drop(house.is_whole(&mut report));
    }
    report.print(&house.logs);
}
