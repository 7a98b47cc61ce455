//! The signing core: checkpoints and signed entry timestamps of one log, under its key.
//!
//! No storage, queue or clock; this is what `benches/signing.rs` measures.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tlog::{Checkpoint, KeyError, KeyId, LogIndex, Note, NoteSignature, TreeHead, Verifier};

use super::signer::{SignError, Signer};

/// A published tree head: the head, and the signed note over it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// What the checkpoint commits to.
    pub head: TreeHead,
    /// The whole note with the log's signature alone, ending in a newline: what API v1 shows.
    pub note: Arc<str>,
    /// The same with the cosignatures of witnesses after it; without witnesses the same.
    pub cosigned: Arc<str>,
    /// When it was signed, seconds since 1970.
    pub time: i64,
}

/// Signs for one log: it knows the log's key, its origin and the name on its signature lines.
pub struct SigningCore {
    signer: Arc<dyn Signer>,
    origin: String,
    name: String,
    key_id: KeyId,
    log_id: [u8; 32],
    log_id_hex: String,
}

impl SigningCore {
    /// The core of a log by the C2SP rules, as Rekor v2 is one: the host name is origin and
    /// signature name, and the log ID is the whole hash whose first four bytes are the key hint.
    ///
    /// # Errors
    /// [`KeyError`] for a key that no log can have.
    pub fn rekor_v2(signer: Arc<dyn Signer>, hostname: &str) -> Result<Self, KeyError> {
        let log_id = Verifier::from_spki(signer.public_key())?.note_key_hash(hostname);
        Ok(Self::with(signer, hostname.into(), hostname.into(), log_id))
    }

    /// The core of a Rekor v1 log: origin `<hostname> - <tree ID>`, signature name `<hostname>`,
    /// and the first four bytes of the log ID as key hint.
    pub fn rekor_v1(signer: Arc<dyn Signer>, hostname: &str, tree_id: i64) -> Self {
        let log_id = tlog::hash::sha256(signer.public_key());
        let origin = tlog::v1_origin(hostname, tree_id);
        Self::with(signer, origin, hostname.into(), log_id)
    }

    fn with(signer: Arc<dyn Signer>, origin: String, name: String, log_id: [u8; 32]) -> Self {
        let [a, b, c, d, ..] = log_id;
        let (key_id, log_id_hex) = (KeyId([a, b, c, d]), hex::encode(log_id));
        Self { signer, origin, name, key_id, log_id, log_id_hex }
    }

    /// The first line of the log's checkpoints.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The name on its signature lines.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The ID of the log's key: of a v1 log the SHA-256 of its SPKI DER, else what the key hint is
    /// the start of ([`Verifier::note_key_hash`]).
    pub fn log_id(&self) -> [u8; 32] {
        self.log_id
    }

    /// The key hint on the log's signature lines.
    pub fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// The public key, SPKI DER.
    pub fn public_key(&self) -> &[u8] {
        self.signer.public_key()
    }

    /// Signs a head that is durable.
    pub fn checkpoint(&self, head: TreeHead, time: i64) -> Result<Published, SignError> {
        let checkpoint = Checkpoint { origin: self.origin.clone(), head, extensions: Vec::new() };
        let note: Arc<str> = self.note(checkpoint.text())?.to_string().into();
        Ok(Published { head, cosigned: note.clone(), note, time })
    }

    /// Signs a text as a note. Whoever calls this answers for it that the text cannot be taken for
    /// something else that the log signs.
    pub fn note(&self, text: String) -> Result<Note, SignError> {
        let signature = self.signer.sign(text.as_bytes())?;
        let signature = NoteSignature { name: self.name.clone(), key_id: self.key_id, signature };
        Ok(Note { text, signatures: vec![signature] })
    }

    /// Whether the log's key is at hand. A replica that only follows has none, and signs nothing.
    pub fn signs(&self) -> bool {
        self.signer.signs()
    }

    /// Signs an entry's promise (SET): RFC 8785 JSON of body, integrated time, log ID and index.
    ///
    /// `index` is the virtual index, the one over all shards.
    pub fn entry_timestamp(
        &self,
        body: &[u8],
        integrated_time: i64,
        index: LogIndex,
    ) -> Result<Vec<u8>, SignError> {
        // All four values are canonical as they stand: base64, hex and integers below 2^53.
        let mut payload = String::with_capacity(body.len() * 4 / 3 + 200);
        payload.push_str(r#"{"body":""#);
        STANDARD.encode_string(body, &mut payload);
        payload.push_str(r#"","integratedTime":"#);
        payload.push_str(&integrated_time.to_string());
        payload.push_str(r#","logID":""#);
        payload.push_str(&self.log_id_hex);
        payload.push_str(r#"","logIndex":"#);
        payload.push_str(&index.to_string());
        payload.push('}');
        self.signer.sign(payload.as_bytes())
    }
}
