//! A text that parses as a checkpoint is written as the same bytes again.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(checkpoint) = tlog::Checkpoint::parse_text(text) {
        assert_eq!(checkpoint.text(), text);
    }
});
