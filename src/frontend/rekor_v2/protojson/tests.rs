//! What is read and what is refused, as data.

use super::cursor::{SHOWN_BYTES_MAX, integer};
use super::*;

fn read(text: impl AsRef<[u8]>) -> RequestV2 {
    let text = text.as_ref();
    read_request(text).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(text)))
}

fn refused(text: impl AsRef<[u8]>) -> String {
    match read_request(text.as_ref()) {
        Err(error) => error.to_string(),
        Ok(read) => panic!("{} is {read:?}", String::from_utf8_lossy(text.as_ref())),
    }
}

fn verifier(key: KeyV2, key_details: i32) -> VerifierV2 {
    VerifierV2 { key: Some(key), key_details }
}

fn hashedrekord(digest: &[u8], content: &[u8], verifier: VerifierV2) -> RequestV2 {
    let signature = SignatureV2 { content: content.into(), verifier: Some(verifier) };
    RequestV2::HashedRekord { digest: digest.into(), signature: Some(signature) }
}

#[test]
fn a_request_with_the_names_of_json_or_of_proto() {
    let expected = hashedrekord(b"hi!", b"sig", verifier(KeyV2::PublicKey(b"key".into()), 5));
    for text in [
        r#"{"hashedRekordRequestV002":{"digest":"aGkh","signature":{"content":"c2ln",
            "verifier":{"publicKey":{"rawBytes":"a2V5"},"keyDetails":"PKIX_ECDSA_P256_SHA_256"}}}}"#,
        r#"{"hashed_rekord_request_v002":{"signature":{"verifier":{"key_details":5,
            "public_key":{"raw_bytes":"a2V5"}},"content":"c2ln"},"digest":"aGkh"}}"#,
        r#"  {"hashedRekordRequestV002":{"\u0064igest":"a\u0047kh","signature":{"content":"c2ln",
            "verifier":{"x509Certificate":null,"public_key":{"rawBytes":"a2V5"},"keyDetails":5.0e0}}},
            "dsse_request_v002":null} what follows is not read"#,
    ] {
        assert_eq!(read(text), expected, "{text}");
    }
    let certificate = r#"{"hashedRekordRequestV002":{"digest":"aGkh","signature":{"content":"c2ln",
        "verifier":{"x509_certificate":{"rawBytes":"a2V5"},"keyDetails":-7}}}}"#;
    let by_certificate = verifier(KeyV2::Certificate(b"key".into()), -7);
    assert_eq!(read(certificate), hashedrekord(b"hi!", b"sig", by_certificate));
}

#[test]
fn a_dsse_request() {
    let text = r#"{"dsseRequestV002":{"envelope":{"payload":"aGkh","payloadType":"ty\npe",
        "signatures":[{"sig":"c2ln","keyid":"é"},{}]},
        "verifiers":[{"publicKey":{"rawBytes":"a2V5"},"keyDetails":"PKIX_ED25519"},{}]}}"#;
    let signature = EnvelopeSignatureV2 { sig: b"sig".into(), keyid: "é".into() };
    let expected = RequestV2::Dsse {
        envelope: Some(EnvelopeV2 {
            payload: b"hi!".into(),
            payload_type: "ty\npe".into(),
            signatures: vec![signature, EnvelopeSignatureV2::default()],
        }),
        verifiers: vec![verifier(KeyV2::PublicKey(b"key".into()), 7), VerifierV2::default()],
    };
    assert_eq!(read(text), expected);
    // Longer lists than any entry may have are not kept in full.
    let many = format!(r#"{{"dsseRequestV002":{{"verifiers":[{}{{}}]}}}}"#, "{},".repeat(999));
    let RequestV2::Dsse { verifiers, .. } = read(many) else { panic!() };
    assert_eq!(verifiers.len(), DSSE_LIST_MAX + 1);
}

#[test]
fn what_is_not_there_is_empty() {
    for text in ["", " \n\t\r ", "{}", "{} x", r#"{"dsseRequestV002":null}"#] {
        assert_eq!(read(text), RequestV2::None, "{text:?}");
    }
    let empty = RequestV2::HashedRekord { digest: Vec::new(), signature: None };
    for inside in ["{}", r#"{"digest":null}"#, r#"{"digest":"","signature":null}"#] {
        let text = format!(r#"{{"hashedRekordRequestV002":{inside}}}"#);
        assert_eq!(read(&text), empty, "{text}");
    }
    let text = r#"{"hashedRekordRequestV002":{"signature":{"verifier":{"publicKey":{}}}}}"#;
    let empty_key = verifier(KeyV2::PublicKey(Vec::new()), 0);
    assert_eq!(read(text), hashedrekord(b"", b"", empty_key));
    assert_eq!(read(r#"{"dsseRequestV002":{}}"#).kind(), "dsse");
}

#[test]
fn what_is_refused_and_where() {
    let unknown = |at, name| format!("proto: (line {at}): unknown field \"{name}\"");
    for (text, error) in [
        (r#"{"foo":1}"#, unknown("1:2", "foo")),
        ("\n\n {\n \"foo\":1}", unknown("2:2", "foo")),
        (r#"{"dsseRequestV002":{"é":1}}"#, unknown("1:21", "é")),
        (r#"{"dsseRequestV002":{"envelope":{"payloadType":"é", "x":{}}}}"#, unknown("1:52", "x")),
        (r#"{"hashedrekordrequestv002":{}}"#, unknown("1:2", "hashedrekordrequestv002")),
        (
            r#"{"dsseRequestV002":{"envelope":{"payload_type":""}}}"#,
            unknown("1:33", "payload_type"),
        ),
        (r#"{"[a.b]":null}"#, unknown("1:2", "[a.b]")),
        (
            r#"{"dsseRequestV002":null,"dsse_request_v002":{}}"#,
            r#"proto: (line 1:25): duplicate field "dsse_request_v002""#.into(),
        ),
        (
            r#"{"dsseRequestV002":{},"hashedRekordRequestV002":{}}"#,
            "proto: (line 1:23): error parsing \"hashedRekordRequestV002\", \
             oneof dev.sigstore.rekor.v2.CreateEntryRequest.spec is already set"
                .into(),
        ),
        (
            r#"{"dsseRequestV002":{"verifiers":[{"publicKey":{},"x509Certificate":{}}]}}"#,
            "proto: (line 1:50): error parsing \"x509Certificate\", \
             oneof dev.sigstore.rekor.v2.Verifier.verifier is already set"
                .into(),
        ),
        ("[]", "proto: syntax error (line 1:1): unexpected token [".into()),
        ("null", "proto: syntax error (line 1:1): unexpected token null".into()),
        (
            r#"{"dsseRequestV002":{"verifiers":[null]}}"#,
            "proto: syntax error (line 1:34): unexpected token null".into(),
        ),
        (
            r#"{"dsseRequestV002":{"verifiers":{}}}"#,
            "proto: syntax error (line 1:33): unexpected token {".into(),
        ),
        (
            r#"{"dsseRequestV002":"x"}"#,
            "proto: syntax error (line 1:20): unexpected token \"x\"".into(),
        ),
        ("{\"dsseRequestV002\":", "unexpected EOF".into()),
    ] {
        assert_eq!(refused(text), error, "{text}");
    }
    for syntax in ["{]", "{\"a\" 1}", "nul", "{\"a\":01}", "{'a':1}", "\u{feff}{}", "{,}", "x"] {
        refused(syntax);
    }
    let long = format!(r#"{{"{}":1}}"#, "é".repeat(1 << 20));
    assert!(refused(long).len() < 2 * SHOWN_BYTES_MAX);
}

#[test]
fn values_that_do_not_fit() {
    let digest = r#"{"hashedRekordRequestV002":{"digest":@}}"#;
    let details = r#"{"dsseRequestV002":{"verifiers":[{"keyDetails":@}]}}"#;
    let kind = r#"{"dsseRequestV002":{"envelope":{"payloadType":@}}}"#;
    for (text, field, values) in [
        (digest, "bytes field digest", [r#""a""#, r#""aG==k""#, r#""+-""#, r#""=""#, "1"]),
        (digest, "bytes field digest", [r#""aGk=\n""#, r#""aGk\n""#, r#""é""#, "true", "{"]),
        (details, "enum field keyDetails", ["5.1", r#""5""#, "2147483648", "0.5", r#""x""#]),
        (details, "enum field keyDetails", ["1e10", "1e99999999999", "5e-1", "[", "false"]),
        (kind, "string field payloadType", ["0", "-1.5", "true", "[", "{"]),
    ] {
        for value in values {
            let whole = match value {
                "[" => "[1]",
                "{" => "{}",
                other => other,
            };
            let at = text.find('@').unwrap() + 1;
            let error = format!("proto: (line 1:{at}): invalid value for {field}: {value}");
            assert_eq!(refused(text.replace('@', whole)), error);
        }
    }
    for (text, bytes) in [("aGk=", "hi"), ("aGk", "hi"), ("aGl", "hi"), (r"aG\nk=\r\n\n", "hi")] {
        let expected = RequestV2::HashedRekord { digest: bytes.into(), signature: None };
        assert_eq!(read(digest.replace('@', &format!("\"{text}\""))), expected, "{text}");
    }
}

#[test]
fn strings_are_valid_unicode() {
    let text = |inside: &[u8]| {
        [br#"{"dsseRequestV002":{"envelope":{"payloadType":""#, inside, br#""}}}"#].concat()
    };
    let place = "proto: syntax error (line 1:47): ";
    for bad in [&b"\xff"[..], b"\xc3\x28", b"\xed\xa0\x80", b"\\n\xff"] {
        assert_eq!(refused(text(bad)), format!("{place}invalid UTF-8 in string"));
    }
    for bad in [&br"\ud800"[..], br"\udc00", br"\ud800\u0041", br"\ud800x"] {
        assert_eq!(refused(text(bad)), format!("{place}invalid escape code in string"));
    }
    let RequestV2::Dsse { envelope: Some(envelope), .. } = read(text(br"\ud83d\ude00\u0000"))
    else {
        panic!()
    };
    assert_eq!(envelope.payload_type, "😀\0");
    // Control characters and unknown escapes are no JSON at all.
    for bad in [&b"\n"[..], b"\x00", br"\x"] {
        refused(text(bad));
    }
    assert!(refused(b"{\"\xff\":1}").ends_with("invalid UTF-8 in string"));
    assert_eq!(read(b"{} \xff"), RequestV2::None, "what follows is not looked at");
}

#[test]
fn depth_and_size_cost_no_more_than_their_length() {
    for (open, close) in [("{\"dsseRequestV002\":", "}"), ("[", "]"), ("{\"a\":", "}")] {
        let deep = format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
        refused(deep);
        refused(open.repeat(100_000));
    }
    let wide = format!(r#"{{"dsseRequestV002":{{"verifiers":[{}1]}}}}"#, "{},".repeat(1 << 20));
    assert!(refused(wide).contains("unexpected token 1"));
}

#[test]
fn whole_numbers_however_they_are_written() {
    for (text, number) in [
        ("0", 0),
        ("-0", 0),
        ("0.000", 0),
        ("0e5", 0),
        ("0e99999999999999", 0),
        ("5", 5),
        ("-5", -5),
        ("5.0", 5),
        ("5e0", 5),
        ("50e-1", 5),
        ("0.5e1", 5),
        ("0.05E+2", 5),
        ("12.5e1", 125),
        ("2147483647", i32::MAX),
        ("-2147483648", i32::MIN),
        ("2147483648e0", 0),
        ("5.5", 0),
        ("5e-1", 0),
        ("55e-1", 0),
        ("1e10", 0),
        ("1e1000000000", 0),
        ("true", 0),
        ("", 0),
    ] {
        let is_zero = text.starts_with(['0', '-']) && number == 0;
        let expected = (number != 0 || is_zero).then_some(number);
        assert_eq!(integer(text), expected, "{text}");
    }
}
