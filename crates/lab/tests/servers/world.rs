//! The lab as a whole: domains, stalls, gates, dead ends, its end.

use std::future::Future;
use std::io::{ErrorKind, Read};
use std::net::{IpAddr, Ipv6Addr, TcpListener, TcpStream};
use std::pin::pin;
use std::time::Duration;

use hickory_resolver::proto::rr::RecordType as Type;
use mta_sts_lab::{
    DnsAnswer, Fate, Gate, Https, Lab, Moment, POLICY_PATH, Pace, RecordType, Response,
};

use crate::client::{Fetch, HOST, POLICY, fetch, get, resolver, tls_config};

const LONG: Duration = Duration::from_secs(20);

/// Runs `first` to its end beside `second`, which must not end before.
async fn before<T>(first: impl Future<Output = ()>, second: impl Future<Output = T>) -> T {
    let mut second = pin!(second);
    tokio::select! {
        biased;
        _ = &mut second => panic!("it ended too early"),
        () = first => {}
    }
    second.await
}

#[tokio::test]
async fn ok_a_domain_is_published_changed_and_withdrawn() {
    let lab = Lab::start().unwrap();
    let resolver = resolver(lab.dns_addr(), LONG);
    let domain = lab.domain("example.com").mode("enforce").mx(["mx1.example.com", "*.example.net"]);
    domain.publish();
    let txt = resolver.lookup("_mta-sts.example.com.", Type::TXT).await.unwrap();
    assert_eq!(txt.answers()[0].data.to_string(), "v=STSv1; id=1;");
    let a = resolver.lookup("mta-sts.example.com.", Type::A).await.unwrap();
    assert_eq!(a.answers()[0].data.ip_addr(), Some(lab.https_addr().ip()));
    let mx = resolver.lookup("example.com.", Type::MX).await.unwrap();
    assert_eq!(mx.answers().len(), 1);
    assert_eq!(mx.answers()[0].data.to_string(), "10 mx1.example.com.");
    let policy = "version: STSv1\r\nmode: enforce\r\nmx: mx1.example.com\r\nmx: *.example.net\r\n\
                max_age: 604800\r\n";
    assert_eq!(get(&lab).await.body(), Ok(policy.as_bytes()));

    domain.clone().id("2").policy(POLICY).ttl(9).publish();
    let txt = resolver.lookup("_mta-sts.example.com.", Type::TXT).await.unwrap();
    assert_eq!(
        (txt.answers()[0].data.to_string().as_str(), txt.answers()[0].ttl),
        ("v=STSv1; id=2;", 9)
    );
    assert_eq!(get(&lab).await.body(), Ok(POLICY.as_bytes()));

    domain.withdraw();
    for (name, rtype) in [
        ("_mta-sts.example.com.", Type::TXT),
        ("mta-sts.example.com.", Type::A),
        ("example.com.", Type::MX),
    ] {
        assert!(resolver.lookup(name, rtype).await.unwrap_err().is_nx_domain(), "{name}");
    }
    assert!(matches!(get(&lab).await, Fetch::Tls(_)));
}

#[tokio::test]
async fn a_stall_lasts_until_the_lab_is_gone() {
    for (https, in_body) in [
        (Https::fails(Moment::AfterRequest, Fate::Stall), false),
        (Https::respond(Response::policy(POLICY).pace(Pace::StallBeforeHead)), false),
        (Https::respond(Response::policy(POLICY).pace(Pace::StallInHead)), false),
        (Https::respond(Response::policy(POLICY).pace(Pace::StallAfterHead)), true),
        (Https::respond(Response::policy(POLICY).pace(Pace::StallInBody)), true),
    ] {
        let lab = Lab::start().unwrap();
        lab.https().set(HOST, https.clone());
        let requests = lab.https().requests().clone();
        let client = fetch(lab.https_addr(), tls_config(&lab), HOST, POLICY_PATH);
        let seen = before(
            async {
                requests.wait_for(1).await;
                drop(lab);
            },
            client,
        )
        .await;
        match seen {
            Fetch::Reply { body: Err(_), .. } if in_body => {}
            Fetch::Head(_) if !in_body => {}
            other => panic!("{https:?}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_stalled_handshake_lasts_until_the_lab_is_gone() {
    for on_accept in [true, false] {
        let lab = Lab::start().unwrap();
        if on_accept {
            lab.https().fail_on_accept(Some(Fate::Stall));
        } else {
            lab.https().set(HOST, Https::fails(Moment::AfterHello, Fate::Stall));
        }
        let hosts = lab.https().clone();
        let client = fetch(lab.https_addr(), tls_config(&lab), HOST, POLICY_PATH);
        let seen = before(
            async {
                if on_accept {
                    while hosts.connections() == 0 {
                        tokio::task::yield_now().await;
                    }
                } else {
                    hosts.hellos().wait_for(1).await;
                }
                drop(lab);
            },
            client,
        )
        .await;
        assert!(matches!(seen, Fetch::Tls(Err(_))), "{seen:?}");
    }
}

#[tokio::test]
async fn a_gate_holds_replies_until_it_opens() {
    let lab = Lab::start().unwrap();
    let gate = Gate::closed();
    lab.https().set(HOST, Https::policy(POLICY).held_by(&gate));
    let requests = lab.https().requests().clone();
    let opens = async {
        requests.wait_for(1).await;
        gate.open();
    };
    assert_eq!(before(opens, get(&lab)).await.status(), 200);
    assert_eq!(get(&lab).await.status(), 200);

    let gate = Gate::closed();
    lab.dns().set("a.test", RecordType::Txt, DnsAnswer::txt(["x"], 1).held_by(&gate));
    let queries = lab.dns().queries().clone();
    let opens = async {
        queries.wait_for(1).await;
        gate.open();
    };
    let resolver = resolver(lab.dns_addr(), LONG);
    let found = before(opens, resolver.lookup("a.test.", Type::TXT)).await.unwrap();
    assert_eq!(found.answers().len(), 1);
}

#[tokio::test]
async fn ok_a_change_applies_from_the_next_question_on() {
    let lab = Lab::start().unwrap();
    let resolver = resolver(lab.dns_addr(), LONG);
    for text in ["one", "two"] {
        lab.dns().txt("A.test.", [text], 60);
        let found = resolver.lookup("a.TEST.", Type::TXT).await.unwrap();
        assert_eq!(found.answers()[0].data.to_string(), text);
    }
    assert_eq!(lab.dns().queries().all().len(), 2);
    assert_eq!(lab.dns().queries().take().len(), 2);
    assert_eq!((lab.dns().queries().all().len(), lab.dns().queries().count()), (0, 2));
}

#[test]
fn a_log_can_be_waited_for_without_a_runtime() {
    let lab = Lab::start().unwrap();
    let hosts = lab.https().clone();
    hosts.set(HOST, Https::fails(Moment::AfterHello, Fate::Close));
    assert!(!hosts.hellos().wait_for_blocking(1, Duration::ZERO));
    let client = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(get(&lab))
    });
    assert!(hosts.hellos().wait_for_blocking(1, LONG));
    assert!(matches!(client.join().unwrap(), Fetch::Tls(Err(_))));
}

#[test]
fn dead_ends() {
    let lab = Lab::start().unwrap();
    let refused = TcpStream::connect(lab.refusing_addr()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    assert_eq!(TcpListener::bind(lab.refusing_addr()).unwrap_err().kind(), ErrorKind::AddrInUse);

    let silent = TcpStream::connect(lab.black_hole_addr()).unwrap();
    silent.set_nonblocking(true).unwrap();
    assert_eq!(silent.peek(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
    assert_eq!(lab.https().connections(), 0);
    if cfg!(target_os = "linux") {
        assert_eq!(lab.refusing_addr().port(), lab.https_port());
        assert_eq!(lab.black_hole_addr().port(), lab.https_port());
    }
}

#[tokio::test]
async fn ok_ipv6_where_there_is_any() {
    let lab = Lab::start().unwrap();
    lab.https().policy(HOST, POLICY);
    let address = (IpAddr::V6(Ipv6Addr::LOCALHOST), lab.https_port()).into();
    if lab.has_ipv6() {
        let seen = fetch(address, tls_config(&lab), HOST, POLICY_PATH).await;
        assert_eq!(seen.status(), 200);
    } else {
        assert!(TcpStream::connect(address).is_err());
    }
}

#[test]
fn a_dropped_lab_leaves_no_connection() {
    let lab = Lab::start().unwrap();
    let addresses = [lab.dns_addr(), lab.https_addr(), lab.black_hole_addr()];
    let streams = addresses.map(|address| TcpStream::connect(address).unwrap());
    drop(lab);
    for mut stream in streams {
        stream.set_read_timeout(Some(LONG)).unwrap();
        // An end or a reset, by how far the server had come with it; never a timeout.
        match stream.read(&mut [0]) {
            Ok(length) => assert_eq!(length, 0),
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
    }
}

#[test]
fn ok_a_pem_certificate_for_clients_that_read_files() {
    let lab = Lab::start().unwrap();
    let lines: Vec<_> = lab.ca_pem().lines().collect();
    assert_eq!(lines.first(), Some(&"-----BEGIN CERTIFICATE-----"));
    assert_eq!(lines.last(), Some(&"-----END CERTIFICATE-----"));
}
