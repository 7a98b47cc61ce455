//! The format pgp: what is taken of a key and how it is written, which signatures hold.

use pgp::composed::{Deserializable as _, SignedPublicKey};
use serde_json::Value;

use super::pgp_maker::*;
use super::signer::{CONTENT, admitted, refusal, stored};
use crate::admission::base64::decode;
use crate::admission::index_keys::sha256_hex;
use crate::admission::pki::pgp::armor;
use crate::admission::public_key_index_keys;

pub(super) const USER: &str = "Some One <some@example.com>";

fn logged(body: &Value, place: &str) -> Vec<u8> {
    decode(body["spec"]["signature"].pointer(place).unwrap().as_str().unwrap()).unwrap()
}

/// The packets of the logged key.
pub(super) fn logged_key(signature: &[u8], key: &[u8]) -> Vec<u8> {
    let body = stored(&admitted(&rekord(CONTENT, signature, key)));
    let text = logged(&body, "/publicKey/content");
    assert!(text.ends_with(b"\n-----END PGP PUBLIC KEY BLOCK-----"));
    armor::decode(&text).unwrap().into_body().unwrap()
}

pub(super) fn refused(signature: &[u8], key: &[u8]) -> String {
    refusal(&rekord(CONTENT, signature, key))
}

#[test]
fn keys_and_signatures_may_be_armoured_or_not() {
    for key in [Key::new(), Key::native(4), Key::native(6), Key::p256(), Key::rsa()] {
        let (public, signature) = (key.public(), key.detached(CONTENT));
        let entry = admitted(&rekord(CONTENT, &signature, &public));
        let body = stored(&entry);
        let text = armor::encode(armor::PUBLIC_KEY, &public);
        assert_eq!(logged(&body, "/publicKey/content"), text.as_bytes());
        let written = armor::encode(armor::SIGNATURE, &signature);
        assert_eq!(logged(&body, "/content"), written.as_bytes());
        let keys = entry.index_keys();
        assert_eq!(keys[0], sha256_hex(text.as_bytes()));
        let has_user = keys.contains(&"some@example.com".to_owned());
        assert_eq!(has_user, key.body()[0] == 4, "version 6 needs no user ID");
        assert_eq!(public_key_index_keys("pgp", &public).unwrap()[0], keys[0]);

        // An armoured signature stays as it is, and is another entry; the key is the same.
        let given = format!("text\n{}more", armored("PGP SIGNATURE", &signature));
        let armored_key = armored("PGP PUBLIC KEY BLOCK", &public).replace('\n', "\r\n");
        let again = admitted(&rekord(CONTENT, given.as_bytes(), armored_key.as_bytes()));
        assert_eq!(logged(&stored(&again), "/content"), given.as_bytes());
        assert_eq!(again.index_keys()[0], keys[0]);
        assert_ne!(again.leaf_hash(), entry.leaf_hash());
    }
}

/// rPGP, another implementation, takes what is written, and all of its signatures hold.
#[test]
fn written_keys_are_keys_to_others() {
    for primary in [Key::new(), Key::native(6), Key::p256(), Key::rsa()] {
        let sub = Key::p256();
        let mut public = primary.public();
        if primary.body()[0] == 4 {
            public.extend(primary.subkey(&sub, MAY_SIGN));
        }
        let entry = admitted(&rekord(CONTENT, &primary.detached(CONTENT), &public));
        let text = logged(&stored(&entry), "/publicKey/content");
        let text = String::from_utf8(text).unwrap();
        let (key, _) = SignedPublicKey::from_string(&text).unwrap();
        key.verify_bindings().unwrap();
    }
}

#[test]
fn what_is_not_the_keys_own_is_dropped_and_headers_are_new() {
    let (key, sub, other) = (Key::new(), Key::p256(), Key::new());
    let user = key.user(USER, &sig(0x13, MAY_SIGN));
    let third_party = other.sign(&sig(0x10, &[]), &[&key.user_parts(USER)]);
    let second = key.user("<second@example.com>", &sig(0x10, &[]));
    let old_binding =
        key.sign(&sig(0x18, MAY_ENCRYPT).at(CREATED), &[&key.hashed(), &sub.hashed()]);
    let subkey = key.subkey(&sub, MAY_ENCRYPT);
    let binding = &subkey[sub.subkey_packet().len()..];
    let kept = [&key.packet()[..], &user, &third_party, &second, &subkey].concat();
    let given = [
        old_packet(6, &key.body()),
        packet(10, b"PGP"),                          // a marker
        key.sign(&sig(0x1f, &[]), &[&key.hashed()]), // directly over the key
        packet(60, b"private use"),
        packet(12, b"trust"),
        packet(2, &[3, 5, 0]), // a signature of version 3
        partial_packet(13, USER.as_bytes()),
        user[packet(13, USER.as_bytes()).len()..].to_vec(),
        third_party,
        packet(13, b"Nobody <nobody@example.com>"), // without a self-signature
        other.sign(&sig(0x10, &[]), &[&key.user_parts("Nobody <nobody@example.com>")]),
        second,
        packet(17, &[2, 1, 0]), // a picture
        sub.subkey_packet(),
        old_binding.clone(),
        binding.to_vec(),
        old_binding,
        packet(6, &[3, 0, 0, 0, 0, 0, 0, 1]), // a key of version 3
        packet(13, b"Old <old@example.com>"),
    ]
    .concat();
    let signature = key.detached(CONTENT);
    assert_eq!(logged_key(&signature, &given), kept);
    let entry = admitted(&rekord(CONTENT, &signature, &given));
    assert_eq!(entry.index_keys()[1..3], ["some@example.com", "second@example.com"]);
}

#[test]
fn a_broken_key_is_dropped_and_the_others_stay() {
    let (good, broken) = (Key::new(), Key::new());
    let signature = good.detached(CONTENT);
    let wrong_user = [broken.packet(), good.user(USER, &sig(0x13, MAY_SIGN))].concat();
    let mut damaged = broken.public();
    *damaged.last_mut().unwrap() ^= 1;
    let unsigned_sub = [broken.public(), Key::p256().subkey_packet()].concat();
    let stray = [broken.public(), good.subkey(&Key::p256(), MAY_ENCRYPT)].concat();
    let uncrossed = {
        let sub = Key::p256();
        let parts = [&broken.hashed()[..], &sub.hashed()];
        let binding = broken.sign(&sig(0x18, MAY_SIGN), &parts);
        [broken.public(), sub.subkey_packet(), binding].concat()
    };
    let revocation = good.sign(&sig(0x20, &[]), &[&broken.hashed()]);
    let user = broken.user(USER, &sig(0x13, MAY_SIGN));
    let revoked_by_other = [broken.packet(), revocation, user].concat();
    for (ring, words) in [
        (wrong_user, "v4 entity without any identities"),
        (
            damaged,
            "user ID self-signature invalid: openpgp: invalid signature: EdDSA verification failure",
        ),
        (unsigned_sub, "subkey packet not followed by signature"),
        (stray, "subkey signature invalid: openpgp: invalid signature: EdDSA verification failure"),
        (
            uncrossed,
            "subkey signature invalid: openpgp: invalid data: signing subkey is missing cross-signature",
        ),
        (revoked_by_other, "revocation signature signed by alternate key"),
    ] {
        assert_eq!(
            refused(&signature, &ring),
            format!("error reading binary PGP public key: openpgp: invalid data: {words}")
        );
        let blocks = armored("PGP PUBLIC KEY BLOCK", &[good.public(), ring].concat());
        assert_eq!(logged_key(&signature, blocks.as_bytes()), good.public(), "{words}");
    }
}

#[test]
fn several_blocks_are_one_key_ring() {
    let (first, second) = (Key::new(), Key::rsa());
    let block = |key: &Key| armored("PGP PUBLIC KEY BLOCK", &key.public());
    let both =
        format!("{}text between\n{}-----BEGIN PGP and no end", block(&first), block(&second));
    let public = [first.public(), second.public()].concat();
    for signer in [&first, &second] {
        assert_eq!(logged_key(&signer.detached(CONTENT), both.as_bytes()), public);
    }
    // The first signature by a key of the ring decides.
    let stranger = Key::new();
    let signatures = [stranger.detached(b"x"), second.detached(CONTENT), first.detached(b"x")];
    logged_key(&signatures.concat(), both.as_bytes());
    let signatures = [second.detached(b"x"), first.detached(CONTENT)];
    assert_eq!(
        refused(&signatures.concat(), both.as_bytes()),
        "openpgp: invalid signature: RSA verification failure"
    );
}

#[test]
fn the_key_must_have_been_good_when_it_signed() {
    let at = |offset: u32| CREATED + offset;
    let lifetime =
        |seconds: u32| [subpacket(9, &seconds.to_be_bytes()), MAY_SIGN.to_vec()].concat();
    let revoked = "openpgp: signature made by revoked key";
    let unknown = "openpgp: signature made by unknown entity";
    let key = Key::new();
    let user = |hashed: &[u8]| key.user(USER, &sig(0x13, hashed).at(at(0)));
    let with = |more: Vec<u8>| [key.packet(), more, user(MAY_SIGN)].concat();
    let revocation = |reason: u8, at: u32| {
        with(key.sign(&sig(0x20, &subpacket(29, &[reason])).at(at), &[&key.hashed()]))
    };
    let user_revocation =
        [key.public(), key.sign(&sig(0x30, &[]).at(at(5)), &[&key.user_parts(USER)])].concat();
    let notation = subpacket(20 | 0x80, b"\0\0\0\0\0\x03\0\x01a@bc");
    for (ring, signature, words) in [
        (with(Vec::new()), sig(0, &[]), ""),
        (with(Vec::new()), sig(0, &[]).at(at(0) - 1), "openpgp: key expired"),
        ([key.packet(), user(&lifetime(20))].concat(), sig(0, &[]).at(at(20)), ""),
        (
            [key.packet(), user(&lifetime(20))].concat(),
            sig(0, &[]).at(at(21)),
            "openpgp: key expired",
        ),
        (with(Vec::new()), sig(0, &subpacket(3, &1_u32.to_be_bytes())), ""),
        ([key.packet(), user(MAY_ENCRYPT)].concat(), sig(0, &[]), unknown),
        ([key.packet(), user(&[])].concat(), sig(0, &[]), unknown),
        (revocation(0, at(11)), sig(0, &[]), ""),
        (revocation(0, at(10)), sig(0, &[]), revoked),
        (revocation(2, at(99)), sig(0, &[]), revoked),
        (user_revocation, sig(0, &[]), revoked),
        (
            with(Vec::new()),
            sig(0, &notation),
            "openpgp: invalid signature: unknown critical notation: a@b",
        ),
        (
            with(Vec::new()),
            sig(2, &[]),
            "openpgp: unsupported feature: unsupported signature type: 2",
        ),
        (
            with(Vec::new()),
            sig(0, &[2, 0x85, 9]),
            "invalid PGP signature: openpgp: invalid data: trust subpacket with bad length",
        ),
        (with(Vec::new()), sig(0, &[2, 0xe4, 9]), "invalid PGP signature: EOF"),
        (with(Vec::new()), sig(0, &[2, 0x64, 9]), ""),
    ] {
        let made = key.sign(&signature, &[CONTENT]);
        if words.is_empty() {
            logged_key(&made, &ring);
        } else {
            assert_eq!(refused(&made, &ring), words);
        }
    }
}

#[test]
fn subkeys_sign_until_they_are_revoked() {
    let (key, sub) = (Key::new(), Key::p256());
    let bound = [key.public(), key.subkey(&sub, MAY_SIGN)].concat();
    logged_key(&sub.detached(CONTENT), &bound);
    let binding_of_other = [key.public(), key.subkey(&sub, MAY_ENCRYPT)].concat();
    assert_eq!(
        refused(&sub.detached(CONTENT), &binding_of_other),
        "openpgp: signature made by unknown entity"
    );
    let parts = [&key.hashed()[..], &sub.hashed()];
    let revocation = key.sign(&sig(0x28, &subpacket(29, &[1])).at(CREATED + 50), &parts);
    let revoked = [bound.clone(), revocation.clone()].concat();
    logged_key(&sub.detached(CONTENT), &revoked);
    let later = sub.sign(&sig(0, &[]).at(CREATED + 50), &[CONTENT]);
    assert_eq!(refused(&later, &revoked), "openpgp: signature made by revoked key");
    // It is written before the binding.
    let at = key.public().len() + sub.subkey_packet().len();
    let expected = [&bound[..at], &revocation, &bound[at..]].concat();
    assert_eq!(logged_key(&key.detached(CONTENT), &revoked), expected);
}

#[test]
fn text_is_signed_with_line_ends_of_the_network() {
    let key = Key::new();
    let text = b"a\nb\r\nc\rd\r\r\n";
    let signed = b"a\r\nb\r\nc\rd\r\r\r\n";
    let signature = key.sign(&sig(1, &[]), &[signed]);
    admitted(&rekord(text, &signature, &key.public()));
    assert_eq!(
        refusal(&rekord(text, &key.sign(&sig(1, &[]), &[text]), &key.public())),
        "openpgp: invalid signature: EdDSA verification failure"
    );
}

/// Lengths of subpackets that are longer than they need be stay where they are hashed, though the
/// packet's length counts them in the shortest form; the others are written anew.
#[test]
fn lengths_of_subpackets_are_written_as_rekor_writes_them() {
    let key = Key::new();
    let long = [255, 0, 0, 0, 2, 0x64, 9];
    let unhashed = key.sign(&sig(0x13, MAY_SIGN).unhashed(&long), &[&key.user_parts(USER)]);
    let short = key.sign(&sig(0x13, MAY_SIGN).unhashed(&[2, 0x64, 9]), &[&key.user_parts(USER)]);
    let ring =
        |signature: &[u8]| [&key.packet()[..], &packet(13, USER.as_bytes()), signature].concat();
    assert_eq!(logged_key(&key.detached(CONTENT), &ring(&unhashed)), ring(&short));

    let hashed = [&long[..], MAY_SIGN].concat();
    let body = key.sign_body(&sig(0x13, &hashed), &[&key.user_parts(USER)]);
    let mut expected = ring(&packet(2, &body));
    let length_at = expected.len() - body.len() - 1;
    expected[length_at] -= 4;
    assert_eq!(logged_key(&key.detached(CONTENT), &ring(&packet(2, &body))), expected);
}
