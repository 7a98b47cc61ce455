//! The rooms of a replica: of logs that are written elsewhere, for `serve --follow` and `import`.

use std::sync::Arc;

use tlog::Verifier;

use super::data_dir::{OwnedLog, Role};
use super::serve::{guard_of, rules, signing_core};
use super::{Failure, progress};
use crate::clock::unix_seconds;
use crate::config::{FollowSetting, LogConfig, Settings};
use crate::follow::{HttpSource, Inbox, Listed, Replica, Source, SourceError, follow, logs_of};
use crate::limits::FOLLOW_TIMEOUT;
use crate::log::{Log, Rules};
use crate::publisher::{self, Following, HeadGuard, Publisher};
use crate::reader::Reader;
use crate::recovery::{Identity, recover};
use crate::sequencer::Sequencer;
use crate::shard::Shard;
use crate::telemetry::{LogMetrics, Metrics};

/// Where the logs are written that are followed here.
pub(super) struct Upstream {
    source: Arc<dyn Source>,
    listed: Vec<Listed>,
    /// It did not say which logs it has.
    silent: Option<SourceError>,
}

impl Upstream {
    /// Asks which logs there are.
    pub(super) async fn find(setting: &FollowSetting) -> Self {
        let source: Arc<dyn Source> = match setting {
            FollowSetting::Url(url) => Arc::new(HttpSource::new(url, FOLLOW_TIMEOUT)),
            FollowSetting::Inbox(folder) => Arc::new(Arc::new(Inbox::new(folder.clone()))),
        };
        match logs_of(&*source).await {
            Ok(listed) => Self { source, listed, silent: None },
            Err(error) => Self { source, listed: Vec::new(), silent: Some(error) },
        }
    }

    /// How the folder is opened.
    pub(super) fn role(&self) -> Role<'_> {
        Role::Follows(&self.listed)
    }

    /// Those logs that are followed: the source has them, or the folder does.
    ///
    /// # Errors
    /// When there is none; it says whether the source did not answer.
    pub(super) fn followed(
        &self,
        settings: &Settings,
        mut configs: Vec<LogConfig>,
    ) -> Result<Vec<LogConfig>, Failure> {
        let has = |name: &str| self.listed.iter().any(|listed| listed.name == name);
        for listed in &self.listed {
            if configs.iter().all(|config| config.name != listed.name) {
                let log = &listed.name;
                tracing::warn!(log, "the source has this log, and it is not configured here");
            }
        }
        let is_here = |name: &str| settings.data_dir().join(format!("{name}.pub")).exists();
        configs.retain(|config| has(&config.name) || is_here(&config.name));
        match (&self.silent, configs.is_empty()) {
            (Some(error), true) => Err(format!("{error}; and no log was followed before").into()),
            (None, true) => Err("the source has none of the logs that are configured here".into()),
            (Some(error), false) => {
                tracing::warn!(%error, "the source does not answer; what is here is served");
                Ok(configs)
            }
            (None, false) => Ok(configs),
        }
    }

    /// One log: brought up to date if nothing of it was shown before, and what shows it.
    pub(super) async fn open(
        &self,
        settings: &Settings,
        config: &LogConfig,
        owned: OwnedLog,
        metrics: Arc<LogMetrics>,
    ) -> Result<Opened, Failure> {
        let OwnedLog { log: folder, signer } = owned;
        let core = Arc::new(signing_core(&folder, signer)?);
        let guard = settings.head_guard.as_ref().map(|path| HeadGuard::new(guard_of(path, config)));
        let guarded = guard.as_ref().map(HeadGuard::recall).transpose()?.flatten();
        let verifier = Verifier::from_spki(core.public_key())?;
        let identity =
            Identity { origin: core.origin(), verifier: &verifier, key_id: core.key_id() };
        recover(&*folder.store, &identity, guarded.as_deref()).await?;

        let path = format!("logs/{}", hex::encode(core.log_id()));
        let store = folder.store.clone();
        let replica = Replica::new(store.clone(), &core, self.source.clone(), path)?;
        let note = match store.checkpoint().await? {
            Some(kept) => kept.note,
            None => {
                let first = replica.catch_up(None, &mut progress("follow", &config.name)).await?;
                first.ok_or("the source shows no checkpoint")?
            }
        };
        let setup =
            publisher::Setup { guard, ..publisher::Setup::new(core, store, unix_seconds, metrics) };
        let (publisher, following) = Following::start(setup, &note).await?;
        Ok(Opened { folder, replica, publisher, following })
    }
}

/// A log that is followed.
pub(super) struct Opened {
    folder: super::data_dir::FolderLog,
    replica: Replica,
    publisher: Publisher,
    following: Following,
}

impl Opened {
    /// Brings the log up to what its source has now. Gives what is shown then.
    pub(super) async fn catch_up(self, name: &str) -> Result<Arc<publisher::Published>, Failure> {
        let shown = self.following.shown();
        let known = Some((shown.head, &*shown.cosigned));
        if let Some(note) = self.replica.catch_up(known, &mut progress("follow", name)).await? {
            self.following.show(&note).await?;
        }
        Ok(self.following.shown())
    }
}

/// The rooms of one log that is followed: nothing enters, and what its source publishes is shown.
pub(super) async fn follow_log(
    settings: &Settings,
    config: &LogConfig,
    owned: OwnedLog,
    upstream: &Upstream,
    metrics: &Metrics,
) -> Result<Arc<Log>, Failure> {
    let metrics = metrics.log(&config.name);
    let opened = upstream.open(settings, config, owned, metrics.clone()).await;
    let opened = opened.map_err(|error| format!("log {}: {error}", config.name))?;
    let Opened { folder, replica, publisher, following } = opened;
    let (store, pause) = (folder.store, settings.follow_pause());
    tokio::spawn(follow(replica, following, pause, metrics.clone()));
    // Nothing gets past the frozen log to it: it needs no edge of the tree.
    let edge = tlog::RightEdge::empty();
    let (sequencer, _heads) = Sequencer::start(store.clone(), edge, unix_seconds, metrics);
    let active = Shard::new(folder.record, Reader::new(store), publisher);
    let rules = Rules { frozen: true, replica: true, ..rules(settings, config)? };
    Ok(Arc::new(Log::new(rules, sequencer, Vec::new(), active)))
}
