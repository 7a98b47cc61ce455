//! The rules of the house as a test: which room may name which, and how large things may grow.
//!
//! `ARCHITECTURE.md` says why. The scanners read text, not syntax: comments and literals are
//! blanked first. Not here: what clippy checks (clock, environment, unbounded queues).
#![allow(clippy::unwrap_used, reason = "a test says so by panicking")]

mod rules;
mod scan;

use std::fs;
use std::path::Path;

use rules::{DOORS, WALLS};
use scan::{code_only, functions, line_of, mentions, under, use_tree};

const FILE_LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 70;
const LINE_COLUMNS_MAX: usize = 100;
const ARCHITECTURE_LINES_MAX: usize = 200;

/// What no person writes.
const GENERATED: &str = "proto/src/gen";

#[test]
fn house_is_tidy() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["src", "tlog", "storage", "proto", "loadtest", "tests", "benches", "fuzz"] {
        sources(root, folder, &mut files);
    }
    assert!(files.len() > 50, "found only {files:?}");
    let mut all = Vec::new();
    for path in &files {
        all.extend(complaints(path, &fs::read_to_string(root.join(path)).unwrap()));
    }
    assert!(all.is_empty(), "\n{}\n", all.join("\n"));
}

#[test]
fn map_names_every_room_in_order() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let map = fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    let lines = map.lines().count();
    assert!(lines <= ARCHITECTURE_LINES_MAX, "ARCHITECTURE.md has {lines} lines");
    let mut names: Vec<String> = fs::read_dir(root.join("src"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|e| {
            format!("src/{}{}", e.file_name().display(), if e.path().is_dir() { "/" } else { "" })
        })
        .collect();
    names.sort();
    let mut rest = map.as_str();
    for name in names {
        let at = rest.find(&format!("| `{name}`"));
        rest = &rest[at.unwrap_or_else(|| panic!("{name} is not on the map, or out of order"))..];
    }
}

/// All that is wrong with one source file; `path` counts from the top of the repository.
fn complaints(path: &str, text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut say = |line: usize, what: String| out.push(format!("{path}:{line}: {what}"));
    if !text.starts_with("//!") {
        say(1, "does not open with a `//!` sign that says what is in it".into());
    }
    let lines = text.lines().count();
    if lines > FILE_LINES_MAX {
        say(lines, format!("{lines} lines, at most {FILE_LINES_MAX}: one room or several?"));
    }
    let code = code_only(text);
    for (at, (line, code)) in text.lines().zip(code.lines()).enumerate() {
        let columns = line.chars().count();
        let beside_a_literal = code.chars().filter(|c| *c != ' ').count();
        let is_literal = beside_a_literal < LINE_COLUMNS_MAX / 2 && !line.contains("// ");
        if columns > LINE_COLUMNS_MAX && !(is_literal && line.contains('"')) {
            say(at + 1, format!("{columns} columns, at most {LINE_COLUMNS_MAX}"));
        }
    }
    for (name, at, lines) in functions(&code) {
        if lines > FUNCTION_LINES_MAX {
            say(at, format!("fn {name} has {lines} lines, at most {FUNCTION_LINES_MAX}"));
        }
    }
    if let Some(module) = path.strip_prefix("src/") {
        for (at, named) in shut_doors(module, &code) {
            say(at, format!("has no door to `{named}` (see DOORS in tests/tidy)"));
        }
    }
    let apart = ["loadtest/", "fuzz/"].iter().any(|folder| path.starts_with(folder));
    if path.starts_with("src/") || path.contains("/src/") && !apart {
        for (name, places) in WALLS {
            let open = places.iter().any(|place| path.starts_with(place));
            for at in mentions(&code, name).filter(|_| !open) {
                say(line_of(&code, at), format!("`{name}` belongs to {places:?} alone"));
            }
        }
    }
    out
}

/// Paths into other rooms for which there is no door, with their lines.
fn shut_doors(file: &str, code: &str) -> Vec<(usize, String)> {
    let mut module: Vec<&str> = file.trim_end_matches(".rs").split('/').collect();
    module.pop_if(|last| *last == "mod");
    if module == ["lib"] {
        return Vec::new();
    }
    let room = module[0];
    let doors = DOORS.iter().find(|(name, _)| *name == room).map_or(&[][..], |(_, doors)| *doors);
    let is_room = |path: &str| DOORS.iter().any(|(name, _)| under(path, name));
    let is_open = |path: &str| under(path, room) || doors.iter().any(|door| under(path, door));
    let mut named = Vec::new();
    for prefix in ["crate::", "cairn::"] {
        for at in mentions(code, prefix) {
            named.extend(use_tree(&mut &code[at + prefix.len()..]).into_iter().map(|p| (at, p)));
        }
    }
    let to_the_top = "super::".repeat(module.len());
    for at in mentions(code, &to_the_top) {
        let after = &mut &code[at + to_the_top.len()..];
        named.extend(use_tree(after).into_iter().map(|path| (at, path)));
    }
    named.retain(|(_, path)| is_room(path) && !is_open(path));
    named.into_iter().map(|(at, path)| (line_of(code, at), path)).collect()
}

fn sources(root: &Path, folder: &str, files: &mut Vec<String>) {
    let Ok(entries) = fs::read_dir(root.join(folder)) else { return };
    for entry in entries.map(Result::unwrap) {
        let path = format!("{folder}/{}", entry.file_name().display());
        if entry.path().is_dir() && !path.ends_with("/target") && path != GENERATED {
            sources(root, &path, files);
        } else if path.ends_with(".rs") {
            files.push(path);
        }
    }
}

// The scanners themselves, on text that breaks each rule.

#[track_caller]
fn check(path: &str, code: &str, expected: &[&str]) {
    let found = complaints(path, &format!("//! A sign.\n{code}"));
    let hits = expected.iter().zip(&found).filter(|(want, got)| got.contains(**want)).count();
    assert!(hits == expected.len() && hits == found.len(), "{found:?} are not {expected:?}");
}

#[test]
fn doors_are_kept() {
    check("src/reader/mod.rs", "use crate::limits::CACHED_TILES_MAX;", &[]);
    check(
        "src/reader/mod.rs",
        "use crate::sequencer::Queue;",
        &["reader/mod.rs:2: has no door to `sequencer"],
    );
    check(
        "src/reader/tiles.rs",
        "use super::super::sequencer::Queue;",
        &["door to `sequencer::Queue`"],
    );
    check("src/reader/tiles.rs", "use super::View;", &[]);
    check("src/sequencer/queue.rs", "use crate::admission::AdmittedEntry;", &[]);
    check("src/sequencer/queue.rs", "use crate::admission;", &["door to `admission`"]);
    let grouped =
        "use crate::{limits::A, admission::{self, AdmittedEntry, kinds::{X, Policy as P}}};";
    let shut = ["`admission`", "`admission::kinds::X`", "`admission::kinds::Policy`"];
    check("src/sequencer/mod.rs", grouped, &shut);
    check("src/log.rs", "fn f() { crate::cli::run(); }", &["door to `cli::run`"]);
    check("src/attic.rs", "use crate::log::Log;", &["door to `log::Log`"]);
    check(
        "src/main.rs",
        "fn f() { cairn::cli::run(); cairn::log::open(); }",
        &["door to `log::open`"],
    );
}

#[test]
fn walls_stand() {
    check("src/frontend/grpc.rs", "use hyper::Request;", &[]);
    check("src/log.rs", "use hyper::Request;", &["`hyper::` belongs to"]);
    check("src/log.rs", "use proto::log_v1::Entry;", &["`proto::` belongs to"]);
    check("src/frontend/tiles/mod.rs", "use tonic::Status;", &["`tonic::` belongs to"]);
    check("src/log.rs", "fn f(s: &Store) { s.commit(head, batch); }", &["`.commit(`"]);
    check("src/cli/mod.rs", "fn f(s: &Store) {\n\n s.publish(x); }", &["mod.rs:4: `.publish(`"]);
    check("tlog/src/note.rs", "fn f() { std::fs::read(x); }", &["`std::fs`"]);
    check("storage/src/memory/mod.rs", "use aws_lc_rs::digest;", &["`aws_lc_rs::`"]);
    check("tests/it/main.rs", "use hyper::Request;", &[]);
}

#[test]
fn budgets_are_kept() {
    let lines = |n: usize| "\n".repeat(n);
    check("tlog/src/a.rs", &lines(FILE_LINES_MAX - 1), &[]);
    check("tlog/src/a.rs", &lines(FILE_LINES_MAX), &["401 lines"]);
    check("tlog/src/a.rs", &format!("fn short() {{{}}}", lines(FUNCTION_LINES_MAX - 1)), &[]);
    let long =
        format!("struct A;\nfn long(a: [u8; 2]) -> u8 {{ if a {{}}{}}}", lines(FUNCTION_LINES_MAX));
    check("tlog/src/a.rs", &long, &["a.rs:3: fn long has 71 lines"]);
    check("tlog/src/a.rs", &format!("fn declared();{}{{}}", lines(99)), &[]);
    check("tlog/src/a.rs", &"é".repeat(LINE_COLUMNS_MAX), &[]);
    check("tlog/src/a.rs", &"é".repeat(LINE_COLUMNS_MAX + 1), &["101 columns"]);
    check("tlog/src/a.rs", &format!("// \"{}\"", "é".repeat(LINE_COLUMNS_MAX)), &["105 columns"]);
    check("tlog/src/a.rs", &format!("call(\"{}\");", "é".repeat(LINE_COLUMNS_MAX)), &[]);
    assert_eq!(complaints("tlog/src/a.rs", "use x;\n//! late\n").len(), 1);
}

#[test]
fn comments_and_literals_are_no_code() {
    let quiet = [
        "// crate::log",
        "/* crate::log\n */",
        "\"crate::log \\\" crate::log\"",
        "r#\"crate::log\"\"#",
        "br\"crate::log\"",
        "'\"'; '\\''; '\\u{22}'",
        "mycrate::log",
        "hyper_crate::log",
    ];
    for text in quiet {
        check("src/reader/mod.rs", text, &[]);
    }
    let loud = "fn f<'a>(x: &'a str) { '\"'; crate::log::g(\"\"); }";
    check("src/reader/mod.rs", loud, &["`log::g`"]);
    assert_eq!(code_only("a\"é\n\"b"), "a  \n b");
}
