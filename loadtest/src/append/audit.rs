//! What is asked of the log after the clock has stopped, by `cairn.log.v1`: inclusion proofs of
//! items that it has taken, its checkpoint, and proof that it only grew.

use std::rc::Rc;

use proto::log_v1::get_inclusion_proof_request::Entry;
use proto::log_v1::log_client::LogClient;
use proto::log_v1::{GetCheckpointRequest, GetConsistencyProofRequest, GetInclusionProofRequest};
use tlog::{ConsistencyProof, InclusionProof, LeafHash, LogIndex, NodeHash, TreeHead};
use tonic::Status;

use crate::fault::Fault;
use crate::grpc::{Channel, Http2};
use crate::history::Heads;
use crate::log_key::LogKey;

/// A log that is asked by gRPC.
pub struct Asked<'a> {
    /// Who it is.
    pub log: &'a LogKey,
    /// Its name in requests.
    pub name: String,
    /// Where it is asked.
    pub http2: Rc<Http2>,
}

impl Asked<'_> {
    /// Another one, on the same connection.
    pub fn again(&self) -> Self {
        Self { log: self.log, name: self.name.clone(), http2: Rc::clone(&self.http2) }
    }

    async fn client(&self) -> Result<LogClient<Channel>, String> {
        let channel = self.http2.channel().await.map_err(|error| error.to_string())?;
        Ok(LogClient::with_origin(channel, self.http2.origin()))
    }

    /// Asks for the proof that the log of now holds a leaf at an index, and verifies it. Gives the
    /// head that it leads to.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub async fn prove_inclusion(&self, index: u64, leaf: &LeafHash) -> Result<TreeHead, String> {
        let request = GetInclusionProofRequest {
            log: self.name.clone(),
            entry: Some(Entry::TreeIndex(index)),
            tree_size: 0,
        };
        let answer = self.client().await?.get_inclusion_proof(request).await.map_err(words)?;
        let answer = answer.into_inner();
        let head = self.log.open(&answer.checkpoint).map_err(|fault| fault.to_string())?;
        if answer.tree_size != head.size.0 || answer.root_hash != head.root.as_bytes()[..] {
            return Err(Fault::Head.to_string());
        }
        if answer.tree_index != index {
            let (named, expected) = (answer.tree_index, index);
            return Err(Fault::Index { named, expected }.to_string());
        }
        let hashes = nodes(&answer.hashes).map_err(|why| Fault::Inclusion(why).to_string())?;
        let proof = InclusionProof { index: LogIndex(index), size: head.size, hashes };
        let verified = proof.verify(leaf, &head.root);
        verified.map_err(|error| Fault::Inclusion(error.to_string()).to_string())?;
        Ok(head)
    }
}

impl Heads for Asked<'_> {
    const HEAD: &'static str = "GetCheckpoint";
    const PROOF: &'static str = "GetConsistencyProof";

    async fn newest(&mut self) -> Result<TreeHead, String> {
        let request = GetCheckpointRequest { log: self.name.clone() };
        let answer = self.client().await?.get_checkpoint(request).await.map_err(words)?;
        let answer = answer.into_inner();
        let head = self.log.open(&answer.note).map_err(|fault| fault.to_string())?;
        if answer.tree_size != head.size.0 || answer.root_hash != head.root.as_bytes()[..] {
            return Err(Fault::Head.to_string());
        }
        Ok(head)
    }

    async fn prove(&mut self, old: &TreeHead, new: &TreeHead) -> Result<(), String> {
        let (old_size, new_size) = (old.size.0, new.size.0);
        let request = GetConsistencyProofRequest { log: self.name.clone(), old_size, new_size };
        let answer = self.client().await?.get_consistency_proof(request).await.map_err(words)?;
        let fault = |why| Fault::Consistency { old: old_size, new: new_size, why }.to_string();
        let hashes = nodes(&answer.into_inner().hashes).map_err(fault)?;
        let proof = ConsistencyProof { old: old.size, new: new.size, hashes };
        proof.verify(&old.root, &new.root).map_err(|error| fault(error.to_string()))
    }
}

fn nodes(hashes: &[bytes::Bytes]) -> Result<Vec<NodeHash>, String> {
    let node = |hash: &bytes::Bytes| {
        let bytes = <[u8; 32]>::try_from(&hash[..]);
        bytes.map(NodeHash::from_bytes).map_err(|_| format!("a hash of {} bytes", hash.len()))
    };
    hashes.iter().map(node).collect()
}

fn words(status: Status) -> String {
    format!("{:?}: {}", status.code(), status.message())
}
