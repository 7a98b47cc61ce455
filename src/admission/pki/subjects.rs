//! The names in a certificate's SubjectAltName extension (RFC 5280 §4.2.1.6), as index keys.
//!
//! In this order: DNS names, e-mail addresses, IP addresses, URIs, and the one OtherName that
//! Fulcio writes. The subject's distinguished name is not indexed.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::der;

const OTHER_NAME: u8 = 0xa0;
const EMAIL: u8 = 0x81;
const DNS: u8 = 0x82;
const URI: u8 = 0x86;
const IP: u8 = 0x87;

/// 1.3.6.1.4.1.57264.1.7, as DER.
const FULCIO_NAME: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x83, 0xbf, 0x30, 0x01, 0x07];

/// Reads the value of the extension.
///
/// # Errors
/// The text for the client.
pub(crate) fn read(extension: &[u8]) -> Result<Vec<String>, String> {
    let names = der::expect(extension, der::SEQUENCE).filter(|all| all.rest.is_empty());
    let names = names.ok_or("x509: invalid subject alternative names")?.value;
    let (mut dns, mut email, mut ip, mut uri) = (vec![], vec![], vec![], vec![]);
    let mut other = Vec::new();
    let mut read = 0;
    for name in der::elements(names) {
        read += name.whole.len();
        match name.tag {
            EMAIL => email.push(ascii(name.value, "x509: SAN rfc822Name is malformed")?),
            DNS => dns.push(ascii(name.value, "x509: SAN dNSName is malformed")?),
            URI => uri.push(ascii(name.value, "x509: SAN uniformResourceIdentifier is malformed")?),
            IP => ip.push(address(name.value).ok_or_else(|| {
                format!("x509: cannot parse IP address of length {}", name.value.len())
            })?),
            OTHER_NAME => other.push(fulcio_name(name.value)),
            _ => {}
        }
    }
    if read != names.len() {
        return Err("x509: invalid subject alternative names".into());
    }
    let mut subjects = dns;
    subjects.extend(email);
    subjects.extend(ip);
    subjects.extend(uri);
    // Only a single OtherName counts, and only Fulcio's.
    if let [Some(name)] = other.as_slice() {
        subjects.push(name.clone());
    }
    Ok(subjects)
}

fn ascii(value: &[u8], malformed: &str) -> Result<String, String> {
    let text = str::from_utf8(value).ok().filter(|text| text.is_ascii());
    text.map(str::to_owned).ok_or_else(|| malformed.to_owned())
}

fn address(value: &[u8]) -> Option<String> {
    if let Ok(octets) = <[u8; 4]>::try_from(value) {
        return Some(Ipv4Addr::from(octets).to_string());
    }
    let address = Ipv6Addr::from(<[u8; 16]>::try_from(value).ok()?);
    Some(address.to_ipv4_mapped().map_or_else(|| address.to_string(), |v4| v4.to_string()))
}

fn fulcio_name(value: &[u8]) -> Option<String> {
    let oid = der::expect(value, der::OBJECT_IDENTIFIER)?;
    let explicit = der::expect(oid.rest, der::CONTEXT_0)?;
    let text = der::expect(explicit.value, der::UTF8_STRING)?;
    let name = str::from_utf8(text.value).ok()?;
    (oid.value == FULCIO_NAME && !name.is_empty()).then(|| name.to_owned())
}
