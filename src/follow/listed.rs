//! Which logs a source holds: `GET /logs` of a server, `logs.json` of an export.

use serde::Deserialize;
use storage::TreeId;

use super::source::{Source, SourceError};
use crate::limits::LOG_LIST_BYTES_MAX;
use crate::publisher::signer::public_key_der;

/// A log of a source, as that says; nothing of it is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name in the source's configuration.
    pub name: String,
    /// `v1`, `v2` or `raw`.
    pub api: String,
    /// Whether it takes entries.
    pub active: bool,
    /// Whether it is the log itself that says that it takes none any more.
    pub frozen: bool,
    /// The first line of its checkpoints.
    pub origin: String,
    /// 64 hexadecimal digits in lower case.
    pub log_id: String,
    /// SPKI DER.
    pub public_key: Vec<u8>,
    /// Its tree.
    pub tree_id: TreeId,
}

#[derive(Deserialize)]
struct List {
    logs: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    name: String,
    api: String,
    #[serde(default)]
    state: String, // an export says nothing of it
    origin: String,
    log_id: String,
    public_key: String,
    tree_id: String,
}

impl Listed {
    /// Where its resources are in the source, without a slash at the end.
    pub fn path(&self) -> String {
        format!("logs/{}", self.log_id)
    }
}

/// The logs that a source holds.
///
/// # Errors
/// [`SourceError`] when it does not say, or not in the form that Cairn does.
pub async fn logs_of(source: &dyn Source) -> Result<Vec<Listed>, SourceError> {
    let mut found = source.get("logs", LOG_LIST_BYTES_MAX).await;
    let is_list = |bytes: &[u8]| serde_json::from_slice::<List>(bytes).is_ok();
    // A web server over an export has a folder there.
    if !matches!(&found, Ok(Some(bytes)) if is_list(bytes))
        && let Ok(Some(exported)) = source.get("logs.json", LOG_LIST_BYTES_MAX).await
    {
        found = Ok(Some(exported));
    }
    let wrong = |why: String| SourceError { place: "logs".into(), why };
    let bytes = found?.ok_or_else(|| wrong("this is no Cairn and no export of one".into()))?;
    parse(&bytes).map_err(wrong)
}

fn parse(bytes: &[u8]) -> Result<Vec<Listed>, String> {
    let list: List = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let item = |item: Item| {
        let name = item.name.clone();
        let wrong = |what: &str| format!("the {what} of log {name:?} cannot be read");
        let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        if item.log_id.len() != 64 || !item.log_id.chars().all(hex) {
            return Err(wrong("log ID"));
        }
        let tree_id = item.tree_id.parse().ok().and_then(TreeId::new);
        Ok(Listed {
            tree_id: tree_id.ok_or_else(|| wrong("tree ID"))?,
            public_key: public_key_der(item.public_key.as_bytes())
                .ok_or_else(|| wrong("public key"))?,
            active: item.state == "active",
            frozen: item.state == "frozen",
            name: item.name,
            api: item.api,
            origin: item.origin,
            log_id: item.log_id,
        })
    };
    list.logs.into_iter().map(item).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "-----BEGIN PUBLIC KEY-----\\nAAAA\\n-----END PUBLIC KEY-----\\n";

    fn list(log_id: &str, tree_id: &str) -> Result<Vec<Listed>, String> {
        let text = format!(
            r#"{{"logs":[{{"name":"v2","api":"v2","state":"frozen","origin":"o","log_id":"{log_id}",
            "public_key":"{KEY}","tree_id":"{tree_id}","tree_size":1,"url":"x"}}]}}"#
        );
        parse(text.as_bytes())
    }

    #[test]
    fn a_list_is_read_or_what_is_wrong_is_named() {
        let id = "ab".repeat(32);
        let [log] = list(&id, "7").unwrap().try_into().unwrap();
        assert_eq!((log.path(), log.active), (format!("logs/{id}"), false));
        assert_eq!(log.public_key, [0, 0, 0]);
        assert!(list("../..", "7").unwrap_err().contains("log ID"));
        assert!(list(&id.to_uppercase(), "7").unwrap_err().contains("log ID"));
        assert!(list(&id, "-7").unwrap_err().contains("tree ID"));
        assert!(parse(b"<html>").is_err());
    }
}
