//! Properties: every spelling of a request is that request, nothing panics, and what is read is
//! JSON. The oracle for JSON itself is serde_json.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::cursor::integer;
use super::*;

fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..40)
}

fn any_verifier() -> impl Strategy<Value = VerifierV2> {
    let key = prop_oneof![
        Just(None),
        any_bytes().prop_map(|der| Some(KeyV2::PublicKey(der))),
        any_bytes().prop_map(|der| Some(KeyV2::Certificate(der))),
    ];
    (key, prop_oneof![0..24, any::<i32>()])
        .prop_map(|(key, key_details)| VerifierV2 { key, key_details })
}

fn any_request() -> impl Strategy<Value = RequestV2> {
    let signature = (any_bytes(), proptest::option::of(any_verifier()))
        .prop_map(|(content, verifier)| SignatureV2 { content, verifier });
    let sigs =
        (any_bytes(), any::<String>()).prop_map(|(sig, keyid)| EnvelopeSignatureV2 { sig, keyid });
    let sigs = proptest::collection::vec(sigs, 0..4);
    let envelope =
        (any_bytes(), any::<String>(), sigs).prop_map(|(payload, payload_type, signatures)| {
            EnvelopeV2 { payload, payload_type, signatures }
        });
    prop_oneof![
        Just(RequestV2::None),
        (any_bytes(), proptest::option::of(signature))
            .prop_map(|(digest, signature)| RequestV2::HashedRekord { digest, signature }),
        (proptest::option::of(envelope), proptest::collection::vec(any_verifier(), 0..4))
            .prop_map(|(envelope, verifiers)| RequestV2::Dsse { envelope, verifiers }),
    ]
}

/// How one request may be written; every choice is legal.
#[derive(Clone, Copy, Debug)]
struct Spelling {
    base64: usize,
    proto_names: bool,
    nulls: bool,
    pretty: bool,
}

impl Spelling {
    fn bytes(self, bytes: &[u8]) -> Value {
        match self.base64 {
            0 => STANDARD.encode(bytes),
            1 => STANDARD_NO_PAD.encode(bytes),
            2 => URL_SAFE.encode(bytes),
            _ => URL_SAFE_NO_PAD.encode(bytes),
        }
        .into()
    }

    fn name(self, json: &'static str, proto: &'static str) -> &'static str {
        if self.proto_names { proto } else { json }
    }

    fn verifier(self, verifier: &VerifierV2) -> Value {
        let mut out = json!({});
        out[self.name("keyDetails", "key_details")] = verifier.key_details.into();
        let (name, bytes) = match &verifier.key {
            Some(KeyV2::PublicKey(der)) => (self.name("publicKey", "public_key"), der),
            Some(KeyV2::Certificate(der)) => {
                (self.name("x509Certificate", "x509_certificate"), der)
            }
            None => return out,
        };
        out[name] = json!({self.name("rawBytes", "raw_bytes"): self.bytes(bytes)});
        out
    }

    fn request(self, request: &RequestV2) -> String {
        let mut value = match request {
            RequestV2::None => json!({}),
            RequestV2::HashedRekord { digest, signature } => {
                let signature = signature.as_ref().map(|signature| {
                    let verifier = signature.verifier.as_ref().map(|v| self.verifier(v));
                    self.tidy(json!({"content": self.bytes(&signature.content),
                                     "verifier": verifier}))
                });
                let name = self.name("hashedRekordRequestV002", "hashed_rekord_request_v002");
                let request = json!({"digest": self.bytes(digest), "signature": signature});
                json!({name: self.tidy(request)})
            }
            RequestV2::Dsse { envelope, verifiers } => {
                let envelope = envelope.as_ref().map(|envelope| {
                    let sig = |s: &EnvelopeSignatureV2| {
                        json!({"sig": self.bytes(&s.sig), "keyid": s.keyid})
                    };
                    json!({"payload": self.bytes(&envelope.payload),
                           "payloadType": envelope.payload_type,
                           "signatures": envelope.signatures.iter().map(sig).collect::<Vec<_>>()})
                });
                let verifiers: Vec<_> = verifiers.iter().map(|v| self.verifier(v)).collect();
                let name = self.name("dsseRequestV002", "dsse_request_v002");
                json!({name: self.tidy(json!({"envelope": envelope, "verifiers": verifiers}))})
            }
        };
        value = self.tidy(value);
        let write = if self.pretty { serde_json::to_string_pretty } else { serde_json::to_string };
        write(&value).unwrap()
    }

    /// Without nulls, unless they are wanted.
    fn tidy(self, mut value: Value) -> Value {
        if let (Value::Object(members), false) = (&mut value, self.nulls) {
            members.retain(|_, member| !member.is_null());
        }
        value
    }
}

fn any_spelling() -> impl Strategy<Value = Spelling> {
    (0_usize..4, any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(base64, proto_names, nulls, pretty)| Spelling { base64, proto_names, nulls, pretty },
    )
}

proptest! {
    #[test]
    fn every_spelling_is_the_same_request(request in any_request(), spelling in any_spelling()) {
        let text = spelling.request(&request);
        prop_assert_eq!(read_request(text.as_bytes()), Ok(request.clone()), "{}", text);
        prop_assert_eq!(read_request(format!("\n {text}]}}").as_bytes()), Ok(request));
    }

    #[test]
    fn a_damaged_text_is_read_or_refused_as_json_is(
        request in any_request(),
        spelling in any_spelling(),
        at in any::<prop::sample::Index>(),
        bytes in proptest::collection::vec(any::<u8>(), 0..3),
        drop in 0_usize..3,
    ) {
        let mut text = spelling.request(&request).into_bytes();
        let at = at.index(text.len());
        text.splice(at..(at + drop).min(text.len()), bytes);
        if read_request(&text).is_ok() {
            let mut values = serde_json::Deserializer::from_slice(&text).into_iter::<Value>();
            prop_assert!(values.next().is_none_or(|value| value.is_ok()));
        }
    }

    #[test]
    fn any_json_is_read_or_refused(text in r#"[{}\[\]",:a-z0-9\\ -]{0,60}"#) {
        if let Ok(read) = read_request(text.as_bytes()) {
            prop_assert_eq!(read, RequestV2::None, "{}", text);
        }
    }

    #[test]
    fn a_number_is_whole_or_it_is_not(
        negative in any::<bool>(),
        whole in prop_oneof![Just(0_u32), any::<u32>()],
        fraction in "[0-9]{0,4}",
        exponent in -15_i32..15,
        capital in any::<bool>(),
    ) {
        let sign = if negative { "-" } else { "" };
        let point = if fraction.is_empty() { "" } else { "." };
        let e = if capital { "E" } else { "e+" }.trim_end_matches(|c| c == '+' && exponent < 0);
        let number = format!("{sign}{whole}{point}{fraction}{e}{exponent}");
        prop_assert!(serde_json::from_str::<f64>(&number).is_ok(), "{}", number);

        let digits: i128 = format!("{sign}{whole}{fraction}").parse().unwrap();
        let shift = exponent - i32::try_from(fraction.len()).unwrap();
        let power = 10_i128.pow(shift.unsigned_abs());
        let value = match shift {
            0.. => Some(digits * power),
            _ => (digits % power == 0).then(|| digits / power),
        };
        prop_assert_eq!(integer(&number), value.and_then(|v| i32::try_from(v).ok()), "{}", number);
    }
}
