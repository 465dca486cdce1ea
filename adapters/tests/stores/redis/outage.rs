//! A server that goes away, comes back, or hangs.

use std::net::TcpListener;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use mta_sts_adapters::{Redis, Store, StoreError, Urgency};

use super::server::Server;
use crate::entries::{NOW, domain, first, id};

const SHORT: Duration = Duration::from_millis(200);

fn open(url: &str) -> Redis {
    Redis::open(url).expect("a URL").with_clock(Arc::new(|| NOW))
}

/// The first answer that is none of a server that rests; bounded.
fn when_it_is_back<T>(ask: impl Fn() -> Result<T, StoreError>) -> T {
    for _ in 0..100 {
        if let Ok(answer) = ask() {
            return answer;
        }
        thread::sleep(Duration::from_millis(100));
    }
    panic!("it does not come back");
}

#[test]
fn ok_what_was_written_outlives_the_server() {
    let Some(mut server) = Server::start() else { return };
    let store = open(&server.url());
    let names: Vec<_> = (0..200).map(|number| format!("n{number}.example")).collect();
    for name in &names {
        assert_eq!(store.merge(&first(name, "1"), Urgency::Durable).map(drop), Ok(()));
    }
    server.stop();
    server.start_again();
    let lost: Vec<_> =
        names.iter().filter(|name| id(&store, name).as_deref() != Some("1")).collect();
    assert!(lost.is_empty(), "{lost:?}");
}

#[test]
fn ok_a_server_that_was_started_again_is_used_at_once() {
    let Some(mut server) = Server::start() else { return };
    let store = open(&server.url());
    assert_eq!(store.merge(&first("example.com", "1"), Urgency::Durable).map(drop), Ok(()));
    // Nobody asked meanwhile: the old connection is found closed, and another takes its place.
    server.stop();
    server.start_again();
    assert_eq!(store.merge(&first("example.net", "1"), Urgency::Durable).map(drop), Ok(()));
    assert_eq!(id(&store, "example.com").as_deref(), Some("1"));
}

#[test]
fn err_a_server_that_is_not_there_and_comes_back() {
    let Some(mut server) = Server::start() else { return };
    let store = open(&server.url());
    assert_eq!(store.merge(&first("example.com", "1"), Urgency::Durable).map(drop), Ok(()));
    server.stop();
    for _ in 0..3 {
        let down = store.get(&domain("example.com"));
        assert!(matches!(down, Err(StoreError::Backend(_))), "{down:?}");
        let down = store.merge(&first("example.net", "1"), Urgency::Durable);
        assert!(matches!(down, Err(StoreError::Backend(_))), "{down:?}");
    }
    server.start_again();
    assert!(when_it_is_back(|| store.get(&domain("example.com"))).is_some());
    assert_eq!(store.merge(&first("example.net", "1"), Urgency::Durable).map(drop), Ok(()));
}

#[test]
fn err_a_server_that_hangs_is_given_up_and_not_asked_by_all() {
    let Some(server) = Server::start() else { return };
    let store = open(&server.url()).with_timeouts(SHORT, SHORT);
    assert_eq!(store.merge(&first("example.com", "1"), Urgency::Durable).map(drop), Ok(()));
    server.hang(true);
    // Were it waited for, by one or by all, the test would not end.
    thread::scope(|scope| {
        for _ in 0..64 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let hung = store.get(&domain("example.com"));
                    let Err(StoreError::Backend(text)) = hung else { panic!("{hung:?}") };
                    assert!(
                        text.contains("did not answer in time") || text.contains("busy"),
                        "{text}"
                    );
                }
            });
        }
    });
    server.hang(false);
    assert!(when_it_is_back(|| store.get(&domain("example.com"))).is_some());
}

#[test]
fn err_a_server_that_takes_connections_and_never_says_a_word() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("it is bound");
    for url in [format!("redis://{address}"), format!("redis://:secret@{address}/1")] {
        let store = open(&url).with_timeouts(SHORT, SHORT);
        let silent = store.get(&domain("example.com"));
        let Err(StoreError::Backend(text)) = silent else { panic!("{silent:?}") };
        assert!(text.contains(&address.to_string()), "{text}");
        assert!(!text.contains("secret"), "{text}");
    }
}

#[test]
fn err_a_server_of_another_protocol() {
    use std::io::{Read, Write};
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("it is bound");
    thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let _ = stream.read(&mut [0; 64]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    let store = open(&format!("redis://{address}")).with_timeouts(SHORT, SHORT);
    let answer = store.get(&domain("example.com"));
    assert!(matches!(answer, Err(StoreError::Backend(_))), "{answer:?}");
}
