//! PKCS#7 SignedData (RFC 5652 section 5), as jars and timestamps carry it.
//!
//! It is read by hand, because what is logged of a jar is this structure without its content, as
//! Go's library writes it: the parts stay the bytes that they were, in whatever order. Chains and
//! expiry are not judged; Rekor does not either.

mod signer;
mod timestamp;
pub(crate) mod token;

use super::der::{self, Element};
use super::legacy::Hash;
use super::x509::Certificate;

pub(crate) use signer::SignerInfo;

/// SignerInfos in one structure, each of which costs a verification.
const SIGNERS_MAX: usize = 16;

const MALFORMED: &str = "asn1: structure error: malformed PKCS#7";

const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];

/// A ContentInfo that holds SignedData.
pub(crate) struct SignedData<'a> {
    outer_type: Element<'a>,
    version: Element<'a>,
    digest_algorithms: Vec<AlgorithmIdentifier<'a>>,
    content_type: Element<'a>,
    content: Option<&'a [u8]>,
    certificates: Option<Element<'a>>,
    revocations: Option<Element<'a>>,
    signers: Vec<SignerInfo<'a>>,
}

#[derive(Clone, Copy)]
struct AlgorithmIdentifier<'a> {
    id: Element<'a>,
    parameters: Option<Element<'a>>,
}

impl<'a> AlgorithmIdentifier<'a> {
    fn read(element: &Element<'a>) -> Option<Self> {
        let mut members = Members::of(element)?;
        Some(Self { id: members.next(der::OBJECT_IDENTIFIER)?, parameters: members.any() })
    }

    fn hash(&self) -> Result<Hash, String> {
        Hash::from_oid(self.id.value)
            .ok_or_else(|| format!("pkcs7: unsupported hash algorithm {}", dotted(self.id.value)))
    }

    fn written(&self) -> Vec<u8> {
        let parameters = self.parameters.map_or(&[][..], |element| element.whole);
        let mut out = Vec::new();
        der::write(&mut out, der::SEQUENCE, &[self.id.whole, parameters].concat());
        out
    }
}

/// The members of a SEQUENCE, one after the other; what follows the known ones is ignored.
struct Members<'a>(&'a [u8]);

impl<'a> Members<'a> {
    fn of(element: &Element<'a>) -> Option<Self> {
        (element.tag == der::SEQUENCE).then_some(Self(element.value))
    }

    fn next(&mut self, tag: u8) -> Option<Element<'a>> {
        let found = der::expect(self.0, tag)?;
        self.0 = found.rest;
        Some(found)
    }

    fn any(&mut self) -> Option<Element<'a>> {
        let found = der::element(self.0)?;
        self.0 = found.rest;
        Some(found)
    }
}

/// All elements of a SET or the like; `None` when one is malformed.
fn all<'a>(mut bytes: &'a [u8]) -> Option<Vec<Element<'a>>> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let element = der::element(bytes)?;
        bytes = element.rest;
        found.push(element);
    }
    Some(found)
}

impl<'a> SignedData<'a> {
    /// Reads the structure at the front, and gives what follows it.
    ///
    /// # Errors
    /// The text for the client.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), String> {
        let outer = der::expect(bytes, der::SEQUENCE).ok_or(MALFORMED)?;
        let read = Self::parse(&outer).ok_or(MALFORMED)?;
        if read.signers.len() > SIGNERS_MAX {
            return Err(format!("pkcs7: more than {SIGNERS_MAX} signers"));
        }
        Ok((read, outer.rest))
    }

    fn parse(outer: &Element<'a>) -> Option<Self> {
        let mut members = Members::of(outer)?;
        let outer_type = members.next(der::OBJECT_IDENTIFIER)?;
        let inner = der::expect(members.next(der::CONTEXT_0)?.value, der::SEQUENCE)?;
        let mut members = Members::of(&inner)?;
        let version = members.next(der::INTEGER)?;
        let digest_algorithms = all(members.next(der::SET)?.value)?;
        let digest_algorithms = digest_algorithms.iter().map(AlgorithmIdentifier::read);
        let digest_algorithms = digest_algorithms.collect::<Option<_>>()?;
        let mut content_info = Members::of(&members.next(der::SEQUENCE)?)?;
        let content_type = content_info.next(der::OBJECT_IDENTIFIER)?;
        let content = content_info.any().and_then(|wrapped| der::element(wrapped.value));
        let certificates = members.next(der::CONTEXT_0);
        let revocations = members.next(der::CONTEXT_1);
        let signers = all(members.next(der::SET)?.value)?;
        Some(Self {
            outer_type,
            version,
            digest_algorithms,
            content_type,
            content: content.map(|content| content.value),
            certificates,
            revocations,
            signers: signers.iter().map(SignerInfo::parse).collect::<Option<_>>()?,
        })
    }

    /// Whether it says that it is SignedData.
    pub(crate) fn is_signed_data(&self) -> bool {
        self.outer_type.value == SIGNED_DATA
    }

    /// What it says that it is, for example `1.2.840.113549.1.7.2`.
    pub(crate) fn outer_type(&self) -> String {
        dotted(self.outer_type.value)
    }

    /// What it carries, if anything.
    pub(crate) fn content(&self) -> Option<&'a [u8]> {
        self.content
    }

    /// Checks every signature over the content: what it carries, or what is given.
    ///
    /// # Errors
    /// The text for the client.
    pub(crate) fn verify(&self, external: Option<&[u8]>) -> Result<&SignerInfo<'a>, String> {
        let content = match (self.content, external) {
            (None, None) => return Err("pkcs7: missing content".into()),
            (Some(own), Some(external)) if own != external => {
                return Err("pkcs7: internal and external content were both provided but are not \
                            equal"
                    .into());
            }
            (Some(content), _) | (None, Some(content)) => content,
        };
        let certificates = self.certificates();
        for signer in &self.signers {
            signer.verify(content, &certificates)?;
        }
        self.signers.last().ok_or_else(|| "pkcs7 contains no signatures".into())
    }

    /// Checks the timestamp that a signer carries beside the signature, if there is one.
    ///
    /// # Errors
    /// The text for the client.
    pub(crate) fn verify_timestamp(&self, signer: &SignerInfo<'a>) -> Result<(), String> {
        timestamp::verify(signer, self.certificates())
    }

    /// Those that can be read.
    fn certificates(&self) -> Vec<Certificate> {
        let readable = |der: &[u8]| Certificate::read(der.to_vec()).ok();
        self.certificates_der().into_iter().filter_map(readable).collect()
    }

    fn certificates_der(&self) -> Vec<&'a [u8]> {
        let certificates = self.certificates.and_then(|set| all(set.value)).unwrap_or_default();
        certificates.into_iter().map(|element| element.whole).collect()
    }

    /// The first certificate, DER. All must be readable.
    ///
    /// # Errors
    /// The text for the client.
    pub(crate) fn first_certificate(&self) -> Result<&'a [u8], String> {
        let all = self.certificates_der();
        for certificate in &all {
            Certificate::read(certificate.to_vec())?;
        }
        all.first().copied().ok_or_else(|| {
            "unable to extract public key from certificate inside PKCS7 bundle".into()
        })
    }

    /// The structure without its content, DER.
    pub(crate) fn detached(&self) -> Vec<u8> {
        let sorted = |mut parts: Vec<Vec<u8>>| {
            parts.sort();
            let mut set = Vec::new();
            der::write(&mut set, der::SET, &parts.concat());
            set
        };
        let algorithms = self.digest_algorithms.iter().map(AlgorithmIdentifier::written).collect();
        let signers = self.signers.iter().map(|signer| signer.whole.to_vec()).collect();
        let whole = |element: Option<Element<'a>>| element.map_or(&[][..], |found| found.whole);
        let mut content_info = Vec::new();
        der::write(&mut content_info, der::SEQUENCE, self.content_type.whole);
        let members = [
            self.version.whole,
            &sorted(algorithms),
            &content_info,
            whole(self.certificates),
            whole(self.revocations),
            &sorted(signers),
        ];
        let (mut inner, mut explicit, mut out) = (Vec::new(), Vec::new(), Vec::new());
        der::write(&mut inner, der::SEQUENCE, &members.concat());
        der::write(&mut explicit, der::CONTEXT_0, &inner);
        der::write(&mut out, der::SEQUENCE, &[self.outer_type.whole, &explicit].concat());
        out
    }
}

fn significant(integer: &[u8]) -> &[u8] {
    let zeros = integer.iter().take_while(|byte| **byte == 0).count();
    integer.get(zeros..).unwrap_or_default()
}

/// An object identifier as people write it.
fn dotted(id: &[u8]) -> String {
    let mut numbers = Vec::new();
    let mut number = 0_u64;
    for byte in id {
        number = number << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            numbers.push(std::mem::take(&mut number));
        }
    }
    let Some(first) = numbers.first().copied() else { return String::new() };
    let root = (first / 40).min(2);
    let rest = numbers.iter().skip(1).map(|number| format!(".{number}")).collect::<String>();
    format!("{root}.{}{rest}", first - 40 * root)
}
