//! The leaf bytes of Rekor v2: an `Entry` message as ProtoJSON without defaults, then RFC 8785.
//!
//! There is exactly one way to write each kind, so the shapes stand here as text: members in the
//! order of their names, no white space, and nothing in them that would need an escape. Keys,
//! certificates and signatures are the bytes that the client sent.

use std::fmt::Write as _;

use super::super::base64::display;
use super::super::pki::key::HashAlgorithm;
use super::{KeyV2, Verifier};

/// The leaf of a hashedrekord.
pub(super) fn hashedrekord(
    hash: HashAlgorithm,
    digest: &[u8],
    signature: &[u8],
    verifier: &Verifier<'_>,
) -> Vec<u8> {
    let mut body = with_room_for(signature, verifier);
    let (algorithm, digest) = (algorithm(hash), display(digest));
    put(
        &mut body,
        format_args!(
            r#"{{"apiVersion":"0.0.2","kind":"hashedrekord","spec":{{"hashedRekordV002":{{"data":{{"algorithm":"{algorithm}","digest":"{digest}"}},"signature":"#
        ),
    );
    push_signature(&mut body, signature, verifier);
    body.push_str("}}}");
    body.into_bytes()
}

/// The leaf of a dsse entry; the signatures are in order.
pub(super) fn dsse(payload_sha256: &[u8], signatures: &[(&[u8], &Verifier<'_>)]) -> Vec<u8> {
    let mut body = String::new();
    let digest = display(payload_sha256);
    put(
        &mut body,
        format_args!(
            r#"{{"apiVersion":"0.0.2","kind":"dsse","spec":{{"dsseV002":{{"payloadHash":{{"algorithm":"SHA2_256","digest":"{digest}"}},"signatures":["#
        ),
    );
    for (n, (signature, verifier)) in signatures.iter().enumerate() {
        body.push_str(if n == 0 { "" } else { "," });
        push_signature(&mut body, signature, verifier);
    }
    body.push_str("]}}}");
    body.into_bytes()
}

/// `{"content", "verifier"}`
fn push_signature(out: &mut String, signature: &[u8], verifier: &Verifier<'_>) {
    let (content, details) = (display(signature), verifier.details.name);
    let (member, bytes) = match verifier.sent {
        KeyV2::PublicKey(der) => ("publicKey", display(der)),
        KeyV2::Certificate(der) => ("x509Certificate", display(der)),
    };
    put(
        out,
        format_args!(
            r#"{{"content":"{content}","verifier":{{"keyDetails":"{details}","{member}":{{"rawBytes":"{bytes}"}}}}}}"#
        ),
    );
}

/// The name in `HashAlgorithm` of sigstore's protobuf-specs.
fn algorithm(hash: HashAlgorithm) -> &'static str {
    match hash {
        HashAlgorithm::Sha256 => "SHA2_256",
        HashAlgorithm::Sha384 => "SHA2_384",
        HashAlgorithm::Sha512 => "SHA2_512",
    }
}

fn with_room_for(signature: &[u8], verifier: &Verifier<'_>) -> String {
    String::with_capacity((signature.len() + verifier.sent.bytes().len()) * 4 / 3 + 400)
}

/// Writing to a `String` cannot fail.
fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(text);
}
