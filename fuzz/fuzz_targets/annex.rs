//! Annexes: what is parsed writes the same text, but for the form of its JSON.
#![no_main]

use cairn::annex::{Annex, annex_path, parse_annex_path};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(annex) = Annex::parse_text(text, "log.example") {
        let again = Annex::parse_text(&annex.text("log.example"), "log.example").unwrap();
        assert_eq!(again, annex);
    }
    if let Some((index, width)) = parse_annex_path(text) {
        assert_eq!(annex_path(index, width), text);
    }
});
