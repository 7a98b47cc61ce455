//! OpenPGP, helm and rpm with anything at all: nothing panics, and what is written is read again.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;

use super::pgp_maker::*;
use super::signer::{CONTENT, parse};
use crate::admission::base64::encode;
use crate::admission::pki::pgp::cleartext::Cleartext;
use crate::admission::pki::pgp::{Detached, PackageSignature, Ring, armor};
use crate::admission::{Policy, admit, public_key_index_keys};

/// Takes these bytes for everything that they could be.
fn judge(bytes: &[u8]) {
    if let Ok(ring) = Ring::read(bytes) {
        let key = ring.into_canonical();
        // What is written may be damaged only where Rekor's is: lengths within what is hashed.
        let _ = Ring::read(&key.value);
    }
    let ring = Ring::read(&Key::new().public()).unwrap();
    if let Ok(signature) = Detached::read(bytes) {
        let _ = signature.verify(CONTENT, &ring);
        signature.into_canonical();
    }
    if let Ok(signature) = PackageSignature::read(bytes) {
        let _ = signature.verify(&[CONTENT], &ring);
    }
    Cleartext::read(bytes);
    for (kind, spec) in [
        ("helm", json!({"chart": {"provenance": {"content": encode(bytes)}}})),
        ("rpm", json!({"package": {"content": encode(bytes)}})),
    ] {
        let mut spec = spec;
        spec["publicKey"] = json!({"content": encode(&Key::new().public())});
        let value = json!({"kind": kind, "apiVersion": "0.0.1", "spec": spec});
        let _ = admit(&parse(&value).into(), &Policy::default());
    }
}

fn rich_key(key: &Key) -> Vec<u8> {
    let user = key.user("Other <other@example.com>", &sig(0x10, MAY_SIGN).unhashed(&[2, 0x64, 9]));
    let subkeys = [key.subkey(&Key::p256(), MAY_SIGN), key.subkey(&Key::new(), MAY_ENCRYPT)];
    [key.public(), user, subkeys.concat()].concat()
}

/// Text that is nearly armour, or nearly a message.
fn nearly() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("-----BEGIN PGP SIGNED MESSAGE-----\n".to_owned()),
        Just("-----BEGIN PGP SIGNATURE-----\n".to_owned()),
        Just("-----BEGIN PGP PUBLIC KEY BLOCK-----\n".to_owned()),
        Just("-----END PGP SIGNATURE-----\n".to_owned()),
        Just("-----END PGP PUBLIC KEY BLOCK-----\n".to_owned()),
        Just("Hash: SHA256\n".to_owned()),
        Just("\n...\n".to_owned()),
        Just("files: {a: 'b:c'}\n".to_owned()),
        Just("=AAAA\n".to_owned()),
        "[A-Za-z+/=: \r\n-]{0,120}",
    ];
    vec(part, 0..12).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..300)) {
        judge(&bytes);
        // As packets of each kind that is looked into.
        for tag in [2, 6, 13, 14] {
            judge(&packet(tag, &bytes));
            judge(&[Key::new().public(), packet(tag, &bytes)].concat());
        }
        judge(&[&[0x8e, 0xad, 0xe8, 1, 0, 0, 0, 0][..], &bytes].concat());
    }

    #[test]
    fn any_text_is_read_or_refused(text in nearly()) {
        judge(text.as_bytes());
    }

    #[test]
    fn a_damaged_key_is_read_or_refused(
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        cut in any::<bool>(),
    ) {
        for key in [Key::new(), Key::p256()] {
            let whole = rich_key(&key);
            let mut damaged = whole.clone();
            let at = at.index(damaged.len());
            if cut {
                damaged.truncate(at);
            } else {
                damaged[at] = byte;
            }
            judge(&damaged);
            let signature = key.detached(CONTENT);
            let mut changed = signature.clone();
            changed[at % signature.len()] = byte;
            judge(&changed);
        }
    }

    #[test]
    fn written_armour_is_read_again(bytes in vec(any::<u8>(), 0..300)) {
        let text = armor::encode(armor::SIGNATURE, &bytes);
        let block = armor::decode(text.as_bytes()).unwrap();
        prop_assert!(block.is(armor::SIGNATURE));
        prop_assert_eq!(block.into_body().unwrap(), bytes.clone());
        let (kind, _, read) = {
            let mut reader = pgp::armor::Dearmor::new(text.as_bytes());
            let mut read = Vec::new();
            std::io::Read::read_to_end(&mut reader, &mut read).unwrap();
            (reader.typ, reader.checksum, read)
        };
        prop_assert_eq!(kind, Some(pgp::armor::BlockType::Signature));
        prop_assert_eq!(read, bytes, "rPGP checks the checksum");
    }
}

/// The key that comes out of damage is another one or none, unless only the length of a packet
/// lies, which is asked only when something is missing.
#[test]
fn the_value_of_a_key_is_its_own() {
    let key = rich_key(&Key::new());
    let value = public_key_index_keys("pgp", &key);
    let mut lengths = Vec::new();
    let mut at = 0;
    while at < key.len() {
        let (first, second) = (usize::from(key[at + 1]), usize::from(key[at + 2]));
        let (header, length) =
            if first < 192 { (2, first) } else { (3, ((first - 192) << 8) + second + 192) };
        lengths.extend(at + 1..at + header);
        at += header + length;
    }
    for at in (0..key.len()).filter(|at| !lengths.contains(at)) {
        let mut damaged = key.clone();
        damaged[at] ^= 1_u8 << (at % 8);
        assert_ne!(public_key_index_keys("pgp", &damaged), value, "{at}");
    }
}

#[test]
fn the_key_that_is_damaged_here_is_good() {
    let whole = rich_key(&Key::new());
    let value = Ring::read(&whole).unwrap().into_canonical().value;
    assert_eq!(value, armor::encode(armor::PUBLIC_KEY, &whole).as_bytes());
    assert_eq!(Ring::read(&value).unwrap().into_canonical().value, value);
}
