//! What every store must do, and what each does besides.

use std::ops::ControlFlow;
use std::sync::Arc;

use mta_sts_adapters::lookup::Head;
use mta_sts_adapters::{
    Entry, Held, Limits, Lookup, Memory, PolicyDomain, PolicyHostVerified, Recheck, Step, Store,
    StoreError, UnixTime, Urgency,
};

const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);
const DAY: u64 = 86_400;

fn domain(name: &str) -> PolicyDomain {
    PolicyDomain::parse(name).expect("a domain")
}

/// The entry after a lookup that found no record.
fn nothing(name: &str, now: UnixTime) -> Entry {
    let Step::QueryTxt(query) = Lookup::new(domain(name)).start(now) else { panic!("no question") };
    let Step::Store(state) = query.absent(60, now) else { panic!("nothing to store") };
    state.entry().clone()
}

/// The entry after a lookup that found a policy with this id, over what was held.
fn found(held: Held, name: &str, id: &str, now: UnixTime) -> Entry {
    let text = format!("version: STSv1\nmode: enforce\nmx: {id}.example\nmax_age: 604800\n");
    let lookup = Lookup::new(domain(name)).held(held).recheck(Recheck::Always);
    let lookup = lookup.limits(Limits::default());
    let Step::QueryTxt(query) = lookup.start(now) else { panic!("no question") };
    let record = format!("v=STSv1; id={id};");
    let Step::FetchPolicy(fetch) = query.answered([[record]], 300, now) else { panic!("no fetch") };
    let verified = PolicyHostVerified::assertion(fetch.host());
    let ok = Head { status: 200, content_type: Some(b"text/plain"), content_encoding: None };
    let Step::ReadBody(mut body) = fetch.responded(verified, ok, now) else { panic!("no body") };
    assert!(body.chunk(text.as_bytes()).is_continue());
    let Step::Store(state) = body.ended(now) else { panic!("nothing to store") };
    assert_eq!(state.urgency(), Urgency::Durable);
    state.entry().clone()
}

fn first(name: &str, id: &str) -> Entry {
    found(Held::Nothing, name, id, NOW)
}

fn id(store: &impl Store, name: &str) -> Option<String> {
    let entry = store.get(&domain(name)).expect("readable")?;
    entry.stored_policy().map(|held| held.id().to_string())
}

fn domains(store: &impl Store) -> Vec<String> {
    let mut domains = Vec::new();
    let visited = store.visit(&mut |stored| {
        domains.push(stored.domain);
        ControlFlow::Continue(())
    });
    assert_eq!(visited, Ok(()));
    domains
}

/// What holds for each of them, beginning empty.
fn check_store(store: &impl Store) {
    assert_eq!(store.get(&domain("example.com")), Ok(None));
    assert_eq!(store.remove(&domain("example.com")), Ok(false));

    let one = first("example.com", "1");
    assert_eq!(store.merge(&one, Urgency::Durable), Ok(()));
    assert_eq!(store.get(&domain("example.com")), Ok(Some(one.clone())));
    assert_eq!(store.get(&domain("example.net")), Ok(None));

    // A negative never takes a policy's place, nor does an older policy.
    assert_eq!(store.merge(&nothing("example.com", NOW.plus_secs(9)), Urgency::Lazy), Ok(()));
    assert_eq!(id(store, "example.com").as_deref(), Some("1"));
    let two = found(Held::Entry(one.clone()), "example.com", "2", NOW.plus_secs(400));
    assert_eq!(store.merge(&two, Urgency::Durable), Ok(()));
    assert_eq!(store.merge(&one, Urgency::Durable), Ok(()));
    assert_eq!(id(store, "example.com").as_deref(), Some("2"));

    // Last used first.
    let later = nothing("example.org", NOW.plus_secs(2 * DAY));
    let sooner = nothing("example.net", NOW.minus_secs(2 * DAY));
    assert_eq!(store.merge_all(&[sooner, later]), Ok(()));
    assert_eq!(domains(store), ["example.org", "example.com", "example.net"]);
    let mut seen = 0;
    let visited = store.visit(&mut |_| {
        seen += 1;
        ControlFlow::Break(())
    });
    assert_eq!((visited, seen), (Ok(()), 1));

    // What says nothing any more goes, a policy stays.
    assert_eq!(store.prune(NOW.plus_secs(2 * DAY)), Ok(1));
    assert_eq!(domains(store), ["example.org", "example.com"]);

    assert_eq!(store.remove(&domain("example.com")), Ok(true));
    assert_eq!(store.get(&domain("example.com")), Ok(None));
}

#[test]
fn ok_memory_is_a_store() {
    check_store(&Memory::with_clock(100, Arc::new(|| NOW)));
    check_store(&Arc::new(Memory::with_clock(100_000, Arc::new(|| NOW))));
}

#[test]
fn ok_memory_is_bounded_and_a_flood_pushes_no_policy_out() {
    let memory = Memory::with_clock(10, Arc::new(|| NOW));
    for number in 0..5 {
        let held = first(&format!("held-{number}.example"), "1");
        assert_eq!(memory.merge(&held, Urgency::Durable), Ok(()));
    }
    for number in 0..1_000 {
        let entry = nothing(&format!("flood-{number}.example"), NOW);
        assert_eq!(memory.merge(&entry, Urgency::Lazy), Ok(()));
    }
    assert_eq!(memory.len(), 10);
    for number in 0..5 {
        assert!(id(&memory, &format!("held-{number}.example")).is_some());
    }
    // The oldest of the flood went first.
    assert!(domains(&memory).contains(&"flood-999.example".to_owned()));
}

#[test]
fn err_memory_full_of_policies_takes_nothing_new() {
    let memory = Memory::with_clock(3, Arc::new(|| NOW));
    for number in 0..3 {
        let held = first(&format!("held-{number}.example"), "1");
        assert_eq!(memory.merge(&held, Urgency::Durable), Ok(()));
    }
    assert_eq!(memory.merge(&nothing("new.example", NOW), Urgency::Lazy), Err(StoreError::Full));
    assert_eq!(memory.merge(&first("new.example", "1"), Urgency::Durable), Err(StoreError::Full));
    // What it has it still takes news of.
    let known = store_entry(&memory, "held-1.example");
    let news = found(Held::Entry(known), "held-1.example", "2", NOW.plus_secs(9));
    assert_eq!(memory.merge(&news, Urgency::Durable), Ok(()));
    assert_eq!(id(&memory, "held-1.example").as_deref(), Some("2"));
}

#[test]
fn ok_memory_drops_expired_policies() {
    let memory = Memory::with_clock(3, Arc::new(|| NOW.plus_secs(7 * DAY)));
    for number in 0..9 {
        let held = first(&format!("held-{number}.example"), "1");
        assert_eq!(memory.merge(&held, Urgency::Durable), Ok(()));
    }
    assert_eq!(memory.len(), 3);
}

fn store_entry(store: &impl Store, name: &str) -> Entry {
    store.get(&domain(name)).expect("readable").expect("an entry")
}

#[cfg(feature = "sqlite")]
mod sqlite {
    use std::env;
    use std::fs;
    use std::io::{BufRead, BufReader};
    use std::path::PathBuf;
    use std::process::{self, Command, Stdio};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use mta_sts_adapters::{EntryError, Sqlite};
    use rusqlite::Connection;

    use super::*;

    /// A folder of its own for each test, removed at its end.
    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Self {
            static COUNT: AtomicUsize = AtomicUsize::new(0);
            let number = COUNT.fetch_add(1, Ordering::Relaxed);
            let name = format!("mta-sts-{}-{number}", process::id());
            let path = env::temp_dir().join(name);
            fs::create_dir(&path).expect("a folder");
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

    fn refusal(result: Result<Sqlite, StoreError>) -> String {
        match result {
            Err(StoreError::Unusable(text)) => text,
            other => panic!("expected a refusal, found {other:?}"),
        }
    }

    #[test]
    fn ok_sqlite_is_a_store() {
        check_store(&Folder::new().open());
    }

    #[test]
    fn ok_what_was_written_is_there_after_opening_again() {
        let folder = Folder::new();
        let entry = first("example.com", "1");
        assert_eq!(folder.open().merge(&entry, Urgency::Durable), Ok(()));
        assert_eq!(folder.open().get(&domain("example.com")), Ok(Some(entry)));
    }

    #[test]
    fn ok_more_rows_than_a_page_are_all_shown() {
        let folder = Folder::new();
        let store = folder.open();
        let entries: Vec<_> = (0..600)
            .map(|number| nothing(&format!("n{number}.example"), NOW.plus_secs(number % 3 * DAY)))
            .collect();
        assert_eq!(store.merge_all(&entries), Ok(()));
        let mut shown = domains(&store);
        shown.sort();
        shown.dedup();
        assert_eq!(shown.len(), 600);
    }

    #[test]
    fn ok_several_who_write_the_same_domain_lose_nothing() {
        let folder = Folder::new();
        folder.open();
        thread::scope(|scope| {
            for number in 1..=8 {
                let folder = &folder;
                scope.spawn(move || {
                    let store = folder.open();
                    for _ in 0..5 {
                        let now = NOW.plus_secs(number);
                        let entry = found(Held::Nothing, "example.com", &number.to_string(), now);
                        assert_eq!(store.merge(&entry, Urgency::Durable), Ok(()));
                        let other = nothing(&format!("n{number}.example"), now);
                        assert_eq!(store.merge(&other, Urgency::Lazy), Ok(()));
                    }
                });
            }
        });
        let store = folder.open();
        assert_eq!(id(&store, "example.com").as_deref(), Some("8"));
        assert_eq!(domains(&store).len(), 9);
    }

    #[test]
    fn ok_a_corrupt_row_is_unreadable_and_gives_way_to_a_policy_only() {
        let folder = Folder::new();
        let store = folder.open();
        assert_eq!(store.merge(&first("example.com", "1"), Urgency::Durable), Ok(()));
        folder.sql("UPDATE entries SET entry = substr(entry, 1, 40)");
        let corrupt = Err(StoreError::Entry(EntryError::Corrupt));
        assert_eq!(store.get(&domain("example.com")), corrupt);
        let negative = nothing("example.com", NOW);
        let refused = Err(StoreError::Entry(EntryError::Corrupt));
        assert_eq!(store.merge(&negative, Urgency::Lazy), refused);
        assert_eq!(domains(&store), ["example.com"]);
        assert_eq!(store.merge(&first("example.com", "2"), Urgency::Durable), Ok(()));
        assert_eq!(id(&store, "example.com").as_deref(), Some("2"));
    }

    #[test]
    fn ok_a_corrupt_row_can_be_removed() {
        let folder = Folder::new();
        let store = folder.open();
        assert_eq!(store.merge(&first("example.com", "1"), Urgency::Durable), Ok(()));
        folder.sql("UPDATE entries SET entry = x'00'");
        assert_eq!(store.get(&domain("example.com")), Err(StoreError::Entry(EntryError::Foreign)));
        assert_eq!(store.remove(&domain("example.com")), Ok(true));
        assert_eq!(store.get(&domain("example.com")), Ok(None));
    }

    #[test]
    fn err_a_file_that_is_no_database() {
        let folder = Folder::new();
        let text = "This is a text of more than a few words.\n".repeat(50);
        fs::write(folder.file(), &text).expect("a file");
        assert!(refusal(Sqlite::open(folder.file())).contains("no SQLite file"));
        assert_eq!(fs::read_to_string(folder.file()).expect("a file"), text);
    }

    #[test]
    fn err_a_database_of_other_software() {
        let folder = Folder::new();
        folder.sql("CREATE TABLE mail (id INTEGER); INSERT INTO mail VALUES (1);");
        let before = fs::read(folder.file()).expect("a file");
        assert!(refusal(Sqlite::open(folder.file())).contains("other software"));
        assert_eq!(fs::read(folder.file()).expect("a file"), before);
    }

    #[test]
    fn err_tables_of_another_version() {
        let folder = Folder::new();
        folder.open();
        folder.sql("PRAGMA user_version = 7");
        assert!(refusal(Sqlite::open(folder.file())).contains("version 7"));
    }

    #[test]
    fn err_a_damaged_file() {
        let folder = Folder::new();
        let entries: Vec<_> = (0..200).map(|n| first(&format!("n{n}.example"), "1")).collect();
        assert_eq!(folder.open().merge_all(&entries), Ok(()));
        folder.sql("PRAGMA wal_checkpoint(TRUNCATE)");
        let mut bytes = fs::read(folder.file()).expect("a file");
        bytes.get_mut(4_096..).expect("more than a page").fill(0xA5);
        fs::write(folder.file(), bytes).expect("writable");
        let read = match Sqlite::open(folder.file()) {
            Err(error) => Err(error),
            Ok(store) => store.get(&domain("n1.example")).map(drop),
        };
        let Err(StoreError::Unusable(text)) = read else { panic!("found {read:?}") };
        assert!(text.contains("damaged"), "{text}");
    }

    #[test]
    fn err_a_folder_that_is_not_there() {
        let folder = Folder::new();
        let opened = Sqlite::open(folder.0.join("none").join("policies.db"));
        assert!(matches!(opened, Err(StoreError::Backend(_))), "{opened:?}");
        assert!(Sqlite::open_read_only(folder.file()).is_err());
        assert!(!folder.file().exists());
    }

    #[test]
    fn ok_a_store_opened_for_reading_reads_and_writes_nothing() {
        let folder = Folder::new();
        let writer = folder.open();
        let entry = first("example.com", "1");
        assert_eq!(writer.merge(&entry, Urgency::Durable), Ok(()));
        let store = Sqlite::open_read_only(folder.file()).expect("a store");
        assert_eq!(store.get(&domain("example.com")), Ok(Some(entry)));
        let written = store.merge(&first("example.net", "1"), Urgency::Durable);
        assert!(matches!(written, Err(StoreError::ReadOnly(_))), "{written:?}");
        assert_eq!(domains(&store), ["example.com"]);
    }
    const CHILD_WRITES_TO: &str = "MTA_STS_TEST_CHILD_WRITES_TO";

    /// Not a test: what the next test runs as a process of its own.
    #[test]
    #[ignore = "it is the child process of another test"]
    fn child_that_writes_until_it_is_killed() {
        let Some(file) = env::var_os(CHILD_WRITES_TO) else { return };
        let store = Sqlite::open(file).expect("a store");
        for number in 0_u32.. {
            let entry = first(&format!("n{number}.example"), "1");
            assert_eq!(store.merge(&entry, Urgency::Durable), Ok(()));
            println!("written {number}.");
        }
    }

    #[test]
    fn ok_what_was_reported_as_written_survives_a_kill() {
        let folder = Folder::new();
        let mut child = Command::new(env::current_exe().expect("this test"))
            .args(["--exact", "sqlite::child_that_writes_until_it_is_killed"])
            .args(["--ignored", "--nocapture"])
            .env(CHILD_WRITES_TO, folder.file())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a child");
        let output = BufReader::new(child.stdout.take().expect("its output"));
        let written = output.lines().map(|line| line.expect("text")).filter_map(|line| {
            let (_, number) = line.split_once("written ")?;
            number.strip_suffix('.')?.parse::<u32>().ok()
        });
        let last = written.take(50).last().expect("it wrote");
        child.kill().expect("it runs");
        child.wait().expect("it ended");
        assert_eq!(last, 49);
        let store = folder.open();
        for number in 0..=last {
            assert_eq!(id(&store, &format!("n{number}.example")).as_deref(), Some("1"));
        }
    }
}
