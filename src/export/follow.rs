//! The task that keeps a destination at a log's newest checkpoint while the log is served.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::Exporter;
use crate::limits::EXPORT_PAUSE_MAX;
use crate::publisher::Publisher;
use crate::telemetry::LogMetrics;

/// Exports the newest checkpoint whenever there is another one, and at most once an `interval`,
/// until the log publishes no more. A failure is logged and counted, and tried again; whoever
/// writes to the log notices nothing. Dropping it in the middle is no harm.
pub async fn follow(
    mut exporter: Exporter,
    publisher: Publisher,
    interval: Duration,
    metrics: Arc<LogMetrics>,
) {
    let log = exporter.log().to_owned();
    let mut pause = interval;
    loop {
        let (began, newest) = (Instant::now(), publisher.newest());
        match exporter.export(&newest.cosigned, &mut |_, _| {}).await {
            Ok(done) => {
                tracing::debug!(log, size = done.size, objects = done.objects, "exported");
                metrics.exported(done.size);
                pause = interval;
                if publisher.other_than(&newest).await.is_err() {
                    return;
                }
                sleep_until(began + interval).await;
            }
            Err(error) => {
                metrics.export_failures.inc();
                tracing::warn!(log, %error, "not exported; it is tried again");
                sleep(pause).await;
                pause = (pause * 2).clamp(interval, EXPORT_PAUSE_MAX.max(interval));
            }
        }
    }
}
