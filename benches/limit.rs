//! The limit: what one entry cannot cost less than on this machine, and how long it must take.
//!
//! One core's time for each step that no log can leave out (one signature verified, one made, the
//! hashes) by the same libraries and calls as Cairn's own, and the disk's sync. The shortest of
//! many rounds counts, so that noise does not move the limit.
//!
//! `make limit`; `-- --json` for scripts, `-- --dir DIR` for another disk than that of the build.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a bench stops by panicking")]

use std::fs::File;
use std::hint::black_box;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{Digest, SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _,
    UnparsedPublicKey,
};
use cairn::publisher::signer::{FileSigner, KeyKind, Signer};
use tlog::{hash_children, hash_leaf};

/// About the length of a hashedrekord's canonical body.
const LEAF_BYTES: usize = 700;
/// One round of a measurement.
const ROUND: Duration = Duration::from_millis(10);
const ROUNDS: usize = 40;
const SYNCS: usize = 300;
const SYNC_BYTES: usize = 4096;

/// Seconds.
struct Measured {
    p256_verify: f64,
    p256_sign: f64,
    ed25519_sign: f64,
    leaf_hash: f64,
    node_hash: f64,
    sync_p50: f64,
}

/// Seconds of CPU for an entry, and of waiting for a lone one.
struct Limit {
    v1: f64,
    v2: f64,
    append: f64,
    v1_latency: f64,
    v2_latency: f64,
}

impl Measured {
    fn of(dir: &Path) -> Self {
        let message = [7; LEAF_BYTES];
        let hashed = Digest::import_less_safe(digest(&SHA256, &message).as_ref(), &SHA256).unwrap();
        let client = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        let signature = client.sign(&SystemRandom::new(), &message).unwrap();
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, client.public_key().as_ref());
        let signers = [KeyKind::EcdsaP256, KeyKind::Ed25519]
            .map(|kind| FileSigner::generate(kind).unwrap().0);
        let leaf = hash_leaf(&message);
        let node = leaf.to_node();
        Self {
            p256_verify: shortest(|| key.verify_digest(&hashed, signature.as_ref()).unwrap()),
            p256_sign: shortest(|| signers[0].sign(black_box(&message)).unwrap()),
            ed25519_sign: shortest(|| signers[1].sign(black_box(&message)).unwrap()),
            leaf_hash: shortest(|| hash_leaf(black_box(&message))),
            node_hash: shortest(|| hash_children(black_box(&node), &node)),
            sync_p50: sync_p50(dir),
        }
    }

    /// A tree of n leaves has n - 1 other nodes, so an entry costs one of them. A checkpoint is
    /// signed once a batch: it counts where an entry is alone, and nowhere else.
    fn limit(&self) -> Limit {
        let append = self.leaf_hash + self.node_hash;
        let v1 = self.p256_verify + self.p256_sign + append;
        let v2 = self.p256_verify + append;
        Limit {
            v1,
            v2,
            append,
            v1_latency: v1 + self.p256_sign + self.sync_p50,
            v2_latency: v2 + self.ed25519_sign + self.sync_p50,
        }
    }
}

/// Seconds that one call takes in the round where it took the least.
fn shortest<T>(mut call: impl FnMut() -> T) -> f64 {
    let mut shortest = f64::INFINITY;
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let mut calls = 0;
        while began.elapsed() < ROUND {
            for _ in 0..16 {
                black_box(call());
            }
            calls += 16;
        }
        shortest = shortest.min(began.elapsed().as_secs_f64() / f64::from(calls));
    }
    shortest
}

/// Seconds that an append of 4 KiB to a file and its sync take, the median.
fn sync_p50(dir: &Path) -> f64 {
    let path = dir.join(format!("limit-{}.tmp", std::process::id()));
    let mut file = File::create_new(&path).unwrap();
    let mut times: Vec<f64> = (0..SYNCS)
        .map(|_| {
            let began = Instant::now();
            file.write_all(&[1; SYNC_BYTES]).unwrap();
            file.sync_data().unwrap();
            began.elapsed().as_secs_f64()
        })
        .collect();
    std::fs::remove_file(&path).unwrap();
    times.sort_by(f64::total_cmp);
    times[SYNCS / 2]
}

fn main() {
    let (mut json, mut dir) = (false, None);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--json" => json = true,
            "--dir" => dir = arguments.next().map(PathBuf::from),
            _ => {} // cargo's own
        }
    }
    // Beside the built program: a temporary folder may be in memory.
    let dir = dir.or_else(|| Some(std::env::current_exe().ok()?.parent()?.to_owned())).unwrap();
    let measured = Measured::of(&dir);
    let limit = measured.limit();
    let rows = [
        ("p256_verify", "ECDSA P-256 verify", measured.p256_verify),
        ("p256_sign", "ECDSA P-256 sign", measured.p256_sign),
        ("ed25519_sign", "Ed25519 sign", measured.ed25519_sign),
        ("leaf_hash", "leaf hash, 700 bytes", measured.leaf_hash),
        ("node_hash", "node hash", measured.node_hash),
        ("sync_p50", "append 4 KiB and sync, p50", measured.sync_p50),
        ("v1_cpu", "CPU of a v1 entry: verify, SET, leaf, node", limit.v1),
        ("v2_cpu", "CPU of a v2 entry: verify, leaf, node", limit.v2),
        ("append_cpu", "CPU of a raw leaf: leaf, node", limit.append),
        ("v1_latency", "latency of a lone v1 entry: CPU, checkpoint, sync", limit.v1_latency),
        ("v2_latency", "latency of a lone v2 entry: CPU, checkpoint, sync", limit.v2_latency),
    ];
    if json {
        let us = rows.map(|(key, _, s)| format!("\"{key}_us\":{:.3}", s * 1e6));
        println!("{{{}}}", us.join(","));
        return;
    }
    println!("the limit of this machine (disk: {})", dir.display());
    for (_, name, seconds) in rows {
        println!("  {name:50} {:>9.2} µs {:>11.0}/s", seconds * 1e6, 1.0 / seconds);
    }
}
