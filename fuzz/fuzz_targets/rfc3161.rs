//! Any answer of a timestamp authority is judged without a panic.
#![no_main]

use cairn_fuzz::{encode, judge};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

fuzz_target!(|response: &[u8]| {
    judge("rfc3161", json!({"tsr": {"content": encode(response)}}));
});
