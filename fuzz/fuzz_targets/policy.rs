//! A policy parses, or the line that is wrong is one of it; its quorum holds when all cosigned.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| match tlog::Policy::parse(text) {
    Ok(policy) => {
        assert!(policy.satisfied_by(&|_| true));
        assert_eq!(policy.satisfied_by(&|_| false), policy.needs_no_witness());
    }
    Err(error) => assert!((1..=text.split('\n').count()).contains(&error.line)),
});
