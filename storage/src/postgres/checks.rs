//! Before anything is stored: would the server acknowledge what it can still lose?

use deadpool_postgres::Client;
use tokio_postgres::SimpleQueryMessage;

use super::connect::failure;
use super::options::refused;
use crate::StorageError;

/// Refuses a server that may lose what it has acknowledged, unless that is accepted; gives what was
/// accepted.
///
/// Servers that only speak PostgreSQL's protocol and replicate by consensus have no such switches.
pub(super) async fn durable(client: &Client, accepted: bool) -> Result<Vec<String>, StorageError> {
    if show(client, "SELECT pg_is_in_recovery()").await?.as_deref() == Some("t") {
        return Err(refused(
            "this PostgreSQL server is a standby, which takes no writes: name the primary, or both \
             (postgres://user@first,second/database)",
        ));
    }
    let mut doubts = Vec::new();
    let setting = async |name: &str| show(client, &format!("SHOW {name}")).await;
    for (name, loss) in [
        ("fsync", "a crash of its machine can lose or damage everything"),
        ("full_page_writes", "a crash of its machine can leave torn pages"),
    ] {
        if setting(name).await?.as_deref() == Some("off") {
            doubts.push(format!("{name} is off: {loss}"));
        }
    }
    let standbys = setting("synchronous_standby_names").await?.unwrap_or_default();
    match setting("synchronous_commit").await?.as_deref() {
        Some("off") => doubts.push(
            "synchronous_commit is off: a crash loses commits that it has acknowledged".to_owned(),
        ),
        Some("local") if !standbys.is_empty() => doubts.push(
            "synchronous_commit is local: a failover loses commits that it has acknowledged".into(),
        ),
        _ => {}
    }
    if standbys.is_empty() {
        let connected = show(client, "SELECT count(*) FROM pg_stat_replication").await?;
        if connected.is_some_and(|count| count != "0") {
            doubts.push(
                "it has standbys and synchronous_standby_names is empty: a failover to one of them \
                 loses commits that it has acknowledged"
                    .into(),
            );
        }
    }
    if doubts.is_empty() || accepted {
        return Ok(doubts);
    }
    Err(refused(format!(
        "this PostgreSQL server may lose what was answered: {}. Change the server, or set \
         storage_accept_data_loss",
        doubts.join("; ")
    )))
}

/// The one value that a query gives; `None` when the server does not know what is asked.
async fn show(client: &Client, query: &str) -> Result<Option<String>, StorageError> {
    match client.simple_query(query).await {
        Ok(messages) => Ok(messages.into_iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        })),
        // Not a word of PostgreSQL's that this server has.
        Err(error) if error.as_db_error().is_some() => Ok(None),
        Err(error) => Err(failure(&error)),
    }
}
