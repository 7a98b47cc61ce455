//! How OpenSSH names a key: the SHA-256 of its public key blob (RFC 4253 §6.6, RFC 5656, RFC 8709).

use super::der;
use super::key::{Curve, Key};

/// The OpenSSH fingerprint (`SHA256:` and base64 without padding); `None` where OpenSSH has no name
/// for the key.
pub(crate) fn openssh_fingerprint(key: &Key) -> Option<String> {
    let mut blob = Vec::new();
    let mut put = |bytes: &[u8]| {
        blob.extend(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
        blob.extend(bytes);
    };
    match key {
        Key::Ecdsa { curve, point } => {
            let (name, curve): (&[u8], &[u8]) = match curve {
                Curve::P256 => (b"ecdsa-sha2-nistp256", b"nistp256"),
                Curve::P384 => (b"ecdsa-sha2-nistp384", b"nistp384"),
                Curve::P521 => (b"ecdsa-sha2-nistp521", b"nistp521"),
            };
            put(name);
            put(curve);
            put(point);
        }
        Key::Rsa { pkcs1, .. } => {
            let modulus = der::expect(der::expect(pkcs1, der::SEQUENCE)?.value, der::INTEGER)?;
            put(b"ssh-rsa");
            put(der::expect(modulus.rest, der::INTEGER)?.value);
            put(modulus.value);
        }
        Key::Ed25519(key) => {
            put(b"ssh-ed25519");
            put(key);
        }
        Key::P224 | Key::Unknown => return None,
    }
    let text = super::super::base64::encode(&tlog::hash::sha256(&blob));
    Some(format!("SHA256:{}", text.trim_end_matches('=')))
}
