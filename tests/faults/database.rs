//! The database dies, is replaced by its standby, or cannot be reached.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::ledger::Ledger;
use crate::load::{check_all, serves, under_load};
use crate::postgres::Postgres;
use crate::proxy::Proxy;
use crate::replicas::Replicas;
use crate::report::Report;
use crate::rounds;

#[test]
fn the_database_dies_and_is_started_again() {
    let Some(mut database) = Postgres::start(&[]) else { return };
    let replicas = Replicas::start(2, &database.url("log"));
    let mut logs = Ledger::of_logs(&replicas.servers[0]);
    let mut report = Report::new("SIGKILL of the database, under load", "postgres");
    for round in 0..rounds(2) {
        under_load(&replicas.addresses(), &mut logs, || {
            sleep(Duration::from_millis(200 + 53 * (round as u64 % 5)));
            database.kill();
            sleep(Duration::from_millis(100));
            let began = Instant::now();
            database.begin();
            serves(replicas.servers[round % 2].address());
            report.round(began.elapsed());
        });
        check_all(&mut logs, &replicas.servers[(round + 1) % 2]);
    }
    replicas.fsck();
    report.print(&logs);
}

/// Only the standby has what was answered afterwards, and it has all of it.
#[test]
fn the_primary_dies_and_the_standby_takes_over() {
    let mut report =
        Report::new("SIGKILL of the primary, its synchronous standby promoted", "postgres");
    let mut all = Vec::new();
    for _ in 0..rounds(3) {
        let Some(mut primary) = Postgres::start(&[]) else { return };
        let standby = primary.standby(&[]);
        primary.sql("postgres", "ALTER SYSTEM SET synchronous_standby_names = 'standby'");
        primary.sql("postgres", "SELECT pg_reload_conf()");
        let synchronous = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
        while primary.sql("postgres", synchronous) != "1" {
            sleep(Duration::from_millis(20));
        }
        let url =
            format!("postgres://cairn@127.0.0.1:{},127.0.0.1:{}/log", primary.port, standby.port);
        let mut replicas = Replicas::start(2, &url);
        let mut logs = Ledger::of_logs(&replicas.servers[0]);
        under_load(&replicas.addresses(), &mut logs, || {
            sleep(Duration::from_millis(700));
            primary.kill();
            let began = Instant::now();
            standby.promote();
            serves(replicas.servers[0].address());
            serves(replicas.servers[1].address());
            report.round(began.elapsed());
            sleep(Duration::from_millis(300));
        });
        check_all(&mut logs, &replicas.servers[0]);
        // Also one that starts now finds what the old primary had answered.
        replicas.servers[1].kill();
        replicas.restart(1);
        check_all(&mut logs, &replicas.servers[1]);
        all.extend(logs);
    }
    report.print(&all);
}

/// A database that comes back with less than was answered is no place to write to.
#[test]
fn a_database_that_lost_entries_is_refused() {
    let Some(mut database) = Postgres::start(&[]) else { return };
    let replicas = Replicas::start(1, &database.url("log"));
    let address = replicas.servers[0].address();
    serves(address);
    let older = std::process::Command::new("cp")
        .arg("-a")
        .args([database.data_folder(), replicas.folder().join("older")])
        .status();
    assert!(older.unwrap().success());
    for _ in 0..5 {
        serves(address);
    }
    database.kill();
    let restore = std::process::Command::new("cp")
        .args(["-a", "-T"])
        .args([replicas.folder().join("older"), database.data_folder()])
        .status();
    let cleared = std::fs::remove_file(database.data_folder().join("postmaster.pid"));
    assert!(restore.unwrap().success() && cleared.is_ok());
    database.begin();
    let mut client = crate::client::Client::connect(address).unwrap();
    let proposal = crate::support::Proposals::new().next_json();
    let answer = client.propose("v1", &proposal);
    assert!(matches!(answer, Some(crate::client::Answer::Refused(500.., _))), "it was taken");
    let size = database.sql("log", "SELECT max(size) FROM cairn_head");
    assert!(size.parse::<u64>().unwrap() < 6, "something was written onto the older copy: {size}");
}

#[test]
fn the_wire_to_the_database_is_cut() {
    let Some(database) = Postgres::start(&[]) else { return };
    let proxy = Proxy::to(database.port);
    let url = format!("postgres://cairn@127.0.0.1:{}/log", proxy.port);
    let replicas = Replicas::start(2, &url);
    let mut logs = Ledger::of_logs(&replicas.servers[0]);
    let mut report = Report::new("connections to the database cut, under load", "postgres");
    for round in 0..rounds(1) {
        under_load(&replicas.addresses(), &mut logs, || {
            sleep(Duration::from_millis(150 + 29 * (round as u64 % 7)));
            proxy.cut();
            sleep(Duration::from_millis(30));
            proxy.mend();
            let began = Instant::now();
            serves(replicas.servers[round % 2].address());
            report.round(began.elapsed());
        });
        check_all(&mut logs, &replicas.servers[(round + 1) % 2]);
    }
    replicas.fsck();
    report.print(&logs);
}

/// Slow and not cut: every trip takes its time, and the servers go on at that pace.
#[test]
fn the_wire_to_the_database_is_slow() {
    let Some(database) = Postgres::start(&[]) else { return };
    let proxy = Proxy::to(database.port);
    let url = format!("postgres://cairn@127.0.0.1:{}/log", proxy.port);
    let replicas = Replicas::start(2, &url);
    let mut logs = Ledger::of_logs(&replicas.servers[0]);
    let mut report =
        Report::new("50 to 200 ms each way, 1 MB/s between servers and database", "postgres");
    for round in 0..rounds(3) {
        under_load(&replicas.addresses(), &mut logs, || {
            sleep(Duration::from_millis(100));
            proxy.slow(Duration::from_millis([50, 200, 100][round % 3]), 1_000_000);
            let answered = replicas.servers.iter().map(|server| serves(server.address()));
            report.round(answered.max().unwrap());
            sleep(Duration::from_millis(1500));
            proxy.slow(Duration::ZERO, 0);
            let again = serves(replicas.servers[round % 2].address());
            assert!(again < Duration::from_secs(5), "{again:?} after the wire was mended");
        });
        check_all(&mut logs, &replicas.servers[(round + 1) % 2]);
    }
    replicas.fsck();
    report.print(&logs);
}
