//! The store in one `SQLite` file: the laws, and what can be wrong with a file.

mod faults;
mod kill;
mod limits;
mod migration;

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use mta_sts_adapters::{Sqlite, Store, Urgency};
use rusqlite::Connection;

use super::entries::{NOW, domain, domains, first, get, nothing};
use super::{Place, check, child, shared};

/// A folder of its own for each test, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("mta-sts-sqlite-{}-{number}", process::id()));
        fs::create_dir(&path).expect("a folder");
        // Some tests act as another user.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).expect("its own");
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("policies.db")
    }

    fn open(&self) -> Sqlite {
        Sqlite::open(self.file()).expect("a store")
    }

    fn sql(&self, sql: &str) {
        let connection = Connection::open(self.file()).expect("a file");
        connection.execute_batch(sql).expect("valid SQL");
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Place for Folder {
    fn handle(&self) -> Arc<dyn Store> {
        Arc::new(self.open())
    }

    fn spoil(&self, name: &str, bytes: &[u8]) -> bool {
        let connection = Connection::open(self.file()).expect("a file");
        let update = "UPDATE entries SET entry = ?2 WHERE domain = ?1";
        assert_eq!(connection.execute(update, rusqlite::params![name, bytes]), Ok(1));
        true
    }
}

#[test]
fn ok_sqlite_is_a_store() {
    check(Folder::new);
}

#[test]
fn ok_what_was_written_is_there_after_opening_again() {
    let folder = Folder::new();
    let entry = first("example.com", "1");
    assert_eq!(folder.open().merge(&entry, Urgency::Durable).map(drop), Ok(()));
    assert_eq!(folder.open().get(&domain("example.com")), Ok(Some(entry)));
}

#[test]
fn ok_a_relative_path_stays_the_same_file() {
    let folder = Folder::new();
    let store = folder.open();
    assert!(store.path().is_absolute());
    assert!(Sqlite::open("").is_err());
}

#[test]
fn ok_many_open_a_file_that_is_not_there_yet() {
    let folder = Folder::new();
    thread::scope(|scope| {
        for number in 0..8 {
            let folder = &folder;
            scope.spawn(move || {
                let entry = first(&format!("n{number}.example"), "1");
                assert_eq!(folder.open().merge(&entry, Urgency::Durable).map(drop), Ok(()));
            });
        }
    });
    assert_eq!(domains(&folder.open()).len(), 8);
}

const CHILD_SHARES: &str = "MTA_STS_TEST_CHILD_SHARES";
const CHILD_NUMBER: &str = "MTA_STS_TEST_CHILD_NUMBER";

/// Not a test: what the next test runs as several processes.
#[test]
#[ignore = "it is a child process of another test"]
fn child_that_shares() {
    let Some(file) = env::var_os(CHILD_SHARES) else { return };
    let number = env::var(CHILD_NUMBER).expect("a number").parse().expect("a number");
    shared::write(&Sqlite::open(file).expect("a store"), number);
}

#[test]
fn ok_several_processes_lose_nothing() {
    let folder = Folder::new();
    let children: Vec<_> = shared::all_writers()
        .map(|number| {
            let mut child = child("sqlite::child_that_shares");
            child.env(CHILD_SHARES, folder.file()).env(CHILD_NUMBER, number.to_string());
            child.stdout(process::Stdio::null()).spawn().expect("a child")
        })
        .collect();
    for mut child in children {
        assert!(child.wait().expect("it ended").success());
    }
    shared::check_written(&folder.open());
}

#[test]
fn ok_readers_do_not_wait_for_a_writer() {
    let folder = Folder::new();
    let store = folder.open();
    assert_eq!(store.merge(&first("example.com", "1"), Urgency::Durable).map(drop), Ok(()));
    // Another process is in the middle of a long write: were it waited for, the test would end
    // with an error after the store's patience.
    let other = Connection::open(folder.file()).expect("a file");
    other.execute_batch("BEGIN EXCLUSIVE; DELETE FROM entries").expect("the lock is free");
    assert!(get(&store, "example.com").is_some());
    assert_eq!(domains(&store), ["example.com"]);
    other.execute_batch("ROLLBACK").expect("it was begun");
}

#[test]
fn ok_a_file_open_for_writing_elsewhere_is_read_beside() {
    let folder = Folder::new();
    let writer = folder.open();
    let reader = Sqlite::open_read_only(folder.file()).expect("a store");
    let entries: Vec<_> = (0..5).map(|n| nothing(&format!("n{n}.example"), NOW)).collect();
    assert_eq!(writer.merge_all(&entries, Urgency::Lazy).map(drop), Ok(()));
    assert_eq!(domains(&reader).len(), 5);
}
