//! The engine passes the suite on a real server; what the suite cannot see is below.

#[path = "../../../tests/support/postgres.rs"]
pub(super) mod server;

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
    server.sql("log", "UPDATE cairn_format SET version = 3");
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

/// No connection of ours holds a lock for ever, or waits for one.
#[tokio::test(flavor = "multi_thread")]
async fn every_session_has_its_limits() {
    let Some(server) = Postgres::start(&[]) else { return };
    let store = PostgresStore::open(&Options::new(server.url("log"))).await.unwrap();
    let Connections { readers, writers, keepers } = &store.shared.connections;
    for (pool, commits) in [(readers, "on"), (writers, "on"), (keepers, "off")] {
        let client = connection(pool).await.unwrap();
        for (name, value) in [
            ("statement_timeout", "30s"),
            ("lock_timeout", "10s"),
            ("idle_in_transaction_session_timeout", "3s"),
            ("synchronous_commit", commits),
        ] {
            let shown = client.query_one(&format!("SHOW {name}"), &[]).await.unwrap();
            assert_eq!(shown.get::<_, String>(0), value, "{name}");
        }
    }
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

/// What version 1 had: no column for the keys, which were in `cairn_search` alone.
fn put_back(server: &Postgres) {
    server.sql("log", "ALTER TABLE cairn_entry DROP COLUMN index_keys");
    server.sql("log", "UPDATE cairn_format SET version = 1");
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_of_version_one_are_brought_to_this_one() {
    let Some(server) = Postgres::start(&[]) else { return };
    let options = Options::new(server.url("log"));
    let look_on = Options { read_only: true, ..options.clone() };
    let error = PostgresStore::open(&look_on).await.err().unwrap().to_string();
    assert!(error.contains("there is no store in this database"), "{error}");
    let store = PostgresStore::open(&options).await.unwrap();
    // Lengths and numbers at which their encoding changes, and what SQL might trip over.
    let keys: [Vec<String>; 7] = [
        vec![],
        vec![String::new()],
        vec!["b\0'\\x00".into(), "a".into(), "\u{10ffff}".into(), "B".into()],
        [127, 128, 300, 16_383, 16_384].map(|length| "k".repeat(length)).into(),
        (0..127).map(|key| format!("{key:x}")).collect(),
        (0..128).map(|key| format!("{key:x}")).collect(),
        (0..16_500).map(|key| key.to_string()).collect(),
    ];
    for id in [1, 2] {
        let log = store.create_log(record(tree(id))).await.unwrap();
        let entries = keys.iter().enumerate().map(|(at, keys)| crate::NewEntry {
            index_keys: keys.clone(),
            ..entry(format!("{id} {at}"))
        });
        add(&*log, TreeHead::empty(), entries.collect()).await;
    }
    put_back(&server);
    let error = PostgresStore::open(&look_on).await.err().unwrap().to_string();
    assert!(error.contains("version 1: `cairn serve` brings them to version 2"), "{error}");

    // Replicas that start together: one does it, the others wait for it.
    let opened = (0..4).map(|_| {
        let options = options.clone();
        tokio::spawn(async move { PostgresStore::open(&options).await })
    });
    for store in opened.collect::<Vec<_>>() {
        let store = store.await.unwrap().unwrap();
        let log = store.log(tree(2)).await.unwrap();
        for (at, (stored, keys)) in
            log.entries(tlog::LogIndex(0), 99).await.unwrap().iter().zip(&keys).enumerate()
        {
            let mut keys = keys.clone();
            keys.sort_unstable();
            assert_eq!(stored.body, format!("2 {at}").as_bytes());
            assert!(stored.index_keys == keys, "entry {at}");
        }
    }
    let log = PostgresStore::open(&look_on).await.unwrap().log(tree(1)).await.unwrap();
    let head = add(&*log, log.head().await.unwrap(), vec![entry("new")]).await;
    assert_eq!(head.size.0, keys.len() as u64 + 1);
    // A replica of version 1 would write no keys: the server refuses that.
    let column = "SELECT is_nullable, column_default IS NULL FROM information_schema.columns \
                  WHERE table_name = 'cairn_entry' AND column_name = 'index_keys'";
    assert_eq!(server.sql("log", column), "NO|t");
}
