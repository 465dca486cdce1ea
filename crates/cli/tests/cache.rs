//! `mta-sts cache` on real stores: files, a Redis server, and a lab to refresh from.

#[path = "../../../adapters/tests/stores/entries.rs"]
#[allow(dead_code, reason = "the tests of the stores need more")]
mod entries;
#[path = "cache/faults.rs"]
mod faults;
#[path = "cache/redis.rs"]
mod on_redis;
#[path = "../../../adapters/tests/stores/redis/server.rs"]
#[allow(dead_code, reason = "the tests of the stores need more")]
mod server;
#[path = "check/world.rs"]
#[allow(dead_code, reason = "the tests of `check` need more")]
mod world;

use std::path::PathBuf;
use std::process::Command;

use mta_sts_adapters::{Entry, Held, Sqlite, Store, Urgency, system_clock};
use mta_sts_lab::Fate;
use serde_json::{Value, json};

use entries::{DAY, WEEK, domain, found, id, nothing};
use world::{Folder, World, exit, json_of, run, text};

/// The program, on a store.
fn cache(store: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mta-sts"));
    command
        .args(["cache", "--store", store])
        .env_remove("CLICOLOR_FORCE")
        .env_remove("MTA_STS_STORE");
    command
}

fn human(command: &mut Command) -> (i32, String) {
    let output = run(command);
    (exit(&output), text(&output.stdout))
}

/// Exit code 2 and nothing on standard output; what is told.
fn refusal(command: &mut Command, code: i32) -> String {
    let output = run(command);
    let told = text(&output.stderr);
    assert_eq!((exit(&output), text(&output.stdout).as_str()), (code, ""), "{told}");
    assert!(!told.is_empty());
    told
}

/// A file with a policy in force, one that has expired, and an entry without; a service has it
/// open.
struct Filled {
    folder: Folder,
    store: Sqlite,
}

impl Filled {
    fn new() -> Self {
        let folder = Folder::new();
        let store = Sqlite::open(folder.file("policies.db")).expect("a store");
        assert_eq!(store.merge_all(&three(), Urgency::Durable).map(drop), Ok(()));
        Self { folder, store }
    }

    fn path(&self) -> PathBuf {
        self.folder.file("policies.db")
    }

    fn cache(&self) -> Command {
        cache(self.path().to_str().expect("UTF-8"))
    }

    fn json(&self, arguments: &[&str]) -> (i32, Vec<Value>) {
        json_of(self.cache().args(arguments).args(["--format", "json"]))
    }

    fn human(&self, arguments: &[&str]) -> (i32, String) {
        human(self.cache().args(arguments))
    }

    fn sql(&self, sql: &str) {
        let connection = rusqlite::Connection::open(self.path()).expect("a file");
        connection.execute_batch(sql).expect("valid SQL");
    }
}

fn three() -> [Entry; 3] {
    let now = system_clock();
    let mut held = found(Held::Nothing, "held.example", "1", now.minus_secs(60));
    held.touch(now.plus_secs(DAY));
    let expired = found(Held::Nothing, "expired.example", "7", now.minus_secs(WEEK + 2 * DAY));
    [held, expired, nothing("none.example", now)]
}

/// The domains and how they stand.
fn states(found: &[Value]) -> Vec<(&str, &str)> {
    found.iter().map(|one| (field(one, "domain"), field(one, "state"))).collect()
}

fn field<'a>(one: &'a Value, name: &str) -> &'a str {
    one[name].as_str().expect("a text")
}

#[test]
fn ok_all_is_listed_what_was_used_last_first() {
    let filled = Filled::new();
    let (exit, found) = filled.json(&["list"]);
    let all = [
        ("held.example", "in-force"),
        ("none.example", "no-policy"),
        ("expired.example", "expired"),
    ];
    assert_eq!((exit, states(&found)), (0, all.to_vec()));
    let held = entries::get(&filled.store, "held.example").expect("an entry");
    let policy = held.stored_policy().expect("a policy");
    let left = found[0]["expires_in"].as_u64().expect("a time");
    assert!((WEEK - 600..=WEEK).contains(&left), "{left}");
    let expected = json!({
        "domain": "held.example",
        "state": "in-force",
        "policy": {"mode": "enforce", "max_age": WEEK, "mx": ["1.example"], "id": "1"},
        "fetched_at": policy.fetched_at().as_secs(),
        "expires_at": policy.expires_at(system_clock()).as_secs(),
        "expires_in": left,
        "last_used": held.last_used().as_secs(),
        "inserted_at": held.inserted_at().as_secs(),
        "generation": held.generation(),
        "backing_off": [],
        "error": null,
    });
    assert_eq!(found[0], expected);
    assert_eq!((&found[1]["policy"], &found[2]["expires_in"]), (&Value::Null, &json!(0)));

    let (exit, list) = filled.human(&["list"]);
    assert_eq!(exit, 0);
    for part in [
        "held.example                     enforce  for 6 days",
        "expired.example                  enforce  expired 2 days",
        "none.example                     no policy",
        "3 held in",
        "1 with a policy in force, 1 with one that has expired, 1 without one, 0 unreadable.",
    ] {
        assert!(list.contains(part), "{part:?} in {list}");
    }
}

#[test]
fn ok_a_store_that_holds_nothing() {
    let folder = Folder::new();
    let path = folder.file("policies.db");
    Sqlite::open(&path).expect("a store");
    let (exit, list) = human(cache(path.to_str().expect("UTF-8")).arg("list"));
    assert_eq!(exit, 0);
    assert!(list.starts_with("Nothing is held in"), "{list}");
}

#[test]
fn ok_many_are_listed_each_once() {
    let filled = Filled::new();
    let now = system_clock();
    let many: Vec<_> = (0..3_000).map(|n| nothing(&format!("n{n}.example"), now)).collect();
    assert_eq!(filled.store.merge_all(&many, Urgency::Lazy).map(drop), Ok(()));
    let (exit, found) = filled.json(&["list"]);
    let mut names: Vec<_> = states(&found).into_iter().map(|(domain, _)| domain).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!((exit, names.len()), (0, 3_003));
}

#[test]
fn ok_one_is_shown_with_all_that_is_known_of_it() {
    let filled = Filled::new();
    let (exit, found) = filled.json(&["show", "HELD.example", "expired.example"]);
    assert_eq!((exit, found.len()), (0, 2));
    let policy = format!("version: STSv1\nmode: enforce\nmx: 1.example\nmax_age: {WEEK}\n");
    assert_eq!(found[0]["policy_text"], json!(policy));
    assert_eq!(found[1]["state"], "expired");

    let (exit, shown) = filled.human(&["show", "held.example"]);
    assert_eq!(exit, 0);
    for part in [
        "held.example\n",
        "in force",
        "enforce, for 6 days",
        "id 1, max_age 604800",
        "patterns 1.example",
        "first seen",
    ] {
        assert!(shown.contains(part), "{part:?} in {shown}");
    }
    let (_, shown) = filled.human(&["show", "expired.example"]);
    assert!(shown.contains("expired on") && shown.contains("not applied"), "{shown}");
    let (_, shown) = filled.human(&["show", "none.example"]);
    assert!(shown.contains("no policy"), "{shown}");
}

#[test]
fn ok_what_is_not_held_is_told() {
    let filled = Filled::new();
    let (exit, found) = filled.json(&["show", "other.example", "held.example"]);
    assert_eq!(
        (exit, found[0].clone()),
        (1, json!({"domain": "other.example", "state": "not-held"}))
    );
    assert_eq!(found[1]["state"], "in-force");
    let (exit, shown) = filled.human(&["show", "other.example"]);
    assert_eq!(exit, 1);
    assert!(shown.contains("nothing is held"), "{shown}");
}

#[test]
fn ok_domains_are_purged() {
    let filled = Filled::new();
    let (exit, found) = filled.json(&["purge", "held.example", "other.example"]);
    let expected = [
        json!({"domain": "held.example", "removed": true}),
        json!({"domain": "other.example", "removed": false}),
    ];
    assert_eq!((exit, found.as_slice()), (0, &expected[..]));
    assert_eq!(filled.store.get(&domain("held.example")), Ok(None));
    let (exit, told) = filled.human(&["purge", "held.example", "none.example"]);
    assert_eq!(exit, 0);
    assert!(told.contains("nothing was held") && told.contains("removed"), "{told}");
    assert_eq!(entries::domains(&filled.store), ["expired.example"]);
}

#[test]
fn ok_what_has_expired_is_purged_and_nothing_else() {
    let filled = Filled::new();
    let long_ago = nothing("long-ago.example", system_clock().minus_secs(DAY));
    assert_eq!(filled.store.merge(&long_ago, Urgency::Lazy).map(drop), Ok(()));
    let (exit, mut found) = filled.json(&["purge", "--expired"]);
    found.sort_by_key(|one| one["domain"].as_str().map(str::to_owned));
    let expected = ["expired.example", "long-ago.example"];
    let expected = expected.map(|name| json!({"domain": name, "removed": true}));
    assert_eq!((exit, found.as_slice()), (0, &expected[..]));
    assert_eq!(entries::domains(&filled.store), ["held.example", "none.example"]);
    let (exit, told) = filled.human(&["purge", "--expired"]);
    assert_eq!((exit, told.as_str()), (0, "There was nothing to remove.\n"));
}

#[test]
fn ok_an_export_has_all_and_cannot_be_brought_back() {
    let filled = Filled::new();
    let (code, lines) = human(filled.cache().arg("export"));
    let found: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!((code, found.len()), (0, 3));
    let text = found[0]["policy_text"].as_str().expect("a text");
    assert!(text.starts_with("version: STSv1\n"));
    assert_eq!(found[1].get("policy_text"), None);
    refusal(filled.cache().arg("import"), 64);
}

/// A lab, and a store that holds the policies of two of its domains.
struct Refreshing {
    world: World,
    store: PathBuf,
}

impl Refreshing {
    fn new() -> Self {
        let world = World::new();
        for name in ["a.example", "b.example"] {
            world.lab.domain(name).id("1").mode("enforce").publish();
        }
        let store = world.folder.file("policies.db");
        let path = store.to_str().expect("UTF-8");
        assert_eq!(world.json(&["--store", path, "a.example", "b.example"]).0, 0);
        Self { world, store }
    }

    fn json(&self, arguments: &[&str]) -> (i32, Vec<Value>) {
        let mut command = cache(self.store.to_str().expect("UTF-8"));
        command.arg("refresh").args(arguments).args(["--format", "json"]);
        json_of(self.world.point(command.arg("--allow-private")))
    }
}

#[test]
fn ok_a_policy_is_fetched_again_whatever_dns_says() {
    let refreshing = Refreshing::new();
    let (lab, before) = (&refreshing.world.lab, system_clock());
    lab.domain("a.example").id("1").mode("testing").publish();
    let (exit, found) = refreshing.json(&["a.example"]);
    assert_eq!(
        (exit, &found[0]["status"], &found[0]["persisted"]),
        (0, &json!("found"), &json!(true))
    );
    assert_eq!(found[0]["policy"]["mode"], "testing");
    let store = Sqlite::open_read_only(&refreshing.store).expect("a store");
    let entry = entries::get(&store, "a.example").expect("an entry");
    let policy = entry.stored_policy().expect("a policy");
    assert_eq!(policy.policy().mode().as_str(), "testing");
    assert!(policy.fetched_at() >= before);
}

#[test]
fn ok_all_policies_in_force_are_fetched_again() {
    let refreshing = Refreshing::new();
    let requests = refreshing.world.lab.https().requests().count();
    let store = Sqlite::open(&refreshing.store).expect("a store");
    assert_eq!(store.merge_all(&three()[1..], Urgency::Durable).map(drop), Ok(()));
    let (exit, found) = refreshing.json(&["--all"]);
    let mut names: Vec<_> = found.iter().filter_map(|one| one["domain"].as_str()).collect();
    names.sort_unstable();
    assert_eq!((exit, names), (0, vec!["a.example", "b.example"]));
    assert_eq!(refreshing.world.lab.https().requests().count(), requests + 2);
}

#[test]
fn err_a_policy_that_cannot_be_fetched_is_kept() {
    let refreshing = Refreshing::new();
    refreshing.world.lab.https().fail_on_accept(Some(Fate::Reset));
    let (exit, found) = refreshing.json(&["a.example"]);
    assert_eq!((exit, &found[0]["status"]), (1, &json!("held")));
    assert_eq!(found[0]["problem"]["result_type"], "sts-policy-fetch-error");
    let store = Sqlite::open_read_only(&refreshing.store).expect("a store");
    assert_eq!(id(&store, "a.example").as_deref(), Some("1"));
    // The failure is held as well.
    let path = refreshing.store.to_str().expect("UTF-8");
    let (_, shown) = json_of(cache(path).args(["show", "a.example", "--format", "json"]));
    assert_eq!(shown[0]["backing_off"][0]["id"], "1");
    let (_, shown) = human(cache(path).args(["show", "a.example"]));
    assert!(shown.contains("id 1 is not fetched again before"), "{shown}");
}
