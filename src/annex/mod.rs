//! What a tree does not commit to, of the entries of one bundle: a text that the log signs.
//!
//! ```text
//! cairn annex v1
//! <origin>
//! <index of the first entry> <number of entries>
//! {"integratedTime":1767225600,"indexKeys":["sha256:…"]}          one line an entry
//! {"integratedTime":1767225601,"indexKeys":[],"attestation":true}
//!
//! — <name> <key ID and signature>
//! ```
//!
//! It is a signed note (C2SP signed-note) under the log's key. Its second line is no decimal
//! number that a root hash follows, so nobody can take it for a checkpoint. With it a replica has
//! the times and index keys of entries from the log itself, whoever carried them.

mod make;

use serde::{Deserialize, Serialize};
use tlog::{KeyId, LogIndex, Note, NoteError, TILE_WIDTH, TilePath, Verifier};

use crate::limits::{ANNEX_BYTES_MAX, INDEX_KEYS_MAX};

pub use make::{MakeError, attestation_for, attestation_of, make_annex, sign_annex};

const TITLE: &str = "cairn annex v1";
const PATH: &str = "annex/";
const BUNDLES: &str = "tile/entries/";

/// The annex of a bundle, or of the first part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Annex {
    /// Index of the first entry.
    pub first: LogIndex,
    /// What belongs to each entry, 1 to 256 of them.
    pub entries: Vec<Beside>,
}

/// What is stored beside a body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Beside {
    /// Seconds since 1970.
    pub integrated_time: i64,
    /// The keys under which a search finds the entry.
    pub index_keys: Vec<String>,
    /// Whether there is an attestation.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub attestation: bool,
}

/// Why a text is not the annex that was expected.
#[derive(Debug, thiserror::Error)]
pub enum AnnexError {
    /// Not a signed note.
    #[error("the annex is no signed note: {0}")]
    Note(#[from] NoteError),
    /// Not one of this log.
    #[error("the annex is not this log's: {0}")]
    Foreign(&'static str),
    /// Not even text.
    #[error("the annex is no text")]
    NoText,
    /// Of other entries than it stands beside.
    #[error("the annex is of {count} entries from {first} on")]
    OtherEntries {
        /// Its first entry.
        first: LogIndex,
        /// How many.
        count: usize,
    },
    /// Not in its form.
    #[error("line {line} of the annex is malformed")]
    Malformed {
        /// Which, from 1.
        line: usize,
    },
}

/// Where the annex of a bundle lies, relative to its log: as the bundle does.
pub fn annex_path(index: u64, width: u16) -> String {
    TilePath::Entries { index, width }.to_string().replacen(BUNDLES, PATH, 1)
}

/// Bundle and width of such a path; `None` for anything but the one path of an annex.
pub fn parse_annex_path(path: &str) -> Option<(u64, u16)> {
    let rest = path.strip_prefix(PATH)?;
    match TilePath::parse(&format!("{BUNDLES}{rest}"))? {
        TilePath::Entries { index, width } => Some((index, width)),
        TilePath::Tile { .. } => None,
    }
}

impl Annex {
    /// What is signed; ends in a newline.
    pub fn text(&self, origin: &str) -> String {
        let mut text = format!("{TITLE}\n{origin}\n{} {}\n", self.first, self.entries.len());
        for beside in &self.entries {
            // A number, strings and a flag: it cannot fail. Control characters are escaped.
            text.push_str(&serde_json::to_string(beside).unwrap_or_default());
            text.push('\n');
        }
        text
    }

    /// Opens a signed annex of the log with this origin: it has a signature under `name` and
    /// `key_id`, and that verifies.
    ///
    /// # Errors
    /// As [`AnnexError`] says.
    pub fn open(
        note: &str,
        origin: &str,
        name: &str,
        verifier: &Verifier,
        key_id: KeyId,
    ) -> Result<Self, AnnexError> {
        let note = Note::parse_within(note, ANNEX_BYTES_MAX)?;
        let ours = |line: &&tlog::NoteSignature| line.name == name && line.key_id == key_id;
        let line = note.signatures.iter().find(ours);
        let line = line.ok_or(AnnexError::Foreign("it has no signature by the log's key"))?;
        verifier
            .verify(note.text.as_bytes(), &line.signature)
            .map_err(|_| AnnexError::Foreign("the log's signature on it does not verify"))?;
        Self::parse_text(&note.text, origin)
    }

    /// Parses the text of an annex; it says nothing until its signature was verified.
    ///
    /// # Errors
    /// [`AnnexError::Foreign`], [`AnnexError::Malformed`].
    pub fn parse_text(text: &str, origin: &str) -> Result<Self, AnnexError> {
        let malformed = |line| AnnexError::Malformed { line };
        let mut lines = text.split_terminator('\n');
        if lines.next() != Some(TITLE) {
            return Err(malformed(1));
        }
        if lines.next() != Some(origin) {
            return Err(AnnexError::Foreign("it has another origin"));
        }
        let range = lines.next().and_then(|line| line.split_once(' '));
        let range = range
            .and_then(|(first, count)| Some((first.parse().ok()?, count.parse::<u64>().ok()?)));
        let Some((first, count @ 1..=TILE_WIDTH)) = range else { return Err(malformed(3)) };
        let mut entries = Vec::new();
        for (line, number) in lines.zip(4..) {
            let beside: Beside = serde_json::from_str(line).map_err(|_| malformed(number))?;
            if beside.index_keys.len() > INDEX_KEYS_MAX {
                return Err(malformed(number));
            }
            entries.push(beside);
        }
        if entries.len() as u64 != count {
            return Err(malformed(entries.len() + 4));
        }
        Ok(Self { first: LogIndex(first), entries })
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::pkcs8::EncodePublicKey as _;
    use ed25519_dalek::{Signer as _, SigningKey};
    use proptest::prelude::*;
    use tlog::{Checkpoint, NoteSignature};

    use super::*;

    fn beside() -> impl Strategy<Value = Beside> {
        let keys = prop::collection::vec(any::<String>(), 0..3);
        (any::<i64>(), keys, any::<bool>()).prop_map(
            |(integrated_time, index_keys, attestation)| Beside {
                integrated_time,
                index_keys,
                attestation,
            },
        )
    }

    fn signed(text: String) -> (String, Verifier, KeyId) {
        let key = SigningKey::from_bytes(&[7; 32]);
        let spki = key.verifying_key().to_public_key_der().unwrap();
        let verifier = Verifier::from_spki(spki.as_bytes()).unwrap();
        let key_id = verifier.key_id("log.example");
        let signature = key.sign(text.as_bytes()).to_vec();
        let line = NoteSignature { name: "log.example".into(), key_id, signature };
        (Note { text, signatures: vec![line] }.to_string(), verifier, key_id)
    }

    fn open(note: &str, origin: &str, verifier: &Verifier, key_id: KeyId) -> Result<Annex, String> {
        let opened = Annex::open(note, origin, "log.example", verifier, key_id);
        opened.map_err(|error| error.to_string())
    }

    proptest! {
        #[test]
        fn what_was_signed_is_opened(
            first in any::<u64>(),
            entries in prop::collection::vec(beside(), 1..5),
        ) {
            let annex = Annex { first: LogIndex(first), entries };
            let (note, verifier, key_id) = signed(annex.text("log.example"));
            prop_assert_eq!(open(&note, "log.example", &verifier, key_id), Ok(annex));
            let text = &Note::parse_within(&note, ANNEX_BYTES_MAX).unwrap().text;
            prop_assert!(Checkpoint::parse_text(text).is_err());
        }

        #[test]
        fn any_text_is_judged(text in "(cairn annex v1\n)?(x\n)?([0-9]{0,3} [0-9]{0,3}\n)?\\PC{0,40}\n") {
            let _ = Annex::parse_text(&text, "x");
        }
    }

    #[test]
    fn what_is_not_the_logs_is_refused() {
        let entry = Beside { integrated_time: 5, index_keys: vec!["k".into()], attestation: true };
        let annex = Annex { first: LogIndex(256), entries: vec![entry] };
        let (note, verifier, key_id) = signed(annex.text("log.example"));
        let refused = |note: &str, origin: &str| open(note, origin, &verifier, key_id).unwrap_err();
        assert!(refused(&note, "other.example").contains("another origin"));
        assert!(refused(&note.replace(":5,", ":6,"), "log.example").contains("does not verify"));
        let other = note.replace("— log.example", "— log.other");
        assert!(refused(&other, "log.example").contains("no signature by"));
        for text in [
            "cairn annex v2\nlog.example\n0 1\n{}\n".to_owned(),
            annex.text("log.example").replace("256 1", "256 2"),
            annex.text("log.example").replace("256 1", "256 0"),
            annex.text("log.example").replace("true", "1"),
        ] {
            let (note, ..) = signed(text);
            assert!(refused(&note, "log.example").contains("malformed"), "{note}");
        }
    }

    #[test]
    fn paths_are_those_of_bundles() {
        assert_eq!(annex_path(1067, 5), "annex/x001/067.p/5");
        assert_eq!(parse_annex_path("annex/x001/067.p/5"), Some((1067, 5)));
        assert_eq!(parse_annex_path(&annex_path(3, 256)), Some((3, 256)));
        for path in ["annex/1", "annex/000.p/256", "annex/", "annex/tile/0/000", "annexe/000"] {
            assert_eq!(parse_annex_path(path), None, "{path}");
        }
    }
}
