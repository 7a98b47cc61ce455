//! `PublicKeyDetails` of sigstore's protobuf-specs (`sigstore_common.proto`): the numbers and names
//! of keys with their hash, and which of them entries may carry.

use super::super::pki::key::HashAlgorithm;

/// One value of the enum.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct KeyDetails {
    pub(crate) name: &'static str,
    /// `None`: in no registry of algorithms, so no entry may carry it.
    signs: Option<Message>,
}

/// What is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Message {
    Digest(HashAlgorithm),
    Itself,
}

const SHA256: Option<Message> = Some(Message::Digest(HashAlgorithm::Sha256));
const SHA384: Option<Message> = Some(Message::Digest(HashAlgorithm::Sha384));
const SHA512: Option<Message> = Some(Message::Digest(HashAlgorithm::Sha512));
const PURE: Option<Message> = Some(Message::Itself);

const fn row(name: &'static str, signs: Option<Message>) -> KeyDetails {
    KeyDetails { name, signs }
}

/// By number; 24 to 50 are reserved.
const TABLE: [KeyDetails; 24] = [
    row("PUBLIC_KEY_DETAILS_UNSPECIFIED", None),
    row("PKCS1_RSA_PKCS1V5", None),
    row("PKCS1_RSA_PSS", None),
    row("PKIX_RSA_PKCS1V5", None),
    row("PKIX_RSA_PSS", None),
    row("PKIX_ECDSA_P256_SHA_256", SHA256),
    row("PKIX_ECDSA_P256_HMAC_SHA_256", None),
    row("PKIX_ED25519", PURE),
    row("PKIX_ED25519_PH", SHA512),
    row("PKIX_RSA_PKCS1V15_2048_SHA256", SHA256),
    row("PKIX_RSA_PKCS1V15_3072_SHA256", SHA256),
    row("PKIX_RSA_PKCS1V15_4096_SHA256", SHA256),
    row("PKIX_ECDSA_P384_SHA_384", SHA384),
    row("PKIX_ECDSA_P521_SHA_512", SHA512),
    row("LMS_SHA256", None),
    row("LMOTS_SHA256", None),
    row("PKIX_RSA_PSS_2048_SHA256", SHA256),
    row("PKIX_RSA_PSS_3072_SHA256", SHA256),
    row("PKIX_RSA_PSS_4096_SHA256", SHA256),
    row("PKIX_ECDSA_P384_SHA_256", SHA256),
    row("PKIX_ECDSA_P521_SHA_256", SHA256),
    row("ML_DSA_65", None),
    row("ML_DSA_87", None),
    row("ML_DSA_44", None),
];

impl KeyDetails {
    /// The value of a number; `None` for one that entries may not carry.
    pub(crate) fn registered(number: i32) -> Option<&'static Self> {
        let row = TABLE.get(usize::try_from(number).ok()?)?;
        row.signs.is_some().then_some(row)
    }

    /// The hash that is signed; `None` if the message itself is.
    pub(crate) fn hash(&self) -> Option<HashAlgorithm> {
        match self.signs {
            Some(Message::Digest(hash)) => Some(hash),
            _ => None,
        }
    }
}

/// The number of a name of `PublicKeyDetails`, for example 5 of `PKIX_ECDSA_P256_SHA_256`.
pub fn key_details_number(name: &str) -> Option<i32> {
    TABLE.iter().zip(0..).find(|(row, _)| row.name == name).map(|(_, number)| number)
}
