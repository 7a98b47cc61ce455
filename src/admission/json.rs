//! Reading JSON with the manners of the deployed servers: member names match whatever their case,
//! an exact spelling first.

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
    serde_json::from_slice(text).map_err(|error| match error.classify() {
        serde_json::error::Category::Eof => "unexpected end of JSON input".to_owned(),
        _ => error.to_string(),
    })
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
}
