//! Where a log is followed from: paths to bytes. Nothing that comes from a source is believed.

use std::io::Read as _;
use std::time::Duration;

use async_trait::async_trait;

use crate::web_client::agent;

/// Something that holds logs at the paths at which Cairn serves and exports them.
#[async_trait]
pub trait Source: Send + Sync {
    /// The bytes at a path, at most `max` of them; `None` when there is nothing.
    async fn get(&self, path: &str, max: usize) -> Result<Option<Vec<u8>>, SourceError>;

    /// Whether it may hold nothing for a while, as an inbox does between two files.
    fn may_be_empty(&self) -> bool {
        false
    }
}

/// The source did not answer, or not with what was asked for. It may later.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {why}")]
pub struct SourceError {
    /// What was asked.
    pub place: String,
    /// What is wrong.
    pub why: String,
}

/// A server, or a bucket or folder behind a web server.
pub struct HttpSource {
    agent: ureq::Agent,
    base: String,
}

impl HttpSource {
    /// A source at a base URL; each request is over within `timeout`.
    pub fn new(url: &str, timeout: Duration) -> Self {
        Self { agent: agent(timeout), base: url.trim_end_matches('/').to_owned() }
    }
}

#[async_trait]
impl Source for HttpSource {
    async fn get(&self, path: &str, max: usize) -> Result<Option<Vec<u8>>, SourceError> {
        let (agent, url) = (self.agent.clone(), format!("{}/{path}", self.base));
        let place = url.clone();
        let asked = tokio::task::spawn_blocking(move || get(&agent, &url, max)).await;
        let asked = asked.unwrap_or_else(|panicked| Err(panicked.to_string()));
        asked.map_err(|why| SourceError { place, why })
    }
}

fn get(agent: &ureq::Agent, url: &str, max: usize) -> Result<Option<Vec<u8>>, String> {
    let answer = agent.get(url).call().map_err(|error| error.to_string())?;
    match answer.status().as_u16() {
        200 => {}
        404 | 410 => return Ok(None),
        status => return Err(format!("it answered {status}")),
    }
    let (mut bytes, limit) = (Vec::new(), max as u64 + 1);
    let mut reader = answer.into_body().into_reader().take(limit);
    reader.read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() > max {
        return Err(format!("it is longer than {max} bytes"));
    }
    Ok(Some(bytes))
}
