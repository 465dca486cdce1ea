//! A store in one `SQLite` file.

mod group;
mod open;
mod readers;
mod rows;
mod schema;

use std::fmt;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf, absolute};

use mta_sts::{Entry, EntryError, PolicyDomain, UnixTime, Urgency};
use rusqlite::Connection;

use crate::{Store, StoreError, Stored};
use group::{Done, Group, Work};
use open::{Access, failure};
use readers::Readers;
use rows::{Cursor, Name, Row};

/// A store in one `SQLite` file, which several threads and processes may use at the same time.
///
/// ```
/// use mta_sts_adapters::{Entry, PolicyDomain, Sqlite, Store, UnixTime, Urgency};
///
/// # let folder = std::env::temp_dir().join(format!("mta-sts-doc-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// let store = Sqlite::open(folder.join("policies.db"))?;
/// let domain = PolicyDomain::parse("example.com")?;
/// let entry = Entry::new(domain.clone(), UnixTime::from_secs(1_800_000_000));
/// store.merge(&entry, Urgency::Durable)?;
/// assert_eq!(store.get(&domain)?, Some(entry));
/// # drop(store);
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # What is durable
/// A policy is on the disk, through a `kill -9` or a loss of power, once [`Store::merge`] has
/// returned for [`Urgency::Durable`]. What is lazy is through a `kill -9` as well; a loss of power
/// may cost what was written since the last durable write. Threads that write at the same time
/// share one transaction, and so one wait for the disk. Reads wait for no writer.
///
/// # The file
/// Beside the file lie two more while it is in use (`-wal`, `-shm`): they belong to it, and are
/// moved and removed with it. It must lie on a disk of this machine: network file systems lack the
/// locks. Nothing but its domains is private: they tell to whom mail was sent, so let others not
/// read it.
///
/// A backup is `sqlite3 policies.db ".backup copy.db"` at any time, or a copy of the file and its
/// `-wal` while nobody has it open. It is worth little after a year: policies expire, and are
/// fetched again as mail is sent. But a lost file is a first contact again with every domain, which
/// an attacker who is on the way can suppress (RFC 8461 §10.2).
///
/// # Versions
/// The file carries the version of its tables. An older file is brought up to date when it is
/// opened for writing, all in one step or not at all, in some seconds for each million entries, for
/// which others who open it wait; it is read as it is when it is opened for reading. A file of a
/// later version is refused. What a later version of this software wrote for one domain is
/// unreadable, and left alone.
pub struct Sqlite {
    path: PathBuf,
    readers: Readers,
    /// `None` where the file may be read alone.
    group: Option<Group>,
}

/// The most rows that one transaction of [`Store::prune`] or
/// [`remove_unreadable`](Store::remove_unreadable) drops.
const SOME: usize = 10_000;

impl Sqlite {
    /// Opens the file, and makes it where there is none. A file that may be read and not be written
    /// is opened as such: every write fails then.
    ///
    /// # Errors
    /// [`StoreError::Unusable`] where it is no store of this software, is of a later version, or is
    /// damaged; the text says what to do. [`StoreError::Backend`] where it cannot be opened.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        match Self::connect(path.as_ref(), Access::Create) {
            Ok(store) => Ok(store),
            Err(StoreError::Unusable(text)) => Err(StoreError::Unusable(text)),
            Err(error) if path.as_ref().is_file() => Self::open_read_only(path).map_err(|_| error),
            Err(error) => Err(error),
        }
    }

    /// Opens the file for writing where there is one; none is made.
    ///
    /// # Errors
    /// As for [`open`](Self::open), and where there is no file.
    pub fn open_existing(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::connect(path.as_ref(), Access::Write)
    }

    /// Opens the file for reading alone; nothing is made and nothing is changed. Where this user may
    /// not write in its folder and nobody has it open, it is read as it is now: open it again to see
    /// what others write.
    ///
    /// # Errors
    /// As for [`open`](Self::open), and where there is no file.
    pub fn open_read_only(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = path.as_ref();
        match Self::connect(path, Access::Read) {
            Err(StoreError::ReadOnly(_) | StoreError::Backend(_)) if open::is_still(path) => {
                Self::connect(path, Access::Still)
            }
            opened => opened,
        }
    }

    fn connect(path: &Path, access: Access) -> Result<Self, StoreError> {
        // Whole, so that it stays the same file to a process that changes its folder.
        let path = absolute(path)
            .map_err(|error| StoreError::Backend(format!("{}: {error}", path.display())))?;
        let connection = open::connection(&path, access)?;
        let failed = |error: rusqlite::Error| failure(&path, &error);
        let (group, access) = if connection.is_readonly("main").map_err(failed)? {
            schema::check(&path, &connection, true)?;
            (None, if access == Access::Still { access } else { Access::Read })
        } else {
            (Some(Group::new(schema::prepare(&path, connection)?)), Access::Write)
        };
        let readers = Readers::open(&path, access)?;
        Ok(Self { path, readers, group })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the whole file, and says what is damaged in its structure: nothing where it is sound,
    /// else the first 100 faults. What to do about them: `.recover` of the `sqlite3` program makes
    /// a new file of what is left, or move the file away to begin anew.
    ///
    /// An entry that is none is not a fault of the structure: see
    /// [`remove_unreadable`](Store::remove_unreadable).
    ///
    /// # Errors
    /// [`StoreError`] where the file cannot be read at all.
    pub fn check(&self) -> Result<Vec<String>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare("PRAGMA integrity_check(100)")?;
            let lines = statement.query_map([], |row| row.get(0))?;
            let mut faults: Vec<String> = lines.collect::<Result<_, _>>()?;
            faults.retain(|line| line != "ok");
            Ok(faults)
        })
    }

    fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, rusqlite::Error>,
    ) -> Result<T, StoreError> {
        read(&self.readers.any()).map_err(|error| failure(&self.path, &error))
    }

    /// Who writes, if anybody may.
    fn writer(&self) -> Result<&Group, StoreError> {
        self.group.as_ref().ok_or_else(|| {
            StoreError::ReadOnly(format!("{} is open for reading alone", self.path.display()))
        })
    }

    /// Merges the entries in one transaction. Returns one result for each.
    fn merge_in_one(
        &self,
        entries: Vec<Entry>,
        urgency: Urgency,
    ) -> Result<Vec<Result<Entry, EntryError>>, StoreError> {
        match self.writer()?.write(&self.path, Work::Merge(entries), urgency)? {
            Done::Merged(merged) => Ok(merged),
            Done::Dropped(_) => unreachable!("`Work::Merge` ends in `Done::Merged`"),
        }
    }

    /// Drops rows. Returns their number.
    fn drop_rows(&self, work: Work, urgency: Urgency) -> Result<usize, StoreError> {
        match self.writer()?.write(&self.path, work, urgency)? {
            Done::Dropped(rows) => Ok(rows),
            Done::Merged(_) => unreachable!("only `Work::Merge` ends in `Done::Merged`"),
        }
    }

    /// Shows all rows in the order of `page`, a page at a time: so others are not kept from the
    /// file, nor `visit` from the store.
    fn rows(
        &self,
        page: fn(&Connection, Option<&Cursor>) -> Result<Vec<Row>, rusqlite::Error>,
        visit: &mut dyn FnMut(Row) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let mut last: Option<Cursor> = None;
        loop {
            let rows = self.read(|connection| page(connection, last.as_ref()))?;
            let Some(end) = rows.last() else { return Ok(()) };
            last = Some(end.cursor());
            for row in rows {
                if visit(row).is_break() {
                    return Ok(());
                }
            }
        }
    }
}

impl Store for Sqlite {
    fn get(&self, domain: &PolicyDomain) -> Result<Option<Entry>, StoreError> {
        let name = Name::from(domain);
        let bytes = self.read(|connection| rows::bytes(connection, &name))?;
        bytes.map(|bytes| Entry::from_bytes(domain, &bytes)).transpose().map_err(StoreError::Entry)
    }

    fn merge(&self, entry: &Entry, urgency: Urgency) -> Result<Entry, StoreError> {
        let merged = self.merge_in_one(vec![entry.clone()], urgency)?.pop();
        merged.expect("one result for each entry").map_err(StoreError::Entry)
    }

    fn merge_all(
        &self,
        entries: &[Entry],
        urgency: Urgency,
    ) -> Result<Vec<Result<Entry, EntryError>>, StoreError> {
        self.merge_in_one(entries.to_vec(), urgency)
    }

    fn remove(&self, domain: &PolicyDomain) -> Result<bool, StoreError> {
        let removed = self.drop_rows(Work::Remove(Name::from(domain)), Urgency::Lazy)?;
        Ok(removed > 0)
    }

    fn visit(&self, visit: &mut dyn FnMut(Stored) -> ControlFlow<()>) -> Result<(), StoreError> {
        self.rows(rows::by_use, &mut |row| visit(row.into()))
    }

    fn prune(&self, now: UnixTime) -> Result<usize, StoreError> {
        self.writer()?;
        let mut names = Vec::new();
        self.rows(rows::by_expiry, &mut |row| {
            // The column is a hint; the entry itself decides.
            if rows::seconds(now) < row.expires_at || names.len() >= SOME {
                return ControlFlow::Break(());
            }
            if row.entry().is_ok_and(|entry| entry.is_disposable(now)) {
                names.push(row.name);
            }
            ControlFlow::Continue(())
        })?;
        if names.is_empty() {
            return Ok(0);
        }
        self.drop_rows(Work::Prune(names, now), Urgency::Lazy)
    }

    fn remove_unreadable(&self) -> Result<Vec<String>, StoreError> {
        self.writer()?;
        let mut names = Vec::new();
        self.rows(rows::by_use, &mut |row| {
            if row.is_damaged() {
                names.push(row.name);
            }
            ControlFlow::Continue(())
        })?;
        for some in names.chunks(SOME) {
            self.drop_rows(Work::RemoveDamaged(some.to_vec()), Urgency::Durable)?;
        }
        Ok(names.iter().map(Name::to_text).collect())
    }
}

impl fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sqlite").field("path", &self.path).finish_non_exhaustive()
    }
}
