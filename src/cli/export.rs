//! `cairn export`: logs as static files, to a folder or bucket.

use std::path::PathBuf;
use std::sync::Arc;

use tlog::{TreeSize, Verifier};

use super::checkpoint::NothingPublished;
use super::data_dir::{FolderLog, open_read_only, pick, signer_of};
use super::serve::signing_core;
use super::{Configured, Failure, Output, progress};
use crate::clock::unix_seconds;
use crate::config::{ExportSetting, Settings};
use crate::export::{BundleSink, Exported, Exporter, FolderSink, Sink};
use crate::publisher::SigningCore;
use crate::recovery::{Identity, contradicts_nothing};

const EXAMPLES: &str = "\
Examples:
  cairn export --to /srv/www               all logs in ./cairn-data, for a web server
  cairn export --to s3://logs/rekor --log v2 --data-dir /var/lib/cairn
  cairn export --bundle monday.tar         one file for `cairn import` on the other side
  cairn export --bundle friday.tar --log v1 --since 120000

Writes tiles, bundles and checkpoint of each log under the paths that the server itself has, the
checkpoint last, and only what is not there yet. It works while a server has the folder open, and
goes on where an interrupted one ended. Other logs that the destination holds stay as they are.
A bundle holds what a replica lacks that has --since entries; `cairn import` verifies it. Both carry
what the log's key signs beside the entries, so the keys have to be in the folder.
The settings of buckets are AWS's own: AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID,
AWS_SECRET_ACCESS_KEY, and AWS_ALLOW_HTTP=true for an endpoint without TLS.";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Where to
    #[arg(long, value_name = "DIR|s3://BUCKET/PREFIX", required_unless_present = "bundle")]
    to: Option<ExportSetting>,

    /// One file instead, with all that a replica lacks
    #[arg(long, value_name = "FILE", conflicts_with = "to")]
    bundle: Option<PathBuf>,

    /// How many entries that replica has, of each log
    #[arg(long, value_name = "SIZE", requires = "bundle", default_value_t = 0)]
    since: u64,

    /// Only the logs of these names
    #[arg(long, value_name = "NAME")]
    log: Vec<String>,

    #[command(flatten)]
    configured: Configured,

    /// Form of the output
    #[arg(long, value_enum, default_value = "text")]
    output: Output,
}

#[tokio::main]
pub(super) async fn run(args: Args) -> Result<(), Failure> {
    let settings = args.configured.resolve()?;
    let logs = chosen(&settings, &args.log).await?;
    let (mut place, mut reports) = (String::new(), Vec::new());
    let mut report = |name: &str, place: &str, done: &Exported| match args.output {
        Output::Text => print_text(name, place, done),
        Output::Json => reports.push(as_json(name, done)),
    };
    if let Some(file) = &args.bundle {
        place = file.display().to_string();
        let time = u64::try_from(unix_seconds()).unwrap_or(0);
        let sink = Arc::new(BundleSink::create(file, time)?);
        for log in &logs {
            let mut exporter = Exporting::of(&settings, log, sink.clone()).await?;
            let done = exporter.bundle(TreeSize(args.since)).await?;
            report(&log.record.name, &place, &done);
        }
        Arc::into_inner(sink).ok_or("the bundle is still being written")?.finish()?;
    } else if let Some(to) = &args.to {
        place = to.to_string();
        let sink = open_sink(to)?;
        for log in &logs {
            let done = Exporting::of(&settings, log, sink.clone()).await?.export().await?;
            report(&log.record.name, &place, &done);
        }
    }
    if args.output == Output::Json {
        println!("{}", serde_json::json!({ "to": place, "logs": reports }));
    }
    Ok(())
}

/// The logs of these names; without any, all that are not kept from exports.
async fn chosen(settings: &Settings, names: &[String]) -> Result<Vec<FolderLog>, Failure> {
    if names.is_empty() {
        let configs = settings.logs()?;
        let kept = |log: &FolderLog| {
            let config = configs.iter().find(|config| config.name == log.record.name);
            config.is_none_or(|config| config.set.export.unwrap_or(true))
        };
        return Ok(open_read_only(settings).await?.into_iter().filter(kept).collect());
    }
    let mut logs = Vec::new();
    for name in names {
        logs.push(pick(settings, open_read_only(settings).await?, name)?);
    }
    Ok(logs)
}

/// One log, and the checkpoint that is exported.
struct Exporting {
    name: String,
    exporter: Exporter,
    note: String,
}

impl Exporting {
    async fn of(
        settings: &Settings,
        log: &FolderLog,
        sink: Arc<dyn Sink>,
    ) -> Result<Self, Failure> {
        let core = core_of(settings, log)?;
        let published = log.store.checkpoint().await?;
        let note = published.ok_or_else(|| NothingPublished(settings.data_dir()))?.note;
        let verifier = Verifier::from_spki(core.public_key())?;
        let ours = Identity { origin: core.origin(), verifier: &verifier, key_id: core.key_id() };
        contradicts_nothing(&*log.store, log.store.head().await?, &ours, "the store", &note)
            .await?;
        let exporter = Exporter::new(core, &log.record, log.store.clone(), sink)?;
        Ok(Self { name: log.record.name.clone(), exporter, note })
    }

    async fn export(mut self) -> Result<Exported, Failure> {
        let done = self.exporter.export(&self.note, &mut progress("export", &self.name)).await;
        Ok(done.map_err(|error| format!("log {}: {error}", self.name))?)
    }

    async fn bundle(&mut self, since: TreeSize) -> Result<Exported, Failure> {
        if !self.exporter.signs() {
            let name = &self.name;
            return Err(format!(
                "the private key of log {name} is not in the folder, and a bundle is signed with it"
            )
            .into());
        }
        let done =
            self.exporter.bundle(&self.note, since, &mut progress("export", &self.name)).await;
        Ok(done.map_err(|error| format!("log {}: {error}", self.name))?)
    }
}

/// What signs for a log, or would.
fn core_of(settings: &Settings, log: &FolderLog) -> Result<Arc<SigningCore>, Failure> {
    let signer = signer_of(settings, log)?;
    if !signer.signs() {
        let name = &log.record.name;
        eprintln!("cairn: the private key of log {name} is not in the folder: no annexes for it");
    }
    Ok(Arc::new(signing_core(log, signer)?))
}

/// Opens a destination; of a bucket nothing is asked yet.
pub(super) fn open_sink(setting: &ExportSetting) -> Result<Arc<dyn Sink>, Failure> {
    Ok(match setting {
        ExportSetting::Folder(path) => Arc::new(FolderSink::open(path)?),
        #[cfg(feature = "s3")]
        ExportSetting::Bucket { bucket, prefix } => {
            let settings = crate::config::BucketSettings::from_environment();
            Arc::new(crate::export::BucketSink::new(bucket, prefix, settings.iter())?)
        }
        #[cfg(not(feature = "s3"))]
        ExportSetting::Bucket { .. } => {
            return Err(
                "this program was built without buckets: build it with `--features s3`".into()
            );
        }
    })
}

fn as_json(name: &str, done: &Exported) -> serde_json::Value {
    serde_json::json!({
        "name": name,
        "entries": done.size,
        "entries_before": done.before,
        "objects_written": done.objects,
        "bundles_left_out": done.skipped,
    })
}

fn print_text(name: &str, to: &str, done: &Exported) {
    let Exported { before, size, objects, skipped } = done;
    println!("{name}: {size} entries are in {to}, {before} were; {objects} files written");
    if *skipped > 0 {
        println!("{name}: {skipped} bundles are left out: an entry is over 65,535 bytes long");
    }
}
