//! A signed jar: a ZIP archive whose manifest holds digests of its members, and whose signature
//! file holds digests of the manifest.
//!
//! Members that the manifest does not name are tolerated, as Java does. Reading is bounded by what
//! the archive's directory declares, and that by the limits.

use std::io::{Cursor, Read as _};

use zip::ZipArchive;

use super::super::pki::pkcs7::SignedData;
use super::jar_manifest::{
    Digests, Mismatch, Sections, attributes, check_signature_file, unfolded, value,
};
use crate::limits::{ARCHIVE_BYTES_MAX, ARCHIVE_MEMBERS_MAX};

/// An archive, and where its signature stands.
pub(super) struct Jar<'a> {
    zip: ZipArchive<Cursor<&'a [u8]>>,
    manifest: usize,
    signature_file: usize,
    block: usize,
}

/// Where the members are that signing is about, by their places in the directory.
#[derive(Default)]
struct Found {
    /// What all members declare, unpacked.
    bytes: u64,
    manifest: Option<usize>,
    /// Signature files: names without extension.
    files: Vec<(String, usize)>,
    /// Signature blocks: the same.
    blocks: Vec<(String, usize)>,
}

impl<'a> Jar<'a> {
    /// Reads the directory. A file under `META-INF/` may have `metadata_bytes_max` bytes, where 0
    /// is no limit.
    ///
    /// # Errors
    /// The text for the client.
    pub(super) fn open(content: &'a [u8], metadata_bytes_max: u64) -> Result<Self, String> {
        // The directory is read as a whole, and may lie about its length.
        if content.windows(4).filter(|four| *four == b"PK\x01\x02").count() > ARCHIVE_MEMBERS_MAX {
            return Err(format!("the JAR has more than {ARCHIVE_MEMBERS_MAX} members"));
        }
        let mut zip = ZipArchive::new(Cursor::new(content))
            .map_err(|_| "zip: not a valid zip file".to_owned())?;
        let found = find(&zip, metadata_bytes_max)?;
        if zip.has_duplicate_names() {
            return Err("the JAR has two members of one name".into());
        }
        if zip.has_overlapping_files().map_err(shown)? {
            return Err("members of the JAR overlap".into());
        }
        if found.bytes > ARCHIVE_BYTES_MAX {
            return Err(format!("the members of the JAR have more than {ARCHIVE_BYTES_MAX} bytes"));
        }
        let manifest = found.manifest.ok_or("JAR contains no META-INF/MANIFEST.MF")?;
        let (base, signature_file) = match found.files.as_slice() {
            [] => return Err("JAR contains no signatures".into()),
            [only] => only,
            _ => return Err("multiple signatures detected in JAR; unable to process".into()),
        };
        let own = found.blocks.iter().rev().find(|(name, _)| name == base);
        let (_, block) = own.ok_or_else(|| {
            format!("JAR contains sigfile META-INF/{base}.SF with no matching signature")
        })?;
        // The first block is what Rekor logs, whether or not it is the one that it verifies.
        if found.blocks.first().is_some_and(|(_, first)| first != block) {
            return Err(format!(
                "the first signature block of the JAR does not belong to META-INF/{base}.SF"
            ));
        }
        let (signature_file, block) = (*signature_file, *block);
        Ok(Self { zip, manifest, signature_file, block })
    }

    /// Checks the signature, and everything that it is over, and gives the signature block.
    ///
    /// # Errors
    /// The text for the client.
    pub(super) fn verify(mut self) -> Result<Vec<u8>, String> {
        let manifest = self.read(self.manifest)?;
        let file = self.read(self.signature_file)?;
        let block = self.read(self.block)?;
        let signed = read_block(&block)?;
        let signer = signed.verify(Some(&file))?;
        signed.verify_timestamp(signer)?;
        check_signature_file(&file, &manifest)?;
        self.verify_members(&manifest)?;
        Ok(block)
    }

    fn verify_members(&mut self, manifest: &[u8]) -> Result<(), String> {
        let sections = Sections::read(manifest)?;
        sections.main.ok_or("manifest has no sections")?;
        for (name, section) in sections.named {
            let section = unfolded(section);
            let keys = attributes(&section)?;
            if value(&keys, "Magic").is_some() {
                continue;
            }
            let shown = String::from_utf8_lossy(&name);
            let index = self.zip.index_for_name_raw(&name);
            let index = index.ok_or_else(|| format!("file {shown} is in manifest but not JAR"))?;
            let checked = Digests::of(&keys, "").and_then(|mut digests| {
                self.stream(index, |piece| digests.update(piece)).map_err(Mismatch::Other)?;
                digests.finish()
            });
            checked.map_err(|mismatch| {
                format!("file \"{shown}\" in MANIFEST.MF: {}", String::from(mismatch))
            })?;
        }
        Ok(())
    }

    fn read(&mut self, index: usize) -> Result<Vec<u8>, String> {
        let mut content = Vec::new();
        self.stream(index, |piece| content.extend_from_slice(piece))?;
        Ok(content)
    }

    /// A member, unpacked piece by piece: as many bytes as the directory says, and no more.
    fn stream(&mut self, index: usize, mut take: impl FnMut(&[u8])) -> Result<(), String> {
        let mut member = self.zip.by_index(index).map_err(shown)?;
        let mut left = member.size();
        let mut buffer = [0; 32 << 10];
        loop {
            let count = member.read(&mut buffer).map_err(|error| format!("zip: {error}"))?;
            if count == 0 {
                break;
            }
            left = left.checked_sub(count as u64).ok_or("zip: not a valid zip file")?;
            take(buffer.get(..count).unwrap_or_default());
        }
        if left == 0 { Ok(()) } else { Err("unexpected EOF".into()) }
    }
}

/// Names count in capitals, and only those with a dot.
fn find(zip: &ZipArchive<Cursor<&[u8]>>, metadata_bytes_max: u64) -> Result<Found, String> {
    let mut found = Found::default();
    for (index, name) in zip.file_names_raw().enumerate() {
        let size = zip.by_index_data(index).map_err(shown)?.size();
        found.bytes = found.bytes.saturating_add(size);
        let name: String = String::from_utf8_lossy(name).chars().map(capital).collect();
        let Some(name) = name.strip_prefix("META-INF/").filter(|name| !name.contains('/')) else {
            continue;
        };
        let Some((base, extension)) = name.rsplit_once('.') else { continue };
        if metadata_bytes_max > 0 && size > metadata_bytes_max {
            return Err(format!(
                "uncompressed jar metadata of size {size} exceeds max allowed size \
                 {metadata_bytes_max}"
            ));
        }
        if name == "MANIFEST.MF" {
            found.manifest = Some(index);
        } else if extension == "SF" {
            found.files.push((base.to_owned(), index));
        } else if matches!(extension, "RSA" | "DSA" | "EC") || name.starts_with("SIG-") {
            found.blocks.push((base.to_owned(), index));
        }
    }
    Ok(found)
}

/// Letter by letter.
fn capital(letter: char) -> char {
    let mut capitals = letter.to_uppercase();
    match (capitals.next(), capitals.next()) {
        (Some(capital), None) => capital,
        _ => letter,
    }
}

/// A signature block, which zeros may follow.
pub(super) fn read_block(block: &[u8]) -> Result<SignedData<'_>, String> {
    let (signed, rest) = SignedData::read(block)?;
    match rest.iter().all(|byte| *byte == 0) {
        true => Ok(signed),
        false => Err("pkcs7: trailing garbage after PKCS#7 structure".into()),
    }
}

fn shown(error: zip::result::ZipError) -> String {
    format!("zip: {error}")
}
