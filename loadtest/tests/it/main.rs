//! The generator as its users meet it: checks that must refuse false answers, and the program
//! itself against a small server that is correct or wrong in one way.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod check;
mod check_v2;
mod end_to_end;
mod end_to_end_v2;
mod fake_log;
mod fake_server;
mod fake_v2;
mod tree;
