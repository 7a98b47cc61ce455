//! Bundles of keyless signers, with authorities of our own: what is odd about a certificate, its
//! SCT or a timestamp is seen, each by its step.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use cairn::verify::{Artifact, Demand, Outcome, Report, Request, Step, TrustRoot, verify};
use serde_json::{Value, json};

use crate::authorities::{CertificateAuthority, IDENTITY, ISSUER, Leaf, Stamp, Stamper};
use crate::made::{ARTIFACT, Key, World};

/// A bundle with one timestamp and no promise, and the root that it is judged by.
fn made(leaf: Leaf, stamp: Stamp) -> (Value, Value) {
    let (authority, stamper) = (CertificateAuthority::new(), Stamper::new(stamp));
    let signer = authority.issue(leaf);
    let signature = signer.sign(ARTIFACT);
    let pem = pem("CERTIFICATE", &signer.der);
    let world = World::of(Key::new(), signature.clone(), &pem);
    let mut entry = world.entry();
    entry.as_object_mut().unwrap().remove("inclusionPromise");
    entry.as_object_mut().unwrap().remove("integratedTime");
    let raw = |der: &[u8]| json!({ "rawBytes": BASE64.encode(der) });
    let bundle = json!({
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {
            "certificate": raw(&signer.der),
            "tlogEntries": [entry],
            "timestampVerificationData": { "rfc3161Timestamps": [
                { "signedTimestamp": BASE64.encode(stamper.stamp(&signature, stamp)) },
            ] },
        },
        "messageSignature": { "signature": BASE64.encode(&signature) },
    });
    let from = json!({ "start": "2020-01-01T00:00:00Z" });
    let named = |uri: &str, der: &[u8]| {
        let chain = json!({ "certificates": [raw(der)] });
        json!({ "uri": uri, "certChain": chain, "validFor": from })
    };
    let log = |spki: &[u8], id: &[u8]| {
        json!({
            "publicKey": { "rawBytes": BASE64.encode(spki), "validFor": from },
            "logId": { "keyId": BASE64.encode(id) },
        })
    };
    let root = json!({
        "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
        "tlogs": [log(&world.log.spki(), &world.log_id())],
        "ctlogs": [log(&authority.ct_key(), &authority.ct_id())],
        "certificateAuthorities": [named("https://ca.example", authority.root())],
        "timestampAuthorities": [named("https://tsa.example", stamper.certificate())],
    });
    (bundle, root)
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = BASE64.encode(der);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

fn judge((bundle, root): &(Value, Value)) -> Report {
    let trust = TrustRoot::parse(root.to_string().as_bytes()).unwrap();
    let mut demand = Demand::default();
    (demand.identity, demand.issuer) = (Some(IDENTITY.into()), Some(ISSUER.into()));
    verify(&Request {
        file: bundle.to_string().as_bytes(),
        leaf: None,
        artifact: Some(&Artifact::of(ARTIFACT.to_vec())),
        trust: &trust,
        demand: &demand,
        policy: None,
        now: 0,
    })
}

#[test]
fn certificates_are_for_code_and_seen_by_a_log() {
    for (leaf, step) in [
        (Leaf::Good, None),
        (Leaf::NotForCode, Some(Step::Certificate)),
        (Leaf::Forged, Some(Step::Certificate)),
        (Leaf::WithoutSct, Some(Step::Sct)),
        (Leaf::SctOfAnotherKey, Some(Step::Sct)),
        (Leaf::SctOverAnotherCertificate, Some(Step::Sct)),
    ] {
        let report = judge(&made(leaf, Stamp::Good));
        assert_eq!(report.is_verified(), step.is_none(), "{leaf:?}: {:#?}", report.lines());
        if let Some(step) = step {
            assert!(report.has(step, Outcome::Failed), "{leaf:?}: {:#?}", report.lines());
        }
    }
}

#[test]
fn timestamps_are_over_the_signature_by_their_authority() {
    for stamp in [
        Stamp::Good,
        Stamp::ForAnything,
        Stamp::ForTimestampsPerhaps,
        Stamp::NamesNoCertificate,
        Stamp::NamesAnotherCertificate,
        Stamp::OfAnotherType,
        Stamp::OverSomethingElse,
        Stamp::SignedBySomebodyElse,
        Stamp::Refused,
        Stamp::CutShort,
    ] {
        let report = judge(&made(Leaf::Good, stamp));
        let good = stamp == Stamp::Good;
        assert_eq!(report.is_verified(), good, "{stamp:?}: {:#?}", report.lines());
        assert_eq!(report.has(Step::Timestamp, Outcome::Failed), !good, "{stamp:?}");
    }
}

/// Whom the root names decides, and for how long.
#[test]
fn the_root_decides() {
    let whole = made(Leaf::Good, Stamp::Good);
    let other = made(Leaf::Good, Stamp::Good).1;
    for (member, step, outcome) in [
        ("tlogs", Step::Log, Outcome::Failed),
        ("ctlogs", Step::Sct, Outcome::Failed),
        ("certificateAuthorities", Step::Certificate, Outcome::Failed),
        ("timestampAuthorities", Step::Timestamp, Outcome::NotChecked),
    ] {
        let (bundle, mut root) = whole.clone();
        root[member] = other[member].clone();
        let report = judge(&(bundle.clone(), root.clone()));
        assert!(!report.is_verified() && report.has(step, outcome), "{member}");
        root[member] = json!([]);
        let report = judge(&(bundle, root));
        // Who trusts no transparency log of certificates asks for no promise of one.
        assert_eq!(report.is_verified(), member == "ctlogs", "{member}: {:#?}", report.lines());
    }
    // The time of the stamp is 2023-11-14T22:13:20Z.
    for (place, step) in [
        ("/tlogs/0/publicKey/validFor", Step::Log),
        ("/ctlogs/0/publicKey/validFor", Step::Sct),
        ("/certificateAuthorities/0/validFor", Step::Certificate),
        ("/timestampAuthorities/0/validFor", Step::Timestamp),
    ] {
        for (end, verified) in [("2023-11-14T22:13:20Z", true), ("2023-11-14T22:13:19Z", false)] {
            let (bundle, mut root) = whole.clone();
            root.pointer_mut(place).unwrap()["end"] = end.into();
            let report = judge(&(bundle, root));
            assert_eq!(report.is_verified(), verified, "{place} {end}: {:#?}", report.lines());
            assert_eq!(report.has(step, Outcome::Failed), !verified, "{place} {end}");
        }
    }
}
