//! Bytes of a request are a proposal or a refusal, and what is a proposal can be judged.
#![no_main]

use cairn::admission::{Policy, Proposal, admit};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    if let Ok(proposal) = Proposal::from_json(body) {
        let _ = admit(&proposal.into(), &Policy::default());
    }
});
