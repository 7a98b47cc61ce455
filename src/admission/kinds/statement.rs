//! Index keys from an in-toto statement: the digests of its subjects and of its predicate's
//! materials (SLSA provenance before 1.0), spelled as they are there.

use serde_json::Value;

use super::super::json;

/// The payload type of in-toto statements.
const IN_TOTO: &str = "application/vnd.in-toto+json";

/// The keys of a payload; none if it is not an in-toto statement or does not parse as one.
pub(crate) fn index_keys(payload_type: &str, payload: &[u8]) -> Vec<String> {
    if payload_type != IN_TOTO {
        return Vec::new();
    }
    let Ok(statement) = json::parse(payload) else { return Vec::new() };
    let member = |value: &Value, name: &str| {
        value.as_object().and_then(|members| json::member(members, name)).cloned()
    };
    let Some(mut keys) = digests(member(&statement, "subject")) else { return Vec::new() };
    let materials = member(&statement, "predicate").and_then(|p| member(&p, "materials"));
    keys.extend(digests(materials).unwrap_or_default());
    keys
}

/// `alg:digest` of each digest of each item; `None` if anything is of the wrong type.
fn digests(items: Option<Value>) -> Option<Vec<String>> {
    let items = match items {
        None | Some(Value::Null) => return Some(Vec::new()),
        Some(Value::Array(items)) => items,
        Some(_) => return None,
    };
    let mut keys = Vec::new();
    for item in &items {
        let members = match item {
            Value::Null => continue,
            item => item.as_object()?,
        };
        match json::member(members, "digest") {
            None | Some(Value::Null) => {}
            Some(digest) => {
                for (algorithm, value) in digest.as_object()? {
                    keys.push(format!("{algorithm}:{}", value.as_str()?));
                }
            }
        }
    }
    Some(keys)
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
            (r#"{"subject":[{"digest":{"a":1}}]}"#, &[]),
            (r#"{"subject":null,"predicate":[]}"#, &[]),
            ("[]", &[]),
            ("not json", &[]),
        ] {
            assert_eq!(index_keys(IN_TOTO, statement.as_bytes()), expected, "{statement}");
            assert!(index_keys("text/plain", statement.as_bytes()).is_empty());
        }
    }
}
