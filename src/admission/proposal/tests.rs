//! What is a proposal and what is not (the order of checks, duplicates, case, what follows).

use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> Result<Proposal, ParseError> {
    Proposal::from_json(text.as_bytes())
}

const GOOD: &str = r#"{"kind":"rekord","apiVersion":"0.0.1","spec":{"a":"b"}}"#;

#[test]
fn layout_unknown_members_and_what_follows_do_not_matter() {
    let good = parse(GOOD).unwrap();
    assert_eq!((good.kind(), good.api_version()), ("rekord", "0.0.1"));
    for text in [
        format!("  {GOOD} trailing {{"),
        format!("{GOOD}{GOOD}"),
        r#"{"KIND":"rekord","apiversion":"0.0.1","ſpec":{"a":"b"}}"#.into(),
        r#"{"kind":"x","kind":"rekord","apiVersion":"0.0.1","spec":1,"spec":{"a":"b"}}"#.into(),
        r#"{"kind":"rekord","kind":null,"apiVersion":"0.0.1","spec":{"a":"c","a":"b"}}"#.into(),
        r#"{"kind":"rekord","apiVersion":"0.0.1","spec":{"a":"b"},"x":{"kind":1}}"#.into(),
    ] {
        assert_eq!(parse(&text).as_ref(), Ok(&good), "{text}");
    }
}

#[test]
fn faults_are_told_in_order() {
    use ParseError::{Empty, Required, UnknownKind, WrongPattern};
    for (text, error) in [
        ("", Empty),
        (" \r\n\t", Empty),
        ("null", Required("kind")),
        ("{}", Required("kind")),
        (r#"{"kind":""}"#, Required("kind")),
        (r#"{"kind":null}"#, Required("kind")),
        (r#"{"kind":"foo"}"#, UnknownKind("foo".into())),
        (r#"{"kind":"Rekord"}"#, UnknownKind("Rekord".into())),
        (r#"{"kind":"rekord"}"#, Required("apiVersion")),
        (r#"{"kind":"rekord","apiVersion":"1"}"#, WrongPattern),
        (r#"{"kind":"rekord","apiVersion":"0.0.1"}"#, Required("spec")),
        (r#"{"kind":"rekord","apiVersion":"0.0.1","spec":{},"spec":null}"#, Required("spec")),
        (r#"{"kind":"rekord","apiVersion":"0.0.1","apiVersion":null}"#, Required("apiVersion")),
    ] {
        assert_eq!(parse(text), Err(error.clone()), "{text}");
        if let Ok(value) = serde_json::from_str(text) {
            assert_eq!(Proposal::from_value(value), Err(error), "{text}");
        }
    }
    assert_eq!(parse(r#"{"kind":"foo"}"#).unwrap_err().to_string(), "invalid kind value: \"foo\"");
    assert_eq!(parse("{}").unwrap_err().to_string(), "kind in body is required");
}

#[test]
fn malformed_json_is_told_apart() {
    for text in ["{", "[]", "5", r#""x""#, r#"{"kind":1}"#, r#"{"kind":"rekord","apiVersion":1}"#] {
        assert!(matches!(parse(text), Err(ParseError::Malformed(_))), "{text}");
    }
    assert_eq!(parse(r#"{"kind":"#), Err(ParseError::Malformed("unexpected EOF".into())));
    assert!(matches!(
        Proposal::from_value(serde_json::json!({"kind": 1})),
        Err(ParseError::Malformed(_))
    ));
}

#[test]
fn the_base_kind_parses() {
    assert_eq!(parse(r#"{"kind":"ProposedEntry"}"#).unwrap().kind(), "ProposedEntry");
}

#[test]
fn versions_follow_the_pattern() {
    for good in ["0.0.1", "10.20.30", "1.0.0-rc.1", "1.0.0-0a", "1.0.0-a-b+c.01", "1.0.0+-"] {
        assert!(is_semantic_version(good), "{good}");
    }
    for bad in
        ["", "1", "1.0", "01.0.0", "1.0.0-", "1.0.0-01", "1.0.0+", "1.0.0.0", "v1.0.0", "1.0.0+é"]
    {
        assert!(!is_semantic_version(bad), "{bad}");
    }
}

#[test]
fn depth_is_bounded() {
    let deep = |n: usize| "[".repeat(n) + &"]".repeat(n);
    let spec =
        |n| format!(r#"{{"kind":"rekord","apiVersion":"0.0.1","spec":{{"a":{}}}}}"#, deep(n));
    assert!(parse(&spec(50)).is_ok());
    assert!(matches!(parse(&spec(1_000_000)), Err(ParseError::Malformed(_))));
    let ignored = format!(r#"{{"x":{},{}"#, deep(1_000_000), &GOOD[1..]);
    assert!(parse(&ignored).is_ok() || matches!(parse(&ignored), Err(ParseError::Malformed(_))));
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Proposal::from_json(&bytes);
    }
}
