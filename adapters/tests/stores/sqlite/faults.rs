//! Files that are none, or not whole.

use std::fs;
use std::ops::ControlFlow;

use mta_sts_adapters::{Sqlite, Store, StoreError, Urgency};

use super::Folder;
use crate::entries::{NOW, domain, domains, first, nothing};

fn refusal(result: Result<Sqlite, StoreError>) -> String {
    match result {
        Err(StoreError::Unusable(text)) => text,
        other => panic!("expected a refusal, found {other:?}"),
    }
}

#[test]
fn err_a_file_that_is_no_database() {
    let folder = Folder::new();
    let text = "This is a text of more than a few words.\n".repeat(50);
    fs::write(folder.file(), &text).expect("a file");
    assert!(refusal(Sqlite::open(folder.file())).contains("no SQLite file"));
    assert!(refusal(Sqlite::open_read_only(folder.file())).contains("no SQLite file"));
    assert_eq!(fs::read_to_string(folder.file()).expect("a file"), text);
}

#[test]
fn err_a_database_of_other_software() {
    let folder = Folder::new();
    folder.sql("CREATE TABLE mail (id INTEGER); INSERT INTO mail VALUES (1);");
    let before = fs::read(folder.file()).expect("a file");
    assert!(refusal(Sqlite::open(folder.file())).contains("other software"));
    assert!(refusal(Sqlite::open_read_only(folder.file())).contains("other software"));
    assert_eq!(fs::read(folder.file()).expect("a file"), before);
}

#[test]
fn err_a_folder_in_place_of_a_file_and_a_folder_that_is_not_there() {
    let folder = Folder::new();
    for path in [folder.0.clone(), folder.0.join("none").join("policies.db")] {
        let opened = Sqlite::open(path);
        let Err(StoreError::Backend(text)) = opened else { panic!("{opened:?}") };
        assert!(text.contains("cannot be opened"), "{text}");
    }
    assert!(Sqlite::open_read_only(folder.file()).is_err());
    assert!(Sqlite::open_existing(folder.file()).is_err());
    assert!(!folder.file().exists());
}

/// A store of 200 policies, all in the one file.
fn filled() -> (Folder, Vec<u8>) {
    let folder = Folder::new();
    let entries: Vec<_> = (0..200).map(|n| first(&format!("n{n}.example"), "1")).collect();
    assert_eq!(folder.open().merge_all(&entries, Urgency::Lazy).map(drop), Ok(()));
    folder.sql("PRAGMA wal_checkpoint(TRUNCATE)");
    let bytes = fs::read(folder.file()).expect("a file");
    assert!(bytes.len() > 10 * 4_096);
    (folder, bytes)
}

#[test]
fn err_a_damaged_file_is_refused_with_what_to_do() {
    let (folder, mut bytes) = filled();
    bytes.get_mut(4_096..).expect("more than a page").fill(0xA5);
    fs::write(folder.file(), bytes).expect("writable");
    let read = match Sqlite::open(folder.file()) {
        Err(error) => Err(error),
        Ok(store) => store.get(&domain("n1.example")).map(drop),
    };
    let Err(StoreError::Unusable(text)) = read else { panic!("found {read:?}") };
    assert!(text.contains("damaged") && text.contains("backup"), "{text}");
}

/// Everything a store can be asked, of a file that may be anything; what it says is true or an
/// error.
fn ask_all(folder: &Folder) {
    let Ok(store) = Sqlite::open(folder.file()) else { return };
    for number in (0..200).step_by(7) {
        let name = format!("n{number}.example");
        if let Ok(Some(entry)) = store.get(&domain(&name)) {
            assert_eq!(entry, first(&name, "1"));
        }
    }
    let mut shown = 0;
    let _ = store.visit(&mut |stored| {
        shown += 1;
        if let Ok(entry) = stored.entry {
            assert_eq!(entry, first(&stored.domain, "1"));
        }
        if shown < 1_000 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    assert!(shown < 1_000, "no page is shown for ever");
    let _ = store.merge(&nothing("new.example", NOW), Urgency::Lazy);
    let _ = store.prune(NOW);
    let _ = store.remove_unreadable();
    let _ = store.check();
    let _ = store.remove(&domain("n1.example"));
}

#[test]
fn err_a_truncated_file_is_an_error_and_never_a_wrong_entry() {
    let (folder, bytes) = filled();
    for keep in [0, 1, 50, 99, 100, 512, 4_095, 4_096, 5_000, 8_192, 40_000, bytes.len() - 1] {
        fs::write(folder.file(), &bytes[..keep]).expect("writable");
        let _ = fs::remove_file(folder.0.join("policies.db-wal"));
        let _ = fs::remove_file(folder.0.join("policies.db-shm"));
        ask_all(&folder);
        // What is there in part is never taken for empty.
        if (100..bytes.len()).contains(&keep) {
            fs::write(folder.file(), &bytes[..keep]).expect("writable");
            let found = Sqlite::open(folder.file()).and_then(|s| s.check());
            assert!(found.is_err() || found.is_ok_and(|faults| !faults.is_empty()), "{keep}");
        }
    }
}

#[test]
fn err_hostile_bytes_are_an_error_and_never_a_wrong_entry() {
    let (folder, bytes) = filled();
    let mut random = 7_u64;
    let mut next = |below: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(random >> 33).expect("31 bits") % below
    };
    for round in 0..150 {
        let mut bytes = bytes.clone();
        // The header and the pages that lead to others are met more often than by chance.
        let reach = if round % 3 == 0 { 4_096 * 3 } else { bytes.len() };
        for _ in 0..=next(12) {
            bytes[next(reach)] = u8::try_from(next(256)).expect("a byte");
        }
        fs::write(folder.file(), bytes).expect("writable");
        let _ = fs::remove_file(folder.0.join("policies.db-wal"));
        let _ = fs::remove_file(folder.0.join("policies.db-shm"));
        ask_all(&folder);
    }
}

#[test]
fn err_a_damaged_index_is_found_by_the_check() {
    let (folder, _) = filled();
    folder.sql(
        "PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET sql = 'CREATE INDEX by_use ON entries (domain, last_used)'
         WHERE name = 'by_use';",
    );
    let store = folder.open();
    let faults = store.check().expect("readable");
    assert!(!faults.is_empty() && faults.len() <= 100);
    assert_eq!(Folder::new().open().check(), Ok(Vec::new()));
    drop(domains(&Folder::new().open()));
}
