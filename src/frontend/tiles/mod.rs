//! Every log as C2SP tlog-tiles: `checkpoint`, `tile/<L>/<N>`, `tile/entries/<N>`.
//!
//! The v2 log has them at the root and under `/api/v2`, each tree under `/logs/<log ID>`. What a
//! path leads to never changes, but for the checkpoint. Under `/logs/<log ID>` there is also what
//! a replica needs besides, see `beside`.

mod beside;
mod cached;
mod list;

use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::header::{
    ACCEPT_ENCODING, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, CONTENT_ENCODING,
    HeaderValue, VARY,
};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};
use tlog::{BundleError, TILE_WIDTH, TileId, TilePath, encode_bundle, encode_tile};

use super::reply::{empty, typed};
use super::server::Reply;
use super::sites::Site;
use super::status::Problem;
use crate::heavy::heavy;
use crate::reader::ReadError;
use crate::shard::Shard;

use cached::{Tag, unless_known};

/// Where a path leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// `/logs`
    List,
    /// Something of a tree: of the one with this ID or name, or of the default log.
    Of(Option<String>, Resource),
    /// Below `/logs`, but nothing.
    Unknown,
}

/// Something of a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resource {
    Checkpoint,
    Tile(TilePath),
    Beside(beside::Resource),
}

const TEXT: &str = "text/plain; charset=utf-8";
const BYTES: &str = "application/octet-stream";
const METHODS: [&str; 3] = ["GET", "HEAD", "OPTIONS"];

impl Target {
    /// Finds the way for a path; `None` where it leads elsewhere.
    pub(crate) fn find(path: &str) -> Option<Self> {
        if let Some(rest) = path.strip_prefix("/logs") {
            return match rest.split_once('/') {
                _ if rest.is_empty() => Some(Self::List),
                Some(("", below)) => Some(match below.split_once('/') {
                    Some((id, resource)) => {
                        let beside = || beside::Resource::parse(resource).map(Resource::Beside);
                        match Resource::parse(resource).or_else(beside) {
                            Some(resource) => Self::Of(Some(id.to_owned()), resource),
                            None => Self::Unknown,
                        }
                    }
                    None => Self::Unknown,
                }),
                _ => None,
            };
        }
        let path = path.strip_prefix("/api/v2").unwrap_or(path);
        let resource = path.strip_prefix('/')?;
        if resource == "checkpoint" || resource.starts_with("tile/") {
            return Some(match Resource::parse(resource) {
                Some(resource) => Self::Of(None, resource),
                None => Self::Unknown,
            });
        }
        None
    }

    /// The path that metrics show: never what a client made up.
    pub(crate) fn template(&self) -> &'static str {
        match self {
            Self::List => "/logs",
            Self::Of(_, Resource::Checkpoint) => "/checkpoint",
            Self::Of(_, Resource::Tile(TilePath::Tile { .. })) => "/tile/{L}/{N}",
            Self::Of(_, Resource::Tile(TilePath::Entries { .. })) => "/tile/entries/{N}",
            Self::Of(_, Resource::Beside(resource)) => resource.template(),
            Self::Unknown => "unknown",
        }
    }
}

impl Resource {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "checkpoint" => Some(Self::Checkpoint),
            _ => TilePath::parse(text).map(Self::Tile),
        }
    }
}

/// Answers a request.
pub(crate) async fn answer(site: Option<&Site>, target: &Target, parts: &Parts) -> Reply {
    let mut reply = match parts.method {
        Method::GET | Method::HEAD => match (site, target) {
            (Some(site), Target::List) => list::logs(site, parts),
            (Some(site), Target::Of(id, resource)) => {
                let shard = match id {
                    Some(id) => site.shard(id).map(|(_, shard)| shard),
                    None => site.default_log().map(|log| log.active()),
                };
                match shard {
                    Some(shard) => read(shard, *resource, parts).await,
                    None => not_found("there is no such log"),
                }
            }
            (_, Target::Unknown) | (None, _) => not_found("there is no such path"),
        },
        Method::OPTIONS => empty(StatusCode::NO_CONTENT),
        _ => Problem::MethodNotAllowed(parts.method.to_string(), &METHODS).into_reply(),
    };
    let headers = reply.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD"));
    reply
}

async fn read(shard: &Shard, resource: Resource, parts: &Parts) -> Reply {
    let read = match resource {
        Resource::Checkpoint => return checkpoint(shard, parts),
        Resource::Tile(TilePath::Tile { tile, width }) => hashes(shard, tile, width, parts).await,
        Resource::Tile(TilePath::Entries { index, width }) => {
            entries(shard, index, width, parts).await
        }
        Resource::Beside(resource) => return beside::answer(shard, resource, parts).await,
    };
    read.unwrap_or_else(|error| Problem::read(&error).into_reply())
}

fn checkpoint(shard: &Shard, parts: &Parts) -> Reply {
    let published = shard.checkpoint();
    let note = Bytes::copy_from_slice(published.cosigned.as_bytes());
    let tag = Tag::of_bytes(&note, published.time);
    unless_known(parts, &tag, || typed(StatusCode::OK, TEXT, note))
}

async fn hashes(
    shard: &Shard,
    tile: TileId,
    width: u16,
    parts: &Parts,
) -> Result<Reply, ReadError> {
    let Some(hashes) = shard.view().tile(tile, width).await? else { return Ok(beyond()) };
    let tag = Tag::immutable(shard, &TilePath::Tile { tile, width }, "");
    Ok(unless_known(parts, &tag, || typed(StatusCode::OK, BYTES, encode_tile(hashes.hashes()))))
}

async fn entries(shard: &Shard, index: u64, width: u16, parts: &Parts) -> Result<Reply, ReadError> {
    let gzip = takes_gzip(parts);
    let variant = if gzip { "-gzip" } else { "" };
    let tag = Tag::immutable(shard, &TilePath::Entries { index, width }, variant);
    let Some(entries) = shard.view().bundle(index, width).await? else { return Ok(beyond()) };
    let bodies: Vec<_> = entries.into_iter().map(|entry| entry.body).collect();
    let bundle = match encode_bundle(&bodies) {
        Ok(bundle) => bundle,
        Err(error @ (BundleError::EntryTooLong { .. } | BundleError::TooManyEntries)) => {
            return Ok(not_found(&error.to_string()));
        }
        Err(BundleError::Truncated) => return Ok(not_found("the bundle cannot be made")),
    };
    let compressed = match gzip {
        true => heavy(move || compress(bundle)).await.ok(),
        false => Some(bundle),
    };
    let Some(bundle) = compressed else { return Ok(not_found("the bundle cannot be compressed")) };
    let mut reply = unless_known(parts, &tag, || typed(StatusCode::OK, BYTES, bundle));
    if gzip && reply.status() == StatusCode::OK {
        reply.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    reply.headers_mut().insert(VARY, HeaderValue::from_static("accept-encoding"));
    Ok(reply)
}

/// The fastest level: certificates and JSON shrink to a third with it.
fn compress(bytes: Vec<u8>) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 2), Compression::fast());
    // Writing to a `Vec` cannot fail.
    let _ = encoder.write_all(&bytes);
    encoder.finish().unwrap_or_default()
}

/// Whether the client takes gzip: named with a quality above 0 (RFC 9110 §12.5.3).
fn takes_gzip(parts: &Parts) -> bool {
    let lists = parts.headers.get_all(ACCEPT_ENCODING).iter().filter_map(|list| list.to_str().ok());
    lists.flat_map(|list| list.split(',')).any(|coding| {
        let mut words = coding.split(';').map(str::trim);
        let named = words.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        let quality = words.find_map(|word| word.strip_prefix("q=")?.parse::<f32>().ok());
        named && quality.is_none_or(|quality| quality > 0.0)
    })
}

/// Not there yet, and perhaps soon.
fn beyond() -> Reply {
    not_found("the log does not reach so far")
}

fn not_found(why: &str) -> Reply {
    typed(StatusCode::NOT_FOUND, TEXT, format!("{why}\n"))
}

const _: () = assert!(TILE_WIDTH <= u16::MAX as u64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let checkpoint = || Resource::Checkpoint;
        assert_eq!(Target::find("/checkpoint"), Some(Target::Of(None, checkpoint())));
        assert_eq!(Target::find("/api/v2/checkpoint"), Some(Target::Of(None, checkpoint())));
        assert_eq!(Target::find("/logs"), Some(Target::List));
        assert_eq!(
            Target::find("/logs/ab/checkpoint"),
            Some(Target::Of(Some("ab".into()), checkpoint()))
        );
        let tile = TilePath::parse("tile/0/x001/067.p/5").unwrap();
        for path in ["/tile/0/x001/067.p/5", "/api/v2/tile/0/x001/067.p/5"] {
            assert_eq!(Target::find(path), Some(Target::Of(None, Resource::Tile(tile))), "{path}");
        }
        for path in ["/tile/0/1", "/tile/0/x000/001", "/tile/64/000", "/tile/", "/logs/", "/logs/a"]
        {
            assert_eq!(Target::find(path), Some(Target::Unknown), "{path}");
        }
        for path in ["/", "/logsx", "/checkpoint/", "/api/v2/log/entries", "/api/v1/log"] {
            assert_eq!(Target::find(path), None, "{path}");
        }
    }

    #[test]
    fn gzip_is_for_those_who_ask() {
        let takes = |value: &str| {
            let request = hyper::Request::get("/").header(ACCEPT_ENCODING, value);
            takes_gzip(&request.body(()).unwrap().into_parts().0)
        };
        assert!(takes("gzip") && takes("br, GZIP;q=0.5") && takes("deflate,gzip ; q=1"));
        assert!(!takes("gzip;q=0") && !takes("br") && !takes("identity, x-gzip2") && !takes("*"));
    }
}
