//! Appending by `cairn.log.v1`: one entry, many, or a stream of them.
//!
//! Entries are queued in the order in which they come, and their results are waited for in that
//! order: however many there are, one task queues and one waits.

use std::sync::Arc;

use proto::log_v1::append_result::Result as Outcome;
use proto::log_v1::{
    AppendResult, AppendStreamRequest, AppendStreamResponse, Appended, Failure, Item,
};
use tokio::sync::mpsc;
use tonic::{Status, Streaming};

use super::convert::{inclusion_proof, proposed};
use super::status::{of_append, of_read};
use super::stream::Stopping;
use crate::limits::BATCH_ENTRIES_MAX;
use crate::log::{Log, Pending};

/// An item that was queued, or was not.
type Queued = Result<Pending, Status>;

/// Appends one item.
pub(super) async fn one(
    log: &Log,
    item: Option<Item>,
    include_proof: bool,
) -> Result<Appended, Status> {
    settle(log, queue(log, item).await, include_proof).await
}

/// Appends many; one result for each, in order.
pub(super) async fn batch(log: &Log, items: Vec<Item>, include_proofs: bool) -> Vec<AppendResult> {
    let mut queued = Vec::with_capacity(items.len());
    for item in items {
        queued.push(queue(log, Some(item)).await);
    }
    let mut results = Vec::with_capacity(queued.len());
    for queued in queued {
        results.push(result(settle(log, queued, include_proofs).await));
    }
    results
}

/// What comes on a stream, until the server is told to stop.
pub(super) struct Requests {
    pub(super) requests: Streaming<AppendStreamRequest>,
    pub(super) stopping: Stopping,
}

impl Requests {
    /// The next one; `None` when the client has no more.
    pub(super) async fn next(&mut self) -> Result<Option<AppendStreamRequest>, Status> {
        tokio::select! {
            biased;
            () = self.stopping.told() => Err(Stopping::status()),
            next = self.requests.message() => next,
        }
    }
}

/// Appends what comes, until the client has no more or takes no more. What was queued is answered.
pub(super) async fn stream(
    log: Arc<Log>,
    first: AppendStreamRequest,
    mut requests: Requests,
    answers: mpsc::Sender<Result<AppendStreamResponse, Status>>,
) {
    let (waiting, mut results) = mpsc::channel(BATCH_ENTRIES_MAX);
    let queueing = {
        let log = log.clone();
        async move {
            let mut next = Some(first);
            while let Some(request) = next {
                let queued = queue(&log, request.item).await;
                if waiting.send((request.sequence, request.include_proof, queued)).await.is_err() {
                    return Ok(());
                }
                next = requests.next().await?;
            }
            Ok(())
        }
    };
    let settled = answers.clone();
    let settling = async move {
        while let Some((sequence, include_proof, queued)) = results.recv().await {
            let result = result(settle(&log, queued, include_proof).await);
            let answer = AppendStreamResponse { sequence, result: Some(result) };
            if settled.send(Ok(answer)).await.is_err() {
                return;
            }
        }
    };
    // What was queued is answered before the error that ended the queueing.
    if let (Err(status), ()) = tokio::join!(queueing, settling) {
        let _client_gone = answers.send(Err(status)).await;
    }
}

async fn queue(log: &Log, item: Option<Item>) -> Queued {
    log.queue(proposed(item)?).await.map_err(|error| of_append(&error))
}

async fn settle(log: &Log, queued: Queued, include_proof: bool) -> Result<Appended, Status> {
    let appended = log.settle(queued?).await.map_err(|error| of_append(&error))?;
    let head = appended.checkpoint.head;
    let proof = match include_proof {
        false => None,
        true => {
            let proof = log.active().at(head).inclusion_proof(appended.index).await;
            let proof = proof.map_err(|error| of_read(&error))?;
            Some(inclusion_proof(&proof, head.root.as_bytes(), Some(&appended.checkpoint)))
        }
    };
    Ok(Appended {
        tree_index: appended.index.0,
        leaf_hash: bytes::Bytes::copy_from_slice(appended.leaf_hash.as_bytes()),
        integrated_time: appended.integrated_time,
        duplicate: appended.duplicate,
        tree_size: head.size.0,
        inclusion_proof: proof,
    })
}

fn result(settled: Result<Appended, Status>) -> AppendResult {
    let outcome = match settled {
        Ok(appended) => Outcome::Appended(appended),
        Err(status) => Outcome::Failure(Failure {
            code: status.code() as i32,
            message: status.message().to_owned(),
        }),
    };
    AppendResult { result: Some(outcome) }
}
