//! The front doors: bytes ↔ calls on the log. Which path leads where.
//!
//! No rules about entries here: they are in admission.

mod body;
mod grpc;
mod health;
mod limits;
mod observe;
mod rekor_v1;
mod rekor_v2;
mod reply;
mod reply_body;
mod seats;
mod server;
mod settings;
mod sites;
mod status;
mod stream;
mod tiles;
mod trust;
mod witness;

use std::net::SocketAddr;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::{Request, StatusCode};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::clock::random_tree_id;
use crate::log::{Api, Health};
use crate::telemetry::{METRICS_TEXT, Metrics};

use body::{Body, BodyBudget};
use health::Probe;
use limits::METRICS_CONNECTIONS_MAX;
use observe::{Observed, RequestIds, unless_panicked};
use server::Reply;
use sites::Site;
use status::Problem;

pub use limits::Limits;
pub use rekor_v1::entry_text;
pub use rekor_v2::{MalformedRequest, read_request};
pub use settings::{FrontendSettings, FrontendSettingsError};
pub use sites::{Door, Sites};
pub use witness::serve_witness;

/// What the front doors need.
pub struct App {
    /// The logs: where entries go, and where they are read.
    pub sites: Sites,
    /// Where requests are counted.
    pub metrics: Arc<Metrics>,
    /// How the doors are set.
    pub settings: FrontendSettings,
}

/// Serves the API until `shutdown`, then answers what is running and closes.
pub async fn serve(listener: TcpListener, app: Arc<App>, shutdown: impl Future) {
    let budget = BodyBudget::new(&app.settings);
    let limits = app.settings.limits;
    let (stop, stopping) = watch::channel(false);
    let shutdown = async move {
        shutdown.await;
        stop.send_replace(true);
    };
    let doors = Arc::new(Doors {
        app,
        budget,
        ids: RequestIds::new(process_word()),
        calls: grpc::Calls::new(grpc::Stopping::new(stopping)),
    });
    let handler = move |request, peer| doors.clone().enter(request, peer);
    server::run(listener, limits, shutdown, handler).await;
}

/// Serves `GET /metrics` until `shutdown`.
pub async fn serve_metrics(listener: TcpListener, metrics: Arc<Metrics>, shutdown: impl Future) {
    let limits = Limits { connections_max: METRICS_CONNECTIONS_MAX, ..Limits::default() };
    server::run(listener, limits, shutdown, move |request: Request<Incoming>, _peer| {
        let metrics = metrics.clone();
        async move {
            match request.uri().path() {
                "/metrics" => reply::typed(StatusCode::OK, METRICS_TEXT, metrics.render()),
                other => Problem::NotFound(other.into()).into_reply(),
            }
        }
    })
    .await;
}

/// Any random word will do; without one the process is just not told apart from others.
fn process_word() -> String {
    let word = random_tree_id().map_or(0, |id| id.get() & 0xffff_ffff);
    format!("{word:08x}")
}

struct Doors {
    app: Arc<App>,
    budget: BodyBudget,
    ids: RequestIds,
    calls: grpc::Calls,
}

/// Where a path leads.
enum Place {
    Health(Probe),
    RekorV1(rekor_v1::Target),
    RekorV2(rekor_v2::Target),
    Tiles(tiles::Target),
    Trust(trust::File),
}

impl Place {
    fn find(parts: &Parts) -> Self {
        let path = parts.uri.path();
        if let Some(probe) = Probe::at(path) {
            return Self::Health(probe);
        }
        if let Some(file) = trust::File::at(path) {
            return Self::Trust(file);
        }
        if let Some(target) = tiles::Target::find(path) {
            return Self::Tiles(target);
        }
        match rekor_v2::Target::find(&parts.method, path) {
            Some(target) => Self::RekorV2(target),
            None => Self::RekorV1(rekor_v1::Target::find(&parts.method, path)),
        }
    }

    fn template(&self) -> &'static str {
        match self {
            Self::Health(probe) => probe.template(),
            Self::RekorV1(target) => target.template(),
            Self::RekorV2(target) => target.template(),
            Self::Tiles(target) => target.template(),
            Self::Trust(file) => file.template(),
        }
    }
}

impl Doors {
    async fn enter(self: Arc<Self>, request: Request<Incoming>, peer: SocketAddr) -> Reply {
        if grpc::is_call(&request) {
            return self.call(request, peer).await;
        }
        let (mut parts, mut body) = self.budget.split(request);
        let site = self.app.sites.enter(&mut parts);
        let place = Place::find(&parts);
        let request_id = self.ids.of(&parts.headers, &self.app.settings.request_id_header);
        let metrics = &self.app.metrics;
        let observed = Observed::new(metrics, place.template(), &parts, peer, request_id);
        let mut reply = unless_panicked(self.lead(site, &place, &parts, &mut body)).await;
        observed.answered(body.received, &mut reply);
        body.discard();
        reply
    }

    /// A call of gRPC; its status is in the trailers, so the log line shows that of HTTP.
    async fn call(&self, request: Request<Incoming>, peer: SocketAddr) -> Reply {
        let (mut parts, body) = request.into_parts();
        let site = self.app.sites.enter(&mut parts).cloned();
        let method = grpc::Method::find(parts.uri.path());
        let request_id = self.ids.of(&parts.headers, &self.app.settings.request_id_header);
        let metrics = &self.app.metrics;
        let observed = Observed::new(metrics, method.template(), &parts, peer, request_id);
        let request = Request::from_parts(parts, body);
        let answer = grpc::answer(&self.app, site, method, request, &self.calls);
        let mut reply = unless_panicked(answer).await;
        observed.answered(0, &mut reply);
        reply
    }

    async fn lead(
        &self,
        site: Option<&Arc<Site>>,
        place: &Place,
        parts: &Parts,
        body: &mut Body,
    ) -> Reply {
        let log = |api| site.and_then(|site| site.log(api));
        match place {
            Place::Health(probe) => {
                let logs = self.app.sites.probed(site);
                let health: Vec<Health> = logs.iter().map(|log| log.health()).collect();
                probe.answer(&parts.method, parts.uri.query(), &health)
            }
            Place::RekorV1(target) => {
                rekor_v1::answer(&self.app, log(Api::V1), target, parts, body).await
            }
            Place::Trust(file) => file.answer(site.map(Arc::as_ref), parts),
            Place::Tiles(target) => tiles::answer(site.map(Arc::as_ref), target, parts).await,
            Place::RekorV2(target) => {
                rekor_v2::answer(&self.app, log(Api::V2), *target, body).await
            }
        }
    }
}
