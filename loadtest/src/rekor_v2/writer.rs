//! Writes over REST: request `n` proposes entry `n`. The canonical body in each 201 is held against
//! the entry's own.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hyper::header::CONTENT_TYPE;
use hyper::{StatusCode, Uri};

use crate::client::{Answer, CallError, Connection, header, uri};
use crate::drive::Target;
use crate::entries::{Entry, Signed};
use crate::fault::Fault;
use crate::rekor_v2::check::{LoggedEntry, number};
use crate::rekor_v2::{Proposes, wire};

/// Where entries are proposed.
const ENTRIES_PATH: &str = "/api/v2/log/entries";

/// The entries of a run.
pub struct Proposals {
    entries: Vec<Entry>,
    path: Uri,
}

impl Proposals {
    /// Entries for the log behind this prefix.
    ///
    /// # Errors
    /// A prefix that cannot stand in a path.
    pub fn new(entries: Vec<Entry>, prefix: &str) -> Result<Self, CallError> {
        Ok(Self { entries, path: uri(&format!("{prefix}{ENTRIES_PATH}"))? })
    }
}

/// Writes an entry down as hashedrekord 0.0.2: the request, and the body that the log must hold.
pub fn entry(signed: &Signed) -> Entry {
    let digest = STANDARD.encode(signed.digest);
    let signature = STANDARD.encode(&signed.signature);
    let key = STANDARD.encode(&signed.spki);
    let request = format!(
        concat!(
            r#"{{"hashedRekordRequestV002":{{"digest":"{digest}","signature":{{"#,
            r#""content":"{signature}","verifier":{{"publicKey":{{"rawBytes":"{key}"}},"#,
            r#""keyDetails":"PKIX_ECDSA_P256_SHA_256"}}}}}}}}"#
        ),
        digest = digest,
        signature = signature,
        key = key,
    );
    Entry::new(Bytes::from(request), canonical_body(&digest, &signature, &key))
}

/// The canonical body of an entry from its base64 parts.
pub fn canonical_body(digest: &str, signature: &str, key: &str) -> Bytes {
    Bytes::from(format!(
        concat!(
            r#"{{"apiVersion":"0.0.2","kind":"hashedrekord","spec":{{"hashedRekordV002":{{"#,
            r#""data":{{"algorithm":"SHA2_256","digest":"{digest}"}},"#,
            r#""signature":{{"content":"{signature}","verifier":{{"#,
            r#""keyDetails":"PKIX_ECDSA_P256_SHA_256","publicKey":{{"rawBytes":"{key}"}}}}}}}}}}}}"#
        ),
        digest = digest,
        signature = signature,
        key = key,
    ))
}

impl Proposes for Proposals {
    fn entry(&self, number: u64) -> &Entry {
        &self.entries[number as usize]
    }

    fn parse(answer: &Bytes) -> Result<LoggedEntry, Fault> {
        LoggedEntry::from_json(answer)
    }
}

impl Target for Proposals {
    type Link = Connection;

    async fn call(&self, connection: &mut Connection, number: u64) -> Result<Answer, CallError> {
        connection.post(self.path.clone(), self.entry(number).request.clone()).await
    }

    fn framing(&self, entry: u64, answer: &Answer) -> Result<u64, Fault> {
        if answer.status != StatusCode::CREATED {
            return Err(Fault::Status(answer.status.as_u16()));
        }
        if header(answer, CONTENT_TYPE) != "application/json" {
            return Err(Fault::Framing("Content-Type is not application/json".to_owned()));
        }
        let framed: wire::Framed<'_> = serde_json::from_slice(&answer.body)
            .map_err(|error| Fault::Framing(format!("JSON: {error}")))?;
        if framed.canonicalized_body != STANDARD.encode(&self.entry(entry).body) {
            return Err(Fault::Body);
        }
        number(&framed.log_index)
    }

    fn subject(&self, number: u64) -> String {
        format!("entry {number} ({})", self.entry(number).leaf)
    }
}
