//! Packets (RFC 9580 §4): headers of both formats, and a reader that skips what Rekor's library
//! skips.
//!
//! Only signatures, keys and user IDs are looked into. What is left of a packet after its fields is
//! not skipped: it is read as the next packet, as the library does.

use super::Error;
use super::key::PublicKey;
use super::signature::Signature;
use crate::limits::PGP_USER_ID_BYTES_MAX;

/// A packet, as far as it matters here.
pub(super) enum Packet {
    Signature(Box<Signature>),
    Key(Box<PublicKey>),
    UserId(Vec<u8>),
    Marker,
    Other,
}

/// Bytes, and what reading gives behind them.
pub(super) struct Source<'a> {
    rest: &'a [u8],
    end: Error,
}

impl<'a> Source<'a> {
    pub(super) fn new(bytes: &'a [u8], end: Error) -> Self {
        Self { rest: bytes, end }
    }

    /// Nothing is left.
    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    fn take(&mut self, most: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(most.min(self.rest.len()));
        self.rest = rest;
        taken
    }

    fn byte(&mut self) -> Result<u8, Error> {
        self.take(1).first().copied().ok_or_else(|| self.end.clone().unexpected())
    }

    /// A length, and whether another one follows behind as many bytes.
    fn length(&mut self) -> Result<(usize, bool), Error> {
        let first = usize::from(self.byte()?);
        Ok(match first {
            0..192 => (first, false),
            192..224 => (((first - 192) << 8) + usize::from(self.byte()?) + 192, false),
            224..=254 => (1 << (first & 0x1f), true),
            _ => (self.number(4)?, false),
        })
    }

    fn number(&mut self, bytes: usize) -> Result<usize, Error> {
        (0..bytes).try_fold(0, |sum, _| Ok(sum << 8 | usize::from(self.byte()?)))
    }
}

/// Where a packet ends.
enum Extent {
    /// After so many bytes.
    Bytes(usize),
    /// After so many bytes another length follows, if `more`.
    Part { left: usize, more: bool },
    /// With the source.
    Open,
}

/// The contents of one packet.
pub(super) struct Contents<'s, 'a> {
    source: &'s mut Source<'a>,
    extent: Extent,
}

impl<'s, 'a> Contents<'s, 'a> {
    /// All of the source as the contents of one packet.
    pub(super) fn all(source: &'s mut Source<'a>) -> Self {
        Self { source, extent: Extent::Open }
    }

    /// Reads up to `most` bytes; the error says why they are fewer.
    fn fill(&mut self, out: &mut Vec<u8>, most: usize) -> Result<(), Error> {
        let mut missing = most;
        while missing > 0 {
            let room = match &mut self.extent {
                Extent::Bytes(0) | Extent::Part { left: 0, more: false } => return Err(Error::Eof),
                Extent::Part { left: left @ 0, more } => {
                    (*left, *more) = self.source.length()?;
                    continue;
                }
                Extent::Bytes(left) | Extent::Part { left, .. } => *left,
                Extent::Open => usize::MAX,
            };
            let part = self.source.take(missing.min(room));
            if part.is_empty() {
                let end = self.source.end.clone();
                let open = matches!(self.extent, Extent::Open);
                return Err(if open { end } else { end.unexpected() });
            }
            out.extend_from_slice(part);
            missing -= part.len();
            if let Extent::Bytes(left) | Extent::Part { left, .. } = &mut self.extent {
                *left -= part.len();
            }
        }
        Ok(())
    }

    /// Exactly so many bytes; that they are not there is unexpected.
    pub(super) fn bytes(&mut self, count: usize) -> Result<Vec<u8>, Error> {
        let mut out = Vec::new();
        self.fill(&mut out, count).map_err(Error::unexpected)?;
        Ok(out)
    }

    /// Exactly so many bytes; if there are none at all, that is an end like any other.
    pub(super) fn bytes_or_end(&mut self, count: usize) -> Result<Vec<u8>, Error> {
        let mut out = Vec::new();
        let filled = self.fill(&mut out, count);
        filled.map_err(|error| if out.is_empty() { error } else { error.unexpected() })?;
        Ok(out)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        self.bytes(N)?.try_into().map_err(|_| Error::UnexpectedEof)
    }

    /// A multiprecision integer as it is written, two octets of length and all.
    pub(super) fn mpi(&mut self) -> Result<Vec<u8>, Error> {
        let mut out = self.bytes(2)?;
        let bits = out.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        self.fill(&mut out, bits.div_ceil(8)).map_err(Error::unexpected)?;
        Ok(out)
    }

    /// All that is left, up to `most` bytes.
    fn rest(&mut self, most: usize) -> Result<Vec<u8>, Error> {
        let mut out = Vec::new();
        match self.fill(&mut out, most) {
            Err(Error::Eof) => Ok(out),
            Err(error) => Err(error),
            Ok(()) => Err(Error::Other(format!("openpgp: a packet has more than {most} bytes"))),
        }
    }

    /// All that is left is thrown away, whatever happens.
    pub(super) fn skip(&mut self) -> Result<(), Error> {
        loop {
            let mut thrown = Vec::new();
            match self.fill(&mut thrown, 1 << 16) {
                Ok(()) => {}
                Err(Error::Eof) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }
}

/// Reads one packet. One that cannot be read is skipped as a whole.
pub(super) fn read(source: &mut Source<'_>) -> Result<Packet, Error> {
    let Some(first) = source.take(1).first().copied() else { return Err(source.end.clone()) };
    if first & 0x80 == 0 {
        return Err(Error::structural("tag byte does not have MSB set"));
    }
    let (tag, extent) = if first & 0x40 == 0 {
        let extent = match first & 3 {
            3 => Extent::Open,
            kind => Extent::Bytes(source.number(1 << kind)?),
        };
        ((first & 0x3f) >> 2, extent)
    } else {
        let extent = match source.length()? {
            (left, true) => Extent::Part { left, more: true },
            (left, false) => Extent::Bytes(left),
        };
        (first & 0x3f, extent)
    };
    let mut contents = Contents { source, extent };
    let packet = read_contents(tag, &mut contents);
    if packet.is_err() {
        let _ = contents.skip();
    }
    packet
}

fn read_contents(tag: u8, contents: &mut Contents<'_, '_>) -> Result<Packet, Error> {
    match tag {
        2 => Ok(Packet::Signature(Box::new(Signature::read(contents)?))),
        5 | 6 | 7 | 14 => {
            let mut key = PublicKey::read(contents)?;
            (key.is_subkey, key.is_secret) = (matches!(tag, 7 | 14), matches!(tag, 5 | 7));
            if key.is_secret {
                contents.skip()?;
            }
            Ok(Packet::Key(Box::new(key)))
        }
        10 => match contents.bytes_or_end(3)?.as_slice() {
            b"PGP" => Ok(Packet::Marker),
            _ => Err(Error::structural("invalid marker packet")),
        },
        12 => Err(Error::UnknownPacket(tag)),
        13 => Ok(Packet::UserId(contents.rest(PGP_USER_ID_BYTES_MAX)?)),
        // Messages, user attributes, padding: none of them matters to a key or a signature.
        1 | 3 | 4 | 8 | 9 | 11 | 17 | 18 | 20 | 21 => contents.skip().map(|()| Packet::Other),
        0..40 => Err(Error::CriticalPacket(tag)),
        _ => Err(Error::UnknownPacket(tag)),
    }
}

/// Reads packet by packet. What is not known, or not supported, is skipped.
pub(super) struct Reader<'a> {
    source: Source<'a>,
    unread: Option<Packet>,
    ended: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(source: Source<'a>) -> Self {
        Self { source, unread: None, ended: false }
    }

    /// The next packet; [`Error::Eof`] at the end.
    pub(super) fn next(&mut self) -> Result<Packet, Error> {
        if let Some(packet) = self.unread.take() {
            return Ok(packet);
        }
        while !self.ended {
            match read(&mut self.source) {
                Ok(Packet::Marker) | Err(Error::UnknownPacket(_) | Error::Unsupported(_)) => {}
                Err(Error::Eof) => self.ended = true,
                other => return other,
            }
        }
        Err(Error::Eof)
    }

    /// Gives a packet back, to be the next.
    pub(super) fn unread(&mut self, packet: Packet) {
        self.unread = Some(packet);
    }
}
