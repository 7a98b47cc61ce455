//! Signed certificate timestamps (RFC 6962 section 3) that stand in a certificate: a transparency
//! log's promise to log it, over the certificate without them.

use tlog::hash::sha256;
use x509_cert::der::asn1::ObjectIdentifier;

use super::time_text;
use super::trust_root::CtLog;
use crate::admission::pki::der;
use crate::admission::pki::x509::Certificate;
use crate::limits::CERTIFICATE_SCTS_MAX;

const SCT_LIST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.11129.2.4.2");
/// The same, DER.
const SCT_LIST_DER: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0xd6, 0x79, 0x02, 0x04, 0x02];

/// `[3]`, constructed: the extensions of a certificate.
const CONTEXT_3: u8 = 0xa3;

/// One promise.
struct Sct<'a> {
    log_id: [u8; 32],
    milliseconds: u64,
    extensions: &'a [u8],
    signature: &'a [u8],
}

/// Whether a trusted log promised to log a certificate that `issuer` has issued.
///
/// # Errors
/// Why none did.
pub(super) fn verify(
    leaf: &Certificate,
    issuer: &Certificate,
    logs: &[CtLog],
) -> Result<((), String), String> {
    let extension = leaf.extension(SCT_LIST).ok_or("the certificate carries no SCT")?;
    let scts = read_list(extension).ok_or("the certificate's SCTs are malformed")?;
    if scts.len() > CERTIFICATE_SCTS_MAX {
        return Err(format!("the certificate carries more than {CERTIFICATE_SCTS_MAX} SCTs"));
    }
    let signed = leaf.der.get(leaf.signed.clone()).and_then(without_scts);
    let signed = signed.ok_or("the certificate's extensions are malformed")?;
    let mut last = "the certificate carries no SCT of a trusted log".to_owned();
    for sct in &scts {
        let Some(log) = logs.iter().find(|log| log.id == sct.log_id) else { continue };
        let time = i64::try_from(sct.milliseconds / 1000).unwrap_or(i64::MAX);
        let at = time_text(time);
        if !log.window.covers(time) {
            last = format!("{} promised at {at}, when it is not trusted", log.name);
            continue;
        }
        let verified = log.key.as_ref().map_err(String::clone).and_then(|key| {
            let message = message(sct, &issuer.spki, &signed).ok_or("it is too long")?;
            key.verify_content(&message, sct.signature).map_err(|error| error.to_string())
        });
        match verified {
            Ok(()) => return Ok(((), format!("{} promised at {at} to log it", log.name))),
            Err(why) => last = format!("the SCT of {} does not verify: {why}", log.name),
        }
    }
    Err(last)
}

/// A `SignedCertificateTimestampList`, in the OCTET STRING of the extension.
fn read_list(extension: &[u8]) -> Option<Vec<Sct<'_>>> {
    let octets = der::expect(extension, der::OCTET_STRING).filter(|octets| octets.rest.is_empty());
    let (mut list, rest) = opaque(octets?.value)?;
    if !rest.is_empty() {
        return None;
    }
    let mut scts = Vec::new();
    while !list.is_empty() {
        let (sct, rest) = opaque(list)?;
        // Of other versions nothing is known.
        if sct.first() == Some(&0) {
            scts.push(read_sct(sct)?);
        }
        list = rest;
    }
    Some(scts)
}

fn read_sct(bytes: &[u8]) -> Option<Sct<'_>> {
    let (_version, rest) = bytes.split_first()?;
    let (log_id, rest) = rest.split_first_chunk::<32>()?;
    let (milliseconds, rest) = rest.split_first_chunk::<8>()?;
    let (extensions, rest) = opaque(rest)?;
    // SHA-256, by ECDSA or RSA: what RFC 6962 section 2.1.4 allows.
    let ([4, 1 | 3], rest) = rest.split_first_chunk::<2>()? else { return None };
    let (signature, rest) = opaque(rest)?;
    rest.is_empty().then_some(Sct {
        log_id: *log_id,
        milliseconds: u64::from_be_bytes(*milliseconds),
        extensions,
        signature,
    })
}

/// Bytes behind their length in 16 bits, and what follows.
fn opaque(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

/// What the log signed: `digitally-signed struct` of a precertificate entry.
fn message(sct: &Sct<'_>, issuer_spki: &[u8], signed: &[u8]) -> Option<Vec<u8>> {
    let [0, length @ ..] = u32::try_from(signed.len()).ok()?.to_be_bytes() else { return None };
    let extensions = u16::try_from(sct.extensions.len()).ok()?;
    let mut message = vec![0, 0]; // version 1, certificate_timestamp
    message.extend(sct.milliseconds.to_be_bytes());
    message.extend([0, 1]); // precert_entry
    message.extend(sha256(issuer_spki));
    message.extend(length);
    message.extend(signed);
    message.extend(extensions.to_be_bytes());
    message.extend(sct.extensions);
    Some(message)
}

/// A TBSCertificate without the extension that holds SCTs; all else stays byte for byte.
fn without_scts(tbs: &[u8]) -> Option<Vec<u8>> {
    let outer = der::expect(tbs, der::SEQUENCE)?;
    let mut inner = Vec::new();
    for field in der::elements(outer.value) {
        if field.tag != CONTEXT_3 {
            inner.extend_from_slice(field.whole);
            continue;
        }
        let list = der::expect(field.value, der::SEQUENCE)?;
        let mut kept = Vec::new();
        for extension in der::elements(list.value) {
            if der::expect(extension.value, der::OBJECT_IDENTIFIER)?.value != SCT_LIST_DER {
                kept.extend_from_slice(extension.whole);
            }
        }
        let mut extensions = Vec::new();
        der::write(&mut extensions, der::SEQUENCE, &kept);
        der::write(&mut inner, CONTEXT_3, &extensions);
    }
    let mut out = Vec::new();
    der::write(&mut out, der::SEQUENCE, &inner);
    Some(out)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn list(scts: &[Vec<u8>]) -> Vec<u8> {
        let all: Vec<u8> = scts
            .iter()
            .flat_map(|sct| [&(sct.len() as u16).to_be_bytes(), sct.as_slice()].concat())
            .collect();
        let mut out = Vec::new();
        der::write(
            &mut out,
            der::OCTET_STRING,
            &[&(all.len() as u16).to_be_bytes(), all.as_slice()].concat(),
        );
        out
    }

    fn sct() -> Vec<u8> {
        let (id, time) = ([7; 32], 1_500_u64.to_be_bytes());
        [&[0][..], &id, &time, &[0, 1, 9], &[4, 3], &[0, 2, 5, 6]].concat()
    }

    #[test]
    fn a_list_is_read_whole_or_not_at_all() {
        let (good, future) = (sct(), vec![1, 2, 3]);
        let extension = list(&[good.clone(), future]);
        let [one] = &read_list(&extension).unwrap()[..] else { panic!("one of version 1") };
        assert_eq!((one.log_id, one.milliseconds), ([7; 32], 1_500));
        assert_eq!((one.extensions, one.signature), (&[9][..], &[5, 6][..]));
        for length in 0..extension.len() {
            assert!(read_list(&extension[..length]).is_none(), "{length}");
        }
        let mut longer = good.clone();
        longer.push(0);
        let mut weak = good;
        weak[44] = 2; // SHA-1
        for bad in [longer, weak] {
            assert!(read_list(&list(&[bad])).is_none());
        }
    }

    #[test]
    fn the_list_alone_is_taken_out() {
        let extension = |id: &[u8]| {
            let (mut oid, mut out) = (Vec::new(), Vec::new());
            der::write(&mut oid, der::OBJECT_IDENTIFIER, id);
            der::write(&mut out, der::SEQUENCE, &oid);
            out
        };
        let tbs = |extensions: &[Vec<u8>]| {
            let (mut list, mut explicit, mut out) = (Vec::new(), Vec::new(), Vec::new());
            der::write(&mut list, der::SEQUENCE, &extensions.concat());
            der::write(&mut explicit, CONTEXT_3, &list);
            der::write(&mut out, der::SEQUENCE, &[&[2, 1, 5], explicit.as_slice()].concat());
            out
        };
        let [a, b, scts] = [&[1_u8, 2][..], &[3, 4], SCT_LIST_DER].map(extension);
        let whole = tbs(&[a.clone(), scts, b.clone()]);
        assert_eq!(without_scts(&whole), Some(tbs(&[a, b])));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..80)) {
            let _judged = (read_list(&bytes), without_scts(&bytes));
            let _judged = read_list(&list(&[bytes]));
        }
    }
}
