//! Authorities that are made here, good ones and odd ones: of certificates (with a transparency
//! log's promise in each), and of timestamps.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData as _, SanType, SerialNumber,
};
use x509_cert::der::{Decode as _, Encode as _};

pub(crate) const IDENTITY: &str = "dev@example.com";
pub(crate) const ISSUER: &str = "https://accounts.example.com";

const CODE_SIGNING: u8 = 3;
const TIME_STAMPING: u8 = 8;

/// A key and its certificate.
pub(crate) struct Certified {
    pub(crate) key: KeyPair,
    pub(crate) der: Vec<u8>,
}

impl Certified {
    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        sign(&self.key, message)
    }
}

pub(crate) fn sign(key: &KeyPair, message: &[u8]) -> Vec<u8> {
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, key.serialized_der());
    pair.unwrap().sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec()
}

/// An element of DER.
pub(crate) fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let value = parts.concat();
    let length = match value.len() {
        short @ 0..0x80 => vec![short as u8],
        middle @ 0x80..0x100 => vec![0x81, middle as u8],
        long => [&[0x82], &(long as u16).to_be_bytes()[..]].concat(),
    };
    [&[tag], length.as_slice(), &value].concat()
}

fn hex(text: &str) -> Vec<u8> {
    hex::decode(text).unwrap()
}

/// What certificates are for (id-kp), critical or not.
fn purpose(number: u8, critical: bool) -> CustomExtension {
    let oid = tlv(0x06, &[&[0x2b, 6, 1, 5, 5, 7, 3, number]]);
    let mut extension = CustomExtension::from_oid_content(&[2, 5, 29, 37], tlv(0x30, &[&oid]));
    extension.set_criticality(critical);
    extension
}

/// How a signer's certificate is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leaf {
    Good,
    NotForCode,
    WithoutSct,
    SctOfAnotherKey,
    SctOverAnotherCertificate,
    /// By a key that is not the authority's, under its name.
    Forged,
}

/// An authority of certificates, and the transparency log that sees what it issues.
pub(crate) struct CertificateAuthority {
    root: Certified,
    issuer: CertificateParams,
    ct_log: KeyPair,
}

impl CertificateAuthority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut issuer = CertificateParams::new(Vec::new()).unwrap();
        issuer.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        issuer.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        issuer.distinguished_name.push(DnType::CommonName, "authority");
        let der = issuer.self_signed(&key).unwrap().der().to_vec();
        Self { root: Certified { key, der }, issuer, ct_log: KeyPair::generate().unwrap() }
    }

    pub(crate) fn root(&self) -> &[u8] {
        &self.root.der
    }

    pub(crate) fn ct_key(&self) -> Vec<u8> {
        self.ct_log.subject_public_key_info()
    }

    pub(crate) fn ct_id(&self) -> Vec<u8> {
        digest(&SHA256, &self.ct_key()).as_ref().to_vec()
    }

    pub(crate) fn issue(&self, leaf: Leaf) -> Certified {
        let key = KeyPair::generate().unwrap();
        let stranger = KeyPair::generate().unwrap();
        let issuer_key = if leaf == Leaf::Forged { &stranger } else { &self.root.key };
        let issuer = Issuer::from_params(&self.issuer, issuer_key);
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.serial_number = Some(SerialNumber::from(7_u64));
        params.subject_alt_names = vec![SanType::Rfc822Name(IDENTITY.try_into().unwrap())];
        let what = if leaf == Leaf::NotForCode { TIME_STAMPING } else { CODE_SIGNING };
        let by = tlv(0x0c, &[ISSUER.as_bytes()]);
        params.custom_extensions = vec![
            purpose(what, false),
            CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 57264, 1, 8], by),
        ];
        let before = params.signed_by(&key, &issuer).unwrap();
        if leaf == Leaf::WithoutSct {
            return Certified { key, der: before.der().to_vec() };
        }
        let parsed = x509_cert::Certificate::from_der(before.der()).unwrap();
        let mut signed = parsed.tbs_certificate().to_der().unwrap();
        if leaf == Leaf::SctOverAnotherCertificate {
            *signed.last_mut().unwrap() ^= 1;
        }
        let list = tlv(0x04, &[&self.sct(&signed, leaf)]);
        let id = [1, 3, 6, 1, 4, 1, 11129, 2, 4, 2];
        params.custom_extensions.push(CustomExtension::from_oid_content(&id, list));
        let der = params.signed_by(&key, &issuer).unwrap().der().to_vec();
        Certified { key, der }
    }

    /// A `SignedCertificateTimestampList` of one (RFC 6962 section 3.3).
    fn sct(&self, signed: &[u8], leaf: Leaf) -> Vec<u8> {
        let time = 1_700_000_000_000_u64.to_be_bytes();
        let spki = digest(&SHA256, &self.root.key.subject_public_key_info());
        let length = (signed.len() as u32).to_be_bytes();
        let message =
            [&[0, 0][..], &time, &[0, 1], spki.as_ref(), &length[1..], signed, &[0, 0]].concat();
        let stranger = KeyPair::generate().unwrap();
        let key = if leaf == Leaf::SctOfAnotherKey { &stranger } else { &self.ct_log };
        let signature = sign(key, &message);
        let length = (signature.len() as u16).to_be_bytes();
        let sct = [&[0][..], &self.ct_id(), &time, &[0, 0, 4, 3], &length, &signature].concat();
        let inner = [&(sct.len() as u16).to_be_bytes()[..], &sct].concat();
        [&(inner.len() as u16).to_be_bytes()[..], &inner].concat()
    }
}

/// How a timestamp is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stamp {
    Good,
    ForAnything,
    ForTimestampsPerhaps,
    NamesNoCertificate,
    NamesAnotherCertificate,
    OfAnotherType,
    OverSomethingElse,
    SignedBySomebodyElse,
    Refused,
    CutShort,
}

/// An authority of timestamps.
pub(crate) struct Stamper(Certified);

impl Stamper {
    pub(crate) fn new(stamp: Stamp) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, "stamper");
        params.custom_extensions = match stamp {
            Stamp::ForAnything => Vec::new(),
            Stamp::ForTimestampsPerhaps => vec![purpose(TIME_STAMPING, false)],
            _ => vec![purpose(TIME_STAMPING, true)],
        };
        let der = params.self_signed(&key).unwrap().der().to_vec();
        Self(Certified { key, der })
    }

    pub(crate) fn certificate(&self) -> &[u8] {
        &self.0.der
    }

    /// A `TimeStampResp` over a message.
    pub(crate) fn stamp(&self, message: &[u8], stamp: Stamp) -> Vec<u8> {
        const SHA256_ID: &str = "300b0609608648016503040201";
        const TST_INFO: &str = "060b2a864886f70d0109100104";
        let octets = |bytes: &[u8]| tlv(0x04, &[bytes]);
        let hash = |bytes: &[u8]| octets(digest(&SHA256, bytes).as_ref());
        let message = if stamp == Stamp::OverSomethingElse { b"something else" } else { message };
        let info = tlv(
            0x30,
            &[
                &hex("020101"),
                &hex("06032a0304"),
                &tlv(0x30, &[&hex(SHA256_ID), &hash(message)]),
                &hex("020107"),
                &tlv(0x18, &[b"20231114221320Z"]),
            ],
        );
        let attribute = |id: &str, value: &[u8]| tlv(0x30, &[&hex(id), &tlv(0x31, &[value])]);
        let data = "06092a864886f70d010701";
        let content_type = if stamp == Stamp::OfAnotherType { data } else { TST_INFO };
        let named: &[u8] = match stamp {
            Stamp::NamesAnotherCertificate => b"another",
            _ => &self.0.der,
        };
        let named = tlv(0x30, &[&tlv(0x30, &[&tlv(0x30, &[&hash(named)])])]);
        let mut attributes = attribute("06092a864886f70d010903", &hex(content_type));
        attributes.extend(attribute("06092a864886f70d010904", &hash(&info)));
        if stamp != Stamp::NamesNoCertificate {
            attributes.extend(attribute("060b2a864886f70d010910022f", &named));
        }
        let signature = match stamp {
            Stamp::SignedBySomebodyElse => {
                sign(&KeyPair::generate().unwrap(), &tlv(0x31, &[&attributes]))
            }
            _ => self.0.sign(&tlv(0x31, &[&attributes])),
        };
        let certificate = x509_cert::Certificate::from_der(&self.0.der).unwrap();
        let tbs = certificate.tbs_certificate();
        let serial = tlv(0x02, &[tbs.serial_number().as_bytes()]);
        let signer = tlv(
            0x30,
            &[
                &hex("020101"),
                &tlv(0x30, &[&tbs.issuer().to_der().unwrap(), &serial]),
                &hex(SHA256_ID),
                &tlv(0xa0, &[&attributes]),
                &hex("300a06082a8648ce3d040302"),
                &octets(&signature),
            ],
        );
        let content = tlv(0x30, &[&hex(TST_INFO), &tlv(0xa0, &[&octets(&info)])]);
        let algorithms = tlv(0x31, &[&hex(SHA256_ID)]);
        let signers = tlv(0x31, &[&signer]);
        let signed = tlv(0x30, &[&hex("020103"), &algorithms, &content, &signers]);
        let token = tlv(0x30, &[&hex("06092a864886f70d010702"), &tlv(0xa0, &[&signed])]);
        let status = if stamp == Stamp::Refused { "3003020102" } else { "3003020100" };
        let mut response = tlv(0x30, &[&hex(status), &token]);
        if stamp == Stamp::CutShort {
            response.pop();
        }
        response
    }
}
