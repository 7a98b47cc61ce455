//! Transferable public keys (RFC 9580 §10.1): which are read, and what of them is written again.
//!
//! A key is dropped as a whole when something in it is malformed or its own signatures do not hold;
//! the others stay. Kept of a key: its revocations, user IDs that it signed itself with all their
//! certifications, and subkeys with their newest binding.

use super::Error;
use super::key::PublicKey;
use super::packet::{Packet, Reader};
use super::signature::{Signature, kind};
use crate::limits::{PGP_PACKETS_MAX, PGP_SIGNATURE_CHECKS_MAX};

/// A key with all that belongs to it.
pub(super) struct Entity {
    pub(super) primary: PublicKey,
    pub(super) users: Vec<User>,
    pub(super) revocations: Vec<Signature>,
    pub(super) subkeys: Vec<Subkey>,
    /// Of version 6: all signatures directly over the key.
    direct: Vec<Signature>,
    /// Which of them counts.
    newest_direct: Option<usize>,
}

/// A user ID and what is signed over it.
pub(super) struct User {
    pub(super) id: Vec<u8>,
    signatures: Vec<Signature>,
    /// The newest of the key itself.
    own: Option<usize>,
    revocations: Vec<usize>,
}

/// A subkey, which the key has signed.
pub(super) struct Subkey {
    pub(super) key: PublicKey,
    pub(super) binding: Signature,
    pub(super) revocations: Vec<Signature>,
}

/// Reads keys up to the end.
///
/// # Errors
/// When nothing can be read, the last fault; and faults behind which nothing can be read.
pub(super) fn read_all(reader: &mut Reader<'_>, work: &mut Work) -> Result<Vec<Entity>, Error> {
    let mut entities = Vec::new();
    let mut last = None;
    loop {
        let fault = match Entity::read(reader, work) {
            Ok(entity) => {
                entities.push(entity);
                continue;
            }
            Err(fault) => fault,
        };
        let skipped = match fault {
            Error::Unsupported(_) | Error::Structural(_) => {
                last = Some(fault);
                skip_to_key(reader)
            }
            fault => Err(fault),
        };
        match skipped {
            Ok(()) => {}
            Err(Error::Eof) => break,
            Err(fault) => return Err(fault),
        }
    }
    match last {
        Some(fault) if entities.is_empty() => Err(fault),
        _ => Ok(entities),
    }
}

/// Skips to the next key that is no subkey and not a private one.
fn skip_to_key(reader: &mut Reader<'_>) -> Result<(), Error> {
    loop {
        match reader.next()? {
            Packet::Key(key) if !key.is_subkey && !key.is_secret => {
                reader.unread(Packet::Key(key));
                return Ok(());
            }
            _ => {}
        }
    }
}

/// What a key ring may cost.
#[derive(Default)]
pub(super) struct Work {
    packets: usize,
    checks: usize,
}

impl Work {
    fn next(&mut self, reader: &mut Reader<'_>) -> Result<Option<Packet>, Error> {
        if self.packets == PGP_PACKETS_MAX {
            let text = format!("the keys have more than {PGP_PACKETS_MAX} packets");
            return Err(Error::Other(text));
        }
        self.packets += 1;
        match reader.next() {
            Ok(packet) => Ok(Some(packet)),
            Err(Error::Eof) => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// Whether that signature of the key over these parts holds.
    fn check(
        &mut self,
        key: &PublicKey,
        signature: &Signature,
        parts: &[&[u8]],
    ) -> Result<Result<(), Error>, Error> {
        if self.checks == PGP_SIGNATURE_CHECKS_MAX {
            let text = format!("the keys have more than {PGP_SIGNATURE_CHECKS_MAX} signatures");
            return Err(Error::Other(text));
        }
        self.checks += 1;
        let mut hash = signature.start_hash();
        parts.iter().for_each(|part| hash.update(part));
        Ok(signature.verify(hash, key))
    }
}

impl Entity {
    fn read(reader: &mut Reader<'_>, work: &mut Work) -> Result<Self, Error> {
        let primary = match work.next(reader)?.ok_or(Error::Eof)? {
            Packet::Key(key) => *key,
            other => {
                reader.unread(other);
                return Err(Error::structural("first packet was not a public/private key"));
            }
        };
        if !primary.can_sign() {
            return Err(Error::structural("primary key cannot be used for signatures"));
        }
        let mut entity = Self {
            primary,
            users: Vec::new(),
            revocations: Vec::new(),
            subkeys: Vec::new(),
            direct: Vec::new(),
            newest_direct: None,
        };
        while let Some(packet) = work.next(reader)? {
            match packet {
                Packet::UserId(id) => entity.read_user(id, reader, work)?,
                Packet::Signature(signature) => match signature.kind {
                    kind::KEY_REVOCATION => entity.revocations.push(*signature),
                    kind::DIRECT_KEY if entity.primary.version == 6 => {
                        entity.direct.push(*signature);
                    }
                    _ => {}
                },
                Packet::Key(key) if key.is_subkey => entity.read_subkey(*key, reader, work)?,
                Packet::Key(key) => {
                    reader.unread(Packet::Key(key));
                    break;
                }
                Packet::Marker | Packet::Other => {}
            }
        }
        entity.check(work)?;
        Ok(entity)
    }

    /// What can be said only when all of it is read.
    fn check(&mut self, work: &mut Work) -> Result<(), Error> {
        if self.primary.version == 6 {
            self.choose_direct(work)?;
        } else if self.users.is_empty() {
            return Err(Error::structural("v4 entity without any identities"));
        }
        let hashed = self.primary.hashed_form();
        for revocation in &self.revocations {
            work.check(&self.primary, revocation, &[&hashed])?
                .map_err(|_| Error::structural("revocation signature signed by alternate key"))?;
        }
        Ok(())
    }

    fn choose_direct(&mut self, work: &mut Work) -> Result<(), Error> {
        if self.direct.is_empty() {
            return Err(Error::structural("v6 entity without a valid direct-key signature"));
        }
        let named = self.direct.iter().enumerate().filter(|(_, own)| own.names(&self.primary));
        // The first of those that are as new.
        let newest = named.rev().max_by_key(|(_, signature)| signature.created());
        let (at, newest) = newest.ok_or_else(|| {
            Error::structural("no valid direct-key self-signature for v6 primary key found")
        })?;
        work.check(&self.primary, newest, &[&self.primary.hashed_form()])?.map_err(|_| {
            Error::structural("invalid direct-key self-signature for v6 primary key")
        })?;
        self.newest_direct = Some(at);
        Ok(())
    }

    /// Reads what follows a user ID. It is kept if the key itself has signed any of it.
    fn read_user(
        &mut self,
        id: Vec<u8>,
        reader: &mut Reader<'_>,
        work: &mut Work,
    ) -> Result<(), Error> {
        let length = u32::try_from(id.len()).unwrap_or(u32::MAX).to_be_bytes();
        let hashed = [&self.primary.hashed_form(), &[0xb4][..], &length, &id].concat();
        let mut user = User { id, signatures: Vec::new(), own: None, revocations: Vec::new() };
        let mut is_own = false;
        while let Some(packet) = work.next(reader)? {
            let Packet::Signature(signature) = packet else {
                reader.unread(packet);
                break;
            };
            let is_revocation = signature.kind == kind::CERTIFICATION_REVOCATION;
            if !is_revocation && !kind::CERTIFICATIONS.contains(&signature.kind) {
                return Err(Error::structural("user ID signature with wrong type"));
            }
            if signature.names(&self.primary) {
                work.check(&self.primary, &signature, &[&hashed])?.map_err(|error| {
                    Error::Structural(format!("user ID self-signature invalid: {error}"))
                })?;
                is_own = true;
                if is_revocation {
                    user.revocations.push(user.signatures.len());
                } else if user.own_signature().is_none_or(|own| signature.created() > own.created())
                {
                    user.own = Some(user.signatures.len());
                }
            }
            user.signatures.push(*signature);
        }
        if is_own {
            match self.users.iter_mut().find(|known| known.id == user.id) {
                Some(known) => *known = user,
                None => self.users.push(user),
            }
        }
        Ok(())
    }

    fn read_subkey(
        &mut self,
        key: PublicKey,
        reader: &mut Reader<'_>,
        work: &mut Work,
    ) -> Result<(), Error> {
        let invalid =
            |error: Error| Error::Structural(format!("subkey signature invalid: {error}"));
        let (primary, sub) = (self.primary.hashed_form(), key.hashed_form());
        let mut binding: Option<Signature> = None;
        let mut revocations = Vec::new();
        loop {
            let signature = match work.next(reader).map_err(invalid)? {
                Some(Packet::Signature(signature)) => *signature,
                Some(other) => {
                    reader.unread(other);
                    break;
                }
                None => break,
            };
            if ![kind::SUBKEY_BINDING, kind::SUBKEY_REVOCATION].contains(&signature.kind) {
                return Err(Error::structural("subkey signature with wrong type"));
            }
            let parts = [primary.as_slice(), &sub];
            work.check(&self.primary, &signature, &parts)?.map_err(invalid)?;
            if signature.claims.may_sign {
                check_cross_signature(&key, &signature, &parts, work)?.map_err(invalid)?;
            }
            if signature.kind == kind::SUBKEY_REVOCATION {
                revocations.push(signature);
            } else if binding.as_ref().is_none_or(|old| signature.created() > old.created()) {
                binding = Some(signature);
            }
        }
        let binding =
            binding.ok_or_else(|| Error::structural("subkey packet not followed by signature"))?;
        self.subkeys.push(Subkey { key, binding, revocations });
        Ok(())
    }

    /// The self-signature that tells how the key may be used, and its user if it is over one.
    pub(super) fn own_signature(&self) -> (Option<&Signature>, Option<&User>) {
        if self.primary.version == 6 {
            return (self.newest_direct.and_then(|at| self.direct.get(at)), None);
        }
        let mut users = self.users.iter();
        let mut chosen = users.next();
        for user in users {
            if chosen.is_none_or(|chosen| user.is_preferred_to(chosen)) {
                chosen = Some(user);
            }
        }
        (chosen.and_then(User::own_signature), chosen)
    }

    /// Whether a subkey of it, with its secret half, is one to encrypt for.
    pub(super) fn decryption_keys(&self) -> usize {
        let decrypts = |subkey: &&Subkey| subkey.key.is_secret && subkey.binding.claims.may_encrypt;
        self.subkeys.iter().filter(decrypts).count()
    }

    /// Writes the key in the canonical order.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        write_key(out, &self.primary);
        let own = self.revocations.iter().chain(&self.direct);
        own.for_each(|signature| write_signature(out, signature));
        for user in &self.users {
            write_packet(out, 13, user.id.len(), &user.id);
            user.signatures.iter().for_each(|signature| write_signature(out, signature));
        }
        for subkey in &self.subkeys {
            write_key(out, &subkey.key);
            subkey.revocations.iter().for_each(|signature| write_signature(out, signature));
            write_signature(out, &subkey.binding);
        }
    }
}

/// A subkey that signs must have signed that it belongs to the key.
fn check_cross_signature(
    subkey: &PublicKey,
    binding: &Signature,
    parts: &[&[u8]],
    work: &mut Work,
) -> Result<Result<(), Error>, Error> {
    let Some(embedded) = &binding.claims.embedded else {
        return Ok(Err(Error::structural("signing subkey is missing cross-signature")));
    };
    let checked = work.check(subkey, embedded, parts)?;
    Ok(checked.map_err(|error| {
        Error::Structural(format!("error while verifying cross-signature: {error}"))
    }))
}

impl User {
    fn own_signature(&self) -> Option<&Signature> {
        self.own.and_then(|at| self.signatures.get(at))
    }

    pub(super) fn is_revoked(&self, at: u32) -> bool {
        let revocations = self.revocations.iter().filter_map(|at| self.signatures.get(*at));
        is_revoked(revocations, at)
    }

    /// Fewer revocations, then the mark of the primary user, then the newest signature.
    fn is_preferred_to(&self, other: &Self) -> bool {
        let rank = |user: &Self| {
            let own = user.own_signature();
            let is_primary = own.is_some_and(|own| own.claims.is_primary_user);
            let created = own.map(Signature::created);
            (std::cmp::Reverse(user.revocations.len()), is_primary, created)
        };
        rank(self) > rank(other)
    }
}

/// Whether any revocation holds at that time; of a compromised key, it holds at any.
pub(super) fn is_revoked<'a>(
    revocations: impl IntoIterator<Item = &'a Signature>,
    at: u32,
) -> bool {
    let holds = |one: &Signature| one.claims.is_compromised || !one.is_expired(at);
    revocations.into_iter().any(holds)
}

fn write_key(out: &mut Vec<u8>, key: &PublicKey) {
    let (tag, body) = key.packet();
    write_packet(out, tag, body.len(), body);
}

fn write_signature(out: &mut Vec<u8>, signature: &Signature) {
    let (length, body) = signature.packet();
    write_packet(out, 2, length, &body);
}

/// Writes a packet with a header of the newer format (RFC 9580 §4.2.1).
fn write_packet(out: &mut Vec<u8>, tag: u8, length: usize, body: &[u8]) {
    out.push(0xc0 | tag);
    match length {
        0..192 => out.push(length as u8),
        192..8384 => {
            let length = length - 192;
            out.extend([((length >> 8) + 192) as u8, length as u8]);
        }
        _ => {
            out.push(255);
            out.extend(u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
        }
    }
    out.extend_from_slice(body);
}
