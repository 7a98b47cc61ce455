//! `grpc.health.v1.Health`, telling the truth for each service: the one of Rekor v2 serves while
//! the v2 logs write and publish, the log's own and the server as a whole while all logs do. A site
//! of its own hears of its logs only.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse, health_server};

use super::super::App;
use super::super::sites::Site;
use super::stream::{self, Stopping};
use super::{LOG, REKOR};
use crate::log::{Api, Log};

/// How often a watched service is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

pub(super) struct Health {
    app: Arc<App>,
    site: Arc<Site>,
    stopping: Stopping,
}

impl Health {
    pub(super) fn new(app: Arc<App>, site: Arc<Site>, stopping: Stopping) -> Self {
        Self { app, site, stopping }
    }
}

/// `None` for a service that there is not. Nothing serves when the server is to stop.
fn status(
    app: &App,
    site: &Arc<Site>,
    stopping: &Stopping,
    service: &str,
) -> Option<ServingStatus> {
    let well = |log: &&Arc<Log>| {
        let health = log.health();
        health.not_writing.is_none() && health.not_publishing.is_none()
    };
    let mut logs = app.sites.probed(Some(site)).into_iter();
    let serving = match service {
        "" | LOG => logs.all(|log| well(&log)),
        REKOR => {
            let mut v2 = logs.filter(|log| log.api() == Api::V2 && !log.frozen()).peekable();
            v2.peek().is_some() && v2.all(|log| well(&log))
        }
        _ => return None,
    };
    let serving = serving && !stopping.is_told();
    Some(if serving { ServingStatus::Serving } else { ServingStatus::NotServing })
}

fn response(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}

#[tonic::async_trait]
impl health_server::Health for Health {
    async fn check(
        &self,
        message: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let found = status(&self.app, &self.site, &self.stopping, &message.get_ref().service);
        let found = found.ok_or_else(|| Status::not_found("there is no such service"))?;
        Ok(Response::new(response(found)))
    }

    type WatchStream = ReceiverStream<Result<HealthCheckResponse, Status>>;

    /// The status now, then each time it is another one, up to the server's end. A service that
    /// there is not is watched, too, as the protocol has it.
    async fn watch(
        &self,
        message: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let (app, site) = (self.app.clone(), self.site.clone());
        let service = message.into_inner().service;
        let mut stopping = self.stopping.clone();
        Ok(stream::answer(1, move |answers| async move {
            let mut told = None;
            while !answers.is_closed() {
                let last = stopping.is_told();
                let found = status(&app, &site, &stopping, &service);
                let found = found.unwrap_or(ServingStatus::ServiceUnknown);
                if told != Some(found) {
                    told = Some(found);
                    if answers.send(Ok(response(found))).await.is_err() {
                        return;
                    }
                }
                if last {
                    return;
                }
                tokio::select! {
                    () = sleep(LOOK_EVERY) => {}
                    () = stopping.told() => {}
                }
            }
        }))
    }
}
