//! The engine passes the suite on a real server; what the suite cannot see is below.

#[path = "../../../tests/support/postgres.rs"]
mod server;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tlog::{TreeHead, TreeSize};

use self::server::Postgres;
use super::*;
use crate::StoredCheckpoint;
use crate::suite::{self, Place, add, entry, plain, record, tree};

/// A database of its own on a server that all places share.
struct Database(String);

#[async_trait]
impl Place for Database {
    async fn open(&mut self) -> Arc<dyn Store> {
        Arc::new(PostgresStore::open(&Options::new(self.0.clone())).await.unwrap())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn passes_the_suite() {
    // Nothing is cut here, so nothing has to reach the disk; what does is for the tests of faults.
    let Some(server) = Postgres::start(&[]) else { return };
    let mut made = 0;
    suite::all(async || {
        made += 1;
        server.sql("postgres", &format!("CREATE DATABASE place{made}"));
        Database(server.url(&format!("place{made}")))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_may_open_it_at_once() {
    let Some(server) = Postgres::start(&[]) else { return };
    let options = Options::new(server.url("log"));
    // Also at the very first moment, when there are no tables yet.
    let opened = (0..6).map(|_| {
        let options = options.clone();
        tokio::spawn(async move { PostgresStore::open(&options).await })
    });
    let mut stores = Vec::new();
    for store in opened.collect::<Vec<_>>() {
        stores.push(store.await.unwrap().unwrap());
    }
    let first = stores[0].create_log(record(tree(1))).await.unwrap();
    let second = stores[1].log(tree(1)).await.unwrap();
    assert!(first.shared());
    let head = add(&*first, TreeHead::empty(), plain(TreeHead::empty(), 3)).await;
    assert_eq!(second.head().await.unwrap(), head);
    add(&*second, head, plain(head, 2)).await;
    assert_eq!(first.head().await.unwrap().size, TreeSize(5));
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_hear_of_checkpoints() {
    let Some(server) = Postgres::start(&[]) else { return };
    let options = Options::new(server.url("log"));
    let (here, there) = (
        PostgresStore::open(&options).await.unwrap(),
        PostgresStore::open(&options).await.unwrap(),
    );
    let log = here.create_log(record(tree(1))).await.unwrap();
    let other = there.log(tree(1)).await.unwrap();
    let head = add(&*log, TreeHead::empty(), vec![entry("a")]).await;
    let long = Duration::from_secs(60);
    while !(here.shared.hearing.works() && there.shared.hearing.works()) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let waits = tokio::spawn(async move {
        other.checkpoint_beyond(TreeSize(0), long).await;
        other.checkpoint().await.unwrap()
    });
    let checkpoint = StoredCheckpoint { size: head.size, note: "note".into() };
    log.publish(checkpoint.clone()).await.unwrap();
    let heard = tokio::time::timeout(Duration::from_secs(20), waits).await.unwrap().unwrap();
    assert_eq!(heard, Some(checkpoint));
    // What is known already is no news: patience passes.
    log.checkpoint_beyond(head.size, Duration::from_millis(20)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_may_lose_what_it_acknowledged_is_refused() {
    for (setting, why) in [
        ("fsync=off", "fsync is off"),
        ("full_page_writes=off", "full_page_writes is off"),
        ("synchronous_commit=off", "synchronous_commit is off"),
    ] {
        let Some(server) = Postgres::start(&[setting]) else { return };
        let options = Options::new(server.url("log"));
        let error = PostgresStore::open(&options).await.err().unwrap().to_string();
        assert!(error.contains(why) && error.contains("storage_accept_data_loss"), "{error}");
        assert_eq!(
            server.sql("log", "SELECT count(*) FROM pg_tables WHERE tablename ~ '^cairn'"),
            "0"
        );
        let accepted = Options { accept_data_loss: true, ..options };
        let store = PostgresStore::open(&accepted).await.unwrap();
        assert!(store.doubts()[0].contains(why), "{:?}", store.doubts());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_that_may_lag_is_refused_and_one_that_may_not_is_fine() {
    let Some(primary) = Postgres::start(&["wal_level=replica"]) else { return };
    let standby = primary.standby(&[]);
    let options = Options::new(primary.url("log"));
    while primary
        .sql("postgres", "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'")
        != "1"
    {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let error = PostgresStore::open(&options).await.err().unwrap().to_string();
    assert!(error.contains("synchronous_standby_names is empty"), "{error}");
    primary.sql("postgres", "ALTER SYSTEM SET synchronous_standby_names = 'standby'");
    primary.sql("postgres", "SELECT pg_reload_conf()");
    while primary.sql("postgres", "SHOW synchronous_standby_names").is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let store = PostgresStore::open(&options).await.unwrap();
    let log = store.create_log(record(tree(1))).await.unwrap();
    add(&*log, TreeHead::empty(), vec![entry("a")]).await;
    // The standby alone is no place for a log, until it is promoted.
    let alone = PostgresStore::open(&Options::new(standby.url("log"))).await;
    assert!(alone.is_err());
    // Both together are: the one that takes writes is found.
    let both =
        format!("postgres://cairn@127.0.0.1:{},127.0.0.1:{}/log", standby.port, primary.port);
    let both = PostgresStore::open(&Options::new(both)).await.unwrap();
    assert_eq!(both.log(tree(1)).await.unwrap().head().await.unwrap().size, TreeSize(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_in_the_tables_is_named() {
    let Some(server) = Postgres::start(&[]) else { return };
    let options = Options::new(server.url("log"));
    let store = PostgresStore::open(&options).await.unwrap();
    let log = store.create_log(record(tree(1))).await.unwrap();
    let head = add(&*log, TreeHead::empty(), plain(TreeHead::empty(), 9)).await;
    server.sql(
        "log",
        "DELETE FROM cairn_entry WHERE idx = 4; DELETE FROM cairn_hash WHERE place = 7",
    );
    let gap = log.entries(tlog::LogIndex(2), 5).await.unwrap_err();
    assert!(matches!(gap, StorageError::Corrupt(_)), "{gap}");
    assert_eq!(log.entries(tlog::LogIndex(5), 99).await.unwrap().len(), 4);
    let gap = log.hashes(0, 0, 256).await.unwrap_err();
    assert!(matches!(gap, StorageError::Corrupt(_)), "{gap}");
    server.sql("log", "UPDATE cairn_head SET root = '\\x00'");
    let error = log.head().await.unwrap_err();
    assert!(matches!(error, StorageError::Corrupt(_)), "{error}");
    // A head that was put back is an expected one no more.
    server.sql("log", "UPDATE cairn_head SET size = 3, root = decode(repeat('07', 32), 'hex')");
    let batch = crate::suite::batch(head, plain(head, 1));
    let conflict = log.commit(head, batch).await.unwrap_err();
    assert!(matches!(conflict, crate::CommitError::Conflict { .. }), "{conflict}");
    server.sql("log", "UPDATE cairn_format SET version = 2");
    let error = PostgresStore::open(&options).await.err().unwrap().to_string();
    assert!(error.contains("newer version"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_go_on_after_the_server_was_away() {
    let Some(mut server) = Postgres::start(&[]) else { return };
    let store = PostgresStore::open(&Options::new(server.url("log"))).await.unwrap();
    let log = store.create_log(record(tree(1))).await.unwrap();
    let head = add(&*log, TreeHead::empty(), plain(TreeHead::empty(), 3)).await;
    server.kill();
    let error = log.head().await.unwrap_err();
    assert!(matches!(error, StorageError::Engine(_)), "{error}");
    server.begin();
    assert_eq!(log.head().await.unwrap(), head);
    add(&*log, head, plain(head, 1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn turns_are_taken_one_after_the_other() {
    let Some(server) = Postgres::start(&[]) else { return };
    let store = PostgresStore::open(&Options::new(server.url("log"))).await.unwrap();
    let log = store.create_log(record(tree(1))).await.unwrap();
    let on = TreeHead::empty();
    let turn = log.turn().await.unwrap().unwrap();
    assert_eq!(turn.head(), on);
    let (other, batch) = (log.clone(), suite::batch(on, plain(on, 2)));
    let waits = tokio::spawn(async move { other.turn().await.unwrap().unwrap().head() });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!waits.is_finished(), "two have their turn at once");
    let head = batch.head;
    turn.commit(batch).await.unwrap();
    assert_eq!(waits.await.unwrap(), head);
    // A turn that is given up leaves nothing behind, a lock least of all.
    drop(log.turn().await.unwrap());
    add(&*log, head, plain(head, 1)).await;
    // A misfit is refused, and ends the turn too.
    let turn = log.turn().await.unwrap().unwrap();
    let stale = turn.commit(suite::batch(on, plain(on, 1))).await;
    assert!(matches!(stale, Err(crate::CommitError::Malformed(_))), "{stale:?}");
    assert_eq!(log.turn().await.unwrap().unwrap().head().size, TreeSize(3));
}

/// The server ends a turn whose process sleeps; what it does then is too late, and changes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_turn_that_was_slept_through_is_lost() {
    let Some(server) = Postgres::start(&[]) else { return };
    let store = PostgresStore::open(&Options::new(server.url("log"))).await.unwrap();
    let log = store.create_log(record(tree(1))).await.unwrap();
    let on = TreeHead::empty();
    let turn = log.turn().await.unwrap().unwrap();
    // It waits at the row until the server has had enough of the sleeper.
    let head = add(&*log, on, plain(on, 1)).await;
    let late = turn.commit(suite::batch(on, vec![entry("late")])).await;
    assert!(matches!(late, Err(crate::CommitError::Storage(_))), "{late:?}");
    assert_eq!(log.head().await.unwrap(), head);
}
