//! Inclusion proofs of leaves that are there, at random but the same for the same seed
//! (`GetInclusionProof` of `cairn.log.v1`).

use bytes::Bytes;
use hyper::http::uri::PathAndQuery;
use prost::Message;
use proto::log_v1::get_inclusion_proof_request::Entry;
use proto::log_v1::{GetInclusionProofRequest, InclusionProof};

use crate::client::{Answer, CallError};
use crate::drive::Target;
use crate::fault::Fault;
use crate::grpc::Shared;
use crate::random::random;

/// The method.
const PATH: &str = "/cairn.log.v1.Log/GetInclusionProof";

/// Questions about the leaves of a log.
pub struct Proofs {
    log: String,
    size: u64,
    seed: u64,
}

impl Proofs {
    /// About its `size` leaves, at least one.
    pub const fn new(log: String, size: u64, seed: u64) -> Self {
        Self { log, size, seed }
    }

    fn index(&self, number: u64) -> u64 {
        random(self.seed, number) % self.size
    }
}

impl Target for Proofs {
    type Link = Shared;

    async fn call(&self, stream: &mut Shared, number: u64) -> Result<Answer, CallError> {
        let request = GetInclusionProofRequest {
            log: self.log.clone(),
            entry: Some(Entry::TreeIndex(self.index(number))),
            tree_size: 0,
        };
        let path = PathAndQuery::from_static(PATH);
        stream.unary(path, Bytes::from(request.encode_to_vec())).await
    }

    fn framing(&self, number: u64, answer: &Answer) -> Result<u64, Fault> {
        let framing = |why: String| Fault::Framing(why);
        let proof = InclusionProof::decode(answer.body.clone());
        let proof = proof.map_err(|error| framing(error.to_string()))?;
        let (named, expected) = (proof.tree_index, self.index(number));
        if named != expected {
            return Err(Fault::Index { named, expected });
        }
        let hashes = proof.hashes.len();
        if proof.tree_size < self.size || (hashes == 0) != (proof.tree_size == 1) || hashes > 64 {
            return Err(framing(format!("{hashes} hashes for a tree of {}", proof.tree_size)));
        }
        Ok(named)
    }

    fn subject(&self, number: u64) -> String {
        format!("proof of leaf {}", self.index(number))
    }
}
