//! A full disk, and files that this user may not write.

use std::env;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use mta_sts_adapters::{Sqlite, Store, StoreError, Urgency};

use super::Folder;
use crate::child;
use crate::entries::{domain, domains, first, id};

const FILE: &str = "MTA_STS_TEST_FILE";

#[test]
fn ok_a_store_opened_for_reading_reads_and_writes_nothing() {
    let folder = Folder::new();
    let writer = folder.open();
    let entry = first("example.com", "1");
    assert_eq!(writer.merge(&entry, Urgency::Durable).map(drop), Ok(()));
    let store = Sqlite::open_read_only(folder.file()).expect("a store");
    assert_eq!(store.get(&domain("example.com")), Ok(Some(entry)));
    for refused in [
        store.merge(&first("example.net", "1"), Urgency::Durable).map(drop),
        store.merge_all(&[first("example.net", "1")], Urgency::Lazy).map(drop),
        store.remove(&domain("example.com")).map(drop),
    ] {
        assert!(matches!(refused, Err(StoreError::ReadOnly(_))), "{refused:?}");
    }
    assert_eq!(domains(&store), ["example.com"]);
}

/// Not a test: it fills the disk, which is a limit to the size of its files.
#[test]
#[ignore = "it is the child process of another test"]
fn child_on_a_full_disk() {
    let Some(file) = env::var_os(FILE) else { return };
    let store = Sqlite::open(file).expect("a store");
    let mut written = 0;
    let error = loop {
        match store.merge(&first(&format!("n{written}.example"), "1"), Urgency::Durable) {
            Ok(_) => written += 1,
            Err(error) => break error,
        }
        assert!(written < 100_000, "the disk is full some day");
    };
    assert!(matches!(error, StoreError::Backend(_)), "{error:?}");
    assert!(written > 10, "{written}");
    // What was written is there, and is read.
    for number in 0..written {
        assert_eq!(id(&store, &format!("n{number}.example")).as_deref(), Some("1"));
    }
    println!("written {written}.");
}

#[test]
fn err_a_full_disk_loses_nothing_that_was_written() {
    let folder = Folder::new();
    let child = child("sqlite::limits::child_on_a_full_disk");
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -f 1024; trap '' XFSZ; exec \"$0\" \"$@\""]);
    limited.arg(child.get_program()).args(child.get_args()).env(FILE, folder.file());
    let output = limited.output().expect("a shell");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let written = text.lines().find_map(|line| line.split_once("written ")?.1.strip_suffix('.'));
    let written: usize = written.and_then(|count| count.parse().ok()).expect("a count");
    // There is room again.
    let store = folder.open();
    assert_eq!(store.check(), Ok(Vec::new()));
    assert_eq!(domains(&store).len(), written);
    assert_eq!(store.merge(&first("more.example", "1"), Urgency::Durable).map(drop), Ok(()));
}

/// Not a test: it meets files that it may not write.
#[test]
#[ignore = "it is the child process of another test"]
fn child_that_may_not_write() {
    let Some(file) = env::var_os(FILE) else { return };
    let file = Path::new(&file);
    let store = Sqlite::open(file).expect("a store that can be read");
    assert_eq!(id(&store, "example.com").as_deref(), Some("1"));
    let refused = store.merge(&first("example.net", "1"), Urgency::Durable);
    assert!(matches!(refused, Err(StoreError::ReadOnly(_))), "{refused:?}");
    assert_eq!(domains(&store), ["example.com"]);
    let beside = file.with_file_name("another.db");
    if fs::File::create(&beside).is_err() {
        let opened = Sqlite::open(beside);
        let Err(StoreError::Backend(text)) = opened else { panic!("{opened:?}") };
        assert!(text.contains("cannot be opened"), "{text}");
    }
    println!("it was read alone.");
}

/// Runs the child as somebody whom permissions bind. Who must not, or cannot start it, is told so.
fn read_by_another(folder: &Folder) {
    const NOBODY: u32 = 65_534;
    let mut child = child("sqlite::limits::child_that_may_not_write");
    child.env(FILE, folder.file());
    if fs::metadata(&folder.0).expect("a folder").uid() == 0 {
        child.uid(NOBODY).gid(NOBODY);
    }
    match child.output() {
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stdout);
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(text.contains("it was read alone."), "{text}{errors}");
        }
        Err(error) => println!("skipped: this test program cannot be run as nobody ({error})"),
    }
}

fn permit(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("its own");
}

fn with_policy() -> Folder {
    let folder = Folder::new();
    assert_eq!(folder.open().merge(&first("example.com", "1"), Urgency::Durable).map(drop), Ok(()));
    folder
}

#[test]
fn ok_a_file_that_may_not_be_written_is_read() {
    let folder = with_policy();
    permit(&folder.file(), 0o444);
    read_by_another(&folder);
}

#[test]
fn ok_a_file_in_a_folder_that_may_not_be_written_is_read() {
    let folder = with_policy();
    permit(&folder.file(), 0o444);
    permit(&folder.0, 0o555);
    read_by_another(&folder);
    permit(&folder.0, 0o777);
}
