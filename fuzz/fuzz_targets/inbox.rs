//! Files of an inbox: any bytes are an archive or none, and reading them takes no more memory than
//! was allowed.
#![no_main]

use std::sync::LazyLock;

use cairn::follow::Inbox;
use libfuzzer_sys::fuzz_target;

static FILE: LazyLock<std::path::PathBuf> =
    LazyLock::new(|| std::env::temp_dir().join(format!("cairn-fuzz-{}.tar", std::process::id())));

fuzz_target!(|bytes: &[u8]| {
    std::fs::write(&*FILE, bytes).unwrap();
    let inbox = Inbox::new(FILE.clone());
    for path in ["logs.json", "logs/a/checkpoint", "a", ""] {
        if let Ok(Some(found)) = inbox.read(path, 4096) {
            assert!(found.len() <= 4096 && found.len() <= bytes.len());
        }
    }
});
