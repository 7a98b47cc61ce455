//! Nothing but tests: `tests/generate.rs` makes the Rust of the `.proto` files, `tests/wire.rs`
//! holds their names and numbers against those on the wire.
#![forbid(unsafe_code)]
