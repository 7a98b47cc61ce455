//! rfc3161 0.0.1: the answer of a timestamp authority (RFC 3161 section 2.4.2), logged as it is.
//!
//! It must be granted and signed by a certificate that it carries. Whose that is, and what was
//! stamped, is not judged; Rekor does not either.

use serde::Serialize;

use super::super::pki::der::{self, Element};
use super::super::pki::pkcs7::SignedData;
use super::super::schema::{self, Members, check_required, finish, within};
use super::super::{Rejection, base64, canonical, index_keys};
use super::{Canonical, Context, Entry, KindVersion};
use crate::limits::TIMESTAMP_BYTES_MAX;

pub(super) const KIND: KindVersion = KindVersion { kind: "rfc3161", version: "0.0.1", decode };

const MALFORMED: &str = "asn1: structure error: malformed TimeStampResp";

/// A granted, signed answer, DER.
struct Timestamp(Vec<u8>);

fn decode(spec: &Members) -> Result<Box<dyn Entry + '_>, Rejection> {
    let response = schema::object(spec, "tsr");
    let content = response.map(|response| schema::bytes(response, "content", "tsr content"));
    let content = content.transpose()?.flatten();
    finish([check_required("tsr", response)
        .and_then(|()| within("tsr", check_required("tsr.content", content.as_ref())))])?;
    let content = content.unwrap_or_default();
    if content.is_empty() {
        return Err(Rejection::input("'content' must be specified for data"));
    }
    if content.len() > TIMESTAMP_BYTES_MAX {
        return Err(Rejection::input("tsr exceeds maximum allowed size (10kB)"));
    }
    verify(&content).map_err(Rejection::Input)?;
    Ok(Box::new(Timestamp(content)))
}

/// What follows the structure is ignored, and logged.
fn verify(response: &[u8]) -> Result<(), String> {
    let response = der::expect(response, der::SEQUENCE).ok_or(MALFORMED)?;
    let status = der::expect(response.value, der::SEQUENCE).ok_or(MALFORMED)?;
    let number = der::expect(status.value, der::INTEGER).and_then(|element| integer(&element));
    let token = match status.rest {
        [] => None,
        bytes => Some(SignedData::read(bytes)?.0),
    };
    let number = number.ok_or(MALFORMED)?;
    if !matches!(number, 0 | 1) {
        return Err(format!("tsr status not granted: {number}"));
    }
    let signed = token.as_ref().filter(|token| token.is_signed_data());
    let signed = signed.ok_or_else(|| {
        let found = token.as_ref().map(SignedData::outer_type).unwrap_or_default();
        format!("tsr wrong content type: {found}")
    })?;
    let verified = signed.verify(None);
    verified.map(drop).map_err(|fault| format!("tsr verification error: {fault}"))
}

/// In the shortest form, of up to eight octets.
fn integer(element: &Element<'_>) -> Option<i64> {
    let (first, rest) = element.value.split_first()?;
    let padded = |next: &u8| matches!((first, next >> 7), (0, 0) | (0xff, 1));
    if element.value.len() > 8 || rest.first().is_some_and(padded) {
        return None;
    }
    let sign = i64::from(first.cast_signed());
    Some(rest.iter().fold(sign, |number, octet| number << 8 | i64::from(*octet)))
}

impl Entry for Timestamp {
    fn check_insertable(&self) -> Result<(), &'static str> {
        Ok(())
    }

    fn canonicalise(self: Box<Self>, _: &Context<'_>) -> Result<Canonical, Rejection> {
        let index_keys = vec![format!("sha256:{}", index_keys::sha256_hex(&self.0))];
        let spec = Spec { tsr: Content { content: base64::encode(&self.0) } };
        let body = canonical::body(KIND.kind, KIND.version, &spec)?;
        Ok(Canonical { body, index_keys, attestation: None })
    }
}

#[derive(Serialize)]
struct Spec {
    tsr: Content,
}

#[derive(Serialize)]
struct Content {
    content: String,
}
