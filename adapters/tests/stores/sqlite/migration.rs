//! Files of other versions.

use mta_sts_adapters::{Sqlite, Store, StoreError, Urgency};
use rusqlite::{Connection, params};

use super::Folder;
use crate::entries::{DAY, NOW, WEEK, domain, domains, first, id, nothing};

/// The tables as version 1 made them.
const VERSION_1: &str = "
    PRAGMA journal_mode = WAL;
    CREATE TABLE entries (
        domain TEXT PRIMARY KEY NOT NULL,
        last_used INTEGER NOT NULL,
        entry BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX by_use ON entries (last_used DESC, domain);
    PRAGMA application_id = 0x53545331;
    PRAGMA user_version = 1;
";

/// 600 policies, 600 entries without one, a damaged row, and one whose name is none.
fn version_1() -> Folder {
    let folder = Folder::new();
    folder.sql(VERSION_1);
    let mut connection = Connection::open(folder.file()).expect("a file");
    let transaction = connection.transaction().expect("nobody else is there");
    let insert = |name: &str, used: u64, bytes: &[u8]| {
        let sql = "INSERT INTO entries VALUES (?1, ?2, ?3)";
        let used = i64::try_from(used).expect("a time");
        assert_eq!(transaction.execute(sql, params![name, used, bytes]), Ok(1));
    };
    for number in 0..600 {
        for entry in [
            first(&format!("p{number}.example"), "1"),
            nothing(&format!("n{number}.example"), NOW.minus_secs(number % 5 * DAY)),
        ] {
            insert(entry.domain().as_str(), entry.last_used().as_secs(), &entry.to_bytes());
        }
    }
    insert("damaged.example", 0, b"damaged");
    insert("NO NAME", 0, &first("example.com", "1").to_bytes());
    transaction.commit().expect("it is written");
    folder
}

fn version(folder: &Folder) -> i32 {
    let connection = Connection::open(folder.file()).expect("a file");
    connection.pragma_query_value(None, "user_version", |row| row.get(0)).expect("a number")
}

#[test]
fn ok_an_older_file_becomes_a_current_one_and_loses_nothing() {
    let folder = version_1();
    let store = folder.open();
    assert_eq!(version(&folder), 2);
    assert_eq!(store.check(), Ok(Vec::new()));
    assert_eq!(domains(&store).len(), 1_202);
    assert_eq!(id(&store, "p599.example").as_deref(), Some("1"));
    // What says nothing goes, policies and what is damaged stay.
    assert_eq!(store.prune(NOW.plus_secs(WEEK)), Ok(600));
    assert_eq!(domains(&store).len(), 602);
    assert_eq!(store.prune(NOW.plus_secs(WEEK + 30 * DAY)), Ok(600));
    assert_eq!(domains(&store), ["damaged.example", "NO NAME"]);
    assert_eq!(
        store.remove_unreadable(),
        Ok(vec!["damaged.example".to_owned(), "NO NAME".to_owned()])
    );
    assert!(domains(&store).is_empty());
}

#[test]
fn ok_an_older_file_is_read_as_it_is_by_one_who_may_not_write() {
    let folder = version_1();
    let store = Sqlite::open_read_only(folder.file()).expect("a store");
    assert_eq!(id(&store, "p1.example").as_deref(), Some("1"));
    assert_eq!(domains(&store).len(), 1_202);
    assert!(matches!(store.prune(NOW.plus_secs(WEEK)), Err(StoreError::ReadOnly(_))));
    assert_eq!(version(&folder), 1);
}

#[test]
fn ok_software_of_the_older_version_may_still_be_running() {
    let folder = version_1();
    let older = Connection::open(folder.file()).expect("a file");
    let sql = "INSERT INTO entries (domain, last_used, entry) VALUES (?1, ?2, ?3)
               ON CONFLICT (domain) DO UPDATE SET last_used = ?2, entry = ?3";
    let mut statement = older.prepare(sql).expect("valid SQL");
    let store = folder.open();
    // It knows nothing of the new column: over what held nothing it puts a policy.
    let policy = first("n1.example", "2");
    assert_eq!(statement.execute(params!["n1.example", 0, policy.to_bytes()]), Ok(1));
    let fresh = first("fresh.example", "1");
    assert_eq!(statement.execute(params!["fresh.example", 0, fresh.to_bytes()]), Ok(1));
    assert_eq!(store.prune(NOW.plus_secs(WEEK)), Ok(599));
    assert_eq!(id(&store, "n1.example").as_deref(), Some("2"));
    assert_eq!(id(&store, "fresh.example").as_deref(), Some("1"));
}

#[test]
fn ok_many_who_open_an_older_file_take_one_step() {
    let folder = version_1();
    std::thread::scope(|scope| {
        for number in 0..4 {
            let folder = &folder;
            scope.spawn(move || {
                let entry = first(&format!("new-{number}.example"), "1");
                assert_eq!(folder.open().merge(&entry, Urgency::Durable).map(drop), Ok(()));
            });
        }
    });
    assert_eq!(version(&folder), 2);
    assert_eq!(domains(&folder.open()).len(), 1_206);
}

#[test]
fn err_a_step_that_fails_changes_nothing() {
    let folder = version_1();
    // The step cannot make its index.
    folder.sql("CREATE TABLE by_expiry (number INTEGER) STRICT");
    let opened = Sqlite::open_existing(folder.file());
    assert!(matches!(opened, Err(StoreError::Backend(_))), "{opened:?}");
    assert_eq!(version(&folder), 1);
    folder.sql("DROP TABLE by_expiry");
    assert_eq!(domains(&folder.open()).len(), 1_202);
}

#[test]
fn err_tables_of_another_version() {
    for other in [-1, 0, 3, 7] {
        let folder = Folder::new();
        folder.open();
        folder.sql(&format!("PRAGMA user_version = {other}"));
        for opened in [Sqlite::open(folder.file()), Sqlite::open_read_only(folder.file())] {
            let Err(StoreError::Unusable(text)) = opened else { panic!("{other}: {opened:?}") };
            assert!(text.contains(&format!("version {other}")), "{text}");
            assert!(text.contains("give another path"), "{text}");
        }
        assert_eq!(version(&folder), other);
    }
}

#[test]
fn err_rows_of_a_domain_in_no_encoding_are_shown_and_dropped() {
    let folder = Folder::new();
    let store = folder.open();
    assert_eq!(store.merge(&first("example.com", "1"), Urgency::Durable).map(drop), Ok(()));
    folder.sql(
        "INSERT INTO entries SELECT CAST(x'FF00FE' AS TEXT), -5, entry, 0 FROM entries;
         INSERT INTO entries SELECT '', 9223372036854775807, entry, 0 FROM entries LIMIT 1;",
    );
    assert_eq!(domains(&store), ["", "example.com", "\u{fffd}\0\u{fffd}"]);
    assert_eq!(store.prune(NOW.plus_secs(DAY)), Ok(0));
    assert_eq!(store.remove_unreadable().map(|names| names.len()), Ok(2));
    assert_eq!(domains(&store), ["example.com"]);
    assert!(id(&store, "example.com").is_some());
    assert_eq!(store.get(&domain("example.net")), Ok(None));
}
