//! `cairn.log.v1.Log`, as `proto/proto/cairn/log/v1/log.proto` describes it.

use std::sync::Arc;

use bytes::Bytes;
use proto::log_v1::get_inclusion_proof_request::Entry as Wanted;
use proto::log_v1::{
    AppendBatchRequest, AppendBatchResponse, AppendRequest, AppendResponse, AppendStreamRequest,
    AppendStreamResponse, Checkpoint, ConsistencyProof, Entry, GetCheckpointRequest,
    GetConsistencyProofRequest, GetEntryRequest, GetInclusionProofRequest, InclusionProof,
    StreamEntriesRequest, WatchCheckpointsRequest, log_server,
};
use storage::StoredBody;
use tlog::{LeafHash, LogIndex, TILE_WIDTH, TreeHead, TreeSize};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::super::sites::Site;
use super::append::{self, Requests};
use super::convert::{checkpoint, hashes, inclusion_proof};
use super::status::of_read;
use super::stream::{Stopping, answer, until_stopped};
use crate::limits::BATCH_ENTRIES_MAX;
use crate::shard::Shard;

/// Answers of a stream that are made ahead of the client.
const AHEAD_MAX: usize = 256;

pub(super) struct Log {
    site: Arc<Site>,
    stopping: Stopping,
}

/// A log, and which of its trees is meant.
struct Named {
    log: Arc<crate::log::Log>,
    number: usize,
}

impl Named {
    fn shard(&self) -> &Shard {
        &self.log.shards()[self.number]
    }

    fn entry(&self, entry: StoredBody) -> Entry {
        let shard = self.shard();
        let leaf_hash = tlog::hash_leaf(&entry.body);
        Entry {
            tree_index: entry.index.0,
            log_index: self.log.virtual_index(shard, entry.index).0,
            leaf_hash: Bytes::copy_from_slice(leaf_hash.as_bytes()),
            integrated_time: entry.integrated_time,
            tree_id: shard.tree_id().get(),
            body: entry.body.into(),
        }
    }
}

impl Log {
    pub(super) fn new(site: Arc<Site>, stopping: Stopping) -> Self {
        Self { site, stopping }
    }

    fn named(&self, name: &str) -> Result<Named, Status> {
        let found = match name {
            "" => self.site.default_log().map(|log| (log, log.active())),
            name => self.site.shard(name),
        };
        let (log, shard) = found.ok_or_else(|| Status::not_found("there is no such log"))?;
        let tree_id = shard.tree_id();
        let number = log.shards().iter().position(|shard| shard.tree_id() == tree_id);
        Ok(Named { log: log.clone(), number: number.unwrap_or(0) })
    }

    /// The log of that name, which must be one that grows.
    fn growing(&self, name: &str) -> Result<Arc<crate::log::Log>, Status> {
        let named = self.named(name)?;
        if named.number + 1 < named.log.shards().len() {
            return Err(Status::failed_precondition("this shard is frozen"));
        }
        Ok(named.log)
    }
}

/// The published head, or the one of an earlier size.
async fn head_at(shard: &Shard, size: u64) -> Result<TreeHead, Status> {
    let head = shard.head();
    if size == 0 || size == head.size.0 {
        return Ok(head);
    }
    if size > head.size.0 {
        let text = format!("the published tree has {} entries", head.size);
        return Err(Status::not_found(text));
    }
    let size = TreeSize(size);
    let root = shard.at(head).root_at(size).await.map_err(|error| of_read(&error))?;
    Ok(TreeHead { size, root })
}

#[tonic::async_trait]
impl log_server::Log for Log {
    async fn append(
        &self,
        message: Request<AppendRequest>,
    ) -> Result<Response<AppendResponse>, Status> {
        let AppendRequest { log, item, include_proof } = message.into_inner();
        let appended = append::one(&*self.growing(&log)?, item, include_proof).await?;
        Ok(Response::new(AppendResponse { appended: Some(appended) }))
    }

    async fn append_batch(
        &self,
        message: Request<AppendBatchRequest>,
    ) -> Result<Response<AppendBatchResponse>, Status> {
        let AppendBatchRequest { log, items, include_proofs } = message.into_inner();
        if items.len() > BATCH_ENTRIES_MAX {
            let text = format!("a batch has at most {BATCH_ENTRIES_MAX} items");
            return Err(Status::invalid_argument(text));
        }
        let results = append::batch(&*self.growing(&log)?, items, include_proofs).await;
        Ok(Response::new(AppendBatchResponse { results }))
    }

    type AppendStreamStream = ReceiverStream<Result<AppendStreamResponse, Status>>;

    async fn append_stream(
        &self,
        message: Request<Streaming<AppendStreamRequest>>,
    ) -> Result<Response<Self::AppendStreamStream>, Status> {
        let requests = message.into_inner();
        let (site, stopping) = (self.site.clone(), self.stopping.clone());
        // The headers go out at once: a client may wait for them before it sends the first item.
        Ok(answer(AHEAD_MAX, move |answers| async move {
            let mut requests = Requests { requests, stopping: stopping.clone() };
            let first = match requests.next().await {
                Ok(Some(first)) => first,
                Ok(None) => return,
                Err(status) => {
                    let _client_gone = answers.send(Err(status)).await;
                    return;
                }
            };
            match Self::new(site, stopping).growing(&first.log) {
                Ok(log) => append::stream(log, first, requests, answers).await,
                Err(status) => {
                    let _client_gone = answers.send(Err(status)).await;
                }
            }
        }))
    }

    async fn get_entry(
        &self,
        message: Request<GetEntryRequest>,
    ) -> Result<Response<Entry>, Status> {
        let GetEntryRequest { log, tree_index } = message.into_inner();
        let named = self.named(&log)?;
        let found = named.shard().view().entry(LogIndex(tree_index)).await;
        let found = found.map_err(|error| of_read(&error))?;
        let entry = found.ok_or_else(|| Status::not_found("the log does not reach so far"))?;
        Ok(Response::new(named.entry(entry)))
    }

    async fn get_inclusion_proof(
        &self,
        message: Request<GetInclusionProofRequest>,
    ) -> Result<Response<InclusionProof>, Status> {
        let GetInclusionProofRequest { log, entry, tree_size } = message.into_inner();
        let named = self.named(&log)?;
        let shard = named.shard();
        let head = head_at(shard, tree_size).await?;
        let view = shard.at(head);
        let index = match entry {
            Some(Wanted::TreeIndex(index)) => Some(LogIndex(index)),
            Some(Wanted::LeafHash(hash)) => {
                let hash = <[u8; 32]>::try_from(hash.as_ref());
                let hash = hash.map_err(|_| Status::invalid_argument("a hash has 32 bytes"))?;
                let found = view.index_of(LeafHash::from_bytes(hash)).await;
                found.map_err(|error| of_read(&error))?
            }
            None => return Err(Status::invalid_argument("name an index or a leaf hash")),
        };
        let index = index.filter(|index| head.size.covers(*index));
        let index = index.ok_or_else(|| Status::not_found("that tree does not hold it"))?;
        let proof = view.inclusion_proof(index).await.map_err(|error| of_read(&error))?;
        let newest = shard.checkpoint();
        let newest = (newest.head == head).then_some(newest);
        Ok(Response::new(inclusion_proof(&proof, head.root.as_bytes(), newest.as_deref())))
    }

    async fn get_consistency_proof(
        &self,
        message: Request<GetConsistencyProofRequest>,
    ) -> Result<Response<ConsistencyProof>, Status> {
        let GetConsistencyProofRequest { log, old_size, new_size } = message.into_inner();
        let named = self.named(&log)?;
        let shard = named.shard();
        let new = head_at(shard, new_size).await?;
        if old_size > new.size.0 {
            let text = format!("old_size {old_size} is larger than {}", new.size);
            return Err(Status::invalid_argument(text));
        }
        let old = match old_size {
            0 => TreeHead::empty(),
            size => head_at(shard, size).await?,
        };
        let proof = shard.view().consistency_proof(old.size, new.size).await;
        let proof = proof.map_err(|error| of_read(&error))?;
        Ok(Response::new(ConsistencyProof {
            old_size: old.size.0,
            new_size: new.size.0,
            old_root_hash: Bytes::copy_from_slice(old.root.as_bytes()),
            new_root_hash: Bytes::copy_from_slice(new.root.as_bytes()),
            hashes: hashes(&proof.hashes),
        }))
    }

    async fn get_checkpoint(
        &self,
        message: Request<GetCheckpointRequest>,
    ) -> Result<Response<Checkpoint>, Status> {
        let named = self.named(&message.get_ref().log)?;
        let shard = named.shard();
        Ok(Response::new(checkpoint(&shard.record().origin, &shard.checkpoint())))
    }

    type StreamEntriesStream = ReceiverStream<Result<Entry, Status>>;

    async fn stream_entries(
        &self,
        message: Request<StreamEntriesRequest>,
    ) -> Result<Response<Self::StreamEntriesStream>, Status> {
        let StreamEntriesRequest { log, tree_index, limit, follow } = message.into_inner();
        let named = self.named(&log)?;
        Ok(until_stopped(AHEAD_MAX, self.stopping.clone(), move |answers| async move {
            let mut next = tree_index;
            let end = if limit == 0 { u64::MAX } else { next.saturating_add(limit) };
            while next < end {
                let shard = named.shard();
                let max = usize::try_from((end - next).min(TILE_WIDTH)).unwrap_or(1);
                let entries = match shard.view().entries(LogIndex(next), max).await {
                    Ok(entries) => entries,
                    Err(error) => {
                        let _client_gone = answers.send(Err(of_read(&error))).await;
                        return;
                    }
                };
                if entries.is_empty() {
                    if !follow || !grown(shard, next, &answers).await {
                        return;
                    }
                    continue;
                }
                for entry in entries {
                    next = entry.index.0 + 1;
                    if answers.send(Ok(named.entry(entry))).await.is_err() {
                        return;
                    }
                }
            }
        }))
    }

    type WatchCheckpointsStream = ReceiverStream<Result<Checkpoint, Status>>;

    async fn watch_checkpoints(
        &self,
        message: Request<WatchCheckpointsRequest>,
    ) -> Result<Response<Self::WatchCheckpointsStream>, Status> {
        let named = self.named(&message.get_ref().log)?;
        Ok(until_stopped(1, self.stopping.clone(), move |answers| async move {
            let shard = named.shard();
            loop {
                let newest = shard.checkpoint();
                let message = checkpoint(&shard.record().origin, &newest);
                if answers.send(Ok(message)).await.is_err()
                    || !grown(shard, newest.head.size.0, &answers).await
                {
                    return;
                }
            }
        }))
    }
}

/// Waits until more than `size` entries are published. False when that will not be, which the
/// client is told, or when it has left.
async fn grown<T>(
    shard: &Shard,
    size: u64,
    answers: &tokio::sync::mpsc::Sender<Result<T, Status>>,
) -> bool {
    let publisher = shard.checkpoints();
    tokio::select! {
        published = publisher.covering(TreeSize(size.saturating_add(1))) => match published {
            Ok(_) => true,
            Err(_) => {
                let status = Status::unavailable("the log has stopped publishing");
                let _client_gone = answers.send(Err(status)).await;
                false
            }
        },
        () = answers.closed() => false,
    }
}
