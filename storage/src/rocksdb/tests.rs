//! The embedded engine passes the suite.

use std::sync::Arc;

use async_trait::async_trait;

use super::*;
use crate::suite::{self, Place};

struct Directory(tempfile::TempDir);

impl Directory {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
}

fn options() -> Options {
    Options {
        create_if_missing: true,
        ..Options::default()
    }
}

#[async_trait]
impl Place for Directory {
    async fn open(&mut self) -> Arc<dyn Store> {
        Arc::new(RocksStore::open(self.0.path().join("store"), &options()).unwrap())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn passes_the_suite() {
    suite::all(async || Directory::new()).await;
}
