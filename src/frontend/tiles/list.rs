//! `GET /logs`: which logs there are at this site, and where each is read.

use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, HeaderValue};
use hyper::http::request::Parts;
use serde::Serialize;
use tlog::VerifierKey;

use super::super::reply::json;
use super::super::server::Reply;
use super::super::sites::Site;
use crate::log::Log;
use crate::shard::Shard;

#[derive(Serialize)]
struct List {
    logs: Vec<Listed>,
}

#[derive(Serialize)]
struct Listed {
    name: String,
    api: String,
    state: &'static str,
    origin: String,
    log_id: String,
    public_key: String,
    vkey: Option<String>,
    tree_id: String,
    tree_size: u64,
    url: String,
}

/// Every tree of the site, the frozen shards of a log before its active one.
pub(super) fn logs(site: &Site, parts: &Parts) -> Reply {
    let base = site.base_url(parts);
    let of_log = |log: &Log| -> Vec<Listed> {
        let last = log.shards().len() - 1;
        let listed = log.shards().iter().enumerate().map(|(n, shard)| {
            let state = match (n < last, log.replica(), log.frozen()) {
                (false, true, _) => "replica",
                (false, false, false) => "active",
                _ => "frozen",
            };
            list(log, shard, state, &base)
        });
        listed.collect()
    };
    let logs = site.logs.iter().flat_map(|log| of_log(log)).collect();
    // It is made of strings and numbers, so it cannot fail.
    let text = serde_json::to_string(&List { logs }).unwrap_or_default();
    let mut reply = json(StatusCode::OK, text + "\n");
    reply.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    reply
}

fn list(log: &Log, shard: &Shard, state: &'static str, base: &str) -> Listed {
    let (record, log_id) = (shard.record(), hex::encode(shard.log_id()));
    Listed {
        name: log.name().into(),
        api: log.api().to_string(),
        state,
        origin: record.origin.clone(),
        public_key: shard.public_key_pem(),
        vkey: VerifierKey::for_log(shard.key_name(), &record.public_key)
            .ok()
            .map(|key| key.to_string()),
        tree_id: record.tree_id.to_string(),
        tree_size: shard.head().size.0,
        url: format!("{base}/logs/{log_id}"),
        log_id,
    }
}
