//! Reading JSON with the manners of the deployed servers: member names match whatever their case,
//! an exact spelling first.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::map::Entry;
use serde_json::{Map, Value};

/// Whether a member's name in the text stands for the wanted one. Besides ASCII letters two others
/// fold: the long s and the Kelvin sign.
pub(crate) fn is_member(name: &str, wanted: &str) -> bool {
    name == wanted || name.chars().map(fold).eq(wanted.chars().map(fold))
}

/// The member of that name.
pub(crate) fn member<'a>(map: &'a Map<String, Value>, wanted: &str) -> Option<&'a Value> {
    map.get(wanted).or_else(|| map.iter().find(|(name, _)| is_member(name, wanted)).map(|(_, v)| v))
}

/// Takes the member of that name out; null if there is none.
pub(crate) fn take(map: &mut Map<String, Value>, wanted: &str) -> Value {
    if let Some(value) = map.get_mut(wanted) {
        return value.take();
    }
    let found = map.iter_mut().find(|(name, _)| is_member(name, wanted));
    found.map(|(_, value)| value.take()).unwrap_or_default()
}

/// Reads text that must be one JSON value and nothing more.
pub(crate) fn parse(text: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(text).map_err(shown)
}

/// The same, but no object in it may have two members of one name.
pub(crate) fn parse_unambiguous(text: &[u8]) -> Result<Value, String> {
    let Unambiguous(value) = serde_json::from_slice(text).map_err(shown)?;
    Ok(value)
}

fn shown(error: serde_json::Error) -> String {
    match error.classify() {
        serde_json::error::Category::Eof => "unexpected end of JSON input".to_owned(),
        _ => error.to_string(),
    }
}

struct Unambiguous(Value);

impl<'de> Deserialize<'de> for Unambiguous {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue).map(Self)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Unambiguous(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((name, Unambiguous(value))) = members.next_entry::<String, _>()? {
            if let Entry::Vacant(place) = object.entry(name.as_str()) {
                place.insert(value);
            } else {
                return Err(A::Error::custom(format_args!("Duplicate key: {name}")));
            }
        }
        Ok(object.into())
    }
}

fn fold(letter: char) -> char {
    match letter {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        other => other.to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_in_any_case_and_exact_ones_first() {
        assert!(is_member("apiversion", "apiVersion"));
        assert!(is_member("\u{212a}IND", "kind"));
        assert!(is_member("\u{17f}pec", "spec"));
        assert!(!is_member("spe", "spec"));
        let map = serde_json::json!({"Kind": 1, "kind": 2, "SPEC": 3});
        let map = map.as_object().unwrap();
        assert_eq!(member(map, "kind"), Some(&2.into()));
        assert_eq!(member(map, "spec"), Some(&3.into()));
        assert_eq!(member(map, "apiVersion"), None);
    }

    #[test]
    fn two_members_of_one_name_are_refused_where_they_would_be_ambiguous() {
        let text = br#"{"a":[null,true,-1,2,1.5,"x",{"b":{"c":1}}],"d":18446744073709551615}"#;
        assert_eq!(parse_unambiguous(text), parse(text));
        let twice = parse_unambiguous(br#"[{"a":{"b":1,"c":2,"b":1}}]"#).unwrap_err();
        assert!(twice.starts_with("Duplicate key: b"), "{twice}");
        assert_eq!(parse_unambiguous(b"[1").unwrap_err(), "unexpected end of JSON input");
        assert!(parse_unambiguous(b"1 2").is_err());
    }
}
