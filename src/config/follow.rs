//! Which logs are followed, and where from.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;

use super::Settings;
use crate::limits::FOLLOW_PAUSE_DEFAULT;

/// Where the logs are written that a replica follows.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum FollowSetting {
    /// A server, or an export behind a web server.
    Url(String),
    /// A folder into which files of `cairn export --bundle` are put.
    Inbox(PathBuf),
}

impl FromStr for FollowSetting {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once("://") {
            Some(("http" | "https", host)) if !host.is_empty() => Ok(Self::Url(text.to_owned())),
            None if !text.is_empty() => Ok(Self::Inbox(text.into())),
            _ => Err(format!("{text:?} is neither http(s)://HOST nor a folder")),
        }
    }
}

impl TryFrom<String> for FollowSetting {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// As it is set.
impl fmt::Display for FollowSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(url) => f.write_str(url),
            Self::Inbox(folder) => write!(f, "{}", folder.display()),
        }
    }
}

impl Settings {
    /// Time between two looks at the logs that are followed.
    pub fn follow_pause(&self) -> Duration {
        let set = self.follow_interval_ms.map(|ms| Duration::from_millis(ms.max(1)));
        set.unwrap_or(FOLLOW_PAUSE_DEFAULT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_or_a_folder() {
        let url = "https://log.example/team";
        assert_eq!(url.parse(), Ok(FollowSetting::Url(url.into())));
        assert_eq!("./inbox".parse(), Ok(FollowSetting::Inbox("./inbox".into())));
        for wrong in ["", "https://", "s3://bucket", "ftp://x"] {
            assert!(wrong.parse::<FollowSetting>().is_err(), "{wrong}");
        }
    }
}
