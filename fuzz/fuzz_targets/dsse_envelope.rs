//! Any text in the place of a DSSE envelope is judged without a panic, and never admitted: nobody
//! has the private key.
#![no_main]

use cairn::admission::{Policy, Proposal, admit};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

/// A PEM public key in base64; P-256, its private key thrown away.
const KEY: &str = "\
    LS0tLS1CRUdJTiBQVUJMSUMgS0VZLS0tLS0KTUZrd0V3WUhLb1pJemowQ0FRWUlLb1pJemowREFRY0RRZ0FFZHg5\
    N245TnZUdXhFMEw0QTRkN2xQWm9PNDA4cQpURExOR1o0UDBWNG13cTlGLzQ2cEhkeEhTenB2em01MjZVWVVmK0Jq\
    aUx2Z29wdTYxc1VBRE9zZmFnPT0KLS0tLS1FTkQgUFVCTElDIEtFWS0tLS0tCg==";

fuzz_target!(|envelope: &str| {
    judge(json!({"kind": "dsse", "apiVersion": "0.0.1",
        "spec": {"proposedContent": {"envelope": envelope, "verifiers": [KEY]}}}));
    judge(json!({"kind": "intoto", "apiVersion": "0.0.1",
        "spec": {"content": {"envelope": envelope}, "publicKey": KEY}}));
});

fn judge(value: Value) {
    if let Ok(proposal) = Proposal::from_value(value) {
        assert!(admit(&proposal.into(), &Policy::default()).is_err());
    }
}
