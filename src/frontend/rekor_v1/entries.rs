//! Creating an entry and reading one.

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{ETAG, HeaderValue, LOCATION};
use tlog::LeafHash;

use super::super::body::Body;
use super::super::reply::json;
use super::super::server::Reply;
use super::super::status::{CREATE_FAILED, Problem};
use super::Call;
use super::entry_json::entry_text;
use super::path::clean;
use super::query::Query;
use crate::admission::Proposal;
use crate::heavy::heavy;
use crate::limits::ADMIT_INLINE_BYTES_MAX;
use crate::log::{LoggedEntry, PromisedEntry};
use crate::shards::{EntryId, EntryIdError, VirtualIndex};

/// An entry's ID or UUID, as it is shown to clients.
pub(super) const ID_PATTERN: &str = "^([0-9a-fA-F]{64}|[0-9a-fA-F]{80})$";

/// What a client may call an entry.
#[derive(Debug)]
pub(super) enum Name {
    /// In a tree.
    Id(EntryId),
    /// In whatever tree holds it.
    Uuid(LeafHash),
}

impl Name {
    /// Reads 64 or 80 hexadecimal digits.
    ///
    /// # Errors
    /// `None` for other text; what is wrong with the tree ID of 80 digits.
    pub(super) fn parse(text: &str) -> Option<Result<Self, EntryIdError>> {
        if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        match text.len() {
            64 => LeafHash::from_hex(text).map(|leaf_hash| Ok(Self::Uuid(leaf_hash))),
            80 => Some(EntryId::parse(text).map(Self::Id)),
            _ => None,
        }
    }
}

/// `POST /api/v1/log/entries`
pub(super) async fn create(call: &Call<'_>, body: &mut Body) -> Result<Reply, Problem> {
    let text = body.read().await?;
    let location = |id: &str| {
        let query = Query::parse(call.parts.uri.query());
        format!("{}/{id}{}", clean(call.parts.uri.path()), query.for_location())
    };
    let refused = |error| Problem::of_creation(error, location);
    let ticket = call.log.ticket().await.map_err(refused)?;
    body.weigh_json(&text)?;
    let proposal = read_proposal(text).await?;
    let entry = call.log.create_with(ticket, proposal).await.map_err(refused)?;
    call.app.metrics.new_entries.inc();

    let id = entry.id.to_string();
    let mut reply = one_entry(StatusCode::CREATED, &call.log.promise(entry)?);
    // Without quotes, against RFC 9110: clients use the value as a key into the body.
    for (name, value) in [(LOCATION, location(&id)), (ETAG, id)] {
        if let Ok(value) = HeaderValue::try_from(value) {
            reply.headers_mut().insert(name, value);
        }
    }
    Ok(reply)
}

/// Reads a proposal, a large one away from the threads that serve connections.
async fn read_proposal(text: Bytes) -> Result<Proposal, Problem> {
    if text.len() <= ADMIT_INLINE_BYTES_MAX {
        return Ok(Proposal::from_json(&text)?);
    }
    let read = heavy(move || Proposal::from_json(&text)).await;
    Ok(read.map_err(|panicked| Problem::Failed(CREATE_FAILED.into(), panicked.to_string()))??)
}

/// `GET /api/v1/log/entries?logIndex=`
pub(super) async fn by_index(call: &Call<'_>) -> Result<Reply, Problem> {
    let index = Query::parse(call.parts.uri.query()).integer("logIndex", 0)?;
    let index = index.ok_or_else(|| Problem::required("logIndex", "query"))?;
    let entry = call.log.entry_by_index(VirtualIndex(index.unsigned_abs())).await?;
    found(call, entry)
}

/// `GET /api/v1/log/entries/{entryUUID}`
pub(super) async fn by_id(call: &Call<'_>) -> Result<Reply, Problem> {
    let name = Name::parse(call.parameter)
        .ok_or_else(|| Problem::pattern("entryUUID", "path", ID_PATTERN))?;
    let log = call.log;
    let entry = match name {
        Ok(Name::Id(id)) => log.entry_by_id(&id).await?,
        // The active shard's comes first; one is enough here.
        Ok(Name::Uuid(leaf_hash)) => log.entries_by_leaf(leaf_hash).await?.into_iter().next(),
        Err(EntryIdError::TreeIdTooLarge) => {
            let tree_id = &call.parameter[..16];
            let text = format!("validation error: {tree_id} is not a valid TreeID");
            return Err(Problem::Bad(text));
        }
        // No tree has the ID zero.
        Err(EntryIdError::TreeIdZero | EntryIdError::Syntax) => None,
    };
    found(call, entry)
}

fn found(call: &Call<'_>, entry: Option<LoggedEntry>) -> Result<Reply, Problem> {
    let entry = entry.ok_or(Problem::NoEntry)?;
    Ok(one_entry(StatusCode::OK, &call.log.promise(entry)?))
}

fn one_entry(status: StatusCode, entry: &PromisedEntry) -> Reply {
    json(status, entry_text(entry))
}
