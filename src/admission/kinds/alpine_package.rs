//! An Alpine package: three gzip members on end, with the signature, with what the package is
//! (`.PKGINFO`), and with its data. The signature is over the SHA-1 of the second as it is packed,
//! and `.PKGINFO` holds the SHA-256 of the third.

use std::io::Read as _;

use super::super::pki::key::{HashAlgorithm, Key};
use super::super::pki::legacy::{Hash, Padding, verify_rsa};
use super::super::pki::pem;
use super::alpine_gzip::Member;
use super::alpine_pkginfo::{self, Pkginfo};
use super::alpine_tar::Tar;

/// What 0 stands for.
const METADATA_BYTES_UNSET: u64 = 20 << 20;
const NEXT: &str = "getting next entry in tar archive";

/// What is told of a package.
pub(super) struct Package {
    pub(super) pkginfo: Pkginfo,
    signature: Vec<u8>,
    control_sha1: Vec<u8>,
}

impl Package {
    /// Reads a package, and checks its data. The signature's part, and `.PKGINFO`, may have
    /// `metadata_bytes_max` bytes, where 0 is 20 MiB.
    ///
    /// # Errors
    /// The text for the client.
    pub(super) fn read(content: &[u8], metadata_bytes_max: u64) -> Result<Self, String> {
        let max = match metadata_bytes_max {
            0 => METADATA_BYTES_UNSET,
            set => set,
        };
        let told = |error| format!("reading signature.tar.gz: {error}");
        let mut member = Member::open(content).map_err(|e| format!("create gzip reader: {e}"))?;
        let mut signature = Vec::new();
        let mut start = member.by_ref().take(max.saturating_add(1));
        start.read_to_end(&mut signature).map_err(|error| told(error.to_string()))?;
        let size = signature.len();
        if size as u64 > max {
            return Err(format!(
                "decompressed size ({size}) for signature.tar.gz exceeds max allowed size {max}"
            ));
        }
        let packed = member.finish().map_err(told)?;

        // Faults of the signature's part are told before those of what this part holds.
        let (pkginfo, data) = read_control(packed, max)?;
        let signature = read_signature(&signature, max)?;
        let pkginfo = pkginfo?;
        check_data(data, &pkginfo)?;
        let control = packed.get(..packed.len() - data.len()).unwrap_or_default();
        Ok(Self { pkginfo, signature, control_sha1: Hash::Sha1.digest(control) })
    }

    /// Checks the signature.
    ///
    /// # Errors
    /// The text for the client.
    pub(super) fn verify(&self, key: &Key) -> Result<(), String> {
        let digest = &self.control_sha1;
        match key {
            Key::Rsa { bits, pkcs1 } => {
                verify_rsa((*bits, pkcs1), Padding::Pkcs1, Hash::Sha1, digest, &self.signature)
            }
            // A digest counts as a number, so zeros may stand before it.
            Key::Ecdsa { .. } => {
                let digest = [&[0; 12][..], digest].concat();
                key.verify_digest(HashAlgorithm::Sha256, &digest, &self.signature)
                    .map_err(|error| error.to_string())
            }
            // Rekor asks for the message, which it does not have.
            Key::Ed25519(_) => Err("message cannot be nil".into()),
            Key::P224 => Err("keys on the curve P-224 are not supported".into()),
            Key::Unknown(_) => Err(format!("unsupported public key type: {key}")),
        }
    }
}

/// The first member of the archive that is called a signature, bare or PEM.
fn read_signature(archive: &[u8], max: u64) -> Result<Vec<u8>, String> {
    let mut signature = None;
    let mut tar = Tar::new(archive);
    while let Some(header) = tar.next().map_err(|error| format!("{NEXT}: {error}"))? {
        if !header.name.starts_with(b".SIGN") || signature.is_some() {
            continue;
        }
        check_size(".SIGN", header.size, max)?;
        let content = tar.content(&header).map_err(|error| format!("{NEXT}: {error}"))?;
        signature = Some(match pem::first_block(&content) {
            Some((block, _)) => block.contents,
            None => content,
        });
    }
    signature.ok_or_else(|| "no signature detected in alpine package".into())
}

/// `.PKGINFO`, and what follows the part that it is in.
fn read_control(packed: &[u8], max: u64) -> Result<(Result<Pkginfo, String>, &[u8]), String> {
    if packed.is_empty() {
        return Ok((read_pkginfo(std::io::empty(), max), packed));
    }
    let mut member =
        Member::open(packed).map_err(|error| format!("resetting to control.tar.gz: {error}"))?;
    let pkginfo = read_pkginfo(member.by_ref(), max);
    let data = member.finish().map_err(|error| format!("reading control.tar.gz: {error}"))?;
    Ok((pkginfo, data))
}

fn read_pkginfo(archive: impl std::io::Read, max: u64) -> Result<Pkginfo, String> {
    let mut pkginfo = None;
    let mut tar = Tar::new(archive);
    while let Some(header) = tar.next().map_err(|error| format!("{NEXT}: {error}"))? {
        if header.name != b".PKGINFO" {
            continue;
        }
        if pkginfo.is_some() {
            return Err("the package has more than one .PKGINFO".into());
        }
        check_size(".PKGINFO", header.size, max)?;
        let content = tar.content(&header).map_err(|error| format!("{NEXT}: {error}"))?;
        let read = alpine_pkginfo::read(&content);
        pkginfo = Some(read.map_err(|error| format!("parsing .PKGINFO: {error}"))?);
    }
    pkginfo.ok_or_else(|| ".PKGINFO file was not located".into())
}

fn check_size(name: &str, size: i64, max: u64) -> Result<(), String> {
    match u64::try_from(size) {
        Err(_) => Err(format!("negative header size for {name} file")),
        Ok(size) if size > max => {
            Err(format!("uncompressed {name} file size {size} exceeds max allowed size {max}"))
        }
        Ok(_) => Ok(()),
    }
}

fn check_data(data: &[u8], pkginfo: &Pkginfo) -> Result<(), String> {
    let claimed = pkginfo.get(&b"datahash"[..]).map(Vec::as_slice).unwrap_or_default();
    let claimed = hex::decode(claimed).map_err(|error| {
        let fault = match error {
            hex::FromHexError::InvalidHexCharacter { c, .. } => {
                format!("invalid byte: U+{:04X} '{c}'", u32::from(c))
            }
            _ => "odd length hex string".into(),
        };
        format!("parsing datahash: encoding/hex: {fault}")
    })?;
    let found = Hash::Sha256.digest(data);
    if found == claimed {
        return Ok(());
    }
    let (found, claimed) = (hex::encode(found), hex::encode(claimed));
    Err(format!(
        "checksum for data.tar.gz ({found}) does not match value from .PKGINFO ({claimed})"
    ))
}
