//! The cleartext signature framework (RFC 9580 §7), as Rekor's library reads it.

use super::armor::{self, Block};

/// A message and its signature.
pub(crate) struct Cleartext {
    /// The text, with line feeds and without white space at the ends of lines.
    pub(crate) plaintext: Vec<u8>,
    /// The text as it is signed: with carriage returns before the line feeds.
    pub(crate) signed: Vec<u8>,
    pub(crate) signature: Block,
}

const START: &[u8] = b"-----BEGIN PGP SIGNED MESSAGE-----";
const SIGNATURE_START: &[u8] = b"-----BEGIN PGP SIGNATURE-----";
const SIGNATURE_END: &[u8] = b"\n-----END PGP SIGNATURE-----";
const HASHES: [&str; 9] =
    ["MD5", "SHA1", "RIPEMD160", "SHA224", "SHA256", "SHA384", "SHA512", "SHA3-256", "SHA3-512"];

impl Cleartext {
    /// Reads the first message in `text`.
    pub(crate) fn read(text: &[u8]) -> Option<Self> {
        let mut rest = skip_headers(after_start(text)?)?;
        let (mut plaintext, mut signed) = (Vec::new(), Vec::new());
        let armored = loop {
            let (line, after) = cut_line(rest);
            if line.is_empty() && after.is_empty() {
                return None;
            }
            if line == SIGNATURE_START {
                break rest;
            }
            let line = line.strip_prefix(b"- ").unwrap_or(line);
            let blanks = line.iter().rev().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
            let line = line.get(..line.len() - blanks)?;
            signed.extend_from_slice(line);
            signed.extend_from_slice(b"\r\n");
            plaintext.extend_from_slice(line);
            plaintext.push(b'\n');
            rest = after;
        };
        // The last line's end is not part of the message; a message without any line is none.
        plaintext.pop()?;
        signed.truncate(signed.len() - 2);
        let end = find(armored, SIGNATURE_END)? + SIGNATURE_END.len();
        let signature = armor::decode(armored.get(..end)?)?;
        Some(Self { plaintext, signed, signature })
    }
}

/// What follows the first line, which stands at the front or on a line of its own.
fn after_start(text: &[u8]) -> Option<&[u8]> {
    let rest = match text.strip_prefix(START) {
        Some(rest) => rest,
        None => {
            let line = [b"\n", START].concat();
            text.get(find(text, &line)? + line.len()..)?
        }
    };
    let (end, rest) = cut_line(rest);
    end.is_empty().then_some(rest)
}

/// Only `Hash` headers may stand before the empty line.
fn skip_headers(mut text: &[u8]) -> Option<&[u8]> {
    while !text.is_empty() {
        let (line, rest) = cut_line(text);
        text = rest;
        if armor::trim(line).is_empty() {
            return Some(text);
        }
        let line = str::from_utf8(line).ok()?;
        let (name, hashes) = line.split_once(':')?;
        let known = |hash: &str| HASHES.contains(&hash.trim().to_ascii_uppercase().as_str());
        let printable = line.bytes().all(|byte| (0x20..=0x7e).contains(&byte));
        if !printable || name.trim() != "Hash" || !hashes.split(',').all(known) {
            return None;
        }
    }
    None
}

/// The first line without its end, and what follows it.
fn cut_line(text: &[u8]) -> (&[u8], &[u8]) {
    match text.iter().position(|byte| *byte == b'\n') {
        Some(end) => {
            let (line, rest) = text.split_at(end);
            let rest = rest.strip_prefix(b"\n").unwrap_or(rest);
            (line.strip_suffix(b"\r").unwrap_or(line), rest)
        }
        None => (text, &[]),
    }
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}
