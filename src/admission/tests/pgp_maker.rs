//! OpenPGP keys and signatures made for a test, packet by packet (RFC 9580), so that anything can
//! be wrong with them.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use aws_lc_rs::signature::{EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256};
use serde_json::{Value, json};

use super::signer::Signer;
use crate::admission::base64::encode;
use crate::admission::pki::der;

pub(super) const CREATED: u32 = 1_600_000_000;
pub(super) const MAY_SIGN: &[u8] = &[2, 27, 0x03];
pub(super) const MAY_ENCRYPT: &[u8] = &[2, 27, 0x0c];
const SALT: [u8; 16] = [7; 16];

/// A private key.
pub(super) struct Key {
    pub(super) signer: Signer,
    algorithm: u8,
    version: u8,
}

/// What a signature is to say.
#[derive(Clone)]
pub(super) struct Sig {
    pub(super) kind: u8,
    pub(super) created: u32,
    /// Subpackets besides the time and the issuer.
    pub(super) hashed: Vec<u8>,
    pub(super) unhashed: Vec<u8>,
}

pub(super) fn sig(kind: u8, hashed: &[u8]) -> Sig {
    Sig { kind, created: CREATED + 10, hashed: hashed.to_vec(), unhashed: Vec::new() }
}

impl Sig {
    pub(super) fn at(self, created: u32) -> Self {
        Self { created, ..self }
    }

    pub(super) fn unhashed(self, unhashed: &[u8]) -> Self {
        Self { unhashed: unhashed.to_vec(), ..self }
    }
}

pub(super) fn mpi(number: &[u8]) -> Vec<u8> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let number = &number[zeros..];
    let bits = number.first().map_or(0, |first| number.len() * 8 - first.leading_zeros() as usize);
    [&(bits as u16).to_be_bytes()[..], number].concat()
}

/// A packet with a header of the newer format.
pub(super) fn packet(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = match body.len() {
        short @ 0..192 => vec![short as u8],
        long @ 192..8384 => vec![((long - 192) >> 8) as u8 + 192, (long - 192) as u8],
        longer => [&[255][..], &(longer as u32).to_be_bytes()].concat(),
    };
    [&[0xc0 | tag][..], &length, body].concat()
}

/// A packet with a header of the older format, and four bytes of length.
pub(super) fn old_packet(tag: u8, body: &[u8]) -> Vec<u8> {
    [&[0x80 | tag << 2 | 2][..], &(body.len() as u32).to_be_bytes(), body].concat()
}

/// A packet in parts.
pub(super) fn partial_packet(tag: u8, body: &[u8]) -> Vec<u8> {
    let (first, rest) = body.split_at(2);
    [&[0xc0 | tag, 0xe1][..], first, &[255], &(rest.len() as u32).to_be_bytes(), rest].concat()
}

pub(super) fn subpacket(kind: u8, body: &[u8]) -> Vec<u8> {
    assert!(body.len() < 191);
    [&[body.len() as u8 + 1, kind][..], body].concat()
}

impl Key {
    /// Ed25519, as GnuPG has it.
    pub(super) fn new() -> Self {
        Self { signer: Signer::ed25519(), algorithm: 22, version: 4 }
    }

    /// Ed25519, as RFC 9580 has it.
    pub(super) fn native(version: u8) -> Self {
        Self { signer: Signer::ed25519(), algorithm: 27, version }
    }

    pub(super) fn p256() -> Self {
        Self { signer: Signer::p256_fixed(), algorithm: 19, version: 4 }
    }

    pub(super) fn rsa() -> Self {
        Self { signer: Signer::rsa(), algorithm: 1, version: 4 }
    }

    fn material(&self) -> Vec<u8> {
        let spki = self.signer.spki();
        match &self.signer {
            Signer::Ed25519(_) if self.algorithm == 27 => spki[12..].to_vec(),
            Signer::Ed25519(_) => {
                let oid = [9, 0x2b, 0x06, 0x01, 0x04, 0x01, 0xda, 0x47, 0x0f, 0x01];
                [&oid[..], &mpi(&[&[0x40][..], &spki[12..]].concat())].concat()
            }
            Signer::Ecdsa(key) => {
                let key: &EcdsaKeyPair = key;
                let oid = [8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
                [&oid[..], &mpi(key.public_key().as_ref())].concat()
            }
            Signer::Rsa(key) => {
                let numbers = der::expect(key.public_key().as_ref(), der::SEQUENCE).unwrap().value;
                let modulus = der::expect(numbers, der::INTEGER).unwrap();
                let exponent = der::expect(modulus.rest, der::INTEGER).unwrap();
                [mpi(modulus.value), mpi(exponent.value)].concat()
            }
        }
    }

    pub(super) fn body(&self) -> Vec<u8> {
        let material = self.material();
        let mut out = vec![self.version];
        out.extend(CREATED.to_be_bytes());
        out.push(self.algorithm);
        if self.version == 6 {
            out.extend((material.len() as u32).to_be_bytes());
        }
        out.extend(material);
        out
    }

    pub(super) fn packet(&self) -> Vec<u8> {
        packet(6, &self.body())
    }

    pub(super) fn subkey_packet(&self) -> Vec<u8> {
        packet(14, &self.body())
    }

    /// As a key is hashed.
    pub(super) fn hashed(&self) -> Vec<u8> {
        let body = self.body();
        let length = (body.len() as u32).to_be_bytes();
        if self.version == 6 {
            [&[0x9b][..], &length, &body].concat()
        } else {
            [&[0x99][..], &length[2..], &body].concat()
        }
    }

    fn fingerprint(&self) -> Vec<u8> {
        let algorithm = if self.version == 6 { &SHA256 } else { &SHA1_FOR_LEGACY_USE_ONLY };
        digest(algorithm, &self.hashed()).as_ref().to_vec()
    }

    /// The body of a signature packet over these parts.
    pub(super) fn sign_body(&self, sig: &Sig, parts: &[&[u8]]) -> Vec<u8> {
        let issuer = subpacket(33, &[&[self.version][..], &self.fingerprint()].concat());
        let created = subpacket(2, &sig.created.to_be_bytes());
        let hashed = [created, issuer, sig.hashed.clone()].concat();
        let length = |bytes: &[u8]| {
            let length = (bytes.len() as u32).to_be_bytes();
            length[if self.version == 6 { 0 } else { 2 }..].to_vec()
        };
        let fields =
            [&[self.version, sig.kind, self.algorithm, 8][..], &length(&hashed), &hashed].concat();
        let suffix = [&[self.version, 0xff][..], &(fields.len() as u32).to_be_bytes()].concat();
        let salt: &[u8] = if self.version == 6 { &SALT } else { &[] };
        let message = [salt, &parts.concat(), &fields, &suffix].concat();
        let hash = digest(&SHA256, &message);
        let values = match &self.signer {
            Signer::Ed25519(_) => {
                let made = self.signer.sign(hash.as_ref());
                if self.algorithm == 27 { made } else { self.halves(&made) }
            }
            Signer::Ecdsa(_) => self.halves(&self.signer.sign(&message)),
            Signer::Rsa(_) => mpi(&self.signer.sign_rsa_with(&RSA_PKCS1_SHA256, &message)),
        };
        let mut out = [fields, length(&sig.unhashed), sig.unhashed.clone()].concat();
        out.extend(&hash.as_ref()[..2]);
        if self.version == 6 {
            out.push(16);
            out.extend(salt);
        }
        out.extend(values);
        out
    }

    fn halves(&self, signature: &[u8]) -> Vec<u8> {
        let (r, s) = signature.split_at(signature.len() / 2);
        [mpi(r), mpi(s)].concat()
    }

    pub(super) fn sign(&self, sig: &Sig, parts: &[&[u8]]) -> Vec<u8> {
        packet(2, &self.sign_body(sig, parts))
    }

    /// A detached signature.
    pub(super) fn detached(&self, content: &[u8]) -> Vec<u8> {
        self.sign(&sig(0, &[]), &[content])
    }

    /// The parts that a certification of this key's user is over.
    pub(super) fn user_parts(&self, id: &str) -> Vec<u8> {
        let length = (id.len() as u32).to_be_bytes();
        [&self.hashed()[..], &[0xb4], &length, id.as_bytes()].concat()
    }

    /// A user ID and its self-signature.
    pub(super) fn user(&self, id: &str, sig: &Sig) -> Vec<u8> {
        let signature = self.sign(sig, &[&self.user_parts(id)]);
        [packet(13, id.as_bytes()), signature].concat()
    }

    /// A subkey with its binding, cross-signed if it may sign.
    pub(super) fn subkey(&self, subkey: &Key, flags: &[u8]) -> Vec<u8> {
        let parts = [&self.hashed()[..], &subkey.hashed()];
        let back = subkey.sign_body(&sig(0x19, &[]), &parts);
        let binding = sig(0x18, flags).unhashed(&subpacket(32, &back));
        [subkey.subkey_packet(), self.sign(&binding, &parts)].concat()
    }

    /// The key with one user who may sign.
    pub(super) fn public(&self) -> Vec<u8> {
        if self.version == 6 {
            let direct = self.sign(&sig(0x1f, MAY_SIGN), &[&self.hashed()]);
            return [self.packet(), direct].concat();
        }
        [self.packet(), self.user("Some One <some@example.com>", &sig(0x13, MAY_SIGN))].concat()
    }
}

/// ASCII armour without a checksum.
pub(super) fn armored(kind: &str, bytes: &[u8]) -> String {
    let text = encode(bytes);
    let lines: Vec<&str> =
        text.as_bytes().chunks(60).map(|line| str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {kind}-----\nComment: x\n\n{}\n-----END {kind}-----\n", lines.join("\n"))
}

pub(super) fn rekord(content: &[u8], signature: &[u8], key: &[u8]) -> Value {
    json!({"kind": "rekord", "apiVersion": "0.0.1", "spec": {
        "data": {"content": encode(content)},
        "signature": {"format": "pgp", "content": encode(signature),
                      "publicKey": {"content": encode(key)}},
    }})
}
