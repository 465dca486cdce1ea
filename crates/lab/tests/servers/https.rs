//! HTTP: each behaviour, as hyper sees it.

use std::io::ErrorKind;
use std::time::Duration;

use hyper::Request;
use mta_sts_lab::{
    ENDLESS_LIMIT, Ending, Fate, Framing, Https, Lab, Moment, POLICY_PATH, Pace, Response, padded,
};

use tokio::io::AsyncReadExt;

use crate::client::{Fetch, HOST, POLICY, connect, fetch, get, handshake, send, tls_config};

async fn reply(lab: &Lab, response: Response) -> Fetch {
    lab.https().set(HOST, Https::respond(response));
    get(lab).await
}

fn policy() -> Response {
    Response::policy(POLICY)
}

#[tokio::test]
async fn ok_policy_and_its_log() {
    let lab = Lab::start().unwrap();
    lab.https().policy(HOST, POLICY);
    let seen = get(&lab).await;
    assert_eq!((seen.status(), seen.body()), (200, Ok(POLICY.as_bytes())));
    assert_eq!(seen.header("content-type"), ["text/plain"]);
    let request = lab.https().requests().take().remove(0);
    assert_eq!((request.sni.as_str(), request.host()), (HOST, Some(HOST)));
    assert_eq!((request.method.as_str(), request.path.as_str()), ("GET", POLICY_PATH));
    assert_eq!((request.version.as_str(), request.user_agent()), ("HTTP/1.1", Some("lab-test/1")));
    assert_eq!((request.headers.len(), request.earlier), (2, 0));
}

#[tokio::test]
async fn ok_every_status() {
    let lab = Lab::start().unwrap();
    for status in [200, 201, 204, 304, 400, 404, 410, 429, 500, 503] {
        assert_eq!(reply(&lab, Response::new(status)).await.status(), status);
    }
    let seen = reply(&lab, policy().interim(100).interim(103)).await;
    assert_eq!((seen.status(), seen.body()), (200, Ok(POLICY.as_bytes())));
    for status in [301, 302, 303, 307, 308] {
        let seen = reply(&lab, Response::redirect(status, POLICY_PATH)).await;
        assert_eq!((seen.status(), seen.header("location")), (status, vec![POLICY_PATH]));
    }
}

#[tokio::test]
async fn err_requests_that_the_host_does_not_serve() {
    let lab = Lab::start().unwrap();
    lab.https().policy(HOST, POLICY);
    let elsewhere = fetch(lab.https_addr(), tls_config(&lab), HOST, "/elsewhere").await;
    assert_eq!(elsewhere.status(), 404);
    lab.https().set(HOST, Https::policy(POLICY).any_path());
    let elsewhere = fetch(lab.https_addr(), tls_config(&lab), HOST, "/elsewhere").await;
    assert_eq!(elsewhere.status(), 200);
}

#[tokio::test]
async fn one_connection_carries_many_requests_until_one_is_not_for_this_host() {
    let lab = Lab::start().unwrap();
    lab.https().policy(HOST, POLICY);
    let mut connection = connect(lab.https_addr(), tls_config(&lab), HOST).await.unwrap();
    let port = lab.https_port();
    for (method, host, status) in [
        ("GET", HOST.to_owned(), 200),
        ("GET", format!("{HOST}:{port}"), 200),
        ("GET", "www.example.com".to_owned(), 421),
        ("HEAD", HOST.to_owned(), 405),
    ] {
        let request = Request::builder().method(method).uri(POLICY_PATH).header("Host", &host);
        let seen = send(&mut connection, request).await;
        assert_eq!(seen.status(), status, "{method} {host}");
    }
    let requests = lab.https().requests().take();
    assert_eq!(requests.iter().map(|r| r.earlier).collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert_eq!(lab.https().connections(), 1);

    let mut connection = connect(lab.https_addr(), tls_config(&lab), HOST).await.unwrap();
    let request = Request::get(POLICY_PATH).header("Host", HOST).header("X", "x".repeat(40_000));
    assert_eq!(send(&mut connection, request).await.status(), 431);
    assert_eq!(lab.https().requests().count(), 4);
}

#[tokio::test]
async fn ok_header_fields() {
    let lab = Lab::start().unwrap();
    let seen = reply(&lab, policy().without_content_type()).await;
    assert!(seen.header("content-type").is_empty());
    let seen = reply(&lab, policy().content_type("Text/PLAIN; charset=utf-8")).await;
    assert_eq!(seen.header("content-type"), ["Text/PLAIN; charset=utf-8"]);
    let seen = reply(&lab, policy().header("Content-Type", "text/html").header("X-A", "b")).await;
    assert_eq!(seen.header("content-type"), ["text/plain", "text/html"]);
    assert_eq!(seen.header("x-a"), ["b"]);
    assert!(matches!(reply(&lab, policy().header_flood(5000)).await, Fetch::Unreadable));
}

#[tokio::test]
async fn ok_framings() {
    let lab = Lab::start().unwrap();
    for response in [
        policy().framing(Framing::Chunked(1)),
        policy().framing(Framing::Chunked(7)).ending(Ending::Close),
        policy().framing(Framing::UntilClose),
        policy().framing(Framing::UntilClose).ending(Ending::Close),
        policy().ending(Ending::Cut),
        policy().ending(Ending::Reset),
        policy().pace(Pace::DripBody(Duration::from_millis(1))),
        policy().pace(Pace::DripAll(Duration::from_millis(1))),
    ] {
        let seen = reply(&lab, response.clone()).await;
        assert_eq!(seen.body(), Ok(POLICY.as_bytes()), "{response:?}");
    }
    let seen = reply(&lab, policy().framing(Framing::DeclaredLength(9))).await;
    assert_eq!(seen.body(), Ok(&POLICY.as_bytes()[..9]));
}

#[tokio::test]
async fn err_bodies_that_are_cut() {
    let lab = Lab::start().unwrap();
    let more = Framing::DeclaredLength(4096);
    for (response, expected) in [
        (policy().framing(Framing::UntilClose).ending(Ending::Cut), ErrorKind::UnexpectedEof),
        (policy().framing(Framing::UntilClose).ending(Ending::Reset), ErrorKind::ConnectionReset),
        (policy().framing(Framing::ChunkedCut(7)).ending(Ending::Close), ErrorKind::UnexpectedEof),
        (policy().framing(more).ending(Ending::Close), ErrorKind::UnexpectedEof),
        (policy().framing(more).ending(Ending::Cut), ErrorKind::UnexpectedEof),
        (policy().framing(more).ending(Ending::Reset), ErrorKind::ConnectionReset),
    ] {
        let seen = reply(&lab, response.clone()).await;
        assert_eq!((seen.status(), seen.body()), (200, Err(expected)), "{response:?}");
    }
    lab.https().set(HOST, Https::cut(POLICY, Ending::Close));
    let seen = get(&lab).await;
    assert_eq!(seen.header("content-length"), [POLICY.len().to_string()]);
    assert_eq!(seen.body(), Err(ErrorKind::UnexpectedEof));
}

#[tokio::test]
async fn ok_sizes() {
    let lab = Lab::start().unwrap();
    for octets in [65_536, 65_537] {
        let seen = reply(&lab, policy().body(padded(POLICY, octets))).await;
        let body = seen.body().unwrap();
        assert_eq!(body.len(), octets);
        assert!(body.starts_with(POLICY.as_bytes()) && body.ends_with(b"-\n"));
    }
    for framing in [Framing::Length, Framing::Chunked(4096), Framing::UntilClose] {
        let seen = reply(&lab, policy().endless().framing(framing)).await;
        let body = seen.body().unwrap();
        assert!(body.len() <= ENDLESS_LIMIT && body.len() > ENDLESS_LIMIT - 100);
        assert!(body.starts_with(POLICY.as_bytes()) && body.ends_with(b"\n"));
    }
}

#[test]
fn ok_padding_where_there_is_room() {
    assert_eq!(padded("a: b", 14), b"a: b\nfiller:-\n");
    assert_eq!(padded("a: b", 13), b"a: b");
}

#[tokio::test]
async fn ok_gzip_that_nobody_asked_for() {
    let lab = Lab::start().unwrap();
    let seen = reply(&lab, policy().gzip()).await;
    assert_eq!(seen.header("content-encoding"), ["gzip"]);
    // One stored block, an empty last one, then the check value and the length.
    let length = u8::try_from(POLICY.len()).unwrap();
    let mut expected = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 0, length, 0, !length, 0xff];
    expected.extend_from_slice(POLICY.as_bytes());
    expected.extend_from_slice(&[1, 0, 0, 0xff, 0xff]);
    let body = seen.body().unwrap();
    assert_eq!(&body[..expected.len()], expected);
    assert_eq!(&body[expected.len() + 4..], [length, 0, 0, 0]);
    // The check value of the CRC's catalogue: CRC-32 of "123456789".
    let seen = reply(&lab, Response::policy("123456789").gzip()).await;
    let body = seen.body().unwrap();
    assert_eq!(body[body.len() - 8..body.len() - 4], 0xcbf4_3926_u32.to_le_bytes());
}

#[tokio::test]
async fn err_replies_that_are_no_http() {
    let lab = Lab::start().unwrap();
    for https in [
        Https::http09(POLICY),
        Https::garbage(),
        Https::raw(*b"HTTP/1.1 2OO OK\r\n\r\n", Ending::Close),
    ] {
        lab.https().set(HOST, https.clone());
        let seen = get(&lab).await;
        assert!(matches!(seen, Fetch::Unreadable), "{https:?}: {seen:?}");
    }
}

#[tokio::test]
async fn err_the_connection_ends_after_the_request() {
    let lab = Lab::start().unwrap();
    for (fate, expected) in
        [(Fate::Close, ErrorKind::UnexpectedEof), (Fate::Reset, ErrorKind::ConnectionReset)]
    {
        lab.https().set(HOST, Https::fails(Moment::AfterRequest, fate));
        let seen = get(&lab).await;
        assert!(matches!(seen, Fetch::Head(kind) if kind == expected), "{fate:?}: {seen:?}");
    }
    assert_eq!(lab.https().requests().count(), 2);
}

#[tokio::test]
async fn err_the_connection_ends_after_the_handshake() {
    let lab = Lab::start().unwrap();
    for (fate, expected) in
        [(Fate::Close, ErrorKind::UnexpectedEof), (Fate::Reset, ErrorKind::ConnectionReset)]
    {
        lab.https().set(HOST, Https::fails(Moment::AfterHandshake, fate));
        // With TLS 1.3 the client is done first: its handshake is no part of the failure.
        let mut tls = handshake(lab.https_addr(), tls_config(&lab), HOST).await.unwrap();
        assert_eq!(tls.read_u8().await.unwrap_err().kind(), expected, "{fate:?}");
    }
    assert_eq!((lab.https().hellos().count(), lab.https().requests().count()), (2, 0));
}
