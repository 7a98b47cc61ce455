//! Names and numbers on the wire, as Rekor v2 and sigstore's messages have them.
#![allow(clippy::unwrap_used, reason = "a test says so by panicking")]

use std::path::Path;

use prost_reflect::{Cardinality, DescriptorPool, Kind};

/// Number, name, JSON name, type; `*` for lists.
type Field = (u32, &'static str, &'static str, &'static str);

const MESSAGES: &[(&str, &[Field])] = &[
    (
        "dev.sigstore.rekor.v2.CreateEntryRequest",
        &[
            (1, "hashed_rekord_request_v002", "hashedRekordRequestV002", "message"),
            (2, "dsse_request_v002", "dsseRequestV002", "message"),
        ],
    ),
    ("dev.sigstore.rekor.v2.TileRequest", &[(1, "L", "L", "uint32"), (2, "N", "N", "string")]),
    ("dev.sigstore.rekor.v2.EntryBundleRequest", &[(1, "N", "N", "string")]),
    (
        "dev.sigstore.rekor.v2.Entry",
        &[
            (1, "kind", "kind", "string"),
            (2, "api_version", "apiVersion", "string"),
            (3, "spec", "spec", "message"),
        ],
    ),
    (
        "dev.sigstore.rekor.v2.Spec",
        &[
            (1, "hashed_rekord_v002", "hashedRekordV002", "message"),
            (2, "dsse_v002", "dsseV002", "message"),
        ],
    ),
    (
        "dev.sigstore.rekor.v2.HashedRekordRequestV002",
        &[(1, "digest", "digest", "bytes"), (2, "signature", "signature", "message")],
    ),
    (
        "dev.sigstore.rekor.v2.HashedRekordLogEntryV002",
        &[(1, "data", "data", "message"), (2, "signature", "signature", "message")],
    ),
    (
        "dev.sigstore.rekor.v2.DSSERequestV002",
        &[(1, "envelope", "envelope", "message"), (2, "verifiers", "verifiers", "message*")],
    ),
    (
        "dev.sigstore.rekor.v2.DSSELogEntryV002",
        &[
            (1, "payloadHash", "payloadHash", "message"),
            (2, "signatures", "signatures", "message*"),
        ],
    ),
    (
        "dev.sigstore.rekor.v2.Signature",
        &[(1, "content", "content", "bytes"), (2, "verifier", "verifier", "message")],
    ),
    (
        "dev.sigstore.rekor.v2.Verifier",
        &[
            (1, "public_key", "publicKey", "message"),
            (2, "x509_certificate", "x509Certificate", "message"),
            (3, "key_details", "keyDetails", "enum"),
        ],
    ),
    ("dev.sigstore.rekor.v2.PublicKey", &[(1, "raw_bytes", "rawBytes", "bytes")]),
    (
        "dev.sigstore.common.v1.HashOutput",
        &[(1, "algorithm", "algorithm", "enum"), (2, "digest", "digest", "bytes")],
    ),
    ("dev.sigstore.common.v1.LogId", &[(1, "key_id", "keyId", "bytes")]),
    (
        "io.intoto.Envelope",
        &[
            (1, "payload", "payload", "bytes"),
            (2, "payloadType", "payloadType", "string"),
            (3, "signatures", "signatures", "message*"),
        ],
    ),
    ("io.intoto.Signature", &[(1, "sig", "sig", "bytes"), (2, "keyid", "keyid", "string")]),
    (
        "dev.sigstore.rekor.v1.TransparencyLogEntry",
        &[
            (1, "log_index", "logIndex", "int64"),
            (2, "log_id", "logId", "message"),
            (3, "kind_version", "kindVersion", "message"),
            (4, "integrated_time", "integratedTime", "int64"),
            (5, "inclusion_promise", "inclusionPromise", "message"),
            (6, "inclusion_proof", "inclusionProof", "message"),
            (7, "canonicalized_body", "canonicalizedBody", "bytes"),
        ],
    ),
    (
        "dev.sigstore.rekor.v1.InclusionProof",
        &[
            (1, "log_index", "logIndex", "int64"),
            (2, "root_hash", "rootHash", "bytes"),
            (3, "tree_size", "treeSize", "int64"),
            (4, "hashes", "hashes", "bytes*"),
            (5, "checkpoint", "checkpoint", "message"),
        ],
    ),
    (
        "google.api.HttpBody",
        &[
            (1, "content_type", "contentType", "string"),
            (2, "data", "data", "bytes"),
            (3, "extensions", "extensions", "message*"),
        ],
    ),
];

/// Numbers of `PublicKeyDetails`, in order from 0.
const KEY_DETAILS: [&str; 24] = [
    "PUBLIC_KEY_DETAILS_UNSPECIFIED",
    "PKCS1_RSA_PKCS1V5",
    "PKCS1_RSA_PSS",
    "PKIX_RSA_PKCS1V5",
    "PKIX_RSA_PSS",
    "PKIX_ECDSA_P256_SHA_256",
    "PKIX_ECDSA_P256_HMAC_SHA_256",
    "PKIX_ED25519",
    "PKIX_ED25519_PH",
    "PKIX_RSA_PKCS1V15_2048_SHA256",
    "PKIX_RSA_PKCS1V15_3072_SHA256",
    "PKIX_RSA_PKCS1V15_4096_SHA256",
    "PKIX_ECDSA_P384_SHA_384",
    "PKIX_ECDSA_P521_SHA_512",
    "LMS_SHA256",
    "LMOTS_SHA256",
    "PKIX_RSA_PSS_2048_SHA256",
    "PKIX_RSA_PSS_3072_SHA256",
    "PKIX_RSA_PSS_4096_SHA256",
    "PKIX_ECDSA_P384_SHA_256",
    "PKIX_ECDSA_P521_SHA_256",
    "ML_DSA_65",
    "ML_DSA_87",
    "ML_DSA_44",
];

fn pool() -> DescriptorPool {
    DescriptorPool::decode(include_bytes!("../../src/gen/descriptors.bin").as_slice()).unwrap()
}

#[test]
fn every_field_of_every_message() {
    let pool = pool();
    for (message, fields) in MESSAGES {
        let found = pool.get_message_by_name(message).unwrap_or_else(|| panic!("{message}"));
        assert_eq!(found.fields().count(), fields.len(), "{message}");
        for (number, name, json, kind) in *fields {
            let field = found.get_field(*number).unwrap_or_else(|| panic!("{message} {number}"));
            assert_eq!((field.name(), field.json_name()), (*name, *json), "{message}");
            let list = if field.cardinality() == Cardinality::Repeated { "*" } else { "" };
            let found_kind = match field.kind() {
                Kind::Message(_) => "message".into(),
                Kind::Enum(_) => "enum".into(),
                scalar => format!("{scalar:?}").to_lowercase(),
            };
            assert_eq!(format!("{found_kind}{list}"), *kind, "{message}.{name}");
        }
    }
}

#[test]
fn every_number_of_the_enums() {
    let details = pool().get_enum_by_name("dev.sigstore.common.v1.PublicKeyDetails").unwrap();
    assert_eq!(details.values().count(), KEY_DETAILS.len());
    for (number, name) in (0..).zip(KEY_DETAILS) {
        assert_eq!(details.get_value(number).unwrap().name(), name);
    }
    let hashes = pool().get_enum_by_name("dev.sigstore.common.v1.HashAlgorithm").unwrap();
    let names = ["HASH_ALGORITHM_UNSPECIFIED", "SHA2_256", "SHA2_384", "SHA2_512", "SHA3_256"];
    for (number, name) in (0..).zip(names) {
        assert_eq!(hashes.get_value(number).unwrap().name(), name);
    }
}

#[test]
fn methods_have_their_full_names() {
    let service = pool().get_service_by_name("dev.sigstore.rekor.v2.Rekor").unwrap();
    let methods: Vec<_> = service.methods().map(|method| method.name().to_owned()).collect();
    assert_eq!(methods, ["CreateEntry", "GetTile", "GetEntryBundle", "GetCheckpoint"]);
    let output = service.methods().next().unwrap().output();
    assert_eq!(output.full_name(), "dev.sigstore.rekor.v1.TransparencyLogEntry");
}

#[test]
fn files_stand_where_their_package_says() {
    for file in pool().files().filter(|file| file.package_name().starts_with("cairn.")) {
        let folder = file.package_name().replace('.', "/");
        assert!(Path::new(file.name()).starts_with(&folder), "{}", file.name());
    }
}
