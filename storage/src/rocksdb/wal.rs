//! Is a write-ahead log that does not end cleanly torn, or damaged?
//!
//! A commit is acknowledged after its sync, so what a power cut tears is the end of the log: a
//! record that stops early, or has zeros where the file system had no time to put its bytes. Nobody
//! was told of it, and the store has to open. But when a whole record follows the bad spot, synced
//! bytes went bad: RocksDB would drop that record and all later ones (zeros even without a word),
//! the log would open with an older head, and sign a fork. That has to be refused. None of its
//! recovery modes tells the two apart, see `open`; so here is a reader of its log format (blocks of
//! 32 KiB; a record is a masked CRC-32C, a length, a type, and bytes; a long record is cut into a
//! first, middle and last fragment).
//!
//! Not told apart: a torn write, and rot in the very last record.

use std::path::Path;
use std::{fs, io};

const BLOCK_BYTES: usize = 32 << 10;
const HEADER_BYTES: usize = 7;

/// Where a whole record follows a bad one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Damage {
    /// In one log file.
    pub(super) within_a_log: bool,
    /// There, or in a later log file. That alone may also be an end that was torn, recovered, and
    /// not removed before the next crash: RocksDB knows which files still count.
    pub(super) anywhere: bool,
}

/// Looks for damage in the logs of a directory.
pub(super) fn examine(directory: &Path) -> io::Result<Damage> {
    let mut logs = Vec::new();
    for file in fs::read_dir(directory)? {
        let path = file?.path();
        if path.extension().is_some_and(|end| end == "log") {
            logs.push(path);
        }
    }
    // Their names are numbers, of six digits or more.
    logs.sort_unstable_by_key(|log| (log.as_os_str().len(), log.clone()));
    let mut scan = Scan::default();
    for log in logs {
        let bytes = match fs::read(log) {
            // A process that writes has done with it since it was listed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            read => read?,
        };
        for block in bytes.chunks(BLOCK_BYTES) {
            scan.block(block);
        }
        scan.end_of_log();
    }
    Ok(scan.damage)
}

#[derive(Default)]
struct Scan {
    /// Within a record that is cut into fragments, all of them good so far.
    in_record: bool,
    /// Something bad came by.
    bad: bool,
    /// In this log file.
    bad_here: bool,
    /// And a whole record after it.
    damage: Damage,
}

impl Scan {
    fn block(&mut self, block: &[u8]) {
        let mut rest = block;
        while rest.len() >= HEADER_BYTES {
            match Fragment::parse(rest) {
                Some(fragment) => {
                    self.fragment(fragment.kind);
                    rest = &rest[HEADER_BYTES + fragment.bytes..];
                }
                None => {
                    // The length may be what is bad: the next record can begin anywhere.
                    self.spoil();
                    rest = &rest[1..];
                }
            }
        }
        let is_padding = block.len() == BLOCK_BYTES && rest.iter().all(|byte| *byte == 0);
        if !rest.is_empty() && !is_padding {
            self.spoil();
        }
    }

    fn fragment(&mut self, kind: Kind) {
        let is_whole = match kind {
            Kind::Full => true,
            Kind::Last => self.in_record,
            Kind::First | Kind::Middle => false,
        };
        let goes_on = matches!(kind, Kind::Middle | Kind::Last);
        if goes_on != self.in_record {
            self.spoil();
        }
        self.in_record = kind == Kind::First || (kind == Kind::Middle && self.in_record);
        self.damage.anywhere |= self.bad && is_whole;
        self.damage.within_a_log |= self.bad_here && is_whole;
    }

    fn end_of_log(&mut self) {
        if self.in_record {
            self.spoil();
        }
        self.bad_here = false;
    }

    fn spoil(&mut self) {
        self.bad = true;
        self.bad_here = true;
        self.in_record = false;
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Full,
    First,
    Middle,
    Last,
}

struct Fragment {
    kind: Kind,
    bytes: usize,
}

impl Fragment {
    /// The fragment at the start of these bytes, when its checksum is right.
    fn parse(block: &[u8]) -> Option<Self> {
        let (crc, rest) = block.split_first_chunk()?;
        let (length, checked) = rest.split_first_chunk()?;
        let kind = match checked.first()? {
            1 => Kind::Full,
            2 => Kind::First,
            3 => Kind::Middle,
            4 => Kind::Last,
            _ => return None,
        };
        let bytes = usize::from(u16::from_le_bytes(*length));
        let sum = mask(crc32c(checked.get(..=bytes)?));
        (sum == u32::from_le_bytes(*crc)).then_some(Self { kind, bytes })
    }
}

/// A checksum of bytes that hold checksums is weak, so LevelDB and RocksDB store it turned.
fn mask(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

/// CRC-32C (Castagnoli, RFC 3720 §12.1), a byte at a time.
fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| TABLE[usize::from(crc as u8 ^ byte)] ^ (crc >> 8);
    !bytes.iter().fold(u32::MAX, step)
}

const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < table.len() {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = (crc >> 1) ^ (0x82f6_3b78 * (crc & 1));
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc32c_is_that_of_rfc_3720() {
        // Appendix B.4: 32 bytes of zeros, of ones, rising.
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
        let rising: Vec<u8> = (0..32).collect();
        assert_eq!(crc32c(&rising), 0x46dd_794e);
    }
}
