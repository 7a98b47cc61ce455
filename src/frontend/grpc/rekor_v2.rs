//! `dev.sigstore.rekor.v2.Rekor`. Rekor itself leaves the three reading methods to a file server.

use std::sync::Arc;

use bytes::Bytes;
use proto::google_api::HttpBody;
use proto::rekor_v1::TransparencyLogEntry;
use proto::rekor_v2::{CreateEntryRequest, EntryBundleRequest, TileRequest, rekor_server};
use tlog::{TilePath, encode_bundle, encode_tile};
use tonic::{Request, Response, Status};

use super::super::App;
use super::super::rekor_v2::status::Refusal;
use super::super::sites::Site;
use super::convert::{request, tle};
use super::status::{of_read, of_rekor_v2};
use crate::log::{Api, Log};

pub(super) struct Rekor {
    app: Arc<App>,
    site: Arc<Site>,
}

impl Rekor {
    pub(super) fn new(app: Arc<App>, site: Arc<Site>) -> Self {
        Self { app, site }
    }

    fn log(&self) -> Result<&Arc<Log>, Status> {
        self.site.log(Api::V2).ok_or_else(|| Status::not_found("there is no v2 log here"))
    }
}

const NO_TILE: &str = "the log does not reach so far";

fn bytes(content_type: &str, data: impl Into<Bytes>) -> Response<HttpBody> {
    let content_type = content_type.to_owned();
    Response::new(HttpBody { content_type, data: data.into(), extensions: Vec::new() })
}

fn path(kind: &str, rest: &str) -> Result<TilePath, Status> {
    let path = TilePath::parse(&format!("tile/{kind}/{rest}"));
    path.ok_or_else(|| Status::invalid_argument("this is no path of a tile"))
}

#[tonic::async_trait]
impl rekor_server::Rekor for Rekor {
    async fn create_entry(
        &self,
        message: Request<CreateEntryRequest>,
    ) -> Result<Response<TransparencyLogEntry>, Status> {
        let request = request(message.into_inner());
        let kind = request.kind();
        let created = self.log()?.create_entry(request).await;
        let entry = created.map_err(|error| of_rekor_v2(&Refusal::from(error)))?;
        self.app.metrics.new_entry_v2(kind);
        let mut response = Response::new(tle(kind, entry));
        let created = tonic::metadata::MetadataValue::from_static("201");
        response.metadata_mut().insert("x-http-code", created);
        Ok(response)
    }

    async fn get_tile(&self, message: Request<TileRequest>) -> Result<Response<HttpBody>, Status> {
        let TileRequest { l, n } = message.into_inner();
        let TilePath::Tile { tile, width } = path(&l.to_string(), &n)? else {
            return Err(Status::invalid_argument("this is no path of a tile"));
        };
        let found = self.log()?.active().view().tile(tile, width).await;
        let found = found.map_err(|error| of_read(&error))?;
        let hashes = found.ok_or_else(|| Status::not_found(NO_TILE))?;
        Ok(bytes("application/octet-stream", encode_tile(hashes.hashes())))
    }

    async fn get_entry_bundle(
        &self,
        message: Request<EntryBundleRequest>,
    ) -> Result<Response<HttpBody>, Status> {
        let TilePath::Entries { index, width } = path("entries", &message.into_inner().n)? else {
            return Err(Status::invalid_argument("this is no path of an entry bundle"));
        };
        let found = self.log()?.active().view().bundle(index, width).await;
        let found = found.map_err(|error| of_read(&error))?;
        let entries = found.ok_or_else(|| Status::not_found(NO_TILE))?;
        let bodies: Vec<_> = entries.into_iter().map(|entry| entry.body).collect();
        let bundle = encode_bundle(&bodies);
        let bundle = bundle.map_err(|error| Status::not_found(error.to_string()))?;
        Ok(bytes("application/octet-stream", bundle))
    }

    async fn get_checkpoint(&self, _: Request<()>) -> Result<Response<HttpBody>, Status> {
        let checkpoint = self.log()?.active().checkpoint();
        Ok(bytes("text/plain; charset=utf-8", checkpoint.cosigned.as_bytes().to_vec()))
    }
}
