//! Detached signatures over content (RFC 9580 §5.2.4), as strict about the key as Rekor is.
//!
//! The time of all checks is when the first signature says that it was made: a key may have expired
//! since. The key must be one that may sign, and neither revoked nor expired then.

use aws_lc_rs::digest::Context;

use super::entity::{Entity, Subkey, is_revoked};
use super::key::PublicKey;
use super::packet::{self, Packet, Reader, Source};
use super::signature::{Signature, kind};
use super::{Error, Ring, armor};

/// A signature as it was given.
pub(crate) struct Detached<'a> {
    given: &'a [u8],
    armored: Option<armor::Block>,
}

const NO_SIGNATURE: &str = "valid PGP signature was not detected";

impl<'a> Detached<'a> {
    /// Takes a signature, armoured or binary.
    ///
    /// # Errors
    /// The text for the client.
    pub(crate) fn read(given: &'a [u8]) -> Result<Self, String> {
        let armored = armor::decode(given);
        if armored.as_ref().is_some_and(|block| !block.is(armor::SIGNATURE)) {
            return Err("invalid PGP signature provided".into());
        }
        let signature = Self { given, armored };
        match Reader::new(signature.source()).next() {
            Ok(Packet::Signature(_)) => Ok(signature),
            Ok(_) => Err(NO_SIGNATURE.into()),
            Err(error) => Err(format!("invalid PGP signature: {error}")),
        }
    }

    fn source(&self) -> Source<'_> {
        match &self.armored {
            Some(block) => block.source(),
            None => Source::new(self.given, Error::Eof),
        }
    }

    /// Checks the signature.
    ///
    /// # Errors
    /// The text for the client.
    pub(crate) fn verify(&self, content: &[u8], ring: &Ring) -> Result<(), String> {
        let first = packet::read(&mut self.source());
        let first = first.map_err(|error| format!("error reading PGP signature: {error}"))?;
        let Packet::Signature(first) = first else { return Err(NO_SIGNATURE.into()) };
        self.verify_at(first.created(), content, ring).map_err(|error| error.to_string())
    }

    /// The first signature of a key in the ring decides.
    fn verify_at(&self, now: u32, content: &[u8], ring: &Ring) -> Result<(), Error> {
        let mut reader = Reader::new(self.source());
        let (signature, signer) = loop {
            let signature = match reader.next() {
                Ok(Packet::Signature(signature)) => signature,
                Ok(_) => return Err(Error::structural("non signature packet found")),
                Err(Error::Eof) => {
                    let text = "openpgp: signature made by unknown entity";
                    return Err(Error::Other(text.into()));
                }
                Err(error) => return Err(error),
            };
            let Some(issuer) = signature.claims.issuer else {
                return Err(Error::structural("signature doesn't have an issuer"));
            };
            if let Some(signer) = ring.signer(issuer) {
                break (signature, signer);
            }
        };
        let mut hash = signature.start_hash();
        match signature.kind {
            kind::BINARY => hash.update(content),
            kind::TEXT => hash_text(&mut hash, content),
            other => {
                return Err(Error::Unsupported(format!("unsupported signature type: {other}")));
            }
        }
        signature.verify(hash, signer.key())?;
        signer.check(&signature, now)
    }

    /// As given if armoured; armoured otherwise.
    pub(crate) fn into_canonical(self) -> Vec<u8> {
        match self.armored {
            Some(_) => self.given.to_vec(),
            None => armor::encode(armor::SIGNATURE, self.given).into_bytes(),
        }
    }
}

/// Hashes text with a carriage return before every line feed; one is already there if the byte
/// before is a carriage return that does not itself follow one.
fn hash_text(hash: &mut Context, text: &[u8]) {
    let mut start = 0;
    let mut after_return = false;
    for (at, byte) in text.iter().enumerate() {
        if after_return {
            after_return = false;
        } else if *byte == b'\r' {
            after_return = true;
        } else if *byte == b'\n' {
            hash.update(text.get(start..at).unwrap_or_default());
            hash.update(b"\r\n");
            start = at + 1;
        }
    }
    hash.update(text.get(start..).unwrap_or_default());
}

/// The key that made a signature, and what it belongs to.
struct Signer<'r> {
    entity: &'r Entity,
    subkey: Option<&'r Subkey>,
}

impl Ring {
    /// The first key with that ID that may sign.
    fn signer(&self, id: u64) -> Option<Signer<'_>> {
        let may_sign = |own: Option<&Signature>| own.is_some_and(|own| own.claims.may_sign);
        self.entities.iter().find_map(|entity| {
            if entity.primary.id == id && may_sign(entity.own_signature().0) {
                return Some(Signer { entity, subkey: None });
            }
            let mut subkeys = entity.subkeys.iter();
            let subkey = subkeys.find(|sub| sub.key.id == id && may_sign(Some(&sub.binding)));
            subkey.map(|subkey| Signer { entity, subkey: Some(subkey) })
        })
    }
}

impl Signer<'_> {
    fn key(&self) -> &PublicKey {
        self.subkey.map_or(&self.entity.primary, |subkey| &subkey.key)
    }

    /// Whether the key was good at that time.
    fn check(&self, signature: &Signature, now: u32) -> Result<(), Error> {
        let (own, user) = self.entity.own_signature();
        let binding = self.subkey.map(|subkey| &subkey.binding);
        let embedded = binding.and_then(|binding| binding.claims.embedded.as_deref());
        let involved = || [Some(signature), own, binding, embedded].into_iter().flatten();
        if let Some(name) = involved().find_map(|one| one.claims.critical_notation.as_deref()) {
            let name = String::from_utf8_lossy(name);
            return Err(Error::Signature(format!("unknown critical notation: {name}")));
        }
        if is_revoked(&self.entity.revocations, now)
            || self.subkey.is_some_and(|subkey| is_revoked(&subkey.revocations, now))
            || user.is_some_and(|user| user.is_revoked(now))
        {
            return Err(Error::Other("openpgp: signature made by revoked key".into()));
        }
        let lifetime = |signature: &Signature| signature.claims.key_lifetime;
        let key_is_over = self.entity.primary.is_expired(own.and_then(lifetime), now)
            || self.subkey.is_some_and(|sub| sub.key.is_expired(lifetime(&sub.binding), now));
        if key_is_over {
            return Err(Error::Other("openpgp: key expired".into()));
        }
        if involved().any(|one| one.is_expired(now)) {
            return Err(Error::Other("openpgp: signature expired".into()));
        }
        Ok(())
    }
}

/// A signature as packages carry it: one packet, whose key need not be good for anything but it.
pub(crate) struct PackageSignature(Box<Signature>);

impl PackageSignature {
    /// Takes a signature.
    ///
    /// # Errors
    /// The text for the client.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, String> {
        let mut source = Source::new(bytes, Error::Eof);
        let packet = packet::read(&mut source).map_err(|error| error.to_string())?;
        if !source.is_empty() {
            return Err("trailing garbage after PGP signature packet".into());
        }
        match packet {
            Packet::Signature(signature) if signature.claims.issuer.is_some() => {
                Ok(Self(signature))
            }
            _ => Err("no supported PGP signature packet found".into()),
        }
    }

    /// Checks the signature over these parts with the key that it names, be it revoked or expired.
    ///
    /// # Errors
    /// The text for the client.
    pub(crate) fn verify(&self, parts: &[&[u8]], ring: &Ring) -> Result<(), String> {
        let Self(signature) = self;
        let keys = ring.entities.iter().flat_map(|entity| {
            std::iter::once(&entity.primary).chain(entity.subkeys.iter().map(|sub| &sub.key))
        });
        let id = signature.claims.issuer.unwrap_or_default();
        let key = keys.into_iter().find(|key| signature.names(key));
        let key = key.ok_or_else(|| format!("keyid {id:08x} not found"))?;
        let mut hash = Context::new(signature.hash.algorithm());
        parts.iter().for_each(|part| hash.update(part));
        signature.verify(hash, key).map_err(|error| error.to_string())
    }
}
