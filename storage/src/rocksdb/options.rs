//! How RocksDB is set up, and why. Nothing here changes the bytes' meaning: see `keys`.
//!
//! Three aims, in this order: nothing that was acknowledged is lost; memory and the time to open
//! are bounded, however much is stored; a commit costs one sync of the write-ahead log.

use ::rocksdb::{
    BlockBasedOptions, Cache, DBCompactionStyle, DBCompressionType, DBRecoveryMode, InfoLogger,
    LogLevel, Options as Engine, UniversalCompactOptions, WriteOptions,
};

use crate::keys;

const MIB: usize = 1 << 20;

/// The engine's own default.
const WINDOW_BITS: i32 = -14;
/// A third less CPU than level 3, for a few bytes an entry more.
const ZSTD_LEVEL: i32 = 1;

/// What an operator may choose.
#[derive(Clone, Debug)]
pub struct Options {
    /// Makes the store when there is none; otherwise that is an error.
    pub create_if_missing: bool,
    /// Bound on what is written but not yet in sorted files: in memory, and once more in the
    /// write-ahead log. More of it saves compaction work; less of it shortens the opening after a
    /// crash, which reads all of it again.
    pub write_buffer_bytes: usize,
    /// Cache of blocks, shared by everything that is read.
    pub cache_bytes: usize,
    /// Sorted files that are held open, with their filters in memory.
    pub open_files_max: i32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            create_if_missing: false,
            write_buffer_bytes: 8 * MIB,
            cache_bytes: 16 * MIB,
            open_files_max: 512,
        }
    }
}

/// Settings of the whole engine.
pub(super) fn engine(options: &Options) -> Engine {
    let mut engine = Engine::default();
    engine.create_if_missing(options.create_if_missing);
    engine.create_missing_column_families(true); // a crash may have come in the middle of creation

    // Not lost, not silently wrong.
    engine.set_paranoid_checks(true);
    engine.set_wal_recovery_mode(DBRecoveryMode::AbsoluteConsistency); // see `open::recover`
    engine.set_track_and_verify_wals_in_manifest(true); // a synced log that is gone or short shows

    // Bounded memory, and a short log to read again. One bound for all families: the first to fill
    // up is flushed. Families that hardly grow would pin old logs: the second line flushes them.
    engine.set_db_write_buffer_size(options.write_buffer_bytes);
    engine.set_max_total_wal_size(options.write_buffer_bytes as u64);
    engine.set_max_open_files(options.open_files_max);
    engine.set_max_background_jobs(2);
    engine.set_skip_stats_update_on_db_open(true); // reads every file's properties otherwise
    engine.set_max_manifest_file_size(4 * MIB); // is read again as a whole when opening

    // No housekeeping that an idle server would pay for.
    engine.set_stats_dump_period_sec(0);
    engine.set_stats_persist_period_sec(0);
    engine.set_log_level(LogLevel::Warn);
    engine.set_keep_log_file_num(2);
    engine.set_max_log_file_size(MIB);
    engine
}

/// Settings for looking on while another process may be writing.
pub(super) fn read_only(options: &Options) -> Engine {
    let mut engine = engine(options);
    engine.create_if_missing(false);
    // All files are opened at once: the writer may delete one that it has merged into another.
    engine.set_max_open_files(-1);
    // The engine's own log file belongs to the writer.
    engine.set_info_logger(InfoLogger::new_callback_logger(LogLevel::Fatal, |_, _| {}));
    engine
}

/// Every family with its settings.
pub(super) fn families(options: &Options) -> Vec<(&'static str, Engine)> {
    let cache = Cache::new_lru_cache(options.cache_bytes);
    keys::FAMILIES.map(|name| (name, family(name, options, &cache))).into()
}

/// The family that is there while a store is brought over.
pub(super) fn sorted(options: &Options) -> Engine {
    family(keys::SORTED, options, &Cache::new_lru_cache(options.cache_bytes))
}

fn family(name: &str, options: &Options, cache: &Cache) -> Engine {
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(cache);
    table.set_format_version(5);
    table.set_block_size(match name {
        // Read by the tile and by the bundle: a block is one of them, more or less.
        keys::HASHES | keys::NODES | keys::ENTRIES => 16 << 10,
        // Read at random.
        _ => 4 << 10,
    });
    if name == keys::LEAVES {
        // Nearly every question is about a leaf that is not there: 10 bits a leaf answer 99 % of
        // them. Filters lie outside the cache, so that no scan drives them out of memory.
        table.set_bloom_filter(10.0, false);
        table.set_whole_key_filtering(true);
    }

    let mut family = Engine::default();
    family.set_block_based_table_factory(&table);
    family.set_compression_type(match name {
        // Hashes are random: there is nothing to compress.
        keys::HASHES | keys::NODES | keys::LEAVES => DBCompressionType::None,
        // Canonical bodies are base64 and hexadecimal text.
        _ => DBCompressionType::Zstd,
    });
    family.set_compression_options(WINDOW_BITS, ZSTD_LEVEL, 0, 0);
    if matches!(name, keys::LEAVES | keys::SEARCH) {
        random_keys(&mut family);
    }
    // One family alone may not fill the common buffer, and the next buffer takes writes while two
    // others are on their way to the disk.
    family.set_write_buffer_size(options.write_buffer_bytes / 2);
    family.set_max_write_buffer_number(4);
    family.set_max_bytes_for_level_base(64 * MIB as u64);
    family.set_target_file_size_base(16 * MIB as u64);
    family
}

/// Keys that fall anywhere: each merge of sorted files rewrites all that they hold, so files are
/// merged when there are some of about the same size, and not, level by level, into what is ten
/// times larger. At 4 M leaves that writes a quarter of the bytes; each look-up asks the filters of
/// a few files more.
fn random_keys(family: &mut Engine) {
    let mut universal = UniversalCompactOptions::default();
    universal.set_min_merge_width(4);
    family.set_compaction_style(DBCompactionStyle::Universal);
    family.set_universal_compaction_options(&universal);
    family.set_level_zero_file_num_compaction_trigger(8);
}

/// A commit: on the disk before it returns.
pub(super) fn synced() -> WriteOptions {
    let mut write = WriteOptions::default();
    write.set_sync(true);
    write
}

/// A publication: with the operating system before it returns, on the disk with the next commit.
pub(super) fn unsynced() -> WriteOptions {
    WriteOptions::default()
}
