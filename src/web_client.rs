//! How this process asks other servers: over HTTP, and over TLS with the machine's own certificate
//! authorities. For commands and witnesses; the log itself asks nobody.

use std::sync::Arc;
use std::time::Duration;

use ureq::tls::{RootCerts, TlsConfig};

/// A client whose every request is over within `timeout`. Statuses are answers, not errors.
pub fn agent(timeout: Duration) -> ureq::Agent {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = TlsConfig::builder()
        .unversioned_rustls_crypto_provider(provider)
        .root_certs(RootCerts::PlatformVerifier)
        .build();
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(timeout))
        .http_status_as_error(false)
        .max_redirects(0)
        .tls_config(tls);
    config.build().new_agent()
}

/// A server that is asked again and again.
pub struct Client {
    agent: ureq::Agent,
    base: String,
    answer_bytes_max: u64,
}

/// What it answered, whatever the status.
pub struct Answer {
    /// What was asked.
    pub url: String,
    /// The HTTP status.
    pub status: u16,
    /// `Location`, if it is there.
    pub location: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

/// There is no answer, or not all of it.
#[derive(Debug, thiserror::Error)]
#[error("{url}: {why}")]
pub struct NoAnswer {
    url: String,
    why: String,
}

impl Client {
    /// Asks below `base`; each question is over within `timeout`, each answer has at most so many
    /// bytes.
    pub fn new(base: &str, timeout: Duration, answer_bytes_max: u64) -> Self {
        let base = base.trim_end_matches('/').to_owned();
        Self { agent: agent(timeout), base, answer_bytes_max }
    }

    /// GET of a path without its leading slash.
    ///
    /// # Errors
    /// [`NoAnswer`].
    pub fn get(&self, path: &str) -> Result<Answer, NoAnswer> {
        let url = format!("{}/{path}", self.base);
        let asked = self.agent.get(&url).call();
        self.read(url, asked)
    }

    /// POST of JSON to a path without its leading slash.
    ///
    /// # Errors
    /// [`NoAnswer`].
    pub fn post(&self, path: &str, json: &str) -> Result<Answer, NoAnswer> {
        let url = format!("{}/{path}", self.base);
        let asked = self.agent.post(&url).content_type("application/json").send(json);
        self.read(url, asked)
    }

    fn read(
        &self,
        url: String,
        asked: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<Answer, NoAnswer> {
        let no_answer = |error: ureq::Error| NoAnswer { url: url.clone(), why: error.to_string() };
        let answer = asked.map_err(no_answer)?;
        let status = answer.status().as_u16();
        let location = answer.headers().get("location").and_then(|value| value.to_str().ok());
        let location = location.map(str::to_owned);
        let body = answer.into_body().into_with_config().limit(self.answer_bytes_max).read_to_vec();
        Ok(Answer { status, location, body: body.map_err(no_answer)?, url })
    }
}
