//! Every case that must verify does, and every one that must not fails at the step that it is
//! about.

use std::fs;
use std::path::Path;

use cairn::verify::{Outcome, Step};

use crate::cases;

/// Where each case that must not verify fails; in two the trusted root itself is refused, or nobody
/// answers for the only timestamp.
const FAILS_AT: &[(&str, Step)] = &[
    ("bundle-empty-certificate-chain_fail", Step::Format),
    ("bundle-from-wrong-instance_fail", Step::Log),
    ("bundle-malformed-json_fail", Step::Format),
    ("bundle-negative-log-index_fail", Step::Format),
    ("bundle-with-root-cert_fail", Step::Format),
    ("checkpoint-wrong-roothash_fail", Step::Inclusion),
    ("dsse-invalid-sig_fail", Step::Signature),
    ("dsse-mismatch-sig_fail", Step::Entry),
    ("inclusion-proof-corrupted-hash_fail", Step::Inclusion),
    ("incorrect-public-key_fail", Step::Entry),
    ("intoto-expired-certificate_fail", Step::Certificate),
    ("intoto-log-entry-mismatch_fail", Step::Entry),
    ("intoto-set-outside-signing-cert-validity_fail", Step::Certificate),
    ("intoto-tsa-timestamp-outside-cert-validity_fail", Step::Certificate),
    ("invalid-checkpoint-signature_fail", Step::Checkpoint),
    ("invalid-ct-key_fail", Step::Sct),
    ("managed-key-wrong-key_fail", Step::Signature),
    ("message-digest-mismatch_fail", Step::Artifact),
    ("rekor2-checkpoint-missing-log-signature_fail", Step::Checkpoint),
    ("rekor2-checkpoint-missing-origin_fail", Step::Checkpoint),
    ("rekor2-checkpoint-missing-size_fail", Step::Checkpoint),
    ("rekor2-dsse-invalid-sig_fail", Step::Signature),
    ("rekor2-dsse-mismatch-sig_fail", Step::Entry),
    ("rekor2-no-timestamp_fail", Step::Time),
    ("rekor2-timestamp-outside-trust-root-tsa-validity_fail", Step::Timestamp),
    ("rekor2-timestamp-payload-mismatch_fail", Step::Timestamp),
    ("rekor2-timestamp-untrusted-tsa-with-embedded-cert_fail", Step::Time),
    ("set-invalid-signature_fail", Step::Promise),
    ("wrong-hashedrekord-artifact_fail", Step::Entry),
    ("wrong-hashedrekord-cert-and-sig_fail", Step::Entry),
    ("wrong-material_fail", Step::Signature),
];

const ROOT_REFUSED: &str = "trust-root-tlog-missing-validity-start_fail";

#[test]
fn every_case_ends_as_it_has_to() {
    let mut rows = Vec::new();
    for case in cases::all() {
        let name = &case.name;
        let report = case.verify();
        let lines = report.lines();
        assert_eq!(report.is_verified(), case.must_verify(), "{name}: {lines:#?}");
        let failed = lines.iter().filter(|line| line.outcome == Outcome::Failed);
        let mut failed: Vec<&str> = failed.map(|line| line.step.name()).collect();
        failed.dedup();
        let failed = if failed.is_empty() { "the trusted root".into() } else { failed.join(", ") };
        if case.must_verify() {
            rows.push(format!("| {name} | verify | verified | |"));
            continue;
        }
        rows.push(format!("| {name} | be refused | refused | {failed} |"));
        match FAILS_AT.iter().find(|(known, _)| known == name) {
            Some((_, step)) => {
                assert!(report.has(*step, Outcome::Failed), "{name}, not at {step:?}: {lines:#?}");
            }
            None => {
                assert_eq!(name, ROOT_REFUSED, "a case that is new here");
                let error = case.root().err().unwrap().to_string();
                assert!(error.contains("validFor has no start"), "{error}");
            }
        }
    }
    if !rows.is_empty() {
        check_table(&rows);
    }
}

/// The table in the documentation is what was seen.
fn check_table(rows: &[String]) {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/compatibility.md");
    let page = fs::read_to_string(page).unwrap();
    let table = page.split("<!-- checked by tests/verify: begin -->\n").nth(1);
    let table = table.and_then(|rest| rest.split("<!-- end -->").next()).unwrap_or_default();
    let expected = rows.join("\n") + "\n";
    assert!(table.ends_with(&expected), "docs/compatibility.md should have:\n{expected}");
}
