//! Decides whether an answer is true. Cheap checks of every answer are in [`framing`]; the rest
//! runs after the clock has stopped: RFC 8785 body, signed entry timestamp, RFC 6962 proofs,
//! checkpoint. Nothing is sent from here; which answers are checked is decided in `audit.rs`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, ETAG, LOCATION};
use tlog::{
    Checkpoint, ConsistencyProof, InclusionProof, LeafHash, LogIndex, NodeHash, Note, RootHash,
    TreeHead, Verifier, hash_leaf,
};

use crate::client::{Answer, header};
use crate::fault::Fault;
use crate::log_key::parse_public_key;
use crate::rekor_v1::wire;

/// Who the log says it is; every answer of a run is held against this.
pub struct LogIdentity {
    /// Origin line of its checkpoints: `<hostname> - <tree ID>`.
    pub origin: String,
    /// Decimal tree ID.
    pub tree_id: String,
    /// Hexadecimal SHA-256 of its public key.
    pub log_id: String,
    /// Index of the active tree's first entry: the number of entries in frozen shards.
    pub first_index: u64,
    verifier: Verifier,
}

/// What must be true of an entry, beyond its own proofs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Expected<'a> {
    /// Its canonical body.
    pub body: Option<&'a [u8]>,
    /// Its entry ID.
    pub id: Option<&'a str>,
    /// Its index over all shards.
    pub index: Option<u64>,
}

/// What a verified answer says.
#[derive(Clone, Debug)]
pub struct Verified {
    /// Entry ID.
    pub id: String,
    /// Index over all shards.
    pub index: u64,
    /// Canonical body.
    pub body: Vec<u8>,
    /// What its checkpoint commits to.
    pub head: TreeHead,
}

impl LogIdentity {
    /// Takes the public key (PEM) and the log's description of itself, whose checkpoint must
    /// verify.
    ///
    /// # Errors
    /// Keys that are neither ECDSA P-256 nor Ed25519, and a checkpoint that is not the key's.
    pub fn new(key_pem: &str, info: &wire::LogInfo) -> Result<Self, Fault> {
        let verifier = parse_public_key(key_pem)?;
        let origin = info.signed_tree_head.lines().next().unwrap_or_default().to_owned();
        let frozen = info.inactive_shards.iter().flatten().map(|shard| shard.tree_size).sum();
        let log = Self {
            origin,
            tree_id: info.tree_id.clone(),
            log_id: hex::encode(verifier.log_id()),
            first_index: frozen,
            verifier,
        };
        log.entry_id_prefix()?;
        let head = log.open_checkpoint(&info.signed_tree_head)?;
        if head.size.0 != info.tree_size || head.root.to_string() != info.root_hash {
            return Err(Fault::Head);
        }
        Ok(log)
    }

    /// The entry ID of a leaf in the active tree: 80 hexadecimal digits.
    pub fn entry_id(&self, leaf: &LeafHash) -> String {
        let prefix = self.entry_id_prefix().unwrap_or_default(); // checked in `new`
        format!("{prefix}{leaf}")
    }

    fn entry_id_prefix(&self) -> Result<String, Fault> {
        let number = self.tree_id.parse::<i64>().ok().filter(|number| *number > 0);
        let refuse = || Fault::Framing(format!("tree ID {:?}", self.tree_id));
        number.map(|number| format!("{number:016x}")).ok_or_else(refuse)
    }

    /// Verifies a checkpoint of the active tree: one signature by the log's key, in the log's name,
    /// with the first four bytes of the log ID as its hint.
    ///
    /// # Errors
    /// [`Fault::Checkpoint`], with the rule that is broken.
    pub fn open_checkpoint(&self, text: &str) -> Result<TreeHead, Fault> {
        let refuse = |why: &str| Fault::Checkpoint(why.to_owned());
        let note = Note::parse(text).map_err(|error| refuse(&error.to_string()))?;
        let [signature] = note.signatures.as_slice() else {
            return Err(refuse("not exactly one signature"));
        };
        let suffix = format!(" - {}", self.tree_id);
        if self.origin.strip_suffix(&suffix) != Some(signature.name.as_str()) {
            return Err(refuse("the signature's name is not the origin's host name"));
        }
        if signature.key_id.0 != self.verifier.log_id()[..4] {
            return Err(refuse("the signature's hint is not the start of the log ID"));
        }
        self.verifier
            .verify(note.text.as_bytes(), &signature.signature)
            .map_err(|_| refuse("the signature does not verify"))?;
        let checkpoint = Checkpoint::parse_text(&note.text);
        let checkpoint = checkpoint.map_err(|error| refuse(&error.to_string()))?;
        if checkpoint.origin != self.origin {
            return Err(refuse(&format!("origin {:?}", checkpoint.origin)));
        }
        Ok(checkpoint.head)
    }

    /// Verifies the text of an entry from end to end.
    ///
    /// # Errors
    /// The first [`Fault`] that is found.
    pub fn verify_entry(&self, text: &[u8], expected: Expected<'_>) -> Result<Verified, Fault> {
        let (id, entry) = parse_entry(text)?;
        let body = STANDARD.decode(&entry.body).map_err(|_| Fault::Body)?;
        if expected.body.is_some_and(|wanted| wanted != body) {
            return Err(Fault::Body);
        }
        let leaf = hash_leaf(&body);
        let own_id = self.entry_id(&leaf);
        let wanted_id = expected.id.unwrap_or(&own_id);
        if id != own_id || id != wanted_id {
            let expected = if id == own_id { wanted_id.to_owned() } else { own_id };
            return Err(Fault::EntryId { named: id, expected });
        }
        if entry.log_id != self.log_id {
            return Err(Fault::LogId(entry.log_id));
        }
        self.verify_set(&entry)?;
        let wanted_index = expected.index.unwrap_or(entry.log_index);
        if entry.log_index != wanted_index {
            return Err(Fault::Index { named: entry.log_index, expected: wanted_index });
        }
        let head = self.verify_inclusion(&entry, &leaf)?;
        Ok(Verified { id, index: entry.log_index, body, head })
    }

    fn verify_set(&self, entry: &wire::Entry) -> Result<(), Fault> {
        // base64 and hexadecimal need no escaping, so this is RFC 8785.
        let signed = format!(
            r#"{{"body":"{}","integratedTime":{},"logID":"{}","logIndex":{}}}"#,
            entry.body, entry.integrated_time, entry.log_id, entry.log_index,
        );
        let signature = STANDARD.decode(&entry.verification.signed_entry_timestamp);
        let signature = signature.map_err(|_| Fault::Set)?;
        self.verifier.verify(signed.as_bytes(), &signature).map_err(|_| Fault::Set)
    }

    fn verify_inclusion(&self, entry: &wire::Entry, leaf: &LeafHash) -> Result<TreeHead, Fault> {
        let wire = &entry.verification.inclusion_proof;
        let head = self.open_checkpoint(&wire.checkpoint)?;
        if head.size.0 != wire.tree_size || head.root.to_string() != wire.root_hash {
            return Err(Fault::Head);
        }
        let index_over_all = self.first_index.saturating_add(wire.log_index);
        if entry.log_index != index_over_all {
            return Err(Fault::Index { named: entry.log_index, expected: index_over_all });
        }
        let hashes = parse_hashes(&wire.hashes).map_err(Fault::Inclusion)?;
        let proof = InclusionProof { index: LogIndex(wire.log_index), size: head.size, hashes };
        let verified = proof.verify(leaf, &head.root);
        verified.map(|()| head).map_err(|error| Fault::Inclusion(error.to_string()))
    }
}

/// Verifies the answer of `GET /api/v1/log/proof` between two heads.
///
/// # Errors
/// [`Fault::Consistency`].
pub fn verify_consistency(text: &[u8], old: &TreeHead, new: &TreeHead) -> Result<(), Fault> {
    let fault = |why: String| Fault::Consistency { old: old.size.0, new: new.size.0, why };
    let wire = serde_json::from_slice::<wire::ConsistencyProof>(text);
    let wire = wire.map_err(|error| fault(error.to_string()))?;
    if RootHash::from_hex(&wire.root_hash).is_none() {
        return Err(fault("rootHash is not a hash".to_owned()));
    }
    let hashes = parse_hashes(&wire.hashes).map_err(fault)?;
    let proof = ConsistencyProof { old: old.size, new: new.size, hashes };
    proof.verify(&old.root, &new.root).map_err(|error| fault(error.to_string()))
}

fn parse_hashes(hashes: &[String]) -> Result<Vec<NodeHash>, String> {
    let parse = |text: &String| NodeHash::from_hex(text).ok_or(format!("{text:?} is not a hash"));
    hashes.iter().map(parse).collect()
}

/// Reads the one entry of an answer, which must be written exactly as Rekor writes it.
fn parse_entry(text: &[u8]) -> Result<(String, wire::Entry), Fault> {
    let refuse = |why: String| Fault::Framing(why);
    let map: wire::EntryMap =
        serde_json::from_slice(text).map_err(|error| refuse(format!("JSON: {error}")))?;
    let mut written = serde_json::to_vec(&map).map_err(|error| refuse(error.to_string()))?;
    written.push(b'\n');
    if written != text {
        return Err(refuse("not compact JSON in Rekor's order with one newline".to_owned()));
    }
    let members = map.len();
    match map.into_iter().next() {
        Some(member) if members == 1 => Ok(member),
        _ => Err(refuse(format!("{members} entries"))),
    }
}

/// Checks what can be seen without mathematics, in the timed path: status, headers, the entry ID at
/// every place where it stands, the ends of the text. Gives the index over all shards.
///
/// # Errors
/// [`Fault::Status`], [`Fault::Framing`] or [`Fault::EntryId`].
pub fn framing(answer: &Answer, status: StatusCode, id: Option<&str>) -> Result<u64, Fault> {
    if answer.status != status {
        return Err(Fault::Status(answer.status.as_u16()));
    }
    let refuse = |why: &str| Fault::Framing(why.to_owned());
    if header(answer, CONTENT_TYPE) != "application/json" {
        return Err(refuse("Content-Type is not application/json"));
    }
    let text = &answer.body[..];
    let named = text.get(2..82).and_then(|id| std::str::from_utf8(id).ok());
    let named = named.ok_or_else(|| refuse("too short"))?;
    let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    let starts = text.starts_with(b"{\"") && text[82..].starts_with(b"\":{\"");
    if !starts || !text.ends_with(b"\"}}}\n") || !named.bytes().all(is_hex) {
        return Err(refuse("not {\"<80 digits>\":{…}} and a newline"));
    }
    if let Some(id) = id.filter(|id| *id != named) {
        return Err(Fault::EntryId { named: named.to_owned(), expected: id.to_owned() });
    }
    if status == StatusCode::CREATED {
        if header(answer, ETAG) != named {
            return Err(refuse("ETag is not the bare entry ID"));
        }
        let location = header(answer, LOCATION);
        if location.rsplit_once('/').is_none_or(|(_, last)| last != named) {
            return Err(refuse("Location does not end in the entry ID"));
        }
    }
    index_over_all(text).ok_or_else(|| refuse("no logIndex"))
}

/// The first `logIndex` of the text: members stand in alphabetical order, and base64 holds no
/// quotes.
fn index_over_all(text: &[u8]) -> Option<u64> {
    const MEMBER: &[u8] = b"\"logIndex\":";
    let at = text.windows(MEMBER.len()).position(|window| window == MEMBER)? + MEMBER.len();
    let digits = text[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&text[at..at + digits]).ok()?.parse().ok()
}
