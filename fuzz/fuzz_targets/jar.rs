//! Any archive is judged without a panic.
#![no_main]

use cairn_fuzz::{encode, judge};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

fuzz_target!(|archive: &[u8]| {
    judge("jar", json!({"archive": {"content": encode(archive)}}));
});
