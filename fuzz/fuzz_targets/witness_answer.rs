//! What parses as an answer of a witness is written as the same bytes again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tlog::witness::{format_cosignatures, format_tree_size, parse_cosignatures, parse_tree_size};

fuzz_target!(|text: &str| {
    if let Ok(lines) = parse_cosignatures(text) {
        assert_eq!(format_cosignatures(&lines), text);
    }
    if let Some(size) = parse_tree_size(text) {
        assert_eq!(format_tree_size(size), text);
    }
});
