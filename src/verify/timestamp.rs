//! Timestamps by authorities (RFC 3161): over the signature, by a certificate that a trusted
//! authority answers for at that time.

use x509_cert::der::asn1::ObjectIdentifier;

use super::report::{Report, Step};
use super::trust_root::Authority;
use super::{Proven, Request, time_text};
use crate::admission::pki::chain;
use crate::admission::pki::der;
use crate::admission::pki::pkcs7::token::{self, Stamp, TokenError};
use crate::admission::pki::x509::Certificate;

const EXTENDED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37");
/// id-kp-timeStamping
const TIME_STAMPING: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x08];

/// Checks every timestamp over a signature, and gives the times that are proven.
pub(super) fn check(
    report: &mut Report,
    request: &Request<'_>,
    timestamps: &[Vec<u8>],
    stamped: &[u8],
) -> Vec<Proven> {
    let mut proven = Vec::new();
    for timestamp in timestamps {
        match judge(request, timestamp, stamped) {
            Ok(found) => {
                report.ok(Step::Timestamp, format!("{} at {}", found.by, time_text(found.time)));
                proven.push(found);
            }
            Err(Fault::Unknown(why)) => report.not_checked(Step::Timestamp, why),
            Err(Fault::Wrong(why)) => report.failed(Step::Timestamp, why),
        }
    }
    proven
}

enum Fault {
    /// It does not hold.
    Wrong(String),
    /// Nobody who is trusted answers for it; without it there may be enough.
    Unknown(String),
}

fn judge(request: &Request<'_>, timestamp: &[u8], stamped: &[u8]) -> Result<Proven, Fault> {
    let authorities = &request.trust.stampers;
    let known = authorities.iter().flat_map(|authority| &authority.chain);
    // A list of a few, read again: the token takes them for its own.
    let known = known.filter_map(|certificate| Certificate::read(certificate.der.clone()).ok());
    let stamp = token::open(timestamp, stamped, known).map_err(|error| match error {
        TokenError::UnknownSigner => Fault::Unknown(error.to_string()),
        other => Fault::Wrong(other.to_string()),
    })?;
    let time = i64::try_from(stamp.time.as_secs()).unwrap_or(i64::MAX);
    check_purpose(&stamp.signer).map_err(Fault::Wrong)?;
    let mut outside = None;
    for authority in authorities {
        if !answers_for(authority, &stamp) {
            continue;
        }
        if authority.window.covers(time) {
            return Ok(Proven { time, by: format!("stamped by {}", authority.name) });
        }
        outside = Some(&authority.name);
    }
    let at = time_text(time);
    Err(match outside {
        Some(name) => Fault::Wrong(format!("stamped at {at}, when {name} is not trusted")),
        None => Fault::Unknown(format!("stamped at {at} by an authority that is not trusted")),
    })
}

/// Whether an authority's certificates lead from the signer to the one that is trusted, all of them
/// valid when it stamped.
fn answers_for(authority: &Authority, stamp: &Stamp) -> bool {
    let Some((root, between)) = authority.chain.split_last() else { return false };
    if stamp.signer.der == root.der {
        let validity = root.parsed.tbs_certificate().validity();
        return validity.not_before.to_unix_duration() <= stamp.time
            && stamp.time <= validity.not_after.to_unix_duration();
    }
    let between: Vec<&Certificate> = between.iter().chain(&stamp.carried).collect();
    chain::verify_at(&stamp.signer, &between, root, stamp.time).is_ok()
}

/// Timestamps are all that the certificate is for (RFC 3161 section 2.3).
fn check_purpose(signer: &Certificate) -> Result<(), String> {
    let mut extensions = signer.parsed.tbs_certificate().extensions().into_iter().flatten();
    let usage = extensions.find(|extension| extension.extn_id == EXTENDED_KEY_USAGE);
    let only = usage.filter(|usage| usage.critical).and_then(|usage| {
        let list = der::expect(usage.extn_value.as_bytes(), der::SEQUENCE)?;
        let one = der::expect(list.value, der::OBJECT_IDENTIFIER)?;
        Some(one.value == TIME_STAMPING && one.rest.is_empty())
    });
    match only {
        Some(true) => Ok(()),
        _ => Err("its signer's certificate is not one for timestamps alone".into()),
    }
}
