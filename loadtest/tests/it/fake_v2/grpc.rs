//! The log behind gRPC: CreateEntry of Rekor v2, and of `cairn.log.v1` what the generator asks.

use std::convert::Infallible;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hyper::body::Incoming;
use hyper::{Request, Response};
use proto::google_api::HttpBody;
use proto::log_v1::append_result::Result as Outcome;
use proto::log_v1::log_server::{Log, LogServer};
use proto::log_v1::{self, Appended, get_inclusion_proof_request, item};
use proto::rekor_v1::{self, TransparencyLogEntry};
use proto::rekor_v2::rekor_server::{Rekor, RekorServer};
use proto::rekor_v2::{
    CreateEntryRequest, EntryBundleRequest, TileRequest, create_entry_request, verifier,
};
use tlog::{NodeHash, hash_leaf};
use tonic::codegen::tokio_stream::wrappers::ReceiverStream;
use tonic::codegen::{Service, async_trait};
use tonic::{Request as Call, Response as Answer, Status, Streaming};

use super::Wrong;
use super::log::{FakeV2, NAME, canonical};
use super::server::{Shared, lock};
use crate::tree::{root, subproof};

/// What the services answer from.
struct Face(Shared);

/// Both services.
#[derive(Clone)]
pub(crate) struct Services {
    rekor: RekorServer<Face>,
    log: LogServer<Face>,
}

impl Services {
    pub(crate) fn new(log: &Shared) -> Self {
        let face = || Face(Arc::clone(log));
        Self { rekor: RekorServer::new(face()), log: LogServer::new(face()) }
    }

    pub(crate) async fn answer(
        mut self,
        request: Request<Incoming>,
    ) -> Result<Response<tonic::body::Body>, Infallible> {
        if request.uri().path().starts_with("/cairn.") {
            self.log.call(request).await
        } else {
            self.rekor.call(request).await
        }
    }
}

fn bytes(hash: &NodeHash) -> Bytes {
    Bytes::copy_from_slice(hash.as_bytes())
}

fn missing() -> Status {
    Status::unimplemented("not in this test")
}

/// The JSON form as a message.
fn message(log: &FakeV2, index: usize, size: usize) -> TransparencyLogEntry {
    let json = log.entry(index, size);
    let proof = json.inclusion_proof;
    let decoded = |text: &String| Bytes::from(STANDARD.decode(text).unwrap());
    let promise = rekor_v1::InclusionPromise { signed_entry_timestamp: Bytes::new() };
    TransparencyLogEntry {
        log_index: json.log_index.parse().unwrap(),
        log_id: Some(proto::common_v1::LogId { key_id: decoded(&json.log_id.key_id) }),
        kind_version: Some(rekor_v1::KindVersion {
            kind: json.kind_version.kind,
            version: json.kind_version.version,
        }),
        integrated_time: json.integrated_time.parse().unwrap(),
        inclusion_promise: (log.wrong == Wrong::Promise).then_some(promise),
        inclusion_proof: Some(rekor_v1::InclusionProof {
            log_index: proof.log_index.parse().unwrap(),
            root_hash: decoded(&proof.root_hash),
            tree_size: proof.tree_size.parse().unwrap(),
            hashes: proof.hashes.iter().map(decoded).collect(),
            checkpoint: Some(rekor_v1::Checkpoint { envelope: proof.checkpoint.envelope }),
        }),
        canonicalized_body: decoded(&json.canonicalized_body),
    }
}

fn drops(log: &mut FakeV2) -> bool {
    let now = log.wrong == Wrong::Drops && log.proposals == 20;
    if now {
        log.proposals += 1;
        log.end.notify_one();
    }
    now
}

#[async_trait]
impl Rekor for Face {
    async fn create_entry(
        &self,
        request: Call<CreateEntryRequest>,
    ) -> Result<Answer<TransparencyLogEntry>, Status> {
        let Some(create_entry_request::Spec::HashedRekordRequestV002(spec)) =
            request.into_inner().spec
        else {
            return Err(Status::invalid_argument("invalid type, must be hashedrekord"));
        };
        let signature = spec.signature.unwrap();
        let by = signature.verifier.unwrap();
        let details = by.key_details().as_str_name();
        let Some(verifier::Verifier::PublicKey(key)) = by.verifier else {
            return Err(Status::invalid_argument("invalid hashedrekord request"));
        };
        let base64 = |bytes: &Bytes| STANDARD.encode(bytes);
        let (digest, content) = (base64(&spec.digest), base64(&signature.content));
        let body = canonical(&digest, &content, &base64(&key.raw_bytes), details);
        if drops(&mut lock(&self.0)) {
            std::future::pending::<()>().await;
        }
        let mut log = lock(&self.0);
        if log.wrong == Wrong::Busy && log.proposals.is_multiple_of(2) {
            log.proposals += 1;
            return Err(Status::unavailable("later"));
        }
        let (index, size) = log.take(body);
        let entry = message(&log, index, size);
        log.maybe_forget();
        Ok(Answer::new(entry))
    }

    async fn get_tile(&self, _: Call<TileRequest>) -> Result<Answer<HttpBody>, Status> {
        Err(missing())
    }

    async fn get_entry_bundle(
        &self,
        _: Call<EntryBundleRequest>,
    ) -> Result<Answer<HttpBody>, Status> {
        Err(missing())
    }

    async fn get_checkpoint(&self, _: Call<()>) -> Result<Answer<HttpBody>, Status> {
        Err(missing())
    }
}

/// The result of one item of a stream.
fn append(log: &mut FakeV2, item: log_v1::AppendStreamRequest) -> log_v1::AppendStreamResponse {
    let Some(item::Entry::Raw(leaf)) = item.item.and_then(|item| item.entry) else {
        panic!("not raw");
    };
    let result = if log.wrong == Wrong::Busy && log.proposals.is_multiple_of(2) {
        log.proposals += 1;
        Outcome::Failure(log_v1::Failure { code: 8, message: "later".to_owned() })
    } else {
        let hashed = if log.wrong == Wrong::Body { &b"another"[..] } else { &leaf };
        let leaf_hash = Bytes::copy_from_slice(hash_leaf(hashed).as_bytes());
        let (index, size) = log.take(leaf.to_vec());
        log.maybe_forget();
        Outcome::Appended(Appended {
            tree_index: if log.wrong == Wrong::SameIndex { 3 } else { index as u64 },
            leaf_hash,
            integrated_time: 1_700_000_000,
            duplicate: log.wrong == Wrong::Duplicate,
            tree_size: if log.wrong == Wrong::Index { index as u64 } else { size as u64 },
            inclusion_proof: None,
        })
    };
    let late = log.wrong == Wrong::Order && item.sequence == 5;
    let sequence = if late { 6 } else { item.sequence };
    let result = Some(log_v1::AppendResult { result: Some(result) });
    log_v1::AppendStreamResponse { sequence, result }
}

#[async_trait]
impl Log for Face {
    type AppendStreamStream = ReceiverStream<Result<log_v1::AppendStreamResponse, Status>>;
    type StreamEntriesStream = ReceiverStream<Result<log_v1::Entry, Status>>;
    type WatchCheckpointsStream = ReceiverStream<Result<log_v1::Checkpoint, Status>>;

    async fn append_stream(
        &self,
        request: Call<Streaming<log_v1::AppendStreamRequest>>,
    ) -> Result<Answer<Self::AppendStreamStream>, Status> {
        let mut items = request.into_inner();
        let log = Arc::clone(&self.0);
        let (give, results) = tokio::sync::mpsc::channel(16);
        tokio::spawn(async move {
            let mut taken = 0;
            while let Ok(Some(item)) = items.message().await {
                assert_eq!(item.log.is_empty(), taken > 0, "the log is named once");
                taken += 1;
                if lock(&log).wrong == Wrong::Hangs {
                    continue;
                }
                if lock(&log).wrong == Wrong::Ends && taken == 10 {
                    let _ = give.send(Err(Status::unavailable("stopping"))).await;
                    return;
                }
                let result = append(&mut lock(&log), item);
                let _ = give.send(Ok(result)).await;
            }
        });
        Ok(Answer::new(ReceiverStream::new(results)))
    }

    async fn get_inclusion_proof(
        &self,
        request: Call<log_v1::GetInclusionProofRequest>,
    ) -> Result<Answer<log_v1::InclusionProof>, Status> {
        let request = request.into_inner();
        let Some(get_inclusion_proof_request::Entry::TreeIndex(tree_index)) = request.entry else {
            return Err(missing());
        };
        let log = lock(&self.0);
        let size = log.leaves.len();
        if tree_index >= size as u64 {
            return Err(Status::not_found("no such entry"));
        }
        let hashes = log.inclusion(tree_index as usize, size);
        Ok(Answer::new(log_v1::InclusionProof {
            tree_index,
            tree_size: size as u64,
            root_hash: bytes(&root(&log.leaves)),
            hashes: hashes.iter().map(bytes).collect(),
            checkpoint: log.checkpoint(size),
        }))
    }

    async fn get_consistency_proof(
        &self,
        request: Call<log_v1::GetConsistencyProofRequest>,
    ) -> Result<Answer<log_v1::ConsistencyProof>, Status> {
        let log_v1::GetConsistencyProofRequest { old_size, new_size, .. } = request.into_inner();
        let log = lock(&self.0);
        let (old, new) = (&log.leaves[..old_size as usize], &log.leaves[..new_size as usize]);
        Ok(Answer::new(log_v1::ConsistencyProof {
            old_size,
            new_size,
            old_root_hash: bytes(&root(old)),
            new_root_hash: bytes(&root(new)),
            hashes: subproof(old.len(), new, true).iter().map(bytes).collect(),
        }))
    }

    async fn get_checkpoint(
        &self,
        _: Call<log_v1::GetCheckpointRequest>,
    ) -> Result<Answer<log_v1::Checkpoint>, Status> {
        let log = lock(&self.0);
        let note = log.published();
        let tree_size = note.lines().nth(1).unwrap().parse().unwrap();
        let root_hash = bytes(&root(&log.leaves[..tree_size as usize]));
        Ok(Answer::new(log_v1::Checkpoint { origin: NAME.to_owned(), tree_size, root_hash, note }))
    }

    async fn append(
        &self,
        _: Call<log_v1::AppendRequest>,
    ) -> Result<Answer<log_v1::AppendResponse>, Status> {
        Err(missing())
    }

    async fn append_batch(
        &self,
        _: Call<log_v1::AppendBatchRequest>,
    ) -> Result<Answer<log_v1::AppendBatchResponse>, Status> {
        Err(missing())
    }

    async fn get_entry(
        &self,
        _: Call<log_v1::GetEntryRequest>,
    ) -> Result<Answer<log_v1::Entry>, Status> {
        Err(missing())
    }

    async fn stream_entries(
        &self,
        _: Call<log_v1::StreamEntriesRequest>,
    ) -> Result<Answer<Self::StreamEntriesStream>, Status> {
        Err(missing())
    }

    async fn watch_checkpoints(
        &self,
        _: Call<log_v1::WatchCheckpointsRequest>,
    ) -> Result<Answer<Self::WatchCheckpointsStream>, Status> {
        Err(missing())
    }
}
