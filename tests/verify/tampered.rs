//! Bundles that verify, with one part changed: each fails at the step that the part is for.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use cairn::verify::{Outcome, Step};
use serde_json::Value;

use crate::cases::{self, Case};

/// A case, where in its bundle, and the steps that have to fail.
const PARTS: &[(&str, &str, &[Step])] = &[
    (V1, "/messageSignature/signature", &[Step::Signature, Step::Entry]),
    (V1, "/messageSignature/messageDigest/digest", &[Step::Artifact]),
    (V1, "/verificationMaterial/certificate/rawBytes", &[Step::Certificate]),
    (V1, "/verificationMaterial/tlogEntries/0/logId/keyId", &[Step::Log]),
    (V1, "/verificationMaterial/tlogEntries/0/inclusionPromise/signedEntryTimestamp", PROMISE),
    (V1, "/verificationMaterial/tlogEntries/0/inclusionProof/rootHash", &[Step::Inclusion]),
    (V1, "/verificationMaterial/tlogEntries/0/inclusionProof/hashes/3", &[Step::Inclusion]),
    (V1, "/verificationMaterial/tlogEntries/0/inclusionProof/logIndex", &[Step::Inclusion]),
    (V1, "/verificationMaterial/tlogEntries/0/inclusionProof/treeSize", &[Step::Inclusion]),
    (V1, "/verificationMaterial/tlogEntries/0/logIndex", PROMISE),
    (V1, "/verificationMaterial/tlogEntries/0/integratedTime", PROMISE),
    (V1, "/verificationMaterial/tlogEntries/0/kindVersion/version", &[Step::Format]),
    (V1, "/mediaType", &[Step::Format]),
    (V2, "/messageSignature/signature", &[Step::Signature, Step::Timestamp]),
    (V2, "/verificationMaterial/tlogEntries/0/inclusionProof/hashes/0", &[Step::Inclusion]),
    (V2, "/verificationMaterial/tlogEntries/0/logId/keyId", &[Step::Log]),
    (
        V2,
        "/verificationMaterial/timestampVerificationData/rfc3161Timestamps/0/signedTimestamp",
        TIME,
    ),
    (DSSE, "/dsseEnvelope/payload", &[Step::Signature, Step::Entry]),
    (DSSE, "/dsseEnvelope/payloadType", &[Step::Signature, Step::Artifact]),
    (DSSE, "/dsseEnvelope/signatures/0/sig", &[Step::Signature, Step::Entry]),
    (KEY, "/messageSignature/signature", &[Step::Signature, Step::Entry]),
];

const V1: &str = "happy-path-v0.3-new-mediaType";
const V2: &str = "rekor2-happy-path";
const DSSE: &str = "happy-path-intoto-in-dsse-v3";
const KEY: &str = "managed-key-happy-path";
const PROMISE: &[Step] = &[Step::Promise];
const TIME: &[Step] = &[Step::Timestamp, Step::Time];

fn find<'a>(cases: &'a [Case], name: &str) -> Option<&'a Case> {
    cases.iter().find(|case| case.name == name)
}

/// Another value of the same form.
fn change(value: &mut Value) {
    let text = value.as_str().unwrap().to_owned();
    *value = match (text.parse::<u64>(), BASE64_STANDARD.decode(&text)) {
        (Ok(number), _) => (number + 1).to_string().into(),
        (_, Ok(mut bytes)) if !bytes.is_empty() => {
            // In the last third, where the signature of a certificate or a token is.
            let at = bytes.len() - 1 - bytes.len() / 64;
            bytes[at] ^= 1;
            BASE64_STANDARD.encode(bytes).into()
        }
        _ => (text + "x").into(),
    };
}

#[test]
fn each_part_is_checked_by_its_step() {
    let cases = cases::all();
    for (name, place, steps) in PARTS {
        let Some(case) = find(&cases, name) else { continue };
        let mut bundle: Value = serde_json::from_slice(&case.bundle).unwrap();
        change(bundle.pointer_mut(place).unwrap_or_else(|| panic!("{name} has no {place}")));
        let report = case.verify_bundle(bundle.to_string().as_bytes());
        let lines = report.lines();
        assert!(!report.is_verified(), "{name} {place}: {lines:#?}");
        for step in *steps {
            assert!(report.has(*step, Outcome::Failed), "{name} {place} {step:?}: {lines:#?}");
        }
    }
}

#[test]
fn each_line_of_a_checkpoint_counts() {
    let cases = cases::all();
    let place = "/verificationMaterial/tlogEntries/0/inclusionProof/checkpoint/envelope";
    for name in [V1, V2] {
        let Some(case) = find(&cases, name) else { continue };
        let bundle: Value = serde_json::from_slice(&case.bundle).unwrap();
        let note = bundle.pointer(place).unwrap().as_str().unwrap();
        for at in 0..note.split('\n').count() {
            let mut lines: Vec<String> = note.split('\n').map(str::to_owned).collect();
            if lines[at].is_empty() {
                continue;
            }
            let middle = lines[at].char_indices().nth(2).map_or(0, |(at, _)| at);
            let other = if lines[at][middle..].starts_with('A') { "B" } else { "A" };
            let end = lines[at][middle..].chars().next().map_or(0, char::len_utf8);
            lines[at].replace_range(middle..middle + end, other);
            let mut changed = bundle.clone();
            *changed.pointer_mut(place).unwrap() = lines.join("\n").into();
            let report = case.verify_bundle(changed.to_string().as_bytes());
            let failed = [Step::Checkpoint, Step::Inclusion, Step::Log];
            let failed = failed.iter().any(|step| report.has(*step, Outcome::Failed));
            assert!(!report.is_verified() && failed, "{name} line {at}: {:#?}", report.lines());
        }
    }
}

/// A member that is not known, or is there twice, may mean something to another reader.
#[test]
fn bundles_are_read_strictly() {
    let cases = cases::all();
    let Some(case) = find(&cases, V1) else { return };
    let text = str::from_utf8(&case.bundle).unwrap();
    for (from, to) in [
        ("\"messageSignature\"", "\"x\":1,\"messageSignature\""),
        ("\"messageSignature\"", "\"mediaType\":\"\",\"messageSignature\""),
        ("\"logIndex\"", "\"logindex\":\"1\",\"logIndex\""),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text);
        let report = case.verify_bundle(changed.as_bytes());
        assert!(report.has(Step::Format, Outcome::Failed), "{to}: {:#?}", report.lines());
    }
}

/// What one expects of a signer is held against the certificate.
#[test]
fn identities_are_exact() {
    let cases = cases::all();
    let Some(case) = find(&cases, V1) else { return };
    let (identity, issuer) = (Some(cases::IDENTITY), Some(cases::ISSUER));
    for (identity, issuer, verified) in [
        (identity, issuer, true),
        (identity, Some("https://token.actions.githubusercontent.com.evil"), false),
        (Some("https://github.com/sigstore-conformance/"), issuer, false),
        (identity, None, false),
        (None, issuer, false),
        (None, None, false),
    ] {
        let mut demand = cairn::verify::Demand::default();
        (demand.identity, demand.issuer) = (identity.map(Into::into), issuer.map(Into::into));
        let report = case.verify_for(&demand);
        assert_eq!(report.is_verified(), verified, "{identity:?} {issuer:?}");
        assert_eq!(report.has(Step::Identity, Outcome::Failed), !verified);
    }
    let mut anybody = cairn::verify::Demand::default();
    anybody.any_identity = true;
    assert!(case.verify_for(&anybody).is_verified());
}
