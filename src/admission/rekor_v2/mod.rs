//! Rekor v2 entries: hashedrekord and dsse of version 0.0.2, judged in Rekor's order.
//!
//! A client is told one fixed text for each kind, whatever is wrong; the reason is for the server's
//! log ([`Rejection::Masked`]). How requests are written on the wire is the frontend's business.

mod body;
mod dsse;
mod hashedrekord;
mod key_details;

use super::kinds::Canonical;
use super::pki::x509::PublicKey;
use super::policy::Policy;
use super::{AdmittedEntry, Rejection};

pub(crate) use dsse::DSSE_LIST_MAX;
use key_details::KeyDetails;
pub use key_details::key_details_number;

/// `CreateEntryRequest` (`dev.sigstore.rekor.v2`), not judged yet: what is not there is empty or
/// `None`, as in the message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum RequestV2 {
    /// `HashedRekordRequestV002`
    HashedRekord {
        /// What is signed.
        digest: Vec<u8>,
        /// The signature.
        signature: Option<SignatureV2>,
    },
    /// `DSSERequestV002`
    Dsse {
        /// What is signed, with its signatures.
        envelope: Option<EnvelopeV2>,
        /// Who has signed it.
        verifiers: Vec<VerifierV2>,
    },
    /// Neither.
    #[default]
    None,
}

/// `Signature`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignatureV2 {
    /// ASN.1 or raw, by the kind of key.
    pub content: Vec<u8>,
    /// Who has made it.
    pub verifier: Option<VerifierV2>,
}

/// `Verifier`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifierV2 {
    /// The key, by itself or in a certificate.
    pub key: Option<KeyV2>,
    /// `PublicKeyDetails`, by number: a client may send any.
    pub key_details: i32,
}

/// `PublicKey` or `X509Certificate`
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyV2 {
    /// SubjectPublicKeyInfo, DER.
    PublicKey(Vec<u8>),
    /// A certificate, DER.
    Certificate(Vec<u8>),
}

/// `Envelope` (`io.intoto`)
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EnvelopeV2 {
    /// What the signatures are about.
    pub payload: Vec<u8>,
    /// What the payload is.
    pub payload_type: String,
    /// Over both.
    pub signatures: Vec<EnvelopeSignatureV2>,
}

/// `Signature` (`io.intoto`)
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EnvelopeSignatureV2 {
    /// The signature.
    pub sig: Vec<u8>,
    /// The name of its key, if it has one.
    pub keyid: String,
}

const NO_SUCH_TYPE: &str = "invalid type, must be hashedrekord";
const INVALID_HASHEDREKORD: &str = "invalid hashedrekord request";
const INVALID_DSSE: &str = "invalid dsse request";

impl RequestV2 {
    /// The version of each kind.
    pub const VERSION: &'static str = "0.0.2";

    /// The kind of the entry that it becomes; empty if it becomes none.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::HashedRekord { .. } => "hashedrekord",
            Self::Dsse { .. } => "dsse",
            Self::None => "",
        }
    }

    /// Length of its largest parts in bytes: what it costs to judge it.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::HashedRekord { digest, signature } => {
                let verifier = signature.as_ref().and_then(|signature| signature.verifier.as_ref());
                let key = verifier.and_then(|verifier| verifier.key.as_ref());
                digest.len() + key.map_or(0, |key| key.bytes().len())
            }
            Self::Dsse { envelope, verifiers } => {
                let keys = verifiers.iter().filter_map(|verifier| verifier.key.as_ref());
                envelope.as_ref().map_or(0, |envelope| envelope.payload.len())
                    + keys.map(|key| key.bytes().len()).sum::<usize>()
            }
            Self::None => 0,
        }
    }
}

impl KeyV2 {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::PublicKey(der) | Self::Certificate(der) => der,
        }
    }
}

/// Judges a request for insertion.
///
/// # Errors
/// [`Rejection::Masked`] for what is wrong with it, [`Rejection::Input`] for one of no kind that
/// the log takes or whose leaf is too large.
pub(super) fn admit(request: &RequestV2, policy: &Policy) -> Result<AdmittedEntry, Rejection> {
    let masked = |shown| move |detail| Rejection::Masked { shown, detail };
    let canonical: Canonical = match request {
        RequestV2::HashedRekord { digest, signature } => {
            hashedrekord::judge(digest, signature.as_ref(), policy)
                .map_err(masked(INVALID_HASHEDREKORD))?
        }
        RequestV2::Dsse { envelope, verifiers } if policy.legacy_dsse => {
            dsse::judge(envelope.as_ref(), verifiers, policy).map_err(masked(INVALID_DSSE))?
        }
        _ => return Err(Rejection::input(NO_SUCH_TYPE)),
    };
    AdmittedEntry::new(request.kind(), canonical, policy)
}

/// A verifier whose key has been read.
struct Verifier<'a> {
    sent: &'a KeyV2,
    key: PublicKey,
    details: &'static KeyDetails,
}

impl<'a> Verifier<'a> {
    /// Reads the key, which is DER, and finds the key details among those that entries may carry.
    fn read(verifier: &'a VerifierV2) -> Result<Self, String> {
        let sent = verifier.key.as_ref();
        let sent = sent.ok_or("invalid verifier: missing public key or certificate")?;
        let key = match sent {
            key if key.bytes().is_empty() => Err("missing raw bytes".into()),
            KeyV2::PublicKey(der) => PublicKey::from_spki(der),
            KeyV2::Certificate(der) => PublicKey::from_certificate(der),
        };
        let key = key.map_err(|error| format!("invalid verifier: {error}"))?;
        let number = verifier.key_details;
        let details = KeyDetails::registered(number);
        let details = details.ok_or_else(|| format!("unknown signature algorithm {number}"))?;
        Ok(Self { sent, key, details })
    }

    fn not_allowed(&self) -> String {
        format!("the key, with key details {}, is not allowed", self.details.name)
    }
}
