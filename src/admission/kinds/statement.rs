//! Index keys from an in-toto statement: the digests of its subjects and of its predicate's
//! materials (SLSA provenance before 1.0), spelled as they are there.
//!
//! The payload is read as a stream: it can be as large as a request, and a tree of its values would
//! take a hundred times its bytes.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::super::json::is_member;

/// The payload type of in-toto statements.
const IN_TOTO: &str = "application/vnd.in-toto+json";

/// The keys of a payload; none if it is not an in-toto statement or does not parse as one.
pub(crate) fn index_keys(payload_type: &str, payload: &[u8]) -> Vec<String> {
    let Some((mut keys, materials)) = read(payload_type, payload) else { return Vec::new() };
    keys.extend(materials.0.unwrap_or_default());
    keys
}

/// The same without those of materials.
pub(crate) fn subject_keys(payload_type: &str, payload: &[u8]) -> Vec<String> {
    read(payload_type, payload).map(|(keys, _)| keys).unwrap_or_default()
}

fn read(payload_type: &str, payload: &[u8]) -> Option<(Vec<String>, Keys)> {
    if payload_type != IN_TOTO {
        return None;
    }
    let Read(Statement { subject, materials }) = serde_json::from_slice(payload).ok()?;
    Some((subject.0?, materials))
}

/// What is read from a value whatever its type: `default` from null, `wrong` unless said otherwise.
trait Lenient<'de>: Default {
    fn wrong() -> Self;

    fn text(_: &str) -> Self {
        Self::wrong()
    }

    fn list<A: SeqAccess<'de>>(mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Self::wrong())
    }

    fn object<A: MapAccess<'de>>(mut members: A) -> Result<Self, A::Error> {
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Self::wrong())
    }
}

/// The members that count, the last one of a name; others are passed over. No object: no members.
#[derive(Default)]
struct Statement {
    subject: Keys,
    materials: Keys,
}

impl<'de> Lenient<'de> for Statement {
    fn wrong() -> Self {
        Self::default()
    }

    fn object<A: MapAccess<'de>>(mut members: A) -> Result<Self, A::Error> {
        let mut statement = Self::default();
        while let Some(name) = members.next_key::<String>()? {
            if is_member(&name, "subject") {
                statement.subject = members.next_value::<Read<_>>()?.0;
            } else if is_member(&name, "predicate") {
                statement.materials = members.next_value::<Read<Predicate>>()?.0.materials;
            } else {
                members.next_value::<IgnoredAny>()?;
            }
        }
        Ok(statement)
    }
}

#[derive(Default)]
struct Predicate {
    materials: Keys,
}

impl<'de> Lenient<'de> for Predicate {
    fn wrong() -> Self {
        Self::default()
    }

    fn object<A: MapAccess<'de>>(mut members: A) -> Result<Self, A::Error> {
        let mut predicate = Self::default();
        while let Some(name) = members.next_key::<String>()? {
            if is_member(&name, "materials") {
                predicate.materials = members.next_value::<Read<_>>()?.0;
            } else {
                members.next_value::<IgnoredAny>()?;
            }
        }
        Ok(predicate)
    }
}

/// `alg:digest` of each digest of each item of a list; `None` if anything is of the wrong type.
struct Keys(Option<Vec<String>>);

impl Default for Keys {
    fn default() -> Self {
        Self(Some(Vec::new()))
    }
}

impl<'de> Lenient<'de> for Keys {
    fn wrong() -> Self {
        Self(None)
    }

    fn list<A: SeqAccess<'de>>(mut items: A) -> Result<Self, A::Error> {
        let mut all = Some(Vec::new());
        while let Some(Read(Item(Digests(digests)))) = items.next_element()? {
            all = all.zip(digests).map(|(mut all, digests)| {
                all.extend(digests.into_iter().map(|(name, value)| format!("{name}:{value}")));
                all
            });
        }
        Ok(Self(all))
    }
}

#[derive(Default)]
struct Item(Digests);

impl<'de> Lenient<'de> for Item {
    fn wrong() -> Self {
        Self(Digests(None))
    }

    fn object<A: MapAccess<'de>>(mut members: A) -> Result<Self, A::Error> {
        let mut item = Self::default();
        while let Some(name) = members.next_key::<String>()? {
            if is_member(&name, "digest") {
                item.0 = members.next_value::<Read<_>>()?.0;
            } else {
                members.next_value::<IgnoredAny>()?;
            }
        }
        Ok(item)
    }
}

/// By algorithm, in its order.
struct Digests(Option<BTreeMap<String, String>>);

impl Default for Digests {
    fn default() -> Self {
        Self(Some(BTreeMap::new()))
    }
}

impl<'de> Lenient<'de> for Digests {
    fn wrong() -> Self {
        Self(None)
    }

    fn object<A: MapAccess<'de>>(mut members: A) -> Result<Self, A::Error> {
        let mut all = Some(BTreeMap::new());
        while let Some((name, Read(Text(value)))) = members.next_entry::<String, _>()? {
            all = all.zip(value).map(|(mut all, value)| {
                all.insert(name, value);
                all
            });
        }
        Ok(Self(all))
    }
}

#[derive(Default)]
struct Text(Option<String>);

impl<'de> Lenient<'de> for Text {
    fn wrong() -> Self {
        Self(None)
    }

    fn text(text: &str) -> Self {
        Self(Some(text.to_owned()))
    }
}

/// Reads as its content says.
struct Read<T>(T);

impl<'de, T: Lenient<'de>> Deserialize<'de> for Read<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyType(PhantomData)).map(Self)
    }
}

struct AnyType<T>(PhantomData<T>);

impl<'de, T: Lenient<'de>> Visitor<'de> for AnyType<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_bool<E>(self, _: bool) -> Result<T, E> {
        Ok(T::wrong())
    }

    fn visit_i64<E>(self, _: i64) -> Result<T, E> {
        Ok(T::wrong())
    }

    fn visit_u64<E>(self, _: u64) -> Result<T, E> {
        Ok(T::wrong())
    }

    fn visit_f64<E>(self, _: f64) -> Result<T, E> {
        Ok(T::wrong())
    }

    fn visit_str<E>(self, text: &str) -> Result<T, E> {
        Ok(T::text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<T, A::Error> {
        T::list(items)
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<T, A::Error> {
        T::object(members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_of_subjects_and_materials_are_keys() {
        for (statement, expected) in [
            (r#"{"subject":[{"digest":{"b":"2","a":"1"}},{"name":"x"}]}"#, &["a:1", "b:2"][..]),
            (
                r#"{"Subject":[{"digest":{"a":"1"}}],
                    "predicate":{"materials":[{"digest":{"m":"3"}}]}}"#,
                &["a:1", "m:3"],
            ),
            (r#"{"subject":[{"digest":{"a":"1"}}],"predicate":{"materials":5}}"#, &["a:1"]),
            (r#"{"subject":[null,{"digest":null},{"digest":{"a":"1","a":"2"}}]}"#, &["a:2"]),
            (r#"{"subject":[{"digest":{"a":"1"},"x":[1e999,[{}]]}],"predicate":"p"}"#, &["a:1"]),
            (r#"{"subject":[{"digest":{"a":1}}]}"#, &[]),
            (r#"{"subject":[{"digest":{"a":"1"}},true]}"#, &[]),
            (r#"{"subject":[{"digest":{"a":"1"}},{"digest":["b"]}]}"#, &[]),
            (r#"{"subject":{"digest":{"a":"1"}}}"#, &[]),
            (r#"{"subject":[{"digest":{"a":"1"}}]} x"#, &[]),
            (r#"{"subject":null,"predicate":[]}"#, &[]),
            ("[]", &[]),
            ("-5", &[]),
            ("not json", &[]),
        ] {
            assert_eq!(index_keys(IN_TOTO, statement.as_bytes()), expected, "{statement}");
            let subjects: Vec<_> = expected.iter().copied().filter(|key| *key != "m:3").collect();
            assert_eq!(subject_keys(IN_TOTO, statement.as_bytes()), subjects, "{statement}");
            assert!(index_keys("text/plain", statement.as_bytes()).is_empty());
        }
    }
}
