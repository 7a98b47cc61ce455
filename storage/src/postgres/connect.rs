//! Connections: two pools, and one that listens.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{
    Client, ClientWrapper, Hook, HookError, Manager, ManagerConfig, Pool, PoolError,
    RecyclingMethod, Runtime,
};
use tokio::sync::watch;
use tokio_postgres::error::SqlState;
use tokio_postgres::{AsyncMessage, NoTls};

use super::options::{Server, refused};
use crate::{StorageError, TreeId};

/// Connections that commit: each log has one commit at a time.
const WRITERS_MAX: usize = 8;
/// Connections that keep checkpoints.
const KEEPERS_MAX: usize = 4;
/// How long a request waits for a connection, or for one to be made.
const CONNECTION_WAIT: Duration = Duration::from_secs(5);
/// How long the listener rests before it connects anew.
const LISTEN_PAUSE: Duration = Duration::from_millis(500);
/// Where replicas tell each other of new checkpoints.
const CHANNEL: &str = "cairn_published";

/// What every session is told first. The server ends what takes too long, so that a replica that
/// was paused in the middle of something keeps no lock.
const SESSION: &str = "SET statement_timeout = '30s'; SET lock_timeout = '10s'; \
                       SET idle_in_transaction_session_timeout = '3s'";
/// Every statement finds its rows by a primary key. A plan that was made while a table was empty,
/// and is kept, would read all of it for long after. Servers of other makes need not know this.
const PLANS: &str = "SET enable_seqscan = off; SET enable_bitmapscan = off";
/// On top of that, where checkpoints are kept: one follows from a head that is durable, so losing
/// the newest one loses nothing.
const RELAXED: &str = "SET synchronous_commit = off";

/// All connections to one server.
pub(super) struct Connections {
    pub(super) readers: Pool,
    pub(super) writers: Pool,
    pub(super) keepers: Pool,
}

impl Connections {
    pub(super) fn new(server: &Server, readers_max: usize) -> Result<Self, StorageError> {
        Ok(Self {
            readers: pool(server, readers_max, &[SESSION])?,
            writers: pool(server, WRITERS_MAX, &[SESSION])?,
            keepers: pool(server, KEEPERS_MAX, &[SESSION, RELAXED])?,
        })
    }
}

fn pool(server: &Server, max: usize, greeting: &[&str]) -> Result<Pool, StorageError> {
    let config = server.config.clone();
    let fast = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let manager = match server.tls.connector() {
        Some(tls) => Manager::from_config(config, tls, fast),
        None => Manager::from_config(config, NoTls, fast),
    };
    let greeting: Arc<str> = greeting.join("; ").into();
    let greet = Hook::async_fn(move |client: &mut ClientWrapper, _| {
        let greeting = greeting.clone();
        Box::pin(async move {
            client.batch_execute(&greeting).await.map_err(HookError::Backend)?;
            let _not_postgresql = client.batch_execute(PLANS).await;
            Ok(())
        })
    });
    Pool::builder(manager)
        .max_size(max)
        .runtime(Runtime::Tokio1)
        .wait_timeout(Some(CONNECTION_WAIT))
        .create_timeout(Some(CONNECTION_WAIT))
        .post_create(greet)
        .build()
        .map_err(|error| StorageError::Engine(error.into()))
}

/// A connection of the pool.
///
/// # Errors
/// [`StorageError::Engine`] when none is to be had in time.
pub(super) async fn connection(pool: &Pool) -> Result<Client, StorageError> {
    pool.get().await.map_err(|error| match error {
        PoolError::Timeout(_) => refused("PostgreSQL gives no connection in time"),
        PoolError::Backend(error) => failure(&error),
        other => StorageError::Engine(other.into()),
    })
}

/// Lets a connection wait, and work, for as long as it takes, and lets the server plan as it likes.
///
/// # Errors
/// Those of the server.
pub(super) async fn patience(client: &ClientWrapper) -> Result<(), StorageError> {
    let patient = client.batch_execute("SET statement_timeout = 0; SET lock_timeout = 0").await;
    let _not_postgresql =
        client.batch_execute("SET enable_seqscan = on; SET enable_bitmapscan = on").await;
    patient.map_err(|error| failure(&error))
}

/// What an error of the server means to us.
pub(super) fn failure(error: &tokio_postgres::Error) -> StorageError {
    // Display of such an error names its kind alone; what the server said stands behind it.
    let mut text = format!("PostgreSQL: {error}");
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        text.push_str(&format!(": {inner}"));
        source = inner.source();
    }
    match error.code() {
        Some(&SqlState::DATA_CORRUPTED | &SqlState::INDEX_CORRUPTED) => StorageError::Corrupt(text),
        _ => StorageError::Engine(text.into()),
    }
}

/// Sizes of the newest checkpoints that were heard of.
pub(super) type Heard = HashMap<TreeId, u64>;

/// What the other replicas say.
#[derive(Clone)]
pub(super) struct Hearing {
    heard: watch::Receiver<Heard>,
    listening: watch::Receiver<bool>,
}

impl Hearing {
    /// Whether the server passes on what the others say, at this moment.
    pub(super) fn works(&self) -> bool {
        *self.listening.borrow()
    }

    /// Waits until there is word of a checkpoint beyond this size.
    pub(super) async fn beyond(&self, tree: TreeId, size: u64) {
        let mut heard = self.heard.clone();
        let news = heard.wait_for(|heard| heard.get(&tree).is_some_and(|heard| *heard > size));
        if news.await.is_err() {
            std::future::pending::<()>().await; // the listener is gone, and with it the store
        }
    }
}

/// Tells the other replicas of a checkpoint.
///
/// # Errors
/// Those of the server, which may not know the command.
pub(super) async fn tell(client: &Client, tree: TreeId, size: u64) -> Result<(), StorageError> {
    let statement = client.prepare_cached("SELECT pg_notify($1, $2)").await;
    let statement = statement.map_err(|error| failure(&error))?;
    let text = format!("{tree} {size}");
    let told = client.execute(&statement, &[&CHANNEL, &text]).await;
    told.map(|_| ()).map_err(|error| failure(&error))
}

/// Listens for as long as somebody holds the hearing; connects anew when the connection breaks.
pub(super) fn listen(server: Server) -> Hearing {
    let (heard, hearing) = watch::channel(Heard::new());
    let (works, listening) = watch::channel(false);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                biased;
                () = heard.closed() => return,
                () = attend(&server, &heard, &works) => {}
            }
            works.send_replace(false);
            tokio::select! {
                biased;
                () = heard.closed() => return,
                () = tokio::time::sleep(LISTEN_PAUSE) => {}
            }
        }
    });
    Hearing { heard: hearing, listening }
}

/// One connection's worth of listening.
async fn attend(server: &Server, heard: &watch::Sender<Heard>, works: &watch::Sender<bool>) {
    match server.tls.connector() {
        Some(tls) => {
            if let Ok((client, connection)) = server.config.connect(tls).await {
                hear(&client, connection, heard, works).await;
            }
        }
        None => {
            if let Ok((client, connection)) = server.config.connect(NoTls).await {
                hear(&client, connection, heard, works).await;
            }
        }
    }
}

async fn hear<S, T>(
    client: &tokio_postgres::Client,
    mut connection: tokio_postgres::Connection<S, T>,
    heard: &watch::Sender<Heard>,
    works: &watch::Sender<bool>,
) where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let register = async {
        if client.batch_execute(&format!("LISTEN {CHANNEL}")).await.is_ok() {
            works.send_replace(true);
            std::future::pending::<()>().await;
        }
        // A server without this command: the store is looked at from time to time instead.
    };
    let messages = async {
        while let Some(Ok(message)) =
            std::future::poll_fn(|context| connection.poll_message(context)).await
        {
            let AsyncMessage::Notification(message) = message else { continue };
            if let Some((tree, size)) = parse(message.payload()) {
                heard.send_if_modified(|heard| {
                    let known = heard.entry(tree).or_default();
                    let news = size > *known;
                    *known = size.max(*known);
                    news
                });
            }
        }
    };
    tokio::select! {
        () = register => {}
        () = messages => {}
    }
}

fn parse(payload: &str) -> Option<(TreeId, u64)> {
    let (tree, size) = payload.split_once(' ')?;
    Some((TreeId::new(tree.parse().ok()?)?, size.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_say_is_read_with_care() {
        assert_eq!(parse("7 12"), TreeId::new(7).map(|tree| (tree, 12)));
        for nonsense in ["", "7", "0 1", "-1 2", "7 -1", "7 1 2", "x y"] {
            assert_eq!(parse(nonsense), None, "{nonsense}");
        }
    }
}
