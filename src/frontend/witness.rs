//! The witness's door: `POST /add-checkpoint` and `GET /<origin hash>/checkpoint` (C2SP
//! tlog-witness), and the table from its refusals to statuses.

use std::net::SocketAddr;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::{Method, Request, StatusCode};
use tlog::witness::{TREE_SIZE_TYPE, format_cosignatures, format_tree_size};
use tokio::net::TcpListener;
use tokio::task::spawn_blocking;

use super::body::{Body, BodyBudget};
use super::observe::{Observed, RequestIds, unless_panicked};
use super::server::{self, Reply};
use super::settings::FrontendSettings;
use super::status::{Detail, Problem};
use super::{process_word, reply};
use crate::limits::WITNESS_REQUEST_BYTES_MAX;
use crate::telemetry::Metrics;
use crate::witness::{Refusal, Witness};

const TEXT: &str = "text/plain; charset=utf-8";
const ADD_CHECKPOINT: &str = "/add-checkpoint";
const CHECKPOINT: &str = "/{originHash}/checkpoint";

/// Serves a witness until `shutdown`, then answers what is running and closes.
pub async fn serve_witness(listener: TcpListener, witness: Witness, shutdown: impl Future) {
    let max_request_body_bytes = WITNESS_REQUEST_BYTES_MAX;
    let settings = FrontendSettings { max_request_body_bytes, ..FrontendSettings::default() };
    let budget = BodyBudget::new(&settings);
    let (ids, metrics) = (RequestIds::new(process_word()), Metrics::new());
    let limits = settings.limits;
    let door = Arc::new(Door { witness: Arc::new(witness), settings, budget, ids, metrics });
    let handler = move |request, peer| door.clone().enter(request, peer);
    server::run(listener, limits, shutdown, handler).await;
}

struct Door {
    witness: Arc<Witness>,
    settings: FrontendSettings,
    budget: BodyBudget,
    ids: RequestIds,
    metrics: Arc<Metrics>,
}

/// Where a path leads.
enum Place<'a> {
    AddCheckpoint,
    Checkpoint(&'a str),
    Nowhere,
}

impl<'a> Place<'a> {
    fn find(path: &'a str) -> Self {
        if path == ADD_CHECKPOINT {
            return Self::AddCheckpoint;
        }
        let hash = path.strip_prefix('/').and_then(|path| path.strip_suffix("/checkpoint"));
        hash.map_or(Self::Nowhere, Self::Checkpoint)
    }

    fn template(&self) -> &'static str {
        match self {
            Self::AddCheckpoint => ADD_CHECKPOINT,
            Self::Checkpoint(_) => CHECKPOINT,
            Self::Nowhere => "",
        }
    }
}

impl Door {
    async fn enter(self: Arc<Self>, request: Request<Incoming>, peer: SocketAddr) -> Reply {
        let (parts, mut body) = self.budget.split(request);
        let place = Place::find(parts.uri.path());
        let request_id = self.ids.of(&parts.headers, &self.settings.request_id_header);
        let observed = Observed::new(&self.metrics, place.template(), &parts, peer, request_id);
        let mut reply = unless_panicked(self.lead(&place, &parts, &mut body)).await;
        observed.answered(body.received, &mut reply);
        body.discard();
        reply
    }

    async fn lead(&self, place: &Place<'_>, parts: &Parts, body: &mut Body) -> Reply {
        match (place, &parts.method) {
            (Place::AddCheckpoint, &Method::POST) => self.add_checkpoint(body).await,
            (Place::Checkpoint(hash), &Method::GET | &Method::HEAD) => {
                match self.witness.checkpoint(hash) {
                    Some(note) => reply::typed(StatusCode::OK, TEXT, note.to_string()),
                    None => refused(StatusCode::NOT_FOUND, "no such checkpoint was cosigned"),
                }
            }
            (Place::AddCheckpoint, method) => {
                Problem::MethodNotAllowed(method.to_string(), &["POST"]).into_reply()
            }
            (Place::Checkpoint(_), method) => {
                Problem::MethodNotAllowed(method.to_string(), &["GET", "HEAD"]).into_reply()
            }
            (Place::Nowhere, _) => Problem::NotFound(parts.uri.path().into()).into_reply(),
        }
    }

    async fn add_checkpoint(&self, body: &mut Body) -> Reply {
        let body = match body.read().await {
            Ok(body) => body,
            Err(problem) => return problem.into_reply(),
        };
        // It waits for the disk. Should the client leave, what was begun is finished.
        let witness = self.witness.clone();
        let cosigned = spawn_blocking(move || witness.add_checkpoint(&body)).await;
        match cosigned.unwrap_or_else(|panicked| Err(Refusal::Failed(panicked.to_string()))) {
            Ok(lines) => reply::typed(StatusCode::OK, TEXT, format_cosignatures(&lines)),
            Err(refusal) => of_refusal(&refusal),
        }
    }
}

/// The statuses of tlog-witness.
fn of_refusal(refusal: &Refusal) -> Reply {
    use StatusCode as S;
    let status = match refusal {
        Refusal::Malformed(_) => S::BAD_REQUEST,
        Refusal::UnknownLog(_) => S::NOT_FOUND,
        Refusal::Unsigned(_) => S::FORBIDDEN,
        Refusal::Inconsistent(_) => S::UNPROCESSABLE_ENTITY,
        Refusal::Stale { seen, .. } => {
            let reply = reply::typed(S::CONFLICT, TREE_SIZE_TYPE, format_tree_size(*seen));
            return logged(reply, refusal.to_string());
        }
        Refusal::Failed(detail) => {
            return Problem::Failed("the witness cannot cosign now".into(), detail.clone())
                .into_reply();
        }
    };
    refused(status, &refusal.to_string())
}

fn refused(status: StatusCode, text: &str) -> Reply {
    logged(reply::typed(status, TEXT, format!("{text}\n")), text.to_owned())
}

/// The answer with what its log line says more.
fn logged(mut reply: Reply, detail: String) -> Reply {
    reply.extensions_mut().insert(Detail(detail));
    reply
}
