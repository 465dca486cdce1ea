//! The store in Redis, against a real server: the laws, its keys, and a server that goes away.

#[cfg(all(feature = "tokio", feature = "hickory-resolver"))]
mod client;
mod keys;
#[cfg(all(feature = "tokio", feature = "hickory-resolver"))]
#[path = "../support/lab_client.rs"]
mod lab_client;
mod outage;
mod server;
#[cfg(feature = "redis-tls")]
mod tls;

use std::env;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mta_sts_adapters::{Redis, Store, Urgency};

use super::entries::{NOW, domain, domains, first, get, id};
use super::{Place, check, child, shared};
use server::Server;

/// The keys of one test on a server.
struct Keys<'a> {
    server: &'a Server,
    prefix: String,
}

impl<'a> Keys<'a> {
    fn new(server: &'a Server) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        // What is special in a pattern is not in a prefix.
        let prefix = format!("t[{}]*?:", COUNT.fetch_add(1, Ordering::Relaxed));
        Self { server, prefix }
    }

    fn open(&self) -> Redis {
        let store = Redis::open(&self.server.url()).expect("a URL");
        store.with_prefix(&self.prefix).with_clock(Arc::new(|| NOW))
    }

    fn key(&self, name: &str) -> String {
        format!("{}entry:{name}", self.prefix)
    }
}

impl Place for Keys<'_> {
    fn handle(&self) -> Arc<dyn Store> {
        Arc::new(self.open())
    }

    fn spoil(&self, name: &str, bytes: &[u8]) -> bool {
        let mut set = redis::cmd("SET");
        set.arg(self.key(name)).arg(bytes).exec(&mut self.server.connection()).expect("it works");
        true
    }
}

#[test]
fn ok_redis_is_a_store() {
    let Some(server) = Server::start() else { return };
    check(|| Keys::new(&server));
}

const CHILD_SHARES: &str = "MTA_STS_TEST_CHILD_SHARES_REDIS";
const CHILD_NUMBER: &str = "MTA_STS_TEST_CHILD_NUMBER";

/// Not a test: what the next test runs as several processes.
#[test]
#[ignore = "it is a child process of another test"]
fn child_that_shares() {
    let Ok(url) = env::var(CHILD_SHARES) else { return };
    let number = env::var(CHILD_NUMBER).expect("a number").parse().expect("a number");
    let store = Redis::open(&url).expect("a URL").with_clock(Arc::new(|| NOW));
    shared::write(&store, number);
}

#[test]
fn ok_several_processes_lose_nothing() {
    let Some(server) = Server::start() else { return };
    let children: Vec<_> = shared::all_writers()
        .map(|number| {
            let mut child = child("redis::child_that_shares");
            child.env(CHILD_SHARES, server.url()).env(CHILD_NUMBER, number.to_string());
            child.stdout(process::Stdio::null()).spawn().expect("a child")
        })
        .collect();
    for mut child in children {
        assert!(child.wait().expect("it ended").success());
    }
    shared::check_written(&Redis::open(&server.url()).expect("a URL"));
}

#[test]
fn ok_stores_of_different_prefixes_and_databases_share_nothing() {
    let Some(server) = Server::start() else { return };
    let open = |url: &str| Redis::open(url).expect("a URL").with_clock(Arc::new(|| NOW));
    let stores = [
        open(&server.url()),
        open(&server.url()).with_prefix("other:"),
        open(&server.url()).with_prefix(""),
        open(&format!("{}/3", server.url())),
    ];
    for (number, store) in stores.iter().enumerate() {
        let name = format!("n{number}.example");
        assert_eq!(store.merge(&first(&name, "1"), Urgency::Durable).map(drop), Ok(()));
    }
    for (number, store) in stores.iter().enumerate() {
        assert_eq!(domains(store), [format!("n{number}.example")]);
    }
}

#[test]
fn ok_a_password_is_given_and_a_wrong_one_is_told() {
    let Some(server) = Server::with(&["--requirepass", "a p:ss"]) else { return };
    let url = |login: &str| server.url().replace("//", &format!("//{login}"));
    let store = Redis::open(&url(":a%20p%3Ass@")).expect("a URL").with_clock(Arc::new(|| NOW));
    assert_eq!(store.merge(&first("example.com", "1"), Urgency::Durable).map(drop), Ok(()));
    assert_eq!(id(&store, "example.com").as_deref(), Some("1"));
    for wrong in ["", ":wrong@", "nobody:wrong@"] {
        let store = Redis::open(&url(wrong)).expect("a URL");
        let refused = store.ping().expect_err("a wrong password").to_string();
        assert!(refused.contains("does not let this user in"), "{refused}");
        assert!(store.get(&domain("example.com")).is_err());
    }
    assert!(get(&store, "example.com").is_some());
}

#[test]
fn ok_a_socket_of_this_machine() {
    let Some(server) = Server::start() else { return };
    let url = format!("redis+unix://{}?db=2", server.socket().display());
    let store = Redis::open(&url).expect("a URL").with_clock(Arc::new(|| NOW));
    assert_eq!(store.merge(&first("example.com", "1"), Urgency::Durable).map(drop), Ok(()));
    let over_tcp = Redis::open(&format!("{}/2", server.url())).expect("a URL");
    assert_eq!(id(&over_tcp, "example.com").as_deref(), Some("1"));
}
