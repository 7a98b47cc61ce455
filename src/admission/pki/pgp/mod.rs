//! The format `pgp`: OpenPGP keys (RFC 9580, RFC 4880), armoured or binary, detached signatures.
//!
//! What is taken, dropped and written is what Rekor's library takes, drops and writes, so that leaf
//! bytes are the same. `armor` and `packet` read the two layers of the encoding, `key`, `signature`
//! and `subpackets` the packets, `entity` the keys that are made of them; `detached` checks
//! signatures over content.

mod algorithms;
mod detached;
mod entity;
mod key;
mod packet;
mod signature;
mod subpackets;
mod user_id;

pub(crate) mod armor;
pub(crate) mod cleartext;

use super::{CanonicalKey, Format, Verified};
use entity::{Entity, Work};
use packet::{Reader, Source};

pub(crate) use detached::{Detached, PackageSignature};

pub(super) const FORMAT: Format = Format { name: "pgp", read_key, verify };

/// Why data is not taken. What is unsupported is skipped in some places, what is malformed in
/// others.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    #[error("EOF")]
    Eof,
    #[error("unexpected EOF")]
    UnexpectedEof,
    #[error("openpgp: unsupported feature: {0}")]
    Unsupported(String),
    #[error("openpgp: invalid data: {0}")]
    Structural(String),
    #[error("openpgp: invalid argument: {0}")]
    Argument(String),
    #[error("openpgp: invalid signature: {0}")]
    Signature(String),
    #[error("openpgp: unknown packet type: {0}")]
    UnknownPacket(u8),
    #[error("openpgp: unknown critical packet type: {0}")]
    CriticalPacket(u8),
    #[error("{0}")]
    Other(String),
}

impl Error {
    fn structural(text: &str) -> Self {
        Self::Structural(text.to_owned())
    }

    fn unsupported(text: &str) -> Self {
        Self::Unsupported(text.to_owned())
    }

    /// The same in the middle of something.
    fn unexpected(self) -> Self {
        if self == Self::Eof { Self::UnexpectedEof } else { self }
    }
}

/// Public keys.
pub(crate) struct Ring {
    entities: Vec<Entity>,
}

const ARMOR_START: &[u8] = b"-----BEGIN PGP";
const ARMOR_END: &[u8] = b"-----END PGP";
/// Bytes of a line of an armoured key.
const LINE_BYTES_MAX: usize = 1 << 16;

impl Ring {
    /// Reads armoured keys, any number of blocks, or binary ones.
    ///
    /// # Errors
    /// The text for the client.
    pub(crate) fn read(key: &[u8]) -> Result<Self, String> {
        let start = key.get(..ARMOR_START.len());
        let start = start.ok_or("unable to read PGP public key: EOF")?;
        let mut work = Work::default();
        let entities = if start == ARMOR_START {
            read_armored(key, &mut work)?
        } else {
            let mut reader = Reader::new(Source::new(key, Error::Eof));
            entity::read_all(&mut reader, &mut work)
                .map_err(|error| format!("error reading binary PGP public key: {error}"))?
        };
        let secret: usize = entities.iter().map(Entity::decryption_keys).sum();
        if entities.len() == secret {
            return Err("no PGP public keys could be read".into());
        }
        Ok(Self { entities })
    }

    /// The value and the e-mail addresses.
    pub(crate) fn into_canonical(self) -> CanonicalKey {
        let mut packets = Vec::new();
        self.entities.iter().for_each(|entity| entity.write(&mut packets));
        let users = self.entities.iter().flat_map(|entity| &entity.users);
        let subjects = users.filter_map(|user| user_id::email(&user.id)).map(str::to_owned);
        let subjects = subjects.collect();
        let value = armor::encode(armor::PUBLIC_KEY, &packets).into_bytes();
        CanonicalKey { value, subjects }
    }
}

fn read_armored(text: &[u8], work: &mut Work) -> Result<Vec<Entity>, String> {
    let mut entities = Vec::new();
    let mut block = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.iter().take(LINE_BYTES_MAX).position(|byte| *byte == b'\n');
        if end.is_none() && rest.len() >= LINE_BYTES_MAX {
            return Err("error reading PGP public key: bufio.Scanner: token too long".into());
        }
        let (line, after) = rest.split_at(end.unwrap_or(rest.len()));
        rest = after.strip_prefix(b"\n").unwrap_or(after);
        block.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
        block.push(b'\n');
        if line.starts_with(ARMOR_END) {
            entities.extend(read_block(&block, work)?);
            block.clear();
        }
    }
    Ok(entities)
}

fn read_block(text: &[u8], work: &mut Work) -> Result<Vec<Entity>, String> {
    let block = armor::decode(text).ok_or("invalid PGP public key provided: EOF")?;
    if !block.is(armor::PUBLIC_KEY) && !block.is(armor::PRIVATE_KEY) {
        return Err("invalid PGP type detected".into());
    }
    entity::read_all(&mut Reader::new(block.source()), work)
        .map_err(|error| format!("error reading PGP public key: {error}"))
}

fn read_key(key: &[u8]) -> Result<CanonicalKey, String> {
    Ring::read(key).map(Ring::into_canonical)
}

fn verify(content: &[u8], signature: &[u8], key: &[u8]) -> Result<Verified, String> {
    let signature = Detached::read(signature)?;
    let ring = Ring::read(key)?;
    signature.verify(content, &ring)?;
    Ok(Verified { signature: signature.into_canonical(), key: ring.into_canonical() })
}
