//! What was signed, as its digests; the bytes themselves only where a signature needs them.

use aws_lc_rs::digest::Context;

use crate::admission::pki::key::{HashAlgorithm, Key};

const HASHES: [HashAlgorithm; 3] =
    [HashAlgorithm::Sha256, HashAlgorithm::Sha384, HashAlgorithm::Sha512];

/// An artifact.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Artifact {
    digests: Vec<(HashAlgorithm, Vec<u8>)>,
    content: Option<Vec<u8>>,
}

/// An artifact that is read piece by piece.
pub struct ArtifactReader(Vec<(HashAlgorithm, Context)>);

impl Default for ArtifactReader {
    fn default() -> Self {
        Self(HASHES.iter().map(|hash| (*hash, Context::new(hash.digest_algorithm()))).collect())
    }
}

impl ArtifactReader {
    /// Takes the next piece.
    pub fn update(&mut self, bytes: &[u8]) {
        for (_, context) in &mut self.0 {
            context.update(bytes);
        }
    }

    /// The artifact without its bytes: signatures that are over those (pure Ed25519) cannot be
    /// checked with it.
    pub fn finish(self) -> Artifact {
        let digests = self.0.into_iter();
        let digests = digests.map(|(hash, context)| (hash, context.finish().as_ref().to_vec()));
        Artifact { digests: digests.collect(), content: None }
    }
}

impl Artifact {
    /// An artifact whose bytes are at hand.
    pub fn of(content: Vec<u8>) -> Self {
        let mut reader = ArtifactReader::default();
        reader.update(&content);
        Self { content: Some(content), ..reader.finish() }
    }

    /// An artifact by its digest alone: `sha256:…`, `sha384:…` or `sha512:…` in hexadecimal. `None`
    /// for anything else.
    pub fn from_digest(text: &str) -> Option<Self> {
        let (name, digits) = text.split_once(':')?;
        let hash = HashAlgorithm::named(name)?;
        let digest = hex::decode(digits).ok().filter(|digest| digest.len() == hash.output_len())?;
        Some(Self { digests: vec![(hash, digest)], content: None })
    }

    /// One of its digests, if it is known.
    pub(super) fn digest(&self, wanted: HashAlgorithm) -> Option<&[u8]> {
        let found = self.digests.iter().find(|(hash, _)| *hash == wanted);
        found.map(|(_, digest)| digest.as_slice())
    }

    /// Whether a digest, by the name of its algorithm and in hexadecimal, is one of its own; `None`
    /// if that one is not known.
    pub(super) fn has_digest(&self, name: &str, digits: &str) -> Option<bool> {
        let own = self.digest(HashAlgorithm::named(name)?)?;
        Some(hex::decode(digits).is_ok_and(|digest| digest == own))
    }

    /// `sha256:…`, or what else is known of it.
    pub fn describe(&self) -> String {
        let first = self.digests.first();
        first.map_or_else(String::new, |(hash, digest)| {
            format!("{}:{}", hash.name(), hex::encode(digest))
        })
    }

    /// The hash and digest that a signature is over, if it is one by this key over a digest.
    pub(crate) fn hash_under(&self, key: &Key, signature: &[u8]) -> Option<(HashAlgorithm, &[u8])> {
        let found = self.digests.iter().find(|(hash, digest)| {
            let goes_with = !matches!(key, Key::Ed25519(_)) || *hash == HashAlgorithm::Sha512;
            goes_with && key.verify_digest(*hash, digest, signature).is_ok()
        });
        found.map(|(hash, digest)| (*hash, digest.as_slice()))
    }

    /// Checks a signature over it, and says what the signature is over. ECDSA and RSA go with any
    /// of the three hashes; an Ed25519 signature is over SHA-512 (Ed25519ph) or over the bytes.
    ///
    /// # Errors
    /// Why it does not count.
    pub(super) fn verify(&self, key: &Key, signature: &[u8]) -> Result<String, String> {
        let is_ed25519 = matches!(key, Key::Ed25519(_));
        let mut last = "there is no digest that it could be over".to_owned();
        for (hash, digest) in &self.digests {
            if is_ed25519 && *hash != HashAlgorithm::Sha512 {
                continue;
            }
            match key.verify_digest(*hash, digest, signature) {
                Ok(()) => return Ok(format!("{} with {}", key, hash.title())),
                Err(error) => last = error.to_string(),
            }
        }
        match &self.content {
            Some(content) if is_ed25519 => key
                .verify_content(content, signature)
                .map(|()| key.to_string())
                .map_err(|error| error.to_string()),
            None if is_ed25519 => {
                Err("an Ed25519 signature may be over the bytes: they are needed, not a digest or \
                     a file this large"
                    .into())
            }
            _ => Err(last),
        }
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer as _, SigningKey};

    use super::*;

    #[test]
    fn pieces_make_the_whole() {
        let content: Vec<u8> = (0..=255).collect();
        let whole = Artifact::of(content.clone());
        let mut reader = ArtifactReader::default();
        content.chunks(7).for_each(|piece| reader.update(piece));
        assert_eq!(reader.finish().digests, whole.digests);
        let named = Artifact::from_digest(&whole.describe()).unwrap();
        assert_eq!(named.digests, whole.digests[..1]);
        for text in ["", "sha256", "sha256:00", "md5:00000000000000000000000000000000", "sha256:zz"]
        {
            assert_eq!(Artifact::from_digest(text), None, "{text}");
        }
    }

    #[test]
    fn ed25519_is_over_the_bytes_or_sha512() {
        let signer = SigningKey::from_bytes(&[7; 32]);
        let key = Key::Ed25519(signer.verifying_key().to_bytes());
        let content = b"what was signed".to_vec();
        let signature = signer.sign(&content).to_bytes();
        let whole = Artifact::of(content);
        assert_eq!(whole.verify(&key, &signature), Ok("Ed25519".into()));
        let digests = Artifact { content: None, ..whole.clone() };
        assert!(digests.verify(&key, &signature).unwrap_err().contains("bytes"));
        assert!(Artifact::of(b"something else".to_vec()).verify(&key, &signature).is_err());
        assert!(whole.hash_under(&key, &signature).is_none(), "no log takes it as a hashedrekord");
    }
}
