//! Three replicas on one PostgreSQL: one of them dies, or is paused, and the others go on.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::client::{Answer, Client};
use crate::ledger::Ledger;
use crate::load::{check_all, serves, under_load};
use crate::postgres::{Postgres, free_port};
use crate::report::Report;
use crate::rounds;
use crate::server::{Server, fsck_with};
use crate::support::Proposals;

/// Servers on one store, each with a folder of its own that holds the same keys.
pub(crate) struct Replicas {
    folder: tempfile::TempDir,
    arguments: Vec<Vec<String>>,
    pub(crate) servers: Vec<Server>,
}

impl Replicas {
    pub(crate) fn start(count: usize, url: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let arguments = (0..count).map(|_| {
            let listen = format!("127.0.0.1:{}", free_port());
            ["--listen", &listen, "--storage", url].map(String::from).to_vec()
        });
        let arguments: Vec<_> = arguments.collect();
        let mut all = Self { folder, arguments, servers: Vec::new() };
        for number in 0..count {
            let data = all.place(number).join("data");
            fs::create_dir_all(&data).unwrap();
            // The first one made the logs and their keys.
            for key in ["v1.key", "v2.key"].iter().filter(|_| number > 0) {
                let first = all.place(0).join("data");
                fs::copy(first.join(key), data.join(key)).unwrap();
            }
            let server = Server::start(&all.place(number), &all.arguments[number]);
            all.servers.push(server);
        }
        all
    }

    fn place(&self, number: usize) -> PathBuf {
        self.folder.path().join(number.to_string())
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        self.servers.iter().map(Server::address).collect()
    }

    pub(crate) fn restart(&mut self, number: usize) {
        self.servers[number] = Server::start(&self.place(number), &self.arguments[number]);
    }

    /// What is stored, recomputed.
    pub(crate) fn fsck(&self) {
        fsck_with(&self.place(0), &self.arguments[0][2..]);
    }
}

#[test]
fn one_of_three_dies() {
    let Some(database) = Postgres::start(&[]) else { return };
    let mut replicas = Replicas::start(3, &database.url("log"));
    let mut logs = Ledger::of_logs(&replicas.servers[0]);
    let mut report = Report::new("SIGKILL of one of three replicas, under load", "postgres");
    for round in 0..rounds(1) {
        let (dies, lives) = (round % 3, (round + 1) % 3);
        under_load(&replicas.addresses(), &mut logs, || {
            sleep(Duration::from_millis(100 + 37 * (round as u64 % 7)));
            replicas.servers[dies].kill();
            // The others hardly wait for it: a lock of the dead one's ends with its connection.
            let others = serves(replicas.servers[lives].address());
            sleep(Duration::from_millis(50));
            let began = Instant::now();
            replicas.restart(dies);
            serves(replicas.servers[dies].address());
            report.round(others.max(began.elapsed()));
        });
        check_all(&mut logs, &replicas.servers[lives]);
    }
    for server in &replicas.servers {
        check_all(&mut logs, server);
    }
    replicas.fsck();
    report.print(&logs);
}

#[test]
fn a_paused_one_comes_back() {
    let Some(database) = Postgres::start(&[]) else { return };
    let replicas = Replicas::start(3, &database.url("log"));
    let mut logs = Ledger::of_logs(&replicas.servers[0]);
    let mut report = Report::new("one of three replicas stands still for 4 s", "postgres");
    for round in 0..rounds(3) {
        let (sleeps, awake) = (round % 3, (round + 1) % 3);
        under_load(&replicas.addresses(), &mut logs, || {
            sleep(Duration::from_millis(150));
            replicas.servers[sleeps].signal("STOP");
            // It may have had its turn: the server ends that after three seconds.
            let others = serves(replicas.servers[awake].address());
            sleep(Duration::from_secs(4).saturating_sub(others));
            replicas.servers[sleeps].signal("CONT");
            report.round(others.max(serves(replicas.servers[sleeps].address())));
        });
        check_all(&mut logs, &replicas.servers[sleeps]);
    }
    report.print(&logs);
}

#[test]
fn duplicates_sent_to_all_at_once_have_one_winner() {
    let Some(database) = Postgres::start(&[]) else { return };
    let replicas = Replicas::start(3, &database.url("log"));
    let mut proposals = Proposals::new();
    let entries = 60;
    for _ in 0..entries {
        let proposal = proposals.next_json();
        let answers: Vec<Answer> = std::thread::scope(|scope| {
            let send = |address| {
                let proposal = &proposal;
                scope.spawn(move || Client::connect(address)?.propose("v1", proposal))
            };
            let sent: Vec<_> = replicas.addresses().into_iter().map(send).collect();
            sent.into_iter().map(|answer| answer.join().unwrap().unwrap()).collect()
        });
        let created = answers.iter().filter(|it| matches!(it, Answer::Created(_))).count();
        let known = answers.iter().filter(|it| matches!(it, Answer::Known)).count();
        assert_eq!((created, known), (1, 2), "one is first, the others learn it: {answers:?}");
    }
    let size = database.sql("log", "SELECT max(size) FROM cairn_head");
    assert_eq!(size, entries.to_string());
}
