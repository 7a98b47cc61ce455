//! The committed Rust is what the `.proto` files make. `make proto` writes it anew.
#![allow(clippy::unwrap_used, reason = "a test says so by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

const FILES: [&str; 2] = ["rekor/v2/rekor_service.proto", "cairn/log/v1/log.proto"];

/// Generates all files, by name.
fn generate(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let includes = [root.join("proto")];
    let mut compiler = protox::Compiler::new(includes).unwrap();
    compiler.include_imports(true).include_source_info(true).open_files(FILES).unwrap();
    let descriptors = compiler.file_descriptor_set();
    let folder = tempfile::tempdir().unwrap();
    tonic_prost_build::configure()
        .out_dir(folder.path())
        .bytes(".")
        .build_transport(false)
        .compile_fds(descriptors)
        .unwrap();
    let mut files = BTreeMap::new();
    for file in fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap();
        let name = file.file_name().into_string().unwrap();
        if !name.starts_with("google.protobuf") {
            files.insert(name, fs::read(file.path()).unwrap());
        }
    }
    files.insert("descriptors.bin".into(), compiler.encode_file_descriptor_set());
    files
}

#[test]
fn the_committed_files_are_what_is_generated() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let committed = root.join("src/gen");
    let generated = generate(root);
    if std::env::var_os("CAIRN_GENERATE").is_some() {
        for (name, bytes) in &generated {
            fs::write(committed.join(name), bytes).unwrap();
        }
    }
    for (name, bytes) in &generated {
        let found = fs::read(committed.join(name)).unwrap_or_default();
        assert!(found == *bytes, "{name} is not what the .proto files make: run `make proto`");
    }
    let files = fs::read_dir(committed).unwrap().count();
    assert_eq!(files, generated.len(), "a file in src/gen is not generated any more");
}
