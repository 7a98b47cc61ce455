//! TLS to the server: its certificate is verified, always.

use std::path::Path;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio_postgres_rustls::MakeRustlsConnect;

/// Whether connections are encrypted, and how the server is known.
#[derive(Clone)]
pub(super) enum Tls {
    /// They are not.
    Off,
    /// They are.
    On(Arc<ClientConfig>),
}

impl Tls {
    /// Verifies the server against the certificates in `root`, or against those that the machine
    /// trusts. `identity` is a certificate and its key, which the server may ask for.
    ///
    /// # Errors
    /// What is wrong with which file.
    pub(super) fn verifying(
        root: Option<&Path>,
        identity: Option<(&Path, &Path)>,
    ) -> Result<Self, String> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let builder = match root {
            Some(path) => {
                let mut roots = rustls::RootCertStore::empty();
                for certificate in certificates(path)? {
                    roots.add(certificate).map_err(|error| at(path, &error))?;
                }
                builder.with_root_certificates(roots)
            }
            None => builder.with_platform_verifier().map_err(|error| error.to_string())?,
        };
        let config = match identity {
            Some((certificate, key)) => {
                let key_der = PrivateKeyDer::from_pem_file(key).map_err(|error| at(key, &error))?;
                builder
                    .with_client_auth_cert(certificates(certificate)?, key_der)
                    .map_err(|error| at(certificate, &error))?
            }
            None => builder.with_no_client_auth(),
        };
        Ok(Self::On(Arc::new(config)))
    }

    /// The same for tokio-postgres; `None` when connections are not encrypted.
    pub(super) fn connector(&self) -> Option<MakeRustlsConnect> {
        match self {
            Self::Off => None,
            Self::On(config) => Some(MakeRustlsConnect::new((**config).clone())),
        }
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let all = CertificateDer::pem_file_iter(path).map_err(|error| at(path, &error))?;
    let all: Vec<_> = all.collect::<Result<_, _>>().map_err(|error| at(path, &error))?;
    if all.is_empty() { Err(at(path, &"holds no certificate")) } else { Ok(all) }
}

fn at(path: &Path, error: &dyn std::fmt::Display) -> String {
    format!("{}: {error}", path.display())
}
