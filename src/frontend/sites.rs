//! Which logs a request can see: those behind its host name, or behind the start of its path.
//!
//! A site is a set of logs that share a door. What is asked at one site never reaches the logs of
//! another.

use std::collections::HashMap;
use std::sync::Arc;

use hyper::http::request::Parts;
use hyper::http::uri::PathAndQuery;
use hyper::{Uri, header::HOST};

use crate::log::{Api, Log};
use crate::shard::Shard;

/// A log, and where it is found.
pub struct Door {
    /// The host name in lower case without port, if it has one of its own.
    pub host: Option<String>,
    /// The start of its paths: empty, or `/…` without a slash at the end.
    pub path_prefix: String,
    /// Where clients reach the server, if that is known.
    pub public_url: Option<String>,
    /// The log.
    pub log: Arc<Log>,
}

/// The logs behind one door.
#[derive(Default)]
pub(crate) struct Site {
    /// The start of its paths.
    pub(crate) path_prefix: String,
    /// Where clients reach it, if that is known; without the prefix.
    pub(crate) public_url: Option<String>,
    /// All of them, in the order of the configuration.
    pub(crate) logs: Vec<Arc<Log>>,
}

impl Site {
    /// The one that answers an API, if there is one.
    pub(crate) fn log(&self, api: Api) -> Option<&Arc<Log>> {
        self.logs.iter().find(|log| log.api() == api)
    }

    /// The one that is meant where none is named: the v2 log, or the only one.
    pub(crate) fn default_log(&self) -> Option<&Arc<Log>> {
        let only = || match self.logs.as_slice() {
            [only] => Some(only),
            _ => None,
        };
        self.log(Api::V2).or_else(only)
    }

    /// The tree with this log ID (64 hexadecimal digits in lower case), or the active one of the
    /// log with this name.
    pub(crate) fn shard(&self, id: &str) -> Option<(&Arc<Log>, &Shard)> {
        let mut shards =
            self.logs.iter().flat_map(|log| log.shards().iter().map(move |shard| (log, shard)));
        shards.find(|(_, shard)| hex::encode(shard.log_id()) == id).or_else(|| {
            let named = self.logs.iter().find(|log| log.name() == id);
            named.map(|log| (log, log.active()))
        })
    }

    /// The same for trust material, where the host has to be the one in the log's checkpoints: as
    /// it was set, or that host at the port that the request says.
    pub(crate) fn trusted_url(&self, hostname: &str, parts: &Parts) -> String {
        if self.public_url.is_some() {
            return self.base_url(parts);
        }
        let port = authority(parts).and_then(|authority| authority.rsplit_once(':'));
        let port = port.and_then(|(_, port)| port.parse::<u16>().ok());
        let port = port.map_or(String::new(), |port| format!(":{port}"));
        format!("http://{hostname}{port}{}", self.path_prefix)
    }

    /// Where clients reach it, without a slash at the end: as it was set, or as the request says.
    pub(crate) fn base_url(&self, parts: &Parts) -> String {
        let base = match &self.public_url {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => format!("http://{}", authority(parts).unwrap_or("localhost")),
        };
        base + &self.path_prefix
    }
}

/// All logs of the process, by their doors.
pub struct Sites {
    by_host: HashMap<String, Vec<Arc<Site>>>,
    anywhere: Vec<Arc<Site>>, // longest prefix first, the root last
}

impl Sites {
    /// Puts the logs behind their doors.
    pub fn new(doors: Vec<Door>) -> Self {
        let (mut by_host, mut anywhere) = (HashMap::<_, Vec<Site>>::new(), Vec::new());
        for door in doors {
            let place = match door.host {
                Some(host) => by_host.entry(host).or_default(),
                None => &mut anywhere,
            };
            let known = place.iter().position(|site| site.path_prefix == door.path_prefix);
            let at = known.unwrap_or_else(|| {
                let path_prefix = door.path_prefix;
                place.push(Site { path_prefix, ..Site::default() });
                place.len() - 1
            });
            place[at].public_url = place[at].public_url.take().or(door.public_url);
            place[at].logs.push(door.log);
        }
        let sorted = |mut place: Vec<Site>| -> Vec<Arc<Site>> {
            place.sort_by_key(|site| std::cmp::Reverse(site.path_prefix.len()));
            place.into_iter().map(Arc::new).collect()
        };
        let by_host = by_host.into_iter().map(|(host, place)| (host, sorted(place))).collect();
        Self { by_host, anywhere: sorted(anywhere) }
    }

    /// One log at the root.
    pub fn single(log: Arc<Log>) -> Self {
        let (host, public_url, path_prefix) = (None, None, String::new());
        Self::new(vec![Door { host, path_prefix, public_url, log }])
    }

    /// The logs that a probe at a site speaks of: at the root all, so that one question tells of
    /// the whole process; elsewhere those of the site, which learns nothing of the others.
    pub(crate) fn probed<'a>(&'a self, site: Option<&'a Arc<Site>>) -> Vec<&'a Arc<Log>> {
        let root = self.anywhere.iter().find(|site| site.path_prefix.is_empty());
        match site {
            Some(site) if !root.is_some_and(|root| Arc::ptr_eq(root, site)) => {
                site.logs.iter().collect()
            }
            _ => self.all().collect(),
        }
    }

    /// All logs, each once.
    fn all(&self) -> impl Iterator<Item = &Arc<Log>> {
        let sites = self.by_host.values().chain([&self.anywhere]).flatten();
        sites.flat_map(|site| &site.logs)
    }

    /// The site that a request is for; its path loses the site's prefix. A host that has sites of
    /// its own leads to no others.
    pub(crate) fn enter(&self, parts: &mut Parts) -> Option<&Arc<Site>> {
        let place = match host(parts).and_then(|host| self.by_host.get(&host)) {
            Some(place) => place,
            None => &self.anywhere,
        };
        let path = parts.uri.path();
        let site = place.iter().find(|site| {
            let rest = path.strip_prefix(site.path_prefix.as_str());
            site.path_prefix.is_empty() || rest.is_some_and(|rest| rest.starts_with('/'))
        })?;
        if !site.path_prefix.is_empty() {
            strip(parts, site.path_prefix.len());
        }
        Some(site)
    }
}

/// Host and port as the client says them.
fn authority(parts: &Parts) -> Option<&str> {
    let named = parts.uri.authority().map(hyper::http::uri::Authority::as_str);
    named.or_else(|| parts.headers.get(HOST)?.to_str().ok())
}

/// The host that is asked, in lower case without port: `:authority` of HTTP/2 before `Host`.
fn host(parts: &Parts) -> Option<String> {
    let named = match parts.uri.host() {
        Some(host) => host,
        None => {
            let value = parts.headers.get(HOST)?.to_str().ok()?;
            let port = value.rfind(':').filter(|at| !value[*at..].contains(']'));
            &value[..port.unwrap_or(value.len())]
        }
    };
    // A dot at the end is the same host (RFC 1034 §3.1).
    Some(named.strip_suffix('.').unwrap_or(named).to_ascii_lowercase())
}

/// Takes the first bytes off the path; what is left begins with a slash.
fn strip(parts: &mut Parts, bytes: usize) {
    let rest = parts.uri.path_and_query().map(|path| path.as_str()[bytes..].to_owned());
    let rest = rest.and_then(|rest| PathAndQuery::try_from(rest).ok());
    let mut uri = parts.uri.clone().into_parts();
    uri.path_and_query = rest;
    if let Ok(uri) = Uri::from_parts(uri) {
        parts.uri = uri;
    }
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    fn site(prefix: &str) -> Arc<Site> {
        Arc::new(Site { path_prefix: prefix.into(), ..Site::default() })
    }

    /// The prefix of the site that is entered, and the path that is left.
    fn entered(uri: &str, host: Option<&str>) -> Option<(String, String)> {
        let sites = Sites {
            by_host: HashMap::from([("team.example".into(), vec![site("/x"), site("")])]),
            anywhere: vec![site("/team-a/b"), site("/team-a"), site("")],
        };
        let mut request = Request::get(uri);
        if let Some(host) = host {
            request = request.header(HOST, host);
        }
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        let entered = sites.enter(&mut parts)?;
        let left = parts.uri.path_and_query().unwrap().to_string();
        Some((entered.path_prefix.clone(), left))
    }

    #[test]
    fn by_path() {
        let is = |uri: &str, prefix: &str, left: &str| {
            assert_eq!(entered(uri, None), Some((prefix.into(), left.into())), "{uri}");
        };
        is("/checkpoint", "", "/checkpoint");
        is("/team-a/checkpoint?x=1", "/team-a", "/checkpoint?x=1");
        is("/team-a/b/logs", "/team-a/b", "/logs");
        is("/team-ab/logs", "", "/team-ab/logs");
        is("/team-a", "", "/team-a");
    }

    #[test]
    fn by_host() {
        for host in ["team.example", "TEAM.example:3000", "team.example."] {
            assert_eq!(entered("/logs", Some(host)), Some(("".into(), "/logs".into())));
            let (prefix, left) = entered("/team-a/logs", Some(host)).unwrap();
            assert_eq!((prefix.as_str(), left.as_str()), ("", "/team-a/logs"), "not its path");
            assert_eq!(entered("/x/logs", Some(host)), Some(("/x".into(), "/logs".into())));
        }
        assert_eq!(entered("http://team.example:1/x/logs", None).unwrap().0, "/x");
        assert_eq!(entered("/x/logs", Some("[::1]:80")), Some(("".into(), "/x/logs".into())));
    }
}
