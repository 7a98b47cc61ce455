//! Where logs are exported to.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;

use super::Settings;
use crate::limits::EXPORT_INTERVAL_DEFAULT;

/// The settings of buckets, which keep the names that AWS's own tools gave them.
const AWS: &str = "AWS_";

/// A destination of exports.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum ExportSetting {
    /// A folder, which a web server reads.
    Folder(PathBuf),
    /// A bucket that speaks S3.
    Bucket {
        /// Its name.
        bucket: String,
        /// Where in it; may be empty.
        prefix: String,
    },
}

impl FromStr for ExportSetting {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is neither a folder nor s3://BUCKET/PREFIX");
        let Some(place) = text.strip_prefix("s3://") else {
            let folder = !text.is_empty() && !text.contains("://");
            return if folder { Ok(Self::Folder(text.into())) } else { Err(wrong()) };
        };
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if bucket.is_empty() || !bucket.chars().all(named) || prefix.contains(['?', '#']) {
            return Err(wrong());
        }
        Ok(Self::Bucket { bucket: bucket.into(), prefix: prefix.trim_end_matches('/').into() })
    }
}

impl TryFrom<String> for ExportSetting {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// As it is set.
impl fmt::Display for ExportSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => path.display().fmt(f),
            Self::Bucket { bucket, prefix } if prefix.is_empty() => write!(f, "s3://{bucket}"),
            Self::Bucket { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
        }
    }
}

/// What the environment says of buckets: endpoint, region, keys. Never shown.
pub struct BucketSettings(Vec<(String, String)>);

impl BucketSettings {
    /// Names and values of all variables that begin with `AWS_`.
    pub fn from_environment() -> Self {
        let known = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        Self(known.filter(|(name, _)| name.starts_with(AWS)).collect())
    }

    /// Name and value of each.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl Settings {
    /// Time between two exports of a log, at least.
    pub fn export_interval(&self) -> Duration {
        self.export_interval_ms.map_or(EXPORT_INTERVAL_DEFAULT, Duration::from_millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_or_a_bucket() {
        let bucket = |bucket: &str, prefix: &str| {
            Ok(ExportSetting::Bucket { bucket: bucket.into(), prefix: prefix.into() })
        };
        assert_eq!("s3://logs".parse(), bucket("logs", ""));
        assert_eq!("s3://logs/a/b/".parse(), bucket("logs", "a/b"));
        for folder in ["./out", "/srv/logs", "out"] {
            assert_eq!(folder.parse(), Ok(ExportSetting::Folder(folder.into())));
        }
        for wrong in ["", "s3://", "s3:///x", "s3://key:secret@host/x", "gs://logs", "s3://a/b?c"] {
            let error = wrong.parse::<ExportSetting>().unwrap_err();
            assert!(error.contains("s3://BUCKET"), "{error}");
        }
        for text in ["s3://logs", "s3://logs/a/b", "/srv/logs"] {
            assert_eq!(text.parse::<ExportSetting>().unwrap().to_string(), text);
        }
    }
}
