//! Tiles and entry bundles: what decodes encodes to the same bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(entries) = tlog::decode_bundle(bytes) {
        assert_eq!(tlog::encode_bundle(&entries).as_deref(), Ok(bytes));
    }
    if let Some(hashes) = tlog::decode_tile(bytes) {
        assert_eq!(tlog::encode_tile(&hashes), bytes);
    }
});
