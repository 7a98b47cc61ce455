//! Public keys of OpenSSH: their wire format (RFC 4251 section 5, RFC 4253 section 6.6, RFC 5656,
//! RFC 8709, OpenSSH's PROTOCOL.u2f) and the lines of `authorized_keys` (sshd(8)).
//!
//! Read by hand: it is a handful of length-prefixed strings, and what is logged is how Go's library
//! writes them again.

use super::super::base64;
use super::der;
use super::key::{Curve, Key};

/// Bytes of the text of a key.
const KEY_BYTES_MAX: usize = 1 << 16;
/// Bits of an RSA modulus, and of its exponent.
const RSA_BITS_MAX: usize = 16_384;
const RSA_EXPONENT_BITS_MAX: usize = 24;

const SHORT: &str = "ssh: short read";

/// What is left of a message.
pub(super) struct Wire<'a>(pub(super) &'a [u8]);

impl<'a> Wire<'a> {
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(SHORT)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn number(&mut self) -> Result<u32, String> {
        let (number, rest) = self.0.split_first_chunk().ok_or(SHORT)?;
        self.0 = rest;
        Ok(u32::from_be_bytes(*number))
    }

    pub(super) fn string(&mut self) -> Result<&'a [u8], String> {
        let length = self.number()?;
        self.take(usize::try_from(length).unwrap_or(usize::MAX))
    }

    /// A positive integer, big-endian, without zeros in front.
    pub(super) fn integer(&mut self) -> Result<&'a [u8], String> {
        let written = self.string()?;
        if written.first().is_some_and(|byte| byte & 0x80 != 0) {
            return Err("ssh: negative integer".into());
        }
        let zeros = written.iter().take_while(|byte| **byte == 0).count();
        Ok(written.get(zeros..).unwrap_or_default())
    }

    pub(super) fn end(&self) -> Result<(), String> {
        if self.0.is_empty() { Ok(()) } else { Err("ssh: trailing junk".into()) }
    }
}

/// Writes a string.
pub(super) fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend(bytes);
}

/// A public key.
pub(super) struct PublicKey {
    name: &'static str,
    blob: Vec<u8>,
    key: Key,
    application: Option<Vec<u8>>,
}

const SK_ECDSA: &str = "sk-ecdsa-sha2-nistp256@openssh.com";
const SK_ED25519: &str = "sk-ssh-ed25519@openssh.com";

impl PublicKey {
    /// The first key in lines of `authorized_keys`, up to 64 KiB; options and comment are dropped.
    pub(super) fn read(text: &[u8]) -> Result<Self, String> {
        if text.len() > KEY_BYTES_MAX {
            return Err("http: request body too large".into());
        }
        let mut last = None;
        for line in text.split(|byte| *byte == b'\n') {
            let line = line.split(|byte| *byte == b'\r').next().unwrap_or_default().trim_ascii();
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            let Some((name, rest)) = cut(line) else { continue };
            let (plain, optioned) = (Self::of_line(name, rest), cut_options(line).and_then(cut));
            match (plain, optioned) {
                (Ok(key), _) => return Ok(key),
                (Err(error), None) => last = Some(error),
                (Err(_), Some((name, rest))) => match Self::of_line(name, rest) {
                    Ok(key) => return Ok(key),
                    Err(error) => last = Some(error),
                },
            }
        }
        let because = last.map(|error| format!("; last parsing error for ignored line: {error}"));
        Err(format!("ssh: no key found{}", because.unwrap_or_default()))
    }

    /// `rest` is base64, and perhaps a comment.
    fn of_line(name: &[u8], rest: &[u8]) -> Result<Self, String> {
        let rest = rest.trim_ascii();
        let encoded = cut(rest).map_or(rest, |(encoded, _)| encoded);
        let encoded = str::from_utf8(encoded).map_err(|_| "illegal base64 data")?;
        let blob = base64::decode(encoded).map_err(|error| error.to_string())?;
        let key = Self::from_blob(&blob)?;
        if key.name.as_bytes() != name {
            let (said, name) = (String::from_utf8_lossy(name), key.name);
            return Err(format!(
                "ssh: authorized keys key type mismatch: human-readable type {said:?}, \
                 encoded type {name:?}"
            ));
        }
        Ok(key)
    }

    /// A key in the wire format.
    pub(super) fn from_blob(blob: &[u8]) -> Result<Self, String> {
        let mut wire = Wire(blob);
        let (name, key) = match wire.string()? {
            b"ssh-rsa" => ("ssh-rsa", rsa(&mut wire)?),
            b"ecdsa-sha2-nistp256" => ("ecdsa-sha2-nistp256", ecdsa(Curve::P256, &mut wire)?),
            b"ecdsa-sha2-nistp384" => ("ecdsa-sha2-nistp384", ecdsa(Curve::P384, &mut wire)?),
            b"ecdsa-sha2-nistp521" => ("ecdsa-sha2-nistp521", ecdsa(Curve::P521, &mut wire)?),
            b"ssh-ed25519" => ("ssh-ed25519", ed25519(&mut wire)?),
            name if name == SK_ECDSA.as_bytes() => (SK_ECDSA, ecdsa(Curve::P256, &mut wire)?),
            name if name == SK_ED25519.as_bytes() => (SK_ED25519, ed25519(&mut wire)?),
            b"ssh-dss" => return Err("ssh: keys of type ssh-dss are not supported".into()),
            name if name.ends_with(b"-cert-v01@openssh.com") => {
                let name = String::from_utf8_lossy(name);
                return Err(format!("ssh: certificates ({name}) are not supported"));
            }
            other => {
                let other = String::from_utf8_lossy(other);
                return Err(format!("ssh: unknown key algorithm: {other}"));
            }
        };
        let application = match name {
            SK_ECDSA | SK_ED25519 => Some(wire.string()?.to_vec()),
            _ => None,
        };
        if !wire.0.is_empty() {
            return Err("ssh: trailing junk in public key".into());
        }
        let blob = write(name, &key, application.as_deref());
        Ok(Self { name, blob, key, application })
    }

    /// Its type, for example `ssh-ed25519`.
    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// Its wire format, written anew.
    pub(super) fn blob(&self) -> &[u8] {
        &self.blob
    }

    /// The key in it.
    pub(super) fn key(&self) -> &Key {
        &self.key
    }

    /// What a security key is for, commonly `ssh:`; `None` for a key that is none.
    pub(super) fn application(&self) -> Option<&[u8]> {
        self.application.as_deref()
    }

    /// A line of `authorized_keys`, without a comment.
    pub(super) fn line(&self) -> String {
        format!("{} {}\n", self.name, base64::display(&self.blob))
    }
}

fn rsa(wire: &mut Wire<'_>) -> Result<Key, String> {
    let (exponent, modulus) = (wire.integer()?, wire.integer()?);
    let bits = |digits: &[u8]| {
        digits.len() * 8 - digits.first().map_or(0, |byte| byte.leading_zeros() as usize)
    };
    if bits(modulus) > RSA_BITS_MAX {
        return Err("ssh: rsa modulus too large".into());
    }
    if bits(exponent) > RSA_EXPONENT_BITS_MAX {
        return Err("ssh: exponent too large".into());
    }
    if matches!(exponent, [] | [1]) || exponent.last().is_none_or(|byte| byte & 1 == 0) {
        return Err("ssh: incorrect exponent".into());
    }
    let mut integers = Vec::new();
    der::write_unsigned(&mut integers, modulus);
    der::write_unsigned(&mut integers, exponent);
    let mut pkcs1 = Vec::new();
    der::write_header(&mut pkcs1, der::SEQUENCE, integers.len());
    pkcs1.extend(integers);
    Ok(Key::Rsa { bits: bits(modulus), pkcs1 })
}

fn ecdsa(curve: Curve, wire: &mut Wire<'_>) -> Result<Key, String> {
    let (name, field_bytes) = curve_name(curve);
    if wire.string()? != name {
        return Err("ssh: unsupported curve".into());
    }
    let point = wire.string()?;
    if point.len() != 1 + 2 * field_bytes || point.first() != Some(&4) {
        return Err("ssh: invalid curve point".into());
    }
    Ok(Key::Ecdsa { curve, point: point.to_vec() })
}

fn curve_name(curve: Curve) -> (&'static [u8], usize) {
    match curve {
        Curve::P256 => (b"nistp256", 32),
        Curve::P384 => (b"nistp384", 48),
        Curve::P521 => (b"nistp521", 66),
    }
}

fn ed25519(wire: &mut Wire<'_>) -> Result<Key, String> {
    let key = wire.string()?;
    let size = || format!("invalid size {} for Ed25519 public key", key.len());
    key.try_into().map(Key::Ed25519).map_err(|_| size())
}

/// The OpenSSH fingerprint (`SHA256:` and base64 without padding) of a key; `None` where OpenSSH
/// has no name for it.
pub(crate) fn fingerprint(key: &Key) -> Option<String> {
    let name = match key {
        Key::Rsa { .. } => "ssh-rsa",
        Key::Ecdsa { curve: Curve::P256, .. } => "ecdsa-sha2-nistp256",
        Key::Ecdsa { curve: Curve::P384, .. } => "ecdsa-sha2-nistp384",
        Key::Ecdsa { curve: Curve::P521, .. } => "ecdsa-sha2-nistp521",
        Key::Ed25519(_) => "ssh-ed25519",
        Key::P224 | Key::Unknown(_) => return None,
    };
    let text = base64::encode(&tlog::hash::sha256(&write(name, key, None)));
    Some(format!("SHA256:{}", text.trim_end_matches('=')))
}

fn write(name: &str, key: &Key, application: Option<&[u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    put(&mut out, name.as_bytes());
    match key {
        Key::Ecdsa { curve, point } => {
            put(&mut out, curve_name(*curve).0);
            put(&mut out, point);
        }
        Key::Rsa { pkcs1, .. } => {
            let integers = der::expect(pkcs1, der::SEQUENCE).map(|sequence| sequence.value);
            let integers: Vec<_> = der::elements(integers.unwrap_or_default()).collect();
            for integer in integers.iter().rev() {
                put(&mut out, integer.value);
            }
        }
        Key::Ed25519(key) => put(&mut out, key),
        Key::P224 | Key::Unknown(_) => {}
    }
    if let Some(application) = application {
        put(&mut out, application);
    }
    out
}

/// What is before the first blank, and behind it.
fn cut(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = line.iter().position(|byte| matches!(byte, b' ' | b'\t'))?;
    Some((line.get(..end)?, line.get(end..)?))
}

/// What is behind the options, which may have blanks in quotes.
fn cut_options(line: &[u8]) -> Option<&[u8]> {
    let mut quoted = false;
    let mut before = 0;
    for (at, byte) in line.iter().enumerate() {
        match byte {
            b' ' | b'\t' if !quoted => return Some(line.get(at..)?.trim_ascii_start()),
            b'"' if before != b'\\' => quoted = !quoted,
            _ => {}
        }
        before = *byte;
    }
    None
}
