//! A replica of logs that are written elsewhere: it takes over what they publish, and shows it.
//!
//! It holds every checkpoint against the log's key, every entry against the checkpoint's root, and
//! what the tree does not commit to against the log's signature (`annex`). Who carried it all, a
//! server, a bucket or a file, is believed in nothing. It signs no checkpoint.

mod bundle;
mod fence;
mod inbox;
mod listed;
mod replica;
mod source;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

pub use bundle::BundleError;
pub use fence::{Fence, FenceError};
pub use inbox::Inbox;
pub use listed::{Listed, logs_of};
pub use replica::{FollowError, Replica};
pub use source::{HttpSource, Source, SourceError};

use crate::limits::FOLLOW_REST_MAX;
use crate::publisher::Following;
use crate::telemetry::LogMetrics;

/// Follows a log until what it publishes cannot be true, or the process ends. Looks at it every
/// `pause`, and less often while it does not answer.
pub async fn follow(
    replica: Replica,
    following: Following,
    pause: Duration,
    metrics: Arc<LogMetrics>,
) {
    let mut rest = pause;
    loop {
        sleep(rest).await;
        match step(&replica, &following).await {
            Ok(()) => rest = pause,
            Err(error) if error.is_final() => {
                tracing::error!(%error, "the log is not followed any more");
                following.stop(&error.to_string());
                return;
            }
            Err(error) => {
                metrics.follow_failures.inc();
                tracing::warn!(%error, path = replica.path(), "the log could not be followed");
                rest = (rest * 2).clamp(pause, FOLLOW_REST_MAX.max(pause));
            }
        }
    }
}

async fn step(replica: &Replica, following: &Following) -> Result<(), FollowError> {
    let shown = following.shown();
    let known = Some((shown.head, &*shown.cosigned));
    if let Some(note) = replica.catch_up(known, &mut |_, _| {}).await? {
        following.show(&note).await?;
    }
    Ok(())
}
