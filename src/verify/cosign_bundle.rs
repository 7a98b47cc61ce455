//! The bundle of cosign before Sigstore's: signature, certificate, and the promise of a Rekor v1
//! log. There is no proof in it, so all rests on the log's signature.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;

use super::bundle::Envelope;
use super::evidence::{Content, Evidence, Form, Signer};
use super::json::{Bytes, Number};
use super::log_entry::{LogEntry, positive, read_id};
use crate::admission::pki::pem;
use crate::admission::pki::x509::Certificate;

/// # Errors
/// What is wrong with it.
pub(super) fn read(text: &[u8]) -> Result<Evidence, String> {
    let bundle: CosignBundle = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    let rekor = bundle.rekor_bundle.ok_or("it holds no log entry (rekorBundle)")?;
    let signature = bundle.base64_signature.0;
    let content = match serde_json::from_slice::<Envelope>(&signature) {
        Ok(envelope) => envelope.read()?,
        Err(_) => Content::Message { digest: None, signature },
    };
    let Payload { body, integrated_time, log_index, log_id } = rekor.payload;
    Ok(Evidence {
        form: Form::Cosign,
        entries: vec![LogEntry {
            body: body.0,
            log_id: Some(read_id(hex::decode(&log_id).ok())?),
            index: log_index.0,
            integrated_time: positive(integrated_time)?,
            promise: Some(rekor.signed_entry_timestamp.0),
            proof: None,
            kind_version: None,
        }],
        timestamps: Vec::new(),
        signer: Some(signer(&bundle.cert.unwrap_or_default())?),
        content: Some(content),
    })
}

/// The base64 of PEM; empty for a key, which the verifier has to have.
fn signer(cert: &str) -> Result<Signer, String> {
    if cert.is_empty() {
        return Ok(Signer::Hint(String::new()));
    }
    let text = BASE64_STANDARD.decode(cert).unwrap_or_else(|_| cert.as_bytes().to_vec());
    let (block, _) = pem::first_block(&text).ok_or("its certificate is no PEM")?;
    match block.label.as_str() {
        "CERTIFICATE" => Ok(Signer::Certificates(vec![Certificate::read(block.contents)?])),
        "PUBLIC KEY" => Ok(Signer::Hint(String::new())),
        other => Err(format!("its certificate is a {other}")),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CosignBundle {
    #[serde(rename = "base64Signature")]
    base64_signature: Bytes,
    #[serde(default)]
    cert: Option<String>,
    #[serde(default, rename = "rekorBundle")]
    rekor_bundle: Option<RekorBundle>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct RekorBundle {
    signed_entry_timestamp: Bytes,
    payload: Payload,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Payload {
    body: Bytes,
    integrated_time: Number,
    log_index: Number,
    #[serde(rename = "logID")]
    log_id: String,
}
