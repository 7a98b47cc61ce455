//! `TrustedRoot` as JSON: the members that are read, and times.

use serde::Deserialize;
use x509_cert::der::DateTime;

use super::super::json::{Bytes, list};
use super::{TrustRootError, Window};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Root {
    #[serde(alias = "media_type")]
    pub(super) media_type: String,
    #[serde(default, deserialize_with = "list")]
    pub(super) tlogs: Vec<Log>,
    #[serde(default, deserialize_with = "list")]
    pub(super) ctlogs: Vec<Log>,
    #[serde(default, alias = "certificate_authorities", deserialize_with = "list")]
    pub(super) certificate_authorities: Vec<CertificateAuthority>,
    #[serde(default, alias = "timestamp_authorities", deserialize_with = "list")]
    pub(super) timestamp_authorities: Vec<CertificateAuthority>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Log {
    #[serde(default, alias = "base_url")]
    pub(super) base_url: Option<String>,
    #[serde(alias = "public_key")]
    pub(super) public_key: PublicKey,
    #[serde(alias = "log_id")]
    pub(super) log_id: LogId,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PublicKey {
    #[serde(alias = "raw_bytes")]
    pub(super) raw_bytes: Bytes,
    #[serde(default, alias = "key_details")]
    pub(super) key_details: serde_json::Value,
    #[serde(default, alias = "valid_for")]
    pub(super) valid_for: Option<ValidFor>,
}

#[derive(Deserialize)]
pub(super) struct LogId {
    #[serde(rename = "keyId", alias = "key_id")]
    pub(super) key_id: Bytes,
}

#[derive(Deserialize)]
pub(super) struct ValidFor {
    pub(super) start: Option<String>,
    pub(super) end: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CertificateAuthority {
    pub(super) uri: Option<String>,
    #[serde(default)]
    pub(super) subject: Subject,
    #[serde(alias = "cert_chain")]
    pub(super) cert_chain: CertChain,
    #[serde(default, alias = "valid_for")]
    pub(super) valid_for: Option<ValidFor>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Subject {
    pub(super) organization: String,
    #[serde(alias = "common_name")]
    pub(super) common_name: String,
}

#[derive(Deserialize)]
pub(super) struct CertChain {
    #[serde(default, deserialize_with = "list")]
    pub(super) certificates: Vec<RawBytes>,
}

#[derive(Deserialize)]
pub(super) struct RawBytes {
    #[serde(rename = "rawBytes", alias = "raw_bytes")]
    pub(super) raw_bytes: Bytes,
}

impl Log {
    /// Name, ID and window.
    ///
    /// # Errors
    /// [`TrustRootError::Member`].
    pub(super) fn identity(&self) -> Result<(String, [u8; 32], Window), TrustRootError> {
        let id = &self.log_id.key_id.0;
        let name = self.base_url.clone().unwrap_or_else(|| format!("log {}", hex::encode(id)));
        let id = id.as_slice().try_into().map_err(|_| TrustRootError::Member {
            of: name.clone(),
            why: "its log ID does not have 32 bytes".into(),
        })?;
        let window = window(&name, self.public_key.valid_for.as_ref())?;
        Ok((name, id, window))
    }
}

/// A start has to be there: a root without one would trust a key from the beginning of time.
pub(super) fn window<V: std::borrow::Borrow<ValidFor>>(
    of: &str,
    valid_for: Option<V>,
) -> Result<Window, TrustRootError> {
    let member = |why: &str| TrustRootError::Member { of: of.to_owned(), why: why.to_owned() };
    let valid_for = valid_for.as_ref().map(std::borrow::Borrow::borrow);
    let start = valid_for.and_then(|valid_for| valid_for.start.as_deref());
    let start = start.ok_or_else(|| member("its validFor has no start"))?;
    let start = read_time(start).ok_or_else(|| member("its validFor.start is no time"))?;
    let end = valid_for.and_then(|valid_for| valid_for.end.as_deref());
    let end = end.map(|end| read_time(end).ok_or_else(|| member("its validFor.end is no time")));
    Ok(Window { start, end: end.transpose()? })
}

/// `YYYY-MM-DDThh:mm:ss[.f…]Z`, in whole seconds.
pub(super) fn read_time(text: &str) -> Option<i64> {
    let text = text.strip_suffix('Z').or_else(|| text.strip_suffix("+00:00"))?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let time: DateTime = format!("{whole}Z").parse().ok()?;
    i64::try_from(time.unix_duration().as_secs()).ok()
}
