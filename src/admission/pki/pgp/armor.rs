//! ASCII armour (RFC 9580 §6), read as leniently as Rekor's library does, and written canonically.
//!
//! Text around a block is ignored, and so is the checksum; a block may end without its last line.
//! Lines are read in pieces of at most 100 bytes, which decides what counts as a line of its own.

use super::Error;
use super::packet::Source;
use crate::admission::base64;

pub(crate) const SIGNATURE: &str = "PGP SIGNATURE";
pub(crate) const PUBLIC_KEY: &str = "PGP PUBLIC KEY BLOCK";
pub(super) const PRIVATE_KEY: &str = "PGP PRIVATE KEY BLOCK";

const START: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
const DASHES: usize = 5;
/// Bytes of a piece of a line.
const PIECE_BYTES: usize = 100;
/// Characters of a line of base64.
const LINE_CHARS_MAX: usize = 96;
const WRITTEN_LINE_CHARS: usize = 64;

/// One block.
pub(crate) struct Block {
    /// For example `PGP SIGNATURE`.
    kind: Vec<u8>,
    body: Vec<u8>,
    /// What reading gives behind the body.
    end: Error,
}

impl Block {
    pub(crate) fn is(&self, kind: &str) -> bool {
        self.kind == kind.as_bytes()
    }

    pub(super) fn source(&self) -> Source<'_> {
        Source::new(&self.body, self.end.clone())
    }

    /// The body, if all of it could be read.
    pub(crate) fn into_body(self) -> Result<Vec<u8>, Error> {
        if self.end == Error::Eof { Ok(self.body) } else { Err(self.end) }
    }
}

/// The first block of `text`, if there is one.
pub(crate) fn decode(text: &[u8]) -> Option<Block> {
    let mut pieces = Pieces(text);
    loop {
        let kind = find_start(&mut pieces)?;
        if skip_headers(&mut pieces)? {
            let (body, end) = read_body(pieces);
            return Some(Block { kind, body, end });
        }
    }
}

/// The kind in the next `-----BEGIN` line.
fn find_start(pieces: &mut Pieces<'_>) -> Option<Vec<u8>> {
    let mut continues = false;
    loop {
        let inside = continues;
        let (piece, more) = pieces.next()?;
        continues = more;
        let line = trim(piece);
        if more || inside || line.len() <= START.len() + DASHES {
            continue;
        }
        if let Some(rest) = line.strip_prefix(START) {
            return rest.get(..rest.len() - DASHES).map(<[u8]>::to_vec);
        }
    }
}

/// Whether the headers end with an empty line; a line that is none ends the block.
fn skip_headers(pieces: &mut Pieces<'_>) -> Option<bool> {
    let mut continues = false;
    loop {
        let inside = continues;
        let (piece, more) = pieces.next()?;
        continues = more;
        if inside {
            continue;
        }
        let line = trim(piece);
        if line.is_empty() {
            return Some(true);
        }
        if !line.contains(&b':') {
            return Some(false);
        }
    }
}

fn read_body(mut pieces: Pieces<'_>) -> (Vec<u8>, Error) {
    let mut body = Vec::with_capacity(pieces.0.len() / 4 * 3);
    let mut group = Vec::with_capacity(LINE_CHARS_MAX + 4);
    while let Some((piece, more)) = pieces.next() {
        let line = trim(piece);
        if more {
            return (body, corrupt());
        }
        if line.starts_with(END) || line.len() == 5 && line.first() == Some(&b'=') {
            break;
        }
        if line.len() > LINE_CHARS_MAX {
            return (body, corrupt());
        }
        group.extend(line.iter().filter(|byte| **byte != b'\r'));
        let whole = group.len() / 4 * 4;
        if let Err(at) = decode_groups(group.get(..whole).unwrap_or_default(), &mut body) {
            return (body, Error::Other(format!("illegal base64 data at input byte {at}")));
        }
        group.drain(..whole);
    }
    let end = if group.is_empty() { Error::Eof } else { Error::UnexpectedEof };
    (body, end)
}

/// Decodes what can be; the error is where it ends.
fn decode_groups(groups: &[u8], out: &mut Vec<u8>) -> Result<(), usize> {
    let text = str::from_utf8(groups).unwrap_or("\0");
    if let Ok(bytes) = base64::decode(text) {
        out.extend(bytes);
        return Ok(());
    }
    for (at, group) in groups.chunks(4).enumerate() {
        let text = str::from_utf8(group).unwrap_or("\0");
        let bytes = base64::decode(text).map_err(|error| at * 4 + error.0)?;
        out.extend(&bytes);
        if bytes.len() < 3 {
            return Err(at * 4 + 4); // padding ends what can be read of a line
        }
    }
    Ok(())
}

fn corrupt() -> Error {
    Error::structural("armor invalid")
}

/// Lines, those of 100 bytes and more in pieces.
struct Pieces<'a>(&'a [u8]);

impl<'a> Pieces<'a> {
    /// The next piece, and whether its line goes on.
    fn next(&mut self) -> Option<(&'a [u8], bool)> {
        let text = self.0;
        if text.is_empty() {
            return None;
        }
        let window = text.get(..PIECE_BYTES).unwrap_or(text);
        if let Some(end) = window.iter().position(|byte| *byte == b'\n') {
            let (line, rest) = (window.get(..end)?, text.get(end + 1..)?);
            self.0 = rest;
            return Some((line.strip_suffix(b"\r").unwrap_or(line), false));
        }
        let more = window.len() == PIECE_BYTES;
        // A carriage return at the end of a piece may belong to the line's end.
        let window = if more { window.strip_suffix(b"\r").unwrap_or(window) } else { window };
        self.0 = text.get(window.len()..)?;
        Some((window, more))
    }
}

/// Without white space around it, in any script if it is text.
pub(super) fn trim(line: &[u8]) -> &[u8] {
    match str::from_utf8(line) {
        Ok(text) => text.trim().as_bytes(),
        Err(_) => line.trim_ascii(),
    }
}

/// Writes a block without headers and without a newline at its end.
pub(crate) fn encode(kind: &str, contents: &[u8]) -> String {
    let encoded = base64::encode(contents);
    let mut out = format!("-----BEGIN {kind}-----\n\n");
    out.reserve(encoded.len() + encoded.len() / WRITTEN_LINE_CHARS + kind.len() + 32);
    let mut left = encoded.as_str();
    while !left.is_empty() {
        let (line, rest) = left.split_at(left.len().min(WRITTEN_LINE_CHARS));
        out.push_str(line);
        out.push('\n');
        left = rest;
    }
    let [_, checksum @ ..] = crc24(contents).to_be_bytes();
    out.push('=');
    out.push_str(&base64::encode(&checksum));
    out.push_str(&format!("\n-----END {kind}-----"));
    out
}

/// RFC 9580 §6.1.1.
fn crc24(bytes: &[u8]) -> u32 {
    let mut crc = 0x00b7_04ce;
    for byte in bytes {
        crc ^= u32::from(*byte) << 16;
        for _ in 0..8 {
            crc <<= 1;
            if crc & 0x0100_0000 != 0 {
                crc ^= 0x0186_4cfb;
            }
        }
    }
    crc
}
