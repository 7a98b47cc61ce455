//! jar 0.0.1: archives that mislead about what is in them.

use super::jar::*;
use super::signer::{parse, refusal, refusal_under};
use crate::admission::{Policy, admit};
use crate::limits::ARCHIVE_MEMBERS_MAX;

#[test]
fn archives_that_mislead_are_refused() {
    let small = Policy { jar_metadata_bytes_max: 2000, ..Policy::default() };
    let long = with(|all| all.push(("META-INF/license.txt".into(), vec![7; 2001])));
    let words = "uncompressed jar metadata of size 2001 exceeds max allowed size 2000";
    assert_eq!(refusal_under(&proposal(&long), &small), words);
    let unlimited = Policy { jar_metadata_bytes_max: 0, ..Policy::default() };
    admit(&parse(&proposal(&long)).into(), &unlimited).unwrap();
    let nested = with(|all| all.push(("META-INF/more/license.txt".into(), vec![7; 2001])));
    admit(&parse(&proposal(&nested)).into(), &small).unwrap();

    let twice = with(|all| all.extend([("x1".into(), vec![]), ("x2".into(), vec![])]));
    let twice = replace_all(&twice, b"x2", b"x1");
    assert_eq!(refusal(&proposal(&twice)), "the JAR has two members of one name");

    let many: Members = (0..=ARCHIVE_MEMBERS_MAX).map(|n| (n.to_string(), vec![])).collect();
    let words = format!("the JAR has more than {ARCHIVE_MEMBERS_MAX} members");
    assert_eq!(refusal(&proposal(&archive(&many))), words);
}

#[test]
fn members_are_as_long_as_the_directory_says() {
    let plain = archive(&good());
    // Sizes stand 24 bytes into an entry of the directory, the name 46.
    let entry = plain.windows(LONG.len()).rposition(|window| window == LONG.as_bytes()).unwrap();
    let size = entry - 46 + 24;
    assert_eq!(plain[size..size + 4], (CLASS.len() as u32).to_le_bytes());
    let told = |bytes: u32| {
        let mut lying = plain.clone();
        lying[size..size + 4].copy_from_slice(&bytes.to_le_bytes());
        refusal(&proposal(&lying))
    };
    let prefix = format!("file \"{LONG}\" in MANIFEST.MF: ");
    assert!(told(3).starts_with(&format!("{prefix}zip: ")), "{}", told(3));
    assert_eq!(told(5), format!("{prefix}unexpected EOF"));
    assert_eq!(told(257 << 20), "the members of the JAR have more than 268435456 bytes");

    let mut broken = plain.clone();
    let crc = entry - 46 + 16;
    broken[crc] ^= 1;
    assert!(refusal(&proposal(&broken)).starts_with(&format!("{prefix}zip: ")));
}

#[test]
fn members_that_share_bytes_are_refused() {
    let mut members = good();
    members.push((
        "twin/very/long/name/that/goes/on/in/the/next/line/of/it/Xain.class".into(),
        CLASS.into(),
    ));
    let mut zip = archive(&members);
    // The last entry of the directory gets the place of the one before the last but one.
    let place = |name: &str| {
        let at = zip.windows(name.len()).rposition(|window| window == name.as_bytes()).unwrap();
        at - 46 + 42
    };
    let (from, to) = (place(LONG), place(&members[5].0));
    let offset = zip[from..from + 4].to_vec();
    zip[to..to + 4].copy_from_slice(&offset);
    assert_eq!(refusal(&proposal(&zip)), "members of the JAR overlap");
}

fn replace_all(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    for at in 0..=bytes.len() - from.len() {
        if bytes[at..].starts_with(from) {
            out[at..at + to.len()].copy_from_slice(to);
        }
    }
    out
}
