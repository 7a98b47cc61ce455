//! Settings that are one of a few words.

use clap::ValueEnum;
use serde::Deserialize;

/// What a writer is told whose entry is in the log already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum DuplicatesSetting {
    /// 409, and where it is.
    Conflict,
    /// The entry, with a fresh proof.
    ReturnExisting,
}

/// What happens to a checkpoint that is short of the witnesses' quorum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum WitnessMode {
    /// It is published with the cosignatures that there are.
    Publish,
    /// It is not published until there is a quorum; writers wait, and are told so after a while.
    Wait,
    /// The log stops writing.
    Stop,
}

/// Form of the log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}
