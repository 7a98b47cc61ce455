//! Subpackets of signatures (RFC 9580 §5.2.3.7): what they claim, and their shortest form.
//!
//! Outside the hashed part only the issuer and an embedded signature count.

use super::Error;
use super::signature::{Claims, Signature, kind};

mod number {
    pub(super) const CREATED: u8 = 2;
    pub(super) const LIFETIME: u8 = 3;
    pub(super) const EXPORTABLE: u8 = 4;
    pub(super) const TRUST: u8 = 5;
    pub(super) const TRUST_DOMAIN: u8 = 6;
    pub(super) const KEY_LIFETIME: u8 = 9;
    pub(super) const ISSUER: u8 = 16;
    pub(super) const NOTATION: u8 = 20;
    pub(super) const PRIMARY_USER: u8 = 25;
    pub(super) const KEY_FLAGS: u8 = 27;
    pub(super) const REVOCATION_REASON: u8 = 29;
    pub(super) const EMBEDDED: u8 = 32;
    pub(super) const ISSUER_FINGERPRINT: u8 = 33;
    pub(super) const RECIPIENT: u8 = 35;
    pub(super) const CIPHER_SUITES: u8 = 39;
    /// Known, and without any use here.
    pub(super) const IGNORED: [u8; 8] = [11, 21, 22, 23, 24, 26, 28, 30];
}

const MAY_SIGN: u8 = 0x02;
const MAY_ENCRYPT: u8 = 0x04 | 0x08;
const COMPROMISED: u8 = 2;

/// Reads the subpackets of one part into `claims`; gives them back in their shortest form.
pub(super) fn read(
    claims: &mut Claims,
    version: u8,
    mut bytes: &[u8],
    hashed: bool,
    depth: usize,
) -> Result<Vec<u8>, Error> {
    let mut shortest = Vec::with_capacity(bytes.len());
    while !bytes.is_empty() {
        let (length, rest) = read_length(bytes).ok_or_else(truncated)?;
        let (subpacket, after) = rest.split_at_checked(length).ok_or_else(truncated)?;
        let Some((&kind, body)) = subpacket.split_first() else {
            return Err(Error::structural("zero length signature subpacket"));
        };
        bytes = after;
        write_length(&mut shortest, length);
        shortest.extend_from_slice(subpacket);
        read_one(claims, version, kind, body, hashed, depth)?;
    }
    Ok(shortest)
}

fn truncated() -> Error {
    Error::structural("signature subpacket truncated")
}

fn read_length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    match bytes {
        [first @ 0..192, rest @ ..] => Some((usize::from(*first), rest)),
        [first @ 192..=254, second, rest @ ..] => {
            Some(((usize::from(first - 192) << 8) + usize::from(*second) + 192, rest))
        }
        [255, a, b, c, d, rest @ ..] => {
            Some((usize::try_from(u32::from_be_bytes([*a, *b, *c, *d])).ok()?, rest))
        }
        _ => None,
    }
}

fn write_length(out: &mut Vec<u8>, length: usize) {
    match length {
        0..192 => out.push(length as u8),
        192..16_320 => {
            let length = length - 192;
            out.extend([((length >> 8) + 192) as u8, length as u8]);
        }
        _ => {
            out.push(255);
            out.extend(u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
        }
    }
}

fn read_one(
    claims: &mut Claims,
    version: u8,
    kind: u8,
    body: &[u8],
    hashed: bool,
    depth: usize,
) -> Result<(), Error> {
    let (critical, kind) = (kind & 0x80 != 0, kind & 0x7f);
    match kind {
        number::ISSUER => return read_issuer(claims, version, body, hashed),
        number::ISSUER_FINGERPRINT => return read_fingerprint(claims, body),
        number::EMBEDDED => return read_embedded(claims, body, depth),
        _ if !hashed => return Ok(()),
        number::CREATED => {
            claims.set_created(seconds(body, "signature creation time not four bytes")?);
        }
        number::LIFETIME => {
            claims.lifetime = Some(seconds(body, "expiration subpacket with bad length")?);
        }
        number::KEY_LIFETIME => {
            claims.key_lifetime = Some(seconds(body, "key expiration subpacket with bad length")?);
        }
        number::NOTATION => read_notation(claims, body, critical)?,
        number::PRIMARY_USER => match body {
            [flag] => claims.is_primary_user = *flag > 0,
            _ => return Err(Error::structural("primary user id subpacket with bad length")),
        },
        number::KEY_FLAGS => {
            let flags = body.first().copied().unwrap_or_default();
            claims.has_flags = true;
            claims.may_sign |= flags & MAY_SIGN != 0;
            claims.may_encrypt |= flags & MAY_ENCRYPT != 0;
        }
        number::REVOCATION_REASON => match body {
            [] => return Err(Error::structural("empty revocation reason subpacket")),
            [reason, ..] => claims.is_compromised = *reason == COMPROMISED,
        },
        _ => return check_form(kind, body, critical),
    }
    Ok(())
}

/// What has a form to keep, and no other meaning here.
fn check_form(kind: u8, body: &[u8], critical: bool) -> Result<(), Error> {
    let fault = match (kind, body) {
        (number::EXPORTABLE, []) => "exportable certification subpacket with bad length",
        (number::EXPORTABLE, [0, ..]) => {
            return Err(Error::unsupported("signature with non-exportable certification"));
        }
        (number::TRUST, body) if body.len() != 2 => "trust subpacket with bad length",
        (number::TRUST_DOMAIN, []) => "regexp subpacket with bad length",
        (number::TRUST_DOMAIN, body) if body.last() != Some(&0) => {
            "expected regular expression to be null-terminated"
        }
        (number::RECIPIENT, []) => "invalid intended recipient fingerpring length",
        (number::RECIPIENT, [version, rest @ ..]) if rest.len() != fingerprint_bytes(*version) => {
            "invalid fingerprint length"
        }
        (number::CIPHER_SUITES, body) if !body.len().is_multiple_of(2) => {
            "invalid aead cipher suite length"
        }
        (
            number::EXPORTABLE
            | number::TRUST
            | number::TRUST_DOMAIN
            | number::RECIPIENT
            | number::CIPHER_SUITES,
            _,
        ) => return Ok(()),
        (kind, _) if !critical || number::IGNORED.contains(&kind) => return Ok(()),
        (kind, _) => {
            let text = format!("unknown critical signature subpacket type {kind}");
            return Err(Error::Unsupported(text));
        }
    };
    Err(Error::structural(fault))
}

fn seconds(body: &[u8], fault: &str) -> Result<u32, Error> {
    body.try_into().map(u32::from_be_bytes).map_err(|_| Error::structural(fault))
}

fn read_issuer(claims: &mut Claims, version: u8, body: &[u8], hashed: bool) -> Result<(), Error> {
    if version > 4 && hashed {
        return Err(Error::structural("issuer subpacket found in v6 key"));
    }
    let id = body.try_into().map(u64::from_be_bytes);
    let id = id.map_err(|_| Error::structural("issuer subpacket with bad length"))?;
    if version <= 4 {
        claims.issuer = Some(id);
    }
    Ok(())
}

fn fingerprint_bytes(version: u8) -> usize {
    if version >= 5 { 32 } else { 20 }
}

fn read_fingerprint(claims: &mut Claims, body: &[u8]) -> Result<(), Error> {
    let Some((&version, fingerprint)) = body.split_first() else {
        return Err(Error::structural("empty issuer fingerprint subpacket"));
    };
    if fingerprint.len() != fingerprint_bytes(version) {
        return Err(Error::structural("bad fingerprint length"));
    }
    let id = if version >= 5 { fingerprint.first_chunk() } else { fingerprint.last_chunk() };
    claims.issuer = id.copied().map(u64::from_be_bytes);
    claims.issuer_fingerprint = Some(fingerprint.to_vec());
    Ok(())
}

fn read_notation(claims: &mut Claims, body: &[u8], critical: bool) -> Result<(), Error> {
    let fault = || Error::structural("notation data subpacket with bad length");
    let [_, _, _, _, a, b, c, d, rest @ ..] = body else { return Err(fault()) };
    let (name, value) = (u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d]));
    let (name, rest) = rest.split_at_checked(usize::from(name)).ok_or_else(fault)?;
    if rest.len() != usize::from(value) {
        return Err(fault());
    }
    if critical && claims.critical_notation.is_none() {
        claims.critical_notation = Some(name.to_vec());
    }
    Ok(())
}

fn read_embedded(claims: &mut Claims, body: &[u8], depth: usize) -> Result<(), Error> {
    if claims.embedded.is_some() {
        return Err(Error::structural("Cannot have multiple embedded signatures"));
    }
    let embedded = Signature::read_embedded(body, depth + 1)?;
    if embedded.kind != kind::PRIMARY_KEY_BINDING {
        let text = format!("cross-signature has unexpected type {}", embedded.kind);
        return Err(Error::Structural(text));
    }
    claims.embedded = Some(Box::new(embedded));
    Ok(())
}
