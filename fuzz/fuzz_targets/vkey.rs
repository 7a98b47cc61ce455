//! A text that parses as a verifier key is written as the same bytes again.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(key) = text.parse::<tlog::VerifierKey>() {
        assert_eq!(key.to_string(), text);
    }
});
