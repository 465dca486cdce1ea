//! What the keys are, how long they stay, and the sorted set that mends itself.

use std::sync::Arc;

use mta_sts_adapters::{Held, Redis, Store, StoreError, UnixTime, Urgency};
use redis::{FromRedisValue, ToRedisArgs};

use super::Keys;
use super::server::Server;
use crate::entries::{
    DAY, NOW, WEEK, cleared, domain, domains, fetched, first, found, id, nothing,
};

fn ask<T: FromRedisValue>(server: &Server, command: &str, arguments: impl ToRedisArgs) -> T {
    redis::cmd(command).arg(arguments).query(&mut server.connection()).expect("it works")
}

fn ttl(keys: &Keys<'_>, name: &str) -> u64 {
    let secs: i64 = ask(keys.server, "TTL", keys.key(name));
    u64::try_from(secs).expect("the key has an end")
}

#[test]
fn ok_keys_vanish_some_time_after_they_say_nothing() {
    let Some(server) = Server::start() else { return };
    let keys = Keys::new(&server);
    let store = keys.open();
    let policy = first("policy.example", "1");
    let gone = cleared(first("cleared.example", "1"), "2", NOW.plus_secs(400));
    let long_ago = NOW.minus_secs(400 * DAY);
    let expired = found(Held::Nothing, "expired.example", "1", long_ago);
    let ahead = found(Held::Nothing, "ahead.example", "1", NOW.plus_secs(4_000 * DAY));
    let year = "version: STSv1\nmode: enforce\nmx: a.example\nmax_age: 31557600\n";
    let long = fetched(Held::Nothing, "long.example", "1", year, NOW);
    let all = [policy, nothing("nothing.example", NOW), gone, expired, ahead, long];
    assert_eq!(store.merge_all(&all, Urgency::Durable).map(drop), Ok(()));
    for (name, expected) in [
        ("policy.example", WEEK + 30 * DAY),
        ("long.example", 31_557_600 + 30 * DAY),
        ("nothing.example", 2 * DAY),
        ("cleared.example", 2 * DAY),
        // Whichever clock is wrong: neither now nor never.
        ("expired.example", 30 * DAY),
        ("ahead.example", WEEK + 30 * DAY),
    ] {
        let left = ttl(&keys, name);
        assert!((expected - 60..=expected).contains(&left), "{name}: {left}");
    }
    // No entry that says something still is gone before: failures count for a day and an hour.
    assert!(ttl(&keys, "nothing.example") > DAY + 3_600);
}

#[test]
fn ok_every_change_moves_the_end_of_a_key() {
    let Some(server) = Server::start() else { return };
    let keys = Keys::new(&server);
    let store = keys.open();
    assert_eq!(store.merge(&nothing("example.com", NOW), Urgency::Lazy).map(drop), Ok(()));
    assert!(ttl(&keys, "example.com") <= 2 * DAY);
    assert_eq!(store.merge(&first("example.com", "1"), Urgency::Durable).map(drop), Ok(()));
    assert!(ttl(&keys, "example.com") > 30 * DAY);
    assert_eq!(
        store.merge(&nothing("example.com", NOW.plus_secs(5)), Urgency::Lazy).map(drop),
        Ok(())
    );
    assert!(ttl(&keys, "example.com") > 30 * DAY);
}

#[test]
fn ok_a_key_that_vanished_is_gone_from_the_order_as_well() {
    let Some(server) = Server::start() else { return };
    let keys = Keys::new(&server);
    let store = keys.open();
    let entries: Vec<_> = (0..300).map(|n| first(&format!("n{n}.example"), "1")).collect();
    assert_eq!(store.merge_all(&entries, Urgency::Durable).map(drop), Ok(()));
    let index = format!("{}by-use", keys.prefix);
    let vanished: Vec<_> = (0..200).map(|n| keys.key(&format!("n{n}.example"))).collect();
    assert_eq!(ask::<u64>(&server, "DEL", vanished), 200);
    assert_eq!(ask::<u64>(&server, "ZCARD", &index), 300);
    assert_eq!(domains(&store).len(), 100);
    assert_eq!(ask::<u64>(&server, "ZCARD", &index), 100);
}

#[test]
fn ok_what_is_not_in_the_order_is_shown_and_put_there() {
    let Some(server) = Server::start() else { return };
    let keys = Keys::new(&server);
    let store = keys.open();
    let entries: Vec<_> = (0..300)
        .map(|n| found(Held::Nothing, &format!("n{n}.example"), "1", NOW.plus_secs(n * DAY)))
        .collect();
    assert_eq!(store.merge_all(&entries, Urgency::Durable).map(drop), Ok(()));
    let index = format!("{}by-use", keys.prefix);
    let last_first: Vec<_> = (0..300).rev().map(|n| format!("n{n}.example")).collect();
    assert_eq!(domains(&store), last_first);
    assert_eq!(ask::<u64>(&server, "DEL", &index), 1);
    assert_eq!(domains(&store).len(), 300);
    assert_eq!(domains(&store), last_first);
}

#[test]
fn err_a_key_of_another_type_is_unreadable_and_gives_way_to_a_policy() {
    let Some(server) = Server::start() else { return };
    let keys = Keys::new(&server);
    let store = keys.open();
    let make = || ask::<u64>(&server, "LPUSH", &[keys.key("example.com"), "x".to_owned()]);
    make();
    assert!(matches!(store.get(&domain("example.com")), Err(StoreError::Entry(_))));
    assert_eq!(domains(&store), ["example.com"]);
    let negative = store.merge(&nothing("example.com", NOW), Urgency::Lazy);
    assert!(matches!(negative, Err(StoreError::Entry(_))));
    assert_eq!(store.merge(&first("example.com", "1"), Urgency::Durable).map(drop), Ok(()));
    assert_eq!(id(&store, "example.com").as_deref(), Some("1"));
    assert_eq!(store.remove(&domain("example.com")), Ok(true));
    make();
    assert_eq!(store.remove_unreadable(), Ok(vec!["example.com".to_owned()]));
    assert_eq!(store.get(&domain("example.com")), Ok(None));
}

#[test]
fn err_a_key_of_no_domain_is_shown_and_dropped() {
    let Some(server) = Server::start() else { return };
    let keys = Keys::new(&server);
    let store = keys.open();
    let mut key = keys.key("").into_bytes();
    key.extend_from_slice(b"\xff\x00 no name");
    ask::<()>(&server, "SET", &[key, first("example.com", "1").to_bytes()]);
    assert_eq!(domains(&store), ["\u{fffd}\0 no name"]);
    assert_eq!(store.remove_unreadable().map(|names| names.len()), Ok(1));
    assert!(domains(&store).is_empty());
}

#[test]
fn err_a_server_without_memory_says_so_and_keeps_what_it_has() {
    let Some(server) = Server::start() else { return };
    let keys = Keys::new(&server);
    let store = keys.open();
    assert_eq!(store.merge(&first("example.com", "1"), Urgency::Durable).map(drop), Ok(()));
    ask::<()>(&server, "CONFIG", &["SET", "maxmemory", "1"]);
    let refused = store.merge(&first("example.net", "1"), Urgency::Durable);
    let Err(StoreError::Backend(text)) = refused else { panic!("{refused:?}") };
    assert!(text.contains("no memory left"), "{text}");
    assert_eq!(id(&store, "example.com").as_deref(), Some("1"));
}

#[test]
fn err_a_replica_is_read_and_not_written() {
    let Some(server) = Server::start() else { return };
    let keys = Keys::new(&server);
    let store = keys.open();
    assert_eq!(store.merge(&first("example.com", "1"), Urgency::Durable).map(drop), Ok(()));
    // Of a primary that is not there; it shows what it has.
    ask::<()>(&server, "REPLICAOF", &["127.0.0.1", "1"]);
    let refused = store.merge(&first("example.net", "1"), Urgency::Durable);
    assert!(matches!(refused, Err(StoreError::ReadOnly(_))), "{refused:?}");
    assert_eq!(id(&store, "example.com").as_deref(), Some("1"));
}

#[test]
fn ok_the_end_of_time_is_a_time_like_others() {
    let Some(server) = Server::start() else { return };
    let ends = [UnixTime::EPOCH, UnixTime::from_secs(u64::MAX)];
    for now in ends {
        let store = Redis::open(&server.url()).expect("a URL").with_clock(Arc::new(move || now));
        for then in ends {
            let entry = found(Held::Nothing, "example.com", "1", then);
            assert_eq!(store.merge(&entry, Urgency::Durable).map(drop), Ok(()));
        }
        assert_eq!(id(&store, "example.com").as_deref(), Some("1"));
        assert_eq!(store.remove(&domain("example.com")), Ok(true));
    }
}
