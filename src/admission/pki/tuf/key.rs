//! Keys of a root: Ed25519, ECDSA (PEM, or the hexadecimal points of old roots), RSA-PSS.

use aws_lc_rs::digest::Digest;
use serde_json::{Map, Value};

use super::super::key::{Curve, Key};
use super::super::legacy::verify_pss_sha256;
use super::super::pem;
use super::canonical::{Style, write_value};
use super::{hex_bytes, member, text, wrong_type};

/// A key that signs for roles.
pub(super) struct RoleKey {
    key: Key,
    /// What its ID is the hash of; two IDs with one of these are one key.
    pub(super) identity: Vec<u8>,
}

impl RoleKey {
    pub(super) fn read(value: &Value) -> Result<Self, String> {
        let members = value.as_object().ok_or_else(|| wrong_type("keys"))?;
        let held = member(members, "keyval").cloned().unwrap_or_default();
        let public = held.as_object().and_then(|held| member(held, "public"));
        let public = public.ok_or_else(|| unreadable("there is no public key"))?;
        let key = match text(members, "keytype")? {
            "ed25519" => {
                let bytes = hex_bytes(public).map_err(|text| unreadable(&text))?;
                let length = bytes.len();
                Key::Ed25519(bytes.try_into().map_err(|_| {
                    unreadable(&format!(
                        "tuf: unexpected public key length for ed25519 key, expected 32, got \
                         {length}"
                    ))
                })?)
            }
            "rsa" => match from_pem(public)? {
                key @ Key::Rsa { .. } => key,
                _ => return Err(unreadable("invalid public key")),
            },
            "ecdsa" | "ecdsa-sha2-nistp256" => match from_pem(public) {
                Ok(key @ (Key::Ecdsa { .. } | Key::P224)) => key,
                _ => from_point(public)?,
            },
            _ => return Err("invalid key".into()),
        };
        Ok(Self { key, identity: identity(members, held)? })
    }

    /// Whether the signature is over the message, whose SHA-256 is at hand.
    pub(super) fn verify(&self, message: &[u8], sha256: &Digest, signature: &[u8]) -> bool {
        match &self.key {
            Key::Rsa { bits, pkcs1 } => verify_pss_sha256((*bits, pkcs1), sha256, signature),
            key => key.verify_hashed(message, sha256, signature).is_ok(),
        }
    }
}

fn unreadable(why: &str) -> String {
    format!("tuf: error unmarshalling key: {why}")
}

fn from_pem(public: &Value) -> Result<Key, String> {
    let text = public.as_str().ok_or_else(|| wrong_type("public"))?;
    let (block, _) =
        pem::first_block(text.as_bytes()).ok_or_else(|| unreadable("invalid PEM value"))?;
    if block.label != "PUBLIC KEY" {
        return Err(unreadable(&format!("invalid block type: {}", block.label)));
    }
    Key::from_spki(&block.contents).map_err(|text| unreadable(&text))
}

/// The uncompressed point on P-256 that TUF had before PEM.
fn from_point(public: &Value) -> Result<Key, String> {
    let point = hex_bytes(public).map_err(|text| unreadable(&text))?;
    match point.as_slice() {
        [4, coordinates @ ..] if coordinates.len() == 64 => {
            Ok(Key::Ecdsa { curve: Curve::P256, point })
        }
        _ => Err(unreadable("tuf: invalid ecdsa public key point")),
    }
}

/// The members that count, in canonical JSON.
fn identity(members: &Map<String, Value>, held: Value) -> Result<Vec<u8>, String> {
    let mut counted = Map::new();
    let algorithms = member(members, "keyid_hash_algorithms");
    if let Some(algorithms) =
        algorithms.filter(|list| list.as_array().is_none_or(|l| !l.is_empty()))
    {
        counted.insert("keyid_hash_algorithms".into(), algorithms.clone());
    }
    for name in ["keytype", "scheme"] {
        counted.insert(name.into(), text(members, name)?.into());
    }
    counted.insert("keyval".into(), held);
    let mut out = Vec::new();
    write_value(&mut out, &Value::Object(counted), Style::Olpc)?;
    Ok(out)
}
