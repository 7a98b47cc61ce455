//! Verifier keys against published ones, and hostile text.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use proptest::prelude::*;

use super::note::ed25519_spki;
use crate::vkey::MLDSA44_KEY_BYTES;
use crate::{KeyError, KeyId, SignatureType, Verifier, VerifierKey, VkeyError};

/// The test vector of c2sp.org/signed-note.
const FOO: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
/// The Pixel binary transparency log: transparency-dev/formats, note/note_verifier_test.go.
const PIXEL: &str = "pixel6_transparency_log+91c16e30+AjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABN+4x0Jk1\
    yTwvLFI9A4NDdGZcX0aiWVdWM5XJVy0M4VWD3AvyW5Q6Hs9A0mcDkpUoYgn+KKPNzFC0H3nN3q6JQ8=";
/// A witness that answers in public: Geomys's navigli.
const NAVIGLI: &str =
    "witness.navigli.sunlight.geomys.org+a3e00fe2+BNy/co4C1Hn1p+INwJrfUlgz7W55dSZReusH/GhUhJ/G";

/// The keys of `cosigned.note`: a log, an Ed25519 witness, an ML-DSA-44 witness.
pub(super) fn cosigned_keys() -> [VerifierKey; 3] {
    let keys = include_str!("cosigned.vkeys").lines().map(|line| line.parse().unwrap());
    keys.collect::<Vec<_>>().try_into().unwrap()
}

fn refused(text: &str) -> VkeyError {
    text.parse::<VerifierKey>().expect_err(text)
}

#[test]
fn published_keys_are_read_and_written() {
    use SignatureType::{CosignatureEd25519, CosignatureMldsa44, Ecdsa, Ed25519};
    let mldsa = include_str!("cosigned.vkeys").lines().nth(2).unwrap();
    for (text, name, id, kind, bytes) in [
        (FOO, "example.com/foo", "530d903a", Ed25519, 32),
        (PIXEL, "pixel6_transparency_log", "91c16e30", Ecdsa, 91),
        (NAVIGLI, "witness.navigli.sunlight.geomys.org", "a3e00fe2", CosignatureEd25519, 32),
        (mldsa, "witness.example/pq", "43ee71a6", CosignatureMldsa44, 1312),
        // A name that ends in base64's own `+` is behind the second one.
        (
            "TEST+7997405c+AQcC+FTVKf0jlTdHDY3rbevmnKxxPjigCXlVtGe6RIr6",
            "TEST",
            "7997405c",
            Ed25519,
            32,
        ),
    ] {
        let key: VerifierKey = text.parse().unwrap();
        assert_eq!((key.name(), key.key_id().to_string().as_str()), (name, id));
        assert_eq!((key.signature_type(), key.public_key().len()), (kind, bytes));
        assert_eq!(key.signature_type().is_cosignature(), matches!(kind.byte(), 4 | 6));
        assert_eq!(key.to_string(), text);
        assert_eq!(key, key.clone());
    }
}

#[test]
fn the_ids_of_rekor_v2_logs_are_the_published_ones() {
    for (name, key, log_id) in [
        // sigstore's published trusted root
        (
            "log2025-1.rekor.sigstore.dev",
            "MCowBQYDK2VwAyEAt8rlp1knGwjfbcXAYPYAkn0XiLz1x8O4t0YkEhie244=",
            "zxGZFVvd0FEmjR8WrFwMdcAJ9vtaY/QXf44Y1wUeP6A=",
        ),
        // the test instance of sigstore/rekor-tiles
        (
            "rekor-local",
            "MCowBQYDK2VwAyEAREvJyNZGjX6B3DAIuD3BTg9rIwV00GY8Xg5FU+IFDUQ=",
            "2AtEIMfG6Y41yK0tcwRTBS2tjhOrjKGIpDkHFgp65g0=",
        ),
    ] {
        let spki = BASE64_STANDARD.decode(key).unwrap();
        let key = VerifierKey::for_log(name, &spki).unwrap();
        assert_eq!(key.key_id().0, BASE64_STANDARD.decode(log_id).unwrap()[..4]);
        assert_eq!(key.signature_type(), SignatureType::Ed25519);
        assert_eq!(Verifier::from_spki(&spki).unwrap().key_id(name), key.key_id());
    }
    // As that test instance's witness knows it.
    let local = "rekor-local+d80b4420+AURLycjWRo1+gdwwCLg9wU4PayMFdNBmPF4ORVPiBQ1E";
    assert_eq!(local.parse::<VerifierKey>().unwrap().to_string(), local);
}

#[test]
fn keys_are_made_of_their_parts() {
    let made = |text: &str| -> VerifierKey {
        let key: VerifierKey = text.parse().unwrap();
        let (name, bytes) = (key.name(), key.public_key());
        match key.signature_type() {
            SignatureType::Ed25519 => VerifierKey::for_log(name, &ed25519_spki(bytes)),
            SignatureType::Ecdsa => VerifierKey::for_log(name, bytes),
            SignatureType::CosignatureEd25519 => {
                VerifierKey::cosigner_ed25519(name, bytes.try_into().unwrap())
            }
            SignatureType::CosignatureMldsa44 => {
                VerifierKey::cosigner_mldsa44(name, bytes.try_into().unwrap())
            }
        }
        .unwrap()
    };
    let keys = include_str!("cosigned.vkeys").lines();
    for text in keys.chain([FOO, PIXEL, NAVIGLI]) {
        assert_eq!(made(text).to_string(), text);
    }
    let [_, witness, pq] = cosigned_keys();
    assert_ne!(witness, pq);
    let pq_id = KeyId::cosignature_mldsa44(pq.name(), pq.public_key().try_into().unwrap());
    assert_eq!(pq_id.to_string(), "43ee71a6");
    for name in ["", "a b", "a+b", "a\n"] {
        let refused = VerifierKey::cosigner_ed25519(name, witness.public_key().try_into().unwrap());
        assert_eq!(refused, Err(VkeyError::Name(name.to_owned())));
    }
}

#[test]
fn hostile_keys_are_refused() {
    let (name_and_id, _) = FOO.rsplit_once('+').unwrap();
    let typed = |bytes: &[u8]| format!("{name_and_id}+{}", BASE64_STANDARD.encode(bytes));
    let malformed = [
        "",
        "example.com/foo",
        "example.com/foo+530d903a",
        "example.com/foo+530d903a+",
        &FOO.replace("530d903a", "530D903A"),
        &FOO.replace("530d903a", "0530d903a"),
        &FOO.replace("530d903a", "530d903"),
        &FOO.replace("530d903a", "530d90 a"),
        &format!("{FOO}\n"),
        &format!("{FOO}="),
        &PIXEL.replace("JQ8=", "JQ8"),
        &PIXEL.replace("JQ8=", "JQ9="), // bits after the end
    ];
    for text in malformed {
        assert_eq!(refused(text), VkeyError::Form, "{text:?}");
    }
    assert_eq!(refused(&FOO.replace("example.com/foo", "")), VkeyError::Name(String::new()));
    assert_eq!(refused(&FOO.replace("foo", "f o")), VkeyError::Name("example.com/f o".into()));
    let KeyId(id) = FOO.parse::<VerifierKey>().unwrap().key_id();
    let wrong = refused(&FOO.replace("530d903a", "530d903b"));
    let found = KeyId([0x53, 0x0d, 0x90, 0x3b]);
    assert_eq!(wrong, VkeyError::KeyId { found, expected: KeyId(id) });
    assert!(matches!(refused(&FOO.replace("/foo", "/fou")), VkeyError::KeyId { .. }));

    for other in [0, 3, 5, 7, 0xff] {
        assert_eq!(
            refused(&typed(&[&[other][..], &[9; 32]].concat())),
            VkeyError::SignatureType(other)
        );
    }
    for (kind, bytes) in [(1, 31), (1, 33), (1, 0), (4, 31), (6, 1311), (6, 1313), (6, 32)] {
        let text = typed(&[&[kind][..], &vec![9; bytes]].concat());
        assert_eq!(refused(&text), VkeyError::Length { signature_type: kind, bytes });
    }
    assert_eq!(refused(&typed(&[2, 0x30])), VkeyError::Key(KeyError::Unsupported));
    let identity = [&[1, 1][..], &[0; 31]].concat();
    assert_eq!(refused(&typed(&identity)), VkeyError::Key(KeyError::Point));
    // An Ed25519 key in SPKI DER has type 0x01, and no other form.
    let [log, ..] = cosigned_keys();
    let spki = [&[2][..], &ed25519_spki(log.public_key())].concat();
    assert_eq!(refused(&typed(&spki)), VkeyError::Key(KeyError::Unsupported));
}

proptest! {
    #[test]
    fn cosigner_keys_round_trip(name in "[^\\s+\u{0}-\u{1f}]{1,20}", seed: [u8; 32], fill: u8) {
        let key = ed25519_dalek::SigningKey::from_bytes(&seed).verifying_key().to_bytes();
        let mldsa = [fill; MLDSA44_KEY_BYTES]; // any bytes are a key
        for key in [
            VerifierKey::cosigner_ed25519(&name, &key).unwrap(),
            VerifierKey::for_log(&name, &ed25519_spki(&key)).unwrap(),
            VerifierKey::cosigner_mldsa44(&name, &mldsa).unwrap(),
        ] {
            prop_assert_eq!(key.to_string().parse(), Ok(key));
        }
    }

    #[test]
    fn any_text_is_a_key_or_an_error(place in 0..FOO.len(), byte: u8) {
        let mut bytes = FOO.as_bytes().to_vec();
        bytes[place] = byte;
        let text = String::from_utf8_lossy(&bytes);
        if let Ok(key) = text.parse::<VerifierKey>() {
            prop_assert_eq!(&text, FOO, "the id covers name and key");
            prop_assert_eq!(key.to_string(), FOO);
        }
    }
}
