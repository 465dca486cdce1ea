//! A store in a real Redis.

use mta_sts_adapters::{Redis, Store, Urgency};
use serde_json::json;

use super::server::Server;
use super::world::{World, json_of};
use super::{cache, entries, human, refusal, states, three};

#[test]
fn ok_a_store_in_redis_is_listed_shown_and_purged() {
    let Some(server) = Server::start() else { return };
    let store = Redis::open(&server.url()).expect("a URL").with_prefix("own:");
    assert_eq!(store.merge_all(&three(), Urgency::Durable).map(drop), Ok(()));
    let own = || {
        let mut command = cache(&server.url());
        command.args(["--prefix", "own:", "--format", "json"]);
        command
    };
    let (exit, found) = json_of(own().arg("list"));
    let mut found = states(&found);
    found.sort_unstable();
    let all = [
        ("expired.example", "expired"),
        ("held.example", "in-force"),
        ("none.example", "no-policy"),
    ];
    assert_eq!((exit, found), (0, all.to_vec()));
    assert_eq!(json_of(own().args(["show", "held.example"])).1[0]["policy"]["id"], "1");
    let (exit, found) = json_of(own().args(["purge", "--expired"]));
    let expected = [json!({"domain": "expired.example", "removed": true})];
    assert_eq!((exit, found.as_slice()), (0, &expected[..]));
    assert_eq!(entries::domains(&store), ["held.example", "none.example"]);
    // Another prefix is another store.
    let (exit, listed) = human(cache(&server.url()).arg("list"));
    assert_eq!(exit, 0);
    assert!(listed.starts_with("Nothing is held in 127.0.0.1:"), "{listed}");
}

#[test]
fn ok_a_policy_in_redis_is_fetched_again() {
    let Some(server) = Server::start() else { return };
    let world = World::new();
    world.lab.domain("held.example").id("2").mode("testing").publish();
    let store = Redis::open(&server.url()).expect("a URL");
    assert_eq!(store.merge_all(&three(), Urgency::Durable).map(drop), Ok(()));
    // The command line of a check keeps what it learns there as well.
    world.lab.domain("new.example").mode("enforce").publish();
    assert_eq!(world.json(&["--store", &server.url(), "new.example"]).0, 0);
    assert_eq!(store.remove(&entries::domain("new.example")), Ok(true));
    let mut command = cache(&server.url());
    command.args(["refresh", "--all", "--format", "json"]);
    let (exit, found) = json_of(world.point(command.arg("--allow-private")));
    assert_eq!((exit, found.len(), &found[0]["status"]), (0, 1, &json!("found")));
    assert_eq!(entries::id(&store, "held.example").as_deref(), Some("2"));
}

#[test]
fn err_a_server_that_is_not_there_or_does_not_let_in() {
    let told = refusal(cache("redis://:hunter2@127.0.0.1:1").arg("list"), 2);
    assert!(told.contains("127.0.0.1:1") && !told.contains("hunter2"), "{told}");
    let Some(server) = Server::with(&["--requirepass", "secret"]) else { return };
    let told = refusal(cache(&server.url()).arg("list"), 2);
    assert!(told.contains("does not let this user in"), "{told}");
    let right = server.url().replace("//", "//:secret@");
    assert_eq!(human(cache(&right).arg("list")).0, 0);
}
