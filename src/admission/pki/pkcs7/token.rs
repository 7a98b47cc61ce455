//! A timestamp that somebody relies on (RFC 3161 section 2.4.2): read strictly, unlike what
//! archives carry. Whether its signer may be trusted is for the caller to judge.

use std::time::Duration;

use x509_cert::der::DateTime;

use super::super::der::{self, Element};
use super::super::legacy::Hash;
use super::super::x509::Certificate;
use super::signer::SignerInfo;
use super::timestamp::read_info;
use super::{AlgorithmIdentifier, Members, SignedData};

const TST_INFO: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01, 0x04];
const CONTENT_TYPE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x03];
const SIGNING_CERTIFICATE: &[u8] =
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x02, 0x0c];
const SIGNING_CERTIFICATE_V2: &[u8] =
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x02, 0x2f];

const GENERALIZED_TIME: u8 = 0x18;

/// A timestamp over bytes that were given, whose signature verifies.
pub(crate) struct Stamp {
    /// Since 1970; fractions of a second are left out.
    pub(crate) time: Duration,
    /// Whose signature it is: one of those that were given, or that it carries.
    pub(crate) signer: Certificate,
    /// What it carries beside.
    pub(crate) carried: Vec<Certificate>,
}

/// Why bytes are no such timestamp.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenError {
    /// Not of the right form, or refused by the authority.
    #[error("it is no timestamp: {0}")]
    Malformed(String),
    /// Over other bytes.
    #[error("it is over something else")]
    Imprint,
    /// No certificate of its signer, neither here nor in it.
    #[error("it does not carry its signer's certificate, and no trusted authority has it")]
    UnknownSigner,
    /// The signature, or what is signed beside the time.
    #[error("its signature does not verify: {0}")]
    Signature(String),
}

/// Reads an answer of a timestamp authority (`TimeStampResp`), and checks that it is over `stamped`
/// and signed by a certificate among `known` or in it.
///
/// # Errors
/// [`TokenError`].
pub(crate) fn open(
    response: &[u8],
    stamped: &[u8],
    known: impl IntoIterator<Item = Certificate>,
) -> Result<Stamp, TokenError> {
    let malformed = |why: &str| TokenError::Malformed(why.to_owned());
    let response = der::expect(response, der::SEQUENCE).filter(|whole| whole.rest.is_empty());
    let response = response.ok_or_else(|| malformed("not one DER sequence"))?;
    let status = der::expect(response.value, der::SEQUENCE);
    let status = status.ok_or_else(|| malformed("no status"))?;
    let granted = der::expect(status.value, der::INTEGER);
    if !granted.is_some_and(|number| matches!(number.value, [0] | [1])) {
        return Err(malformed("the authority did not grant it"));
    }
    let (token, rest) = SignedData::read(status.rest).map_err(TokenError::Malformed)?;
    if !rest.is_empty() || !token.is_signed_data() || token.content_type.value != TST_INFO {
        return Err(malformed("the answer holds no token"));
    }
    let [signer] = token.signers.as_slice() else { return Err(malformed("not one signer")) };
    let content = token.content().ok_or_else(|| malformed("no content"))?;
    let (imprint, time) = read_info(content).ok_or_else(|| malformed("malformed TSTInfo"))?;
    check_imprint(&imprint, stamped)?;
    let time = read_time(&time).ok_or_else(|| malformed("its time is malformed"))?;
    let mut carried = token.certificates();
    let given = carried.len();
    carried.extend(known);
    let found = verify(signer, content, &carried)?;
    carried.truncate(given);
    Ok(Stamp { time, signer: found, carried })
}

/// Checks the signature, and that the signed attributes speak of this content and this certificate.
fn verify(
    signer: &SignerInfo<'_>,
    content: &[u8],
    certificates: &[Certificate],
) -> Result<Certificate, TokenError> {
    let attribute = |id| signer.signed_attribute(id).map_err(TokenError::Malformed);
    let says = |text: &str| TokenError::Signature(text.to_owned());
    if !is_strong(signer.hash().map_err(TokenError::Malformed)?) {
        return Err(says("its hash is weak"));
    }
    // Where the content is no plain data the attributes must be there (RFC 5652 section 5.3).
    let content_type = attribute(CONTENT_TYPE)?.map(|element| element.value);
    if content_type != Some(TST_INFO) {
        return Err(says("the signed content type is not that of a timestamp"));
    }
    if !certificates.iter().any(|certificate| signer.names(certificate)) {
        return Err(TokenError::UnknownSigner);
    }
    let found = signer.verify(content, certificates).map_err(TokenError::Signature)?;
    let (old, new) = (attribute(SIGNING_CERTIFICATE)?, attribute(SIGNING_CERTIFICATE_V2)?);
    let named = match (new, old) {
        (Some(new), _) => names_certificate(&new, Hash::Sha256, &found.der),
        (None, Some(old)) => names_certificate(&old, Hash::Sha1, &found.der),
        (None, None) => return Err(says("it does not say which certificate signed it")),
    };
    if named != Some(true) {
        return Err(says("it names another certificate than that of its key"));
    }
    // What was found borrows from the list.
    Certificate::read(found.der.clone()).map_err(TokenError::Malformed)
}

fn is_strong(hash: Hash) -> bool {
    matches!(hash, Hash::Sha256 | Hash::Sha384 | Hash::Sha512)
}

fn check_imprint(imprint: &Element<'_>, stamped: &[u8]) -> Result<(), TokenError> {
    let malformed = || TokenError::Malformed("malformed imprint".into());
    let mut members = Members::of(imprint).ok_or_else(malformed)?;
    let algorithm = members.any().and_then(|element| AlgorithmIdentifier::read(&element));
    let hash = algorithm.ok_or_else(malformed)?.hash().map_err(TokenError::Malformed)?;
    if !is_strong(hash) {
        return Err(TokenError::Malformed("the hash of its imprint is weak".into()));
    }
    let hashed = members.next(der::OCTET_STRING).ok_or_else(malformed)?;
    if hashed.value == hash.digest(stamped) { Ok(()) } else { Err(TokenError::Imprint) }
}

/// Whether the first ESSCertID of a SigningCertificate (RFC 2634, or RFC 5816 with a hash of its
/// own) is that of this certificate.
fn names_certificate(attribute: &Element<'_>, default: Hash, der: &[u8]) -> Option<bool> {
    let list = Members::of(attribute)?.next(der::SEQUENCE)?;
    let first = der::expect(list.value, der::SEQUENCE)?;
    let mut members = Members::of(&first)?;
    let mut field = members.any()?;
    let mut hash = default;
    if field.tag == der::SEQUENCE {
        hash = AlgorithmIdentifier::read(&field)?.hash().ok()?;
        field = members.any()?;
    }
    (field.tag == der::OCTET_STRING).then(|| field.value == hash.digest(der))
}

/// `YYYYMMDDhhmmss[.f…]Z`
fn read_time(time: &Element<'_>) -> Option<Duration> {
    let text = str::from_utf8(time.value).ok().filter(|_| time.tag == GENERALIZED_TIME)?;
    let text = text.strip_suffix('Z')?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() != 14 || !digits(whole) || !digits(fraction) {
        return None;
    }
    let number = |from: usize| whole.get(from..from + 2)?.parse::<u8>().ok();
    let year = whole.get(..4)?.parse().ok()?;
    let time = DateTime::new(year, number(4)?, number(6)?, number(8)?, number(10)?, number(12)?);
    Some(time.ok()?.unix_duration())
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn time(tag: u8, text: &str) -> Option<u64> {
        let mut out = Vec::new();
        der::write(&mut out, tag, text.as_bytes());
        read_time(&der::element(&out).unwrap()).map(|time| time.as_secs())
    }

    #[test]
    fn times_are_of_this_form_alone() {
        assert_eq!(time(GENERALIZED_TIME, "20250612120220Z"), Some(1_749_729_740));
        assert_eq!(time(GENERALIZED_TIME, "20250612120220.999Z"), Some(1_749_729_740));
        for text in ["20250612120220", "202506121202Z", "20250612120220.Z", "2025061212022 Z", "Z"]
        {
            assert_eq!(time(GENERALIZED_TIME, text), None, "{text}");
        }
        assert_eq!(time(GENERALIZED_TIME, "20251312120220Z"), None);
        assert_eq!(time(0x17, "250612120220Z"), None, "UTCTime");
    }

    #[test]
    fn the_certificate_that_signed_is_named() {
        let attribute = |hash: Hash, with: &[u8]| {
            let (mut id, mut first, mut list, mut out) = (vec![], with.to_vec(), vec![], vec![]);
            der::write(&mut id, der::OCTET_STRING, &hash.digest(b"certificate"));
            first.extend(id);
            der::write(&mut list, der::SEQUENCE, &first);
            let list = std::mem::take(&mut list);
            let mut inner = Vec::new();
            der::write(&mut inner, der::SEQUENCE, &list);
            der::write(&mut out, der::SEQUENCE, &inner);
            out
        };
        let sha512 = &[0x30, 11, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3][..];
        for (hash, with, default) in [
            (Hash::Sha256, &[][..], Hash::Sha256),
            (Hash::Sha512, sha512, Hash::Sha256),
            (Hash::Sha1, &[], Hash::Sha1),
        ] {
            let bytes = attribute(hash, with);
            let element = der::element(&bytes).unwrap();
            assert_eq!(names_certificate(&element, default, b"certificate"), Some(true));
            assert_eq!(names_certificate(&element, default, b"another"), Some(false));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_opened_or_refused(bytes in vec(any::<u8>(), 0..200)) {
            prop_assert!(open(&bytes, b"", []).is_err());
            let mut granted = Vec::new();
            let status = [&[0x30, 3, 2, 1, 0], bytes.as_slice()].concat();
            der::write(&mut granted, der::SEQUENCE, &status);
            prop_assert!(open(&granted, b"", []).is_err());
        }
    }
}
