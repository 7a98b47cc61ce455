//! The stages of the write and the read path, each over data of its own: what `stages` times and
//! what `instructions` counts.
#![allow(unreachable_pub, reason = "a module of several benches")]

use std::sync::Arc;

use aws_lc_rs::digest::{Algorithm, SHA256, SHA384, digest};
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
    RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cairn::admission::{Accepts, Policy, Proposal, Proposed, admit, leaf_hash_of};
use cairn::frontend::{entry_text, read_request};
use cairn::log::Log;
use cairn::publisher::SigningCore;
use cairn::publisher::signer::{FileSigner, KeyKind};
use cairn::shards::VirtualIndex;
use storage::memory::MemoryStore;
use storage::rocksdb::{Options, RocksStore};
use storage::{Batch, LogStore, NewEntry, NewHashes, Store};
use tlog::{LogIndex, NodeHash, RightEdge, TreeHead, encode_bundle, encode_tile, hash_leaf};
use tokio::runtime::Runtime;

#[path = "../../tests/support/mod.rs"]
mod support;
mod logs;

use logs::{log_over, record};
use support::Proposals;

const BODY_BYTES: usize = 700;
const TIME: i64 = 1_700_000_000;

/// One stage: each call does it once.
pub type Run = Box<dyn FnMut()>;

/// A stage that has not been prepared.
pub struct Stage {
    /// `room: what`.
    pub name: &'static str,
    /// Makes its data.
    pub prepare: fn() -> Run,
}

/// All of them, in the order in which an entry meets them.
pub const STAGES: &[Stage] = &[
    Stage { name: "admission: parse a v1 hashedrekord", prepare: parse_v1 },
    Stage { name: "admission: parse a v2 hashedrekord", prepare: parse_v2 },
    Stage { name: "admission: v1 hashedrekord, P-256", prepare: admit_v1 },
    Stage { name: "admission: v2 hashedrekord, P-256", prepare: admit_v2 },
    Stage { name: "admission: v2 hashedrekord, P-384", prepare: admit_p384 },
    Stage { name: "admission: v2 hashedrekord, RSA-2048", prepare: admit_rsa },
    Stage { name: "admission: v2 dsse, Ed25519", prepare: admit_ed25519 },
    Stage { name: "admission: v1 dsse, P-256, 1 KiB", prepare: admit_dsse },
    Stage { name: "admission: canonicalise a dsse entry", prepare: canonicalise },
    Stage { name: "tlog: leaf hash", prepare: leaf_hash },
    Stage { name: "tlog: extend by 1", prepare: || extend(1) },
    Stage { name: "tlog: extend by 256", prepare: || extend(256) },
    Stage { name: "tlog: extend by 4096", prepare: || extend(4096) },
    Stage { name: "storage: commit 64 to memory", prepare: || commit(MemoryStore::new(), ()) },
    Stage { name: ROCKSDB, prepare: rocksdb },
    Stage { name: "publisher: checkpoint, P-256", prepare: || checkpoint(KeyKind::EcdsaP256) },
    Stage { name: "publisher: checkpoint, Ed25519", prepare: || checkpoint(KeyKind::Ed25519) },
    Stage { name: "publisher: SET, P-256", prepare: set },
    Stage { name: "tlog: inclusion proof of a new leaf", prepare: proof_of_new },
    Stage { name: "frontend: a v1 answer", prepare: response },
    Stage { name: "log: a v1 entry, memory, without HTTP", prepare: whole },
    Stage { name: "log: read a v1 entry by index", prepare: read_entry },
    Stage { name: "log: consistency proof", prepare: consistency },
    Stage { name: "tlog: encode a tile", prepare: tile },
    Stage { name: "tlog: encode a bundle", prepare: bundle },
];

/// The one stage whose work is on other threads too, and on the disk: timed, never counted.
pub const ROCKSDB: &str = "storage: commit 64 to rocksdb";

fn parse_v1() -> Run {
    let json = Proposals::new().next_json();
    Box::new(move || drop(Proposal::from_json(json.as_bytes()).unwrap()))
}

fn parse_v2() -> Run {
    let json = Proposals::new().next_v2_json();
    Box::new(move || drop(read_request(json.as_bytes()).unwrap()))
}

fn admitting(proposed: Vec<Proposed>, accepts: Accepts) -> Run {
    let policy = Policy::of(accepts);
    let mut next = proposed.into_iter().cycle();
    Box::new(move || drop(admit(&next.next().unwrap(), &policy).unwrap()))
}

/// Some of them: what a signature costs to verify depends on its numbers.
fn some<T>(make: impl FnMut(usize) -> T) -> Vec<T> {
    (0..16).map(make).collect()
}

fn admit_v1() -> Run {
    let proposal = |_| Proposal::from_json(Proposals::new().next_json().as_bytes()).unwrap().into();
    admitting(some(proposal), Accepts::RekorV1)
}

fn admit_dsse() -> Run {
    let json = |_| Proposals::new().dsse_json(&[b'x'; 1024]);
    let proposal = |n| Proposal::from_json(json(n).as_bytes()).unwrap().into();
    admitting(some(proposal), Accepts::RekorV1)
}

fn admit_v2() -> Run {
    let request = |_| read_request(Proposals::new().next_v2_json().as_bytes()).unwrap().into();
    admitting(some(request), Accepts::RekorV2)
}

fn admit_p384() -> Run {
    admitting(
        some(|n| {
            let key = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_ASN1_SIGNING).unwrap();
            let signature = key.sign(&SystemRandom::new(), &n.to_be_bytes()).unwrap();
            let spki: PublicKeyX509Der<'_> = key.public_key().as_der().unwrap();
            let details = "PKIX_ECDSA_P384_SHA_384";
            hashed(n, &SHA384, signature.as_ref(), verifier(spki.as_ref(), details))
        }),
        Accepts::RekorV2,
    )
}

fn admit_rsa() -> Run {
    let key = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let spki: PublicKeyX509Der<'_> = key.public_key().as_der().unwrap();
    let verifier = verifier(spki.as_ref(), "PKIX_RSA_PKCS1V15_2048_SHA256");
    admitting(
        some(|n| {
            let mut signature = vec![0; key.public_modulus_len()];
            let random = SystemRandom::new();
            key.sign(&RSA_PKCS1_SHA256, &random, &n.to_be_bytes(), &mut signature).unwrap();
            hashed(n, &SHA256, &signature, verifier.clone())
        }),
        Accepts::RekorV2,
    )
}

fn admit_ed25519() -> Run {
    admitting(
        some(|n| {
            let key = Ed25519KeyPair::generate().unwrap();
            let payload = n.to_be_bytes();
            let mut signed = format!("DSSEv1 4 text {} ", payload.len()).into_bytes();
            signed.extend_from_slice(&payload);
            let spki: PublicKeyX509Der<'_> = key.public_key().as_der().unwrap();
            let signature = STANDARD.encode(key.sign(&signed));
            let envelope = serde_json::json!({"payloadType": "text",
                "payload": STANDARD.encode(payload), "signatures": [{"sig": signature}]});
            let verifiers = [verifier(spki.as_ref(), "PKIX_ED25519")];
            let request = serde_json::json!({"envelope": envelope, "verifiers": verifiers});
            request_of(serde_json::json!({"dsseRequestV002": request}))
        }),
        Accepts::RekorV2,
    )
}

fn verifier(spki: &[u8], details: &str) -> serde_json::Value {
    serde_json::json!({"publicKey": {"rawBytes": STANDARD.encode(spki)}, "keyDetails": details})
}

fn hashed(
    n: usize,
    algorithm: &'static Algorithm,
    signature: &[u8],
    verifier: serde_json::Value,
) -> Proposed {
    let digest = STANDARD.encode(digest(algorithm, &n.to_be_bytes()));
    let signature =
        serde_json::json!({"content": STANDARD.encode(signature), "verifier": verifier});
    let request = serde_json::json!({"digest": digest, "signature": signature});
    request_of(serde_json::json!({"hashedRekordRequestV002": request}))
}

fn request_of(json: serde_json::Value) -> Proposed {
    read_request(json.to_string().as_bytes()).unwrap().into()
}

/// The stored form of a dsse entry holds no envelope, so no signature is verified.
fn canonicalise() -> Run {
    let policy = Policy::default();
    let json = Proposals::new().dsse_json(b"payload");
    let entry = admit(&Proposal::from_json(json.as_bytes()).unwrap().into(), &policy).unwrap();
    let stored = Proposal::from_json(entry.body()).unwrap();
    Box::new(move || assert_eq!(leaf_hash_of(&stored, &policy).unwrap(), entry.leaf_hash()))
}

fn body(n: usize) -> Vec<u8> {
    let mut body = vec![b'x'; BODY_BYTES];
    body[..8].copy_from_slice(&n.to_be_bytes());
    body
}

fn leaf_hash() -> Run {
    let body = body(0);
    Box::new(move || _ = std::hint::black_box(hash_leaf(&body)))
}

/// A tree of some size, so that its edge has nodes.
fn edge() -> RightEdge {
    let leaves: Vec<_> = (0..1_000).map(|n| hash_leaf(&body(n))).collect();
    RightEdge::empty().extend(&leaves).edge().clone()
}

fn extend(count: usize) -> Run {
    let (edge, leaves) = (edge(), (0..count).map(|n| hash_leaf(&body(n))).collect::<Vec<_>>());
    Box::new(move || drop(std::hint::black_box(edge.extend(&leaves))))
}

/// Beside the program that was built: a temporary folder may be in memory.
fn rocksdb() -> Run {
    let program = std::env::current_exe().unwrap();
    let folder = tempfile::tempdir_in(program.parent().unwrap()).unwrap();
    let options = Options { create_if_missing: true, ..Options::default() };
    commit(RocksStore::open(folder.path(), &options).unwrap(), folder)
}

/// `place` goes when the stage does.
fn commit(store: impl Store + 'static, place: impl Sized + 'static) -> Run {
    let runtime = runtime();
    let log = runtime.block_on(store.create_log(record())).unwrap();
    let (mut edge, mut made) = (RightEdge::empty(), 0);
    Box::new(move || {
        let _kept = (&store, &place);
        let bodies = (made..made + 64).map(body);
        let entries: Vec<_> = bodies.map(entry).collect();
        made += 64;
        edge = append(&runtime, &*log, &edge, entries);
    })
}

fn entry(body: Vec<u8>) -> NewEntry {
    let leaf_hash = hash_leaf(&body);
    let index_keys = vec![format!("sha256:{leaf_hash}")];
    NewEntry { leaf_hash, body, integrated_time: TIME, index_keys, attestation: None }
}

fn append(
    runtime: &Runtime,
    log: &dyn LogStore,
    edge: &RightEdge,
    entries: Vec<NewEntry>,
) -> RightEdge {
    let leaves: Vec<_> = entries.iter().map(|entry| entry.leaf_hash).collect();
    let growth = edge.extend(&leaves);
    let hashes = growth.stored_hashes().into_iter().map(|level| NewHashes {
        level: level.level,
        first: level.first,
        hashes: level.hashes,
    });
    let batch = Batch { entries, hashes: hashes.collect(), head: growth.head() };
    runtime.block_on(log.commit(edge.head(), batch)).unwrap();
    growth.edge().clone()
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn core(kind: KeyKind) -> SigningCore {
    let (signer, _) = FileSigner::generate(kind).unwrap();
    SigningCore::rekor_v1(Arc::new(signer), "log.example", 1)
}

fn checkpoint(kind: KeyKind) -> Run {
    let core = core(kind);
    Box::new(move || drop(core.checkpoint(TreeHead::empty(), TIME).unwrap()))
}

fn set() -> Run {
    let (core, body) = (core(KeyKind::EcdsaP256), body(0));
    Box::new(move || drop(core.entry_timestamp(&body, TIME, LogIndex(1)).unwrap()))
}

fn proof_of_new() -> Run {
    let leaves: Vec<_> = (0..4_096).map(|n| hash_leaf(&body(n))).collect();
    let growth = edge().extend(&leaves);
    let mut next = (1_000..5_096).cycle().map(LogIndex);
    Box::new(move || drop(growth.inclusion_proof(next.next().unwrap()).unwrap()))
}

/// A v1 log in memory that holds some entries.
fn filled(entries: usize) -> (Runtime, Arc<Log>, Proposals) {
    let runtime = runtime();
    let log = runtime.block_on(log_over(&MemoryStore::new()));
    let mut proposals = Proposals::new();
    for _ in 0..entries {
        let proposal = Proposal::from_json(proposals.next_json().as_bytes()).unwrap();
        runtime.block_on(log.create_entry(proposal)).unwrap();
    }
    (runtime, Arc::new(log), proposals)
}

fn response() -> Run {
    let (runtime, log, _) = filled(1_000);
    let entry = runtime.block_on(log.entry_by_index(VirtualIndex(700))).unwrap().unwrap();
    let promised = log.promise(entry).unwrap();
    Box::new(move || drop(std::hint::black_box(entry_text(&promised))))
}

fn whole() -> Run {
    let (runtime, log, mut proposals) = filled(256);
    let mut ready: Vec<_> = (0..2_000).map(|_| proposals.next_json()).collect();
    Box::new(move || {
        let json = ready.pop().unwrap_or_else(|| proposals.next_json());
        let proposal = Proposal::from_json(json.as_bytes()).unwrap();
        let entry = runtime.block_on(log.create_entry(proposal)).unwrap();
        drop(entry_text(&log.promise(entry).unwrap()));
    })
}

fn read_entry() -> Run {
    let (runtime, log, _) = filled(1_000);
    let mut next = (0..1_000).cycle();
    Box::new(move || {
        let index = VirtualIndex(next.next().unwrap());
        let entry = runtime.block_on(log.entry_by_index(index)).unwrap().unwrap();
        drop(entry_text(&log.promise(entry).unwrap()));
    })
}

fn consistency() -> Run {
    let (runtime, log, _) = filled(1_000);
    let mut next = (1..1_000).cycle();
    Box::new(move || {
        let proof = log.consistency_proof(None, next.next().unwrap(), 1_000);
        drop(runtime.block_on(proof).unwrap());
    })
}

fn tile() -> Run {
    let hashes: Vec<NodeHash> = (0..256).map(|n| hash_leaf(&body(n)).to_node()).collect();
    Box::new(move || drop(std::hint::black_box(encode_tile(&hashes))))
}

fn bundle() -> Run {
    let bodies: Vec<_> = (0..256).map(body).collect();
    Box::new(move || drop(encode_bundle(&bodies).unwrap()))
}
