//! The write path without HTTP, over the in-memory engine and its power switch.

use std::sync::Arc;

use cairn::admission::{Policy, Proposal};
use cairn::log::{Api, CreateEntryError, Log, PromisedEntry, Rules};
use cairn::publisher::signer::{FileSigner, KeyKind, Signer};
use cairn::publisher::{HeadGuard, Publisher, Setup, SigningCore};
use cairn::reader::Reader;
use cairn::recovery::{Identity, RecoveryError, recover};
use cairn::sequencer::Sequencer;
use cairn::shard::Shard;
use cairn::telemetry::Metrics;
use storage::memory::MemoryStore;
use storage::{LogRecord, Store, TreeId};
use tlog::{KeyId, Verifier, hash_leaf};

const HOSTNAME: &str = "log.example";

/// What stays when the process dies: the store, the key, the guard's file.
pub(crate) struct House {
    pub(crate) store: MemoryStore,
    pub(crate) tree_id: TreeId,
    pub(crate) guard: Option<HeadGuard>,
    signer: Arc<dyn Signer>,
}

impl House {
    /// A house with an empty log in it.
    pub(crate) async fn new() -> Self {
        let (signer, _) = FileSigner::generate(KeyKind::EcdsaP256).unwrap();
        let (store, tree_id) = (MemoryStore::new(), TreeId::new(7).unwrap());
        let record = LogRecord {
            tree_id,
            name: "v1".into(),
            api: "v1".into(),
            origin: tlog::v1_origin(HOSTNAME, tree_id.get()),
            public_key: signer.public_key().to_vec(),
            created: 0,
        };
        store.create_log(record).await.unwrap();
        Self { store, tree_id, guard: None, signer: Arc::new(signer) }
    }

    /// The same house over another state of the store.
    pub(crate) fn over(&self, store: MemoryStore) -> Self {
        let (signer, guard) = (self.signer.clone(), self.guard.clone());
        Self { store, tree_id: self.tree_id, guard, signer }
    }

    /// The next start of the process, on what the last one left.
    pub(crate) fn reopened(&self) -> Self {
        self.over(self.store.reopen())
    }

    pub(crate) fn core(&self) -> SigningCore {
        SigningCore::rekor_v1(self.signer.clone(), HOSTNAME, self.tree_id.get())
    }

    /// Starts the log, as `cairn serve` does.
    pub(crate) async fn start(&self) -> Result<Log, RecoveryError> {
        self.start_with(|_| {}).await
    }

    /// The same, with another publisher.
    pub(crate) async fn start_with(
        &self,
        change: impl FnOnce(&mut Setup),
    ) -> Result<Log, RecoveryError> {
        let core = Arc::new(self.core());
        let store = self.store.log(self.tree_id).await?;
        let verifier = Verifier::from_spki(core.public_key()).unwrap();
        let key_id = KeyId::rekor_v1(core.public_key());
        let identity = Identity { origin: core.origin(), verifier: &verifier, key_id };
        let guarded = self.guard.as_ref().and_then(|guard| guard.recall().unwrap());
        let edge = recover(&*store, &identity, guarded.as_deref()).await?;
        let metrics = Metrics::new().log("v1");
        let (sequencer, heads) = Sequencer::start(store.clone(), edge, now, metrics.clone());
        let guard = self.guard.clone();
        let mut setup = Setup { guard, ..Setup::new(core, store.clone(), now, metrics) };
        change(&mut setup);
        let publisher = Publisher::start(setup, heads).await;
        // A power cut may hit the first publication: then there is no log, and nobody was answered.
        let publisher = publisher
            .map_err(|error| RecoveryError::from(storage::StorageError::Engine(Box::new(error))))?;
        let logs = self.store.logs().await?;
        let record = logs.into_iter().find(|record| record.tree_id == self.tree_id).unwrap();
        let active = Shard::new(record, Reader::new(store), publisher);
        let rules = Rules::new("v1", Api::V1, Policy::default());
        Ok(Log::new(rules, sequencer, Vec::new(), active))
    }
}

fn now() -> i64 {
    1_700_000_000
}

/// Sends one proposal.
pub(crate) async fn create(log: &Log, json: &str) -> Result<PromisedEntry, CreateEntryError> {
    let entry = log.create_entry(Proposal::from_json(json.as_bytes()).unwrap()).await?;
    Ok(log.promise(entry).unwrap())
}

/// Everything that an answer claims, checked with the log's public key alone.
pub(crate) fn verify(house: &House, promised: &PromisedEntry) {
    let entry = &promised.entry;
    let core = house.core();
    let verifier = Verifier::from_spki(core.public_key()).unwrap();
    let key_id = KeyId::rekor_v1(core.public_key());
    let note = &entry.checkpoint.note;
    let signed = tlog::SignedCheckpoint::open(note, core.origin(), &verifier, key_id).unwrap();
    assert_eq!(signed.checkpoint().head, entry.checkpoint.head);
    assert_eq!(entry.proof.size, entry.checkpoint.head.size);
    assert_eq!(entry.id.leaf_hash, hash_leaf(&entry.body));
    entry.proof.verify(&entry.id.leaf_hash, &entry.checkpoint.head.root).unwrap();
    let body = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &entry.body);
    let promise = format!(
        r#"{{"body":"{body}","integratedTime":{},"logID":"{}","logIndex":{}}}"#,
        entry.integrated_time,
        hex::encode(entry.log_id),
        entry.virtual_index.0
    );
    verifier.verify(promise.as_bytes(), promised.signed_entry_timestamp.as_ref().unwrap()).unwrap();
}
