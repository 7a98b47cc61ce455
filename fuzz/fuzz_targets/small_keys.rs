//! Any signature and key of minisign, signify and OpenSSH are judged without a panic. A key that an
//! entry is made with is one that can be searched for.
#![no_main]

use cairn::admission::public_key_index_keys;
use cairn_fuzz::{encode, judge, parts};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

fuzz_target!(|input: &[u8]| {
    let Some([how, signature, key, content]) = parts(input) else { return };
    let how = how.first().copied().unwrap_or_default();
    let (ssh, framed) = (how & 1 == 1, how & 2 == 2);
    let format = if ssh { "ssh" } else { "minisign" };
    // Some inputs are what is inside the outer encodings, which a fuzzer finds hard to make.
    let (signature, key) = match (framed, ssh) {
        (false, _) => (signature.to_vec(), key.to_vec()),
        (true, true) => {
            let begin = "-----BEGIN SSH SIGNATURE-----";
            let end = "-----END SSH SIGNATURE-----";
            let signature = format!("{begin}\n{}\n{end}\n", encode(signature));
            (signature.into_bytes(), format!("ssh-ed25519 {}", encode(key)).into_bytes())
        }
        (true, false) => {
            let signature = format!("untrusted comment:\n{}\n", encode(signature));
            (signature.into_bytes(), format!("c\n{}\n", encode(key)).into_bytes())
        }
    };
    let keys = public_key_index_keys(format, &key);
    let spec = json!({
        "data": {"content": encode(content)},
        "signature": {"format": format, "content": encode(&signature),
                      "publicKey": {"content": encode(&key)}},
    });
    if let Some(entry) = judge("rekord", spec) {
        assert!(keys.is_ok_and(|keys| entry.index_keys().contains(&keys[0])));
    }
});
