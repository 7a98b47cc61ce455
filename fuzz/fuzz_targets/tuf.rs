//! Any TUF metadata is judged without a panic, whatever the root, and the form that is logged is a
//! proposal of the same entry. A root that an entry is made with is one that can be searched for.
#![no_main]

use cairn::admission::public_key_index_keys;
use cairn_fuzz::{encode, judge, parts};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

fuzz_target!(|input: &[u8]| {
    let Some([root, metadata]) = parts(input) else { return };
    let keys = public_key_index_keys("tuf", root);
    let content = |text| json!({"content": encode(text)});
    let spec = json!({"metadata": content(metadata), "root": content(root)});
    if let Some(entry) = judge("tuf", spec) {
        assert!(keys.is_ok_and(|keys| entry.index_keys().contains(&keys[0])));
        let stored: Value = serde_json::from_slice(entry.body()).unwrap();
        let again = judge("tuf", stored["spec"].clone());
        assert_eq!(again.map(|again| again.leaf_hash()), Some(entry.leaf_hash()));
    }
});
