//! Where a server is: `http://host:port[/prefix]`, resolved once, so that what was checked is what
//! is dialled. Other machines are refused unless they are owned.

use std::net::{SocketAddr, ToSocketAddrs};

use crate::plan::PlanError;

/// Where the server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerAddress {
    /// `host:port` as given, for the `Host` header and the report.
    pub authority: String,
    /// The address that is dialled.
    pub socket: SocketAddr,
}

/// A server, and what stands before the paths of its API or of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    /// The server.
    pub server: ServerAddress,
    /// Empty, or `/` and a path that does not end in `/`.
    pub prefix: String,
}

/// Resolves `http://host:port[/prefix]` and refuses other machines unless they are owned.
///
/// # Errors
/// Other forms of URL, names that do not resolve, and addresses beyond loopback if not `owned`.
pub fn parse_base(url: &str, owned: bool) -> Result<Base, PlanError> {
    let refuse = || PlanError::Url(url.to_owned());
    let rest = url.strip_prefix("http://").ok_or_else(refuse)?;
    let (given, prefix) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
    if given.is_empty() || rest.contains(['?', '#', '@', ' ']) {
        return Err(refuse());
    }
    let has_port = given.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let authority = if has_port { given.to_owned() } else { format!("{given}:80") };
    let resolved: Vec<SocketAddr> = authority
        .to_socket_addrs()
        .map_err(|error| PlanError::Resolve(authority.clone(), error))?
        .collect();
    if !owned && !resolved.iter().all(|address| address.ip().to_canonical().is_loopback()) {
        return Err(PlanError::NotLoopback(authority));
    }
    let v4_first = resolved.iter().find(|address| address.is_ipv4()).or(resolved.first());
    let socket = *v4_first.ok_or_else(refuse)?;
    Ok(Base { server: ServerAddress { authority, socket }, prefix: prefix.to_owned() })
}

/// The same without a prefix: Rekor v1 stands at the root of its server.
///
/// # Errors
/// As for [`parse_base`].
pub fn parse_server(url: &str, owned: bool) -> Result<Base, PlanError> {
    let base = parse_base(url, owned)?;
    if base.prefix.is_empty() { Ok(base) } else { Err(PlanError::Server(url.to_owned())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_machines_are_refused_unless_owned() {
        for url in ["http://192.0.2.1:3000", "http://0.0.0.0:3000", "http://[2001:db8::1]:3000/x"] {
            assert!(matches!(parse_base(url, false), Err(PlanError::NotLoopback(_))), "{url}");
            assert!(parse_base(url, true).is_ok(), "{url}");
        }
        for url in ["http://127.0.0.1:3000", "http://127.9.9.9:1/", "http://[::1]:3000"] {
            assert!(parse_server(url, false).is_ok(), "{url}");
        }
    }

    #[test]
    fn urls_of_another_form_are_refused() {
        for url in ["https://127.0.0.1:3000", "127.0.0.1:3000", "http://", "http://127.0.0.1:1/?x"]
        {
            assert!(matches!(parse_server(url, false), Err(PlanError::Url(_))), "{url}");
        }
        let prefixed = parse_server("http://127.0.0.1:1/x", false);
        assert!(matches!(prefixed, Err(PlanError::Server(_))));
        assert_eq!(parse_server("http://127.0.0.1", false).unwrap().server.socket.port(), 80);
    }

    #[test]
    fn prefixes_end_without_a_slash() {
        for (url, prefix) in [
            ("http://127.0.0.1:1", ""),
            ("http://127.0.0.1:1/", ""),
            ("http://127.0.0.1:1/logs/ab/", "/logs/ab"),
        ] {
            assert_eq!(parse_base(url, false).unwrap().prefix, prefix, "{url}");
        }
    }
}
