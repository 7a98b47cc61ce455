//! What a server's answers mean for whoever runs the command.

use std::time::Duration;

use super::super::Failure;
use super::super::exit::Exit;
use super::Server;
use crate::limits::REMOTE_ANSWER_BYTES_MAX;
use crate::web_client::{Answer, Client};

/// Characters of a server's words that are repeated.
const SAID_MAX: usize = 300;

/// A server that is asked.
pub(super) struct Remote(Client);

impl Remote {
    pub(super) fn new(server: &Server) -> Self {
        let timeout = Duration::from_secs(server.timeout.max(1));
        Self(Client::new(&server.url, timeout, REMOTE_ANSWER_BYTES_MAX))
    }

    /// GET, whatever the status.
    pub(super) fn get(&self, path: &str) -> Result<Answer, Failure> {
        self.0.get(path).map_err(|error| Exit::Unreachable.with(error))
    }

    /// GET of what has to be there, as text.
    pub(super) fn text(&self, path: &str) -> Result<String, Failure> {
        let answer = self.get(path)?;
        if answer.status != 200 {
            return Err(refusal(&answer));
        }
        text(answer)
    }

    /// POST of JSON, whatever the status.
    pub(super) fn post(&self, path: &str, json: &str) -> Result<Answer, Failure> {
        self.0.post(path, json).map_err(|error| Exit::Unreachable.with(error))
    }
}

/// The body as text.
pub(super) fn text(answer: Answer) -> Result<String, Failure> {
    let url = answer.url;
    Ok(String::from_utf8(answer.body).map_err(|_| format!("{url}: the answer is no text"))?)
}

/// A status that is not what was asked for.
pub(super) fn refusal(answer: &Answer) -> Failure {
    let exit = match answer.status {
        404 => Exit::NotFound,
        409 => Exit::Conflict,
        400 | 401 | 403 | 405 | 413 | 422 => Exit::Refused,
        408 | 429 | 499.. => Exit::Unreachable,
        _ => Exit::Failure,
    };
    let said: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let raw = String::from_utf8_lossy(&answer.body);
    let said = said["message"].as_str().unwrap_or(raw.trim());
    let said: String = said.chars().filter(|c| !c.is_control()).take(SAID_MAX).collect();
    let colon = if said.is_empty() { "" } else { ": " };
    exit.with(format!("{} answered {}{colon}{said}", answer.url, answer.status))
}
