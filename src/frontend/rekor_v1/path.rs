//! Paths and percent-escapes as Go's `path.Clean` and `net/url` treat them.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The shortest path that means the same: no empty, `.` or `..` elements, no slash at the end.
pub(super) fn clean(path: &str) -> Cow<'_, str> {
    let is_clean = path.starts_with('/')
        && (path.len() == 1 || !path.ends_with('/'))
        && !path.contains("//")
        && !path.contains("/.");
    if is_clean {
        return Cow::Borrowed(path);
    }
    let mut elements: Vec<&str> = Vec::new();
    for element in path.split('/') {
        match element {
            "" | "." => {}
            ".." => drop(elements.pop()),
            element => elements.push(element),
        }
    }
    Cow::Owned(format!("/{}", elements.join("/")))
}

/// A path element without its escapes; one with a broken escape stays as it is.
pub(super) fn unescape(escaped: &str) -> String {
    decode(escaped, false).unwrap_or_else(|| escaped.into())
}

/// Decodes percent-escapes, and `+` as a space where `plus` says so; `None` for a broken escape.
pub(super) fn decode(escaped: &str, plus: bool) -> Option<String> {
    if !escaped.contains(['%', '+']) {
        return Some(escaped.into());
    }
    let mut bytes = Vec::with_capacity(escaped.len());
    let mut rest = escaped.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => hex_digit(rest.next()?)? << 4 | hex_digit(rest.next()?)?,
            b'+' if plus => b' ',
            byte => byte,
        });
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// Escapes one part of a query string.
pub(super) fn push_escaped(out: &mut String, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(byte));
            }
            b' ' => out.push('+'),
            // Writing to a `String` cannot fail.
            byte => _ = write!(out, "%{byte:02X}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_are_cleaned() {
        for (path, cleaned) in [
            ("/", "/"),
            ("//", "/"),
            ("/api/v1/log/", "/api/v1/log"),
            ("/api//v1/./log//", "/api/v1/log"),
            ("/api/v1/x/../log", "/api/v1/log"),
            ("/../../api", "/api"),
            ("/a/.hidden", "/a/.hidden"),
            ("/a..b/c.", "/a..b/c."),
            ("*", "/*"),
        ] {
            assert_eq!(clean(path), cleaned, "{path}");
        }
    }

    #[test]
    fn escapes() {
        assert_eq!(unescape("a%62c+"), "abc+");
        assert_eq!(unescape("a%6"), "a%6");
        assert_eq!(unescape("%zz"), "%zz");
        assert_eq!(decode("a+b%20c", true).as_deref(), Some("a b c"));
        assert_eq!(decode("%", true), None);
    }

    proptest! {
        #[test]
        fn cleaning_twice_changes_nothing(path in "(/[a.]{0,3}){0,6}/?") {
            let once = clean(&path).into_owned();
            prop_assert_eq!(clean(&once), once.as_str());
        }

        #[test]
        fn decoding_undoes_escaping(text in any::<String>()) {
            let mut escaped = String::new();
            push_escaped(&mut escaped, &text);
            prop_assert!(escaped.is_ascii());
            prop_assert_eq!(decode(&escaped, true), Some(text));
        }
    }
}
