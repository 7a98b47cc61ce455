//! Caps of the front doors.

use std::time::Duration;

use crate::limits::{PUBLISH_WAIT_MAX, REQUEST_BODY_BYTES_DEFAULT};

/// Caps that an operator may want to move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections that are open at a time. When there are so many, idle ones are closed for new
    /// ones; when none is idle, new ones are told to come back.
    pub connections_max: usize,
    /// Time for a header to arrive, and for an idle connection to send its next one.
    pub header_read_max: Duration,
    /// Time for a body to arrive.
    pub body_read_max: Duration,
    /// Bytes of all request bodies in memory at a time, unless a single one may be larger.
    pub bodies_bytes_max: usize,
    /// Time for running requests after the server is told to stop.
    pub shutdown_max: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 16_384,
            header_read_max: Duration::from_secs(30),
            body_read_max: Duration::from_secs(30),
            bodies_bytes_max: BODIES_BYTES_DEFAULT,
            shutdown_max: SHUTDOWN_DEFAULT,
        }
    }
}

const BODIES_BYTES_DEFAULT: usize = 64 << 20;
const SHUTDOWN_DEFAULT: Duration = Duration::from_secs(30);

/// Connections to the metrics.
pub(super) const METRICS_CONNECTIONS_MAX: usize = 64;

/// How long a connection may be idle before it is closed for a new one.
pub(super) const IDLE_SPARED: Duration = Duration::from_secs(1);

/// The part of all connections that is closed at once when there is no room for a new one.
pub(super) const LEAVING_PART: usize = 64;

/// Connections that are being told to come back, no more than there may be others; the rest is
/// dropped.
pub(super) const REFUSALS_MAX: usize = 256;

/// Bytes of a request line and its headers, as in Rekor.
pub(super) const HEADER_BYTES_MAX: usize = 1_000_000;

/// Requests at a time on one HTTP/2 connection.
pub(super) const HTTP2_STREAMS_MAX: u32 = 1024;

/// Bytes of the headers of one HTTP/2 request.
pub(super) const HTTP2_HEADER_BYTES_MAX: u32 = 64 << 10;

/// How often a silent HTTP/2 client is asked whether it is there; no answer ends the connection.
pub(super) const HTTP2_PING_INTERVAL: Duration = Duration::from_secs(20);

/// Calls of gRPC at a time, streams included. Each may hold a message of some megabytes.
pub(super) const GRPC_CALLS_MAX: usize = 256;

/// The same for batches, which may be larger.
pub(super) const GRPC_BATCHES_MAX: usize = 8;

/// Bytes of a batch.
pub(super) const GRPC_BATCH_BYTES_MAX: usize = (16 << 20) + (1 << 20);

/// Time without progress after which a client that does not read is given up.
pub(super) const WRITE_STALL_MAX: Duration = Duration::from_secs(30);

/// What is read of a refused body, so that the client gets to read why, and for how long.
pub(super) const LEFTOVER_BYTES_MAX: usize = 64 << 20;
/// See [`LEFTOVER_BYTES_MAX`].
pub(super) const LEFTOVER_READ_MAX: Duration = Duration::from_secs(5);

/// Characters of a path, a user agent or a detail that are logged.
pub(super) const LOGGED_CHARS_MAX: usize = 1024;

/// Characters of a request ID that are logged.
pub(super) const REQUEST_ID_CHARS_MAX: usize = 128;

const _: () = assert!(REQUEST_BODY_BYTES_DEFAULT <= BODIES_BYTES_DEFAULT);
const _: () = assert!(PUBLISH_WAIT_MAX.as_secs() < SHUTDOWN_DEFAULT.as_secs());
