//! The rows of the one table: a domain, its entry, and what finds it.

use mta_sts::{Entry, EntryError, PolicyDomain, UnixTime};
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::Stored;
use crate::store::Merged;

/// The name of a domain as the file has it: in a file that others wrote to it may be no name, nor
/// UTF-8.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name(Vec<u8>);

impl Name {
    /// It comes before all others.
    pub(super) const fn first() -> Self {
        Self(Vec::new())
    }

    pub(super) fn to_text(&self) -> String {
        String::from_utf8_lossy(&self.0).into_owned()
    }
}

impl From<&PolicyDomain> for Name {
    fn from(domain: &PolicyDomain) -> Self {
        Self(domain.as_str().as_bytes().to_vec())
    }
}

impl ToSql for Name {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Text(&self.0)))
    }
}

impl FromSql for Name {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value {
            ValueRef::Text(text) => Ok(Self(text.to_vec())),
            _ => Err(FromSqlError::InvalidType),
        }
    }
}

pub(super) struct Row {
    pub(super) name: Name,
    /// The number by which the page is ordered.
    order: i64,
    pub(super) last_used: i64,
    /// 0 where it was not asked for.
    pub(super) expires_at: i64,
    bytes: Vec<u8>,
}

/// Where a page ended.
pub(super) struct Cursor {
    order: i64,
    name: Name,
}

impl Row {
    pub(super) fn cursor(&self) -> Cursor {
        Cursor { order: self.order, name: self.name.clone() }
    }

    pub(super) fn entry(&self) -> Result<Entry, EntryError> {
        let name = str::from_utf8(&self.name.0).map_err(|_| EntryError::Corrupt)?;
        let domain = PolicyDomain::parse(name).map_err(|_| EntryError::Corrupt)?;
        Entry::from_bytes(&domain, &self.bytes)
    }

    /// Whether it is no entry, and none of a later version either.
    pub(super) fn is_damaged(&self) -> bool {
        !matches!(self.entry(), Ok(_) | Err(EntryError::Version { .. }))
    }
}

impl From<Row> for Stored {
    fn from(row: Row) -> Self {
        Self {
            domain: row.name.to_text(),
            last_used: UnixTime::from_secs(u64::try_from(row.last_used).unwrap_or(0)),
            entry: row.entry(),
        }
    }
}

/// A time as the file has it.
pub(super) fn seconds(time: UnixTime) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}

/// The time at which the policy of the entry expires by its own stamp; 0 if there is no policy, so
/// that such an entry is looked at whenever something is to be dropped. It is a hint: for a policy
/// that a clock running ahead has stamped it is too late, never too early.
pub(super) fn expires_at(entry: &Entry) -> i64 {
    entry.stored_policy().map_or(0, |held| seconds(held.expires_at(held.fetched_at())))
}

pub(super) fn bytes(
    connection: &Connection,
    name: &Name,
) -> Result<Option<Vec<u8>>, rusqlite::Error> {
    let mut statement = connection.prepare_cached("SELECT entry FROM entries WHERE domain = ?1")?;
    statement.query_row([name], |row| row.get(0)).optional()
}

/// Merges the entry into what is held. Returns the entry that is held afterwards, or the fault of
/// the bytes that stay.
pub(super) fn merge(
    transaction: &Transaction<'_>,
    entry: &Entry,
) -> Result<Result<Entry, EntryError>, rusqlite::Error> {
    let domain = entry.domain();
    let name = Name::from(domain);
    let merged = match crate::store::merged(entry, bytes(transaction, &name)?.as_deref()) {
        Ok(Merged { entry: merged, is_news: true }) => merged,
        Ok(Merged { entry: held, is_news: false }) => return Ok(Ok(held)),
        Err(error) => return Ok(Err(error)),
    };
    let mut statement = transaction.prepare_cached(
        "INSERT INTO entries (domain, last_used, expires_at, entry) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (domain) DO UPDATE SET last_used = ?2, expires_at = ?3, entry = ?4",
    )?;
    let last_used = seconds(merged.last_used());
    statement.execute(params![name, last_used, expires_at(&merged), merged.to_bytes()])?;
    Ok(Ok(merged))
}

pub(super) fn remove(transaction: &Transaction<'_>, name: &Name) -> Result<usize, rusqlite::Error> {
    transaction.prepare_cached("DELETE FROM entries WHERE domain = ?1")?.execute([name])
}

/// Removes those of the named rows for which it holds.
pub(super) fn remove_where(
    transaction: &Transaction<'_>,
    names: &[Name],
    holds: impl Fn(&Row) -> bool,
) -> Result<usize, rusqlite::Error> {
    let mut removed = 0;
    for name in names {
        let Some(bytes) = bytes(transaction, name)? else { continue };
        let row = Row { name: name.clone(), order: 0, last_used: 0, expires_at: 0, bytes };
        if holds(&row) {
            removed += remove(transaction, name)?;
        }
    }
    Ok(removed)
}

/// The next rows, what was used last first.
pub(super) fn by_use(
    connection: &Connection,
    after: Option<&Cursor>,
) -> Result<Vec<Row>, rusqlite::Error> {
    let Some(after) = after else {
        let first = "SELECT domain, last_used, last_used, 0, entry FROM entries
                     ORDER BY last_used DESC, domain DESC LIMIT 256";
        return page(connection, first, params![]);
    };
    let next = "SELECT domain, last_used, last_used, 0, entry FROM entries
                WHERE (last_used, domain) < (?1, ?2)
                ORDER BY last_used DESC, domain DESC LIMIT 256";
    page(connection, next, params![after.order, after.name])
}

/// The next rows, those without a policy first, then by its expiry.
pub(super) fn by_expiry(
    connection: &Connection,
    after: Option<&Cursor>,
) -> Result<Vec<Row>, rusqlite::Error> {
    let Some(after) = after else {
        let first = "SELECT domain, expires_at, last_used, expires_at, entry FROM entries
                     ORDER BY expires_at, domain LIMIT 256";
        return page(connection, first, params![]);
    };
    let next = "SELECT domain, expires_at, last_used, expires_at, entry FROM entries
                WHERE (expires_at, domain) > (?1, ?2)
                ORDER BY expires_at, domain LIMIT 256";
    page(connection, next, params![after.order, after.name])
}

fn page(
    connection: &Connection,
    sql: &str,
    params: impl rusqlite::Params,
) -> Result<Vec<Row>, rusqlite::Error> {
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(params, |row| {
        Ok(Row {
            name: row.get(0)?,
            order: row.get(1)?,
            last_used: row.get(2)?,
            expires_at: row.get(3)?,
            bytes: row.get(4)?,
        })
    })?;
    rows.collect()
}
