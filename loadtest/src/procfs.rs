//! CPU time and memory of processes, from Linux's `/proc` (proc(5)). Time of all threads is
//! included; time of child processes is not.

use std::fs;
use std::io;
use std::time::Duration;

/// What a process has used up to an instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// User and system time of all threads, ended ones included. Resolution is one tick (10 ms).
    pub cpu: Duration,
    /// Resident memory now.
    pub rss_bytes: u64,
    /// The most resident memory that it ever had.
    pub rss_peak_bytes: u64,
}

/// Reads the usage of a process.
///
/// # Errors
/// The process is not there, or `/proc` is not Linux's.
pub fn usage(pid: u32) -> io::Result<Usage> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let ticks = parse_stat(&stat).ok_or_else(|| unreadable(pid, "stat"))?;
    // A process without memory (a zombie, a kernel thread) has no such lines.
    let memory = |name| parse_status_kib(&status, name).unwrap_or(0) * 1024;
    Ok(Usage {
        cpu: Duration::from_secs_f64(ticks as f64 / ticks_per_second()),
        rss_bytes: memory("VmRSS:"),
        rss_peak_bytes: memory("VmHWM:"),
    })
}

/// The usage of this very process.
///
/// # Errors
/// As for [`usage`].
pub fn own_usage() -> io::Result<Usage> {
    usage(std::process::id())
}

fn unreadable(pid: u32, file: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("/proc/{pid}/{file} is not understood"))
}

/// `utime + stime`, in ticks. The command name (field 2) may hold spaces and parentheses.
fn parse_stat(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace().skip(11); // field 3 is the first here
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

fn parse_status_kib(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// The kernel tells each program its clock tick in the auxiliary vector (getauxval(3)).
fn ticks_per_second() -> f64 {
    const AT_CLKTCK: usize = 17;
    const WORD: usize = size_of::<usize>();
    let vector = fs::read("/proc/self/auxv").unwrap_or_default();
    let word = |bytes: &[u8]| bytes.try_into().map_or(0, usize::from_ne_bytes);
    let pairs = vector.chunks_exact(2 * WORD).map(|pair| pair.split_at(WORD));
    let told = pairs.map(|(kind, value)| (word(kind), word(value))).find(|p| p.0 == AT_CLKTCK);
    told.map_or(100.0, |(_, ticks)| ticks as f64)
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;
    use std::time::Instant;

    use super::*;

    #[test]
    fn stat_fields_are_found_behind_any_name() {
        let stat = "42 (a) b (c)) S 1 2 3 4 5 6 7 8 9 10 250 31 7 7 20 0 9 0 1 2 3";
        assert_eq!(parse_stat(stat), Some(281));
        assert_eq!(parse_stat("42 (a"), None);
    }

    #[test]
    fn status_lines() {
        let status = "Name:\tx\nVmHWM:\t  2048 kB\nVmRSS:\t   1024 kB\n";
        assert_eq!(parse_status_kib(status, "VmRSS:"), Some(1024));
        assert_eq!(parse_status_kib(status, "VmHWM:"), Some(2048));
        assert_eq!(parse_status_kib(status, "VmSwap:"), None);
    }

    #[test]
    fn time_of_ended_threads_counts() {
        let before = own_usage().unwrap();
        let spin = || {
            let start = Instant::now();
            while start.elapsed() < Duration::from_millis(120) {
                black_box(0);
            }
        };
        std::thread::spawn(spin).join().unwrap();
        let after = own_usage().unwrap();
        assert!(after.cpu - before.cpu >= Duration::from_millis(20), "{before:?} {after:?}");
        assert!(after.rss_bytes > 1 << 20 && after.rss_peak_bytes >= after.rss_bytes);
        assert_eq!(ticks_per_second(), 100.0);
    }

    #[test]
    fn a_process_that_is_not_there() {
        assert_eq!(usage(u32::MAX).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
