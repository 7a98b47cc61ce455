//! A Sigstore bundle (`dev.sigstore.bundle.v1`, versions 0.1 to 0.3) as JSON, strictly: no member
//! that is not known, none twice, and what its version has to have.

use serde::Deserialize;

use super::evidence::{Content, Evidence, Form, Signer};
use super::json::{Bytes, list};
use super::log_entry::{LogEntry, Tle};
use crate::admission::pki::key::HashAlgorithm;
use crate::admission::pki::x509::Certificate;
use crate::limits::{BUNDLE_CERTIFICATES_MAX, BUNDLE_ENTRIES_MAX, BUNDLE_TIMESTAMPS_MAX};

/// By media type.
const VERSIONS: [(&str, u8); 4] = [
    ("application/vnd.dev.sigstore.bundle+json;version=0.1", 1),
    ("application/vnd.dev.sigstore.bundle+json;version=0.2", 2),
    ("application/vnd.dev.sigstore.bundle+json;version=0.3", 3),
    ("application/vnd.dev.sigstore.bundle.v0.3+json", 3),
];

/// # Errors
/// What is wrong with it.
pub(super) fn read(text: &[u8]) -> Result<Evidence, String> {
    let bundle: Bundle = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    let known = VERSIONS.iter().find(|(media_type, _)| *media_type == bundle.media_type);
    let (_, version) = known.ok_or_else(|| format!("its version: {:?}", bundle.media_type))?;
    let material = bundle.verification_material;
    let entries = material.tlog_entries;
    if entries.is_empty() {
        return Err("it holds no log entry".into());
    }
    if entries.len() > BUNDLE_ENTRIES_MAX {
        return Err(format!("it holds more than {BUNDLE_ENTRIES_MAX} log entries"));
    }
    let timestamps = material.timestamp_verification_data.unwrap_or_default().rfc3161_timestamps;
    if timestamps.len() > BUNDLE_TIMESTAMPS_MAX {
        return Err(format!("it holds more than {BUNDLE_TIMESTAMPS_MAX} timestamps"));
    }
    let signer = match (material.public_key, material.x509_certificate_chain, material.certificate)
    {
        (Some(key), None, None) => Signer::Hint(key.hint),
        (None, None, Some(one)) => Signer::Certificates(certificates(vec![one])?),
        (None, Some(_), None) if *version >= 3 => {
            return Err("version 0.3 has one certificate, not a chain".into());
        }
        (None, Some(chain), None) => Signer::Certificates(certificates(chain.certificates)?),
        _ => return Err("it names its signer not at all or twice".into()),
    };
    let content = match (bundle.message_signature, bundle.dsse_envelope) {
        (Some(message), None) => message.read()?,
        (None, Some(envelope)) => envelope.read()?,
        _ => return Err("it holds no signature, or one of each kind".into()),
    };
    Ok(Evidence {
        form: Form::Bundle { version: *version },
        entries: entries.into_iter().map(Tle::read).collect::<Result<Vec<LogEntry>, _>>()?,
        timestamps: timestamps.into_iter().map(|stamp| stamp.signed_timestamp.0).collect(),
        signer: Some(signer),
        content: Some(content),
    })
}

/// Roots do not belong into bundles: whoever trusts what comes with the signature trusts anybody.
fn certificates(raw: Vec<RawBytes>) -> Result<Vec<Certificate>, String> {
    if raw.is_empty() {
        return Err("its certificate chain is empty".into());
    }
    if raw.len() > BUNDLE_CERTIFICATES_MAX {
        return Err(format!("it holds more than {BUNDLE_CERTIFICATES_MAX} certificates"));
    }
    let read = raw.into_iter().map(|one| Certificate::read(one.raw_bytes.0));
    let chain = read.collect::<Result<Vec<_>, _>>()?;
    if chain.iter().any(|certificate| certificate.issuer == certificate.subject) {
        return Err("its certificate chain has a root in it".into());
    }
    Ok(chain)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Bundle {
    #[serde(alias = "media_type")]
    media_type: String,
    #[serde(alias = "verification_material")]
    verification_material: Material,
    #[serde(default, alias = "message_signature")]
    message_signature: Option<MessageSignature>,
    #[serde(default, alias = "dsse_envelope")]
    dsse_envelope: Option<Envelope>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Material {
    #[serde(default, alias = "public_key")]
    public_key: Option<PublicKey>,
    #[serde(default, alias = "x509_certificate_chain")]
    x509_certificate_chain: Option<Chain>,
    #[serde(default)]
    certificate: Option<RawBytes>,
    #[serde(default, alias = "tlog_entries", deserialize_with = "list")]
    tlog_entries: Vec<Tle>,
    #[serde(default, alias = "timestamp_verification_data")]
    timestamp_verification_data: Option<Timestamps>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PublicKey {
    #[serde(default)]
    hint: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Chain {
    #[serde(default, deserialize_with = "list")]
    certificates: Vec<RawBytes>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawBytes {
    #[serde(rename = "rawBytes", alias = "raw_bytes")]
    raw_bytes: Bytes,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Timestamps {
    #[serde(
        default,
        rename = "rfc3161Timestamps",
        alias = "rfc3161_timestamps",
        deserialize_with = "list"
    )]
    rfc3161_timestamps: Vec<Timestamp>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Timestamp {
    #[serde(rename = "signedTimestamp", alias = "signed_timestamp")]
    signed_timestamp: Bytes,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct MessageSignature {
    #[serde(default, alias = "message_digest")]
    message_digest: Option<Digest>,
    signature: Bytes,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Digest {
    algorithm: serde_json::Value,
    digest: Bytes,
}

/// `io.intoto.Envelope`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Envelope {
    payload: Bytes,
    payload_type: String,
    #[serde(default, deserialize_with = "list")]
    signatures: Vec<EnvelopeSignature>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EnvelopeSignature {
    sig: Bytes,
    #[serde(default, rename = "keyid")]
    _keyid: Option<String>,
}

impl MessageSignature {
    fn read(self) -> Result<Content, String> {
        let digest = self.message_digest.map(|digest| {
            let algorithm = algorithm(&digest.algorithm);
            let algorithm = algorithm.ok_or("the algorithm of its message digest is not known")?;
            Ok::<_, String>((algorithm, digest.digest.0))
        });
        Ok(Content::Message { digest: digest.transpose()?, signature: self.signature.0 })
    }
}

impl Envelope {
    /// # Errors
    /// What is wrong with it.
    pub(super) fn read(self) -> Result<Content, String> {
        let [signature] = <[EnvelopeSignature; 1]>::try_from(self.signatures)
            .map_err(|all| format!("its envelope has {} signatures, not one", all.len()))?;
        Ok(Content::Envelope {
            payload_type: self.payload_type,
            payload: self.payload.0,
            signature: signature.sig.0,
        })
    }
}

/// `HashAlgorithm` of sigstore's protobuf-specs, by name or number.
fn algorithm(written: &serde_json::Value) -> Option<HashAlgorithm> {
    match (written.as_str(), written.as_u64()) {
        (Some("SHA2_256"), _) | (_, Some(1)) => Some(HashAlgorithm::Sha256),
        (Some("SHA2_384"), _) | (_, Some(2)) => Some(HashAlgorithm::Sha384),
        (Some("SHA2_512"), _) | (_, Some(3)) => Some(HashAlgorithm::Sha512),
        _ => None,
    }
}
