//! alpine 0.0.1: packages signed here, what may be odd in them, and what is refused.

use std::sync::LazyLock;

use proptest::prelude::*;
use rcgen::{CertificateParams, KeyPair, SanType};
use serde_json::{Value, json};

use super::alpine_maker::*;
use super::signer::{Signer, admitted, parse, refusal, refusal_under, stored};
use crate::admission::base64::decode;
use crate::admission::index_keys::sha256_hex;
use crate::admission::{Policy, admit, leaf_hash_of};

static KEY: LazyLock<Signer> = LazyLock::new(Signer::p256);

fn usual() -> Parts {
    signed(&KEY, &member(".PKGINFO", &pkginfo("")))
}

fn of(parts: &Parts) -> Value {
    proposal(&parts.whole(), &KEY.pem())
}

/// A package whose second part is this archive.
fn with(control: &[u8]) -> Value {
    of(&signed(&KEY, control))
}

/// The package, with another first part.
fn signed_by(archive: impl FnOnce(&[u8]) -> Vec<u8>) -> Value {
    let parts = usual();
    let signature = sha1_signature(&KEY, &parts.control);
    of(&Parts { signature: gzip(&archive(&signature)), ..parts })
}

fn next(text: &str) -> String {
    format!("getting next entry in tar archive: {text}")
}

const INVALID: &str = "archive/tar: invalid tar header";

#[test]
fn a_signed_package_becomes_its_hash_its_pkginfo_and_the_key() {
    for key in [Signer::p256(), Signer::p384(), Signer::p521(), Signer::p256_fixed()] {
        let scripts = member(".post-install", b"#!/bin/sh\n");
        let info = member(".PKGINFO", &pkginfo("depend = a\ndepend = b # c\n"));
        let package = signed(&key, &[scripts, info].concat()).whole();
        let entry = admitted(&proposal(&package, &key.pem()));
        let hash = sha256_hex(&package);
        let claimed = json!({"algorithm": "sha256", "value": hash});
        let pkginfo = json!({"pkgname": "name", "datahash": sha256_hex(DATA), "depend": "b"});
        let body = stored(&entry);
        assert_eq!(body["spec"]["package"], json!({"hash": claimed, "pkginfo": pkginfo}));
        let logged = decode(body["spec"]["publicKey"]["content"].as_str().unwrap()).unwrap();
        assert_eq!(logged, key.pem().as_bytes());
        let keys = [sha256_hex(key.pem().as_bytes()), format!("sha256:{hash}")];
        assert_eq!(entry.index_keys(), keys);

        let mut with_hash = proposal(&package, &format!("text\n{}", key.pem()));
        with_hash["spec"]["package"]["hash"] = claimed;
        assert_eq!(admitted(&with_hash).leaf_hash(), entry.leaf_hash());
        assert_eq!(
            refusal(&body),
            "entry not insertable into log: missing package content",
            "the stored form"
        );
        let again = leaf_hash_of(&parse(&body), &Policy::default()).unwrap_err().to_string();
        assert_eq!(again, format!("SHA mismatch: {} != {hash}", sha256_hex(b"")));
    }
}

/// By OpenSSL: RSA, PKCS#1 v1.5 with SHA-1, over a second part that is stored, not packed.
#[test]
fn a_signature_by_rsa_is_verified() {
    const KEY: &str = "-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDSoUXVlYZuqAUfPAnQnPLZwUIE
exNVKzeUW0YPmbczmpiJ8eH4LrGyw0ynW2OaalHzte4MFUOBGCJc523TJBxi6hQU
aTLZcQ5SDaJ0z5Vqo6Y4kooUZLg2BY4/8PNWaXZZnVGFw9lvfU6rkoYb1fGhIYqY
Lf7Ge8RMRIgX7mNGqQIDAQAB
-----END PUBLIC KEY-----
";
    const SIGNATURE: &str = "ekfX1vZOYu40hIBLUgTQ6qcDuwEExpq5ZR86Bw/p+Fkrj3Y5O/DkWVHy2qJD98uV\
AACdxTIu3igZmdadhGtFTN3mQWC9t1jgRP1HZRLAc/K8CC4Dzy4aOn51GLzdPG/+8vL095DuWuti/R2hG+vzalirr4zAgYdO\
A3HmYWaarJ8=";
    let info = format!("pkgname = fixed\ndatahash = {}\n", sha256_hex(b"data"));
    let archive = member(".PKGINFO", info.as_bytes());
    let length = archive.len() as u16;
    let mut sum = flate2::Crc::new();
    sum.update(&archive);
    let control = [
        &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff, 1][..],
        &length.to_le_bytes(),
        &(!length).to_le_bytes(),
        &archive,
        &sum.sum().to_le_bytes(),
        &u32::from(length).to_le_bytes(),
    ]
    .concat();
    let signature = gzip(&member(".SIGN.RSA.x.rsa.pub", &decode(SIGNATURE).unwrap()));
    let mut parts = Parts { signature, control, data: b"data".to_vec() };
    let entry = admitted(&proposal(&parts.whole(), KEY));
    assert_eq!(stored(&entry)["spec"]["package"]["pkginfo"]["pkgname"], "fixed");
    parts.control[4] ^= 1; // the time, which is signed too
    let refused = refusal(&proposal(&parts.whole(), KEY));
    assert_eq!(refused, "crypto/rsa: verification error");
}

#[test]
fn keys_must_be_the_right_ones() {
    let package = usual().whole();
    let wrong = refusal(&proposal(&package, &Signer::p256().pem()));
    assert_eq!(wrong, "invalid signature when validating ASN.1 encoded signature");
    assert_eq!(
        refusal(&proposal(&package, &Signer::rsa().pem())),
        "crypto/rsa: verification error"
    );
    let key = Signer::ed25519();
    let package = signed(&key, &member(".PKGINFO", &pkginfo(""))).whole();
    assert_eq!(refusal(&proposal(&package, &key.pem())), "message cannot be nil");
    assert_eq!(refusal(&proposal(&package, "junk")), "invalid public key: failure decoding PEM");
}

#[test]
fn a_certificate_is_a_key_with_names() {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![SanType::Rfc822Name("Me@example.com".try_into().unwrap())];
    let certificate = params.self_signed(&key).unwrap().pem();
    let pair = aws_lc_rs::signature::EcdsaKeyPair::from_pkcs8(
        &aws_lc_rs::signature::ECDSA_P256_SHA256_ASN1_SIGNING,
        &key.serialize_der(),
    );
    let signer = Signer::Ecdsa(Box::new(pair.unwrap()));
    let package = signed(&signer, &member(".PKGINFO", &pkginfo(""))).whole();
    let entry = admitted(&proposal(&package, &certificate));
    assert_eq!(entry.index_keys()[1], "me@example.com");
}

#[test]
fn members_are_ordered_as_rfc_8785_asks_and_need_not_be_unicode() {
    let mut info = pkginfo("\u{fb33} = 1\n\u{1f600} = 2\né = 3\n");
    info.extend(b"z = \xff\xe3\x80\n");
    let entry = admitted(&with(&member(".PKGINFO", &info)));
    let body = String::from_utf8(entry.body().to_vec()).unwrap();
    let start = body.find("\"pkgname\"").unwrap();
    let expected = "\"pkgname\":\"name\",\"z\":\"\u{fffd}\u{fffd}\u{fffd}\",\"é\":\"3\",\
                    \"\u{1f600}\":\"2\",\"\u{fb33}\":\"1\"}";
    assert!(body[start..].starts_with(expected), "{body}");
    info.extend(b"\xff = 1\n\xfe = 2\n");
    assert_eq!(refusal(&with(&member(".PKGINFO", &info))), "Duplicate key: \u{fffd}");
}

#[test]
fn the_first_signature_counts_bare_or_pem() {
    let pem = |signature: &[u8]| {
        let mut text = String::from("text\n");
        crate::admission::pki::pem::write(&mut text, "ANYTHING", signature);
        text.into_bytes()
    };
    for good in [
        signed_by(|it| member(".SIGN", &pem(it))),
        signed_by(|it| [member("other", b"x"), member(".SIGNature", it)].concat()),
        signed_by(|it| [member(".SIGN.A", it), member(".SIGN.B", b"x")].concat()),
        signed_by(|it| [member(".SIGN.A", it), vec![0; 512]].concat()),
        signed_by(|it| [member(".SIGN.A", it), vec![0; 1024], vec![7; 99]].concat()),
        signed_by(|it| member(".SIGN.A", it)[..512 + it.len()].to_vec()),
    ] {
        assert_eq!(admitted(&good).kind(), "alpine");
    }
    let none = "no signature detected in alpine package";
    let wrong = "ecdsa: Invalid IEEE_P1363 encoded bytes";
    for (archive, words) in [
        (member("./.SIGN", b"x"), none.to_owned()),
        (Vec::new(), none.into()),
        (vec![0; 1024], none.into()),
        (member(".SIGN", b"x"), wrong.into()),
        (typed(b'2', ".SIGN", &[7; 9])[..512].to_vec(), wrong.into()),
        (member(".SIGN", &[0; 99])[..513].to_vec(), next("unexpected EOF")),
        (member(".SIGN", b"x")[..511].to_vec(), next("unexpected EOF")),
        ([vec![0; 512], member(".SIGN", b"x")].concat(), next(INVALID)),
    ] {
        assert_eq!(refusal(&signed_by(|_| archive)), words);
    }
    let second = signed_by(|it| [member(".SIGN.B", b"x"), member(".SIGN.A", it)].concat());
    assert_eq!(refusal(&second), wrong);
}

#[test]
fn what_the_package_is_must_be_there_once_and_fit_the_data() {
    let info = member(".PKGINFO", &pkginfo(""));
    let hash = sha256_hex(DATA);
    let checksum = |given: &str| {
        format!("checksum for data.tar.gz ({hash}) does not match value from .PKGINFO ({given})")
    };
    let infos = |text: &str| member(".PKGINFO", text.as_bytes());
    admitted(&with(&infos(&format!("datahash = {}", hash.to_uppercase()))));
    for (control, words) in [
        (Vec::new(), ".PKGINFO file was not located".to_owned()),
        (member("./.PKGINFO", b""), ".PKGINFO file was not located".into()),
        ([info.clone(), info.clone()].concat(), "the package has more than one .PKGINFO".into()),
        (infos(""), checksum("")),
        (infos("datahash = 00"), checksum("00")),
        (infos(&format!("[x]\ndatahash = {hash}")), checksum("")),
        (infos("datahash = 0"), "parsing datahash: encoding/hex: odd length hex string".into()),
        (infos("datahash = zz"), "parsing datahash: encoding/hex: invalid byte: U+007A 'z'".into()),
        (infos("x\n"), "parsing .PKGINFO: key-value delimiter not found: x\n".into()),
        (info[..600].to_vec(), next("unexpected EOF")),
        ([&info[..], &[1; 512]].concat(), next(INVALID)),
        (changed(".PKGINFO", b"", &[(124, &[0xff; 12])]), next(INVALID)),
        (
            changed(".PKGINFO", b"", &[(156, b"2"), (124, &[0xff; 12])]),
            "negative header size for .PKGINFO file".into(),
        ),
    ] {
        assert_eq!(refusal(&with(&control)), words);
    }
}

#[test]
fn gzip_members_must_be_whole() {
    let told = |change: &dyn Fn(&mut Parts)| {
        let mut parts = usual();
        change(&mut parts);
        refusal(&of(&parts))
    };
    let flip = |bytes: &mut Vec<u8>, from_end: usize| {
        let at = bytes.len() - from_end;
        bytes[at] ^= 1;
    };
    let control = "reading control.tar.gz: ";
    assert_eq!(told(&|it| it.signature[0] = 0), "create gzip reader: gzip: invalid header");
    assert_eq!(told(&|it| it.control[2] = 0), "resetting to control.tar.gz: gzip: invalid header");
    let cut = |length: usize, data: &'static [u8]| {
        told(&|it| (it.control.truncate(length), it.data = data.to_vec()).0)
    };
    assert_eq!(cut(0, b""), ".PKGINFO file was not located");
    assert_eq!(cut(9, b""), "resetting to control.tar.gz: unexpected EOF");
    assert_eq!(cut(40, b""), format!("{control}unexpected EOF"));
    assert_eq!(told(&|it| flip(&mut it.control, 8)), format!("{control}gzip: invalid checksum"));
    assert_eq!(told(&|it| flip(&mut it.control, 1)), format!("{control}gzip: invalid checksum"));
    let signature = told(&|it| flip(&mut it.signature, 5));
    assert_eq!(signature, "reading signature.tar.gz: gzip: invalid checksum");
    assert!(told(&|it| it.data.push(0)).starts_with("checksum for data.tar.gz"));
    assert!(told(&|it| it.control[10] = 0xff).starts_with(control));
}

#[test]
fn sizes_are_bounded_and_zero_is_not_no_bound() {
    let under = |max: u64| Policy { apk_metadata_bytes_max: max, ..Policy::default() };
    let info = with(&member(".PKGINFO", &pkginfo(&"#".repeat(1400))));
    assert!(admit(&parse(&info).into(), &under(1536)).is_ok());
    let refused = refusal_under(&info, &under(1400));
    assert!(refused.starts_with("uncompressed .PKGINFO file size 1"), "{refused}");
    assert_eq!(
        refusal_under(&info, &under(900)),
        "decompressed size (901) for signature.tar.gz exceeds max allowed size 900"
    );
    let link = signed_by(|_| changed(".SIGN", b"", &[(156, b"2"), (124, b"00077777777\0")]));
    assert_eq!(
        refusal(&link),
        "uncompressed .SIGN file size 16777215 exceeds max allowed size 1048576"
    );
    let large = signed_by(|it| [member(".SIGN", it), vec![0; 2 << 20]].concat());
    assert!(refusal(&large).starts_with("decompressed size (1048577)"));
    assert!(admit(&parse(&large).into(), &under(0)).is_ok());
    let large = signed_by(|it| [member(".SIGN", it), vec![0; 20 << 20]].concat());
    assert!(refusal_under(&large, &under(0)).starts_with("decompressed size (20971521)"));
}

#[test]
fn faults_are_told_in_the_words_of_rekor() {
    let package = usual().whole();
    let good = proposal(&package, &KEY.pem());
    let told = |change: &dyn Fn(&mut Value)| {
        let mut value = good.clone();
        change(&mut value["spec"]);
        refusal(&value)
    };
    let list = |lines: &str| format!("validation failure list:\n{lines}");
    assert_eq!(
        told(&|spec| *spec = json!({"package": {"hash": {"value": ""}}, "publicKey": {}})),
        list(
            "package.package.hash.package.hash.algorithm in body is required\n\
             publicKey in body is required"
        )
    );
    assert_eq!(told(&|spec| spec["package"] = 5.into()), list("package in body is required"));
    let bytes = "illegal base64 data at input byte 0";
    assert_eq!(
        told(&|spec| spec["publicKey"]["content"] = "*".into()),
        format!("failed parsing base64 data for public key content: {bytes}")
    );
    assert_eq!(
        told(&|spec| spec["package"]["content"] = "*".into()),
        format!("failed parsing base64 data for package content: {bytes}")
    );
    assert_eq!(
        told(&|spec| spec["package"] = json!({"hash": {}})),
        "'content' must be specified for package"
    );
    assert_eq!(
        told(&|spec| spec["publicKey"]["content"] = "\n".into()),
        "'content' must be specified for publicKey"
    );
    let claim = |value: &str| {
        told(&|spec| spec["package"]["hash"] = json!({"algorithm": "sha256", "value": value}))
    };
    let (hash, upper) = (sha256_hex(&package), sha256_hex(&package).to_uppercase());
    assert_eq!(claim(&upper), format!("SHA mismatch: {hash} != {upper}"));
    assert_eq!(claim("ab"), "invalid value for hash");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn what_is_cut_or_changed_is_read_or_refused(at in any::<usize>(), bit in 0_u8..8) {
        let judged = |package: &[u8]| {
            admit(&parse(&proposal(package, &KEY.pem())).into(), &Policy::default())
        };
        let mut package = usual().whole();
        let at = at % package.len();
        let _either = judged(&package[..at]);
        package[at] ^= 1 << bit;
        if let Ok(entry) = judged(&package) {
            prop_assert_eq!(&stored(&entry)["spec"]["package"]["pkginfo"]["pkgname"], "name");
        }
    }
}
