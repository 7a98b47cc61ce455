//! What a replica needs besides tiles, under `/logs/<log ID>`:
//!
//! - `annex/<N>[.p/<W>]`: what the tree does not commit to of a bundle's entries, signed by the log
//!   (see `annex.rs`);
//! - `entry/<index>`: a canonical body, which may be too long for a bundle;
//! - `attestation/<index>`: what is stored beside that entry.
//!
//! Attestations go by index and not by their key: they are shared by all logs of a store, and a
//! tenant shall see no other's.

use hyper::StatusCode;
use hyper::http::request::Parts;
use tlog::LogIndex;

use super::cached::{Tag, unless_known};
use super::{BYTES, Reply, TEXT, beyond, not_found};
use crate::annex::{MakeError, annex_path, parse_annex_path};
use crate::frontend::reply::typed;
use crate::frontend::status::Problem;
use crate::reader::ReadError;
use crate::shard::Shard;

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resource {
    Annex(u64, u16),
    Entry(LogIndex),
    Attestation(LogIndex),
}

impl Resource {
    /// Reads a path relative to the log; `None` for anything but the one path of a resource.
    pub(super) fn parse(path: &str) -> Option<Self> {
        if let Some((index, width)) = parse_annex_path(path) {
            return Some(Self::Annex(index, width));
        }
        let (kind, index) = path.split_once('/')?;
        let number: u64 = index.parse().ok().filter(|n: &u64| n.to_string() == index)?;
        match kind {
            "entry" => Some(Self::Entry(LogIndex(number))),
            "attestation" => Some(Self::Attestation(LogIndex(number))),
            _ => None,
        }
    }

    /// The path that metrics show.
    pub(super) fn template(self) -> &'static str {
        match self {
            Self::Annex(..) => "/annex/{N}",
            Self::Entry(_) => "/entry/{index}",
            Self::Attestation(_) => "/attestation/{index}",
        }
    }
}

pub(super) async fn answer(shard: &Shard, resource: Resource, parts: &Parts) -> Reply {
    let read = match resource {
        Resource::Annex(index, width) => return annex(shard, index, width, parts).await,
        Resource::Entry(index) => entry(shard, index, parts).await,
        Resource::Attestation(index) => attestation(shard, index, parts).await,
    };
    read.unwrap_or_else(|error| Problem::read(&error).into_reply())
}

async fn annex(shard: &Shard, index: u64, width: u16, parts: &Parts) -> Reply {
    if !shard.signs() {
        return not_found("this replica does not hold the log's key: ask the log itself");
    }
    // Another time of the same annex has another signature, which changes nothing.
    let tag = Tag::immutable(shard, &annex_path(index, width), "");
    match shard.annex(index, width).await {
        Ok(Some(annex)) => unless_known(parts, &tag, || typed(StatusCode::OK, TEXT, annex)),
        Ok(None) => beyond(),
        Err(MakeError::Read(error)) => Problem::read(&error).into_reply(),
        Err(MakeError::Sign(error)) => Problem::from(error).into_reply(),
    }
}

async fn entry(shard: &Shard, index: LogIndex, parts: &Parts) -> Result<Reply, ReadError> {
    let Some(entry) = shard.view().entry(index).await? else { return Ok(beyond()) };
    let tag = Tag::immutable(shard, &format_args!("entry/{index}"), "");
    Ok(unless_known(parts, &tag, || typed(StatusCode::OK, BYTES, entry.body)))
}

async fn attestation(shard: &Shard, index: LogIndex, parts: &Parts) -> Result<Reply, ReadError> {
    let Some(data) = shard.attestation(index).await? else {
        return Ok(not_found("no attestation is stored beside such an entry"));
    };
    let tag = Tag::immutable(shard, &format_args!("attestation/{index}"), "");
    Ok(unless_known(parts, &tag, || typed(StatusCode::OK, BYTES, data)))
}
