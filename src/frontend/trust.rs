//! `GET /trusted_root.json` and `GET /signing_config.json`: the trust material of a site's own
//! logs.

use hyper::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};

use super::reply::json;
use super::server::Reply;
use super::sites::Site;
use super::status::Problem;
use crate::log::{Api, Log};
use crate::shard::Shard;
use crate::trust::{Services, TrustedLog, signing_config, trusted_root};

/// One of the two files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum File {
    TrustedRoot,
    SigningConfig,
}

impl File {
    /// The file at a path.
    pub(crate) fn at(path: &str) -> Option<Self> {
        match path {
            "/trusted_root.json" => Some(Self::TrustedRoot),
            "/signing_config.json" => Some(Self::SigningConfig),
            _ => None,
        }
    }

    /// The path that metrics show.
    pub(crate) fn template(self) -> &'static str {
        match self {
            Self::TrustedRoot => "/trusted_root.json",
            Self::SigningConfig => "/signing_config.json",
        }
    }

    /// Answers a request.
    pub(crate) fn answer(self, site: Option<&Site>, parts: &Parts) -> Reply {
        if parts.method != Method::GET && parts.method != Method::HEAD {
            let method = parts.method.to_string();
            return Problem::MethodNotAllowed(method, &["GET", "HEAD"]).into_reply();
        }
        let logs = site.map(|site| trusted(site, parts)).unwrap_or_default();
        let made = match self {
            Self::TrustedRoot => trusted_root(&logs, &[], None),
            Self::SigningConfig => signing_config(&logs, &Services::default(), None),
        };
        let mut reply = match made {
            Ok(value) => json(StatusCode::OK, format!("{value:#}\n")),
            Err(error) => {
                let text = "the trust material cannot be made";
                return Problem::Failed(text.into(), error.to_string()).into_reply();
            }
        };
        let headers = reply.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        reply
    }
}

fn trusted(site: &Site, parts: &Parts) -> Vec<TrustedLog> {
    let of_log = |log: &Log| -> Vec<TrustedLog> {
        let last = log.shards().len() - 1;
        let shards = log.shards().iter().enumerate();
        let api = if log.api() == Api::V1 { 1 } else { 2 };
        let trusted = |(n, shard): (usize, &Shard)| TrustedLog {
            base_url: site.trusted_url(shard.key_name(), parts),
            public_key: shard.record().public_key.clone(),
            log_id: shard.log_id(),
            api,
            valid_from: shard.record().created,
            active: n == last && !log.frozen(),
        };
        shards.map(trusted).collect()
    };
    let logs = site.logs.iter().filter(|log| log.api() != Api::Raw);
    logs.flat_map(|log| of_log(log)).collect()
}
