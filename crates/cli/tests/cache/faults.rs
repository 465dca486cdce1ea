//! Stores that are none, are damaged, are locked, or may not be written; and wrong usage.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::process::Command;

use mta_sts_adapters::Store;
use serde_json::json;

use super::entries::{domain, id};
use super::world::{Folder, World, exit, run, text};
use super::{Filled, cache, refusal, states};

const ALL: [&[&str]; 5] = [
    &["list"],
    &["show", "held.example"],
    &["purge", "held.example"],
    &["refresh", "--all"],
    &["export"],
];

#[test]
fn err_a_store_that_is_not_there_is_not_made() {
    let folder = Folder::new();
    let path = folder.file("none.db");
    for arguments in ALL {
        let told = refusal(cache(path.to_str().expect("UTF-8")).args(arguments), 2);
        assert!(told.contains("none.db: No such file"), "{told}");
        assert!(!path.exists());
    }
}

#[test]
fn err_what_is_no_store_is_left_as_it_is() {
    let folder = Folder::new();
    let [notes, other] = ["notes.txt", "other.db"].map(|name| folder.file(name));
    fs::write(&notes, "not a store, but a text of some length".repeat(9)).expect("a file");
    let connection = rusqlite::Connection::open(&other).expect("a file");
    connection.execute_batch("CREATE TABLE mail (id INTEGER)").expect("valid SQL");
    drop(connection);
    for arguments in ALL {
        for (path, expected) in [(&notes, "no SQLite file"), (&other, "other software")] {
            let before = fs::read(path).expect("a file");
            let told = refusal(cache(path.to_str().expect("UTF-8")).args(arguments), 2);
            assert!(told.contains(expected), "{told}");
            assert_eq!(fs::read(path).expect("a file"), before);
        }
        let told = refusal(cache("/").args(arguments), 2);
        assert!(told.contains("expected a file, found a folder"), "{told}");
    }
}

#[test]
fn err_a_store_of_a_later_version() {
    let filled = Filled::new();
    filled.sql("PRAGMA user_version = 9");
    for arguments in ALL {
        let told = refusal(filled.cache().args(arguments), 2);
        assert!(told.contains("version 9") && told.contains("give another path"), "{told}");
    }
}

#[test]
fn err_rows_that_cannot_be_read_are_shown_and_dropped_when_told_to() {
    let filled = Filled::new();
    filled.sql(
        "UPDATE entries SET entry = x'00' WHERE domain = 'held.example';
         INSERT INTO entries VALUES (CAST(x'1b5b324aff' AS TEXT), 0, x'00', 0);",
    );
    let (exit, found) = filled.json(&["list"]);
    assert_eq!((exit, found.len()), (1, 4));
    let unreadable = states(&found).iter().filter(|(_, state)| *state == "unreadable").count();
    assert_eq!(unreadable, 2);
    let (exit, listed) = filled.human(&["list"]);
    assert_eq!(exit, 1);
    assert!(listed.contains("unreadable: expected an MTA-STS entry"), "{listed}");
    assert!(!listed.contains('\u{1b}'), "{listed:?}");

    let (exit, found) = filled.json(&["show", "held.example"]);
    assert_eq!((exit, &found[0]["state"]), (1, &json!("unreadable")));
    let (exit, shown) = filled.human(&["show", "held.example"]);
    assert_eq!(exit, 1);
    assert!(shown.contains("`purge` drops it"), "{shown}");

    let (exit, told) = filled.human(&["purge", "--unreadable"]);
    assert_eq!(exit, 0);
    assert!(told.contains("held.example") && !told.contains('\u{1b}'), "{told:?}");
    assert_eq!(filled.json(&["list"]).0, 0);
    assert_eq!(filled.store.get(&domain("held.example")), Ok(None));
    let (exit, told) = filled.human(&["purge", "--unreadable"]);
    assert_eq!((exit, told.as_str()), (0, "There was nothing to remove.\n"));
}

#[test]
fn err_a_store_that_another_process_locks_is_read_and_not_written() {
    let filled = Filled::new();
    let other = rusqlite::Connection::open(filled.path()).expect("a file");
    other.execute_batch("BEGIN EXCLUSIVE").expect("the lock is free");
    assert_eq!(filled.json(&["list"]).1.len(), 3);
    let told = refusal(filled.cache().args(["purge", "held.example"]), 2);
    assert!(told.contains("locked"), "{told}");
    other.execute_batch("ROLLBACK").expect("it was begun");
    assert_eq!(id(&filled.store, "held.example").as_deref(), Some("1"));
}

#[test]
fn err_a_store_that_may_not_be_written_is_read() {
    const NOBODY: u32 = 65_534;
    let Filled { folder, store } = Filled::new();
    drop(store);
    let path = folder.file("policies.db");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).expect("its own");
    let bound = |arguments: &[&str]| {
        let mut command = cache(path.to_str().expect("UTF-8"));
        command.args(arguments);
        // Permissions bind others than the superuser.
        if fs::metadata(&path).expect("a file").uid() == 0 {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    };
    if let Err(error) = bound(&["list"]).output() {
        println!("skipped: the program cannot be run as nobody ({error})");
        return;
    }
    let output = run(&mut bound(&["list", "--format", "json"]));
    assert_eq!((exit(&output), text(&output.stdout).lines().count()), (0, 3));
    let told = refusal(&mut bound(&["purge", "held.example"]), 2);
    assert!(told.contains("cannot be written") || told.contains("cannot be opened"), "{told}");
}

#[test]
fn err_wrong_usage_changes_nothing() {
    let filled = Filled::new();
    for arguments in [
        &["show"][..],
        &["show", "exa mple"],
        &["show", "192.0.2.1"],
        &["purge"],
        &["purge", "held.example", "--expired"],
        &["purge", "--expired", "--unreadable"],
        &["refresh"],
        &["refresh", "held.example", "--all"],
        &["list", "held.example"],
        &["list", "--dns", "192.0.2.1:53"],
        &[],
    ] {
        refusal(filled.cache().args(arguments), 64);
    }
    for store in ["", "http://127.0.0.1", "redis://", "redis://127.0.0.1/three"] {
        refusal(cache(store).arg("list"), 64);
    }
    let mut without = Command::new(env!("CARGO_BIN_EXE_mta-sts"));
    without.env_remove("MTA_STS_STORE");
    let told = refusal(without.args(["cache", "list"]), 64);
    assert!(told.contains("--store"), "{told}");
    let told = refusal(without.env("MTA_STS_STORE", "http://127.0.0.1"), 64);
    assert!(told.contains("MTA_STS_STORE"), "{told}");
    let output = run(without.env("MTA_STS_STORE", filled.path()));
    assert_eq!((exit(&output), text(&output.stdout).lines().count()), (0, 5));
    assert_eq!(filled.json(&["list"]).1.len(), 3);
}

#[test]
fn err_a_resolver_that_is_not_there_costs_nothing() {
    let (filled, world) = (Filled::new(), World::new());
    let nobody = world.lab.refusing_addr().to_string();
    let mut command = filled.cache();
    command.args(["refresh", "held.example", "--timeout", "1", "--dns", &nobody, "--ca"]);
    let output = run(command.arg(world.folder.file("ca.pem")));
    assert!(exit(&output) > 0, "{}", text(&output.stdout));
    assert_eq!(id(&filled.store, "held.example").as_deref(), Some("1"));
}
