//! Exports into a bucket that speaks S3.
//!
//! Checkpoints are written on the condition that nobody else wrote one since (`If-Match`), so that
//! of several exporters none moves it back. Requests are signed, and tried again, by
//! `object_store`.

use std::fmt::Display;

use async_trait::async_trait;
use bytes::Bytes;
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey};
use object_store::path::Path;
use object_store::{Attribute, Attributes, ClientOptions, Error, ObjectStore, ObjectStoreExt};
use object_store::{BackoffConfig, PutMode, PutOptions, RetryConfig, UpdateVersion};
use tokio_stream::StreamExt as _;

use super::sink::{Held, Kind, Sink, SinkError, Version};
use crate::limits::{EXPORT_READ_BYTES_MAX, EXPORT_REQUEST_MAX, EXPORT_RETRY_MAX};

/// The bucket cannot be used as it is set.
#[derive(Debug, thiserror::Error)]
#[error("bucket {bucket:?}: {why}")]
pub struct BucketError {
    bucket: String,
    why: String,
}

/// A bucket, or a part of it.
pub struct BucketSink {
    store: AmazonS3,
    prefix: Path,
}

impl BucketSink {
    /// The objects of a bucket below a prefix. `settings` are those that AWS's tools read from the
    /// environment, by their names (`AWS_ENDPOINT_URL`, `AWS_REGION`, …); unknown ones are left
    /// out. Nothing is asked of the bucket yet.
    ///
    /// # Errors
    /// [`BucketError`] when they cannot be.
    pub fn new<'a>(
        bucket: &str,
        prefix: &str,
        settings: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, BucketError> {
        let error = |why: &dyn Display| BucketError { bucket: bucket.into(), why: why.to_string() };
        let prefix = Path::parse(prefix).map_err(|why| error(&why))?;
        let backoff =
            BackoffConfig { max_backoff: EXPORT_RETRY_MAX / 4, ..BackoffConfig::default() };
        let retry_timeout = EXPORT_RETRY_MAX;
        let retry = RetryConfig { backoff, retry_timeout, ..RetryConfig::default() };
        // First, because a setting may change a part of it.
        let client = ClientOptions::default().with_timeout(EXPORT_REQUEST_MAX);
        let mut builder = AmazonS3Builder::new().with_client_options(client).with_retry(retry);
        for (name, value) in settings {
            if let Ok(key) = name.to_ascii_lowercase().parse::<AmazonS3ConfigKey>() {
                builder = builder.with_config(key, value);
            }
        }
        let store = builder.with_bucket_name(bucket).build().map_err(|why| error(&why))?;
        Ok(Self { store, prefix })
    }

    fn place(&self, name: &str) -> Path {
        self.prefix.parts().chain(Path::from(name).parts()).collect()
    }

    async fn write(
        &self,
        name: &str,
        kind: Kind,
        bytes: Bytes,
        mode: PutMode,
    ) -> Result<(), Error> {
        let mut attributes = Attributes::new();
        attributes.insert(Attribute::ContentType, kind.content_type().into());
        attributes.insert(Attribute::CacheControl, kind.cache_control().into());
        let options = PutOptions { mode, attributes, ..PutOptions::default() };
        self.store.put_opts(&self.place(name), bytes.into(), options).await.map(drop)
    }
}

#[async_trait]
impl Sink for BucketSink {
    async fn get(&self, name: &str) -> Result<Option<Held>, SinkError> {
        let failed = |error| SinkError::failed(name, error);
        let found = match self.store.get(&self.place(name)).await {
            Err(Error::NotFound { .. }) => return Ok(None),
            found => found.map_err(failed)?,
        };
        if found.meta.size > EXPORT_READ_BYTES_MAX {
            return Err(SinkError::TooLarge(name.into()));
        }
        let version = Version(found.meta.e_tag.clone().unwrap_or_default());
        Ok(Some(Held { bytes: found.bytes().await.map_err(failed)?, version }))
    }

    async fn put(&self, name: &str, kind: Kind, bytes: Bytes) -> Result<(), SinkError> {
        let written = self.write(name, kind, bytes, PutMode::Overwrite).await;
        written.map_err(|error| SinkError::failed(name, error))
    }

    async fn replace(
        &self,
        name: &str,
        kind: Kind,
        bytes: Bytes,
        old: Option<&Version>,
    ) -> Result<(), SinkError> {
        let mode = match old {
            None => PutMode::Create,
            Some(Version(tag)) => {
                PutMode::Update(UpdateVersion { e_tag: Some(tag.clone()), version: None })
            }
        };
        match self.write(name, kind, bytes.clone(), mode).await {
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => {
                Err(SinkError::Changed(name.into()))
            }
            // AWS_CONDITIONAL_PUT=disabled, for buckets that know no conditions.
            Err(Error::NotImplemented { .. }) => self.put(name, kind, bytes).await,
            written => written.map_err(|error| SinkError::failed(name, error)),
        }
    }

    async fn remove_below(&self, folder: &str) -> Result<(), SinkError> {
        let found = self.store.list(Some(&self.place(folder)));
        let places = Box::pin(found.map(|found| found.map(|found| found.location)));
        let mut removed = self.store.delete_stream(places);
        while let Some(gone) = removed.next().await {
            match gone {
                Ok(_) | Err(Error::NotFound { .. }) => {}
                Err(error) => return Err(SinkError::failed(folder, error)),
            }
        }
        Ok(())
    }

    /// A bucket has what it has answered for.
    async fn settle(&self) -> Result<(), SinkError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_set_as_aws_tools_are() {
        let settings = [
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
            ("AWS_ALLOW_HTTP", "true"),
            ("AWS_ACCESS_KEY_ID", "key"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_PAGER", "less"),
        ];
        let sink = BucketSink::new("logs", "/a/b/", settings).unwrap();
        assert_eq!(
            sink.place("logs/00/tile/0/x001/234.p/5").as_ref(),
            "a/b/logs/00/tile/0/x001/234.p/5"
        );
        assert_eq!(BucketSink::new("logs", "", []).unwrap().place("x").as_ref(), "x");
        let error = BucketSink::new("logs", "a//b", []).err().unwrap().to_string();
        assert!(error.contains("\"logs\""), "{error}");
        assert!(BucketSink::new("logs", "", [("AWS_SKIP_SIGNATURE", "perhaps")]).is_err());
    }
}
