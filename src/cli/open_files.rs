//! The system's limit on open files, and how many connections it leaves room for.
//!
//! The store opens files as it goes, and a commit that cannot open one ends all writing. So the
//! connections together never get all of them: that would let anybody stop the log by connecting.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Files that are not connections of the API: 512 of the store, 256 connections that are being
/// refused, 128 to the metrics, and 64 for all the rest.
const OTHERS: u64 = 960;

/// Raises the limit as far as the system lets; gives the number of connections to serve, at most
/// `wanted`. With very few files allowed, an eighth of them is for connections.
pub(super) fn connections(wanted: usize) -> usize {
    let mut limit = getrlimit(Resource::Nofile);
    let raised = rustix::process::Rlimit { current: limit.maximum, ..limit };
    if setrlimit(Resource::Nofile, raised).is_ok() {
        limit.current = limit.maximum;
    }
    let allowed = within(limit.current, wanted);
    if allowed < wanted {
        let files = limit.current.unwrap_or(u64::MAX);
        tracing::warn!(files, connections = allowed, "few open files are allowed: raise the limit");
    }
    allowed
}

/// `None` is no limit.
fn within(files: Option<u64>, wanted: usize) -> usize {
    let Some(files) = files else { return wanted };
    let room = files.saturating_sub(OTHERS).max(files / 8);
    usize::try_from(room).unwrap_or(usize::MAX).min(wanted)
}

#[cfg(test)]
mod tests {
    use super::within;

    #[test]
    fn connections_leave_files_for_the_store() {
        assert_eq!(within(None, 4096), 4096);
        assert_eq!(within(Some(1 << 20), 4096), 4096);
        assert_eq!(within(Some(2048), 4096), 1088);
        assert_eq!(within(Some(1024), 4096), 128);
        assert_eq!(within(Some(100), 4096), 12);
    }
}
