//! Trust material: the trusted root and the signing config that clients of a log need, as JSON
//! (sigstore's `TrustedRoot` 0.1 and `SigningConfig` 0.2). Pure: what there is comes as arguments.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use x509_cert::Certificate;
use x509_cert::der::{DateTime, Decode as _, Encode as _};

const TRUSTED_ROOT: &str = "application/vnd.dev.sigstore.trustedroot+json;version=0.1";
const SIGNING_CONFIG: &str = "application/vnd.dev.sigstore.signingconfig.v0.2+json";

/// DER of an SPKI with an Ed25519 key begins with this (RFC 8410).
const ED25519_PREFIX: &[u8] = &[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70];

/// One tree that clients may trust.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedLog {
    /// Where it is reached, with the host name that is in its checkpoints.
    pub base_url: String,
    /// Its public key, SPKI DER: ECDSA P-256 or Ed25519.
    pub public_key: Vec<u8>,
    /// The ID of its key, 32 bytes.
    pub log_id: [u8; 32],
    /// 1 or 2.
    pub api: u8,
    /// When it was made, seconds since 1970.
    pub valid_from: i64,
    /// Whether entries go into it.
    pub active: bool,
}

/// A timestamp authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// Where it is asked.
    pub url: String,
    /// Its certificates, DER, its own first and the root last.
    pub chain: Vec<Vec<u8>>,
}

/// What else a signing config names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Services {
    /// Certificate authorities (Fulcio).
    pub fulcio_urls: Vec<String>,
    /// Issuers of identity tokens.
    pub oidc_urls: Vec<String>,
    /// Timestamp authorities.
    pub tsa_urls: Vec<String>,
}

/// Why there is no trust material.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// Another kind of file.
    #[error("this is no {wanted}: {why}")]
    NotOne {
        /// What it should be.
        wanted: &'static str,
        /// What is wrong.
        why: String,
    },
    /// A certificate that cannot be read.
    #[error("the timestamp authority's certificate cannot be read: {0}")]
    Certificate(#[from] x509_cert::der::Error),
    /// A time that RFC 3339 cannot say.
    #[error("{0} is no time")]
    Time(i64),
}

/// A trusted root with these logs, put into `existing` if there is one: its other parts stay, and
/// its entries for the same log IDs or timestamp authorities are replaced.
///
/// # Errors
/// As [`TrustError`] says.
pub fn trusted_root(
    logs: &[TrustedLog],
    authorities: &[Authority],
    existing: Option<&str>,
) -> Result<Value, TrustError> {
    let empty = json!({
        "mediaType": TRUSTED_ROOT,
        "tlogs": [], "certificateAuthorities": [], "ctlogs": [], "timestampAuthorities": [],
    });
    let mut root = parse(existing, empty, "trusted root", |media_type| {
        media_type.contains("vnd.dev.sigstore.trustedroot")
    })?;
    let logs = logs.iter().map(tlog).collect::<Result<Vec<_>, _>>()?;
    replace(&mut root, "tlogs", logs, |log| log["logId"]["keyId"].clone());
    let authorities = authorities.iter().map(authority).collect::<Result<Vec<_>, _>>()?;
    replace(&mut root, "timestampAuthorities", authorities, |found| found["uri"].clone());
    Ok(root)
}

/// A signing config that names these logs (the active ones) and services, put into `existing` if
/// there is one. The newest log of the highest API comes first.
///
/// # Errors
/// As [`TrustError`] says.
pub fn signing_config(
    logs: &[TrustedLog],
    services: &Services,
    existing: Option<&str>,
) -> Result<Value, TrustError> {
    let any = json!({ "selector": "ANY" });
    let empty = json!({
        "mediaType": SIGNING_CONFIG,
        "caUrls": [], "oidcUrls": [], "rekorTlogUrls": [], "tsaUrls": [],
        "rekorTlogConfig": any, "tsaConfig": any,
    });
    let mut config = parse(existing, empty, "signing config", |media_type| {
        media_type.contains("vnd.dev.sigstore.signingconfig.v0.2")
    })?;
    let mut active: Vec<_> = logs.iter().filter(|log| log.active).collect();
    active.sort_by_key(|log| std::cmp::Reverse((log.api, log.valid_from)));
    let since = active.iter().map(|log| log.valid_from).min().unwrap_or(0);
    let service = |url: &str, api: u8, since: i64| {
        let start = rfc_3339(since)?;
        let operator = operator(url);
        Ok::<_, TrustError>(json!({
            "url": url, "majorApiVersion": api, "validFor": { "start": start },
            "operator": operator,
        }))
    };
    let ours = active.iter().map(|log| service(&log.base_url, log.api, log.valid_from));
    let ours = ours.collect::<Result<Vec<_>, _>>()?;
    let name = |service: &Value| json!([service["url"], service["majorApiVersion"]]);
    replace(&mut config, "rekorTlogUrls", ours, name);
    for (member, urls) in [
        ("caUrls", &services.fulcio_urls),
        ("oidcUrls", &services.oidc_urls),
        ("tsaUrls", &services.tsa_urls),
    ] {
        let named = urls.iter().map(|url| service(url, 1, since)).collect::<Result<Vec<_>, _>>()?;
        replace(&mut config, member, named, name);
    }
    Ok(config)
}

fn parse(
    existing: Option<&str>,
    empty: Value,
    wanted: &'static str,
    is_it: impl Fn(&str) -> bool,
) -> Result<Value, TrustError> {
    let Some(text) = existing else { return Ok(empty) };
    let not_one = |why: String| TrustError::NotOne { wanted, why };
    let found: Value = serde_json::from_str(text).map_err(|error| not_one(error.to_string()))?;
    match found["mediaType"].as_str() {
        Some(media_type) if is_it(media_type) => Ok(found),
        Some(other) => Err(not_one(format!("its mediaType is {other:?}"))),
        None => Err(not_one("it has no mediaType".into())),
    }
}

/// Puts elements at the front of a list, and takes out those of the same name.
fn replace(of: &mut Value, member: &str, new: Vec<Value>, name: impl Fn(&Value) -> Value) {
    let names: Vec<Value> = new.iter().map(&name).collect();
    let old = of[member].as_array().cloned().unwrap_or_default();
    let kept = old.into_iter().filter(|element| !names.contains(&name(element)));
    of[member] = new.into_iter().chain(kept).collect();
}

fn tlog(log: &TrustedLog) -> Result<Value, TrustError> {
    let details = match log.public_key.starts_with(ED25519_PREFIX) {
        true => "PKIX_ED25519",
        false => "PKIX_ECDSA_P256_SHA_256",
    };
    Ok(json!({
        "baseUrl": log.base_url,
        "hashAlgorithm": "SHA2_256",
        "publicKey": {
            "rawBytes": STANDARD.encode(&log.public_key),
            "keyDetails": details,
            "validFor": { "start": rfc_3339(log.valid_from)? },
        },
        "logId": { "keyId": STANDARD.encode(log.log_id) },
    }))
}

fn authority(authority: &Authority) -> Result<Value, TrustError> {
    let mut certificates = Vec::new();
    let mut subject = json!({ "organization": "", "commonName": "" });
    let mut start = 0;
    for (n, der) in authority.chain.iter().enumerate() {
        let certificate = Certificate::from_der(der)?;
        if n == 0 {
            let parts = certificate.tbs_certificate();
            let seconds = parts.validity().not_before.to_unix_duration().as_secs();
            start = i64::try_from(seconds).unwrap_or(0);
            subject["commonName"] = parts.subject().to_string().into();
        }
        certificates.push(json!({ "rawBytes": STANDARD.encode(certificate.to_der()?) }));
    }
    Ok(json!({
        "subject": subject,
        "uri": authority.url,
        "certChain": { "certificates": certificates },
        "validFor": { "start": rfc_3339(start)? },
    }))
}

fn rfc_3339(seconds: i64) -> Result<String, TrustError> {
    let since = u64::try_from(seconds).ok().map(std::time::Duration::from_secs);
    let time = since.and_then(|since| DateTime::from_unix_duration(since).ok());
    time.map(|time| time.to_string()).ok_or(TrustError::Time(seconds))
}

/// Who runs a service, as far as its URL says: the host.
fn operator(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', ':']).next().unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(api: u8, valid_from: i64) -> TrustedLog {
        TrustedLog {
            base_url: format!("https://log{api}.example"),
            public_key: match api {
                1 => vec![1, 2, 3],
                _ => [ED25519_PREFIX, &[0x03, 0x21, 0x00], &[7; 32]].concat(),
            },
            log_id: [api; 32],
            api,
            valid_from,
            active: true,
        }
    }

    #[test]
    fn a_trusted_root_from_nothing() {
        let root = trusted_root(&[log(1, 0), log(2, 1_767_225_600)], &[], None).unwrap();
        assert_eq!(root["mediaType"], TRUSTED_ROOT);
        assert_eq!(root["tlogs"][0]["publicKey"]["keyDetails"], "PKIX_ECDSA_P256_SHA_256");
        let expected = json!({
            "baseUrl": "https://log2.example",
            "hashAlgorithm": "SHA2_256",
            "publicKey": {
                "rawBytes": STANDARD.encode(log(2, 0).public_key),
                "keyDetails": "PKIX_ED25519",
                "validFor": { "start": "2026-01-01T00:00:00Z" },
            },
            "logId": { "keyId": STANDARD.encode([2; 32]) },
        });
        assert_eq!(root["tlogs"][1], expected);
    }

    #[test]
    fn merging_keeps_what_is_not_ours() {
        let existing = json!({
            "mediaType": TRUSTED_ROOT,
            "tlogs": [
                { "logId": { "keyId": STANDARD.encode([2; 32]) }, "baseUrl": "https://old" },
                { "logId": { "keyId": "Zm9yZWlnbg==" }, "baseUrl": "https://foreign" },
            ],
            "certificateAuthorities": [{ "uri": "https://fulcio" }],
            "somethingNew": 7,
        });
        let merged = trusted_root(&[log(2, 0)], &[], Some(&existing.to_string())).unwrap();
        let urls: Vec<_> =
            merged["tlogs"].as_array().unwrap().iter().map(|log| log["baseUrl"].clone()).collect();
        assert_eq!(urls, ["https://log2.example", "https://foreign"]);
        assert_eq!(merged["certificateAuthorities"], existing["certificateAuthorities"]);
        assert_eq!(merged["somethingNew"], 7);
        let again = trusted_root(&[log(2, 0)], &[], Some(&merged.to_string())).unwrap();
        assert_eq!(again, merged, "merging twice changes nothing");
    }

    #[test]
    fn a_signing_config_names_the_newest_first() {
        let frozen = TrustedLog { active: false, ..log(2, 5) };
        let services =
            Services { tsa_urls: vec!["https://tsa.example/x".into()], ..Services::default() };
        let config = signing_config(&[log(1, 9), frozen, log(2, 3), log(2, 8)], &services, None);
        let config = config.unwrap();
        let logs = config["rekorTlogUrls"].as_array().unwrap();
        let order: Vec<_> = logs
            .iter()
            .map(|log| (log["majorApiVersion"].as_u64(), log["validFor"]["start"].as_str()))
            .collect();
        assert_eq!(
            order,
            [
                (Some(2), Some("1970-01-01T00:00:08Z")),
                (Some(2), Some("1970-01-01T00:00:03Z")),
                (Some(1), Some("1970-01-01T00:00:09Z")),
            ]
        );
        assert_eq!(config["tsaUrls"][0]["operator"], "tsa.example");
        assert_eq!(config["tsaConfig"], json!({ "selector": "ANY" }));
    }

    #[test]
    fn other_files_are_refused() {
        for text in ["{", "{}", r#"{"mediaType":"text/plain"}"#] {
            let error = trusted_root(&[], &[], Some(text)).unwrap_err().to_string();
            assert!(error.starts_with("this is no trusted root"), "{error}");
        }
        let old = r#"{"mediaType":"application/vnd.dev.sigstore.signingconfig.v0.1+json"}"#;
        assert!(signing_config(&[], &Services::default(), Some(old)).is_err());
    }
}
