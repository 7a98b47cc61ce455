//! The kinds of entries: one file for each kind and version, and the table that names them.
//!
//! A further kind is a new file, its `mod` line and its row in [`TABLE`].

mod alpine_v001;
mod cose_v001;
mod dsse_v001;
mod hashedrekord_v001;
mod helm_v001;
mod intoto_v001;
mod intoto_v002;
mod jar_v001;
mod rekord_v001;
mod rfc3161_v001;
mod rpm_v001;
mod tuf_v001;

mod alpine_gzip;
mod alpine_package;
mod alpine_pkginfo;
mod alpine_tar;
mod cose_message;
mod envelope;
mod jar_archive;
mod jar_manifest;
mod rpm_package;
pub(crate) mod statement;

use storage::Attestation;

use super::pki::key::{HashAlgorithm, Key};
use super::schema::Members;
use super::{Policy, Rejection};

/// Every kind and version of this build.
const TABLE: &[KindVersion] = &[
    hashedrekord_v001::KIND,
    dsse_v001::KIND,
    intoto_v001::KIND,
    intoto_v002::KIND,
    rekord_v001::KIND,
    helm_v001::KIND,
    rpm_v001::KIND,
    rfc3161_v001::KIND,
    jar_v001::KIND,
    cose_v001::KIND,
    tuf_v001::KIND,
    alpine_v001::KIND,
];

/// How one kind and version is read.
pub(crate) struct KindVersion {
    pub(crate) kind: &'static str,
    pub(crate) version: &'static str,
    /// Reads a spec: its schema, its own rules, and for most kinds its signatures.
    pub(crate) decode: for<'a> fn(&'a Members) -> Result<Box<dyn Entry + 'a>, Rejection>,
}

/// A decoded entry, either as proposed or in its stored form.
pub(crate) trait Entry {
    /// Whether it holds all that an insertion needs; stored forms do not. The error is the reason.
    fn check_insertable(&self) -> Result<(), &'static str>;

    /// What the algorithm policy judges; `None` where it does not apply.
    fn signed_with(&self) -> Option<(&Key, HashAlgorithm)> {
        None
    }

    /// The leaf and what goes with it. Kinds that could not verify their signatures when they were
    /// decoded do it here.
    fn canonicalise(self: Box<Self>, context: &Context<'_>) -> Result<Canonical, Rejection>;
}

/// What is known beside the proposal.
pub(crate) struct Context<'a> {
    pub(crate) policy: &'a Policy,
    /// The largest attestation that is wanted, in bytes.
    pub(crate) attestation_bytes_max: Option<usize>,
    /// Seconds since 1970; `None` where an entry is only looked for, which may have expired since.
    pub(crate) now: Option<i64>,
}

/// What an entry becomes.
pub(crate) struct Canonical {
    pub(crate) body: Vec<u8>,
    /// As the kind makes them: not yet in lower case.
    pub(crate) index_keys: Vec<String>,
    pub(crate) attestation: Option<Attestation>,
}

pub(crate) fn find(kind: &str, version: &str) -> Option<&'static KindVersion> {
    TABLE.iter().find(|row| row.kind == kind && row.version == version)
}
