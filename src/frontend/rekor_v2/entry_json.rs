//! `TransparencyLogEntry` as JSON: ProtoJSON with the members that have default values, too, in the
//! order of their numbers, 64-bit numbers as strings. Its counterpart is `protojson`.

use std::fmt::Write as _;

use base64::display::Base64Display;
use base64::engine::general_purpose::{GeneralPurpose, STANDARD};

use crate::admission::RequestV2;
use crate::log::LoggedEntry;

/// An entry of this kind. A log of API v2 promises nothing and knows no time, so both are empty.
pub(super) fn entry(kind: &str, entry: &LoggedEntry) -> String {
    let mut out =
        String::with_capacity(2 * entry.body.len() + 64 * entry.proof.hashes.len() + 1024);
    let (index, size) = (entry.proof.index, entry.proof.size);
    let (key_id, version) = (base64(&entry.log_id), RequestV2::VERSION);
    let root = base64(entry.checkpoint.head.root.as_bytes());
    put(
        &mut out,
        format_args!(
            r#"{{"logIndex":"{index}","logId":{{"keyId":"{key_id}"}},"kindVersion":{{"kind":"{kind}","version":"{version}"}},"integratedTime":"0","inclusionPromise":null,"inclusionProof":{{"logIndex":"{index}","rootHash":"{root}","treeSize":"{size}","hashes":["#
        ),
    );
    for (n, hash) in entry.proof.hashes.iter().enumerate() {
        let comma = if n == 0 { "" } else { "," };
        put(&mut out, format_args!(r#"{comma}"{}""#, base64(hash.as_bytes())));
    }
    out.push_str(r#"],"checkpoint":{"envelope":"#);
    push_string(&mut out, &entry.checkpoint.cosigned);
    put(&mut out, format_args!(r#"}}}},"canonicalizedBody":"{}"}}"#, base64(&entry.body)));
    out
}

/// Appends a JSON string; nothing is escaped that need not be.
pub(super) fn push_string(out: &mut String, text: &str) {
    // A string always serialises.
    out.push_str(&serde_json::to_string(text).unwrap_or_default());
}

fn base64(bytes: &[u8]) -> Base64Display<'_, 'static, GeneralPurpose> {
    Base64Display::new(bytes, &STANDARD)
}

/// Writing to a `String` cannot fail.
fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(text);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use storage::TreeId;
    use tlog::{InclusionProof, LeafHash, LogIndex, NodeHash, RootHash, TreeHead, TreeSize};

    use super::*;
    use crate::publisher::Published;
    use crate::shards::{EntryId, VirtualIndex};

    fn logged(hashes: Vec<NodeHash>) -> LoggedEntry {
        let (tree_id, leaf_hash) = (TreeId::new(255).unwrap(), LeafHash::from_bytes([0xaa; 32]));
        let size = TreeSize(u64::MAX >> 1);
        let head = TreeHead { size, root: RootHash::from_bytes([0xcc; 32]) };
        let note: Arc<str> = "host\n3\n\n— host A==\n".into();
        let cosigned: Arc<str> = format!("{note}— \"w\\<&>\u{2028} B==\n").into();
        LoggedEntry {
            id: EntryId { tree_id, leaf_hash },
            log_id: [0xfb; 32],
            body: vec![0xff; 4],
            integrated_time: 17,
            virtual_index: VirtualIndex(9),
            proof: InclusionProof { index: LogIndex(2), size, hashes },
            checkpoint: Arc::new(Published { head, cosigned, note, time: 0 }),
            attestation: None,
        }
    }

    #[test]
    fn every_byte_of_an_entry() {
        let hashes = vec![NodeHash::from_bytes([1; 32]), NodeHash::from_bytes([2; 32])];
        let expected = concat!(
            r#"{"logIndex":"2","logId":{"keyId":"+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/s="},"#,
            r#""kindVersion":{"kind":"hashedrekord","version":"0.0.2"},"integratedTime":"0","#,
            r#""inclusionPromise":null,"inclusionProof":{"logIndex":"2","#,
            r#""rootHash":"zMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMw=","#,
            r#""treeSize":"9223372036854775807","hashes":["#,
            r#""AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=","#,
            r#""AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI="],"#,
            r#""checkpoint":{"envelope":"host\n3\n\n— host A==\n— \"w\\<&>"#,
            "\u{2028}",
            r#" B==\n"}},"canonicalizedBody":"/////w=="}"#,
        );
        assert_eq!(entry("hashedrekord", &logged(hashes)), expected);
        let alone = entry("dsse", &logged(Vec::new()));
        assert!(alone.contains(r#""kind":"dsse""#) && alone.contains(r#""hashes":[]"#), "{alone}");
        serde_json::from_str::<serde_json::Value>(&alone).unwrap();
    }
}
