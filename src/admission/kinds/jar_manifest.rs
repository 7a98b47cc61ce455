//! The manifest and the signature files of a jar: sections of attributes, and the digests in them.
//!
//! Read as Rekor's library reads them, which is neither stricter nor laxer than Java throughout.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::super::base64;
use super::super::pki::legacy::{Hash, Hasher};
use super::super::pki::pem::trimmed;

/// What is left of the whole once line ends and continuations are taken out, by its attributes.
pub(super) type Attributes<'a> = BTreeMap<Cow<'a, [u8]>, &'a [u8]>;

const LINE_ENDINGS: &str = "manifest has incorrect line ending sequence";

/// Sections, each with its empty line; the first holds the main attributes.
pub(super) struct Sections<'a> {
    pub(super) main: Option<&'a [u8]>,
    /// By the `Name` that each has; the last of a name counts.
    pub(super) named: BTreeMap<Vec<u8>, &'a [u8]>,
}

impl<'a> Sections<'a> {
    /// # Errors
    /// The text for the client.
    pub(super) fn read(manifest: &'a [u8]) -> Result<Self, String> {
        let mut sections = split(manifest)?.into_iter();
        let main = sections.next();
        main.map(|main| attributes(&unfolded(main)).map(drop)).transpose()?;
        let mut named = BTreeMap::new();
        for section in sections {
            let unfolded = unfolded(section);
            let attributes = attributes(&unfolded)?;
            let name = value(&attributes, "Name");
            let name = name.ok_or("manifest has section with no \"Name\" attribute")?;
            named.insert(name.to_vec(), section);
        }
        Ok(Self { main, named })
    }
}

/// An attribute that is there and not empty.
pub(super) fn value<'a>(attributes: &Attributes<'a>, name: &str) -> Option<&'a [u8]> {
    attributes.get(name.as_bytes()).copied().filter(|value| !value.is_empty())
}

/// At empty lines: of CR LF as long as there is such a one, then of LF.
fn split(mut manifest: &[u8]) -> Result<Vec<&[u8]>, String> {
    let mut sections = Vec::new();
    let mut ends: &[u8] = b"\r\n\r\n";
    while !manifest.is_empty() {
        let Some(end) = manifest.windows(ends.len()).position(|window| window == ends) else {
            if ends == b"\n\n" {
                return Err(LINE_ENDINGS.into());
            }
            ends = b"\n\n";
            continue;
        };
        let (section, rest) = manifest.split_at(end + ends.len());
        if trimmed(section).is_empty() {
            return Err(LINE_ENDINGS.into());
        }
        sections.push(section);
        manifest = rest;
    }
    Ok(sections)
}

/// Long lines go on after a line end and a space.
pub(super) fn unfolded(section: &[u8]) -> Vec<u8> {
    replaced(&replaced(section, b"\r\n", b"\n"), b"\n ", b"")
}

fn replaced(text: &[u8], from: &[u8; 2], to: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        if let Some(after) = rest.strip_prefix(from) {
            out.extend_from_slice(to);
            rest = after;
        } else {
            out.push(*first);
            rest = after;
        }
    }
    out
}

/// The attributes of an unfolded section; the last of a name counts.
pub(super) fn attributes(section: &[u8]) -> Result<Attributes<'_>, String> {
    let lines = section.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let attribute = |line: &'_ [u8]| {
        let colon = line.iter().position(|byte| *byte == b':');
        colon.ok_or_else(|| "jar manifest is malformed".to_owned())
    };
    lines
        .map(|line| {
            let (name, value) = line.split_at(attribute(line)?);
            Ok((header_name(trimmed(name)), trimmed(value.get(1..).unwrap_or_default())))
        })
        .collect()
}

/// As a header of HTTP is named: capitals after hyphens, the rest small. What cannot be one stays.
fn header_name(name: &[u8]) -> Cow<'_, [u8]> {
    let token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    if !name.iter().all(token) {
        return Cow::Borrowed(name);
    }
    let starts = std::iter::once(true).chain(name.iter().map(|byte| *byte == b'-'));
    let cased = name.iter().zip(starts).map(|(byte, starts)| match starts {
        true => byte.to_ascii_uppercase(),
        false => byte.to_ascii_lowercase(),
    });
    Cow::Owned(cased.collect())
}

/// Why content is not what its digests say.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Mismatch {
    /// There are none.
    NoDigests,
    /// The text for the client.
    Other(String),
}

impl From<Mismatch> for String {
    fn from(mismatch: Mismatch) -> Self {
        match mismatch {
            Mismatch::NoDigests => "no recognized digests found".into(),
            Mismatch::Other(text) => text,
        }
    }
}

/// Digests of a section, to be held against content that comes piece by piece.
pub(super) struct Digests<'a> {
    claims: Vec<(&'a [u8], &'a [u8], Hash)>,
    /// Each hash once, whatever the number of its claims.
    hashers: Vec<(Hash, Hasher)>,
}

impl<'a> Digests<'a> {
    /// Those whose attribute ends in `-Digest` and the suffix.
    pub(super) fn of(attributes: &'a Attributes<'_>, suffix: &str) -> Result<Self, Mismatch> {
        let suffix = format!("-Digest{suffix}");
        let mut digests = Self { claims: Vec::new(), hashers: Vec::new() };
        for (name, value) in attributes {
            let Some(hash_name) = name.strip_suffix(suffix.as_bytes()) else { continue };
            let hash_name = String::from_utf8_lossy(hash_name).to_uppercase();
            let hash = Hash::named(&hash_name).ok_or_else(|| {
                Mismatch::Other(format!("unknown digest key in manifest: {hash_name}"))
            })?;
            digests.claims.push((name, value, hash));
            if digests.hashers.iter().all(|(known, _)| *known != hash) {
                digests.hashers.push((hash, hash.hasher()));
            }
        }
        if digests.claims.is_empty() { Err(Mismatch::NoDigests) } else { Ok(digests) }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.hashers.iter_mut().for_each(|(_, hasher)| hasher.update(bytes));
    }

    pub(super) fn finish(self) -> Result<(), Mismatch> {
        let finish = |(hash, hasher): (Hash, Hasher)| (hash, base64::encode(&hasher.finish()));
        let calculated: Vec<_> = self.hashers.into_iter().map(finish).collect();
        for (name, claimed, hash) in self.claims {
            let found = calculated.iter().find(|(known, _)| *known == hash);
            let found = found.map(|(_, value)| value.as_str()).unwrap_or_default();
            if claimed != found.as_bytes() {
                let (name, claimed) =
                    (String::from_utf8_lossy(name), String::from_utf8_lossy(claimed));
                let text = format!("{name} mismatch: manifest {claimed} != calculated {found}");
                return Err(Mismatch::Other(text));
            }
        }
        Ok(())
    }
}

/// Checks a signature file against the manifest: as a whole, or else section by section.
///
/// # Errors
/// The text for the client.
pub(super) fn check_signature_file(file: &[u8], manifest: &[u8]) -> Result<(), String> {
    let signed = Sections::read(file)?;
    let main = unfolded(signed.main.ok_or("manifest has no sections")?);
    let main = attributes(&main)?;
    match holds(&main, "-Manifest", manifest) {
        Ok(()) => return Ok(()),
        Err(Mismatch::NoDigests) => {}
        Err(Mismatch::Other(text)) => return Err(format!("manifest signature: {text}")),
    }
    let sections = Sections::read(manifest)?;
    if let Some(first) = sections.main {
        holds(&main, "-Manifest-Main-Attributes", first).map_err(|mismatch| {
            format!("manifest main attributes signature: {}", String::from(mismatch))
        })?;
    }
    for (name, keys) in &signed.named {
        let shown = String::from_utf8_lossy(name);
        let section = sections.named.get(name);
        let section =
            section.ok_or_else(|| format!("manifest is missing signed section \"{shown}\""))?;
        let keys = unfolded(keys);
        holds(&attributes(&keys)?, "", section).map_err(|mismatch| {
            format!("manifest signature over section \"{shown}\": {}", String::from(mismatch))
        })?;
    }
    Ok(())
}

fn holds(attributes: &Attributes<'_>, suffix: &str, content: &[u8]) -> Result<(), Mismatch> {
    let mut digests = Digests::of(attributes, suffix)?;
    digests.update(content);
    digests.finish()
}
