//! A body that parses as a request to a witness is written as the same bytes again.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(request) = tlog::AddCheckpoint::parse(text) {
        assert_eq!(request.to_string(), text);
    }
});
