//! The tables, their version, and how an older file becomes a current one.

use std::path::Path;

use mta_sts::{Entry, PolicyDomain};
use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::open::{self, failure};
use super::rows;
use crate::StoreError;

/// "STS1" as the mark of the file (`PRAGMA application_id`).
const APPLICATION: i32 = 0x5354_5331;

type Step = fn(&Transaction<'_>) -> Result<(), rusqlite::Error>;

/// From nothing to the current tables; each takes the version (`PRAGMA user_version`) one further.
/// What has been released is never changed: add a step.
const STEPS: [Step; 2] = [create, find_by_expiry];
/// The version of the current tables.
const CURRENT: i32 = 2;
/// The earliest that can be read as it is.
const EARLIEST_READ: i32 = 1;
const _: () = assert!(STEPS.len() == 2 && CURRENT == 2, "one step a version");

fn create(transaction: &Transaction<'_>) -> Result<(), rusqlite::Error> {
    transaction.execute_batch(
        "CREATE TABLE entries (
             domain TEXT PRIMARY KEY NOT NULL,
             last_used INTEGER NOT NULL,
             entry BLOB NOT NULL
         ) STRICT, WITHOUT ROWID;
         CREATE INDEX by_use ON entries (last_used DESC, domain);",
    )?;
    transaction.pragma_update(None, "application_id", APPLICATION)
}

/// What may be dropped is found without reading all; and pages by last use are sought in an index
/// whose columns run the same way.
fn find_by_expiry(transaction: &Transaction<'_>) -> Result<(), rusqlite::Error> {
    transaction.execute_batch(
        "ALTER TABLE entries ADD COLUMN expires_at INTEGER NOT NULL DEFAULT 0;
         DROP INDEX by_use;
         CREATE INDEX by_use ON entries (last_used, domain);",
    )?;
    let mut select = transaction
        .prepare("SELECT domain, entry FROM entries WHERE domain > ?1 ORDER BY domain LIMIT 256")?;
    let mut update = transaction.prepare("UPDATE entries SET expires_at = ?2 WHERE domain = ?1")?;
    let mut last: Option<rows::Name> = None;
    loop {
        let after = last.take().unwrap_or_else(rows::Name::first);
        let page = select.query_map([&after], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let page: Vec<(rows::Name, Vec<u8>)> = page.collect::<Result<_, _>>()?;
        for (name, bytes) in &page {
            let domain = PolicyDomain::parse(&name.to_text()).ok();
            let entry = domain.and_then(|domain| Entry::from_bytes(&domain, bytes).ok());
            // What is no entry is never in question.
            let expires_at = entry.as_ref().map_or(i64::MAX, rows::expires_at);
            if expires_at != 0 {
                update.execute(params![name, expires_at])?;
            }
        }
        match page.into_iter().next_back() {
            Some((name, _)) => last = Some(name),
            None => break,
        }
    }
    transaction.execute_batch("CREATE INDEX by_expiry ON entries (expires_at, domain);")
}

/// Makes the tables, or brings them up to date. A file of other software stays as it is.
pub(super) fn prepare(path: &Path, mut connection: Connection) -> Result<Connection, StoreError> {
    let failed = |error: rusqlite::Error| failure(path, &error);
    if !is_new(&connection).map_err(failed)? {
        check(path, &connection, true)?;
    }
    open::use_wal(&connection).map_err(failed)?;
    if version(&connection).map_err(failed)? != CURRENT {
        update(&mut connection).map_err(failed)?;
    }
    check(path, &connection, false)?;
    Ok(connection)
}

fn update(connection: &mut Connection) -> Result<(), rusqlite::Error> {
    connection.pragma_update(None, "synchronous", "FULL")?;
    // Another process may be at it, and a large file takes its time.
    connection.busy_timeout(open::PATIENCE_WITH_STEPS)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have been faster.
    let done = usize::try_from(version(&transaction)?).unwrap_or(usize::MAX);
    for step in STEPS.iter().skip(done) {
        step(&transaction)?;
    }
    if done < STEPS.len() {
        transaction.pragma_update(None, "user_version", CURRENT)?;
    }
    transaction.commit()?;
    connection.busy_timeout(open::PATIENCE)
}

/// Whether it is a store whose tables can be used, the older ones included where they are only to
/// be read or brought up to date.
pub(super) fn check(
    path: &Path,
    connection: &Connection,
    older_too: bool,
) -> Result<(), StoreError> {
    let failed = |error: rusqlite::Error| failure(path, &error);
    if pragma(connection, "application_id").map_err(failed)? != APPLICATION {
        return Err(StoreError::Unusable(format!(
            "{} is an SQLite file of other software: give another path",
            path.display()
        )));
    }
    let version = version(connection).map_err(failed)?;
    let earliest = if older_too { EARLIEST_READ } else { CURRENT };
    if !(earliest..=CURRENT).contains(&version) {
        return Err(StoreError::Unusable(format!(
            "{} has tables of version {version}, and this software uses version {CURRENT}: use \
             the software that made it, or give another path",
            path.display()
        )));
    }
    Ok(())
}

/// Whether nothing has been written into the file yet, by anybody.
fn is_new(connection: &Connection) -> Result<bool, rusqlite::Error> {
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(tables == 0 && pragma(connection, "application_id")? == 0 && version(connection)? == 0)
}

fn version(connection: &Connection) -> Result<i32, rusqlite::Error> {
    pragma(connection, "user_version")
}

fn pragma(connection: &Connection, name: &str) -> Result<i32, rusqlite::Error> {
    connection.pragma_query_value(None, name, |row| row.get(0))
}
