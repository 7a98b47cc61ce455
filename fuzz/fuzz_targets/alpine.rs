//! Any Alpine package is judged without a panic: arbitrary bytes, and archives of arbitrary bytes
//! in gzip members that hold. Nobody signs what is fuzzed, so none is admitted.
#![no_main]

mod base64;

use base64::encode;
use cairn::admission::{Policy, Proposal, leaf_hash_of};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

const KEY: &str = "-----BEGIN PUBLIC KEY-----\n\
    MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n\
    -----END PUBLIC KEY-----\n";

/// A gzip member of one stored block.
fn gzip(content: &[u8]) -> Vec<u8> {
    let content = &content[..content.len().min(0xffff)];
    let length = content.len() as u16;
    let checksum = !content.iter().fold(!0_u32, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| sum >> 1 ^ (sum & 1) * 0xedb8_8320)
    });
    [
        &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff, 1][..],
        &length.to_le_bytes(),
        &(!length).to_le_bytes(),
        content,
        &checksum.to_le_bytes(),
        &u32::from(length).to_le_bytes(),
    ]
    .concat()
}

/// A tar archive of one member, whose header holds.
fn tar(name: &str, content: &[u8]) -> Vec<u8> {
    let mut header = [0; 512];
    let size = format!("{:011o}", content.len());
    for (at, field) in [(0, name), (124, &size[..]), (148, "        ")] {
        header[at..at + field.len()].copy_from_slice(field.as_bytes());
    }
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..154].copy_from_slice(format!("{sum:06o}").as_bytes());
    let padding = vec![0; content.len().next_multiple_of(512) - content.len()];
    [&header, content, &padding].concat()
}

fuzz_target!(|input: (u8, &[u8], &[u8])| {
    let package = match input.0 % 4 {
        0 => input.1.to_vec(),
        1 => [gzip(input.1), gzip(input.2)].concat(),
        2 => [gzip(&tar(".SIGN", input.1)), gzip(input.2)].concat(),
        _ => [gzip(&tar(".SIGN", input.1)), gzip(&tar(".PKGINFO", input.2))].concat(),
    };
    let spec = json!({"package": {"content": encode(&package)},
        "publicKey": {"content": encode(KEY.as_bytes())}});
    let value = json!({"kind": "alpine", "apiVersion": "0.0.1", "spec": spec});
    let Ok(proposal) = Proposal::from_value(value) else { return };
    assert!(leaf_hash_of(&proposal, &Policy::default()).is_err());
});
