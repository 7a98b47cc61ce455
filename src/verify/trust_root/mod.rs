//! Whom verification trusts: logs, certificate authorities, certificate transparency logs and
//! timestamp authorities, each for a while (sigstore's `TrustedRoot`, `trusted_root.json`).

mod wire;

use tlog::{KeyId, Verifier, VerifierKey};

use crate::admission::pki::key::Key;
use crate::admission::pki::x509::Certificate;
use crate::limits::{TRUST_ROOT_BYTES_MAX, TRUST_ROOT_CERTIFICATES_MAX};

use wire::{CertificateAuthority, Log, RawBytes, Root, window};

/// Whom verification trusts.
#[derive(Default)]
pub struct TrustRoot {
    pub(super) logs: Vec<LogKey>,
    pub(super) ct_logs: Vec<CtLog>,
    pub(super) authorities: Vec<Authority>,
    pub(super) stampers: Vec<Authority>,
}

/// A log of entries.
pub(super) struct LogKey {
    /// What people call it.
    pub(super) name: String,
    /// The IDs by which entries name it.
    pub(super) ids: Vec<[u8; 32]>,
    pub(super) key: LogVerifier,
    pub(super) window: Window,
}

/// How a log's signatures are checked.
pub(super) enum LogVerifier {
    /// A key without a name; the checkpoint says the origin.
    Key(Verifier),
    /// A key with the name that it signs under, which is the log's origin.
    Named(VerifierKey),
    /// A kind of key that logs cannot have here, and why.
    Unsupported(String),
}

/// A certificate transparency log.
pub(super) struct CtLog {
    pub(super) name: String,
    pub(super) id: [u8; 32],
    pub(super) key: Result<Key, String>,
    pub(super) window: Window,
}

/// An authority: certificates, its own first if there are several, the one that is trusted last.
pub(super) struct Authority {
    pub(super) name: String,
    pub(super) chain: Vec<Certificate>,
    pub(super) window: Window,
}

/// Seconds since 1970, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) start: i64,
    pub(super) end: Option<i64>,
}

impl Window {
    const ALWAYS: Self = Self { start: 0, end: None };

    pub(super) fn covers(self, time: i64) -> bool {
        self.start <= time && self.end.is_none_or(|end| time <= end)
    }
}

/// Why a file is no trusted root, or a key none that a log can have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrustRootError {
    /// More than anybody's.
    #[error("it is larger than {TRUST_ROOT_BYTES_MAX} bytes")]
    TooLarge,
    /// Not JSON of the right shape.
    #[error("it is no trusted root: {0}")]
    Json(String),
    /// Another file, or a version of the future.
    #[error("it is no trusted root of a version that is known: its mediaType is {0:?}")]
    MediaType(String),
    /// A member that has to be there, or makes no sense.
    #[error("{of}: {why}")]
    Member {
        /// Whose.
        of: String,
        /// What is wrong.
        why: String,
    },
}

const MEDIA_TYPES: [&str; 4] = [
    "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
    "application/vnd.dev.sigstore.trustedroot+json;version=0.2",
    "application/vnd.dev.sigstore.trustedroot.v0.1+json",
    "application/vnd.dev.sigstore.trustedroot.v0.2+json",
];

impl TrustRoot {
    /// Reads `trusted_root.json`. Members that are not known are passed over; what is known has to
    /// be complete, or the whole is refused.
    ///
    /// # Errors
    /// [`TrustRootError`].
    pub fn parse(text: &[u8]) -> Result<Self, TrustRootError> {
        if text.len() > TRUST_ROOT_BYTES_MAX {
            return Err(TrustRootError::TooLarge);
        }
        let root: Root = serde_json::from_slice(text)
            .map_err(|error| TrustRootError::Json(error.to_string()))?;
        if !MEDIA_TYPES.contains(&root.media_type.as_str()) {
            return Err(TrustRootError::MediaType(root.media_type));
        }
        Ok(Self {
            logs: root.tlogs.into_iter().map(LogKey::read).collect::<Result<_, _>>()?,
            ct_logs: root.ctlogs.into_iter().map(CtLog::read).collect::<Result<_, _>>()?,
            authorities: all(root.certificate_authorities)?,
            stampers: all(root.timestamp_authorities)?,
        })
    }

    /// Trusts a log by its key alone, SPKI DER, for all times; `name` is what reports call it.
    ///
    /// # Errors
    /// [`TrustRootError::Member`].
    pub fn add_log_key(&mut self, name: &str, spki: &[u8]) -> Result<(), TrustRootError> {
        let member = |why: String| TrustRootError::Member { of: name.to_owned(), why };
        let verifier = Verifier::from_spki(spki).map_err(|error| member(error.to_string()))?;
        self.logs.push(LogKey {
            name: name.to_owned(),
            ids: vec![verifier.log_id()],
            key: LogVerifier::Key(verifier),
            window: Window::ALWAYS,
        });
        Ok(())
    }

    /// Trusts a log by its verifier key, which says its origin, for all times.
    pub fn add_log_vkey(&mut self, key: VerifierKey) {
        let spki = key.public_key();
        let verifier = match spki.try_into() {
            Ok(plain) => Verifier::from_ed25519(plain),
            Err(_) => Verifier::from_spki(spki),
        };
        let ids = verifier.map(|v| vec![v.note_key_hash(key.name()), v.log_id()]);
        self.logs.push(LogKey {
            name: key.name().to_owned(),
            ids: ids.unwrap_or_default(),
            key: LogVerifier::Named(key),
            window: Window::ALWAYS,
        });
    }

    /// Whether no log is trusted, so that nothing can be verified.
    pub fn has_no_log(&self) -> bool {
        self.logs.is_empty()
    }
}

impl LogKey {
    fn read(log: Log) -> Result<Self, TrustRootError> {
        let (name, id, window) = log.identity()?;
        let key = match Verifier::from_spki(&log.public_key.raw_bytes.0) {
            Ok(verifier) => LogVerifier::Key(verifier),
            Err(error) => LogVerifier::Unsupported(error.to_string()),
        };
        Ok(Self { name, ids: vec![id], key, window })
    }

    /// Whether entries name this log so. A key without a name is found under the origin, too.
    pub(super) fn is_named(&self, id: &[u8; 32], origin: Option<&str>) -> bool {
        let by_origin = |name: &str| match &self.key {
            LogVerifier::Key(key) => key.note_key_hash(name) == *id,
            _ => false,
        };
        self.ids.contains(id) || origin.is_some_and(by_origin)
    }

    /// The ID on the log's signature lines: the first bytes of its ID (Rekor v1 and v2 alike).
    pub(super) fn key_id(&self, id: &[u8; 32]) -> KeyId {
        let [a, b, c, d, ..] = *id;
        KeyId([a, b, c, d])
    }
}

impl CtLog {
    fn read(log: Log) -> Result<Self, TrustRootError> {
        let (name, id, window) = log.identity()?;
        let raw = &log.public_key.raw_bytes.0;
        let key = match log.public_key.key_details.as_str() {
            Some(details) if details.starts_with("PKCS1_RSA") => Key::from_pkcs1(raw),
            _ => Key::from_spki(raw),
        };
        Ok(Self { name, id, key, window })
    }
}

impl Authority {
    fn read(authority: CertificateAuthority) -> Result<Self, TrustRootError> {
        let CertificateAuthority { uri, subject, cert_chain, valid_for } = authority;
        let name =
            uri.unwrap_or_else(|| format!("{} {}", subject.organization, subject.common_name));
        let member = |why: String| TrustRootError::Member { of: name.clone(), why };
        let window = window(&name, valid_for)?;
        let certificates = cert_chain.certificates;
        if certificates.is_empty() || certificates.len() > TRUST_ROOT_CERTIFICATES_MAX {
            let max = TRUST_ROOT_CERTIFICATES_MAX;
            return Err(member(format!("it has not 1 to {max} certificates")));
        }
        let read = |certificate: RawBytes| Certificate::read(certificate.raw_bytes.0);
        let chain = certificates.into_iter().map(read).collect::<Result<Vec<_>, _>>();
        let chain = chain.map_err(member)?;
        Ok(Self { name, chain, window })
    }
}

fn all(authorities: Vec<CertificateAuthority>) -> Result<Vec<Authority>, TrustRootError> {
    authorities.into_iter().map(Authority::read).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::wire::read_time;
    use super::*;

    fn root() -> Value {
        json!({
            "mediaType": MEDIA_TYPES[0],
            "tlogs": [{
                "baseUrl": "https://log.example",
                "publicKey": {
                    "rawBytes": "AAAA",
                    "keyDetails": "PKIX_ED25519",
                    "validFor": { "start": "2021-01-12T11:53:27Z", "end": "2021-01-12T11:53:28.9Z" },
                },
                "logId": { "keyId": "A".repeat(43) },
                "somethingNew": 7,
            }],
        })
    }

    fn parse(root: &Value) -> Result<TrustRoot, TrustRootError> {
        TrustRoot::parse(root.to_string().as_bytes())
    }

    #[test]
    fn what_is_known_has_to_be_complete() {
        let read = parse(&root()).unwrap();
        let log = &read.logs[0];
        assert!(matches!(log.key, LogVerifier::Unsupported(_)), "only who uses it is told");
        let inside = [1_610_452_406, 1_610_452_407, 1_610_452_408, 1_610_452_409];
        assert_eq!(inside.map(|time| log.window.covers(time)), [false, true, true, false]);
        for (place, value) in [
            ("/mediaType", json!("application/vnd.dev.sigstore.trustedroot+json;version=0.9")),
            ("/tlogs/0/publicKey/validFor", Value::Null),
            ("/tlogs/0/publicKey/validFor/start", Value::Null),
            ("/tlogs/0/publicKey/validFor/start", json!("yesterday")),
            ("/tlogs/0/publicKey/validFor/end", json!("2021-01-12")),
            ("/tlogs/0/logId/keyId", json!("AAAA")),
            ("/tlogs/0/publicKey/rawBytes", json!("*")),
        ] {
            let mut root = root();
            *root.pointer_mut(place).unwrap() = value.clone();
            assert!(parse(&root).is_err(), "{place} {value}");
        }
    }

    #[test]
    fn times_are_read_in_whole_seconds() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("1970-01-01T00:00:01.999Z", Some(1)),
            ("2021-03-07T03:20:29.000Z", Some(1_615_087_229)),
            ("1970-01-01T00:00:01+00:00", Some(1)),
            ("1970-01-01T00:00:01.Z", None),
            ("1970-01-01T00:00:01.xZ", None),
            ("1970-01-01T00:00:01", None),
            ("1970-13-01T00:00:01Z", None),
            ("", None),
        ] {
            assert_eq!(read_time(text), seconds, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,40}") {
            let _judged = TrustRoot::parse(text.as_bytes());
            let mut root = root();
            root["tlogs"][0]["publicKey"]["validFor"]["start"] = text.into();
            let _judged = parse(&root);
        }
    }
}
