//! COSE_Sign1 (RFC 9052 section 4.2): the message, its headers, and what its signature is over.
//!
//! CBOR is taken as Rekor's library takes it: definite lengths, no tags but the message's own, no
//! label twice. Headers are small; the payload is never copied.

use std::collections::BTreeSet;

use ciborium::Value;

use crate::limits::COSE_HEADER_BYTES_MAX;

/// What CBOR may nest.
const DEPTH_MAX: usize = 32;

const MALFORMED: &str = "cbor: malformed COSE_Sign1 message";

/// A message that was read, not verified.
pub(super) struct Sign1<'a> {
    protected_bytes: &'a [u8],
    protected: Header,
    /// `None` where it is detached.
    pub(super) payload: Option<&'a [u8]>,
    /// As the algorithm has it: for ECDSA two numbers of 32 bytes.
    pub(super) signature: &'a [u8],
}

impl<'a> Sign1<'a> {
    /// Reads a tagged message.
    ///
    /// # Errors
    /// The text for the client.
    pub(super) fn read(message: &'a [u8]) -> Result<Self, String> {
        // Tag 18, and a list of four.
        let tagged = message.strip_prefix(b"\xd2\x84");
        let rest = tagged.ok_or("cbor: invalid COSE_Sign1_Tagged object")?;
        let (protected, rest) = split_item(rest, Tags::Refused).ok_or(MALFORMED)?;
        let (unprotected, rest) = split_item(rest, Tags::Refused).ok_or(MALFORMED)?;
        let (payload, rest) = split_item(rest, Tags::Refused).ok_or(MALFORMED)?;
        let (signature, rest) = split_item(rest, Tags::Refused).ok_or(MALFORMED)?;
        if !rest.is_empty() {
            return Err(format!("cbor: {} bytes of extraneous data", rest.len()));
        }
        let payload = match payload {
            [0xf6] => None,
            item => Some(byte_string(item).ok_or("cbor: require bstr type")?),
        };
        let signature = byte_string(signature).ok_or("cbor: require bstr type")?;
        if signature.is_empty() {
            return Err("empty signature".into());
        }
        let invalid = |text: String| format!("cbor: invalid protected header: {text}");
        let protected_bytes = match protected {
            [0xf6] => Err("cbor: nil protected header"),
            item => byte_string(item).ok_or("cbor: require bstr type"),
        };
        let protected_bytes = protected_bytes.map_err(|text| invalid(text.into()))?;
        let protected = match protected_bytes {
            [] => Header(Vec::new()),
            map => Header::read(map, Place::Protected).map_err(invalid)?,
        };
        let unprotected = Header::read(unprotected, Place::Unprotected)
            .map_err(|text| format!("cbor: invalid unprotected header: {text}"))?;
        check_vectors(&protected, &unprotected)?;
        Ok(Self { protected_bytes, protected, payload, signature })
    }

    /// Checks that the protected header names this algorithm; it may be silent when there is data
    /// beside the message.
    ///
    /// # Errors
    /// The text for the client.
    pub(super) fn check_algorithm(&self, name: &str, external: &[u8]) -> Result<(), String> {
        match self.protected.get(Label::ALGORITHM) {
            None if external.is_empty() => Err("algorithm not found".into()),
            None => Ok(()),
            Some(Value::Text(text)) => Err(format!("Algorithm({text:?})")),
            Some(value) => match label(value) {
                Some(Label::Number(number)) if algorithm_name(number) == name => Ok(()),
                Some(Label::Number(number)) => {
                    let found = algorithm_name(number);
                    Err(format!("algorithm mismatch: verifier {name}: header {found}"))
                }
                _ => Err("invalid algorithm".into()),
            },
        }
    }

    /// What the payload is said to be, if that is a text.
    pub(super) fn content_type(&self) -> Option<&str> {
        self.protected.get(Label::CONTENT_TYPE)?.as_text()
    }

    /// The bytes that are signed (RFC 9052 section 4.4).
    pub(super) fn signed_bytes(&self, payload: &[u8], external: &[u8]) -> Vec<u8> {
        let mut out = b"\x84\x6aSignature1".to_vec();
        for part in [self.protected_bytes, external, payload] {
            write_byte_string(&mut out, part);
        }
        out
    }
}

/// What names a parameter of a header (RFC 9052 section 1.5).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Label {
    Number(i64),
    Text(String),
}

impl Label {
    const ALGORITHM: Self = Self::Number(1);
    const CONTENT_TYPE: Self = Self::Number(3);
    const IV: Self = Self::Number(5);
    const PARTIAL_IV: Self = Self::Number(6);
}

fn label(value: &Value) -> Option<Label> {
    match value {
        Value::Integer(number) => i64::try_from(i128::from(*number)).ok().map(Label::Number),
        Value::Text(text) => Some(Label::Text(text.clone())),
        _ => None,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Protected,
    Unprotected,
}

/// Parameters, each label once.
struct Header(Vec<(Label, Value)>);

impl Header {
    fn read(map: &[u8], place: Place) -> Result<Self, String> {
        let prefix = match place {
            Place::Protected => "protected header",
            Place::Unprotected => "unprotected header",
        };
        if map.first().is_none_or(|first| first >> 5 != 5) {
            return Err(format!("cbor: {prefix}: require map type"));
        }
        if map.len() > COSE_HEADER_BYTES_MAX {
            return Err(format!("more than {COSE_HEADER_BYTES_MAX} bytes"));
        }
        let (_, rest) = split_item(map, Tags::Allowed).ok_or(MALFORMED)?;
        if !rest.is_empty() {
            return Err(format!("cbor: {} bytes of extraneous data", rest.len()));
        }
        let Ok(Value::Map(pairs)) = ciborium::from_reader::<Value, _>(map) else {
            return Err(MALFORMED.into());
        };
        let mut seen = BTreeSet::new();
        let mut parameters = Vec::new();
        for (key, value) in pairs {
            let label = label(&key).ok_or("cbor: header label: require int / tstr type")?;
            if !seen.insert(label.clone()) {
                return Err(format!("cbor: found duplicate map key {label:?}"));
            }
            parameters.push((label, value));
        }
        let header = Self(parameters);
        for (label, value) in &header.0 {
            let Label::Number(number) = label else { continue };
            check_parameter(*number, value, place, &seen)
                .map_err(|fault| format!("{prefix}: header parameter: {fault}"))?;
        }
        Ok(header)
    }

    fn get(&self, wanted: Label) -> Option<&Value> {
        self.0.iter().find(|(label, _)| *label == wanted).map(|(_, value)| value)
    }
}

/// The rules for the common parameters (RFC 9052 section 3.1, RFC 9338, RFC 9596).
fn check_parameter(
    number: i64,
    value: &Value,
    place: Place,
    seen: &BTreeSet<Label>,
) -> Result<(), String> {
    let only_outside = |name: &str| match place {
        Place::Protected => Err(format!("{name}: not allowed")),
        Place::Unprotected => Ok(()),
    };
    let bytes = |name: &str| match value {
        Value::Bytes(_) => Ok(()),
        _ => Err(format!("{name}: require bstr type")),
    };
    match number {
        1 if label(value).is_none() => Err("alg: require int / tstr type".into()),
        2 if place == Place::Unprotected => Err("crit: not allowed".into()),
        2 => check_critical(value, seen).map_err(|fault| format!("crit: {fault}")),
        3 => check_media_type(value).map_err(|fault| format!("content type: {fault}")),
        4 => bytes("kid"),
        5 | 6 => {
            bytes(if number == 5 { "IV" } else { "Partial IV" })?;
            if seen.contains(&Label::IV) && seen.contains(&Label::PARTIAL_IV) {
                return Err("IV and PartialIV: parameters must not both be present".into());
            }
            Ok(())
        }
        7 => only_outside("counter signature").and_then(|()| check_countersignature(value)),
        9 => only_outside("countersignature0").and_then(|()| bytes("countersignature0")),
        11 => {
            only_outside("Countersignature version 2").and_then(|()| check_countersignature(value))
        }
        12 => only_outside("Countersignature0 version 2")
            .and_then(|()| bytes("Countersignature0 version 2")),
        16 => check_media_type(value).map_err(|fault| format!("type: {fault}")),
        _ => Ok(()),
    }
}

fn check_critical(value: &Value, seen: &BTreeSet<Label>) -> Result<(), String> {
    let Value::Array(labels) = value else { return Err("invalid crit header".into()) };
    if labels.is_empty() {
        return Err("empty crit header".into());
    }
    for value in labels {
        match label(value) {
            None => return Err("require int / tstr type".into()),
            Some(label) if seen.contains(&label) => {}
            Some(Label::Number(number)) => {
                return Err(format!("missing critical header: {number}"));
            }
            Some(Label::Text(text)) => return Err(format!("missing critical header: {text}")),
        }
    }
    Ok(())
}

/// `type/subtype`, or a number of CoAP's registry.
fn check_media_type(value: &Value) -> Result<(), &'static str> {
    match value {
        Value::Integer(number) if i128::from(*number) >= 0 => Ok(()),
        Value::Text(text) if text.is_empty() => Err("require non-empty string"),
        Value::Text(text) if text.starts_with(' ') || text.ends_with(' ') => {
            Err("require no leading/trailing whitespace")
        }
        Value::Text(text) if text.matches('/').count() != 1 => {
            Err("require text of form type/subtype")
        }
        Value::Text(_) => Ok(()),
        _ => Err("require tstr / uint type"),
    }
}

/// One, or a list of them: a protected header, an unprotected one, and a signature.
fn check_countersignature(value: &Value) -> Result<(), String> {
    let is_one = |value: &Value| match value.as_array().map(Vec::as_slice) {
        Some([protected, unprotected, signature]) => {
            protected.is_bytes()
                && unprotected.is_map()
                && signature.as_bytes().is_some_and(|bytes| !bytes.is_empty())
        }
        _ => false,
    };
    if is_one(value) || value.as_array().is_some_and(|list| list.iter().all(is_one)) {
        return Ok(());
    }
    Err("invalid Countersignature object / list of objects".into())
}

fn check_vectors(protected: &Header, unprotected: &Header) -> Result<(), String> {
    let both =
        |one: Label, other: Label| protected.get(one).is_some() && unprotected.get(other).is_some();
    let text = "parameters must not both be present";
    if both(Label::IV, Label::PARTIAL_IV) {
        return Err(format!("IV (protected) and PartialIV (unprotected) {text}"));
    }
    if both(Label::PARTIAL_IV, Label::IV) {
        return Err(format!("IV (unprotected) and PartialIV (protected) {text}"));
    }
    Ok(())
}

/// As IANA's registry of COSE algorithms has it.
fn algorithm_name(number: i64) -> String {
    match number {
        -7 => "ES256".into(),
        -8 => "EdDSA".into(),
        -35 => "ES384".into(),
        -36 => "ES512".into(),
        -37 => "PS256".into(),
        -38 => "PS384".into(),
        -39 => "PS512".into(),
        -257 => "RS256".into(),
        -258 => "RS384".into(),
        -259 => "RS512".into(),
        0 => "Reserved".into(),
        other => format!("Algorithm({other})"),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Tags {
    Allowed,
    Refused,
}

/// The head of an item (RFC 8949 section 3): its major type, its argument, and what follows.
fn head(input: &[u8]) -> Option<(u8, u64, &[u8])> {
    let (first, rest) = input.split_first()?;
    let (major, short) = (first >> 5, first & 0x1f);
    let length = match short {
        0..24 => return Some((major, u64::from(short), rest)),
        24..=27 => 1_usize << (short - 24),
        _ => return None,
    };
    let (bytes, rest) = rest.split_at_checked(length)?;
    let argument = bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    // A simple value below 32 has no second byte.
    (major != 7 || short != 24 || argument >= 32).then_some((major, argument, rest))
}

/// Takes one item from the front, with all that is in it; `None` if it is malformed.
fn split_item(input: &[u8], tags: Tags) -> Option<(&[u8], &[u8])> {
    let mut rest = input;
    // For each open list or map, what is still to come.
    let mut open = vec![1_u64];
    while let Some(left) = open.last_mut() {
        if *left == 0 {
            open.pop();
            continue;
        }
        *left -= 1;
        let (major, argument, after) = head(rest)?;
        rest = after;
        match major {
            2 | 3 => rest = rest.split_at_checked(usize::try_from(argument).ok()?)?.1,
            4 => open.push(argument),
            5 => open.push(argument.checked_mul(2)?),
            6 if tags == Tags::Refused => return None,
            6 => open.push(1),
            _ => {}
        }
        if open.len() > DEPTH_MAX + 1 {
            return None;
        }
    }
    input.split_at_checked(input.len() - rest.len())
}

fn byte_string(item: &[u8]) -> Option<&[u8]> {
    head(item).filter(|(major, ..)| *major == 2).map(|(.., bytes)| bytes)
}

fn write_byte_string(out: &mut Vec<u8>, bytes: &[u8]) {
    let length = bytes.len().to_be_bytes();
    match bytes.len() {
        0..24 => out.push(0x40 | bytes.len() as u8),
        24..0x100 => out.extend([&[0x58][..], length.get(7..).unwrap_or_default()].concat()),
        0x100..0x1_0000 => out.extend([&[0x59][..], length.get(6..).unwrap_or_default()].concat()),
        _ => out.extend([&[0x5a][..], length.get(4..).unwrap_or_default()].concat()),
    }
    out.extend_from_slice(bytes);
}
