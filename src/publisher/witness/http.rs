//! A witness behind a URL (C2SP tlog-witness: `POST <URL>/add-checkpoint`).

use std::time::Duration;

use async_trait::async_trait;
use tlog::{NoteSignature, witness};

use super::{Witness, WitnessError};
use crate::limits::WITNESS_ANSWER_BYTES_MAX;
use crate::web_client::agent;

/// Asks over HTTP; blocking calls run on threads of their own.
pub struct HttpWitness {
    agent: ureq::Agent,
    url: String,
}

impl HttpWitness {
    /// A witness at a base URL.
    pub fn new(url: &str, timeout: Duration) -> Self {
        let url = format!("{}/add-checkpoint", url.trim_end_matches('/'));
        Self { agent: agent(timeout), url }
    }
}

#[async_trait]
impl Witness for HttpWitness {
    async fn add_checkpoint(&self, body: String) -> Result<Vec<NoteSignature>, WitnessError> {
        let (agent, url) = (self.agent.clone(), self.url.clone());
        let asked = tokio::task::spawn_blocking(move || ask(&agent, &url, &body)).await;
        asked.unwrap_or_else(|panicked| Err(WitnessError::Unreachable(panicked.to_string())))
    }
}

fn ask(agent: &ureq::Agent, url: &str, body: &str) -> Result<Vec<NoteSignature>, WitnessError> {
    let unreachable = |error: ureq::Error| WitnessError::Unreachable(format!("{url}: {error}"));
    let answer = agent.post(url).content_type("text/plain").send(body).map_err(unreachable)?;
    let status = answer.status().as_u16();
    let is_size = answer.headers().get("content-type").is_some_and(|found| {
        found.to_str().is_ok_and(|found| found.split(';').next() == Some(witness::TREE_SIZE_TYPE))
    });
    let text = answer.into_body().into_with_config().limit(WITNESS_ANSWER_BYTES_MAX);
    let text = text.read_to_string().map_err(unreachable)?;
    let malformed = |what: &str| WitnessError::Refused(format!("{url}: {status}, {what}"));
    match status {
        200 => witness::parse_cosignatures(&text).map_err(|error| malformed(&error.to_string())),
        409 if is_size => {
            let size = witness::parse_tree_size(&text);
            Err(WitnessError::Stale(size.ok_or_else(|| malformed("which is no size"))?))
        }
        404 if text.trim().is_empty() => Err(malformed("it does not know this log")),
        _ => {
            let said: String = text.chars().filter(|c| !c.is_control()).take(200).collect();
            Err(malformed(&said))
        }
    }
}
