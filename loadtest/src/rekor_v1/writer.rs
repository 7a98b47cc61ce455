//! Writes: request `n` proposes entry `n`. Its entry ID is known beforehand, so that every 201 is
//! held against it at the price of comparing 80 bytes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hyper::{StatusCode, Uri};
use tlog::LeafHash;

use crate::client::{Answer, CallError, Connection};
use crate::drive::Target;
use crate::entries::{Entry, Signed};
use crate::fault::Fault;
use crate::rekor_v1::check::framing;

/// Where entries are proposed.
pub const ENTRIES_PATH: &str = "/api/v1/log/entries";

/// The entries of a run.
pub struct Proposals {
    entries: Vec<Entry>,
    /// Tree ID in 16 hexadecimal digits.
    tree: [u8; 16],
    path: Uri,
}

impl Proposals {
    /// Entries for the tree whose entry IDs start with these 16 digits.
    pub fn new(entries: Vec<Entry>, tree: [u8; 16]) -> Self {
        Self { entries, tree, path: Uri::from_static(ENTRIES_PATH) }
    }

    /// The entry that request `number` proposes.
    pub fn entry(&self, number: u64) -> &Entry {
        &self.entries[number as usize]
    }
}

/// Writes an entry down as hashedrekord 0.0.1, in RFC 8785 form with the key in canonical PEM: in
/// that form it is its own canonical body.
pub fn entry(signed: &Signed) -> Entry {
    let body = format!(
        concat!(
            r#"{{"apiVersion":"0.0.1","kind":"hashedrekord","spec":{{"data":{{"hash":"#,
            r#"{{"algorithm":"sha256","value":"{digest}"}}}},"#,
            r#""signature":{{"content":"{signature}","publicKey":{{"content":"{key}"}}}}}}}}"#
        ),
        digest = hex::encode(signed.digest),
        signature = STANDARD.encode(&signed.signature),
        key = STANDARD.encode(pem(&signed.spki)),
    );
    let body = Bytes::from(body);
    Entry::new(body.clone(), body)
}

/// A public key in canonical PEM: 64 columns, a newline at the end.
fn pem(spki: &[u8]) -> String {
    const COLUMNS: usize = 64;
    let text = STANDARD.encode(spki);
    let mut pem = String::from("-----BEGIN PUBLIC KEY-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(COLUMNS));
        pem.push_str(line);
        pem.push('\n');
        rest = after;
    }
    pem.push_str("-----END PUBLIC KEY-----\n");
    pem
}

impl Target for Proposals {
    type Link = Connection;

    async fn call(&self, connection: &mut Connection, number: u64) -> Result<Answer, CallError> {
        let body = self.entry(number).request.clone();
        connection.post(self.path.clone(), body).await
    }

    fn framing(&self, number: u64, answer: &Answer) -> Result<u64, Fault> {
        let digits = entry_id(self.tree, &self.entry(number).leaf);
        let id = std::str::from_utf8(&digits).unwrap_or_default();
        framing(answer, StatusCode::CREATED, Some(id))
    }

    fn subject(&self, number: u64) -> String {
        format!("entry {number} ({})", self.entry(number).leaf)
    }
}

/// An entry ID without allocating.
fn entry_id(tree: [u8; 16], leaf: &LeafHash) -> [u8; 80] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut id = [0; 80];
    id[..16].copy_from_slice(&tree);
    for (two, byte) in id[16..].chunks_exact_mut(2).zip(leaf.as_bytes()) {
        two[0] = DIGITS[usize::from(byte >> 4)];
        two[1] = DIGITS[usize::from(byte & 15)];
    }
    id
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use crate::entries::sign;

    use super::*;

    fn decoded(value: &Value) -> Vec<u8> {
        STANDARD.decode(value.as_str().unwrap()).unwrap()
    }

    #[test]
    fn entries_are_canonical() {
        let signed = Signed { digest: [7; 32], signature: vec![1, 2, 3], spki: vec![9; 91] };
        let entry = entry(&signed);
        let json: Value = serde_json::from_slice(&entry.body).unwrap();
        // serde_json sorts members; ASCII only, so its compact form is the RFC 8785 form.
        assert_eq!(json.to_string().as_bytes(), &entry.body[..]);
        assert_eq!(entry.request, entry.body);
        let spec = &json["spec"];
        assert_eq!(spec["data"]["hash"]["value"], "07".repeat(32));
        assert_eq!(decoded(&spec["signature"]["content"]), [1, 2, 3]);
        let pem = String::from_utf8(decoded(&spec["signature"]["publicKey"]["content"])).unwrap();
        let der: String = pem.lines().filter(|line| !line.starts_with("--")).collect();
        assert_eq!(STANDARD.decode(der).unwrap(), [9; 91]);
        let lengths: Vec<usize> = pem.lines().map(str::len).collect();
        assert_eq!(lengths, [26, 64, 60, 24]);
        assert!(pem.ends_with("-----\n"));
        assert_eq!(sign(1, super::entry).unwrap().len(), 1);
    }

    #[test]
    fn entry_ids_are_tree_and_leaf_in_hexadecimal() {
        let leaf = LeafHash::from_bytes([0xa5; 32]);
        let id = entry_id(*b"00000000000004d2", &leaf);
        assert_eq!(std::str::from_utf8(&id).unwrap(), format!("00000000000004d2{leaf}"));
    }
}
