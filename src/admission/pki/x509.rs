//! The format `x509`: a PEM public key (PKIX), a certificate, or a chain of up to ten.
//!
//! A signature is opaque bytes; the canonical key is the same block or blocks in strict PEM. The
//! chain's verification is in `chain`, its subjects in `subjects`.

use x509_cert::Certificate as ParsedCertificate;
use x509_cert::der::Decode as _;

use super::key::{HashAlgorithm, Key, VerifyError};
use super::pem::{self, Block};
use super::{CanonicalKey, Format, Verified, chain, der, subjects};

pub(super) const FORMAT: Format = Format { name: "x509", read_key, verify };

/// Certificates in one key.
const CERTIFICATES_MAX: usize = 10;

const PUBLIC_KEY: &str = "PUBLIC KEY";
const CERTIFICATE: &str = "CERTIFICATE";
const NO_SIGNATURE: &str = "X509 signature has not been initialized";

/// A parsed key with what the log and the index need of it.
pub(crate) struct PublicKey {
    key: Key,
    canonical: String,
    subjects: Vec<String>,
    /// Empty for a bare key; the leaf first.
    certificates: Vec<Certificate>,
}

/// A certificate, with the bytes that signatures and names are compared over.
pub(crate) struct Certificate {
    pub(crate) der: Vec<u8>,
    /// Where in it the part is that is signed.
    pub(crate) signed: std::ops::Range<usize>,
    pub(crate) parsed: ParsedCertificate,
    pub(crate) issuer: Vec<u8>,
    pub(crate) subject: Vec<u8>,
    /// The subject's key, as SubjectPublicKeyInfo.
    pub(crate) spki: Vec<u8>,
    pub(crate) key: Key,
}

impl PublicKey {
    /// Reads PEM.
    ///
    /// # Errors
    /// The text for the client.
    pub(crate) fn from_pem(text: &[u8]) -> Result<Self, String> {
        let text = pem::trimmed(text);
        let (block, rest) =
            pem::first_block(text).ok_or("invalid public key: failure decoding PEM")?;
        if !rest.is_empty() {
            return Self::from_chain(text);
        }
        match block.label.as_str() {
            PUBLIC_KEY => Self::from_spki(&block.contents),
            CERTIFICATE => Self::from_certificates(vec![Certificate::from_block(block)?]),
            other => Err(format!("invalid public key: cannot handle type {other}")),
        }
    }

    /// Reads a SubjectPublicKeyInfo, DER.
    ///
    /// # Errors
    /// The text for the client.
    pub(crate) fn from_spki(spki: &[u8]) -> Result<Self, String> {
        let key = match Key::from_spki(spki)? {
            key @ Key::Unknown(_) => {
                return Err(format!("x509: unknown public key algorithm: {key}"));
            }
            key => key,
        };
        let mut canonical = String::new();
        pem::write(&mut canonical, PUBLIC_KEY, spki);
        Ok(Self { key, canonical, subjects: Vec::new(), certificates: Vec::new() })
    }

    /// Reads one certificate, DER; the two algorithms that it names for its signature must be one.
    ///
    /// # Errors
    /// The text for the client.
    pub(crate) fn from_certificate(der: &[u8]) -> Result<Self, String> {
        let certificate = Certificate::read(der.to_vec())?;
        let parsed = &certificate.parsed;
        if parsed.signature_algorithm() != parsed.tbs_certificate().signature() {
            return Err("x509: inner and outer signature algorithm identifiers don't match".into());
        }
        Self::from_certificates(vec![certificate])
    }

    fn from_chain(mut text: &[u8]) -> Result<Self, String> {
        let mut certificates = Vec::new();
        while !text.is_empty() {
            if certificates.len() == CERTIFICATES_MAX {
                return Err("too many certificates specified in PEM block".into());
            }
            let (block, rest) = pem::first_block(text).ok_or("error during PEM decoding")?;
            certificates.push(Certificate::from_block(block)?);
            text = rest;
        }
        Self::from_certificates(certificates)
    }

    fn from_certificates(certificates: Vec<Certificate>) -> Result<Self, String> {
        let mut canonical = String::new();
        for certificate in &certificates {
            pem::write(&mut canonical, CERTIFICATE, &certificate.der);
        }
        let leaf = certificates.first().ok_or("x509 public key has not been initialized")?;
        let (key, subjects) = (leaf.key.clone(), leaf.subjects()?);
        Ok(Self { key, canonical, subjects, certificates })
    }

    /// The key itself; of a chain, the leaf's.
    pub(crate) fn key(&self) -> &Key {
        &self.key
    }

    /// Strict PEM.
    pub(crate) fn canonical(&self) -> &[u8] {
        self.canonical.as_bytes()
    }

    /// The names in the leaf certificate.
    pub(crate) fn subjects(&self) -> &[String] {
        &self.subjects
    }

    /// Checks a signature over content, and the chain if there is one.
    pub(crate) fn verify_content(
        &self,
        content: &[u8],
        signature: &[u8],
    ) -> Result<(), VerifyError> {
        self.before_verifying(signature)?;
        self.key.verify_content(content, signature)
    }

    /// Checks a signature over a digest, and the chain if there is one.
    pub(crate) fn verify_digest(
        &self,
        hash: HashAlgorithm,
        digest: &[u8],
        signature: &[u8],
    ) -> Result<(), VerifyError> {
        self.before_verifying(signature)?;
        self.key.verify_digest(hash, digest, signature)
    }

    fn before_verifying(&self, signature: &[u8]) -> Result<(), VerifyError> {
        if signature.is_empty() {
            return Err(VerifyError::Invalid(NO_SIGNATURE.into()));
        }
        chain::verify(&self.certificates).map_err(VerifyError::Invalid)
    }
}

impl Certificate {
    fn from_block(block: Block) -> Result<Self, String> {
        if block.label == PUBLIC_KEY {
            // What a key looks like when it is taken for a certificate.
            return Err("x509: malformed serial number".into());
        }
        Self::read(block.contents)
    }

    /// Reads one, DER.
    ///
    /// # Errors
    /// The text for the client.
    pub(crate) fn read(der: Vec<u8>) -> Result<Self, String> {
        Self::from_der(der)
            .map_err(|error| error.unwrap_or_else(|| "x509: malformed certificate".into()))
    }

    /// The error is `None` where there is no better word than malformed.
    fn from_der(bytes: Vec<u8>) -> Result<Self, Option<String>> {
        let parsed = ParsedCertificate::from_der(&bytes)
            .map_err(|error| Some(format!("x509: malformed certificate: {error}")))?;
        let signed = der::element(&bytes).and_then(|all| der::element(all.value)).ok_or(None)?;
        // The header of the outer SEQUENCE stands before the signed part.
        let start = bytes.len() - signed.whole.len() - signed.rest.len();
        let range = start..start + signed.whole.len();
        // [version], serial number, signature algorithm, issuer, validity, subject, key.
        let fields: Vec<_> = der::elements(signed.value).take(7).collect();
        let after = usize::from(fields.first().is_some_and(|field| field.tag == der::CONTEXT_0));
        let field = |at: usize| fields.get(after + at).map(|field| field.whole).ok_or(None);
        let (issuer, subject) = (field(2)?.to_vec(), field(4)?.to_vec());
        let spki = field(5)?.to_vec();
        let key = Key::from_spki(&spki).map_err(Some)?;
        Ok(Self { signed: range, parsed, issuer, subject, spki, key, der: bytes })
    }

    /// The names in it, in the order of `subjects`.
    ///
    /// # Errors
    /// The text for the client.
    pub(crate) fn subjects(&self) -> Result<Vec<String>, String> {
        match self.extension(chain::SUBJECT_ALT_NAME) {
            Some(value) => subjects::read(value),
            None => Ok(Vec::new()),
        }
    }

    /// The value of an extension.
    pub(crate) fn extension(&self, id: x509_cert::der::asn1::ObjectIdentifier) -> Option<&[u8]> {
        let extensions = self.parsed.tbs_certificate().extensions()?;
        let found = extensions.iter().find(|extension| extension.extn_id == id)?;
        Some(found.extn_value.as_bytes())
    }
}

fn read_key(key: &[u8]) -> Result<CanonicalKey, String> {
    PublicKey::from_pem(key).map(PublicKey::into_canonical)
}

impl PublicKey {
    fn into_canonical(self) -> CanonicalKey {
        CanonicalKey { value: self.canonical.into_bytes(), subjects: self.subjects }
    }
}

fn verify(content: &[u8], signature: &[u8], key: &[u8]) -> Result<Verified, String> {
    let key = PublicKey::from_pem(key)?;
    key.verify_content(content, signature).map_err(|error| error.to_string())?;
    Ok(Verified { signature: signature.to_vec(), key: key.into_canonical() })
}
