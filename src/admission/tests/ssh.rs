//! rekord with keys of OpenSSH: what is read, what is logged, what is refused.

use aws_lc_rs::signature as aws;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::signer::*;
use crate::admission::base64::{decode, encode};
use crate::admission::pki::{der, pem};
use crate::admission::{Policy, admit, public_key_index_keys};

/// Strings of RFC 4251, one after the other.
fn strings(parts: &[&[u8]]) -> Vec<u8> {
    let of = |part: &&[u8]| [&(part.len() as u32).to_be_bytes(), *part].concat();
    parts.iter().flat_map(of).collect()
}

fn name(signer: &Signer) -> &'static str {
    match (signer, signer.spki().len()) {
        (Signer::Ed25519(_), _) => "ssh-ed25519",
        (Signer::Rsa(_), _) => "ssh-rsa",
        (Signer::Ecdsa(_), 91) => "ecdsa-sha2-nistp256",
        (Signer::Ecdsa(_), 120) => "ecdsa-sha2-nistp384",
        (Signer::Ecdsa(_), _) => "ecdsa-sha2-nistp521",
    }
}

fn blob(signer: &Signer) -> Vec<u8> {
    let (spki, name) = (signer.spki(), name(signer));
    let head = strings(&[name.as_bytes()]);
    let tail = match signer {
        Signer::Ed25519(_) => strings(&[&spki[12..]]),
        Signer::Ecdsa(_) => {
            let bytes = [("256", 65), ("384", 97), ("521", 133)];
            let (_, point) = bytes.iter().find(|(bits, _)| name.ends_with(bits)).unwrap();
            strings(&[&name.as_bytes()[11..], &spki[spki.len() - point..]])
        }
        Signer::Rsa(_) => {
            let inner = der::expect(&spki[24..], der::SEQUENCE).unwrap().value;
            let integers: Vec<_> = der::elements(inner).map(|element| element.value).collect();
            strings(&[integers[1], integers[0]])
        }
    };
    [head, tail].concat()
}

fn line(signer: &Signer) -> String {
    format!("{} {}\n", name(signer), encode(&blob(signer)))
}

/// What `ssh-keygen -Y sign` signs.
fn to_sign(hash: &str) -> Vec<u8> {
    let digest = hex::decode(hex_digest(hash, CONTENT)).unwrap();
    [b"SSHSIG".to_vec(), strings(&[b"file", b"", hash.as_bytes(), &digest])].concat()
}

/// Format and blob.
fn signed(signer: &Signer, message: &[u8]) -> Vec<u8> {
    let signature = match signer {
        Signer::Rsa(_) => signer.sign_rsa_with(&aws::RSA_PKCS1_SHA512, message),
        _ => signer.sign(message),
    };
    match signer {
        Signer::Rsa(_) => strings(&[b"rsa-sha2-512", &signature]),
        Signer::Ed25519(_) => strings(&[b"ssh-ed25519", &signature]),
        Signer::Ecdsa(_) => {
            let inner = der::expect(&signature, der::SEQUENCE).unwrap().value;
            let integers: Vec<_> = der::elements(inner).map(|element| element.value).collect();
            strings(&[name(signer).as_bytes(), &strings(&integers)])
        }
    }
}

/// The parts of a message, for tests to change.
struct Parts<'a> {
    version: u32,
    key: Vec<u8>,
    namespace: &'a str,
    hash: &'a str,
    signature: Vec<u8>,
}

impl<'a> Parts<'a> {
    fn by(signer: &Signer, hash: &'a str) -> Self {
        let signature = signed(signer, &to_sign(hash));
        Self { version: 1, key: blob(signer), namespace: "file", hash, signature }
    }

    fn bytes(&self) -> Vec<u8> {
        let (namespace, hash) = (self.namespace.as_bytes(), self.hash.as_bytes());
        let rest = strings(&[&self.key, namespace, b"", hash, &self.signature]);
        [b"SSHSIG".to_vec(), self.version.to_be_bytes().to_vec(), rest].concat()
    }

    fn text(&self) -> String {
        armored(&self.bytes())
    }
}

fn armored(bytes: &[u8]) -> String {
    let mut text = String::new();
    pem::write(&mut text, "SSH SIGNATURE", bytes);
    text
}

fn rekord(signature: &str, key: &str) -> Value {
    json!({"kind": "rekord", "apiVersion": "0.0.1", "spec": {
        "data": {"content": encode(CONTENT)},
        "signature": {"format": "ssh", "content": encode(signature.as_bytes()),
                      "publicKey": {"content": encode(key.as_bytes())}},
    }})
}

fn all() -> [Signer; 5] {
    let ecdsa = Signer::ecdsa;
    [
        Signer::ed25519(),
        Signer::rsa(),
        ecdsa(&aws::ECDSA_P256_SHA256_ASN1_SIGNING),
        ecdsa(&aws::ECDSA_P384_SHA384_ASN1_SIGNING),
        ecdsa(&aws::ECDSA_P521_SHA512_ASN1_SIGNING),
    ]
}

#[test]
fn every_type_of_key_and_both_hashes() {
    for signer in all() {
        for hash in ["sha256", "sha512"] {
            let parts = Parts::by(&signer, hash);
            let entry = admitted(&rekord(&parts.text(), &line(&signer)));
            let body = stored(&entry);
            let logged = &body["spec"]["signature"];
            assert_eq!(logged["content"], encode(parts.text().as_bytes()));
            assert_eq!(logged["publicKey"]["content"], encode(line(&signer).as_bytes()));
            let search = public_key_index_keys("ssh", line(&signer).as_bytes()).unwrap();
            assert_eq!(entry.index_keys()[0], search[0]);
        }
    }
}

#[test]
fn options_comments_and_other_lines_are_dropped() {
    let signer = Signer::ed25519();
    let (signature, line) = (Parts::by(&signer, "sha512").text(), line(&signer));
    let plain = admitted(&rekord(&signature, &line)).leaf_hash();
    let bare = line.trim_end();
    for key in [
        format!("{bare} somebody@example.com"),
        format!("# a comment\n\nnothing\n  {bare}\t x y \r\n"),
        format!("no-pty,command=\"echo \\\"a b\\\"\" {bare}\n"),
        format!("ssh-rsa {}\n{bare}", line.split(' ').nth(1).unwrap()),
    ] {
        assert_eq!(admitted(&rekord(&signature, &key)).leaf_hash(), plain, "{key}");
    }
    for (key, text) in [
        ("x y", "ssh: no key found; last parsing error for ignored line: "),
        ("x", "ssh: no key found"),
        (&"x\n".repeat(40_000), "http: request body too large"),
    ] {
        let refused = refusal(&rekord(&signature, key));
        assert!(refused.starts_with(text), "{refused}");
    }
}

#[test]
fn what_is_wrong_is_told() {
    let signer = Signer::p256();
    let with = |change: &dyn Fn(&mut Parts<'_>)| {
        let mut parts = Parts::by(&signer, "sha512");
        change(&mut parts);
        refusal(&rekord(&parts.text(), &line(&signer)))
    };
    assert_eq!(with(&|parts| parts.version = 2), "unsupported signature version: 2");
    assert_eq!(with(&|parts| parts.namespace = "git"), "invalid signature namespace: git");
    assert_eq!(with(&|parts| parts.hash = "sha1"), "unsupported hash algorithm: sha1");
    assert_eq!(with(&|parts| parts.hash = "sha256"), "ssh: signature did not verify");
    assert_eq!(
        with(&|parts| parts.signature = signed(&Signer::ed25519(), b"")),
        "ssh: signature type ssh-ed25519 for key type ecdsa-sha2-nistp256"
    );
    assert_eq!(with(&|parts| parts.key.push(0)), "ssh: trailing junk in public key");
    assert_eq!(with(&|parts| parts.key = strings(&[b"x"])), "ssh: unknown key algorithm: x");
    let of = |text: &str| refusal(&rekord(text, &line(&signer)));
    assert_eq!(of("x"), "unable to decode pem file");
    let good = Parts::by(&signer, "sha512");
    let label = good.text().replace("SSH SIGNATURE", "X");
    assert_eq!(of(&label), "wrong pem block type: X. Expected SSH-SIGNATURE");
    let magic = good.bytes().iter().enumerate().map(|(at, b)| b ^ u8::from(at == 0)).collect();
    assert_eq!(of(&armored(&Vec::<u8>::clone(&magic))), "invalid magic header: RSHSIG");
    let other = refusal(&rekord(&good.text(), &line(&Signer::p256())));
    assert_eq!(other, "ssh: signature did not verify");
}

#[test]
fn unsafe_and_unknown_types_are_named() {
    let signer = Signer::rsa();
    let mut parts = Parts::by(&signer, "sha512");
    let blob = &parts.signature[16..].to_vec();
    parts.signature = [strings(&[b"ssh-rsa"]), blob.clone()].concat();
    assert_eq!(
        refusal(&rekord(&parts.text(), &line(&signer))),
        "ssh: signatures of type ssh-rsa (SHA-1) are not supported"
    );
    for (name, text) in [
        ("ssh-dss", "keys of type ssh-dss are not supported"),
        ("ssh-rsa-cert-v01@openssh.com", "certificates (ssh-rsa-cert-v01@openssh.com)"),
    ] {
        let key = format!("{name} {}", encode(&strings(&[name.as_bytes(), b"x"])));
        let refused = refusal(&rekord(&Parts::by(&signer, "sha512").text(), &key));
        assert!(refused.contains(text), "{refused}");
    }
}

/// Some signers leave out zeros in front of an RSA signature.
#[test]
fn short_rsa_signatures_are_taken() {
    let signer = Signer::rsa();
    let short = (0..20_000).find_map(|n: u32| {
        // Only the salt of the content differs, so sign other content until it has a zero in front.
        let content = n.to_be_bytes();
        let digest = hex::decode(hex_digest_of(&content)).unwrap();
        let message = [b"SSHSIG".to_vec(), strings(&[b"file", b"", b"sha512", &digest])].concat();
        let signature = signer.sign_rsa_with(&aws::RSA_PKCS1_SHA512, &message);
        (signature[0] == 0).then_some((content, signature))
    });
    let (content, signature) = short.unwrap();
    let mut parts = Parts::by(&signer, "sha512");
    parts.signature = strings(&[b"rsa-sha2-512", &signature[1..]]);
    let mut value = rekord(&parts.text(), &line(&signer));
    value["spec"]["data"]["content"] = encode(&content).into();
    admitted(&value);
}

fn hex_digest_of(content: &[u8]) -> String {
    hex::encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA512, content))
}

/// Security keys sign over their application, flags and counter (OpenSSH, PROTOCOL.u2f).
#[test]
fn security_keys_must_have_been_touched() {
    let sha256 = |bytes: &[u8]| tlog::hash::sha256(bytes);
    for (signer, name) in [
        (Signer::ed25519(), "sk-ssh-ed25519@openssh.com"),
        (Signer::p256(), "sk-ecdsa-sha2-nistp256@openssh.com"),
    ] {
        let plain = blob(&signer);
        let skipped = 4 + super::ssh::name(&signer).len();
        let key =
            [strings(&[name.as_bytes()]), plain[skipped..].to_vec(), strings(&[b"ssh:"])].concat();
        let with = |flags: u8| {
            let rest = [flags, 0, 0, 0, 9];
            let (application, hash) = (sha256(b"ssh:"), sha256(&to_sign("sha512")));
            let message = [&application[..], &rest, &hash].concat();
            let inner = signed(&signer, &message);
            let blob = [&strings(&[name.as_bytes()]), &inner[skipped..], &rest].concat();
            let parts = Parts {
                version: 1,
                key: key.clone(),
                namespace: "file",
                hash: "sha512",
                signature: blob,
            };
            (rekord(&parts.text(), &format!("{name} {}", encode(&key))), parts.text())
        };
        let (value, text) = with(1);
        let body = stored(&admitted(&value));
        assert_eq!(body["spec"]["signature"]["content"], encode(text.as_bytes()));
        assert_eq!(refusal(&with(0).0), "ssh: signature missing required user presence flag");
    }
}

proptest! {
    #[test]
    fn anything_is_judged(
        bytes in vec(any::<u8>(), 0..300),
        key in "[ -~
]{1,80}",
        at: u16,
        bit in 0..8_u8,
    ) {
        let judge = |signature: &str, key: &str| {
            let _ = admit(&parse(&rekord(signature, key)).into(), &Policy::default());
        };
        let signer = Signer::p256();
        judge(&armored(&bytes), &line(&signer));
        judge(&armored(&bytes), &key);
        judge(&armored(&bytes), &format!("ssh-rsa {}", encode(&bytes)));
        let good = Parts::by(&signer, "sha512").bytes();
        let at = usize::from(at) % good.len();
        judge(&armored(&good[..at]), &line(&signer));
        let mut flipped = good;
        flipped[at] ^= 1_u8 << bit;
        judge(&armored(&flipped), &line(&signer));
        let mut blob = decode(line(&signer).split(' ').nth(1).unwrap()).unwrap();
        let at = at % blob.len();
        blob[at] ^= 1_u8 << bit;
        let key = format!("ecdsa-sha2-nistp256 {}", encode(&blob));
        judge(&Parts::by(&signer, "sha512").text(), &key);
    }
}
