//! An artifact that somebody signed, as files: with a key alone, or with a certificate of an
//! authority of its own; and bundles made of what a log answers.

use std::fs;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use cairn::publisher::signer::public_key_pem;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, SanType,
};
use serde_json::{Value, json};

pub(crate) const IDENTITY: &str = "dev@example.com";
pub(crate) const ISSUER: &str = "https://accounts.example.com";

/// Files of one signature.
pub(crate) struct Signed {
    folder: PathBuf,
    content: Vec<u8>,
    pub(crate) signature: Vec<u8>,
    certificate: Option<Vec<u8>>,
    authority: Vec<u8>,
}

impl Signed {
    /// Signs with a new key: `artifact`, `artifact.sig` and `signer.pem` in the folder.
    pub(crate) fn with_key(folder: &Path, content: &str) -> Self {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        let spki: PublicKeyX509Der<'_> = key.public_key().as_der().unwrap();
        let signature = key.sign(&SystemRandom::new(), content.as_bytes()).unwrap();
        let signature = signature.as_ref().to_vec();
        Self::write(folder, content, signature, &public_key_pem(spki.as_ref()), None, Vec::new())
    }

    /// Signs with a key that a certificate of a new authority is for.
    pub(crate) fn with_certificate(folder: &Path, content: &str) -> Self {
        let authority_key = KeyPair::generate().unwrap();
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        authority.distinguished_name.push(rcgen::DnType::CommonName, "authority");
        let root = authority.self_signed(&authority_key).unwrap();
        let issuer = Issuer::new(authority, authority_key);

        let key = KeyPair::generate().unwrap();
        let mut leaf = CertificateParams::new(Vec::new()).unwrap();
        leaf.distinguished_name = rcgen::DistinguishedName::new();
        leaf.subject_alt_names = vec![SanType::Rfc822Name(IDENTITY.try_into().unwrap())];
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
        let text = [&[0x0c, ISSUER.len() as u8], ISSUER.as_bytes()].concat();
        leaf.custom_extensions =
            vec![CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 57264, 1, 8], text)];
        let certificate = leaf.signed_by(&key, &issuer).unwrap();

        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, key.serialized_der());
        let signature = pair.unwrap().sign(&SystemRandom::new(), content.as_bytes()).unwrap();
        let signature = signature.as_ref().to_vec();
        let der = Some(certificate.der().to_vec());
        Self::write(folder, content, signature, &certificate.pem(), der, root.der().to_vec())
    }

    fn write(
        folder: &Path,
        content: &str,
        signature: Vec<u8>,
        pem: &str,
        certificate: Option<Vec<u8>>,
        authority: Vec<u8>,
    ) -> Self {
        fs::create_dir_all(folder).unwrap();
        fs::write(folder.join("artifact"), content).unwrap();
        fs::write(folder.join("artifact.sig"), BASE64.encode(&signature)).unwrap();
        fs::write(folder.join("signer.pem"), pem).unwrap();
        let content = content.as_bytes().to_vec();
        Self { folder: folder.into(), content, signature, certificate, authority }
    }

    /// The path of one of the files.
    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.join(name).to_str().unwrap().to_owned()
    }

    /// The arguments that name all of them.
    pub(crate) fn arguments(&self) -> [String; 6] {
        let flag = |flag: &str, file: &str| [flag.to_owned(), self.path(file)];
        let [a, b] = flag("--artifact", "artifact");
        let [c, d] = flag("--signature", "artifact.sig");
        let [e, f] = flag("--public-key", "signer.pem");
        [a, b, c, d, e, f]
    }

    pub(crate) fn sha256(&self) -> String {
        hex::encode(digest(&SHA256, &self.content))
    }

    /// A bundle with this `TransparencyLogEntry`.
    pub(crate) fn bundle(&self, entry: &Value) -> Value {
        let mut material = json!({ "tlogEntries": [entry] });
        match &self.certificate {
            Some(der) => material["certificate"] = json!({ "rawBytes": BASE64.encode(der) }),
            None => material["publicKey"] = json!({ "hint": "it" }),
        }
        json!({
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": material,
            "messageSignature": {
                "messageDigest": {
                    "algorithm": "SHA2_256",
                    "digest": BASE64.encode(digest(&SHA256, &self.content)),
                },
                "signature": BASE64.encode(&self.signature),
            },
        })
    }

    /// The authorities of a trusted root: the one that issued the certificate, if there is one.
    pub(crate) fn authorities(&self) -> Value {
        if self.certificate.is_none() {
            return json!([]);
        }
        json!([{
            "subject": { "organization": "", "commonName": "authority" },
            "uri": "https://fulcio.example",
            "certChain": { "certificates": [{ "rawBytes": BASE64.encode(&self.authority) }] },
            "validFor": { "start": "2020-01-01T00:00:00Z" },
        }])
    }
}

/// What Rekor v1 answers, as a `TransparencyLogEntry`.
pub(crate) fn entry_of_v1(answer: &Value) -> Value {
    let entry = answer.as_object().unwrap().values().next().unwrap();
    let proof = &entry["verification"]["inclusionProof"];
    let base64 = |hex: &Value| BASE64.encode(hex::decode(hex.as_str().unwrap()).unwrap());
    let hashes: Vec<String> = proof["hashes"].as_array().unwrap().iter().map(base64).collect();
    json!({
        "logIndex": entry["logIndex"].to_string(),
        "logId": { "keyId": base64(&entry["logID"]) },
        "kindVersion": { "kind": "hashedrekord", "version": "0.0.1" },
        "integratedTime": entry["integratedTime"].to_string(),
        "inclusionPromise": {
            "signedEntryTimestamp": entry["verification"]["signedEntryTimestamp"],
        },
        "inclusionProof": {
            "logIndex": proof["logIndex"].to_string(),
            "rootHash": base64(&proof["rootHash"]),
            "treeSize": proof["treeSize"].to_string(),
            "hashes": hashes,
            "checkpoint": { "envelope": proof["checkpoint"] },
        },
        "canonicalizedBody": entry["body"],
    })
}
