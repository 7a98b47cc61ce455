//! Answers: JSON in Rekor's two styles, and text. Which status goes with which error is in
//! `status`.

use std::fmt::Write as _;

use bytes::Bytes;

use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};

use super::reply_body::ReplyBody;
use super::server::Reply;

/// How JSON is written; both are compact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// Of an operation: nothing is escaped for HTML; a newline ends it.
    Operation,
    /// Of the router and of validators: `<`, `>` and `&` are escaped; no newline.
    Router,
}

/// An answer without a body.
pub(crate) fn empty(status: StatusCode) -> Reply {
    let mut reply = Response::new(ReplyBody::whole(Bytes::new()));
    *reply.status_mut() = status;
    reply
}

/// An answer with a JSON text.
pub(crate) fn json(status: StatusCode, text: String) -> Reply {
    typed(status, "application/json", text)
}

/// An answer with a text of any type.
pub(crate) fn typed(
    status: StatusCode,
    content_type: &'static str,
    text: impl Into<Bytes>,
) -> Reply {
    let mut reply = Response::new(ReplyBody::whole(text));
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    reply
}

/// `{"code","message"}`, the latter only when there is something to say.
pub(crate) fn error(code: u16, message: &str, style: Style) -> String {
    let mut out = format!(r#"{{"code":{code}"#);
    if !message.is_empty() {
        out.push_str(r#","message":"#);
        push_string(&mut out, message, style);
    }
    out.push('}');
    if style == Style::Operation {
        out.push('\n');
    }
    out
}

/// Appends a JSON string, escaped as Go does it.
pub(crate) fn push_string(out: &mut String, text: &str, style: Style) {
    out.push('"');
    let mut rest = text;
    while let Some(at) = rest.find(|c| escape(c, style)) {
        out.push_str(&rest[..at]);
        let mut after = rest[at..].chars();
        match after.next() {
            Some('"') => out.push_str("\\\""),
            Some('\\') => out.push_str("\\\\"),
            Some('\n') => out.push_str("\\n"),
            Some('\r') => out.push_str("\\r"),
            Some('\t') => out.push_str("\\t"),
            Some('\u{8}') => out.push_str("\\b"),
            Some('\u{c}') => out.push_str("\\f"),
            // Writing to a `String` cannot fail.
            Some(other) => _ = write!(out, "\\u{:04x}", u32::from(other)),
            None => {}
        }
        rest = after.as_str();
    }
    out.push_str(rest);
    out.push('"');
}

fn escape(c: char, style: Style) -> bool {
    match c {
        '"' | '\\' | '\0'..='\u{1f}' | '\u{2028}' | '\u{2029}' => true,
        '<' | '>' | '&' => style == Style::Router,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_two_styles() {
        let text = "a<b>&\"\\\n\u{1}\u{2028}—";
        assert_eq!(
            error(400, text, Style::Operation),
            "{\"code\":400,\"message\":\"a<b>&\\\"\\\\\\n\\u0001\\u2028—\"}\n"
        );
        assert_eq!(
            error(404, "<>&", Style::Router),
            r#"{"code":404,"message":"\u003c\u003e\u0026"}"#
        );
        assert_eq!(error(404, "", Style::Router), r#"{"code":404}"#);
    }

    proptest! {
        #[test]
        fn every_string_is_read_back(text in any::<String>(), html in any::<bool>()) {
            let mut out = String::new();
            push_string(&mut out, &text, if html { Style::Router } else { Style::Operation });
            prop_assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text);
        }
    }
}
