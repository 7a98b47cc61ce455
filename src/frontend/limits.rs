//! Caps of the front doors.

use std::time::Duration;

/// Connections that are open at a time; more are told to come back.
pub(super) const CONNECTIONS_MAX: usize = 4096;

/// Connections that are being told so; more are dropped.
pub(super) const REFUSALS_MAX: usize = 256;

/// Bytes of a request line and its headers, as in Rekor.
pub(super) const HEADER_BYTES_MAX: usize = 1_000_000;

/// Time for a header to arrive, and for an idle connection to send its next one.
pub(super) const HEADER_READ_MAX: Duration = Duration::from_secs(30);

/// Time for a body to arrive.
pub(super) const BODY_READ_MAX: Duration = Duration::from_secs(30);

/// Time without progress after which a client that does not read is given up.
pub(super) const WRITE_STALL_MAX: Duration = Duration::from_secs(30);

/// Time for running requests after the server is told to stop.
pub(super) const SHUTDOWN_MAX: Duration = Duration::from_secs(30);

/// Bytes of request bodies that are in memory at a time, unless a single body may be larger.
pub(super) const BODIES_BYTES_MAX: usize = 128 << 20;

/// What is read of a refused body, so that the client gets to read why, and for how long.
pub(super) const LEFTOVER_BYTES_MAX: usize = 64 << 20;
/// See [`LEFTOVER_BYTES_MAX`].
pub(super) const LEFTOVER_READ_MAX: Duration = Duration::from_secs(5);

/// Characters of a request ID that are logged.
pub(super) const REQUEST_ID_CHARS_MAX: usize = 128;

const _: () = assert!(crate::limits::REQUEST_BODY_BYTES_DEFAULT <= BODIES_BYTES_MAX);
const _: () = assert!(crate::limits::PUBLISH_WAIT_MAX.as_secs() < SHUTDOWN_MAX.as_secs());
