//! What a plan asks for, carried out; and why there may be no report.

use std::io;

use hyper::StatusCode;
use thiserror::Error;

use crate::client::{Answer, CallError, Connection, uri};
use crate::fault::Fault;
use crate::plan::{Mode, Plan};
use crate::report::Report;
use crate::{append, rekor_v1, rekor_v2, tiles};

/// Why there is no report.
#[derive(Debug, Error)]
pub enum RunError {
    /// The log could not be asked who it is.
    #[error("{0}: {1}")]
    Setup(String, String),
    /// What the log says of itself is false.
    #[error("the log's own description: {0}")]
    Identity(Fault),
    /// An entry that is to be read does not verify.
    #[error("{0}: {1}")]
    Existing(String, String),
    /// `/proc` cannot be read.
    #[error("process {0}: {1}")]
    Process(u32, io::Error),
    /// No randomness, no keys.
    #[error("cannot sign entries")]
    Sign,
}

impl RunError {
    /// A call without which there is no run.
    pub fn call(error: CallError) -> Self {
        Self::Setup("connection".to_owned(), error.to_string())
    }

    /// Whether the server is at fault, as opposed to the way it was asked.
    pub const fn is_failed_check(&self) -> bool {
        matches!(self, Self::Identity(_) | Self::Existing(..))
    }
}

/// Carries out a plan. Call it within a `LocalSet`.
///
/// # Errors
/// [`RunError`]; failed checks of a run are in the report instead.
pub async fn run(plan: &Plan) -> Result<Report, RunError> {
    match &plan.mode {
        Mode::WriteV1 { .. } | Mode::ReadV1 { .. } => rekor_v1::run(plan).await,
        Mode::WriteV2 { log, transport, read_back } => {
            rekor_v2::write(plan, log, *transport, *read_back).await
        }
        Mode::Append { log, bytes } => append::append(plan, log, *bytes).await,
        Mode::Prove { log, seed } => append::prove(plan, log, *seed).await,
        Mode::Tiles { log, what, order } => tiles::read(plan, log, *what, *order).await,
    }
}

/// Asks for something without which there is no run.
///
/// # Errors
/// No answer, or another status than 200.
pub async fn get_ok(connection: &mut Connection, path: &str) -> Result<Answer, RunError> {
    let refuse = |why: String| RunError::Setup(format!("GET {path}"), why);
    let no_answer = |error: CallError| refuse(error.to_string());
    let answer = connection.get(uri(path).map_err(no_answer)?).await.map_err(no_answer)?;
    if answer.status != StatusCode::OK {
        return Err(refuse(format!("status {}", answer.status.as_u16())));
    }
    Ok(answer)
}
