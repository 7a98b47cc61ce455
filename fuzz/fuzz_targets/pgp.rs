//! Any OpenPGP signature and key are judged without a panic. A key that an entry is made with is
//! one that can be searched for.
#![no_main]

use cairn::admission::public_key_index_keys;
use cairn_fuzz::{encode, judge, parts};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

fuzz_target!(|input: &[u8]| {
    let Some([signature, key, content]) = parts(input) else { return };
    let keys = public_key_index_keys("pgp", key);
    let spec = json!({
        "data": {"content": encode(content)},
        "signature": {"format": "pgp", "content": encode(signature),
                      "publicKey": {"content": encode(key)}},
    });
    if let Some(entry) = judge("rekord", spec) {
        assert!(keys.is_ok_and(|keys| entry.index_keys().contains(&keys[0])));
    }
});
