//! The signer's certificate: up to a trusted authority at every proven time, for code signing, seen
//! by a certificate transparency log, and of the identity that is wanted (Fulcio's extensions).

use std::time::Duration;

use x509_cert::der::asn1::ObjectIdentifier;

use super::report::{Report, Step};
use super::trust_root::TrustRoot;
use super::{Demand, Proven, sct, time_text};
use crate::admission::pki::x509::Certificate;
use crate::admission::pki::{chain, der};

const EXTENDED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37");
/// id-kp-codeSigning
const CODE_SIGNING: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x03];
/// Fulcio's issuer, as a UTF8String.
const ISSUER_V2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.1.8");
/// The same as bare text, of old.
const ISSUER_V1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.1.1");

/// Checks a certificate and what came with it.
pub(super) fn check(
    report: &mut Report,
    trust: &TrustRoot,
    certificates: &[Certificate],
    times: &[Proven],
) {
    let Some((leaf, between)) = certificates.split_first() else {
        report.failed(Step::Certificate, "there is none");
        return;
    };
    if times.is_empty() {
        report.failed(
            Step::Time,
            "nothing proves when it was signed, so nothing says whether the certificate was valid",
        );
        report.not_checked(Step::Certificate, "there is no proven time to judge it at");
        return;
    }
    let at: Vec<String> = times.iter().map(|time| time_text(time.time)).collect();
    report.ok(Step::Time, format!("the certificate is judged at {}", at.join(", ")));
    let path = path(trust, leaf, between, times);
    let Some(issuer) = report.judge(Step::Certificate, path) else { return };
    if trust.ct_logs.is_empty() {
        report.not_checked(Step::Sct, "no certificate transparency log is trusted");
    } else {
        report.judge(Step::Sct, sct::verify(leaf, issuer, &trust.ct_logs));
    }
}

/// The certificate that issued the leaf, in a path that holds at each of the times.
fn path<'a>(
    trust: &'a TrustRoot,
    leaf: &'a Certificate,
    between: &'a [Certificate],
    times: &[Proven],
) -> Result<(&'a Certificate, String), String> {
    if trust.authorities.is_empty() {
        return Err("no certificate authority is trusted: name a --trusted-root".into());
    }
    check_purpose(leaf)?;
    let mut issuer = None;
    let mut names = Vec::new();
    for Proven { time, by } in times {
        let at = Duration::from_secs(u64::try_from(*time).unwrap_or(0));
        let mut last = "no authority is trusted at that time".to_owned();
        let found =
            trust.authorities.iter().filter(|one| one.window.covers(*time)).find_map(|one| {
                let (root, own) = one.chain.split_last()?;
                let between: Vec<&Certificate> = own.iter().chain(between).collect();
                match chain::verify_at(leaf, &between, root, at) {
                    Ok(path) => Some((path.get(1).copied()?, &one.name)),
                    Err(why) => {
                        last = why;
                        None
                    }
                }
            });
        let (first, name) =
            found.ok_or_else(|| format!("at {} ({by}): {last}", time_text(*time)))?;
        issuer = issuer.or(Some(first));
        names.push(name.as_str());
    }
    names.dedup();
    let issuer = issuer.ok_or("there is no proven time")?;
    Ok((issuer, format!("issued by {}", names.join(", "))))
}

fn check_purpose(leaf: &Certificate) -> Result<(), String> {
    let purposes = leaf.extension(EXTENDED_KEY_USAGE);
    let list = purposes.and_then(|value| der::expect(value, der::SEQUENCE));
    let mut purposes = list.iter().flat_map(|list| der::elements(list.value));
    match purposes.any(|purpose| purpose.value == CODE_SIGNING) {
        true => Ok(()),
        false => Err("the certificate is not one for signing code".into()),
    }
}

/// Holds the names in a certificate against those that are wanted.
pub(super) fn identity(report: &mut Report, leaf: &Certificate, wanted: &Demand) {
    let result = leaf.subjects().map_err(|why| format!("its names cannot be read: {why}"));
    let result = result.and_then(|subjects| matches(leaf, &subjects, wanted));
    report.judge(Step::Identity, result);
}

fn matches(
    leaf: &Certificate,
    subjects: &[String],
    wanted: &Demand,
) -> Result<((), String), String> {
    let issuer = issuer(leaf);
    let vouches = issuer.as_deref().unwrap_or("nobody");
    let is = format!("{}, vouched for by {vouches}", subjects.join(", "));
    if let Some(identity) = &wanted.identity
        && !subjects.contains(identity)
    {
        return Err(format!("it is {is}, not {identity}"));
    }
    if let Some(wanted) = &wanted.issuer
        && issuer.as_ref() != Some(wanted)
    {
        return Err(format!("it is {is}, not by {wanted}"));
    }
    Ok(((), is))
}

/// Who vouched for the identity.
fn issuer(leaf: &Certificate) -> Option<String> {
    let text = |bytes: &[u8]| str::from_utf8(bytes).ok().map(str::to_owned);
    match leaf.extension(ISSUER_V2) {
        Some(value) => {
            let whole = der::expect(value, der::UTF8_STRING).filter(|text| text.rest.is_empty());
            text(whole?.value)
        }
        None => text(leaf.extension(ISSUER_V1)?),
    }
}
