//! The disk is full: nothing more is written, everything is read, and when there is room again the
//! log goes on, without a restart.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::client::{Answer, Client};
use crate::ledger::Ledger;
use crate::load::{check_all, serves, under_load};
use crate::postgres::Postgres;
use crate::replicas::Replicas;
use crate::report::Report;
use crate::server::{Server, fsck_with};
use crate::support::Proposals;

const FULL_MAX: Duration = Duration::from_secs(60);

/// A small volume of its own, in memory.
struct Volume(tempfile::TempDir);

impl Volume {
    /// Says why there is none where this user may not mount.
    fn mount(mebibytes: u64) -> Option<Self> {
        let place = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        let size = format!("size={mebibytes}m,mode=777");
        mount.args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(place.path());
        let mounted = mount.output().is_ok_and(|output| output.status.success());
        if !mounted {
            eprintln!("skipped: this user may not mount a small volume");
        }
        mounted.then(|| Self(place))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes all that is left.
    fn fill(&self) -> PathBuf {
        let ballast = self.path().join("ballast");
        let mut file = fs::File::create(&ballast).unwrap();
        while std::io::Write::write_all(&mut file, &[0; 1 << 16]).is_ok() {}
        ballast
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        let _busy = Command::new("umount").arg("--lazy").arg(self.path()).status();
    }
}

#[test]
fn rocksdb_has_no_room() {
    an_embedded_store_has_no_room("rocksdb");
}

#[test]
fn fjall_has_no_room() {
    an_embedded_store_has_no_room("fjall");
}

fn an_embedded_store_has_no_room(engine: &'static str) {
    let Some(volume) = Volume::mount(160) else { return };
    let more = ["--storage", engine].map(String::from);
    let mut servers = [Server::start(volume.path(), &more)];
    let mut logs = Ledger::of_logs(&servers[0]);
    fills_up(&volume, engine, &mut servers, &mut logs);
    let [mut server] = servers;
    server.kill();
    fsck_with(volume.path(), &more);
    check_all(&mut logs, &Server::start(volume.path(), &more));
}

#[test]
fn a_database_has_no_room() {
    let Some(volume) = Volume::mount(160) else { return };
    let settings =
        ["wal_level=minimal", "max_wal_senders=0", "max_wal_size=32MB", "min_wal_size=32MB"];
    let Some(database) = Postgres::start_in(volume.path(), &settings) else { return };
    let mut replicas = Replicas::start(2, &database.url("log"));
    let mut logs = Ledger::of_logs(&replicas.servers[0]);
    fills_up(&volume, "postgres", &mut replicas.servers, &mut logs);
    replicas.fsck();
    drop(replicas);
    drop(database);
}

fn fills_up(volume: &Volume, engine: &'static str, servers: &mut [Server], logs: &mut [Ledger]) {
    let mut report = Report::new("disk full, then freed, without a restart", engine);
    let addresses: Vec<_> = servers.iter().map(Server::address).collect();
    for _ in 0..2 {
        under_load(&addresses, logs, || std::thread::sleep(Duration::from_millis(200)));
        let ballast = volume.fill();
        let refusal = refused(&servers[0]);
        assert!(refusal.contains("store is full"), "{refusal}");
        // What is stored is read as before, by everybody.
        for server in servers.iter() {
            check_all(logs, server);
        }
        fs::remove_file(ballast).unwrap();
        let began = Instant::now();
        for server in servers.iter() {
            serves(server.address());
        }
        report.round(began.elapsed());
        under_load(&addresses, logs, || std::thread::sleep(Duration::from_millis(200)));
        check_all(logs, &servers[0]);
    }
    report.print(logs);
}

/// Writes until it is refused, and gives the words.
fn refused(server: &Server) -> String {
    let (mut proposals, began) = (Proposals::new(), Instant::now());
    let mut client = Client::connect(server.address()).unwrap();
    while began.elapsed() < FULL_MAX {
        match client.propose("v1", &proposals.next_json()).unwrap() {
            Answer::Refused(503, why) if why.contains("full") => return why,
            Answer::Created(_) => {}
            other => println!("while the disk fills: {other:?}"),
        }
    }
    panic!("a full disk takes everything");
}
