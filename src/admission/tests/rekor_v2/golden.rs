//! What the public staging log stored, rebuilt from the bundles that clients got.
//!
//! The vectors are not part of this repository; without them the test says that it is skipped.

use std::fs;
use std::path::PathBuf;

use super::*;
use crate::admission::base64::decode;

/// The request that a client sent for its bundle.
fn request_of(bundle: &Value) -> RequestV2 {
    let bytes = |value: &Value| decode(value.as_str().unwrap()).unwrap();
    let (digest, content) = match bundle.get("dsseEnvelope") {
        None => {
            let signature = &bundle["messageSignature"];
            (bytes(&signature["messageDigest"]["digest"]), bytes(&signature["signature"]))
        }
        Some(envelope) => {
            let signed =
                pae(envelope["payloadType"].as_str().unwrap(), &bytes(&envelope["payload"]));
            (tlog::hash::sha256(&signed).to_vec(), bytes(&envelope["signatures"][0]["sig"]))
        }
    };
    let certificate = bytes(&bundle["verificationMaterial"]["certificate"]["rawBytes"]);
    let key_details = details("ECDSA_P256_SHA_256");
    let verifier = VerifierV2 { key: Some(KeyV2::Certificate(certificate)), key_details };
    let signature = Some(SignatureV2 { content, verifier: Some(verifier) });
    RequestV2::HashedRekord { digest, signature }
}

#[test]
fn bodies_and_leaf_hashes_are_those_of_the_public_log() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/vectors/bundle-verify");
    if !folder.is_dir() {
        eprintln!("SKIPPED: the bundles are not at ../shared/vectors");
        return;
    }
    let mut leaves = Vec::new();
    for case in fs::read_dir(folder).unwrap() {
        let case = case.unwrap().path();
        let name = case.file_name().unwrap().to_string_lossy().into_owned();
        // Those that fail for another reason than the entry are entries all the same.
        let is_other = name.starts_with("rekor2-dsse-") && name.ends_with("_fail");
        if !name.starts_with("rekor2-") || is_other {
            continue;
        }
        let bundle = fs::read(case.join("bundle.sigstore.json")).unwrap();
        let bundle: Value = serde_json::from_slice(&bundle).unwrap();
        let stored = &bundle["verificationMaterial"]["tlogEntries"][0]["canonicalizedBody"];
        let stored = decode(stored.as_str().unwrap()).unwrap();
        let entry = admitted(&request_of(&bundle));
        assert_eq!(entry.body(), stored, "{name}");
        let has_workflow = entry.index_keys().iter().any(|key| key.contains("/workflows/"));
        assert!(has_workflow, "{name}: {:?}", entry.index_keys());
        leaves.push(entry.leaf_hash().to_string());
    }
    assert!(leaves.len() >= 10, "only {} entries were compared", leaves.len());
    let known = "78470eff2921878c2141726b650bf349099c37850a731f287a6accf35d40441f";
    assert!(leaves.iter().any(|leaf| leaf == known), "{leaves:?}");
}
