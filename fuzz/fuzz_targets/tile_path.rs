//! Every resource has one path: what parses is written as the same path again.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|path: &str| {
    if let Some(parsed) = tlog::TilePath::parse(path) {
        assert_eq!(parsed.to_string(), path);
    }
});
