//! What is wrong with OpenPGP keys and signatures, in Rekor's words, and what is too much.

use super::pgp::{USER, logged_key, refused};
use super::pgp_maker::*;
use super::signer::CONTENT;
use crate::admission::public_key_index_keys;
use crate::limits::{PGP_PACKETS_MAX, PGP_SIGNATURE_CHECKS_MAX, PGP_USER_ID_BYTES_MAX};

#[test]
fn faults_of_keys_are_told_in_rekors_words() {
    let key = Key::new();
    let (public, signature) = (key.public(), key.detached(CONTENT));
    let block = armored("PGP PUBLIC KEY BLOCK", &public);
    let text = block.as_bytes();
    let secret = Key::p256();
    let private = [
        packet(5, &[&key.body()[..], &[0, 0, 0]].concat()),
        key.user(USER, &sig(0x13, MAY_SIGN)),
        packet(7, &[&secret.body()[..], &[0, 0, 0]].concat()),
        key.sign(&sig(0x18, MAY_ENCRYPT), &[&key.hashed(), &secret.hashed()]),
    ]
    .concat();
    let private = armored("PGP PRIVATE KEY BLOCK", &private);
    let long =
        format!("-----BEGIN PGP PUBLIC KEY BLOCK-----\nComment: {}\n{block}", "x".repeat(70_000));
    let wide = block.replacen("\n\n", &format!("\n\n{}\n", "A".repeat(97)), 1);
    let reading = "error reading PGP public key:";
    let binary = "error reading binary PGP public key:";
    for (key, words) in [
        (&b"x"[..], "unable to read PGP public key: EOF".to_owned()),
        (
            b"not a key at all",
            format!("{binary} openpgp: invalid data: tag byte does not have MSB set"),
        ),
        (&public[..public.len() - 1], format!("{binary} unexpected EOF")),
        (
            &signature,
            format!("{binary} openpgp: invalid data: first packet was not a public/private key"),
        ),
        (private.as_bytes(), "no PGP public keys could be read".into()),
        (&text[..text.len() - 40], "no PGP public keys could be read".into()),
        (
            block.replace("PUBLIC KEY BLOCK", "MESSAGE").as_bytes(),
            "invalid PGP type detected".into(),
        ),
        (
            b"-----BEGIN PGP x-----\n-----END PGP x-----",
            "invalid PGP public key provided: EOF".into(),
        ),
        (long.as_bytes(), format!("{reading} bufio.Scanner: token too long")),
        (wide.as_bytes(), format!("{reading} openpgp: invalid data: armor invalid")),
        (
            block.replacen("x\n\n", "x\n\n*", 1).as_bytes(),
            format!("{reading} illegal base64 data at input byte 0"),
        ),
        (
            &[public.clone(), packet(39, &[])].concat(),
            format!("{binary} openpgp: unknown critical packet type: 39"),
        ),
    ] {
        assert_eq!(refused(&signature, key), words);
    }
    assert_eq!(
        public_key_index_keys("pgp", b"junk").unwrap_err().to_string(),
        "public key provided could not be parsed"
    );
}

#[test]
fn faults_of_signatures_are_told_in_rekors_words() {
    let key = Key::new();
    let (public, signature) = (key.public(), key.detached(CONTENT));
    let message = "-----BEGIN PGP SIGNED MESSAGE-----\n\ntext\n";
    for (signature, words) in [
        (
            &b"text"[..],
            "invalid PGP signature: openpgp: invalid data: tag byte does not have MSB set",
        ),
        (message.as_bytes(), "invalid PGP signature provided"),
        (&public, "valid PGP signature was not detected"),
        (&packet(2, &[3, 0]), "invalid PGP signature: EOF"),
        (
            &[packet(2, &[3, 0]), signature.clone()].concat(),
            "error reading PGP signature: openpgp: unsupported feature: signature packet version 3",
        ),
        (
            &[Key::new().detached(CONTENT), public.clone()].concat(),
            "openpgp: invalid data: non signature packet found",
        ),
        (&Key::new().detached(CONTENT), "openpgp: signature made by unknown entity"),
        (&key.detached(b"other"), "openpgp: invalid signature: EdDSA verification failure"),
    ] {
        assert_eq!(refused(signature, &public), words);
    }
}

#[test]
fn caps_hold() {
    let key = Key::new();
    let signature = key.detached(CONTENT);
    let refuses = |ring: &[u8], words: String| {
        assert_eq!(
            refused(&signature, ring),
            format!("error reading binary PGP public key: {words}")
        );
    };
    let user = sig(0x13, MAY_SIGN);
    let mut ring = key.public();
    let again = key.sign(&user, &[&key.user_parts(USER)]);
    ring.extend(again.repeat(PGP_SIGNATURE_CHECKS_MAX - 1));
    logged_key(&signature, &ring);
    ring.extend(&again);
    let max = PGP_SIGNATURE_CHECKS_MAX;
    refuses(&ring, format!("the keys have more than {max} signatures"));

    let pictures = packet(17, &[2, 1, 0]).repeat(PGP_PACKETS_MAX);
    let max = PGP_PACKETS_MAX;
    refuses(&[key.public(), pictures].concat(), format!("the keys have more than {max} packets"));

    let id = |length: usize| [key.packet(), key.user(&"x".repeat(length), &user)].concat();
    logged_key(&signature, &id(PGP_USER_ID_BYTES_MAX - 1));
    let max = PGP_USER_ID_BYTES_MAX;
    refuses(&id(max), format!("openpgp: a packet has more than {max} bytes"));

    let mut nested = key.sign_body(&sig(0x19, &[]), &[]);
    for _ in 0..5 {
        let embedded =
            [&[255][..], &(nested.len() as u32 + 1).to_be_bytes(), &[32], &nested].concat();
        nested = key.sign_body(&sig(0x19, &[]).unhashed(&embedded), &[]);
    }
    assert_eq!(
        refused(&packet(2, &nested), &key.public()),
        "invalid PGP signature: openpgp: invalid data: too many signatures within signatures"
    );
}
