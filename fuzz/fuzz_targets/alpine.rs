//! Any package is judged without a panic, whatever the key.
#![no_main]

use cairn_fuzz::{encode, judge, parts};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

fuzz_target!(|input: &[u8]| {
    let Some([key, package]) = parts(input) else { return };
    let package = json!({"content": encode(package)});
    judge("alpine", json!({"package": package, "publicKey": {"content": encode(key)}}));
});
