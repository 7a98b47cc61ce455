//! Key formats: one file each, and the table that names them.
//!
//! A format turns a key into its canonical value and subjects, and checks a signature over content.
//! Entry kinds that know only one format (hashedrekord, dsse, intoto) use `x509` directly.

pub(crate) mod chain;
pub(crate) mod der;
pub(crate) mod key;
pub(crate) mod legacy;
pub(crate) mod pem;
pub(crate) mod pgp;
pub(crate) mod pkcs7;
pub(crate) mod ssh_key;
pub(crate) mod subjects;
pub(crate) mod tuf;
pub(crate) mod x509;

mod minisign;
mod names;
mod prehashed;
mod ssh;

/// A key as it goes into the log and the index.
pub(crate) struct CanonicalKey {
    /// The bytes that are logged.
    pub(crate) value: Vec<u8>,
    /// The names it speaks for.
    pub(crate) subjects: Vec<String>,
}

/// A signature and its key, checked against content.
pub(crate) struct Verified {
    /// The signature as it is logged.
    pub(crate) signature: Vec<u8>,
    /// The key that made it.
    pub(crate) key: CanonicalKey,
}

/// One key format. Errors are texts for the client.
pub(crate) struct Format {
    pub(crate) name: &'static str,
    /// Reads a key.
    pub(crate) read_key: fn(key: &[u8]) -> Result<CanonicalKey, String>,
    /// Checks a detached signature over content.
    pub(crate) verify: Verify,
}

type Verify = fn(content: &[u8], signature: &[u8], key: &[u8]) -> Result<Verified, String>;

/// The formats, in which searches by public key may be, too.
const FORMATS: &[Format] = &[x509::FORMAT, pgp::FORMAT, minisign::FORMAT, ssh::FORMAT, tuf::FORMAT];

/// The formats that a rekord may name, in the order in which clients are told of them.
pub(crate) const REKORD_FORMATS: [&str; 4] = ["pgp", "minisign", "x509", "ssh"];

/// The format of that name.
pub(crate) fn format(name: &str) -> Option<&'static Format> {
    FORMATS.iter().find(|format| format.name == name)
}
