//! `logs.json`: which logs a destination holds, in the words of the server's `GET /logs`, without
//! what changes (size, state).

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Value, json};
use storage::LogRecord;
use tlog::VerifierKey;

use super::sink::{Kind, Sink, SinkError};
use crate::limits::EXPORT_LIST_TRIES_MAX;
use crate::publisher::signer::public_key_pem;

const NAME: &str = "logs.json";

/// A log as the list has it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Listed {
    /// Its name in the configuration.
    pub name: String,
    /// What its leaves are.
    pub api: String,
    /// The first line of its checkpoints.
    pub origin: String,
    /// Its ID, hexadecimal.
    pub log_id: String,
    /// Its key, SPKI in PEM.
    pub public_key: String,
    /// The same as verifier key (C2SP signed-note).
    pub vkey: Option<String>,
    /// Its tree.
    pub tree_id: String,
    /// Where it is, seen from the list.
    pub url: String,
}

impl Listed {
    /// The log of a record, which signs under this name and has this ID.
    pub(super) fn new(record: &LogRecord, key_name: &str, log_id: [u8; 32]) -> Self {
        let vkey = VerifierKey::for_log(key_name, &record.public_key).ok();
        let log_id = hex::encode(log_id);
        Self {
            name: record.name.clone(),
            api: record.api.clone(),
            origin: record.origin.clone(),
            public_key: public_key_pem(&record.public_key),
            vkey: vkey.map(|key| key.to_string()),
            tree_id: record.tree_id.to_string(),
            url: format!("logs/{log_id}"),
            log_id,
        }
    }
}

/// Puts a log on the list, and leaves the others there.
pub(super) async fn enlist(sink: &dyn Sink, log: &Listed) -> Result<(), SinkError> {
    let mut tries = 0;
    loop {
        let held = sink.get(NAME).await?;
        let Some(list) = with(held.as_ref().map_or(&[], |held| &held.bytes), log)? else {
            return Ok(());
        };
        tries += 1;
        match sink.replace(NAME, Kind::List, list, held.map(|held| held.version).as_ref()).await {
            Err(SinkError::Changed(_)) if tries < EXPORT_LIST_TRIES_MAX => {}
            written => return written,
        }
    }
}

/// The list with the log on it; `None` when it is there already.
fn with(list: &[u8], log: &Listed) -> Result<Option<Bytes>, SinkError> {
    let failed = |error| SinkError::failed(NAME, error);
    let mut logs: Vec<Value> = match list {
        [] => Vec::new(),
        list => {
            let mut list: Value = serde_json::from_slice(list).map_err(failed)?;
            let logs = list.get_mut("logs").map(Value::take).unwrap_or_default();
            serde_json::from_value(logs).map_err(failed)?
        }
    };
    let log = serde_json::to_value(log).map_err(failed)?;
    match logs.iter_mut().find(|known| known["log_id"] == log["log_id"]) {
        Some(known) if *known == log => return Ok(None),
        Some(known) => *known = log,
        None => logs.push(log),
    }
    // Whoever of several comes first, the list is the same.
    logs.sort_by_key(|log| log["name"].as_str().map(str::to_owned));
    Ok(Some(format!("{}\n", json!({ "logs": logs })).into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(log_id: &str, name: &str) -> Listed {
        let text = String::new;
        let (origin, public_key, tree_id) = (text(), text(), text());
        let (name, log_id, api, url) = (name.into(), log_id.into(), text(), text());
        Listed { name, api, origin, log_id, public_key, vkey: None, tree_id, url }
    }

    #[test]
    fn a_log_is_on_the_list_once() {
        let one = with(b"", &listed("a", "first")).unwrap().unwrap();
        assert_eq!(with(&one, &listed("a", "first")).unwrap(), None);
        let two = with(&one, &listed("b", "second")).unwrap().unwrap();
        let renamed = with(&two, &listed("a", "third")).unwrap().unwrap();
        let list: Value = serde_json::from_slice(&renamed).unwrap();
        let names: Vec<_> = (0..2).map(|n| list["logs"][n]["name"].as_str().unwrap()).collect();
        assert_eq!((names, list["logs"][2].is_null()), (vec!["second", "third"], true));
        assert!(with(b"[]", &listed("a", "x")).is_err());
        assert!(with(b"<html>", &listed("a", "x")).is_err());
    }
}
