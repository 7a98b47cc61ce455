//! The cases of the conformance suite as they lie in `../shared/vectors/bundle-verify`: what each
//! brings, and what it leaves to the suite's defaults.

use std::fs;
use std::path::{Path, PathBuf};

use cairn::verify::{Artifact, Demand, Report, Request, TrustRoot, TrustRootError, verify};

pub(crate) const IDENTITY: &str = "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main";
pub(crate) const ISSUER: &str = "https://token.actions.githubusercontent.com";

/// This case's root is the public one, with an end to the validity of its first log.
const WITH_PUBLIC_ROOT: &str = "trust-root-tlog-validity-end-inclusive";

/// After all of them were made.
pub(crate) const NOW: i64 = 1_790_000_000;

/// A case.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) bundle: Vec<u8>,
    pub(crate) root: Vec<u8>,
    pub(crate) artifact: Vec<u8>,
    pub(crate) key: Option<Vec<u8>>,
}

impl Case {
    pub(crate) fn must_verify(&self) -> bool {
        !self.name.ends_with("_fail")
    }

    /// Its trusted root, if that is one.
    pub(crate) fn root(&self) -> Result<TrustRoot, TrustRootError> {
        TrustRoot::parse(&self.root)
    }

    /// Verified as it is.
    pub(crate) fn verify(&self) -> Report {
        self.verify_bundle(&self.bundle)
    }

    /// The same with another bundle.
    pub(crate) fn verify_bundle(&self, bundle: &[u8]) -> Report {
        let mut demand = Demand::default();
        match &self.key {
            Some(key) => demand.set_key(key).unwrap(),
            None => {
                (demand.identity, demand.issuer) = (Some(IDENTITY.into()), Some(ISSUER.into()));
            }
        }
        self.judge(bundle, &demand)
    }

    /// The same by what somebody else expects.
    pub(crate) fn verify_for(&self, demand: &Demand) -> Report {
        self.judge(&self.bundle, demand)
    }

    fn judge(&self, bundle: &[u8], demand: &Demand) -> Report {
        // Nothing is verified by a root that is refused.
        let Ok(trust) = self.root() else { return Report::default() };
        verify(&Request {
            file: bundle,
            leaf: None,
            artifact: Some(&Artifact::of(self.artifact.clone())),
            trust: &trust,
            demand,
            policy: None,
            now: NOW,
        })
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/vectors/bundle-verify")
}

/// The public root: that of one case without the end that the case gave it.
fn public_root() -> Vec<u8> {
    let text = fs::read(folder().join(WITH_PUBLIC_ROOT).join("trusted_root.json")).unwrap();
    let mut root: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let valid_for = &mut root["tlogs"][0]["publicKey"]["validFor"];
    assert!(valid_for.as_object_mut().unwrap().remove("end").is_some());
    root.to_string().into_bytes()
}

/// All cases; none, with a word, where the vectors are not there.
pub(crate) fn all() -> Vec<Case> {
    let folder = folder();
    let Ok(entries) = fs::read_dir(&folder) else {
        eprintln!("SKIPPED: the bundles are not at ../shared/vectors/bundle-verify");
        return Vec::new();
    };
    let mut cases = Vec::new();
    for entry in entries.map(Result::unwrap).filter(|entry| entry.path().is_dir()) {
        let read = |name: &str| fs::read(entry.path().join(name)).ok();
        cases.push(Case {
            name: entry.file_name().into_string().unwrap(),
            bundle: read("bundle.sigstore.json").unwrap(),
            root: read("trusted_root.json").unwrap_or_else(public_root),
            artifact: read("artifact").unwrap_or_else(|| fs::read(folder.join("a.txt")).unwrap()),
            key: read("key.pub"),
        });
    }
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    cases
}
