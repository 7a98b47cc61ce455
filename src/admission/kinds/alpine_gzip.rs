//! One member of a gzip file (RFC 1952): where it ends matters, for what follows is another part of
//! the package.

use std::io::{self, Read};

use flate2::Crc;
use flate2::bufread::DeflateDecoder;

use crate::limits::ALPINE_CONTROL_BYTES_MAX;

const HEADER: &str = "gzip: invalid header";
const CUT_SHORT: &str = "unexpected EOF";

/// Names and comments must be shorter, for Rekor.
const TEXT_BYTES: usize = 512;

const HAS_CHECKSUM: u8 = 1 << 1;
const HAS_EXTRA: u8 = 1 << 2;
const HAS_NAME: u8 = 1 << 3;
const HAS_COMMENT: u8 = 1 << 4;

/// Gives the unpacked bytes, at most [`ALPINE_CONTROL_BYTES_MAX`]. An error stays.
pub(super) struct Member<'a> {
    packed: DeflateDecoder<&'a [u8]>,
    unpacked: Crc,
    bytes: u64,
    /// What follows the member, once its end is reached, or why that cannot be.
    end: Option<Result<&'a [u8], String>>,
}

impl<'a> Member<'a> {
    /// Reads the header.
    ///
    /// # Errors
    /// The text for the client.
    pub(super) fn open(input: &'a [u8]) -> Result<Self, String> {
        if input.is_empty() {
            return Err("EOF".into());
        }
        let packed = DeflateDecoder::new(skip_header(input)?);
        Ok(Self { packed, unpacked: Crc::new(), bytes: 0, end: None })
    }

    /// Reads the rest, and gives what follows the member.
    ///
    /// # Errors
    /// The text for the client.
    pub(super) fn finish(mut self) -> Result<&'a [u8], String> {
        let mut buffer = [0; 32 << 10];
        loop {
            match self.end {
                Some(end) => return end,
                None => self.step(&mut buffer),
            };
        }
    }

    /// Unpacks something, or sets the end.
    fn step(&mut self, buffer: &mut [u8]) -> usize {
        let count = match self.packed.read(buffer) {
            Ok(0) => {
                self.end = Some(self.check_trailer());
                return 0;
            }
            Ok(count) => count,
            Err(error) => {
                self.end = Some(Err(match error.kind() {
                    io::ErrorKind::UnexpectedEof => CUT_SHORT.into(),
                    _ => "flate: corrupt input".into(),
                }));
                return 0;
            }
        };
        self.bytes += count as u64;
        if self.bytes > ALPINE_CONTROL_BYTES_MAX {
            self.end =
                Some(Err(format!("it has more than {ALPINE_CONTROL_BYTES_MAX} bytes, unpacked")));
            return 0;
        }
        self.unpacked.update(buffer.get(..count).unwrap_or_default());
        count
    }

    fn check_trailer(&self) -> Result<&'a [u8], String> {
        let rest: &'a [u8] = self.packed.get_ref();
        let (checksum, rest) = rest.split_first_chunk::<4>().ok_or(CUT_SHORT)?;
        let (length, rest) = rest.split_first_chunk::<4>().ok_or(CUT_SHORT)?;
        let found = (u32::from_le_bytes(*checksum), u32::from_le_bytes(*length));
        if found != (self.unpacked.sum(), self.unpacked.amount()) {
            return Err("gzip: invalid checksum".into());
        }
        Ok(rest)
    }
}

impl Read for Member<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let count = if self.end.is_none() { self.step(buffer) } else { 0 };
        match &self.end {
            Some(Err(text)) => Err(io::Error::other(text.clone())),
            _ => Ok(count),
        }
    }
}

fn skip_header(input: &[u8]) -> Result<&[u8], String> {
    let (fixed, mut rest) = input.split_first_chunk::<10>().ok_or(CUT_SHORT)?;
    let [0x1f, 0x8b, 8, flags, ..] = *fixed else { return Err(HEADER.into()) };
    if flags & HAS_EXTRA != 0 {
        let (length, after) = rest.split_first_chunk::<2>().ok_or(CUT_SHORT)?;
        rest = after.get(u16::from_le_bytes(*length).into()..).ok_or(CUT_SHORT)?;
    }
    for text in [HAS_NAME, HAS_COMMENT] {
        if flags & text != 0 {
            let end = rest.iter().take(TEXT_BYTES).position(|byte| *byte == 0);
            let error = if rest.len() < TEXT_BYTES { CUT_SHORT } else { HEADER };
            rest = rest.get(end.ok_or(error)? + 1..).unwrap_or_default();
        }
    }
    if flags & HAS_CHECKSUM != 0 {
        let (checksum, after) = rest.split_first_chunk::<2>().ok_or(CUT_SHORT)?;
        let mut header = Crc::new();
        header.update(input.get(..input.len() - rest.len()).unwrap_or_default());
        if u32::from(u16::from_le_bytes(*checksum)) != header.sum() & 0xffff {
            return Err(HEADER.into());
        }
        rest = after;
    }
    Ok(rest)
}
