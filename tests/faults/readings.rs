//! All that a log says, held against what it said before what it stores was damaged.
//!
//! What is answered has to be right, to the byte and down to its proof. What cannot be answered is
//! a 5xx; anything else ends the test.

use std::time::Duration;

use serde_json::Value;
use tlog::{ConsistencyProof, TileId, TilePath, TreeSize, decode_bundle, decode_tile, hash_leaf};

use crate::client::{Client, Entry};
use crate::ledger::Ledger;
use crate::load::under_load;
use crate::server::Server;

/// Entries that are read one by one.
const SAMPLE: u64 = 60;

/// Writes to both logs until each has so many entries, all of which are answered.
pub(crate) fn fill(server: &Server, logs: &mut [Ledger], entries: u64) {
    let names: Vec<_> = logs.iter().map(|log| (log.name.clone(), log.origin.clone())).collect();
    let size = |client: &mut Client, (name, origin): &(String, String)| {
        let note = client.checkpoint(name).unwrap();
        assert!(note.starts_with(origin));
        note.lines().nth(1).unwrap().parse::<u64>().unwrap()
    };
    under_load(&[server.address()], logs, || {
        let mut client = Client::connect(server.address()).unwrap();
        while names.iter().any(|log| size(&mut client, log) < entries) {
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    for log in logs {
        let mut client = Client::connect(server.address()).unwrap();
        let size = log.saw_checkpoint(&client.checkpoint(&log.name).unwrap(), &[]);
        assert_eq!(size.0, log.entries.len() as u64, "somebody else writes");
    }
}

/// Reads what there is of all logs, the entry at `target` in any case, and gives what could not be
/// read.
pub(crate) fn read_all(server: &Server, logs: &mut [Ledger], target: u64) -> Vec<String> {
    let mut readings =
        Readings { client: Client::connect(server.address()).unwrap(), refused: Vec::new() };
    for log in logs {
        let size = readings.checkpoint(log);
        readings.tiles(log, size);
        if log.name == "v1" {
            let step = (size.0 / SAMPLE).max(1) as usize;
            for index in (0..size.0).step_by(step).chain([target, size.0 - 1]) {
                readings.entry(log, index, size);
            }
            for old in (1..size.0).step_by(step * 4) {
                readings.consistency(log, TreeSize(old), size);
            }
        }
    }
    readings.refused
}

struct Readings {
    client: Client,
    refused: Vec<String>,
}

impl Readings {
    /// The answer; none when it is an error of the server's.
    fn get(&mut self, path: &str) -> Option<Vec<u8>> {
        let answer = self.client.get(path);
        self.answered(path, answer)
    }

    fn answered(&mut self, what: &str, (status, body): (u16, Vec<u8>)) -> Option<Vec<u8>> {
        match status {
            200 => Some(body),
            500..=599 => {
                self.refused.push(what.to_owned());
                None
            }
            _ => panic!("{what}: {status} {}", String::from_utf8_lossy(&body)),
        }
    }

    /// The newest checkpoint, which a damaged log never takes back.
    fn checkpoint(&mut self, log: &mut Ledger) -> TreeSize {
        let largest = *log.checkpoints.keys().next_back().unwrap();
        if let Some(note) = self.get(&format!("/logs/{}/checkpoint", log.name)) {
            let size = log.saw_checkpoint(&String::from_utf8(note).unwrap(), &[]);
            assert_eq!(size, largest, "nobody has written, and it is another size");
        }
        largest
    }

    fn tiles(&mut self, log: &Ledger, size: TreeSize) {
        for index in 0..size.0.div_ceil(256) {
            let width = u16::try_from((size.0 - index * 256).min(256)).unwrap();
            let bodies: Vec<_> = (index * 256..index * 256 + u64::from(width))
                .map(|index| log.entries[&index].body.as_slice())
                .collect();
            let path = format!("/logs/{}/{}", log.name, TilePath::Entries { index, width });
            if let Some(bundle) = self.get(&path) {
                assert!(decode_bundle(&bundle).unwrap() == bodies, "{path}: other entries");
            }
            let tile = TilePath::Tile { tile: TileId { level: 0, index }, width };
            let path = format!("/logs/{}/{tile}", log.name);
            if let Some(tile) = self.get(&path) {
                let leaves: Vec<_> = bodies.iter().map(|body| hash_leaf(body).to_node()).collect();
                assert!(decode_tile(&tile).unwrap() == leaves, "{path}: other hashes");
            }
        }
    }

    /// An entry by its index and by its name, and found by what it is about.
    fn entry(&mut self, log: &Ledger, index: u64, size: TreeSize) {
        let known = &log.entries[&index];
        let leaf = hash_leaf(&known.body).to_string();
        for path in
            [format!("/api/v1/log/entries?logIndex={index}"), format!("/api/v1/log/entries/{leaf}")]
        {
            let Some(answer) = self.get(&path) else { continue };
            let entry = Entry::parse_v1(&serde_json::from_slice(&answer).unwrap());
            assert!(entry.body == known.body, "{path}: another entry");
            assert_eq!((entry.index, entry.proof.size), (index, size), "{path}");
            entry.verify_inclusion();
        }
        let body: Value = serde_json::from_slice(&known.body).unwrap();
        let digest = body["spec"]["data"]["hash"]["value"].as_str().unwrap();
        let query = serde_json::json!({ "hash": format!("sha256:{digest}") }).to_string();
        let found = self.client.send("POST", "/api/v1/index/retrieve", &query).unwrap();
        if let Some(found) = self.answered(&format!("a search for {index}"), found) {
            let found = String::from_utf8(found).unwrap();
            assert!(found.contains(&leaf), "{index} is not found by its digest: {found}");
        }
    }

    fn consistency(&mut self, log: &Ledger, old: TreeSize, new: TreeSize) {
        let path = format!("/api/v1/log/proof?firstSize={old}&lastSize={new}");
        let Some(answer) = self.get(&path) else { return };
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        let proof = ConsistencyProof { old, new, hashes: crate::client::hashes(&answer["hashes"]) };
        if let Some(root) = log.checkpoints.get(&old) {
            proof.verify(root, &log.checkpoints[&new]).unwrap();
        }
    }
}
