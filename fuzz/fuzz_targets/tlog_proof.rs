//! A text that parses as a tlog-proof is written as the same bytes again.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(proof) = tlog::TlogProof::parse(text) {
        assert_eq!(proof.to_string(), text);
    }
});
