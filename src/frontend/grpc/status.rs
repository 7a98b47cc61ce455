//! The table of gRPC: error → code and text. The codes of Rekor v2 are in `rekor_v2::status`, which
//! both of its transports speak from.

use hyper::header::HeaderName;
use tonic::metadata::{Ascii, MetadataKey, MetadataValue};
use tonic::{Code, Status};

use super::super::rekor_v2::status::Refusal;
use crate::log::CreateEntryError;
use crate::reader::ReadError;

/// What Rekor v2 tells clients of a frozen log in its metadata.
const FROZEN: &str = "This log has been frozen, please switch to the latest log.";

/// A refusal of Rekor v2.
pub(super) fn of_rekor_v2(refusal: &Refusal) -> Status {
    let (code, text) = refusal.public();
    let mut status = Status::new(Code::from_i32(code as i32), text);
    if let Some((name, value)) = refusal.header() {
        put(&mut status, &name, value.to_str().unwrap_or_default());
    }
    if matches!(refusal, Refusal::Frozen) {
        put(&mut status, &HeaderName::from_static("x-http-code"), "405");
        put(&mut status, &HeaderName::from_static("x-http-error-message"), FROZEN);
    }
    tracing::debug!(code = code as u8, detail = refusal.detail(), "call refused");
    status
}

fn put(status: &mut Status, name: &HeaderName, value: &str) {
    let key = MetadataKey::<Ascii>::from_bytes(name.as_str().as_bytes());
    if let (Ok(key), Ok(value)) = (key, MetadataValue::try_from(value)) {
        status.metadata_mut().insert(key, value);
    }
}

/// Why an entry was not appended, in the log's own API: the reasons are for its clients.
pub(super) fn of_append(error: &CreateEntryError) -> Status {
    let code = match error {
        CreateEntryError::Rejected(crate::admission::Rejection::Internal(_)) => Code::Internal,
        CreateEntryError::Rejected(_) => Code::InvalidArgument,
        CreateEntryError::Duplicate { .. } => Code::AlreadyExists,
        CreateEntryError::OverQuota(_) => Code::ResourceExhausted,
        CreateEntryError::Frozen => Code::FailedPrecondition,
        CreateEntryError::TimedOut => Code::DeadlineExceeded,
        CreateEntryError::Pushback
        | CreateEntryError::NoQuorum
        | CreateEntryError::Full(_)
        | CreateEntryError::Stopped(_) => Code::Unavailable,
        CreateEntryError::Read(error) => return of_read(error),
    };
    let text = match error {
        CreateEntryError::Rejected(crate::admission::Rejection::Masked { detail, .. }) => {
            detail.clone()
        }
        CreateEntryError::Stopped(_) => "the log has stopped writing".into(),
        other => other.to_string(),
    };
    Status::new(code, text)
}

/// A read that failed; why stands in the log only.
pub(super) fn of_read(error: &ReadError) -> Status {
    tracing::error!(%error, "a read failed");
    Status::internal("the log cannot be read")
}
