//! RPM packages (format 3 and 4): the lead, the signature header, the header, the payload.
//!
//! The digests are checked as Rekor checks them: the header's if the signature header has one, and
//! one of the payload, which is never unpacked. Who signed it is for the caller.

use std::collections::HashMap;
use std::ops::Range;

use aws_lc_rs::digest::{self, Algorithm, digest};
use md5::{Digest as _, Md5};

use crate::limits::RPM_TAGS_MAX;

/// A package whose digests are right.
pub(super) struct Package<'a> {
    /// The header as it is signed.
    pub(super) header: &'a [u8],
    pub(super) payload: &'a [u8],
    tags: Tags<'a>,
    signature_tags: Tags<'a>,
}

/// What the package calls itself.
pub(super) struct Identity {
    pub(super) name: String,
    pub(super) epoch: String,
    pub(super) version: String,
    pub(super) release: String,
    pub(super) architecture: String,
}

/// Tags of the header.
mod tag {
    pub(super) const NAME: i32 = 1000;
    pub(super) const VERSION: i32 = 1001;
    pub(super) const RELEASE: i32 = 1002;
    pub(super) const EPOCH: i32 = 1003;
    pub(super) const ARCHITECTURE: i32 = 1022;
    pub(super) const PAYLOAD_DIGEST: i32 = 5092;
    pub(super) const PAYLOAD_DIGEST_ALGORITHM: i32 = 5093;
}

/// Tags of the signature header.
mod signature_tag {
    pub(super) const DSA: i32 = 267;
    pub(super) const RSA: i32 = 268;
    pub(super) const SHA1: i32 = 269;
    pub(super) const SHA256: i32 = 273;
    pub(super) const PGP: i32 = 1002;
    pub(super) const MD5: i32 = 1004;
    pub(super) const GPG: i32 = 1005;
}

const LEAD_BYTES: usize = 96;
const LEAD_MAGIC: &[u8] = &[0xed, 0xab, 0xee, 0xdb];
const HEADER_MAGIC: u32 = 0x8ead_e801;
const ENTRY_BYTES: u32 = 16;
/// How often the texts of a header may be read over.
const TEXT_PASSES_MAX: usize = 4;

impl<'a> Package<'a> {
    /// Reads a package up to its payload, and checks the header's digest.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, String> {
        let mut rest = bytes;
        let lead = take(&mut rest, LEAD_BYTES);
        let lead = lead.map_err(|end| format!("error reading RPM lead: {end}"))?;
        if !lead.starts_with(LEAD_MAGIC) {
            return Err("file is not an RPM".into());
        }
        let (_, signature_tags) = read_header(&mut rest, true, |_| Ok(()))?;
        let (expected, algorithm, name) = match signature_tags.digest(signature_tag::SHA256)? {
            Some(sha256) => (Some(sha256), &digest::SHA256, "SHA-256"),
            None => {
                let sha1 = signature_tags.digest(signature_tag::SHA1)?;
                (sha1, &digest::SHA1_FOR_LEGACY_USE_ONLY, "SHA-1")
            }
        };
        let check = |header: &[u8]| match expected {
            Some(expected) if expected.len() > 1 && !is_hex(algorithm, header, expected) => {
                Err(format!("{name} mismatch in signature header"))
            }
            _ => Ok(()),
        };
        let (header, tags) = read_header(&mut rest, false, check)?;
        Ok(Self { header, payload: rest, tags, signature_tags })
    }

    /// The OpenPGP signatures: those over the header, and those over the header and the payload.
    pub(super) fn signatures(&self) -> Result<[Vec<&'a [u8]>; 2], String> {
        let read = |tags: [i32; 2]| {
            let found = tags.into_iter().filter(|tag| self.signature_tags.0.contains_key(tag));
            found.map(|tag| self.signature_tags.binary(tag)).collect::<Result<_, _>>()
        };
        Ok([
            read([signature_tag::RSA, signature_tag::DSA])?,
            read([signature_tag::PGP, signature_tag::GPG])?,
        ])
    }

    /// The MD5 of header and payload that the signature header names.
    pub(super) fn md5(&self) -> Option<&'a [u8]> {
        self.signature_tags.binary(signature_tag::MD5).ok().filter(|md5| !md5.is_empty())
    }

    /// Checks the payload's digest, or the package's if it has none.
    pub(super) fn check_payload(&self) -> Result<(), String> {
        if let Some((expected, algorithm)) = self.payload_digest() {
            let (name, right) = match algorithm {
                1 => {
                    let found = hex::encode(Md5::digest(self.payload));
                    ("MD5", found.as_bytes() == expected)
                }
                2 => ("SHA-1", self.has_digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, expected)),
                9 => ("SHA-384", self.has_digest(&digest::SHA384, expected)),
                10 => ("SHA-512", self.has_digest(&digest::SHA512, expected)),
                11 => ("SHA-224", self.has_digest(&digest::SHA224, expected)),
                _ => ("SHA-256", self.has_digest(&digest::SHA256, expected)),
            };
            return if right { Ok(()) } else { Err(format!("payload {name} digest mismatch")) };
        }
        let expected = self.md5().ok_or("no usable payload digest found")?;
        let found = Md5::new().chain_update(self.header).chain_update(self.payload).finalize();
        if found.as_slice() == expected { Ok(()) } else { Err("md5 digest mismatch".into()) }
    }

    fn has_digest(&self, algorithm: &'static Algorithm, expected: &[u8]) -> bool {
        is_hex(algorithm, self.payload, expected)
    }

    /// The digest in hex, and the number of a known algorithm.
    fn payload_digest(&self) -> Option<(&'a [u8], u64)> {
        let expected = self.tags.text(tag::PAYLOAD_DIGEST).ok()?;
        let (bits, numbers) = self.tags.numbers(tag::PAYLOAD_DIGEST_ALGORITHM).ok()?;
        let algorithm = *numbers.first()?;
        (bits < 64 && [1, 2, 8, 9, 10, 11].contains(&algorithm)).then_some((expected, algorithm))
    }

    /// What the package calls itself; no epoch is epoch 0.
    pub(super) fn identity(&self) -> Result<Identity, String> {
        let text = |tag| self.tags.text(tag).map(go_text);
        let epoch = match self.tags.0.get(&tag::EPOCH) {
            Some(_) => self.tags.numbers(tag::EPOCH)?.1.first().copied().unwrap_or(0),
            None => 0,
        };
        Ok(Identity {
            name: text(tag::NAME)?,
            epoch: epoch.to_string(),
            version: text(tag::VERSION)?,
            release: text(tag::RELEASE)?,
            architecture: text(tag::ARCHITECTURE)?,
        })
    }
}

/// Text as JSON has it: a replacement character for each byte that is none.
fn go_text(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        out.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    out
}

fn is_hex(algorithm: &'static Algorithm, content: &[u8], expected: &[u8]) -> bool {
    hex::encode(digest(algorithm, content)).as_bytes() == expected
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Result<&'a [u8], &'static str> {
    let (taken, after) = rest.split_at_checked(count).ok_or(if rest.is_empty() {
        "EOF"
    } else {
        "unexpected EOF"
    })?;
    *rest = after;
    Ok(taken)
}

fn word(bytes: &[u8], at: usize) -> u32 {
    let word = bytes.get(at..).and_then(|from| from.first_chunk());
    word.copied().map_or(0, u32::from_be_bytes)
}

/// Reads a header, all of its bytes and its tags; `check` sees the bytes first.
fn read_header<'a>(
    rest: &mut &'a [u8],
    padded: bool,
    check: impl Fn(&[u8]) -> Result<(), String>,
) -> Result<(&'a [u8], Tags<'a>), String> {
    let all = *rest;
    let intro = take(rest, 16).map_err(|end| format!("error reading RPM header: {end}"))?;
    if word(intro, 0) != HEADER_MAGIC {
        return Err("bad magic for header".into());
    }
    let (entries, size) = (word(intro, 8), word(intro, 12));
    let table = take(rest, entries.wrapping_mul(ENTRY_BYTES) as usize)
        .map_err(|end| format!("error reading RPM header table: {end}"))?;
    let size = if padded { size.wrapping_add(7) / 8 * 8 } else { size };
    let data =
        take(rest, size as usize).map_err(|end| format!("error reading RPM header data: {end}"))?;
    let bytes = all.get(..all.len() - rest.len()).unwrap_or_default();
    check(bytes)?;
    if entries as usize > RPM_TAGS_MAX {
        return Err(format!("the header has more than {RPM_TAGS_MAX} tags"));
    }
    Ok((bytes, Tags::read(table, data)?))
}

/// A header's tags.
struct Tags<'a>(HashMap<i32, Value<'a>>);

#[derive(Clone, Copy)]
struct Value<'a> {
    kind: i32,
    count: usize,
    contents: &'a [u8],
}

const BINARY: i32 = 7;
const STRINGS: [i32; 3] = [6, 8, 9];

impl<'a> Tags<'a> {
    fn read(table: &[u8], data: &'a [u8]) -> Result<Self, String> {
        let mut tags = HashMap::new();
        // Texts of different tags rarely overlap, so all of them are hardly longer than the data.
        let mut scanned = 0;
        for entry in table.chunks_exact(ENTRY_BYTES as usize) {
            let field = |at| word(entry, at) as i32;
            let (tag, kind, offset, count) = (field(0), field(4), field(8), field(12));
            let malformed = || format!("tag {tag} is malformed");
            let start = usize::try_from(offset).map_err(|_| malformed())?;
            let counted = usize::try_from(count).ok();
            // Less than no texts are none.
            let count = counted.unwrap_or(0);
            let end = match type_bytes(kind) {
                Some(size) => {
                    counted.and_then(|_| start.checked_add(size * count)).ok_or_else(malformed)?
                }
                None => {
                    let texts = data.get(start..).ok_or_else(malformed)?;
                    let length = texts_length(texts, count);
                    start + length.ok_or_else(|| format!("tag {tag} is truncated"))?
                }
            };
            let Range { start, end } = start..end;
            let contents = data.get(start..end).ok_or_else(malformed)?;
            if type_bytes(kind).is_none() {
                scanned += contents.len();
            }
            if scanned > TEXT_PASSES_MAX * data.len() {
                return Err("the tags of the header overlap".into());
            }
            tags.insert(tag, Value { kind, count, contents });
        }
        Ok(Self(tags))
    }

    fn get(&self, tag: i32) -> Result<Value<'a>, String> {
        self.0.get(&tag).copied().ok_or_else(|| format!("No such entry {tag}"))
    }

    /// The first text.
    fn text(&self, tag: i32) -> Result<&'a [u8], String> {
        let Value { kind, count, contents } = self.get(tag)?;
        if !STRINGS.contains(&kind) {
            return Err(format!("unsupported datatype for string: {kind}, tag: {tag}"));
        }
        let first = contents.split(|byte| *byte == 0).next().filter(|_| count > 0);
        first.ok_or_else(|| format!("tag {tag} is empty"))
    }

    /// The first text, if there is one that is not empty.
    fn digest(&self, tag: i32) -> Result<Option<&'a [u8]>, String> {
        match self.0.get(&tag) {
            Some(value) if STRINGS.contains(&value.kind) => {
                self.text(tag).map(|text| Some(text).filter(|text| !text.is_empty()))
            }
            _ => Ok(None),
        }
    }

    fn binary(&self, tag: i32) -> Result<&'a [u8], String> {
        let Value { kind, contents, .. } = self.get(tag)?;
        if kind != BINARY {
            return Err(format!("unsupported datatype for bytes: {kind}, tag: {tag}"));
        }
        Ok(contents)
    }

    /// Numbers, and of how many bits they are.
    fn numbers(&self, tag: i32) -> Result<(usize, Vec<u64>), String> {
        let Value { kind, contents, .. } = self.get(tag)?;
        let size = match kind {
            1..=5 => type_bytes(kind).unwrap_or(1),
            _ => return Err(format!("tag {tag} isn't an int type")),
        };
        let number = |bytes: &[u8]| bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        Ok((size * 8, contents.chunks_exact(size).map(number).collect()))
    }
}

/// Bytes of a value; `None` for texts, which end with a zero each.
fn type_bytes(kind: i32) -> Option<usize> {
    match kind {
        0 => Some(0),
        1 | 2 | BINARY => Some(1),
        3 => Some(2),
        4 => Some(4),
        5 => Some(8),
        _ => None,
    }
}

/// The length of so many texts, with the zeros that end them.
fn texts_length(data: &[u8], count: usize) -> Option<usize> {
    match count.checked_sub(1) {
        None => Some(0),
        Some(before) => {
            let mut ends = data.iter().enumerate().filter(|(_, byte)| **byte == 0);
            ends.nth(before).map(|(at, _)| at + 1)
        }
    }
}
