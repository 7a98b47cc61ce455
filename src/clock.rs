//! Time and randomness: the only reader of either. Everything else is given them.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand;
use storage::TreeId;

/// A source of the time, in whole seconds since 1970.
pub type UnixSeconds = fn() -> i64;

/// The time of this machine, whole seconds since 1970; 0 when its clock stands before that.
pub fn unix_seconds() -> i64 {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
    let now = SystemTime::now();
    now.duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|elapsed| i64::try_from(elapsed.as_secs()).ok())
        .unwrap_or(0)
}

/// The system has no randomness to give.
#[derive(Debug, thiserror::Error)]
#[error("the operating system gave no random bytes")]
pub struct NoRandomness;

/// A random positive 63-bit number, as Trillian names its trees.
pub fn random_tree_id() -> Result<TreeId, NoRandomness> {
    loop {
        let mut bytes = [0; 8];
        rand::fill(&mut bytes).map_err(|_| NoRandomness)?;
        if let Some(id) = TreeId::new(i64::from_be_bytes(bytes) & i64::MAX) {
            return Ok(id); // the other case, zero, has a chance of 2^-63
        }
    }
}
