//! Files and folders, durably: a name is on the disk when its folder is synced.

use std::fs;
use std::path::Path;

use super::{DataDirError, Role};

/// Makes the folder and those above it, durably: each one's name is synced.
pub(super) fn make_folder(path: &Path) -> std::io::Result<()> {
    let above = path.ancestors().filter(|folder| !folder.as_os_str().is_empty());
    let missing = above.take_while(|folder| !folder.exists()).count();
    fs::create_dir_all(path)?;
    for parent in fs::canonicalize(path)?.ancestors().skip(1).take(missing) {
        sync_folder(parent)?;
    }
    Ok(())
}

/// The name of something in the folder; what a fresh volume brings along does not count, nor do the
/// keys that a replica is given before it is made.
pub(super) fn first_file(path: &Path, role: Role<'_>) -> std::io::Result<Option<String>> {
    for file in fs::read_dir(path)? {
        let name = file?.file_name();
        let is_key = Path::new(&name).extension().is_some_and(|end| end == "key" || end == "pub");
        let given = is_key && matches!(role, Role::Follows(_));
        if name != "lost+found" && !given {
            return Ok(Some(name.to_string_lossy().into_owned()));
        }
    }
    Ok(None)
}

pub(super) fn write_synced(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write as _;
    let mut file = fs::File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

pub(super) fn sync_folder(path: &Path) -> std::io::Result<()> {
    fs::File::open(path)?.sync_all()
}

/// Locks the folder for as long as the file is open. Replicas may share one: it holds their keys.
pub(super) fn lock(path: &Path, shared: bool) -> Result<fs::File, DataDirError> {
    let io = |source| DataDirError::Io { path: path.into(), source };
    let lock = fs::File::open(path).map_err(io)?;
    let locked = if shared { lock.try_lock_shared() } else { lock.try_lock() };
    locked.map_err(|error| match error {
        fs::TryLockError::WouldBlock => DataDirError::InUse { path: path.into() },
        fs::TryLockError::Error(source) => io(source),
    })?;
    Ok(lock)
}
