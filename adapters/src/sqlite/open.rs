//! Connections, and their errors in words.

use std::fmt::Write;
use std::path::Path;
use std::thread;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::StoreError;

/// How long to wait for another process that is writing.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// How long to wait for another process that is bringing the file up to date.
pub(super) const PATIENCE_WITH_STEPS: Duration = Duration::from_secs(120);

/// What a connection may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Write, and make the file where there is none.
    Create,
    /// Write.
    Write,
    /// Read, beside those who write.
    Read,
    /// Read a file that nobody writes: without locks, and without the files beside it.
    Still,
}

/// Opens the file; nothing in it is read or written yet.
pub(super) fn connection(path: &Path, access: Access) -> Result<Connection, StoreError> {
    let failed = |error: rusqlite::Error| failure(path, &error);
    let (read, write) = (OpenFlags::SQLITE_OPEN_READ_ONLY, OpenFlags::SQLITE_OPEN_READ_WRITE);
    let opened = match access {
        Access::Create => open(path, write | OpenFlags::SQLITE_OPEN_CREATE),
        Access::Write => open(path, write),
        Access::Read => open(path, read),
        Access::Still => open(still(path).as_ref(), read | OpenFlags::SQLITE_OPEN_URI),
    };
    let connection = opened.map_err(failed)?;
    connection.busy_timeout(PATIENCE).map_err(failed)?;
    // In KiB: the upper levels of the trees of a million entries, which every read walks.
    connection.pragma_update(None, "cache_size", -8 * 1024).map_err(failed)?;
    Ok(connection)
}

fn open(path: &Path, flags: OpenFlags) -> Result<Connection, rusqlite::Error> {
    Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)
}

/// Whether the file is whole without its log, as nobody has it open.
pub(super) fn is_still(path: &Path) -> bool {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    path.is_file() && !Path::new(&log).exists()
}

/// The path as a URI that says that nobody writes the file.
fn still(path: &Path) -> String {
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => {
                uri.push(char::from(*byte));
            }
            // Writing to a string does not fail.
            _ => drop(write!(uri, "%{byte:02X}")),
        }
    }
    uri + "?immutable=1"
}

/// Readers beside a writer, and a log that does not stay as long as it once was.
pub(super) fn use_wal(connection: &Connection) -> Result<(), rusqlite::Error> {
    const PAUSE: Duration = Duration::from_millis(50);
    let mut waited = Duration::ZERO;
    // SQLite itself does not wait here for another process that does the same.
    while let Err(error) = connection.pragma_update(None, "journal_mode", "WAL") {
        if error.sqlite_error_code() != Some(ErrorCode::DatabaseBusy) || waited >= PATIENCE {
            return Err(error);
        }
        thread::sleep(PAUSE);
        waited += PAUSE;
    }
    connection.pragma_update(None, "journal_size_limit", 16 * 1024 * 1024)
}

/// What failed, and what to do.
pub(super) fn failure(path: &Path, error: &rusqlite::Error) -> StoreError {
    let path = path.display();
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => StoreError::Unusable(format!(
            "{path} is no SQLite file: give another path, or move it away to begin anew"
        )),
        Some(ErrorCode::DatabaseCorrupt) => StoreError::Unusable(format!(
            "{path} is damaged ({error}): restore it from a backup, or move it and its -wal and \
             -shm files away to begin anew; policies are fetched again as mail is sent"
        )),
        Some(ErrorCode::ReadOnly) => StoreError::ReadOnly(format!("{path}: {error}")),
        Some(ErrorCode::DiskFull) => {
            StoreError::Backend(format!("{path}: the disk is full: make room on it"))
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Backend(format!(
            "{path} is locked: another process has been writing to it for more than {} s",
            PATIENCE.as_secs()
        )),
        Some(ErrorCode::CannotOpen) => StoreError::Backend(format!(
            "{path} cannot be opened: its folder must exist, and this user must be allowed to \
             write there ({error})"
        )),
        _ => StoreError::Backend(format!("{path}: {error}")),
    }
}
