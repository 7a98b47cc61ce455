//! Any COSE message is judged without a panic, whatever the key.
#![no_main]

use cairn_fuzz::{encode, judge, parts};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

fuzz_target!(|input: &[u8]| {
    let Some([key, external, message]) = parts(input) else { return };
    let data = json!({"aad": encode(external)});
    judge("cose", json!({"data": data, "message": encode(message), "publicKey": encode(key)}));
});
