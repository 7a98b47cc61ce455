//! sigstore's own verifier in Rust says the same of every case, and of cases with one byte changed.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use proptest::prelude::*;
use serde_json::Value;
use sigstore_verify::trust_root::TrustedRoot;
use sigstore_verify::types::{Bundle, DerPublicKey};
use sigstore_verify::{PublicKeyVerificationPolicy, VerificationPolicy, Verifier};

use crate::cases::{self, Case};

fn oracle(case: &Case, bundle: &str) -> Result<(), String> {
    let root = str::from_utf8(&case.root).map_err(|error| error.to_string())?;
    let root = TrustedRoot::from_json(root).map_err(|error| error.to_string())?;
    let bundle = Bundle::from_json(bundle).map_err(|error| error.to_string())?;
    let verifier = Verifier::new(&root).map_err(|error| error.to_string())?;
    let verified = match &case.key {
        Some(pem) => {
            let key = DerPublicKey::from_pem(str::from_utf8(pem).unwrap());
            let key = key.map_err(|error| error.to_string())?;
            let policy = PublicKeyVerificationPolicy::new(key);
            verifier.verify(case.artifact.as_slice(), &bundle, &policy)
        }
        None => {
            let policy = VerificationPolicy::new(cases::IDENTITY, cases::ISSUER);
            verifier.verify(case.artifact.as_slice(), &bundle, &policy)
        }
    };
    verified.map(|_| ()).map_err(|error| error.to_string())
}

#[test]
fn the_oracle_agrees_on_every_case() {
    let mut wrong = Vec::new();
    for case in cases::all() {
        let said = oracle(&case, &String::from_utf8_lossy(&case.bundle));
        if said.is_ok() != case.verify().is_verified() {
            wrong.push(format!("{}: the oracle says {said:?}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The texts of a bundle, as pointers.
fn texts(value: &Value, at: &str, out: &mut Vec<String>) {
    match value {
        Value::String(_) => out.push(at.to_owned()),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(n, item)| texts(item, &format!("{at}/{n}"), out));
        }
        Value::Object(members) => {
            members.iter().for_each(|(name, item)| texts(item, &format!("{at}/{name}"), out));
        }
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever byte is changed: what we verify, the oracle verifies.
    #[test]
    fn we_verify_no_more_than_the_oracle(
        case in any::<prop::sample::Index>(),
        text in any::<prop::sample::Index>(),
        byte in any::<prop::sample::Index>(),
        bit in 0_u8..8,
    ) {
        let cases: Vec<Case> = cases::all().into_iter().filter(Case::must_verify).collect();
        prop_assume!(!cases.is_empty());
        let case = case.get(&cases);
        let mut bundle: Value = serde_json::from_slice(&case.bundle).unwrap();
        let mut places = Vec::new();
        texts(&bundle, "", &mut places);
        let place: &String = text.get(&places);
        let value = bundle.pointer_mut(place).unwrap();
        let old = value.as_str().unwrap().to_owned();
        if let Ok(mut bytes) = BASE64_STANDARD.decode(&old) && !bytes.is_empty() {
            let at = byte.index(bytes.len());
            bytes[at] ^= 1 << bit;
            *value = BASE64_STANDARD.encode(bytes).into();
        }
        let changed = bundle.to_string();
        let report = case.verify_bundle(changed.as_bytes());
        if report.is_verified() && place.ends_with("/signedTimestamp") {
            // The oracle also reads the parts of a timestamp that nobody signed, and refuses what
            // is malformed there. They must not change what is found.
            prop_assert_eq!(report, case.verify(), "{}", case.name);
        } else if report.is_verified() {
            let said = oracle(case, &changed);
            prop_assert!(said.is_ok(), "{} {place} {said:?}", case.name);
        }
    }
}
