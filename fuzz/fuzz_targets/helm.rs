//! Any provenance file is judged without a panic, whatever the key.
#![no_main]

use cairn_fuzz::{encode, judge, parts};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

fuzz_target!(|input: &[u8]| {
    let Some([key, provenance]) = parts(input) else { return };
    let chart = json!({"provenance": {"content": encode(provenance)}});
    judge("helm", json!({"chart": chart, "publicKey": {"content": encode(key)}}));
});
