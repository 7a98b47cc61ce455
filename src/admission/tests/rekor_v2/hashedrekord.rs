//! hashedrekord 0.0.2: which keys, details and digests; every reason, in order.

use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature as aws;
use rcgen::{SanType, string::Ia5String};

use super::*;
use crate::admission::index_keys::sha256_hex;
use crate::admission::pki::pem;

fn rsa(size: KeySize) -> Signer {
    Signer::Rsa(Box::new(aws::RsaKeyPair::generate(size).unwrap()))
}

#[test]
fn every_default_algorithm() {
    let ed25519 = Signer::ed25519();
    for (signer, name, algorithm, signature) in [
        (&Signer::p256(), "ECDSA_P256_SHA_256", "sha256", None),
        (&Signer::p256_fixed(), "ECDSA_P256_SHA_256", "sha256", None),
        (&Signer::p384(), "ECDSA_P384_SHA_384", "sha384", None),
        (
            &Signer::ecdsa(&aws::ECDSA_P384_SHA384_FIXED_SIGNING),
            "ECDSA_P384_SHA_384",
            "sha384",
            None,
        ),
        (&Signer::p521(), "ECDSA_P521_SHA_512", "sha512", None),
        (
            &Signer::ecdsa(&aws::ECDSA_P521_SHA512_FIXED_SIGNING),
            "ECDSA_P521_SHA_512",
            "sha512",
            None,
        ),
        (&rsa(KeySize::Rsa2048), "RSA_PKCS1V15_2048_SHA256", "sha256", None),
        (&rsa(KeySize::Rsa3072), "RSA_PKCS1V15_3072_SHA256", "sha256", None),
        (&rsa(KeySize::Rsa4096), "RSA_PKCS1V15_4096_SHA256", "sha256", None),
        (&ed25519, "ED25519_PH", "sha512", Some(ed25519.sign_ph(CONTENT))),
    ] {
        let signature = signature.unwrap_or_else(|| signer.sign(CONTENT));
        let request = request(verifier(signer, name), algorithm, signature);
        let entry = admitted(&request);
        let digest = format!("{algorithm}:{}", hex_digest(algorithm, CONTENT));
        assert_eq!(entry.index_keys(), [sha256_hex(signer.pem().as_bytes()), digest]);
    }
}

/// Key details are never compared with the key: only their hash counts. They are logged as sent.
#[test]
fn details_of_another_key_with_the_same_hash() {
    let (p256, p521, rsa, ed25519) =
        (Signer::p256(), Signer::p521(), Signer::rsa(), Signer::ed25519());
    for name in [
        "RSA_PSS_2048_SHA256",
        "RSA_PSS_4096_SHA256",
        "RSA_PKCS1V15_3072_SHA256",
        "ECDSA_P256_SHA_256",
        "ECDSA_P384_SHA_256",
        "ECDSA_P521_SHA_256",
    ] {
        admitted(&request(verifier(&rsa, name), "sha256", rsa.sign(CONTENT)));
        admitted(&request(verifier(&p256, name), "sha256", p256.sign(CONTENT)));
    }
    let by_p521 = verifier(&ed25519, "ECDSA_P521_SHA_512");
    admitted(&request(by_p521, "sha512", ed25519.sign_ph(CONTENT)));
    admitted(&request(verifier(&p521, "ED25519_PH"), "sha512", p521.sign(CONTENT)));
    let pss = rsa.sign_rsa_with(&aws::RSA_PSS_SHA256, CONTENT);
    let text = reason(&request(verifier(&rsa, "RSA_PSS_2048_SHA256"), "sha256", pss));
    assert_eq!(text, "verifying signature: crypto/rsa: verification error");
}

#[test]
fn certificates_are_logged_as_they_are_and_found_by_their_names() {
    let email = Ia5String::try_from("Some.One@Example.com").unwrap();
    let uri = Ia5String::try_from("https://example.com/x").unwrap();
    let names = [SanType::URI(uri), SanType::Rfc822Name(email)];
    let (signer, der) = certified(&names);
    let mut block = String::new();
    pem::write(&mut block, "CERTIFICATE", &der);
    let key_details = details("ECDSA_P256_SHA_256");
    let verifier = VerifierV2 { key: Some(KeyV2::Certificate(der)), key_details };
    let entry = admitted(&request(verifier, "sha256", signer.sign(CONTENT)));
    let digest = format!("sha256:{}", hex_digest("sha256", CONTENT));
    let pem_hash = sha256_hex(block.as_bytes());
    let expected =
        [pem_hash.as_str(), "some.one@example.com", "https://example.com/x", digest.as_str()];
    assert_eq!(entry.index_keys(), expected);
}

/// Each step mends what the one before was refused for; all that comes later is wrong, too.
#[test]
fn every_reason_in_order() {
    let (signer, other) = (Signer::p256(), Signer::p384());
    let mut digest = Vec::new();
    let mut signature = None;
    let mut check = |change: &mut dyn FnMut(&mut Vec<u8>, &mut Option<SignatureV2>), text: &str| {
        change(&mut digest, &mut signature);
        let request =
            RequestV2::HashedRekord { digest: digest.clone(), signature: signature.clone() };
        assert_eq!(reason(&request), text);
    };
    let of = |signature: &mut Option<SignatureV2>, verifier| {
        signature.as_mut().unwrap().verifier = Some(verifier);
    };
    let key = |der: &[u8], key_details| VerifierV2 {
        key: Some(KeyV2::PublicKey(der.into())),
        key_details,
    };
    let p256 = details("ECDSA_P256_SHA_256");
    check(&mut |_, _| {}, "missing signature");
    check(&mut |_, s| *s = Some(SignatureV2::default()), "missing signature");
    check(&mut |_, s| s.as_mut().unwrap().content = vec![1], "missing verifier");
    check(&mut |_, s| of(s, VerifierV2::default()), "missing digest");
    let missing = "invalid verifier: missing public key or certificate";
    check(&mut |d, _| *d = vec![1], missing);
    check(&mut |_, s| of(s, key(&[], 0)), "invalid verifier: missing raw bytes");
    check(
        &mut |_, s| of(s, key(signer.pem().as_bytes(), 0)),
        "invalid verifier: x509: malformed public key: unknown/unsupported ASN.1 DER tag: 0x2d at \
         DER byte 1",
    );
    check(&mut |_, s| of(s, key(&signer.spki(), 0)), "unknown signature algorithm 0");
    check(
        &mut |_, s| of(s, key(&signer.spki(), details("ECDSA_P384_SHA_384"))),
        "the key, with key details PKIX_ECDSA_P384_SHA_384, is not allowed",
    );
    let length = "the digest has 1 bytes, SHA-256 asks for 32";
    check(&mut |_, s| of(s, key(&signer.spki(), p256)), length);
    let wrong = "verifying signature: ecdsa: Invalid IEEE_P1363 encoded bytes";
    check(&mut |d, _| *d = digest_of("sha256"), wrong);
    let der = "verifying signature: invalid signature when validating ASN.1 encoded signature";
    check(&mut |_, s| s.as_mut().unwrap().content = other.sign(CONTENT), der);
    check(&mut |_, s| s.as_mut().unwrap().content = signer.sign(b"other content"), der);
    let right =
        SignatureV2 { content: signer.sign(CONTENT), verifier: Some(key(&signer.spki(), p256)) };
    admitted(&RequestV2::HashedRekord { digest: digest_of("sha256"), signature: Some(right) });
}

#[test]
fn details_that_no_entry_may_carry() {
    let signer = Signer::rsa();
    let mut refused =
        vec![0, 1, 2, 3, 4, 6, 14, 15, 21, 22, 23, 24, 50, 51, -1, i32::MIN, i32::MAX];
    refused.dedup();
    for number in refused {
        let verifier = VerifierV2 { key_details: number, ..verifier(&signer, "ED25519") };
        let text = reason(&request(verifier, "sha256", signer.sign(CONTENT)));
        assert_eq!(text, format!("unknown signature algorithm {number}"));
    }
}

#[test]
fn keys_and_hashes_that_are_not_allowed() {
    let (p256, p384, p521) = (Signer::p256(), Signer::p384(), Signer::p521());
    let (rsa, ed25519) = (Signer::rsa(), Signer::ed25519());
    for (signer, name) in [
        (&p256, "ECDSA_P521_SHA_512"),
        (&p256, "ED25519"),
        (&p384, "ECDSA_P384_SHA_256"),
        (&p384, "ECDSA_P256_SHA_256"),
        (&p521, "ECDSA_P521_SHA_256"),
        (&p521, "ECDSA_P384_SHA_384"),
        (&rsa, "ECDSA_P521_SHA_512"),
        (&rsa, "ED25519"),
        (&ed25519, "ED25519"),
        (&ed25519, "ECDSA_P256_SHA_256"),
    ] {
        let text = reason(&request(verifier(signer, name), "sha256", signer.sign(CONTENT)));
        let expected = format!("the key, with key details PKIX_{name}, is not allowed");
        assert_eq!(text, expected);
    }
    let p224 = format!("304e301006072a8648ce3d020106052b81040021033a00{}", "04".repeat(57));
    let key = Some(KeyV2::PublicKey(hex::decode(p224).unwrap()));
    let p224 = VerifierV2 { key, key_details: details("ECDSA_P256_SHA_256") };
    assert!(reason(&request(p224, "sha256", vec![1])).ends_with("is not allowed"));
    // An operator can allow less.
    let mut policy = policy();
    policy.allow_algorithms(&["ed25519-ph"]).unwrap();
    let good = request(verifier(&p256, "ECDSA_P256_SHA_256"), "sha256", p256.sign(CONTENT));
    assert!(matches!(refused_by(&policy, &good), Rejection::Masked { .. }));
    admitted(&good);
}

#[test]
fn only_der_is_read() {
    let (signer, certificate) = certified(&[]);
    let spki = signer.spki();
    let trailing = |der: &[u8]| [der, &[0]].concat();
    let mut block = String::new();
    pem::write(&mut block, "CERTIFICATE", &certificate);
    // An RSAPublicKey without the SubjectPublicKeyInfo around it.
    let pkcs1 = Signer::rsa().spki()[24..].to_vec();
    assert_eq!(pkcs1[0], 0x30);
    // Signed with another algorithm than it says inside: the last byte of Ed25519's identifier.
    let mut mixed = certificate.clone();
    let at = mixed.windows(3).rposition(|bytes| bytes == [0x2b, 0x65, 0x70]).unwrap();
    mixed[at + 2] = 0x71;
    for key in [
        KeyV2::PublicKey(signer.pem().into_bytes()),
        KeyV2::PublicKey(trailing(&spki)),
        KeyV2::PublicKey(pkcs1),
        KeyV2::PublicKey(certificate.clone()),
        KeyV2::Certificate(block.into_bytes()),
        KeyV2::Certificate(trailing(&certificate)),
        KeyV2::Certificate(mixed),
        KeyV2::Certificate([certificate.clone(), certificate.clone()].concat()),
        KeyV2::Certificate(spki),
        KeyV2::Certificate(certificate[..100].to_vec()),
    ] {
        let key_details = details("ECDSA_P256_SHA_256");
        let verifier = VerifierV2 { key: Some(key.clone()), key_details };
        let text = reason(&request(verifier, "sha256", signer.sign(CONTENT)));
        assert!(text.starts_with("invalid verifier: x509: "), "{key:?}: {text}");
    }
}

#[test]
fn a_digest_of_another_length_or_content() {
    let ed25519 = Signer::ed25519();
    let signer = Signer::p256();
    for (name, algorithm, signer) in [
        ("ECDSA_P256_SHA_256", "sha384", &signer),
        ("ECDSA_P256_SHA_256", "sha512", &signer),
        ("ED25519_PH", "sha256", &ed25519),
    ] {
        let text = reason(&request(verifier(signer, name), algorithm, signer.sign(CONTENT)));
        assert!(text.starts_with("the digest has "), "{text}");
    }
    let pure = request(verifier(&ed25519, "ED25519_PH"), "sha512", ed25519.sign(CONTENT));
    assert!(reason(&pure).starts_with("verifying signature: "), "Ed25519 is Ed25519ph here");
    let mut other =
        request(verifier(&signer, "ECDSA_P256_SHA_256"), "sha256", signer.sign(CONTENT));
    let RequestV2::HashedRekord { digest, .. } = &mut other else { panic!() };
    digest[0] ^= 1;
    assert!(reason(&other).starts_with("verifying signature: "));
}

#[test]
fn a_body_that_no_bundle_can_hold_is_refused_in_clear_words() {
    let long = |len: usize| {
        let name = Ia5String::try_from(format!("a@{}", "x".repeat(len))).unwrap();
        let (signer, der) = certified(&[SanType::Rfc822Name(name)]);
        let key_details = details("ECDSA_P256_SHA_256");
        let verifier = VerifierV2 { key: Some(KeyV2::Certificate(der)), key_details };
        request(verifier, "sha256", signer.sign(CONTENT))
    };
    let entry = admitted(&long(48_000));
    assert!((64_000..=65_535).contains(&entry.body().len()), "{}", entry.body().len());
    let text = "the canonical entry is larger than 65535 bytes";
    assert_eq!(refused_by(&policy(), &long(49_000)), Rejection::Input(text.into()));
}
