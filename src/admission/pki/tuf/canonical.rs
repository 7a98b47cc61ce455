//! Canonical JSON, in both forms that TUF needs: OLPC's, which is signed, and RFC 8785, which is
//! logged. Numbers are whole in either.

use serde_json::{Map, Value};

/// Which canonical form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// <http://wiki.laptop.org/go/Canonical_JSON>: members in the order of their bytes, texts as
    /// they are but for `"` and `\`.
    Olpc,
    /// Members in the order of their UTF-16 units, texts with the escapes of JSON.
    Rfc8785,
}

/// Writes a value.
///
/// # Errors
/// The text for the client: of a number that is not whole, or too large.
pub(super) fn write_value(out: &mut Vec<u8>, value: &Value, style: Style) -> Result<(), String> {
    match value {
        Value::Null => out.extend(b"null"),
        Value::Bool(true) => out.extend(b"true"),
        Value::Bool(false) => out.extend(b"false"),
        Value::Number(number) => out.extend(whole(number, style)?.as_bytes()),
        Value::String(text) => write_text(out, text, style)?,
        Value::Array(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_value(out, item, style)?;
            }
            out.push(b']');
        }
        Value::Object(members) => write_object(out, members, style)?,
    }
    Ok(())
}

fn write_object(
    out: &mut Vec<u8>,
    members: &Map<String, Value>,
    style: Style,
) -> Result<(), String> {
    let mut sorted: Vec<(&String, &Value)> = members.iter().collect();
    match style {
        Style::Olpc => sorted.sort_by_key(|(name, _)| *name),
        Style::Rfc8785 => sorted.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16())),
    }
    out.push(b'{');
    for (index, (name, value)) in sorted.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_text(out, name, style)?;
        out.push(b':');
        write_value(out, value, style)?;
    }
    out.push(b'}');
    Ok(())
}

fn write_text(out: &mut Vec<u8>, text: &str, style: Style) -> Result<(), String> {
    if style == Style::Rfc8785 {
        return serde_json::to_writer(out, text).map_err(|error| error.to_string());
    }
    out.push(b'"');
    for byte in text.bytes() {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
    Ok(())
}

/// Numbers go through double precision, as with Rekor's JSON.
fn whole(number: &serde_json::Number, style: Style) -> Result<String, String> {
    let double = number.as_f64().unwrap_or(f64::NAN);
    let text = double.to_string();
    if text.parse::<i64>().is_err() {
        return Err(format!("Can't canonicalize floating point number '{number}'"));
    }
    Ok(if double == 0.0 && style == Style::Rfc8785 { "0".into() } else { text })
}

#[cfg(test)]
mod tests {
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn written(value: &Value, style: Style) -> String {
        let mut out = Vec::new();
        write_value(&mut out, value, style).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_two_forms_differ_in_texts_and_in_order() {
        let value = json!({"\u{10000}": "a\"\\\n", "\u{ffff}": [true, null, -5], "b": {}});
        assert_eq!(
            written(&value, Style::Olpc),
            "{\"b\":{},\"\u{ffff}\":[true,null,-5],\"\u{10000}\":\"a\\\"\\\\\n\"}"
        );
        assert_eq!(
            written(&value, Style::Rfc8785),
            "{\"b\":{},\"\u{10000}\":\"a\\\"\\\\\\n\",\"\u{ffff}\":[true,null,-5]}"
        );
    }

    #[test]
    fn numbers_are_whole() {
        for (text, expected) in [
            ("0", "0"),
            ("7.0", "7"),
            ("1e3", "1000"),
            ("9007199254740993", "9007199254740992"),
            ("1152921504606846976", "1152921504606847000"),
        ] {
            let value: Value = serde_json::from_str(text).unwrap();
            for style in [Style::Olpc, Style::Rfc8785] {
                assert_eq!(written(&value, style), expected);
            }
        }
        assert_eq!(written(&json!(-0.0), Style::Olpc), "-0");
        assert_eq!(written(&json!(-0.0), Style::Rfc8785), "0");
        for text in ["0.5", "1e30", "9223372036854775808"] {
            let value: Value = serde_json::from_str(text).unwrap();
            let refused = write_value(&mut Vec::new(), &value, Style::Olpc).unwrap_err();
            assert!(refused.starts_with("Can't canonicalize floating point number"), "{refused}");
        }
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                vec(inner.clone(), 0..6).prop_map(Value::from),
                btree_map(any::<String>(), inner, 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn rfc_8785_is_what_another_implementation_writes(value in any_value()) {
            let theirs = serde_json_canonicalizer::to_string(&value).unwrap();
            prop_assert_eq!(written(&value, Style::Rfc8785), theirs);
        }
    }
}
