//! TUF metadata (The Update Framework, specification 1.0): what a root's keys sign for a role.
//!
//! A root document is a key here: it must be signed by its own root keys. Delegations are not
//! followed, and neither is a chain of roots; Rekor does not either.

mod canonical;
mod key;
mod time;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use aws_lc_rs::digest::{self, SHA256};
use serde_json::{Map, Value};

use super::{CanonicalKey, Format};
use crate::admission::json::{member, parse_unambiguous};
use crate::limits::{TUF_BYTES_MAX, TUF_KEYS_MAX, TUF_SIGNATURES_MAX};
use canonical::{Style, write_value};
use key::RoleKey;
use time::Expiry;

/// The format of keys, for searches: expired roots are found, too.
pub(crate) const FORMAT: Format = Format {
    name: "tuf",
    read_key: |text| {
        let root = Root::read(Document::parse(text)?, None)?;
        Ok(CanonicalKey { value: root.document.canonical()?, subjects: Vec::new() })
    },
    verify: |_, _, _| Err("TUF keys sign TUF metadata only".into()),
};

const TOP_LEVEL: [&str; 4] = ["root", "targets", "snapshot", "timestamp"];

/// Signed metadata of any role; nothing is verified yet.
pub(crate) struct Document<'a> {
    signed: Cow<'a, Value>,
    signatures: Vec<Signature>,
    /// The role that it says it is of.
    pub(crate) role: String,
    pub(crate) version: i64,
    expires: Expiry,
}

struct Signature {
    key_id: String,
    bytes: Vec<u8>,
}

impl<'a> Document<'a> {
    /// Reads a text.
    ///
    /// # Errors
    /// The text for the client.
    pub(crate) fn parse(text: &[u8]) -> Result<Document<'static>, String> {
        if text.len() > TUF_BYTES_MAX {
            return Err(format!("TUF metadata of more than {TUF_BYTES_MAX} bytes"));
        }
        let document = parse_unambiguous(text)?;
        let Value::Object(mut members) = document else { return Err(wrong_type("the whole")) };
        let signatures = signatures(member(&members, "signatures"))?;
        let signed = crate::admission::json::take(&mut members, "signed");
        Document::new(Cow::Owned(signed), signatures)
    }

    /// Takes what is parsed already.
    ///
    /// # Errors
    /// The text for the client.
    pub(crate) fn from_value(document: &'a Value) -> Result<Self, String> {
        let members = document.as_object().ok_or_else(|| wrong_type("the whole"))?;
        let signed = member(members, "signed").ok_or("unexpected end of JSON input")?;
        Document::new(Cow::Borrowed(signed), signatures(member(members, "signatures"))?)
    }

    fn new(signed: Cow<'a, Value>, signatures: Vec<Signature>) -> Result<Self, String> {
        let members = match signed.as_ref() {
            Value::Object(members) => members,
            Value::Null => return Err("unexpected end of JSON input".into()),
            _ => return Err(wrong_type("signed")),
        };
        let role = text(members, "_type")?.to_owned();
        let version = integer(members, "version")?;
        let expires = Expiry::read(text(members, "expires")?)?;
        Ok(Self { role, version, expires, signed, signatures })
    }

    /// The bytes that are logged: RFC 8785 of the signatures and what they sign.
    pub(crate) fn canonical(&self) -> Result<Vec<u8>, String> {
        let signature = |signature: &Signature| {
            let sig = hex::encode(&signature.bytes);
            serde_json::json!({ "keyid": signature.key_id, "sig": sig })
        };
        let signatures = Value::Array(self.signatures.iter().map(signature).collect());
        let mut out = b"{\"signatures\":".to_vec();
        write_value(&mut out, &signatures, Style::Rfc8785)?;
        out.extend(b",\"signed\":");
        write_value(&mut out, &self.signed, Style::Rfc8785)?;
        out.push(b'}');
        Ok(out)
    }
}

fn signatures(list: Option<&Value>) -> Result<Vec<Signature>, String> {
    let items = match list {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(list) => list.as_array().ok_or_else(|| wrong_type("signatures"))?,
    };
    if items.len() > TUF_SIGNATURES_MAX {
        return Err(format!("TUF metadata with more than {TUF_SIGNATURES_MAX} signatures"));
    }
    let read = |item: &Value| {
        let members = item.as_object().ok_or_else(|| wrong_type("signatures"))?;
        let bytes = match member(members, "sig") {
            None => Vec::new(),
            Some(text) => hex_bytes(text)?,
        };
        Ok(Signature { key_id: text(members, "keyid")?.to_owned(), bytes })
    };
    items.iter().map(read).collect()
}

fn hex_bytes(value: &Value) -> Result<Vec<u8>, String> {
    let text = value.as_str().filter(|text| text.len() % 2 == 0);
    let text = text.ok_or("tuf: invalid JSON hex bytes")?;
    hex::decode(text).map_err(|error| format!("tuf: {error}"))
}

fn wrong_type(what: &str) -> String {
    format!("json: {what} of TUF metadata has the wrong type")
}

/// A member that is a text; empty if it is not there.
fn text<'m>(members: &'m Map<String, Value>, name: &str) -> Result<&'m str, String> {
    match member(members, name) {
        None | Some(Value::Null) => Ok(""),
        Some(value) => value.as_str().ok_or_else(|| wrong_type(name)),
    }
}

/// A member that is a whole number; 0 if it is not there.
fn integer(members: &Map<String, Value>, name: &str) -> Result<i64, String> {
    match member(members, name) {
        None | Some(Value::Null) => Ok(0),
        Some(value) => value.as_i64().ok_or_else(|| wrong_type(name)),
    }
}

/// Members of a member; none if it is not there.
fn object<'m>(
    members: &'m Map<String, Value>,
    name: &str,
) -> Result<impl Iterator<Item = (&'m String, &'m Value)> + use<'m>, String> {
    let found = match member(members, name) {
        None | Some(Value::Null) => None,
        Some(value) => Some(value.as_object().ok_or_else(|| wrong_type(name))?),
    };
    Ok(found.into_iter().flatten())
}

/// Who may sign for a role, and how many of them must.
struct Role {
    key_ids: BTreeSet<String>,
    threshold: i64,
}

/// A root that its own keys have signed.
pub(crate) struct Root<'a> {
    pub(crate) document: Document<'a>,
    /// The version of the specification that it says it follows.
    pub(crate) spec_version: String,
    keys: BTreeMap<String, RoleKey>,
    roles: BTreeMap<String, Role>,
}

impl<'a> Root<'a> {
    /// Reads the keys and roles of a document, and verifies it with them. It may have expired where
    /// no time is given: seconds since 1970.
    ///
    /// # Errors
    /// The text for the client.
    pub(crate) fn read(document: Document<'a>, now: Option<i64>) -> Result<Self, String> {
        let members = document.signed.as_object().ok_or_else(|| wrong_type("signed"))?;
        let spec_version = text(members, "spec_version")?.to_owned();
        let (mut keys, mut roles) = (BTreeMap::new(), BTreeMap::new());
        for (id, key) in object(members, "keys")? {
            if keys.len() == TUF_KEYS_MAX {
                return Err(format!("tuf root contains more than {TUF_KEYS_MAX} keys"));
            }
            if key.is_null() {
                return Err("tuf root contains nil key".into());
            }
            keys.insert(id.clone(), RoleKey::read(key)?);
        }
        for (name, role) in object(members, "roles")? {
            if role.is_null() {
                return Err("tuf root contains nil role".into());
            }
            roles.insert(name.clone(), Role::read(role)?);
        }
        let root = Self { spec_version, keys, roles, document };
        root.verify_as(&root.document, "root", now)?;
        Ok(root)
    }

    /// Verifies metadata for the role that it names, as in [`Self::read`].
    ///
    /// # Errors
    /// The text for the client.
    pub(crate) fn verify(&self, document: &Document<'_>, now: Option<i64>) -> Result<(), String> {
        self.verify_as(document, &document.role, now)
    }

    fn verify_as(
        &self,
        document: &Document<'_>,
        name: &str,
        now: Option<i64>,
    ) -> Result<(), String> {
        if document.signatures.is_empty() {
            return Err("tuf: data has no signatures".into());
        }
        let role = self.roles.get(name).ok_or_else(|| format!("tuf: unknown role {name:?}"))?;
        if self.signers(document, role)? < role.threshold {
            return Err("tuf: valid signatures did not meet threshold".into());
        }
        let expected = if TOP_LEVEL.contains(&name) { name } else { "targets" };
        if document.role.to_lowercase() != expected {
            return Err("tuf: meta file has wrong type".into());
        }
        if document.version < 0 {
            let version = document.version;
            return Err(format!("version {version} is lower than current version 0"));
        }
        document.expires.check(now)
    }

    /// How many keys of a role have signed, each once, whatever the names that it goes by.
    fn signers(&self, document: &Document<'_>, role: &Role) -> Result<i64, String> {
        let mut message = Vec::new();
        write_value(&mut message, &document.signed, Style::Olpc)?;
        let digest = digest::digest(&SHA256, &message);
        let mut signers = BTreeSet::new();
        for signature in &document.signatures {
            if !role.key_ids.contains(&signature.key_id) {
                continue;
            }
            let Some(key) = self.keys.get(&signature.key_id) else { continue };
            if key.verify(&message, &digest, &signature.bytes) {
                signers.insert(&key.identity);
            }
        }
        Ok(signers.len() as i64)
    }
}

impl Role {
    fn read(value: &Value) -> Result<Self, String> {
        let members = value.as_object().ok_or_else(|| wrong_type("roles"))?;
        let threshold = integer(members, "threshold")?;
        if threshold < 1 {
            return Err("tuf: invalid role threshold".into());
        }
        let ids = match member(members, "keyids") {
            None | Some(Value::Null) => &[][..],
            Some(ids) => ids.as_array().ok_or_else(|| wrong_type("keyids"))?,
        };
        let id = |id: &Value| id.as_str().map(str::to_owned).ok_or_else(|| wrong_type("keyids"));
        Ok(Self { key_ids: ids.iter().map(id).collect::<Result<_, _>>()?, threshold })
    }
}
