//! SignedData (RFC 5652) written by hand, with a key and a certificate made for it.

use rcgen::{CertificateParams, DnType, KeyPair, SigningKey as _};

use crate::admission::pki::der::{self, write};

pub(super) const SIGNED_DATA: &str = "06092a864886f70d010702";
pub(super) const DATA: &str = "06092a864886f70d010701";
pub(super) const TIMESTAMP_INFO: &str = "060b2a864886f70d0109100104";
const SHA256: &str = "300b0609608648016503040201";
const ECDSA_SHA256: &str = "300a06082a8648ce3d040302";
const RSA: &str = "300d06092a864886f70d0101010500";

pub(super) fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out, tag, &parts.concat());
    out
}

pub(super) fn hex(text: &str) -> Vec<u8> {
    hex::decode(text).unwrap()
}

/// One that signs.
pub(super) struct Cms {
    key: KeyPair,
    pub(super) certificate: Vec<u8>,
    algorithm: &'static str,
}

/// What is signed, and how it is written down.
#[derive(Clone, Copy)]
pub(super) struct Shape<'a> {
    pub(super) content_type: &'a str,
    pub(super) content: &'a [u8],
    pub(super) detached: bool,
    pub(super) attributes: bool,
    /// Attributes that nobody signs, DER.
    pub(super) unsigned: &'a [u8],
}

impl Default for Shape<'_> {
    fn default() -> Self {
        Self { content_type: DATA, content: b"", detached: false, attributes: true, unsigned: b"" }
    }
}

impl Cms {
    pub(super) fn new() -> Self {
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        Self::with(key, ECDSA_SHA256)
    }

    pub(super) fn rsa() -> Self {
        let key = KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048);
        Self::with(key.unwrap(), RSA)
    }

    fn with(key: KeyPair, algorithm: &'static str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "signer");
        let certificate = params.self_signed(&key).unwrap().der().to_vec();
        Self { key, certificate, algorithm }
    }

    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.key.sign(message).unwrap()
    }

    /// A SignerInfo over what the shape says.
    pub(super) fn signer_info(&self, shape: &Shape<'_>) -> Vec<u8> {
        let signature = self.signature(shape);
        let tbs = der::element(der::element(&self.certificate).unwrap().value).unwrap();
        let members: Vec<_> = der::elements(tbs.value).collect();
        let name = element(der::SEQUENCE, &[members[3].whole, members[1].whole]);
        let attributes = attributes(shape);
        let signed = element(der::CONTEXT_0, &[&attributes]);
        let unsigned = element(der::CONTEXT_1, &[shape.unsigned]);
        element(
            der::SEQUENCE,
            &[
                &hex("020101"),
                &name,
                &hex(SHA256),
                if attributes.is_empty() { b"" } else { &signed },
                &hex(self.algorithm),
                &element(der::OCTET_STRING, &[&signature]),
                if shape.unsigned.is_empty() { b"" } else { &unsigned },
            ],
        )
    }

    /// The signature within; anew each time where the algorithm is ECDSA.
    fn signature(&self, shape: &Shape<'_>) -> Vec<u8> {
        match attributes(shape) {
            none if none.is_empty() => self.sign(shape.content),
            attributes => self.sign(&element(der::SET, &[&attributes])),
        }
    }

    /// The whole structure.
    pub(super) fn signed_data(&self, shape: &Shape<'_>) -> Vec<u8> {
        signed_data(shape, &[&self.certificate], &[&self.signer_info(shape)])
    }
}

fn attributes(shape: &Shape<'_>) -> Vec<u8> {
    if !shape.attributes {
        return Vec::new();
    }
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, shape.content);
    let attribute =
        |id: &str, value: &[u8]| element(der::SEQUENCE, &[&hex(id), &element(der::SET, &[value])]);
    [
        attribute("06092a864886f70d010903", &hex(shape.content_type)),
        attribute("06092a864886f70d010904", &element(der::OCTET_STRING, &[digest.as_ref()])),
    ]
    .concat()
}

pub(super) fn signed_data(shape: &Shape<'_>, certificates: &[&[u8]], signers: &[&[u8]]) -> Vec<u8> {
    let octets = element(der::OCTET_STRING, &[shape.content]);
    let content = element(der::CONTEXT_0, &[&octets]);
    let content: &[u8] = if shape.detached { b"" } else { &content };
    let certificates = element(der::CONTEXT_0, certificates);
    let inner = element(
        der::SEQUENCE,
        &[
            &hex("020101"),
            &element(der::SET, &[&hex(SHA256)]),
            &element(der::SEQUENCE, &[&hex(shape.content_type), content]),
            &certificates,
            &element(der::SET, signers),
        ],
    );
    element(der::SEQUENCE, &[&hex(SIGNED_DATA), &element(der::CONTEXT_0, &[&inner])])
}

/// A TSTInfo (RFC 3161 section 2.4.2) over a message.
pub(super) fn timestamp_info(message: &[u8]) -> Vec<u8> {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, message);
    let digest = element(der::OCTET_STRING, &[digest.as_ref()]);
    element(
        der::SEQUENCE,
        &[
            &hex("020101"),
            &hex("06032a0304"),
            &element(der::SEQUENCE, &[&hex(SHA256), &digest]),
            &hex("020107"),
            &element(0x18, &[b"20261123120000Z"]),
        ],
    )
}
