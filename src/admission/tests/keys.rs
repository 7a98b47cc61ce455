//! Keys as PEM: public keys, certificates, chains, subjects, and searching for them.

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, GeneralSubtree, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, NameConstraints, OtherNameValue, SanType,
};
use time::{Duration, OffsetDateTime};

use super::signer::*;
use crate::admission::index_keys::sha256_hex;
use crate::admission::pki::key::Key;
use crate::admission::pki::ssh_key::fingerprint;
use crate::admission::pki::x509::PublicKey;
use crate::admission::pki::{der, pem};
use crate::admission::{SearchKeyError, public_key_index_keys};

/// The same signature as DER, for what can only sign the fixed form.
pub(super) fn p1363_as_der(signature: &[u8]) -> Vec<u8> {
    let (r, s) = signature.split_at(signature.len() / 2);
    let mut integers = Vec::new();
    der::write_unsigned(&mut integers, r);
    der::write_unsigned(&mut integers, s);
    let mut out = Vec::new();
    der::write_header(&mut out, der::SEQUENCE, integers.len());
    out.extend(integers);
    out
}

/// A certificate's parameters and key, before it is signed.
struct Draft {
    params: CertificateParams,
    key: KeyPair,
}

fn draft(name: &str, is_ca: IsCa) -> Draft {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = is_ca;
    params.not_before = OffsetDateTime::from_unix_timestamp(1_700_000_000).unwrap();
    params.not_after = params.not_before + Duration::days(1);
    Draft { params, key: KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap() }
}

fn authority(name: &str) -> Draft {
    draft(name, IsCa::Ca(BasicConstraints::Unconstrained))
}

impl Draft {
    fn with(mut self, change: impl FnOnce(&mut CertificateParams)) -> Self {
        change(&mut self.params);
        self
    }

    fn self_signed(&self) -> Vec<u8> {
        self.params.self_signed(&self.key).unwrap().der().to_vec()
    }

    fn signed_by(&self, issuer: &Draft) -> Vec<u8> {
        let issuer = Issuer::from_params(&issuer.params, &issuer.key);
        self.params.signed_by(&self.key, &issuer).unwrap().der().to_vec()
    }

    fn signer(&self) -> Signer {
        let key = aws_lc_rs::signature::EcdsaKeyPair::from_pkcs8(
            &aws_lc_rs::signature::ECDSA_P256_SHA256_ASN1_SIGNING,
            &self.key.serialize_der(),
        );
        Signer::Ecdsa(Box::new(key.unwrap()))
    }
}

fn pem_of(certificates: &[Vec<u8>]) -> String {
    let mut text = String::new();
    certificates.iter().for_each(|der| pem::write(&mut text, "CERTIFICATE", der));
    text
}

/// A hashedrekord signed by the leaf, with this chain.
fn entry(leaf: &Draft, chain: &[Vec<u8>]) -> serde_json::Value {
    hashedrekord(&pem_of(chain), "sha256", &leaf.signer().sign(CONTENT))
}

const UNKNOWN: &str = "verifying signature: x509: certificate signed by unknown authority";

#[test]
fn chains_are_verified_at_the_leafs_not_before() {
    let root = authority("root");
    let middle = authority("middle");
    let leaf = draft("leaf", IsCa::NoCa);
    let (root_der, middle_der) = (root.self_signed(), middle.signed_by(&root));
    let leaf_der = leaf.signed_by(&middle);
    let chain = [leaf_der.clone(), middle_der.clone(), root_der.clone()];
    let found = admitted(&entry(&leaf, &chain));
    assert_eq!(found.index_keys()[0], sha256_hex(pem_of(&chain).as_bytes()));
    let alone = admitted(&entry(&leaf, &chain[..1]));
    assert_ne!(alone.leaf_hash(), found.leaf_hash());
    let bare =
        admitted(&hashedrekord(&leaf.signer().pem(), "sha256", &leaf.signer().sign(CONTENT)));
    assert_ne!(alone.leaf_hash(), bare.leaf_hash(), "a certificate is not its key");

    // The middle one is the root here, unneeded intermediates do not matter, nor does their order.
    admitted(&entry(&leaf, &[leaf_der.clone(), middle_der.clone()]));
    let other = authority("other").self_signed();
    let more =
        [leaf_der.clone(), other.clone(), root_der.clone(), middle_der.clone(), root_der.clone()];
    admitted(&entry(&leaf, &more));
    admitted(&entry(&root, &[root_der.clone(), root_der.clone()]));

    for broken in [
        vec![leaf_der.clone(), root_der.clone()],
        vec![leaf_der.clone(), middle_der.clone(), other],
        vec![leaf_der, authority("middle").signed_by(&root), root_der],
    ] {
        assert_eq!(refusal(&entry(&leaf, &broken)), UNKNOWN);
    }
}

#[test]
fn authorities_must_be_allowed_to_issue() {
    let limited = |limit| draft("root", IsCa::Ca(BasicConstraints::Constrained(limit)));
    let usage = |usage: KeyUsagePurpose| authority("root").with(|p| p.key_usages = vec![usage]);
    let start = OffsetDateTime::from_unix_timestamp(1_700_000_000).unwrap();
    let expired = authority("root").with(|p| {
        (p.not_before, p.not_after) = (start - Duration::days(2), start - Duration::days(1));
    });
    let later = authority("root").with(|p| p.not_before = start + Duration::hours(1));
    let critical = authority("root").with(|p| {
        let mut unknown = CustomExtension::from_oid_content(&[1, 2, 3], vec![5, 0]);
        unknown.set_criticality(true);
        p.custom_extensions = vec![unknown];
    });
    let constrained = authority("root").with(|p| {
        let permitted_subtrees = vec![GeneralSubtree::DnsName("example.com".into())];
        let excluded_subtrees = Vec::new();
        p.name_constraints = Some(NameConstraints { permitted_subtrees, excluded_subtrees });
    });
    for (root, ok) in [
        (limited(1), true),
        (limited(0), false),
        (usage(KeyUsagePurpose::KeyCertSign), true),
        (usage(KeyUsagePurpose::DigitalSignature), false),
        (draft("root", IsCa::ExplicitNoCa), false),
        (draft("root", IsCa::NoCa), false),
        (expired, false),
        (later, false),
        (critical, false),
        (constrained, false),
    ] {
        let (middle, leaf) = (authority("middle"), draft("leaf", IsCa::NoCa));
        let chain = [leaf.signed_by(&middle), middle.signed_by(&root), root.self_signed()];
        let value = entry(&leaf, &chain);
        if ok { drop(admitted(&value)) } else { assert_eq!(refusal(&value), UNKNOWN) }
    }
}

#[test]
fn many_intermediates_of_one_name_do_not_take_forever() {
    let root = authority("same");
    let leaf = draft("leaf", IsCa::NoCa);
    let same: Vec<Draft> = (0..8).map(|_| authority("same")).collect();
    let mut chain = vec![leaf.signed_by(&same[0])];
    chain.extend(same.iter().map(Draft::self_signed));
    chain.push(root.self_signed());
    assert_eq!(refusal(&entry(&leaf, &chain)), UNKNOWN);
}

#[test]
fn subjects_are_indexed_and_the_distinguished_name_is_not() {
    let name = |text: &str| text.try_into().unwrap();
    let leaf = draft("common name", IsCa::NoCa).with(|params| {
        params.subject_alt_names = vec![
            SanType::URI(name("https://Example.com/x")),
            SanType::IpAddress("2001:db8::1".parse().unwrap()),
            SanType::IpAddress("192.0.2.1".parse().unwrap()),
            SanType::IpAddress("::ffff:192.0.2.2".parse().unwrap()),
            SanType::Rfc822Name(name("Some.One@Example.com")),
            SanType::DnsName(name("Example.COM")),
            SanType::OtherName((
                vec![1, 3, 6, 1, 4, 1, 57264, 1, 7],
                OtherNameValue::Utf8String("Büro!x.io".into()),
            )),
        ];
    });
    let text = pem_of(&[leaf.self_signed()]);
    let key = PublicKey::from_pem(text.as_bytes()).unwrap();
    assert_eq!(
        key.subjects(),
        [
            "Example.COM",
            "Some.One@Example.com",
            "2001:db8::1",
            "192.0.2.1",
            "192.0.2.2",
            "https://Example.com/x",
            "Büro!x.io",
        ]
    );
    let entry = admitted(&entry(&leaf, &[leaf.self_signed()]));
    assert_eq!(entry.index_keys()[1..3], ["example.com", "some.one@example.com"]);
    assert_eq!(entry.index_keys().len(), 9);
}

#[test]
fn malformed_keys_are_told_in_rekors_words() {
    let block = |label: &str, contents: &[u8]| {
        let mut text = String::new();
        pem::write(&mut text, label, contents);
        text
    };
    let spki = |hex_text: &str| block("PUBLIC KEY", &hex::decode(hex_text).unwrap());
    let good = Signer::p256().pem();
    let certificate = pem_of(&[authority("root").self_signed()]);
    let p256 = "3059301306072a8648ce3d020106082a8648ce3d030107034200";
    for (text, words) in [
        (String::new(), "invalid public key: failure decoding PEM"),
        ("not PEM".into(), "invalid public key: failure decoding PEM"),
        (block("RSA PUBLIC KEY", b"x"), "invalid public key: cannot handle type RSA PUBLIC KEY"),
        (format!("{good}\ntrailing"), "x509: malformed serial number"),
        (format!("{good}{good}"), "x509: malformed serial number"),
        (format!("{certificate}\ntrailing"), "error during PEM decoding"),
        (certificate.repeat(11), "too many certificates specified in PEM block"),
        (
            spki(&format!("3056301006072a8648ce3d020106052b8104000a034200{}", "04".repeat(65))),
            "x509: unsupported elliptic curve: secp256k1",
        ),
        (spki(&format!("{p256}02{}", "11".repeat(64))), "ecdsa: invalid uncompressed public key"),
        (
            spki(&format!(
                "{}04{}",
                "3058301306072a8648ce3d020106082a8648ce3d030107034100",
                "11".repeat(63)
            )),
            "invalid P256 point encoding",
        ),
        (
            spki(&format!("302a300506032b656e032100{}", "11".repeat(32))),
            "x509: unknown public key algorithm: X25519",
        ),
        (
            spki(&format!("302c300706032b65700500032100{}", "11".repeat(32))),
            "x509: Ed25519 key encoded with illegal parameters",
        ),
        (
            spki(&format!("3029300506032b6570032000{}", "11".repeat(31))),
            "x509: wrong Ed25519 public key size",
        ),
    ] {
        let found = PublicKey::from_pem(text.as_bytes()).err();
        assert_eq!(found.as_deref(), Some(words), "{text}");
    }
    for text in [block("PUBLIC KEY", b"x"), block("CERTIFICATE", b"x")] {
        assert!(PublicKey::from_pem(text.as_bytes()).err().unwrap().starts_with("x509: malformed"));
    }
}

#[test]
fn p224_keys_are_found_but_verify_nothing() {
    let point = "04".repeat(57);
    let mut text = String::new();
    let spki = format!("304e301006072a8648ce3d020106052b81040021033a00{point}");
    pem::write(&mut text, "PUBLIC KEY", &hex::decode(spki).unwrap());
    assert_eq!(public_key_index_keys("x509", text.as_bytes()).unwrap().len(), 2);
    let value = hashedrekord(&text, "sha256", &Signer::p256().sign(CONTENT));
    assert_eq!(refusal(&value), "entry algorithms are not allowed: ECDSA on P-224 with SHA-256");
}

#[test]
fn a_search_by_key_uses_both_spellings() {
    let pem = Signer::p256().pem();
    let hash = sha256_hex(pem.as_bytes());
    let keys = public_key_index_keys("x509", format!("text\n{pem}\n\n").as_bytes());
    assert_eq!(keys, Ok(vec![hash.clone(), format!("sha256:{hash}")]));
    for (format, words) in [
        ("pkcs7", "the PKI format requested is not supported by this server"),
        ("tuf", "public key provided could not be parsed"),
        ("x509", "public key provided could not be parsed"),
    ] {
        assert_eq!(public_key_index_keys(format, b"junk").unwrap_err().to_string(), words);
    }
    assert!(matches!(
        public_key_index_keys("x509", b"junk"),
        Err(SearchKeyError::Unparsable(text)) if text == "invalid public key: failure decoding PEM"
    ));
}

/// Fingerprints that `ssh-keygen -lf` prints for these keys.
#[test]
fn fingerprints_are_those_of_openssh() {
    for (spki, expected) in OPENSSH {
        let key = Key::from_spki(&hex::decode(spki).unwrap()).unwrap();
        assert_eq!(fingerprint(&key).as_deref(), Some(expected), "{key:?}");
    }
    assert_eq!(fingerprint(&Key::P224), None);
}

const OPENSSH: [(&str, &str); 4] = [
    (
        "3059301306072a8648ce3d020106082a8648ce3d0301070342000423323d435c46793d4c1b305c8b3c497366\
         bdf6748d71e72e643a58086afd96e91d3d93a0d530d4c49b8e193f886dba38bb78395a32c93da35a4ed33199\
         3bdc35",
        "SHA256:otYsh0tb7I83YYJkryFQNZrQUWd5zncovxhYsfOmdyY",
    ),
    (
        "3076301006072a8648ce3d020106052b81040022036200040e5366d7e86985739ad3997f70a0b9be13e114af\
         c492da726952a6da0582b2817986ee6060af6fecb4e97113a0eb7d34393aad6758bcf46349b5f54db154d150\
         88d1eeb8173ccc3401ee96bef29014f522f16fbe9439de8ab89346fb9ff16d37",
        "SHA256:D9wXC5w8f+akMAyl8T/8xyZvuv4QpecoDZWKqi78lh8",
    ),
    (
        "302a300506032b65700321006725572029cee1bee77c960e1713bb7c2052e00dd3c47c7e3b97be64590f6b9b",
        "SHA256:lHyxwTmuRB0RhY2uko15+CSUfdC6BsiCCGOSfTHln38",
    ),
    (
        "30819f300d06092a864886f70d010101050003818d0030818902818100d9ddf1427b28f8c9b5b80c53f17661\
         70d29a82ef796ac788632c4445872cacc42a513586a9df1a7bbe316c9ed04b37603da603c0756b179c8356e0\
         73b47b168c7479b905b1c00dfa95b0a4a922cd2093dc0f1e627a881b1dbf68244a0caad73f3d593f7eeaaebf\
         49f876c758022247c23680ff28021e4680ecea6fc91011e9590203010001",
        "SHA256:QQB9QkiHzkFskfKagWi5e57oKI8zUOio6lcH/ol+t80",
    ),
];
