//! Messages are read as Rekor's own Go code writes them, and written as long: the bytes were made
//! by the generated Go of rekor-tiles 2.3.0, protobuf-specs 0.5.1 and genproto.
//!
//! Go writes the members of a oneof last and prost writes all fields by number; both are right, so
//! bytes are not compared one by one.
#![allow(clippy::unwrap_used, reason = "a test says so by panicking")]

use bytes::Bytes;
use prost::Message;
use proto::common_v1::{
    HashAlgorithm, HashOutput, LogId, PublicKeyDetails as Details, X509Certificate,
};
use proto::google_api::HttpBody;
use proto::intoto;
use proto::rekor_v1::{
    Checkpoint, InclusionPromise, InclusionProof, KindVersion, TransparencyLogEntry,
};
use proto::rekor_v2::{self, CreateEntryRequest, Entry, Signature, Spec, Verifier};
use proto::rekor_v2::{create_entry_request, spec, verifier};

#[track_caller]
fn check<M: Message + Default + PartialEq + std::fmt::Debug>(message: &M, golden: &str) {
    let golden = hex::decode(golden).unwrap();
    assert_eq!(M::decode(golden.as_slice()).unwrap(), *message);
    let written = message.encode_to_vec();
    assert_eq!(written.len(), golden.len(), "{}", hex::encode(&written));
    assert_eq!(M::decode(written.as_slice()).unwrap(), *message);
}

fn bytes(bytes: &'static [u8]) -> Bytes {
    Bytes::from_static(bytes)
}

fn key(details: Details) -> Verifier {
    let key = rekor_v2::PublicKey { raw_bytes: bytes(&[0x30, 0x59, 0]) };
    Verifier { verifier: Some(verifier::Verifier::PublicKey(key)), key_details: details.into() }
}

fn certificate() -> Verifier {
    let certificate = X509Certificate { raw_bytes: bytes(&[0x30, 0x82]) };
    Verifier {
        verifier: Some(verifier::Verifier::X509Certificate(certificate)),
        key_details: Details::PkixEd25519Ph.into(),
    }
}

fn signature() -> Signature {
    Signature { content: bytes(b"signed"), verifier: Some(key(Details::PkixEcdsaP256Sha256)) }
}

fn hash(algorithm: HashAlgorithm, digest: &'static [u8]) -> HashOutput {
    HashOutput { algorithm: algorithm.into(), digest: bytes(digest) }
}

#[test]
fn a_hashedrekord_request() {
    let request = rekor_v2::HashedRekordRequestV002 {
        digest: bytes(&[1, 2, 3, 255]),
        signature: Some(signature()),
    };
    let spec = create_entry_request::Spec::HashedRekordRequestV002(request);
    check(
        &CreateEntryRequest { spec: Some(spec) },
        "0a1b0a04010203ff12130a067369676e6564120918050a050a03305900",
    );
}

#[test]
#[expect(deprecated, reason = "released clients still send it")]
fn a_dsse_request() {
    let envelope = intoto::Envelope {
        payload: bytes(b"{}"),
        payload_type: "application/vnd.in-toto+json".into(),
        signatures: vec![
            intoto::Signature { sig: bytes(&[9, 8]), keyid: "k1".into() },
            intoto::Signature { sig: bytes(&[7]), keyid: String::new() },
        ],
    };
    let verifiers = vec![certificate(), key(Details::MlDsa44)];
    let request = rekor_v2::DsseRequestV002 { envelope: Some(envelope), verifiers };
    let spec = create_entry_request::Spec::DsseRequestV002(request);
    check(
        &CreateEntryRequest { spec: Some(spec) },
        "12480a310a027b7d121c6170706c69636174696f6e2f766e642e696e2d746f746f2b6a736f6e1a080a02090812\
         026b311a030a01071208180812040a023082120918170a050a03305900",
    );
}

#[test]
fn a_number_without_a_name_survives() {
    check(&Verifier { key_details: 50, verifier: None }, "1832");
}

#[test]
fn a_hashedrekord_entry() {
    let logged = rekor_v2::HashedRekordLogEntryV002 {
        data: Some(hash(HashAlgorithm::Sha2512, &[4, 5])),
        signature: Some(signature()),
    };
    let entry = Entry {
        kind: "hashedrekord".into(),
        api_version: "0.0.2".into(),
        spec: Some(Spec { spec: Some(spec::Spec::HashedRekordV002(logged)) }),
    };
    check(
        &entry,
        "0a0c68617368656472656b6f72641205302e302e321a1f0a1d0a0608031202040512130a067369676e65641209\
         18050a050a03305900",
    );
}

#[test]
#[expect(deprecated, reason = "released clients still send it")]
fn a_dsse_entry() {
    let second = Signature { content: bytes(b"x"), verifier: Some(certificate()) };
    let logged = rekor_v2::DsseLogEntryV002 {
        payload_hash: Some(hash(HashAlgorithm::Sha2256, &[6])),
        signatures: vec![signature(), second],
    };
    let entry = Entry {
        kind: "dsse".into(),
        api_version: "0.0.2".into(),
        spec: Some(Spec { spec: Some(spec::Spec::DsseV002(logged)) }),
    };
    check(
        &entry,
        "0a04647373651205302e302e321a2d122b0a05080112010612130a067369676e6564120918050a050a03305900\
         120d0a01781208180812040a023082",
    );
}

#[test]
fn requests_for_tiles() {
    let tile = rekor_v2::TileRequest { l: 63, n: "x001/234.p/5".into() };
    check(&tile, "083f120c783030312f3233342e702f35");
    let bundle = rekor_v2::EntryBundleRequest { n: "x001/234".into() };
    check(&bundle, "0a08783030312f323334");
}

#[test]
fn a_logged_entry() {
    let proof = InclusionProof {
        log_index: 7,
        root_hash: bytes(&[0xaa]),
        tree_size: 8,
        hashes: vec![bytes(&[1]), Bytes::new(), bytes(&[2, 3])],
        checkpoint: Some(Checkpoint { envelope: "log\n8\n".into() }),
    };
    let entry = TransparencyLogEntry {
        log_index: 1 << 40,
        log_id: Some(LogId { key_id: bytes(&[0xcf, 0x11]) }),
        kind_version: Some(KindVersion { kind: "hashedrekord".into(), version: "0.0.2".into() }),
        integrated_time: 1_700_000_000,
        inclusion_promise: Some(InclusionPromise { signed_entry_timestamp: bytes(&[0x30]) }),
        inclusion_proof: Some(proof),
        canonicalized_body: bytes(b"{}"),
    };
    check(
        &entry,
        "0880808080802012040a02cf111a150a0c68617368656472656b6f72641205302e302e322080e2cfaa062a030a\
         0130321a08071201aa18082201012200220202032a080a066c6f670a380a3a027b7d",
    );
    let proof = InclusionProof { tree_size: 1, ..InclusionProof::default() };
    let first =
        TransparencyLogEntry { inclusion_proof: Some(proof), ..TransparencyLogEntry::default() };
    check(&first, "32021801");
}

#[test]
fn bytes_with_their_type() {
    let body = HttpBody {
        content_type: "text/plain".into(),
        data: bytes(b"abc"),
        extensions: vec![prost_types::Any { type_url: "t/x".into(), value: vec![1] }],
    };
    check(&body, "0a0a746578742f706c61696e12036162631a080a03742f78120101");
}
