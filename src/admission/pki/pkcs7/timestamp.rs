//! The timestamp beside a signature: a token (RFC 3161) or a counter-signature (RFC 2985 section
//! 5.3.6). It must be over the signature; whose it is and what time it says are not judged.

use super::super::der::{self, Element};
use super::super::x509::Certificate;
use super::signer::SignerInfo;
use super::{AlgorithmIdentifier, MALFORMED, Members, SignedData};

const TOKEN: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x02, 0x0e];
const MICROSOFT_TOKEN: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x03, 0x03, 0x01];
const COUNTER_SIGNATURE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x06];
const SIGNING_TIME: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x05];

const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// Checks what is beside the signature; `certificates` are those of the structure around it.
pub(super) fn verify(
    signer: &SignerInfo<'_>,
    mut certificates: Vec<Certificate>,
) -> Result<(), String> {
    let token = match signer.unsigned_attribute(TOKEN)? {
        Some(token) => Some(token),
        None => signer.unsigned_attribute(MICROSOFT_TOKEN)?,
    };
    if let Some(token) = token {
        let (token, _) = SignedData::read(token.whole)?;
        certificates.extend(token.certificates());
        return verify_token(&token, signer.signature, &certificates);
    }
    let Some(counter) = signer.unsigned_attribute(COUNTER_SIGNATURE)? else { return Ok(()) };
    let counter = SignerInfo::parse(&counter).ok_or(MALFORMED)?;
    counter.verify(signer.signature, &certificates)?;
    let time = counter.signed_attribute(SIGNING_TIME)?;
    let time = time.ok_or("parsing timestamp: attribute not found: 1.2.840.113549.1.9.5")?;
    check_time(&time)
}

fn verify_token(
    token: &SignedData<'_>,
    stamped: &[u8],
    certificates: &[Certificate],
) -> Result<(), String> {
    let [signer] = token.signers.as_slice() else {
        return Err("timestamp should have exactly one SignerInfo".into());
    };
    let content = token.content().ok_or("unpack TSTInfo: missing content")?;
    let (imprint, time) = read_info(content).ok_or("unpack TSTInfo: malformed")?;
    let mut imprint = Members::of(&imprint).ok_or(MALFORMED)?;
    let algorithm = imprint.any().and_then(|element| AlgorithmIdentifier::read(&element));
    let hash = algorithm.ok_or(MALFORMED)?.hash()?;
    let hashed = imprint.next(der::OCTET_STRING).ok_or(MALFORMED)?;
    if hashed.value != hash.digest(stamped) {
        return Err("verifying timestamp imprint: pkcs9: digest check failed".into());
    }
    signer.verify(content, certificates)?;
    check_time(&time)
}

/// The imprint and the time of a TSTInfo (RFC 3161 section 2.4.2).
pub(super) fn read_info(content: &[u8]) -> Option<(Element<'_>, Element<'_>)> {
    // Some wrap it once more.
    let unwrapped = der::expect(content, der::OCTET_STRING).map(|octets| octets.value);
    let mut members = Members::of(&der::element(unwrapped.unwrap_or(content))?)?;
    members.next(der::INTEGER)?;
    members.next(der::OBJECT_IDENTIFIER)?;
    let imprint = members.any()?;
    members.next(der::INTEGER)?;
    Some((imprint, members.any()?))
}

/// Only that it is a time: digits, perhaps a fraction, and a zone.
fn check_time(time: &Element<'_>) -> Result<(), String> {
    let digits = match time.tag {
        UTC_TIME => 10,
        GENERALIZED_TIME => 14,
        tag => return Err(format!("parsing timestamp: unknown tag {tag} in timestamp field")),
    };
    let text = time.value;
    let starts = text.iter().take_while(|byte| byte.is_ascii_digit()).count() >= digits;
    let zone = text.ends_with(b"Z") || text.iter().rev().nth(4).is_some_and(|b| b"+-".contains(b));
    if starts && zone { Ok(()) } else { Err("parsing timestamp: not a time".into()) }
}
