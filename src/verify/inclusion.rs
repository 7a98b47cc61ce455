//! Whether an entry is in the log that it names: the promise of Rekor v1 (SET), the inclusion
//! proof, the checkpoint, and who else signed that.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use tlog::{Checkpoint, Note, SignedCheckpoint, Timestamp, TreeHead, hash_leaf};

use super::log_entry::{LogEntry, Proof};
use super::report::{Report, Step};
use super::trust_root::{LogKey, LogVerifier, TrustRoot};
use super::{Proven, Request, time_text};

/// What a form of file has to bring.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Needs {
    pub(super) promise: bool,
    pub(super) proof: bool,
}

/// Checks one entry, and gives its log and the time that the log signed for.
pub(super) fn check<'t>(
    report: &mut Report,
    request: &Request<'t>,
    entry: &LogEntry,
    needs: Needs,
) -> Option<(&'t LogKey, Option<Proven>)> {
    let log = report.judge(Step::Log, find(request, entry))?;
    let proven = promise(report, log, entry, needs.promise);
    match &entry.proof {
        Some(proof) => inclusion(report, request, log, entry, proof, needs.proof),
        None if needs.proof => report.failed(Step::Inclusion, "there is no inclusion proof"),
        None => report.not_checked(Step::Inclusion, "there is no inclusion proof"),
    }
    Some((log, proven))
}

fn origin_of(note: &str) -> Option<&str> {
    note.split('\n').next().filter(|line| !line.is_empty())
}

fn key_name(origin: &str) -> &str {
    let v1 = origin.rsplit_once(" - ");
    v1.filter(|(_, id)| !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit()))
        .map_or(origin, |(name, _)| name)
}

/// The trusted log that the entry names: by its ID, or for a tlog-proof by the checkpoint's lines.
fn find<'t>(request: &Request<'t>, entry: &LogEntry) -> Result<(&'t LogKey, String), String> {
    let note = entry.proof.as_ref().and_then(|proof| proof.note.as_deref());
    let origin = note.and_then(origin_of);
    let logs = request.trust.logs.iter();
    let found = match &entry.log_id {
        Some(id) => logs.clone().find(|log| log.is_named(id, origin.map(key_name))),
        None => {
            let lines = note.and_then(|note| Note::parse(note).ok()).map(|note| note.signatures);
            let lines = lines.unwrap_or_default();
            let origin = origin.unwrap_or_default();
            logs.clone().find(|log| {
                key_ids(log, None, origin).iter().any(|(name, id)| {
                    lines.iter().any(|line| line.name == *name && line.key_id == *id)
                })
            })
        }
    };
    let named = match (&entry.log_id, origin) {
        (Some(id), _) => format!("log {}", hex::encode(id)),
        (None, origin) => format!("log {:?}", origin.unwrap_or_default()),
    };
    let log = found.ok_or_else(|| format!("{named} is none that is trusted"))?;
    Ok((log, format!("{named} is trusted as {}", log.name)))
}

/// The names and IDs under which a log's lines on a checkpoint may stand.
fn key_ids(log: &LogKey, id: Option<&[u8; 32]>, origin: &str) -> Vec<(String, tlog::KeyId)> {
    let name = key_name(origin);
    match &log.key {
        LogVerifier::Named(key) => vec![(key.name().to_owned(), key.key_id())],
        LogVerifier::Key(key) => match id {
            Some(id) => vec![(name.to_owned(), log.key_id(id))],
            None => log
                .ids
                .iter()
                .map(|id| log.key_id(id))
                .chain([key.key_id(name)])
                .map(|id| (name.to_owned(), id))
                .collect(),
        },
        LogVerifier::Unsupported(_) => Vec::new(),
    }
}

/// The bytes that a promise is over: RFC 8785 of four members (Rekor v1).
fn promised(entry: &LogEntry, log_id: &[u8; 32]) -> Vec<u8> {
    let (body, id) = (BASE64_STANDARD.encode(&entry.body), hex::encode(log_id));
    let (time, index) = (entry.integrated_time.unwrap_or(0), entry.index);
    format!(r#"{{"body":"{body}","integratedTime":{time},"logID":"{id}","logIndex":{index}}}"#)
        .into_bytes()
}

fn promise(report: &mut Report, log: &LogKey, entry: &LogEntry, needed: bool) -> Option<Proven> {
    let (Some(signature), Some(log_id)) = (&entry.promise, &entry.log_id) else {
        let says = "there is no signed entry timestamp";
        if needed {
            report.failed(Step::Promise, says);
        } else {
            report.not_checked(Step::Promise, says);
        }
        return None;
    };
    let message = promised(entry, log_id);
    let verified = match &log.key {
        LogVerifier::Key(key) => key.verify(&message, signature).map_err(|e| e.to_string()),
        LogVerifier::Named(key) => verify_by_vkey(key, &message, signature),
        LogVerifier::Unsupported(why) => Err(why.clone()),
    };
    let time = entry.integrated_time;
    let result = match (verified, time) {
        (Err(why), _) => Err(format!("{}: {why}", log.name)),
        (Ok(()), None) => Err("the log promises no time".into()),
        (Ok(()), Some(time)) => {
            let (name, index, at) = (&log.name, entry.index, time_text(time));
            Ok((time, format!("{name} signed for it at {at}, as its entry {index}")))
        }
    };
    let time = report.judge(Step::Promise, result)?;
    Some(Proven { time, by: format!("the promise of {}", log.name) })
}

fn verify_by_vkey(key: &tlog::VerifierKey, message: &[u8], sig: &[u8]) -> Result<(), String> {
    let plain: Result<&[u8; 32], _> = key.public_key().try_into();
    let verifier = match plain {
        Ok(plain) => tlog::Verifier::from_ed25519(plain),
        Err(_) => tlog::Verifier::from_spki(key.public_key()),
    };
    let verifier = verifier.map_err(|error| error.to_string())?;
    verifier.verify(message, sig).map_err(|error| error.to_string())
}

fn inclusion(
    report: &mut Report,
    request: &Request<'_>,
    log: &LogKey,
    entry: &LogEntry,
    proof: &Proof,
    needed: bool,
) {
    let Some(note) = &proof.note else {
        let says = "the inclusion proof has no checkpoint that it could be held against";
        if needed {
            report.failed(Step::Checkpoint, says);
        } else {
            report.not_checked(Step::Inclusion, says);
        }
        return;
    };
    let opened = open(log, entry.log_id.as_ref(), note).map(|opened| {
        let head = opened.checkpoint().head;
        let says = format!("{} signed size {} and root {}", log.name, head.size, head.root);
        (opened, says)
    });
    let Some(opened) = report.judge(Step::Checkpoint, opened) else {
        report.not_checked(Step::Inclusion, "the checkpoint does not count");
        return;
    };
    report.judge(Step::Inclusion, leads_to(entry, proof, opened.checkpoint()));
    witnesses(report, request, &opened);
}

fn open(log: &LogKey, named: Option<&[u8; 32]>, note: &str) -> Result<SignedCheckpoint, String> {
    let origin = origin_of(note).ok_or("the checkpoint has no origin")?;
    match &log.key {
        LogVerifier::Unsupported(why) => Err(format!("{}: {why}", log.name)),
        LogVerifier::Named(key) => {
            // The name on the lines is the origin; a log of Rekor v1 puts its tree behind that.
            let expected = if key_name(origin) == key.name() { origin } else { key.name() };
            SignedCheckpoint::open_by(note, expected, key).map_err(|error| error.to_string())
        }
        LogVerifier::Key(key) => {
            let mut last = "the checkpoint has no line of the log".to_owned();
            let ids = key_ids(log, named, origin);
            if named
                .is_some_and(|id| *id != key.log_id() && *id != key.note_key_hash(key_name(origin)))
            {
                return Err(format!("the checkpoint is of another log: {origin:?}"));
            }
            for (_, id) in ids {
                match SignedCheckpoint::open(note, origin, key, id) {
                    Ok(opened) => return Ok(opened),
                    Err(error) => last = error.to_string(),
                }
            }
            Err(last)
        }
    }
}

fn leads_to(
    entry: &LogEntry,
    proof: &Proof,
    checkpoint: &Checkpoint,
) -> Result<((), String), String> {
    let Proof { inclusion, root, .. } = proof;
    let head = checkpoint.head;
    if inclusion.size != head.size {
        return Err(format!("the proof is for size {}, not {}", inclusion.size, head.size));
    }
    if root.is_some_and(|root| root != head.root) {
        return Err(format!("the root hash beside the proof is not {}", head.root));
    }
    let leaf = hash_leaf(&entry.body);
    inclusion.verify(&leaf, &head.root).map_err(|error| error.to_string())?;
    let (index, size) = (inclusion.index, inclusion.size);
    Ok(((), format!("the entry is leaf {index} of {size}, by {} hashes", inclusion.hashes.len())))
}

fn witnesses(report: &mut Report, request: &Request<'_>, opened: &SignedCheckpoint) {
    let (checkpoint, lines) = (opened.checkpoint(), &opened.note().signatures);
    let Some(policy) = request.policy else {
        let says = match lines.len() {
            0 | 1 => "nobody but the log signed the checkpoint".to_owned(),
            n => format!("{} lines of others on the checkpoint: no policy was named", n - 1),
        };
        report.not_checked(Step::Witnesses, says);
        return;
    };
    let mut cosigned: Vec<(&str, Timestamp)> = Vec::new();
    for witness in &policy.witnesses {
        let verified = |line| witness.key.verify_cosignature(checkpoint, line).ok();
        if let Some(time) = lines.iter().find_map(verified) {
            cosigned.push((&witness.name, time));
        }
    }
    let names: Vec<String> = cosigned
        .iter()
        .map(|(name, time)| format!("{name} at {}", time_text(time.unix_seconds())))
        .collect();
    let names = if names.is_empty() { "nobody".to_owned() } else { names.join(", ") };
    let quorum = policy.satisfied_by(&|name| cosigned.iter().any(|(known, _)| *known == name));
    if quorum {
        report.ok(Step::Witnesses, format!("cosigned by {names}: enough for the policy"));
    } else {
        report.failed(Step::Witnesses, format!("cosigned by {names}: no quorum of the policy"));
    }
}

impl TrustRoot {
    /// The head of a checkpoint that one of the trusted logs signed.
    ///
    /// # Errors
    /// Why none did.
    pub fn open_checkpoint(&self, note: &str) -> Result<TreeHead, String> {
        let mut last = "it is of no log that is trusted".to_owned();
        for log in &self.logs {
            match open(log, None, note) {
                Ok(opened) => return Ok(opened.checkpoint().head),
                Err(why) => last = why,
            }
        }
        Err(last)
    }
}
