//! `CreateEntryRequest` from JSON, exactly as strict as Go's `protojson` behind a gRPC gateway.
//!
//! Two passes, as there. serde_json finds the end of the first value and vouches for its syntax;
//! then a cursor walks over text that is known to be JSON, and needs no grammar of its own.
//! Visitors of serde would not see where a token starts, which the error texts tell, nor how it
//! was written. Crates that derive this from `.proto` files take mixed base64 alphabets, refuse
//! `null`, or know no enum numbers without a name.

mod cursor;

use serde::de::IgnoredAny;

use crate::admission::{
    DSSE_LIST_MAX, EnvelopeSignatureV2, EnvelopeV2, KeyV2, RequestV2, SignatureV2, VerifierV2,
    key_details_number,
};
use cursor::{Cursor, Names};

/// Why a body is no request, in the words of `protojson`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct MalformedRequest(String);

type Result<T> = std::result::Result<T, MalformedRequest>;

/// Reads the first JSON value of `body`; what follows it is ignored, and nothing at all is a
/// request without members.
///
/// # Errors
/// [`MalformedRequest`] for what is not JSON or not this message: among others a member that it
/// does not have, one that is there twice, two of a `oneof`.
pub fn read_request(body: &[u8]) -> Result<RequestV2> {
    let mut values = serde_json::Deserializer::from_slice(body).into_iter::<IgnoredAny>();
    match values.next() {
        None => return Ok(RequestV2::None),
        Some(Err(error)) if error.is_eof() => {
            return Err(MalformedRequest("unexpected EOF".into()));
        }
        Some(Err(error)) => return Err(MalformedRequest(error.to_string())),
        Some(Ok(IgnoredAny)) => {}
    }
    let text = body.get(..values.byte_offset()).unwrap_or_default();
    // Places in error texts count from where the value starts.
    Cursor::new(text.trim_ascii_start()).request()
}

const REQUEST: &[Names] = &[
    &["hashedRekordRequestV002", "hashed_rekord_request_v002"],
    &["dsseRequestV002", "dsse_request_v002"],
];
const HASHEDREKORD: &[Names] = &[&["digest"], &["signature"]];
const SIGNATURE: &[Names] = &[&["content"], &["verifier"]];
const VERIFIER: &[Names] = &[
    &["publicKey", "public_key"],
    &["x509Certificate", "x509_certificate"],
    &["keyDetails", "key_details"],
];
const RAW_BYTES: &[Names] = &[&["rawBytes", "raw_bytes"]];
const DSSE: &[Names] = &[&["envelope"], &["verifiers"]];
const ENVELOPE: &[Names] = &[&["payload"], &["payloadType"], &["signatures"]];
const ENVELOPE_SIGNATURE: &[Names] = &[&["sig"], &["keyid"]];

/// The messages, one function each.
impl Cursor<'_> {
    fn request(&mut self) -> Result<RequestV2> {
        let mut request = RequestV2::None;
        self.object(REQUEST, |cursor, field, name| {
            if request != RequestV2::None {
                return Err(cursor.already_set(name, "CreateEntryRequest.spec"));
            }
            request = if field == 0 { cursor.hashedrekord()? } else { cursor.dsse()? };
            Ok(())
        })?;
        Ok(request)
    }

    fn hashedrekord(&mut self) -> Result<RequestV2> {
        let (mut digest, mut signature) = (Vec::new(), None);
        self.object(HASHEDREKORD, |cursor, field, _| {
            match field {
                0 => digest = cursor.bytes("digest")?,
                _ => signature = Some(cursor.signature()?),
            }
            Ok(())
        })?;
        Ok(RequestV2::HashedRekord { digest, signature })
    }

    fn signature(&mut self) -> Result<SignatureV2> {
        let mut signature = SignatureV2::default();
        self.object(SIGNATURE, |cursor, field, _| {
            match field {
                0 => signature.content = cursor.bytes("content")?,
                _ => signature.verifier = Some(cursor.verifier()?),
            }
            Ok(())
        })?;
        Ok(signature)
    }

    fn verifier(&mut self) -> Result<VerifierV2> {
        let mut verifier = VerifierV2::default();
        self.object(VERIFIER, |cursor, field, name| {
            match field {
                2 => verifier.key_details = cursor.enum_number("keyDetails", key_details_number)?,
                _ if verifier.key.is_some() => {
                    return Err(cursor.already_set(name, "Verifier.verifier"));
                }
                0 => verifier.key = Some(KeyV2::PublicKey(cursor.raw_bytes()?)),
                _ => verifier.key = Some(KeyV2::Certificate(cursor.raw_bytes()?)),
            }
            Ok(())
        })?;
        Ok(verifier)
    }

    fn raw_bytes(&mut self) -> Result<Vec<u8>> {
        let mut raw = Vec::new();
        self.object(RAW_BYTES, |cursor, _, _| {
            raw = cursor.bytes("rawBytes")?;
            Ok(())
        })?;
        Ok(raw)
    }

    fn dsse(&mut self) -> Result<RequestV2> {
        let (mut envelope, mut verifiers) = (None, Vec::new());
        self.object(DSSE, |cursor, field, _| match field {
            0 => cursor.envelope().map(|read| envelope = Some(read)),
            _ => cursor.list(|cursor| cursor.verifier().map(|read| push(&mut verifiers, read))),
        })?;
        Ok(RequestV2::Dsse { envelope, verifiers })
    }

    fn envelope(&mut self) -> Result<EnvelopeV2> {
        let mut envelope = EnvelopeV2::default();
        self.object(ENVELOPE, |cursor, field, _| {
            match field {
                0 => envelope.payload = cursor.bytes("payload")?,
                1 => envelope.payload_type = cursor.string("payloadType")?,
                _ => cursor.list(|cursor| {
                    push(&mut envelope.signatures, cursor.envelope_signature()?);
                    Ok(())
                })?,
            }
            Ok(())
        })?;
        Ok(envelope)
    }

    fn envelope_signature(&mut self) -> Result<EnvelopeSignatureV2> {
        let mut signature = EnvelopeSignatureV2::default();
        self.object(ENVELOPE_SIGNATURE, |cursor, field, _| {
            match field {
                0 => signature.sig = cursor.bytes("sig")?,
                _ => signature.keyid = cursor.string("keyid")?,
            }
            Ok(())
        })?;
        Ok(signature)
    }
}

/// Of a list that is longer than any entry may have, not all is kept.
fn push<T>(list: &mut Vec<T>, element: T) {
    if list.len() <= DSSE_LIST_MAX {
        list.push(element);
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
