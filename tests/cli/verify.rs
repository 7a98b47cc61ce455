//! `cairn verify` on bundles of a running log: each part that is changed fails at its step, and
//! nothing is verified that nobody asked for.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::run::{Server, cairn, text};
use crate::signed::{IDENTITY, ISSUER, Signed, entry_of_v1};

/// A bundle, and whom to trust.
struct World {
    folder: PathBuf,
    signed: Signed,
    root: String,
    bundle: Value,
    _server: Server,
}

impl World {
    fn new(folder: &Path, log: &str, signed: Signed) -> Self {
        let data = folder.join("data");
        let server = Server::start(&data, &[]).unwrap();
        let (names, out) = (signed.arguments(), folder.join("entry.json"));
        let mut args: Vec<&str> = vec!["entry", "add", "--url", &server.url, "--log", log];
        args.extend(names.iter().map(String::as_str));
        args.extend(["--out", out.to_str().unwrap()]);
        let added = cairn(&args);
        assert!(added.status.success(), "{}", text(&added.stderr));
        let entry: Value = serde_json::from_slice(&fs::read(out).unwrap()).unwrap();
        let entry = if log == "v1" { entry_of_v1(&entry) } else { entry };

        let printed = cairn(&["trusted-root", "--data-dir", data.to_str().unwrap()]);
        let mut root: Value = serde_json::from_slice(&printed.stdout).unwrap();
        root["certificateAuthorities"] = signed.authorities();
        let path = folder.join("trusted_root.json");
        fs::write(&path, root.to_string()).unwrap();
        let (root, bundle) = (path.to_str().unwrap().to_owned(), signed.bundle(&entry));
        Self { folder: folder.into(), signed, root, bundle, _server: server }
    }

    /// Exit code, and the names of the steps by how they ended.
    fn verify(&self, bundle: &Value, more: &[&str]) -> (i32, Steps) {
        let file = self.folder.join("bundle.json");
        fs::write(&file, bundle.to_string()).unwrap();
        let file = file.to_str().unwrap();
        let args = [&["verify", file, "--trusted-root", &self.root, "--output", "json"], more];
        let output = cairn(&args.concat());
        let said: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| {
            panic!("{more:?}: {}{}", text(&output.stdout), text(&output.stderr))
        });
        assert_eq!(said["verified"], output.status.success());
        (output.status.code().unwrap(), Steps(said))
    }
}

/// What `--output json` says.
struct Steps(Value);

impl Steps {
    fn have(&self, step: &str, outcome: &str) -> bool {
        let steps = self.0["steps"].as_array().unwrap();
        steps.iter().any(|line| line["step"] == step && line["outcome"] == outcome)
    }
}

const ENTRY: &str = "/verificationMaterial/tlogEntries/0";

/// Changes one character in the middle of a text, or a number.
fn change(bundle: &mut Value, place: &str) {
    let value = bundle.pointer_mut(place).unwrap_or_else(|| panic!("no {place}"));
    let old = value.as_str().unwrap().to_owned();
    *value = match old.parse::<u64>() {
        Ok(number) => (number + 1).to_string().into(),
        Err(_) => {
            let at = old.len() / 2;
            let other = if old[at..].starts_with('A') { "B" } else { "A" };
            format!("{}{other}{}", &old[..at], &old[at + 1..]).into()
        }
    };
}

#[test]
fn a_bundle_of_the_v1_log_by_key() {
    let folder = tempfile::tempdir().unwrap();
    let signed = Signed::with_key(&folder.path().join("files"), "what was signed");
    let world = World::new(folder.path(), "v1", signed);
    let (artifact, key) = (world.signed.path("artifact"), world.signed.path("signer.pem"));
    let right = ["--artifact", &artifact, "--key", &key];
    let (code, steps) = world.verify(&world.bundle, &right);
    assert_eq!(code, 0, "{}", steps.0);
    for step in ["log", "promise", "inclusion", "checkpoint", "key", "signature", "entry"] {
        assert!(steps.have(step, "ok"), "{step}: {}", steps.0);
    }
    let digest = format!("sha256:{}", world.signed.sha256());
    assert_eq!(world.verify(&world.bundle, &["--artifact", &digest, "--key", &key]).0, 0);

    for (place, step) in [
        ("/messageSignature/signature", "signature"),
        ("/messageSignature/messageDigest/digest", "artifact"),
        (&format!("{ENTRY}/logId/keyId"), "log"),
        (&format!("{ENTRY}/integratedTime"), "promise"),
        (&format!("{ENTRY}/logIndex"), "promise"),
        (&format!("{ENTRY}/inclusionPromise/signedEntryTimestamp"), "promise"),
        (&format!("{ENTRY}/inclusionProof/rootHash"), "inclusion"),
        (&format!("{ENTRY}/inclusionProof/treeSize"), "inclusion"),
        (&format!("{ENTRY}/inclusionProof/checkpoint/envelope"), "checkpoint"),
    ] {
        let mut bundle = world.bundle.clone();
        change(&mut bundle, place);
        let (code, steps) = world.verify(&bundle, &right);
        assert!(code == 4 && steps.have(step, "failed"), "{place}: {code} {}", steps.0);
    }
    // What is missing.
    let (code, steps) = world.verify(&world.bundle, &["--artifact", &artifact]);
    assert!(code == 4 && steps.have("key", "failed"), "{}", steps.0);
    let (code, steps) = world.verify(&world.bundle, &["--key", &key]);
    assert!(code == 4 && steps.have("artifact", "failed"), "{}", steps.0);
    let mut bundle = world.bundle.clone();
    bundle.pointer_mut(ENTRY).unwrap().as_object_mut().unwrap().remove("inclusionProof").unwrap();
    let (code, steps) = world.verify(&bundle, &right);
    assert!(code == 4 && steps.have("inclusion", "failed"), "{}", steps.0);
}

#[test]
fn a_bundle_of_the_v1_log_by_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let signed = Signed::with_certificate(&folder.path().join("files"), "what was signed");
    let world = World::new(folder.path(), "v1", signed);
    let artifact = world.signed.path("artifact");
    let right = [
        "--artifact",
        &artifact,
        "--certificate-identity",
        IDENTITY,
        "--certificate-oidc-issuer",
        ISSUER,
    ];
    let (code, steps) = world.verify(&world.bundle, &right);
    assert_eq!(code, 0, "{}", steps.0);
    assert!(steps.have("certificate", "ok") && steps.have("sct", "not_checked"), "{}", steps.0);
    for (place, value) in [(3, "eve@example.com"), (5, "https://accounts.example.com.evil")] {
        let mut wrong = right;
        wrong[place] = value;
        let (code, steps) = world.verify(&world.bundle, &wrong);
        assert!(code == 4 && steps.have("identity", "failed"), "{}", steps.0);
    }
    let nobody = ["--artifact", &artifact];
    let (code, steps) = world.verify(&world.bundle, &nobody);
    assert!(code == 4 && steps.have("identity", "failed"), "{}", steps.0);
    let anybody = ["--artifact", &artifact, "--any-identity"];
    assert_eq!(world.verify(&world.bundle, &anybody).0, 0);

    // Without the promise nothing proves a time; by a log of v2 neither.
    let mut bundle = world.bundle.clone();
    bundle.pointer_mut(ENTRY).unwrap().as_object_mut().unwrap().remove("inclusionPromise").unwrap();
    let (code, steps) = world.verify(&bundle, &right);
    assert!(code == 4 && steps.have("time", "failed"), "{}", steps.0);

    // Of an authority that nobody trusts.
    let other = Signed::with_certificate(&folder.path().join("other"), "what was signed");
    let mut root: Value = serde_json::from_slice(&fs::read(&world.root).unwrap()).unwrap();
    root["certificateAuthorities"] = other.authorities();
    fs::write(&world.root, root.to_string()).unwrap();
    let (code, steps) = world.verify(&world.bundle, &right);
    assert!(code == 4 && steps.have("certificate", "failed"), "{}", steps.0);
}

#[test]
fn a_bundle_of_the_v2_log_by_key() {
    let folder = tempfile::tempdir().unwrap();
    let signed = Signed::with_key(&folder.path().join("files"), "what was signed");
    let world = World::new(folder.path(), "v2", signed);
    let (artifact, key) = (world.signed.path("artifact"), world.signed.path("signer.pem"));
    let right = ["--artifact", &artifact, "--key", &key];
    let (code, steps) = world.verify(&world.bundle, &right);
    assert_eq!(code, 0, "{}", steps.0);
    assert!(steps.have("promise", "not_checked"), "{}", steps.0);
    for (place, step) in [
        (format!("{ENTRY}/logId/keyId"), "log"),
        (format!("{ENTRY}/canonicalizedBody"), "inclusion"),
        (format!("{ENTRY}/inclusionProof/checkpoint/envelope"), "checkpoint"),
    ] {
        let mut bundle = world.bundle.clone();
        change(&mut bundle, &place);
        let (code, steps) = world.verify(&bundle, &right);
        assert!(code == 4 && steps.have(step, "failed"), "{place}: {code} {}", steps.0);
    }
}

#[test]
fn what_cannot_be_judged_is_said_before() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.json");
    let file = file.to_str().unwrap();
    let code = |args: &[&str]| {
        let output = cairn(args);
        (output.status.code().unwrap(), text(&output.stdout) + &text(&output.stderr))
    };
    let (found, said) = code(&["verify", file]);
    assert!(found == 2 && said.contains("no log is trusted"), "{found} {said}");
    let key = folder.path().join("log.pub");
    let made = cairn(&["keygen", "--out", folder.path().join("log.key").to_str().unwrap()]);
    fs::write(&key, made.stdout).unwrap();
    let key = key.to_str().unwrap();
    let (found, said) = code(&["verify", file, "--log-key", key]);
    assert!(found == 3 && said.contains("x.json"), "{found} {said}");
    let (found, said) = code(&["verify", file, "--log-key", file]);
    assert_eq!(found, 3, "{said}");
    for text in ["", "{}", "[]", "null", "c2sp.org/tlog-proof@v1\n", "{\"mediaType\":1}"] {
        fs::write(file, text).unwrap();
        let (found, said) = code(&["verify", file, "--log-key", key]);
        assert!(found == 4 && said.contains("FAILED       format"), "{text:?}: {found} {said}");
    }
}
