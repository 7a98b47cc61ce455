//! How a server is named: a URL as PostgreSQL's own tools take it, and what goes with it.

use std::path::PathBuf;
use std::time::Duration;

use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

use super::tls::Tls;
use crate::StorageError;

/// Where the store is, and how it is talked to.
#[derive(Clone)]
pub struct Options {
    /// `postgres://user@host:port/database?sslmode=verify-full&sslrootcert=FILE`. Several hosts,
    /// with commas between them, are tried until one takes writes.
    pub url: String,
    /// The user's password, if one is asked for.
    pub password: Option<String>,
    /// Connections for reads, at most. As many as 8 more write.
    pub connections_max: usize,
    /// Use a server that may acknowledge what it can still lose.
    pub accept_data_loss: bool,
    /// Leave the tables as they are: none is made or brought over from an older version.
    pub read_only: bool,
}

impl Options {
    /// The server at this URL, to be written to: no password, 16 connections, no loss.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            password: None,
            connections_max: 16,
            accept_data_loss: false,
            read_only: false,
        }
    }
}

/// Not with the password in it: a URL holds none, see [`parse`].
impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options").field("url", &self.url).finish_non_exhaustive()
    }
}

/// A server and how it is known.
pub(super) struct Server {
    pub(super) config: tokio_postgres::Config,
    pub(super) tls: Tls,
}

/// The parameters of libpq that tokio-postgres leaves to the TLS library.
#[derive(Default)]
struct TlsParameters {
    mode: Option<String>,
    root: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
}

/// Reads the URL.
///
/// A connection that crosses a network is encrypted, and the server proves its name, unless
/// `sslmode=disable` says otherwise. The modes in between trust whoever answers, and are refused.
///
/// # Errors
/// [`StorageError::Engine`] when it is no such URL, holds a password, or names what cannot be read.
pub(super) fn parse(options: &Options) -> Result<Server, StorageError> {
    let (url, tls) = split(&options.url);
    let mut config: tokio_postgres::Config =
        url.parse().map_err(|error| refused(format!("not a PostgreSQL URL: {error}")))?;
    if config.get_password().is_some() {
        let why = "the URL holds a password, which every process of this machine could read: set \
                   storage_password_file, or CAIRN_STORAGE_PASSWORD";
        return Err(refused(why));
    }
    if let Some(password) = &options.password {
        config.password(password);
    }
    let encrypted = match tls.mode.as_deref() {
        None => !is_local(&config),
        Some("disable") => false,
        Some("require" | "verify-full") => true,
        Some(other) => {
            return Err(refused(format!(
                "sslmode={other} trusts a server that proves nothing: use verify-full or disable"
            )));
        }
    };
    config.ssl_mode(if encrypted { SslMode::Require } else { SslMode::Disable });
    let tls = match encrypted {
        true => {
            Tls::verifying(tls.root.as_deref(), tls.certificate.as_deref().zip(tls.key.as_deref()))
                .map_err(refused)?
        }
        false => Tls::Off,
    };
    if config.get_application_name().is_none() {
        config.application_name("cairn");
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(Duration::from_secs(5));
    }
    // A standby that is not promoted yet is passed over.
    config.target_session_attrs(TargetSessionAttrs::ReadWrite);
    // A server that is gone without a word is noticed within some ten seconds.
    config.keepalives_idle(Duration::from_secs(5));
    config.keepalives_interval(Duration::from_secs(2));
    config.keepalives_retries(3);
    config.tcp_user_timeout(Duration::from_secs(10));
    Ok(Server { config, tls })
}

/// Takes the parameters of TLS out of a URL.
fn split(url: &str) -> (String, TlsParameters) {
    let mut tls = TlsParameters::default();
    let Some((head, query)) = url.split_once('?') else { return (url.to_owned(), tls) };
    let mut rest = Vec::new();
    for parameter in query.split('&') {
        match parameter.split_once('=') {
            Some(("sslmode", value)) => tls.mode = Some(value.to_owned()),
            Some(("sslrootcert", value)) => tls.root = Some(path(value)),
            Some(("sslcert", value)) => tls.certificate = Some(path(value)),
            Some(("sslkey", value)) => tls.key = Some(path(value)),
            _ => rest.push(parameter),
        }
    }
    (if rest.is_empty() { head.to_owned() } else { format!("{head}?{}", rest.join("&")) }, tls)
}

/// A path in a URL; `%2F` is the one escape that libpq's users write there.
fn path(value: &str) -> PathBuf {
    value.replace("%2F", "/").replace("%2f", "/").into()
}

/// Whether no network is between us and any of the hosts.
fn is_local(config: &tokio_postgres::Config) -> bool {
    config.get_hosts().iter().all(|host| match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost"
                || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        }
    })
}

pub(super) fn refused(why: impl Into<String>) -> StorageError {
    StorageError::Engine(why.into().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(url: &str) -> Result<SslMode, String> {
        let server = parse(&Options::new(url)).map_err(|error| error.to_string())?;
        Ok(server.config.get_ssl_mode())
    }

    #[test]
    fn what_crosses_a_network_is_encrypted() {
        for local in ["localhost", "127.0.0.1:5433", "%2Frun%2Fpostgresql"] {
            assert_eq!(mode(&format!("postgres://cairn@{local}/log")), Ok(SslMode::Disable));
        }
        for far in ["db.example", "10.0.0.7", "localhost,db.example"] {
            assert_eq!(mode(&format!("postgres://cairn@{far}/log")), Ok(SslMode::Require));
        }
        let off = "postgres://cairn@db.example/log?sslmode=disable&application_name=x";
        assert_eq!(mode(off), Ok(SslMode::Disable));
    }

    #[test]
    fn what_cannot_be_trusted_is_refused() {
        for (url, why) in [
            ("postgres://cairn@db.example/log?sslmode=prefer", "sslmode=prefer trusts"),
            ("postgres://cairn:secret@db.example/log", "holds a password"),
            ("postgres://cairn@db.example/log?nonsense=1", "not a PostgreSQL URL"),
            ("postgres://cairn@db.example/log?sslrootcert=/not/there", "/not/there"),
        ] {
            let error = mode(url).unwrap_err();
            assert!(error.contains(why), "{url}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
