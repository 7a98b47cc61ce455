//! What a canonical body says: who signed what, for the kinds that carry signatures of artifacts
//! and envelopes, and every digest that it names, for all kinds.

use serde_json::Value;

use crate::admission::decode_base64;
use crate::admission::pki::key::{HashAlgorithm, Key};
use crate::admission::pki::pem;
use crate::admission::pki::x509::Certificate;

/// A body, read.
pub(super) struct Body {
    pub(super) kind: String,
    pub(super) version: String,
    pub(super) signed: Signed,
    pub(super) signatures: Vec<BodySignature>,
    /// Where it names a digest, and the digest: algorithm and hexadecimal digits.
    pub(super) digests: Vec<(String, String, String)>,
}

/// What the signatures are over, as far as the body says.
pub(super) enum Signed {
    /// The artifact, or an envelope's PAE, by digest (hashedrekord).
    Digest(HashAlgorithm, Vec<u8>),
    /// An envelope whose payload has this SHA-256 (dsse, intoto).
    Payload(Vec<u8>),
    /// Of a kind that is not read here.
    Unread,
}

/// A signature and its maker.
pub(super) struct BodySignature {
    pub(super) signature: Vec<u8>,
    pub(super) signer: BodySigner,
}

/// Who made a signature.
pub(super) enum BodySigner {
    Key(Key),
    Certificate(Box<Certificate>),
}

impl BodySigner {
    pub(super) fn key(&self) -> &Key {
        match self {
            Self::Key(key) => key,
            Self::Certificate(certificate) => &certificate.key,
        }
    }
}

impl Body {
    /// Bytes that are of no kind.
    pub(super) fn unread() -> Self {
        Self {
            kind: "raw".into(),
            version: String::new(),
            signed: Signed::Unread,
            signatures: Vec::new(),
            digests: Vec::new(),
        }
    }

    /// # Errors
    /// What is wrong with it.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        let body: Value = serde_json::from_slice(bytes)
            .map_err(|error| format!("the entry's body is no JSON: {error}"))?;
        let member = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        let (kind, version) = (member("kind"), member("apiVersion"));
        let spec = &body["spec"];
        let read = match (kind.as_str(), version.as_str()) {
            ("hashedrekord", "0.0.1") => hashedrekord_v1(spec),
            ("hashedrekord", "0.0.2") => hashedrekord_v2(&spec["hashedRekordV002"]),
            ("dsse", "0.0.1") => dsse_v1(spec),
            ("dsse", "0.0.2") => dsse_v2(&spec["dsseV002"]),
            ("intoto", "0.0.2") => intoto_v2(&spec["content"]),
            _ => Some((Signed::Unread, Vec::new())),
        };
        let (signed, signatures) =
            read.ok_or_else(|| format!("the entry is no {kind} {version}, as it says it is"))?;
        let mut digests = Vec::new();
        named_digests("spec", spec, &mut digests);
        Ok(Self { kind, version, signed, signatures, digests })
    }
}

type Read = Option<(Signed, Vec<BodySignature>)>;

fn hashedrekord_v1(spec: &Value) -> Read {
    let hash = &spec["data"]["hash"];
    let algorithm = HashAlgorithm::named(hash["algorithm"].as_str()?)?;
    let digest = hex::decode(hash["value"].as_str()?).ok()?;
    let signature = &spec["signature"];
    let signature = BodySignature {
        signature: base64(&signature["content"])?,
        signer: from_pem(&base64(&signature["publicKey"]["content"])?)?,
    };
    Some((Signed::Digest(algorithm, digest), vec![signature]))
}

fn hashedrekord_v2(spec: &Value) -> Read {
    let (algorithm, digest) = digest_v2(&spec["data"])?;
    Some((Signed::Digest(algorithm, digest), vec![signature_v2(&spec["signature"])?]))
}

fn dsse_v1(spec: &Value) -> Read {
    let payload = sha256_v1(&spec["payloadHash"])?;
    let signatures = spec["signatures"].as_array()?.iter().map(|one| {
        let signer = from_pem(&base64(&one["verifier"])?)?;
        Some(BodySignature { signature: base64(&one["signature"])?, signer })
    });
    Some((Signed::Payload(payload), signatures.collect::<Option<_>>()?))
}

fn dsse_v2(spec: &Value) -> Read {
    let (HashAlgorithm::Sha256, payload) = digest_v2(&spec["payloadHash"])? else { return None };
    let signatures = spec["signatures"].as_array()?.iter().map(signature_v2);
    Some((Signed::Payload(payload), signatures.collect::<Option<_>>()?))
}

fn intoto_v2(content: &Value) -> Read {
    let payload = sha256_v1(&content["payloadHash"])?;
    let signatures = content["envelope"]["signatures"].as_array()?.iter().map(|one| {
        // The base64 of what the envelope has as base64.
        let outer = base64(&one["sig"])?;
        let inner = str::from_utf8(&outer).ok().and_then(|text| decode_base64(text).ok());
        let signer = from_pem(&base64(&one["publicKey"])?)?;
        Some(BodySignature { signature: inner.unwrap_or(outer), signer })
    });
    Some((Signed::Payload(payload), signatures.collect::<Option<_>>()?))
}

fn signature_v2(signature: &Value) -> Option<BodySignature> {
    let verifier = &signature["verifier"];
    let signer = match (verifier.get("publicKey"), verifier.get("x509Certificate")) {
        (Some(key), None) => BodySigner::Key(Key::from_spki(&base64(&key["rawBytes"])?).ok()?),
        (None, Some(certificate)) => {
            let certificate = Certificate::read(base64(&certificate["rawBytes"])?).ok()?;
            BodySigner::Certificate(Box::new(certificate))
        }
        _ => return None,
    };
    Some(BodySignature { signature: base64(&signature["content"])?, signer })
}

fn digest_v2(hash: &Value) -> Option<(HashAlgorithm, Vec<u8>)> {
    let algorithm = match hash["algorithm"].as_str()? {
        "SHA2_256" => HashAlgorithm::Sha256,
        "SHA2_384" => HashAlgorithm::Sha384,
        "SHA2_512" => HashAlgorithm::Sha512,
        _ => return None,
    };
    Some((algorithm, base64(&hash["digest"])?))
}

fn sha256_v1(hash: &Value) -> Option<Vec<u8>> {
    let is_sha256 = hash["algorithm"].as_str() == Some("sha256");
    is_sha256.then(|| hex::decode(hash["value"].as_str()?).ok())?
}

fn base64(text: &Value) -> Option<Vec<u8>> {
    decode_base64(text.as_str()?).ok().filter(|bytes| !bytes.is_empty())
}

/// A key, or a certificate: the first one of a chain.
fn from_pem(text: &[u8]) -> Option<BodySigner> {
    let (block, _) = pem::first_block(text)?;
    match block.label.as_str() {
        "PUBLIC KEY" => Some(BodySigner::Key(Key::from_spki(&block.contents).ok()?)),
        "CERTIFICATE" => {
            let certificate = Certificate::read(block.contents).ok()?;
            Some(BodySigner::Certificate(Box::new(certificate)))
        }
        _ => None,
    }
}

/// Every `{"algorithm", "value"}`, and `{"algorithm", "digest"}` of Rekor v2.
fn named_digests(path: &str, value: &Value, out: &mut Vec<(String, String, String)>) {
    match value {
        Value::Object(members) => {
            let text = |name: &str| members.get(name).and_then(Value::as_str);
            if let (Some(algorithm), Some(digits)) = (text("algorithm"), text("value")) {
                out.push((path.to_owned(), algorithm.to_owned(), digits.to_owned()));
            } else if let Some((algorithm, digest)) = digest_v2(value) {
                out.push((path.to_owned(), algorithm.name().to_owned(), hex::encode(digest)));
            } else {
                for (name, member) in members {
                    named_digests(&format!("{path}.{name}"), member, out);
                }
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                named_digests(&format!("{path}[{at}]"), item, out);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn digests_are_found_wherever_they_stand() {
        let body = br#"{"apiVersion":"0.0.1","kind":"rpm","spec":{"package":{"hash":
            {"algorithm":"sha256","value":"ab"}},"list":[{"algorithm":"SHA2_256","digest":"qw=="}]}}"#;
        let body = Body::read(body).unwrap();
        assert!(matches!(body.signed, Signed::Unread) && body.signatures.is_empty());
        let of = |place: &str| (place.to_owned(), "sha256".to_owned(), "ab".to_owned());
        assert_eq!(body.digests, [of("spec.list[0]"), of("spec.package.hash")]);
    }

    #[test]
    fn a_body_is_what_it_says_or_refused() {
        for text in [
            "",
            "[",
            r#"{"apiVersion":"0.0.1","kind":"hashedrekord","spec":{}}"#,
            r#"{"apiVersion":"0.0.2","kind":"hashedrekord","spec":{"hashedRekordV002":{}}}"#,
            r#"{"apiVersion":"0.0.1","kind":"dsse","spec":{"payloadHash":1}}"#,
            r#"{"apiVersion":"0.0.2","kind":"intoto","spec":null}"#,
        ] {
            assert!(Body::read(text.as_bytes()).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in r#"(\{"kind":"dsse","apiVersion":"0.0.[12]",)?.{0,40}"#) {
            let _judged = Body::read(text.as_bytes());
        }
    }
}
