//! What the operator lets in: kinds, signing algorithms of clients, attestations and sizes.
//!
//! The algorithm policy judges hashedrekord entries only, and only the type and size of the key
//! with the hash: the names are those of Rekor's flag `client-signing-algorithms`.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use super::pki::key::{Curve, HashAlgorithm, Key};
use super::proposal::KINDS;
use crate::clock::{UnixSeconds, unix_seconds};
use crate::limits::{ARCHIVE_METADATA_BYTES_DEFAULT, BUNDLED_LEAF_BYTES_MAX, LEAF_BYTES_MAX};

/// What a log takes, by the API that it speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Accepts {
    /// Entries of every kind of Rekor v1.
    #[default]
    RekorV1,
    /// Entries of version 0.0.2.
    RekorV2,
    /// Bytes as they come.
    Raw,
}

impl fmt::Display for Accepts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RekorV1 => "Rekor v1 entries",
            Self::RekorV2 => "Rekor v2 entries",
            Self::Raw => "raw entries",
        })
    }
}

/// The rules of one log.
#[derive(Clone, Debug)]
pub struct Policy {
    /// What is taken at all.
    pub accepts: Accepts,
    /// The kinds of Rekor v1 that may be submitted. All of them are searchable.
    pub enabled_kinds: BTreeSet<String>,
    /// What a hashedrekord may be signed with.
    pub client_signing_algorithms: BTreeSet<SigningAlgorithm>,
    /// The largest attestation that is kept, in bytes; `None` keeps none.
    pub attestation_bytes_max: Option<usize>,
    /// The largest canonical body, in bytes.
    pub body_bytes_max: usize,
    /// The largest file under `META-INF/` of a jar, unpacked, in bytes; 0 is no limit.
    pub jar_metadata_bytes_max: u64,
    /// The largest signature or `.PKGINFO` of an Alpine package, unpacked, in bytes; 0 is 20 MiB.
    pub apk_metadata_bytes_max: u64,
    /// By which TUF metadata expires.
    pub clock: UnixSeconds,
    /// Whether dsse entries of version 0.0.2 are taken, which Rekor 2.3 refuses.
    pub legacy_dsse: bool,
}

/// A word in the configuration that means nothing here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// No such kind.
    #[error("{0:?} is not an entry kind; they are {kinds}", kinds = KINDS.join(", "))]
    UnknownKind(String),
    /// No such algorithm.
    #[error("{0:?} is not a signing algorithm; they are {known}", known = algorithm_names())]
    UnknownAlgorithm(String),
    /// There is, but no v2 log may allow it.
    #[error("algorithm {0} is not in the allowed set of a v2 log, which is {set}", set = v2_names())]
    NotInAllowedSet(SigningAlgorithm),
}

impl Default for Policy {
    /// Of a v1 log.
    fn default() -> Self {
        Self::of(Accepts::RekorV1)
    }
}

impl Policy {
    /// Rekor's defaults: every kind, its default algorithms, no attestations. Bodies fit into entry
    /// bundles; those of v1, which had none, go up to 4 MiB.
    pub fn of(accepts: Accepts) -> Self {
        let algorithms = match accepts {
            Accepts::RekorV2 => v2_algorithms().collect(),
            _ => ALGORITHMS[..DEFAULT_ALGORITHMS].iter().map(|row| row.algorithm).collect(),
        };
        Self {
            accepts,
            enabled_kinds: KINDS.iter().map(ToString::to_string).collect(),
            client_signing_algorithms: algorithms,
            attestation_bytes_max: None,
            body_bytes_max: match accepts {
                Accepts::RekorV1 => LEAF_BYTES_MAX,
                Accepts::RekorV2 | Accepts::Raw => BUNDLED_LEAF_BYTES_MAX,
            },
            jar_metadata_bytes_max: ARCHIVE_METADATA_BYTES_DEFAULT,
            apk_metadata_bytes_max: ARCHIVE_METADATA_BYTES_DEFAULT,
            clock: unix_seconds,
            legacy_dsse: true,
        }
    }

    /// Replaces the enabled kinds.
    ///
    /// # Errors
    /// [`PolicyError::UnknownKind`]; the policy is as it was.
    pub fn enable_kinds<S: AsRef<str>>(&mut self, kinds: &[S]) -> Result<(), PolicyError> {
        let known = |kind: &S| {
            let kind = kind.as_ref().to_owned();
            if KINDS.contains(&kind.as_str()) {
                Ok(kind)
            } else {
                Err(PolicyError::UnknownKind(kind))
            }
        };
        self.enabled_kinds = kinds.iter().map(known).collect::<Result<_, _>>()?;
        Ok(())
    }

    /// Replaces the algorithms that clients may sign with: a hashedrekord in v1, anything in v2.
    ///
    /// # Errors
    /// [`PolicyError::UnknownAlgorithm`] or [`PolicyError::NotInAllowedSet`]; the policy is as it
    /// was.
    pub fn allow_algorithms<S: AsRef<str>>(&mut self, names: &[S]) -> Result<(), PolicyError> {
        let named = |name: &S| {
            let algorithm = name.as_ref().parse()?;
            let takes_all = self.accepts != Accepts::RekorV2;
            if takes_all || v2_algorithms().any(|allowed| allowed == algorithm) {
                Ok(algorithm)
            } else {
                Err(PolicyError::NotInAllowedSet(algorithm))
            }
        };
        self.client_signing_algorithms = names.iter().map(named).collect::<Result<_, _>>()?;
        Ok(())
    }

    /// Forbids all algorithms but those named; what no log of this API takes is passed over.
    ///
    /// # Errors
    /// [`PolicyError::UnknownAlgorithm`]; the policy is as it was.
    pub fn restrict_algorithms<S: AsRef<str>>(&mut self, names: &[S]) -> Result<(), PolicyError> {
        let named = names.iter().map(|name| name.as_ref().parse::<SigningAlgorithm>());
        let mut named = named.collect::<Result<BTreeSet<_>, _>>()?;
        named.retain(|algorithm| {
            self.accepts != Accepts::RekorV2 || v2_algorithms().any(|allowed| allowed == *algorithm)
        });
        self.client_signing_algorithms = named;
        Ok(())
    }

    /// Whether a key may sign a digest by this hash, or the message itself.
    pub(crate) fn is_allowed(&self, key: &Key, hash: Option<HashAlgorithm>) -> bool {
        let matches = |row: &&Row| row.hash == hash && row.key.matches(key, self.accepts);
        let mut rows = ALGORITHMS.iter().filter(matches);
        rows.any(|row| self.client_signing_algorithms.contains(&row.algorithm))
    }
}

/// A name of Rekor's flag `client-signing-algorithms`; reads and writes itself as such.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SigningAlgorithm(&'static str);

impl fmt::Display for SigningAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl FromStr for SigningAlgorithm {
    type Err = PolicyError;

    fn from_str(name: &str) -> Result<Self, PolicyError> {
        let row = ALGORITHMS.iter().find(|row| row.algorithm.0 == name);
        row.map(|row| row.algorithm).ok_or_else(|| PolicyError::UnknownAlgorithm(name.to_owned()))
    }
}

fn algorithm_names() -> String {
    ALGORITHMS.map(|row| row.algorithm.0).join(", ")
}

/// Rekor v2's defaults, which are also all that it lets an operator choose from: Rekor v1's without
/// pure Ed25519.
fn v2_algorithms() -> impl Iterator<Item = SigningAlgorithm> {
    let rows = ALGORITHMS[..DEFAULT_ALGORITHMS].iter().filter(|row| row.hash.is_some());
    rows.map(|row| row.algorithm)
}

fn v2_names() -> String {
    v2_algorithms().map(|algorithm| algorithm.0).collect::<Vec<_>>().join(", ")
}

#[derive(Clone, Copy)]
enum KeyType {
    Rsa(usize),
    Ecdsa(Curve),
    Ed25519,
}

impl KeyType {
    fn matches(self, key: &Key, log: Accepts) -> bool {
        match (self, key) {
            (Self::Rsa(wanted), Key::Rsa { bits, .. }) => match log {
                Accepts::RekorV2 => wanted == bits.next_multiple_of(8), // by whole bytes
                _ => wanted == *bits,
            },
            (Self::Ecdsa(wanted), Key::Ecdsa { curve, .. }) => wanted == *curve,
            (Self::Ed25519, Key::Ed25519(_)) => true,
            _ => false,
        }
    }
}

#[derive(Clone, Copy)]
struct Row {
    algorithm: SigningAlgorithm,
    key: KeyType,
    /// `None`: signs the message itself, so it never fits a hashedrekord.
    hash: Option<HashAlgorithm>,
}

const fn row(name: &'static str, key: KeyType, hash: Option<HashAlgorithm>) -> Row {
    Row { algorithm: SigningAlgorithm(name), key, hash }
}

const SHA256: Option<HashAlgorithm> = Some(HashAlgorithm::Sha256);
const SHA384: Option<HashAlgorithm> = Some(HashAlgorithm::Sha384);
const SHA512: Option<HashAlgorithm> = Some(HashAlgorithm::Sha512);

/// The first so many rows are allowed unless the operator says otherwise.
const DEFAULT_ALGORITHMS: usize = 8;
const ALGORITHMS: [Row; 13] = [
    row("rsa-sign-pkcs1-2048-sha256", KeyType::Rsa(2048), SHA256),
    row("rsa-sign-pkcs1-3072-sha256", KeyType::Rsa(3072), SHA256),
    row("rsa-sign-pkcs1-4096-sha256", KeyType::Rsa(4096), SHA256),
    row("ecdsa-sha2-256-nistp256", KeyType::Ecdsa(Curve::P256), SHA256),
    row("ecdsa-sha2-384-nistp384", KeyType::Ecdsa(Curve::P384), SHA384),
    row("ecdsa-sha2-512-nistp521", KeyType::Ecdsa(Curve::P521), SHA512),
    row("ed25519", KeyType::Ed25519, None),
    row("ed25519-ph", KeyType::Ed25519, SHA512),
    row("rsa-sign-pss-2048-sha256", KeyType::Rsa(2048), SHA256),
    row("rsa-sign-pss-3072-sha256", KeyType::Rsa(3072), SHA256),
    row("rsa-sign-pss-4096-sha256", KeyType::Rsa(4096), SHA256),
    row("ecdsa-sha2-256-nistp384", KeyType::Ecdsa(Curve::P384), SHA256),
    row("ecdsa-sha2-256-nistp521", KeyType::Ecdsa(Curve::P521), SHA256),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(policy: &Policy, key: &Key, hashes: &[HashAlgorithm]) {
        for hash in [HashAlgorithm::Sha256, HashAlgorithm::Sha384, HashAlgorithm::Sha512] {
            let allowed = policy.is_allowed(key, Some(hash));
            assert_eq!(allowed, hashes.contains(&hash), "{key:?} {hash:?}");
        }
    }

    fn ecdsa(curve: Curve) -> Key {
        Key::Ecdsa { curve, point: Vec::new() }
    }

    fn rsa(bits: usize) -> Key {
        Key::Rsa { bits, pkcs1: Vec::new() }
    }

    #[test]
    fn the_default_allows_what_rekor_allows() {
        let policy = Policy::default();
        allows(&policy, &ecdsa(Curve::P256), &[HashAlgorithm::Sha256]);
        allows(&policy, &ecdsa(Curve::P384), &[HashAlgorithm::Sha384]);
        allows(&policy, &ecdsa(Curve::P521), &[HashAlgorithm::Sha512]);
        allows(&policy, &Key::Ed25519([0; 32]), &[HashAlgorithm::Sha512]);
        allows(&policy, &rsa(1024), &[]);
        for bits in [2048, 3072, 4096] {
            allows(&policy, &rsa(bits), &[HashAlgorithm::Sha256]);
        }
        allows(&policy, &Key::P224, &[]);
    }

    #[test]
    fn algorithms_and_kinds_are_set_by_name() {
        let mut policy = Policy::default();
        policy.allow_algorithms(&["ecdsa-sha2-256-nistp384", "ed25519"]).unwrap();
        allows(&policy, &ecdsa(Curve::P384), &[HashAlgorithm::Sha256]);
        allows(&policy, &ecdsa(Curve::P256), &[]);
        allows(&policy, &Key::Ed25519([0; 32]), &[]);
        let before = format!("{policy:?}");
        assert!(policy.allow_algorithms(&["md5"]).is_err());
        assert!(policy.enable_kinds(&["rekord", "nonsense"]).is_err());
        assert_eq!(format!("{policy:?}"), before);
        policy.enable_kinds(&["rekord"]).unwrap();
        assert_eq!(policy.enabled_kinds.into_iter().collect::<Vec<_>>(), ["rekord"]);
    }

    #[test]
    fn a_v2_log_has_no_pure_ed25519_and_measures_rsa_in_bytes() {
        let mut policy = Policy::of(Accepts::RekorV2);
        let names: Vec<_> =
            policy.client_signing_algorithms.iter().map(ToString::to_string).collect();
        let defaults = [
            "ecdsa-sha2-256-nistp256",
            "ecdsa-sha2-384-nistp384",
            "ecdsa-sha2-512-nistp521",
            "ed25519-ph",
            "rsa-sign-pkcs1-2048-sha256",
            "rsa-sign-pkcs1-3072-sha256",
            "rsa-sign-pkcs1-4096-sha256",
        ];
        assert_eq!(names, defaults);
        assert!(!policy.is_allowed(&Key::Ed25519([0; 32]), None));
        for (bits, allowed) in [(2040, false), (2041, true), (2048, true), (2049, false)] {
            assert_eq!(policy.is_allowed(&rsa(bits), SHA256), allowed, "{bits}");
        }
        policy.allow_algorithms(&defaults).unwrap();
        let before = format!("{policy:?}");
        for refused in [
            "ed25519",
            "rsa-sign-pss-2048-sha256",
            "rsa-sign-pss-3072-sha256",
            "rsa-sign-pss-4096-sha256",
            "ecdsa-sha2-256-nistp384",
            "ecdsa-sha2-256-nistp521",
        ] {
            let error = policy.allow_algorithms(&["ed25519-ph", refused]).unwrap_err();
            let text = error.to_string();
            let start = format!("algorithm {refused} is not in the allowed set");
            assert!(text.starts_with(&start), "{text}");
        }
        assert!(matches!(policy.allow_algorithms(&["md5"]), Err(PolicyError::UnknownAlgorithm(_))));
        assert!(policy.restrict_algorithms(&["md5"]).is_err());
        assert_eq!(format!("{policy:?}"), before);
        policy.restrict_algorithms(&["ed25519-ph", "ed25519"]).unwrap();
        let left: Vec<_> = policy.client_signing_algorithms.iter().map(|left| left.0).collect();
        assert_eq!(left, ["ed25519-ph"]);
    }
}
