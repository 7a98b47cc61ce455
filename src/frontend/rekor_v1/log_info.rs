//! The state of the log: tree heads, public keys, consistency proofs.

use hyper::StatusCode;
use storage::TreeId;

use super::super::reply::{Style, json, push_string, typed};
use super::super::server::Reply;
use super::super::status::Problem;
use super::Call;
use super::entry_json::{push_hashes, put};
use super::negotiate::Offer;
use super::query::Query;
use crate::log::{ProofRequestError, ShardInfo};

/// `GET /api/v1/log`
pub(super) fn info(call: &Call<'_>) -> Reply {
    let info = call.log.info();
    let mut out = String::from(r#"{"inactiveShards":"#);
    if info.inactive.is_empty() {
        out.push_str("null");
    } else {
        for (n, shard) in info.inactive.iter().enumerate() {
            out.push_str(if n == 0 { "[{" } else { ",{" });
            push_shard(&mut out, shard);
            out.push('}');
        }
        out.push(']');
    }
    out.push(',');
    push_shard(&mut out, &info.active);
    out.push_str("}\n");
    json(StatusCode::OK, out)
}

fn push_shard(out: &mut String, shard: &ShardInfo) {
    let head = shard.checkpoint.head;
    put(out, format_args!(r#""rootHash":"{}","signedTreeHead":"#, head.root));
    push_string(out, &shard.checkpoint.note, Style::Operation);
    put(out, format_args!(r#","treeID":"{}","treeSize":{}"#, shard.tree_id, head.size.0));
}

/// `GET /api/v1/log/publicKey?treeID=`
pub(super) fn public_key(call: &Call<'_>) -> Result<Reply, Problem> {
    let query = Query::parse(call.parts.uri.query());
    let tree_id = match query.tree_id()?.map(parse_tree_id) {
        None => None,
        Some(TreeName::Known(tree_id)) => Some(tree_id),
        Some(_) => return Err(unknown_tree()),
    };
    let pem = call.log.public_key_pem(tree_id).ok_or_else(unknown_tree)?;
    Ok(match call.offer {
        Offer::Pem => typed(StatusCode::OK, "application/x-pem-file", pem),
        Offer::Json => {
            let mut out = String::new();
            push_string(&mut out, &pem, Style::Operation);
            out.push('\n');
            json(StatusCode::OK, out)
        }
    })
}

fn unknown_tree() -> Problem {
    Problem::Bad("Bad Request".into())
}

/// `GET /api/v1/log/proof?firstSize=&lastSize=&treeID=`
///
/// The root hash in the answer is the current one, not the one at `lastSize`: clients rely on it.
pub(super) async fn proof(call: &Call<'_>) -> Result<Reply, Problem> {
    let query = Query::parse(call.parts.uri.query());
    let first = query.integer("firstSize", 1)?.unwrap_or(1).unsigned_abs();
    let last =
        query.integer("lastSize", 1)?.ok_or_else(|| Problem::required("lastSize", "query"))?;
    let last = last.unsigned_abs();
    let tree_id = query.tree_id()?;
    if first > last {
        return Err(ProofRequestError::FirstBeyondLast { first, last }.into());
    }
    let tree_id = match tree_id.map(parse_tree_id) {
        None => None,
        Some(TreeName::Known(tree_id)) => Some(tree_id),
        Some(TreeName::Zero) => {
            return Err(Problem::Bad("no log range found for tree ID 0".into()));
        }
        Some(TreeName::TooLarge(text)) => {
            return Err(Problem::Bad(format!("invalid tree ID specified: {text}")));
        }
    };
    let (proof, root) = call.log.consistency_proof(tree_id, first, last).await?;
    let mut out = String::from(r#"{"hashes":"#);
    push_hashes(&mut out, &proof.hashes);
    put(&mut out, format_args!(",\"rootHash\":\"{root}\"}}\n"));
    Ok(json(StatusCode::OK, out))
}

/// What a string of digits names.
enum TreeName<'a> {
    Known(TreeId),
    Zero,
    TooLarge(&'a str),
}

fn parse_tree_id(digits: &str) -> TreeName<'_> {
    match digits.parse().map(TreeId::new) {
        Ok(Some(tree_id)) => TreeName::Known(tree_id),
        Ok(None) => TreeName::Zero,
        Err(_) => TreeName::TooLarge(digits),
    }
}
