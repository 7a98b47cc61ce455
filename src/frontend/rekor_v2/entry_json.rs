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
