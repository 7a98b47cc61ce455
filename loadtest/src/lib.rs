//! A load generator for any Rekor v1 server, which checks the answers that it gets: a server that
//! is fast and wrong fails. The rooms in the order in which a run walks through them:
//!
//! | module | holds |
//! |---|---|
//! | [`plan`] | server, loads, bounds: checked before anything starts |
//! | [`run`](mod@run) | the order of things |
//! | [`entries`] | keys, signatures, proposals, made before the clock starts |
//! | [`pace`] | when each request is due |
//! | [`drive`] | the timed path |
//! | [`rekor_v1`] | what is asked of the server, and whether its answers are true |
//! | [`client`] | one HTTP/1.1 connection |
//! | [`tally`] | what is noted while the clock runs |
//! | [`procfs`] | CPU time and memory of the server and of the generator |
//! | [`report`], [`progress`] | what people and scripts see |
#![forbid(unsafe_code)]

pub mod plan;
pub mod run;
pub mod entries;
pub mod pace;
pub mod drive;
pub mod rekor_v1;
pub mod client;
pub mod tally;
pub mod procfs;
pub mod report;
pub mod progress;
