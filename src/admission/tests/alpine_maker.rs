//! Alpine packages made by hand: tar headers as POSIX has them, gzip by flate2, ECDSA over SHA-1.

use std::io::Write as _;

use aws_lc_rs::digest::{
    Algorithm, Digest, SHA1_FOR_LEGACY_USE_ONLY, SHA256, SHA384, SHA512, digest,
};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use super::signer::Signer;
use crate::admission::base64::encode;

/// A member of a tar archive, with some bytes of its header written over; the checksum fits.
pub(crate) fn changed(name: &str, content: &[u8], changes: &[(usize, &[u8])]) -> Vec<u8> {
    let mut header = [0_u8; 512];
    let size = format!("{:011o}\0", content.len());
    let fields: [(usize, &[u8]); 6] = [
        (0, name.as_bytes()),
        (100, b"0000644\x000000000\x000000000\0"),
        (124, size.as_bytes()),
        (136, b"00000000000\0        "),
        (156, b"0"),
        (257, b"ustar\x0000"),
    ];
    for (at, bytes) in fields.iter().chain(changes) {
        header[*at..at + bytes.len()].copy_from_slice(bytes);
    }
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let padding = vec![0; content.len().next_multiple_of(512) - content.len()];
    [&header, content, &padding].concat()
}

pub(crate) fn member(name: &str, content: &[u8]) -> Vec<u8> {
    changed(name, content, &[])
}

/// A member of another type.
pub(crate) fn typed(flag: u8, name: &str, content: &[u8]) -> Vec<u8> {
    changed(name, content, &[(156, &[flag])])
}

pub(super) fn gzip(content: &[u8]) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::fast());
    out.write_all(content).unwrap();
    out.finish().unwrap()
}

pub(super) const DATA: &[u8] = b"what is behind the second part, packed or not";

/// A `.PKGINFO` that fits the data.
pub(super) fn pkginfo(text: &str) -> Vec<u8> {
    let hash = hex::encode(digest(&SHA256, DATA));
    format!("pkgname = name\ndatahash = {hash}\n{text}").into_bytes()
}

/// A package in parts, each already packed.
pub(super) struct Parts {
    pub(super) signature: Vec<u8>,
    pub(super) control: Vec<u8>,
    pub(super) data: Vec<u8>,
}

impl Parts {
    pub(super) fn whole(&self) -> Vec<u8> {
        [&self.signature[..], &self.control, &self.data].concat()
    }
}

pub(super) fn sha1_signature(key: &Signer, content: &[u8]) -> Vec<u8> {
    let sha1 = digest(&SHA1_FOR_LEGACY_USE_ONLY, content);
    match key {
        Signer::Ecdsa(key) => {
            // As a number of the length that goes with the key's curve.
            let sign = |algorithm: &'static Algorithm| {
                let zeros = vec![0; algorithm.output_len() - sha1.as_ref().len()];
                let padded = [&zeros, sha1.as_ref()].concat();
                key.sign_digest(&Digest::import_less_safe(&padded, algorithm).unwrap()).ok()
            };
            let signature = [&SHA256, &SHA384, &SHA512].into_iter().find_map(sign);
            signature.unwrap().as_ref().to_vec()
        }
        other => other.sign(sha1.as_ref()),
    }
}

/// Signed as `abuild-sign` does, with an archive that holds `.PKGINFO` and whatever else.
pub(super) fn signed(key: &Signer, control: &[u8]) -> Parts {
    let control = gzip(control);
    let signature = member(".SIGN.RSA.key.rsa.pub", &sha1_signature(key, &control));
    Parts { signature: gzip(&signature), control, data: DATA.to_vec() }
}

pub(super) fn proposal(package: &[u8], key: &str) -> Value {
    json!({"kind": "alpine", "apiVersion": "0.0.1", "spec": {
        "package": {"content": encode(package)},
        "publicKey": {"content": encode(key.as_bytes())}}})
}
