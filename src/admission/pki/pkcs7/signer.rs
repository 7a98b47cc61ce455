//! One signature of a SignedData: by whom, over what, with which algorithm.

use super::super::der::{self, Element};
use super::super::key::Key;
use super::super::legacy::{Hash, Padding, verify_ecdsa, verify_rsa};
use super::super::x509::Certificate;
use super::{AlgorithmIdentifier, MALFORMED, Members, all, dotted, significant};

const MESSAGE_DIGEST: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x04];

/// Who signed, and what.
pub(crate) struct SignerInfo<'a> {
    pub(super) whole: &'a [u8],
    issuer: &'a [u8],
    serial: &'a [u8],
    digest_algorithm: AlgorithmIdentifier<'a>,
    signed_attributes: &'a [u8],
    signature_algorithm: AlgorithmIdentifier<'a>,
    /// The signature itself, which a timestamp is over.
    pub(super) signature: &'a [u8],
    unsigned_attributes: &'a [u8],
}

impl<'a> SignerInfo<'a> {
    /// Reads one.
    pub(super) fn parse(element: &Element<'a>) -> Option<Self> {
        let mut members = Members::of(element)?;
        members.next(der::INTEGER)?;
        let mut issuer_and_serial = Members::of(&members.next(der::SEQUENCE)?)?;
        let issuer = issuer_and_serial.any()?.whole;
        let serial = issuer_and_serial.next(der::INTEGER)?.value;
        let digest_algorithm = AlgorithmIdentifier::read(&members.any()?)?;
        let signed = members.next(der::CONTEXT_0).map_or(&[][..], |found| found.value);
        let signature_algorithm = AlgorithmIdentifier::read(&members.any()?)?;
        let signature = members.next(der::OCTET_STRING)?.value;
        let unsigned = members.next(der::CONTEXT_1).map_or(&[][..], |found| found.value);
        Some(Self {
            whole: element.whole,
            issuer,
            serial,
            digest_algorithm,
            signed_attributes: signed,
            signature_algorithm,
            signature,
            unsigned_attributes: unsigned,
        })
    }

    /// Checks the signature over content, by the certificate that it names,
    /// and gives that certificate.
    pub(super) fn verify<'c>(
        &self,
        content: &[u8],
        certificates: &'c [Certificate],
    ) -> Result<&'c Certificate, String> {
        let hash = self.digest_algorithm.hash()?;
        let mut digest = hash.digest(content);
        if !self.signed_attributes.is_empty() {
            let claimed = attribute(self.signed_attributes, MESSAGE_DIGEST)?;
            let claimed = claimed.ok_or("attribute not found: 1.2.840.113549.1.9.4")?;
            if claimed.tag != der::OCTET_STRING || claimed.value != digest {
                return Err("pkcs7: content digest does not match".into());
            }
            // They are signed with the tag of a SET (RFC 5652 section 5.4).
            let mut set = Vec::new();
            der::write(&mut set, der::SET, self.signed_attributes);
            digest = hash.digest(&set);
        }
        let certificate = certificates.iter().find(|one| self.names(one)).ok_or_else(|| {
            let serial = hex::encode(significant(self.serial));
            format!("certificate missing from signedData: serial={serial}")
        })?;
        self.verify_digest(&certificate.key, hash, &digest)?;
        Ok(certificate)
    }

    /// Whether this is the certificate of the signer, as far as its names go.
    pub(super) fn names(&self, certificate: &Certificate) -> bool {
        let own = certificate.parsed.tbs_certificate().serial_number().as_bytes();
        certificate.issuer == self.issuer && significant(own) == significant(self.serial)
    }

    /// The hash under the signature.
    ///
    /// # Errors
    /// The text for the client.
    pub(super) fn hash(&self) -> Result<Hash, String> {
        self.digest_algorithm.hash()
    }

    fn verify_digest(&self, key: &Key, hash: Hash, digest: &[u8]) -> Result<(), String> {
        let algorithm = &self.signature_algorithm;
        let (scheme, named) =
            scheme_of(algorithm.id.value).ok_or("unsupported public key algorithm")?;
        if named.is_some_and(|named| named != hash) {
            return Err("signature type does not match digest type".into());
        }
        match (scheme, key) {
            (Scheme::Rsa, Key::Rsa { bits, pkcs1 }) => {
                verify_rsa((*bits, pkcs1), Padding::Pkcs1, hash, digest, self.signature)
            }
            (Scheme::Pss, Key::Rsa { bits, pkcs1 }) => {
                check_pss(algorithm, hash).ok_or("invalid RSA-PSS parameters")?;
                verify_rsa((*bits, pkcs1), Padding::Pss, hash, digest, self.signature)
            }
            (Scheme::Ecdsa, Key::Ecdsa { curve, point }) => {
                if verify_ecdsa((*curve, point), digest, self.signature) {
                    return Ok(());
                }
                Err("ECDSA verification failed".into())
            }
            _ => Err("incorrect key type for signature".into()),
        }
    }

    /// The value of an attribute that nobody signed, if it is there, once.
    pub(super) fn unsigned_attribute(&self, id: &[u8]) -> Result<Option<Element<'a>>, String> {
        attribute(self.unsigned_attributes, id)
    }

    /// The same of one that is signed.
    pub(super) fn signed_attribute(&self, id: &[u8]) -> Result<Option<Element<'a>>, String> {
        attribute(self.signed_attributes, id)
    }
}

#[derive(Clone, Copy)]
enum Scheme {
    Rsa,
    Pss,
    Ecdsa,
}

/// What an object identifier of a signature says (RFC 3279 section 2.2, RFC 5754 section 3).
fn scheme_of(id: &[u8]) -> Option<(Scheme, Option<Hash>)> {
    const PKCS1: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
    const X962: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d];
    if id == [0x2b, 0x0e, 0x03, 0x02, 0x1d] {
        return Some((Scheme::Rsa, Some(Hash::Sha1)));
    }
    if let Some(rest) = id.strip_prefix(PKCS1) {
        return match rest {
            [1] => Some((Scheme::Rsa, None)),
            [4] => Some((Scheme::Rsa, Some(Hash::Md5))),
            [5] => Some((Scheme::Rsa, Some(Hash::Sha1))),
            [10] => Some((Scheme::Pss, None)),
            [11] => Some((Scheme::Rsa, Some(Hash::Sha256))),
            [12] => Some((Scheme::Rsa, Some(Hash::Sha384))),
            [13] => Some((Scheme::Rsa, Some(Hash::Sha512))),
            _ => None,
        };
    }
    match id.strip_prefix(X962)? {
        [2, 1] => Some((Scheme::Ecdsa, None)),
        [4, 1] => Some((Scheme::Ecdsa, Some(Hash::Sha1))),
        [4, 3, 2] => Some((Scheme::Ecdsa, Some(Hash::Sha256))),
        [4, 3, 3] => Some((Scheme::Ecdsa, Some(Hash::Sha384))),
        [4, 3, 4] => Some((Scheme::Ecdsa, Some(Hash::Sha512))),
        _ => None,
    }
}

/// One hash for the content and for MGF1, and a salt as long as it (RFC 4055 section 3.1).
fn check_pss(algorithm: &AlgorithmIdentifier<'_>, hash: Hash) -> Option<()> {
    const MGF1: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08];
    let mut members = Members::of(&algorithm.parameters?)?;
    let explicit = |found: Element<'_>| der::element(found.value).map(|inner| inner.whole.to_vec());
    let own = explicit(members.next(der::CONTEXT_0)?)?;
    let mask = explicit(members.next(der::CONTEXT_1)?)?;
    let salt = members.next(0xa2)?;
    let own = AlgorithmIdentifier::read(&der::element(&own)?)?.hash().ok()?;
    let mask = der::element(&mask)?;
    let mask = AlgorithmIdentifier::read(&mask)?;
    let inner = AlgorithmIdentifier::read(&mask.parameters?)?.hash().ok()?;
    let length = hash.digest(b"").len();
    let salt = der::expect(salt.value, der::INTEGER)?.value;
    let fits = own == hash && inner == hash && mask.id.value == MGF1;
    (fits && significant(salt) == [length as u8]).then_some(())
}

fn attribute<'a>(attributes: &'a [u8], id: &[u8]) -> Result<Option<Element<'a>>, String> {
    for element in all(attributes).ok_or(MALFORMED)? {
        let mut members = Members::of(&element).ok_or(MALFORMED)?;
        let own = members.next(der::OBJECT_IDENTIFIER).ok_or(MALFORMED)?;
        if own.value != id {
            continue;
        }
        let values = members.any().and_then(|set| der::element(set.value)).ok_or(MALFORMED)?;
        if !values.rest.is_empty() {
            return Err(format!("attribute {}: expected one, found multiple", dotted(id)));
        }
        return Ok(Some(values));
    }
    Ok(None)
}
