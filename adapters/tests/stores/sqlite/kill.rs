//! A process that is killed while it writes loses nothing that it had acknowledged.

use std::collections::HashSet;
use std::env;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::thread;

use mta_sts_adapters::{Sqlite, Store, Urgency};

use super::Folder;
use crate::child;
use crate::entries::{domains, first, id};

const FILE: &str = "MTA_STS_TEST_CHILD_WRITES_TO";
const ROUND: &str = "MTA_STS_TEST_CHILD_ROUND";
/// How many children are killed; 200 for the full run.
const KILLS: &str = "MTA_STS_KILLS";
const THREADS: u32 = 4;

/// Not a test: what the next test kills.
#[test]
#[ignore = "it is the child process of another test"]
fn child_that_writes_until_it_is_killed() {
    let (Some(file), Ok(round)) = (env::var_os(FILE), env::var(ROUND)) else { return };
    let store = Sqlite::open(file).expect("a store");
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (store, round) = (&store, &round);
            scope.spawn(move || {
                for number in 0_u32.. {
                    let name = |part| format!("r{round}-t{thread}-n{number}-{part}.example");
                    let names = [name("a"), name("b")];
                    if number % 4 == 0 {
                        let batch = names.each_ref().map(|name| first(name, "1"));
                        assert_eq!(store.merge_all(&batch, Urgency::Durable).map(drop), Ok(()));
                    } else {
                        for name in &names {
                            assert_eq!(
                                store.merge(&first(name, "1"), Urgency::Durable).map(drop),
                                Ok(())
                            );
                        }
                    }
                    println!("written {} {}.", names[0], names[1]);
                }
            });
        }
    });
}

/// `MTA_STS_KILLS=200 cargo test -p mta-sts-adapters --all-features --test stores kill -- --nocapture`
/// is the full run.
#[test]
fn ok_what_was_reported_as_written_survives_a_kill_at_any_point() {
    let kills: u64 = env::var(KILLS).ok().and_then(|count| count.parse().ok()).unwrap_or(20);
    let folder = Folder::new();
    let mut acknowledged = HashSet::new();
    for round in 0..kills {
        let mut child = child("sqlite::kill::child_that_writes_until_it_is_killed");
        let mut child = child
            .env(FILE, folder.file())
            .env(ROUND, round.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a child");
        let output = BufReader::new(child.stdout.take().expect("its output"));
        // It writes on while it is killed, wherever that finds it.
        let last = (round * 7_919) % 61;
        let mut seen = 0;
        for line in output.lines() {
            let line = line.expect("text");
            let names = line.split_once("written ").and_then(|(_, names)| names.strip_suffix('.'));
            let Some(names) = names else { continue };
            acknowledged.extend(names.split(' ').map(str::to_owned));
            seen += 1;
            if seen == last + 1 {
                child.kill().expect("it runs");
            }
        }
        child.wait().expect("it ended");
        assert!(seen > last, "round {round}: it ended by itself");
        // The first to open it afterwards may be a reader.
        if round % 2 == 0 {
            let reader = Sqlite::open_read_only(folder.file()).expect("a store");
            assert!(domains(&reader).len() >= acknowledged.len());
        }
    }
    let store = folder.open();
    assert_eq!(store.check(), Ok(Vec::new()));
    let lost = acknowledged.iter().filter(|name| id(&store, name).as_deref() != Some("1"));
    let lost: Vec<_> = lost.collect();
    println!("kills: {kills}, acknowledged: {}, lost: {}", acknowledged.len(), lost.len());
    assert!(lost.is_empty(), "{lost:?}");
}
