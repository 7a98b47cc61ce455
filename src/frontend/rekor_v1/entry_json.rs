//! Entries as JSON: `{"<id>":{…}}`, members in alphabetical order, nothing escaped for HTML.
//! Some clients read it by byte offsets, so it is written by hand.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::reply::{Style, push_string};
use crate::log::PromisedEntry;

/// The answer of one entry, with the newline at its end.
pub fn entry_text(promised: &PromisedEntry) -> String {
    let mut out = String::new();
    push_entry(&mut out, promised);
    out.push('\n');
    out
}

/// Appends one entry as an object with one member.
pub(super) fn push_entry(out: &mut String, promised: &PromisedEntry) {
    let entry = &promised.entry;
    out.reserve(2 * entry.body.len() + 128 * entry.proof.hashes.len() + 1024);
    put(out, format_args!("{{\"{}\":{{", entry.id));
    if let Some(attestation) = &entry.attestation {
        out.push_str(r#""attestation":{"data":""#);
        STANDARD.encode_string(attestation, out);
        out.push_str(r#""},"#);
    }
    out.push_str(r#""body":""#);
    STANDARD.encode_string(&entry.body, out);
    put(out, format_args!(r#"","integratedTime":{},"logID":""#, entry.integrated_time));
    push_hex(out, &entry.log_id);
    put(out, format_args!(r#"","logIndex":{},"#, entry.virtual_index.0));
    out.push_str(r#""verification":{"inclusionProof":{"checkpoint":"#);
    push_string(out, &entry.checkpoint.note, Style::Operation);
    out.push_str(r#","hashes":"#);
    push_hashes(out, &entry.proof.hashes);
    let (index, root) = (entry.proof.index, entry.checkpoint.head.root);
    put(out, format_args!(r#","logIndex":{},"rootHash":"{root}","#, index.0));
    put(out, format_args!(r#""treeSize":{}}}"#, entry.proof.size.0));
    if let Some(signed) = &promised.signed_entry_timestamp {
        out.push_str(r#","signedEntryTimestamp":""#);
        STANDARD.encode_string(signed, out);
        out.push('"');
    }
    out.push_str("}}}");
}

/// Appends a list of hashes in hexadecimal.
pub(super) fn push_hashes(out: &mut String, hashes: &[tlog::NodeHash]) {
    out.push('[');
    for (n, hash) in hashes.iter().enumerate() {
        out.push_str(if n == 0 { "\"" } else { ",\"" });
        push_hex(out, hash.as_bytes());
        out.push('"');
    }
    out.push(']');
}

/// Without a `String` of its own, and without the iterator behind `hex::encode`.
fn push_hex(out: &mut String, hash: &[u8; 32]) {
    let mut text = [0; 64];
    // Of twice the length, and ASCII: neither fails.
    let _ = hex::encode_to_slice(hash, &mut text);
    out.push_str(std::str::from_utf8(&text).unwrap_or_default());
}

/// Appends a list, each element by `push`, and the newline at the end of an answer.
pub(super) fn list<T>(elements: &[T], mut push: impl FnMut(&mut String, &T)) -> String {
    let mut out = String::from("[");
    for (n, element) in elements.iter().enumerate() {
        if n > 0 {
            out.push(',');
        }
        push(&mut out, element);
    }
    out.push_str("]\n");
    out
}

/// Writing to a `String` cannot fail.
pub(super) fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(text);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use storage::TreeId;
    use tlog::{InclusionProof, LeafHash, LogIndex, NodeHash, RootHash, TreeHead, TreeSize};

    use super::*;
    use crate::log::LoggedEntry;
    use crate::publisher::Published;
    use crate::shards::{EntryId, VirtualIndex};

    fn entry(attestation: Option<Vec<u8>>) -> PromisedEntry {
        let (tree_id, leaf_hash) = (TreeId::new(255).unwrap(), LeafHash::from_bytes([0xaa; 32]));
        let root = RootHash::from_bytes([0xcc; 32]);
        let head = TreeHead { size: TreeSize(3), root };
        let note: Arc<str> = "host - 255\n3\n\n— host A==\n".into();
        let entry = LoggedEntry {
            id: EntryId { tree_id, leaf_hash },
            log_id: [0xbb; 32],
            body: b"<b>".to_vec(),
            integrated_time: 17,
            virtual_index: VirtualIndex(9),
            proof: InclusionProof {
                index: LogIndex(2),
                size: TreeSize(3),
                hashes: vec![NodeHash::from_bytes([1; 32]), NodeHash::from_bytes([2; 32])],
            },
            checkpoint: Arc::new(Published { head, cosigned: note.clone(), note, time: 0 }),
            attestation,
        };
        PromisedEntry { entry, signed_entry_timestamp: Some(vec![0xff, 0xfe]) }
    }

    #[test]
    fn every_byte_of_an_entry() {
        let mut out = String::new();
        push_entry(&mut out, &entry(None));
        let (a, b, c) = ("aa".repeat(32), "bb".repeat(32), "cc".repeat(32));
        let (one, two) = ("01".repeat(32), "02".repeat(32));
        let expected = format!(
            "{{\"00000000000000ff{a}\":{{\"body\":\"PGI+\",\"integratedTime\":17,\"logID\":\"{b}\",\
             \"logIndex\":9,\"verification\":{{\"inclusionProof\":{{\"checkpoint\":\
             \"host - 255\\n3\\n\\n— host A==\\n\",\"hashes\":[\"{one}\",\"{two}\"],\"logIndex\":2,\
             \"rootHash\":\"{c}\",\"treeSize\":3}},\"signedEntryTimestamp\":\"//4=\"}}}}}}"
        );
        assert_eq!(out, expected);
    }

    #[test]
    fn an_attestation_comes_first() {
        let mut out = String::new();
        push_entry(&mut out, &entry(Some(b"ab".to_vec())));
        assert!(out.contains(r#":{"attestation":{"data":"YWI="},"body":"#), "{out}");
        let parsed: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!(parsed.as_object().unwrap().len(), 1);
    }

    #[test]
    fn lists() {
        let push = |out: &mut String, n: &u8| put(out, format_args!("{n}"));
        assert_eq!(list(&[], push), "[]\n");
        assert_eq!(list(&[1, 2], push), "[1,2]\n");
    }
}
