//! The disk is slow: the kernel lets few of the server's writes through in a second.
//!
//! Limits of control groups, version 1 or 2, on the disk of the data folder; root may set them.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::ledger::Ledger;
use crate::load::{check_all, serves, under_load};
use crate::report::Report;
use crate::rounds;
use crate::server::{Server, fsck_with};

/// Writes in a second: a disk of 2,000 has a hundred times more.
const WRITES: u32 = 20;
const ROOT: &str = "/sys/fs/cgroup";
/// Synced writes that are tried, and how long the limit makes them take at least.
const TRIED: (u32, Duration) = (10, Duration::from_millis(250));

/// A control group whose writes to one disk can be limited.
struct Brake {
    group: PathBuf,
    disk: String,
    version_2: bool,
}

impl Brake {
    /// On the disk of a folder. Says why there is none where it cannot be set, or does nothing.
    fn on(place: &Path) -> Option<Self> {
        let made = Self::make(place).and_then(|brake| match brake.works(place) {
            true => Ok(brake),
            false => Err("its limits slow nothing down".to_owned()),
        });
        made.inspect_err(|why| eprintln!("skipped: no slow disk on this machine: {why}")).ok()
    }

    fn make(place: &Path) -> Result<Self, String> {
        let device = fs::metadata(place).unwrap().dev();
        let (major, minor) = ((device >> 8) & 0xfff, (device & 0xff) | ((device >> 12) & 0xfff00));
        let known = Path::new("/sys/dev/block").join(format!("{major}:{minor}"));
        let known = known.canonicalize().map_err(|_| "the folder is on no disk".to_owned())?;
        // Limits are for whole disks.
        let whole = if known.join("partition").exists() { known.parent().unwrap() } else { &known };
        let disk = fs::read_to_string(whole.join("dev")).unwrap().trim().to_owned();
        let version_2 = Path::new(ROOT).join("cgroup.controllers").exists();
        let above = Path::new(ROOT).join(if version_2 { "" } else { "blkio" });
        if version_2 {
            let io = fs::write(above.join("cgroup.subtree_control"), "+io");
            io.map_err(|error| format!("the io controller: {error}"))?;
        }
        let group = above.join(format!("cairn-faults-{}", std::process::id()));
        fs::create_dir(&group).map_err(|error| format!("{}: {error}", group.display()))?;
        let brake = Self { group, disk, version_2 };
        brake.limit(Some(WRITES)).map_err(|error| format!("the limit: {error}"))?;
        brake.limit(None).unwrap();
        Ok(brake)
    }

    fn limit(&self, writes: Option<u32>) -> std::io::Result<()> {
        let disk = &self.disk;
        match (self.version_2, writes) {
            (true, Some(n)) => fs::write(self.group.join("io.max"), format!("{disk} wiops={n}")),
            (true, None) => fs::write(self.group.join("io.max"), format!("{disk} wiops=max")),
            (false, n) => {
                let limit = format!("{disk} {}", n.unwrap_or(0));
                fs::write(self.group.join("blkio.throttle.write_iops_device"), limit)
            }
        }
    }

    fn hold(&self, server: &Server) {
        fs::write(self.group.join("cgroup.procs"), server.id().to_string()).unwrap();
    }

    /// Whether synced writes take as long as the limit says.
    fn works(&self, place: &Path) -> bool {
        self.limit(Some(WRITES)).unwrap();
        let (count, least) = TRIED;
        let (group, file) = (self.group.display(), place.join("tried"));
        let script = format!(
            "echo $$ > {group}/cgroup.procs && \
             exec dd if=/dev/zero of={} bs=4k count={count} oflag=dsync status=none",
            file.display()
        );
        let began = Instant::now();
        let written = Command::new("sh").args(["-c", &script]).status().unwrap();
        let took = began.elapsed();
        self.limit(None).unwrap();
        written.success() && took >= least
    }
}

/// The group is empty by then: what was in it has ended.
impl Drop for Brake {
    fn drop(&mut self) {
        let _still_ending = fs::remove_dir(&self.group);
    }
}

#[test]
fn the_disk_is_slow() {
    let volume = tempfile::tempdir().unwrap();
    let Some(brake) = Brake::on(volume.path()) else { return };
    for engine in ["rocksdb", "fjall"] {
        let place = tempfile::tempdir().unwrap();
        let more = ["--storage", engine].map(String::from);
        let mut server = Server::start(place.path(), &more);
        brake.hold(&server);
        let mut logs = Ledger::of_logs(&server);
        let mut report = Report::new("20 writes to the disk in a second, under load", engine);
        for _ in 0..rounds(3) {
            under_load(&[server.address()], &mut logs, || {
                sleep(Duration::from_millis(100));
                brake.limit(Some(WRITES)).unwrap();
                let began = Instant::now();
                serves(server.address());
                report.round(began.elapsed());
                sleep(Duration::from_secs(1));
                brake.limit(None).unwrap();
                serves(server.address());
            });
            check_all(&mut logs, &server);
        }
        // Killed in the middle of a slow write.
        under_load(&[server.address()], &mut logs, || {
            brake.limit(Some(WRITES)).unwrap();
            sleep(Duration::from_millis(300));
            server.kill();
            brake.limit(None).unwrap();
        });
        check_all(&mut logs, &Server::start(place.path(), &more));
        fsck_with(place.path(), &more);
        report.print(&logs);
    }
}
