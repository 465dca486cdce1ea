//! A store in one `SQLite` file.

use std::fmt;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mta_sts::{Entry, EntryError, PolicyDomain, UnixTime, Urgency};
use rusqlite::{
    Connection, ErrorCode, OpenFlags, OptionalExtension, Transaction, TransactionBehavior, params,
};

use crate::{Store, StoreError, Stored};

/// A store in one `SQLite` file, which several processes may use at the same time.
///
/// A policy is on the disk, through a `kill -9` or a loss of power, once [`Store::merge`] has
/// returned for [`Urgency::Durable`]; the rest is written without waiting for the disk. Beside the
/// file lie two more while it is in use (`-wal`, `-shm`): they belong to it.
pub struct Sqlite {
    path: PathBuf,
    connection: Mutex<Connection>,
}

/// "STS1" as the mark of the file (`PRAGMA application_id`).
const APPLICATION: i32 = 0x5354_5331;
/// The version of the tables (`PRAGMA user_version`).
const SCHEMA: i32 = 1;
const CREATE: &str = "
    CREATE TABLE entries (
        domain TEXT PRIMARY KEY NOT NULL,
        last_used INTEGER NOT NULL,
        entry BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX by_use ON entries (last_used DESC, domain);
";
/// How long to wait for another process that is writing.
const PATIENCE: Duration = Duration::from_secs(5);

impl Sqlite {
    /// Opens the file, and makes it where there is none. A file that may be read and not be written
    /// is opened as such: every write fails then.
    ///
    /// # Errors
    /// [`StoreError::Unusable`] where it is no store of this software, is of a later version, or is
    /// damaged; the text says what to do. [`StoreError::Backend`] where it cannot be opened.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = path.as_ref().to_owned();
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        match Self::connect(&path, flags) {
            Ok(store) => Ok(store),
            Err(StoreError::Unusable(text)) => Err(StoreError::Unusable(text)),
            Err(error) if path.is_file() => Self::open_read_only(&path).map_err(|_| error),
            Err(error) => Err(error),
        }
    }

    /// Opens the file for reading alone; nothing is made and nothing is changed.
    ///
    /// # Errors
    /// As for [`open`](Self::open), and where there is no file.
    pub fn open_read_only(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::connect(path.as_ref(), OpenFlags::SQLITE_OPEN_READ_ONLY)
    }

    fn connect(path: &Path, flags: OpenFlags) -> Result<Self, StoreError> {
        let failed = |error: rusqlite::Error| failure(path, &error);
        let mut connection =
            Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)
                .map_err(failed)?;
        connection.busy_timeout(PATIENCE).map_err(failed)?;
        let read_only = connection.is_readonly("main").map_err(failed)?;
        // It is looked at before anything is written: a file of other software stays as it is.
        let is_new = is_new(&connection).map_err(failed)?;
        if is_new && !read_only {
            connection.pragma_update(None, "journal_mode", "WAL").map_err(failed)?;
            create(&mut connection).map_err(failed)?;
        }
        check(path, &connection)?;
        Ok(Self { path: path.to_owned(), connection: Mutex::new(connection) })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, error: &rusqlite::Error) -> StoreError {
        failure(&self.path, error)
    }

    fn write(&self, entries: &[&Entry], synchronous: &str) -> Result<(), StoreError> {
        let failed = |error: rusqlite::Error| self.failed(&error);
        let mut connection = self.lock();
        connection.pragma_update(None, "synchronous", synchronous).map_err(failed)?;
        let transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        for entry in entries {
            merge(&transaction, entry).map_err(|error| match error {
                Failed::Sqlite(error) => self.failed(&error),
                Failed::Entry(error) => StoreError::Entry(error),
            })?;
        }
        transaction.commit().map_err(failed)
    }

    /// The next rows after the given one, what was used last first.
    fn page(&self, after: Option<&(i64, String)>) -> Result<Vec<Row>, rusqlite::Error> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(
            "SELECT domain, last_used, entry FROM entries
             WHERE last_used < ?1 OR (last_used = ?1 AND domain > ?2)
             ORDER BY last_used DESC, domain LIMIT 256",
        )?;
        let (used, domain) = after.map_or((i64::MAX, ""), |(used, domain)| (*used, domain));
        let rows = statement.query_map(params![used, domain], |row| {
            Ok(Row { domain: row.get(0)?, last_used: row.get(1)?, entry: row.get(2)? })
        })?;
        rows.collect()
    }
}

struct Row {
    domain: String,
    last_used: i64,
    entry: Vec<u8>,
}

enum Failed {
    Sqlite(rusqlite::Error),
    Entry(EntryError),
}

impl From<rusqlite::Error> for Failed {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

fn merge(transaction: &Transaction<'_>, entry: &Entry) -> Result<(), Failed> {
    let domain = entry.domain();
    let held = match bytes(transaction, domain)? {
        None => None,
        Some(bytes) => match Entry::from_bytes(domain, &bytes) {
            Ok(held) => Some(held),
            // Nobody knows what it protected, so it gives way to a policy only; and what a later
            // version wrote is not damaged.
            Err(error @ EntryError::Version { .. }) => return Err(Failed::Entry(error)),
            Err(error) if entry.generation() == 0 => return Err(Failed::Entry(error)),
            Err(_) => None,
        },
    };
    let mut merged = entry.clone();
    if let Some(held) = &held {
        // Both are of the one domain: there is nothing that could fail.
        let _ = merged.merge(held.clone());
        if merged == *held {
            return Ok(());
        }
    }
    let last_used = i64::try_from(merged.last_used().as_secs()).unwrap_or(i64::MAX - 1);
    let mut statement = transaction.prepare_cached(
        "INSERT INTO entries (domain, last_used, entry) VALUES (?1, ?2, ?3)
         ON CONFLICT (domain) DO UPDATE SET last_used = ?2, entry = ?3",
    )?;
    statement.execute(params![domain.as_str(), last_used, merged.to_bytes()])?;
    Ok(())
}

fn bytes(
    connection: &Connection,
    domain: &PolicyDomain,
) -> Result<Option<Vec<u8>>, rusqlite::Error> {
    let mut statement = connection.prepare_cached("SELECT entry FROM entries WHERE domain = ?1")?;
    statement.query_row([domain.as_str()], |row| row.get(0)).optional()
}

/// Whether nothing has been written into the file yet, by anybody.
fn is_new(connection: &Connection) -> Result<bool, rusqlite::Error> {
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(tables == 0 && pragma(connection, "application_id")? == 0)
}

fn pragma(connection: &Connection, name: &str) -> Result<i32, rusqlite::Error> {
    connection.pragma_query_value(None, name, |row| row.get(0))
}

fn create(connection: &mut Connection) -> Result<(), rusqlite::Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have been faster.
    if is_new(&transaction)? {
        transaction.execute_batch(CREATE)?;
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", SCHEMA)?;
    }
    transaction.commit()
}

fn check(path: &Path, connection: &Connection) -> Result<(), StoreError> {
    let failed = |error: rusqlite::Error| failure(path, &error);
    if pragma(connection, "application_id").map_err(failed)? != APPLICATION {
        return Err(StoreError::Unusable(format!(
            "{} is an SQLite file of other software: give another path",
            path.display()
        )));
    }
    let version = pragma(connection, "user_version").map_err(failed)?;
    if version != SCHEMA {
        return Err(StoreError::Unusable(format!(
            "{} has tables of version {version}, and this software reads version {SCHEMA}: use \
             the software that made it, or give another path",
            path.display()
        )));
    }
    Ok(())
}

fn failure(path: &Path, error: &rusqlite::Error) -> StoreError {
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
        _ => StoreError::Backend(format!("{path}: {error}")),
    }
}

impl Store for Sqlite {
    fn get(&self, domain: &PolicyDomain) -> Result<Option<Entry>, StoreError> {
        let bytes = bytes(&self.lock(), domain).map_err(|error| self.failed(&error))?;
        bytes.map(|bytes| Entry::from_bytes(domain, &bytes)).transpose().map_err(StoreError::Entry)
    }

    fn merge(&self, entry: &Entry, urgency: Urgency) -> Result<(), StoreError> {
        let synchronous = match urgency {
            Urgency::Durable => "FULL",
            Urgency::Lazy => "NORMAL",
        };
        self.write(&[entry], synchronous)
    }

    fn merge_all(&self, entries: &[Entry]) -> Result<(), StoreError> {
        self.write(&entries.iter().collect::<Vec<_>>(), "NORMAL")
    }

    fn remove(&self, domain: &PolicyDomain) -> Result<bool, StoreError> {
        let removed =
            self.lock().execute("DELETE FROM entries WHERE domain = ?1", [domain.as_str()]);
        removed.map(|rows| rows > 0).map_err(|error| self.failed(&error))
    }

    fn visit(&self, visit: &mut dyn FnMut(Stored) -> ControlFlow<()>) -> Result<(), StoreError> {
        // In pages, so that others are not kept from the file, nor `visit` from the store.
        let mut last = None;
        loop {
            let page = self.page(last.as_ref()).map_err(|error| self.failed(&error))?;
            let Some(end) = page.last() else { return Ok(()) };
            last = Some((end.last_used, end.domain.clone()));
            for row in page {
                let entry = PolicyDomain::parse(&row.domain)
                    .map_err(|_| EntryError::Corrupt)
                    .and_then(|domain| Entry::from_bytes(&domain, &row.entry));
                let last_used = UnixTime::from_secs(u64::try_from(row.last_used).unwrap_or(0));
                if visit(Stored { domain: row.domain, last_used, entry }).is_break() {
                    return Ok(());
                }
            }
        }
    }
}

impl fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sqlite").field("path", &self.path).finish_non_exhaustive()
    }
}
