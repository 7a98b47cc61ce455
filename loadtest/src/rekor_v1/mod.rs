//! Rekor v1: what is asked of the server, and whether its answers are true.
//!
//! | module | holds |
//! |---|---|
//! | [`writer`], [`reader`] | what is asked of the server |
//! | [`check`], [`wire`] | whether an answer is true |
//! | [`audit`] | which answers are verified afterwards, and what else must hold |

pub mod writer;
pub mod reader;
pub mod check;
pub mod wire;
pub mod audit;
