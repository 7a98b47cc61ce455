//! A load generator for transparency logs (Rekor v1, Rekor v2, cairn.log.v1, tiles), which checks
//! the answers that it gets: a server that is fast and wrong fails. The rooms in the order in which
//! a run walks through them:
//!
//! | module | holds |
//! |---|---|
//! | [`plan`], [`server`] | log, loads, bounds: checked before anything starts |
//! | [`run`](mod@run) | what a plan asks for, and why there may be no report |
//! | [`rekor_v1`], [`rekor_v2`], [`append`], [`tiles`] | each API: what is asked, and is it true |
//! | [`entries`] | keys and signatures, made before the clock starts |
//! | [`overload`](mod@overload) | a closed loop, then open ones at multiples of what it reached |
//! | [`hostile`](mod@hostile) | the same load alone and beside a crowd that is slow or hostile |
//! | [`measure`](mod@measure) | one run with its clock |
//! | [`pace`] | when each request is due |
//! | [`drive`] | the timed path |
//! | [`client`], [`grpc`] | one HTTP/1.1 connection; one HTTP/2 connection |
//! | [`tally`] | what is noted while the clock runs |
//! | [`fault`], [`log_key`], [`verify`] | what can be wrong, and by which key |
//! | [`history`] | indices and heads over all runs |
//! | [`procfs`] | CPU time and memory of the server and of the generator |
//! | [`report`], [`progress`], [`random`](mod@random) | what people and scripts see; choices |
#![forbid(unsafe_code)]

pub mod mode;
pub mod plan;
pub mod server;
pub mod run;
pub mod rekor_v1;
pub mod rekor_v2;
pub mod append;
pub mod tiles;
pub mod overload;
pub mod hostile;
pub mod entries;
pub mod measure;
pub mod pace;
pub mod drive;
pub mod client;
pub mod grpc;
pub mod tally;
pub mod fault;
pub mod log_key;
pub mod verify;
pub mod history;
pub mod procfs;
pub mod report;
pub mod progress;
pub mod random;
