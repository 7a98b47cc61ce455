//! What the targets that wrap bytes into proposals share.

use cairn::admission::{AdmittedEntry, Policy, Proposal, admit, leaf_hash_of};
use serde_json::{Value, json};

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Standard base64.
pub fn encode(bytes: &[u8]) -> String {
    let mut out = String::new();
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - group.len()));
        for at in 0..4 {
            let digit = ALPHABET[(bits >> (18 - 6 * at) & 63) as usize];
            out.push(if at > group.len() { '=' } else { char::from(digit) });
        }
    }
    out
}

/// Parts of an input: the lengths of all but the last as 32 bits each, little-endian, and then the
/// parts. `seeds.py` writes the same.
pub fn parts<const N: usize>(input: &[u8]) -> Option<[&[u8]; N]> {
    let (lengths, mut rest) = input.split_at_checked(4 * (N - 1))?;
    let mut parts = [&[][..]; N];
    for (part, length) in parts.iter_mut().zip(lengths.chunks(4)) {
        let length = u32::from_le_bytes(length.try_into().ok()?) as usize;
        (*part, rest) = rest.split_at(length % (rest.len() + 1));
    }
    parts[N - 1] = rest;
    Some(parts)
}

/// Judges a spec without a panic; both ways of judging agree on the leaf.
pub fn judge(kind: &str, spec: Value) -> Option<AdmittedEntry> {
    let value = json!({"kind": kind, "apiVersion": "0.0.1", "spec": spec});
    let proposal = Proposal::from_value(value).ok()?;
    let leaf = leaf_hash_of(&proposal, &Policy::default());
    let entry = admit(&proposal.into(), &Policy::default()).ok()?;
    assert_eq!(leaf.ok(), Some(entry.leaf_hash()));
    Some(entry)
}
