//! A text that parses as a signed note is written as the same bytes again.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(note) = tlog::Note::parse(text) {
        assert_eq!(note.to_string(), text);
    }
});
