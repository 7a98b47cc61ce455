//! Any text is read as a trusted root, or refused, without a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let _read_or_refused = cairn::verify::TrustRoot::parse(text);
});
