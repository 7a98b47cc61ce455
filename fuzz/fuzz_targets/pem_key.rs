//! Any text is a key with a canonical form or none; the canonical form does not depend on layout.
#![no_main]

use cairn::admission::public_key_index_keys;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|key: &[u8]| {
    if let Ok(keys) = public_key_index_keys("x509", key) {
        let spaced = [b"\n\n ", key, b"\r\n\t"].concat();
        assert_eq!(public_key_index_keys("x509", &spaced), Ok(keys));
    }
});
