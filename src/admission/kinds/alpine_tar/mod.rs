//! The members of a tar archive, one after the other: ustar, with the extensions of GNU for long
//! names and those of POSIX (pax). Sparse files are refused.
//!
//! Read as Go's standard library does, whose reader decides for Rekor what an archive holds.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read};

const BLOCK: usize = 512;
const INVALID: &str = "archive/tar: invalid tar header";
const CUT_SHORT: &str = "unexpected EOF";
/// Bytes of an extended header, or of a long name.
const SPECIAL_BYTES_MAX: u64 = 1 << 20;

/// An archive that is being read.
pub(super) struct Tar<R> {
    input: R,
    /// Of the content of the member at hand.
    left: u64,
    /// After that content.
    padding: u64,
}

/// What stands before a member's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) name: Vec<u8>,
    /// As it says; a link or a folder has no content all the same.
    pub(super) size: i64,
    flag: u8,
}

impl<R: Read> Tar<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, left: 0, padding: 0 }
    }

    /// The next member; `None` at the end.
    ///
    /// # Errors
    /// The text for the client.
    pub(super) fn next(&mut self) -> Result<Option<Header>, String> {
        let mut extended = Pax::default();
        let mut long_name = Vec::new();
        loop {
            let Some(mut header) = self.next_header()? else { return Ok(None) };
            self.begin(&header)?;
            match header.flag {
                b'x' => extended = Pax::read(&self.special()?)?,
                b'g' => {
                    let global = Pax::read(&self.special()?)?;
                    let name = global.name().unwrap_or(header.name);
                    return Ok(Some(Header { name, size: 0, flag: b'g' }));
                }
                b'L' => long_name = text(&self.special()?).to_vec(),
                b'K' => drop(self.special()?),
                b'S' => return Err(INVALID.into()),
                _ => {
                    extended.apply(&mut header)?;
                    if !long_name.is_empty() {
                        header.name = long_name;
                    }
                    if header.flag == 0 && header.name.ends_with(b"/") {
                        header.flag = b'5';
                    }
                    self.begin(&header)?;
                    return Ok(Some(header));
                }
            }
        }
    }

    /// The content of the member that [`Tar::next`] gave: zeros where there is none for its size.
    ///
    /// # Errors
    /// The text for the client.
    pub(super) fn content(&mut self, header: &Header) -> Result<Vec<u8>, String> {
        let size = usize::try_from(header.size).map_err(|_| INVALID)?;
        let mut content = vec![0; size];
        let held = content.get_mut(..self.left as usize).ok_or(INVALID)?;
        let wanted = held.len();
        if fill(&mut self.input, held)? < wanted {
            return Err(CUT_SHORT.into());
        }
        self.left = 0;
        Ok(content)
    }

    fn next_header(&mut self) -> Result<Option<Header>, String> {
        if self.skip(self.left)? < self.left {
            return Err(CUT_SHORT.into());
        }
        self.skip(self.padding)?; // of the last member it may be missing
        (self.left, self.padding) = (0, 0);
        let mut block = [0; BLOCK];
        let mut is_there = self.block(&mut block)?;
        if is_there && block == [0; BLOCK] {
            is_there = self.block(&mut block)? && block != [0; BLOCK];
            // A second block of zeros is the end; one alone is not.
            if is_there {
                return Err(INVALID.into());
            }
        }
        let header = is_there.then(|| Header::read(&block).ok_or_else(|| INVALID.into()));
        header.transpose()
    }

    /// `false` at the end.
    fn block(&mut self, block: &mut [u8; BLOCK]) -> Result<bool, String> {
        match fill(&mut self.input, block)? {
            0 => Ok(false),
            BLOCK => Ok(true),
            _ => Err(CUT_SHORT.into()),
        }
    }

    fn begin(&mut self, header: &Header) -> Result<(), String> {
        let size = if matches!(header.flag, b'1'..=b'6') { 0 } else { header.size };
        self.left = u64::try_from(size).map_err(|_| INVALID)?;
        self.padding = self.left.next_multiple_of(BLOCK as u64) - self.left;
        Ok(())
    }

    fn skip(&mut self, bytes: u64) -> Result<u64, String> {
        let mut piece = self.input.by_ref().take(bytes);
        std::io::copy(&mut piece, &mut std::io::sink()).map_err(|error| error.to_string())
    }

    fn special(&mut self) -> Result<Vec<u8>, String> {
        if self.left > SPECIAL_BYTES_MAX {
            return Err("archive/tar: header field too long".into());
        }
        let mut content = vec![0; self.left as usize];
        if fill(&mut self.input, &mut content)? < content.len() {
            return Err(CUT_SHORT.into());
        }
        self.left = 0;
        Ok(content)
    }
}

/// Reads as much as there is, or fits.
fn fill(input: &mut impl Read, buffer: &mut [u8]) -> Result<usize, String> {
    let mut count = 0;
    while let Some(free) = buffer.get_mut(count..).filter(|free| !free.is_empty()) {
        match input.read(free) {
            Ok(0) => break,
            Ok(more) => count += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error.to_string()),
        }
    }
    Ok(count)
}

impl Header {
    /// `None` for a wrong checksum, or a number that is none.
    fn read(block: &[u8; BLOCK]) -> Option<Self> {
        let field = |from: usize, bytes: usize| block.get(from..from + bytes);
        let mut sums = [0, 0];
        for (at, byte) in block.iter().enumerate() {
            let byte = if (148..156).contains(&at) { b' ' } else { *byte };
            sums = [sums[0] + i64::from(byte), sums[1] + i64::from(byte as i8)];
        }
        if !sums.contains(&octal(field(148, 8)?)?) {
            return None;
        }
        let (magic, version) = (field(257, 6)?, field(263, 2)?);
        let posix = magic == b"ustar\0";
        let gnu = magic == b"ustar " && version == b" \0";
        let star = posix && field(508, 4)? == b"tar\0";
        // Mode, owners and times must be numbers, though nobody looks at them.
        let mut numbers = vec![(100, 8), (108, 8), (116, 8), (136, 12)];
        if posix || gnu {
            numbers.extend([(329, 8), (337, 8)]);
        }
        if star {
            numbers.extend([(476, 12), (488, 12)]);
        }
        for (from, bytes) in numbers {
            number(field(from, bytes)?)?;
        }
        let mut name = text(field(0, 100)?).to_vec();
        let prefix = text(field(345, if star { 131 } else { 155 })?);
        // Some writers of GNU's form put a prefix where its times are.
        let times = [field(345, 12)?, field(357, 12)?];
        let no_time = |field: &&[u8]| field.first() != Some(&0) && number(field).is_none();
        let has_prefix = posix || (gnu && prefix.is_ascii() && times.iter().any(no_time));
        if has_prefix && !prefix.is_empty() {
            name = [prefix, b"/", &name].concat();
        }
        Some(Self { name, size: number(field(124, 12)?)?, flag: *block.get(156)? })
    }
}

/// Up to the first zero.
fn text(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// Octal, or binary if the first bit says so.
fn number(field: &[u8]) -> Option<i64> {
    let first = *field.first()?;
    if first & 0x80 == 0 {
        return octal(field);
    }
    let flip = if first & 0x40 == 0 { 0 } else { 0xff };
    let mut value = u64::from((first ^ flip) & 0x7f);
    for byte in field.get(1..)? {
        value = value.checked_mul(256)? | u64::from(byte ^ flip);
    }
    let value = i64::try_from(value).ok()?;
    Some(if flip == 0 { value } else { !value })
}

fn octal(field: &[u8]) -> Option<i64> {
    let blank = |byte: &u8| matches!(byte, b' ' | 0);
    let start = field.iter().take_while(|byte| blank(byte)).count();
    let digits = field.get(start..)?;
    let end = digits.len() - digits.iter().rev().take_while(|byte| blank(byte)).count();
    let digits = text(digits.get(..end)?);
    digits.iter().try_fold(0_i64, |value, digit| match digit {
        b'0'..=b'7' => Some(value.checked_mul(8)? + i64::from(digit - b'0')),
        _ => None,
    })
}

/// The records of an extended header (POSIX.1-2001, pax) that change something; the last of a name
/// counts.
#[derive(Default)]
struct Pax(BTreeMap<&'static str, Vec<u8>>);

const PAX_NAMES: [&str; 12] = [
    "path",
    "size",
    "uid",
    "gid",
    "atime",
    "mtime",
    "ctime",
    "GNU.sparse.major",
    "GNU.sparse.minor",
    "GNU.sparse.map",
    "GNU.sparse.offset",
    "GNU.sparse.numbytes",
];

impl Pax {
    fn read(mut content: &[u8]) -> Result<Self, String> {
        let mut records = BTreeMap::new();
        while !content.is_empty() {
            let (name, value, rest) = record(content).ok_or(INVALID)?;
            if let Some(known) = PAX_NAMES.into_iter().find(|known| known.as_bytes() == name) {
                records.insert(known, value.to_vec());
            }
            content = rest;
        }
        Ok(Self(records))
    }

    /// An empty one changes nothing.
    fn value(&self, name: &str) -> Option<&[u8]> {
        self.0.get(name).map(Vec::as_slice).filter(|value| !value.is_empty())
    }

    fn name(&self) -> Option<Vec<u8>> {
        self.value("path").map(<[u8]>::to_vec)
    }

    /// Whether it belongs to a sparse file of a version that there is.
    fn is_sparse(&self) -> bool {
        match (self.value("GNU.sparse.major"), self.value("GNU.sparse.minor")) {
            (None, None) => ["GNU.sparse.map", "GNU.sparse.offset", "GNU.sparse.numbytes"]
                .into_iter()
                .any(|name| self.value(name).is_some()),
            (Some(b"0"), Some(b"0" | b"1")) | (Some(b"1"), Some(b"0")) => true,
            _ => false,
        }
    }

    fn apply(&self, header: &mut Header) -> Result<(), String> {
        if self.is_sparse() {
            return Err(INVALID.into());
        }
        let numbers = ["uid", "gid"].into_iter().filter_map(|name| self.value(name));
        let times = ["atime", "mtime", "ctime"].into_iter().filter_map(|name| self.value(name));
        let seconds = times.map(|time| {
            let mut parts = time.splitn(2, |byte| *byte == b'.');
            let seconds = parts.next().unwrap_or_default();
            let fraction = parts.next().unwrap_or_default();
            if fraction.iter().all(u8::is_ascii_digit) { seconds } else { &[] }
        });
        for value in numbers.chain(seconds) {
            decimal(value).ok_or(INVALID)?;
        }
        if let Some(size) = self.value("size") {
            header.size = decimal(size).ok_or(INVALID)?;
        }
        if let Some(name) = self.name() {
            header.name = name;
        }
        Ok(())
    }
}

/// `length name=value`, with a line end; the length is that of all of it.
fn record(content: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = content.iter().position(|byte| *byte == b' ')?;
    let length = usize::try_from(decimal(content.get(..space)?)?).ok()?;
    let (record, rest) = content.split_at_checked(length)?;
    let line = record.get(space + 1..)?.strip_suffix(b"\n")?;
    let equals = line.iter().position(|byte| *byte == b'=')?;
    let (name, value) = (line.get(..equals)?, line.get(equals + 1..)?);
    let named = matches!(name, b"path" | b"linkpath" | b"uname" | b"gname");
    let checked = if named { value } else { name };
    (!name.is_empty() && !checked.contains(&0)).then_some((name, value, rest))
}

fn decimal(digits: &[u8]) -> Option<i64> {
    str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests;
