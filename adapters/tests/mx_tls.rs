//! TLS to MX hosts with real handshakes against the lab and against hosts that break: the session,
//! and what it means for the mail (RFC 8461 §4.2, §5). The same faults at a Policy Host have the
//! same reason codes (RFC 8460 §4.3).
#![cfg(all(feature = "blocking", feature = "hickory-resolver"))]

#[path = "support/lab_client.rs"]
mod lab_client;

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use mta_sts_adapters::blocking::MtaSts;
use mta_sts_adapters::delivery::{
    Attempt, Candidate, Delivery, Failure, FailureKind, Mx, Requirements, Session, SessionCount,
    Verdict,
};
use mta_sts_adapters::rustls::ClientConnection;
use mta_sts_adapters::{
    CertificateFault, HickoryDns, Limits, MxTls, PolicyDomain, TlsAlert, TlsFailure,
};
use mta_sts_lab::{Certificate, Fate, Https, Lab, Moment, TlsVersions};

const HOST: &str = "mx.example.com";
/// The time that a host has.
const SHORT: Duration = Duration::from_millis(500);

struct World {
    lab: Lab,
    tls: MxTls,
    delivery: Delivery,
}

fn domain() -> PolicyDomain {
    PolicyDomain::parse("example.com").expect("a domain")
}

fn world(mode: &str) -> World {
    let lab = Lab::start().expect("the lab starts");
    lab.domain("example.com").mode(mode).mx([HOST]).publish();
    let dns = HickoryDns::servers([lab.dns_addr()]);
    let builder = lab_client::trusting(MtaSts::builder().dns(dns), &lab);
    let tls = builder.mx_tls().expect("roots");
    let client = builder.build().expect("a client");
    let (delivery, outcome) = client.delivery(&domain(), Requirements::default());
    assert!(outcome.policy().is_some());
    World { lab, tls, delivery }
}

fn attempt(delivery: &mut Delivery) -> Attempt {
    let Candidate::Connect(attempt) = delivery.candidate(&Mx::parse(HOST)) else {
        panic!("a pattern allows it")
    };
    attempt
}

/// Shakes hands with the MX host at this address. Returns `true` if TLS was set up, and the verdict.
fn shake_at(world: &mut World, address: SocketAddr, time: Duration) -> (bool, Verdict) {
    let attempt = attempt(&mut world.delivery);
    let handshake = world.tls.handshake(&attempt).expect("TLS").expect("a host name");
    let mut socket = TcpStream::connect(address).expect("the host listens");
    socket.set_read_timeout(Some(time)).expect("a socket");
    let mut connection =
        ClientConnection::new(handshake.config(), handshake.server_name()).expect("TLS");
    let ended = loop {
        match connection.complete_io(&mut socket) {
            Ok(_) if connection.is_handshaking() => {}
            Ok(_) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    let session = handshake.session(&ended);
    (ended.is_ok(), world.delivery.judge(attempt, session))
}

/// Shakes hands with the lab as if it were the MX host.
fn shake(mode: &str, host: Https) -> (bool, Verdict) {
    let mut world = world(mode);
    world.lab.https().set(HOST, host);
    let address = world.lab.https_addr();
    shake_at(&mut world, address, Duration::from_secs(20))
}

fn host(certificate: Certificate) -> Https {
    Https::policy("").certificate(certificate)
}

fn kind(verdict: &Verdict) -> Option<FailureKind> {
    verdict.failure().map(Failure::kind)
}

#[test]
fn certificate_for_the_host_lets_the_mail_go() {
    for mode in ["enforce", "testing", "none"] {
        let (is_tls, verdict) = shake(mode, host(Certificate::Good));
        assert!(is_tls && !verdict.is_refused(), "{mode}");
        assert_eq!(verdict.result().count(), SessionCount::Succeeded, "{mode}");
    }
}

#[test]
fn certificate_faults_by_mode() {
    use CertificateFault as Fault;
    for (certificate, fault) in [
        (Certificate::Expired, Fault::Expired),
        (Certificate::NotYetValid, Fault::NotYetValid),
        (Certificate::WrongName, Fault::WrongName),
        (Certificate::CommonNameOnly, Fault::WrongName),
        (Certificate::SelfSigned, Fault::UntrustedIssuer),
        (Certificate::UnknownAuthority, Fault::UntrustedIssuer),
        (Certificate::ClientOnly, Fault::WrongPurpose),
    ] {
        let expected = Some(FailureKind::Certificate(fault));
        let (is_tls, verdict) = shake("enforce", host(certificate.clone()));
        assert!(!is_tls && verdict.is_refused(), "{certificate:?}");
        assert_eq!(kind(&verdict), expected, "{certificate:?}");
        // A fault that is only reported goes over the same connection.
        let (is_tls, verdict) = shake("testing", host(certificate.clone()));
        assert!(is_tls && !verdict.is_refused(), "{certificate:?}");
        assert_eq!(kind(&verdict), expected, "{certificate:?}");
        // Without a policy any TLS is a success (RFC 8460 §4.2.1).
        let (is_tls, verdict) = shake("none", host(certificate.clone()));
        assert!(is_tls && !verdict.is_refused(), "{certificate:?}");
        assert_eq!(verdict.result().count(), SessionCount::Succeeded, "{certificate:?}");
    }
}

#[test]
fn handshake_that_breaks_after_a_tolerated_certificate_is_no_tls() {
    // The certificate is noted, not refused; then the host goes away: no session came about.
    let mut world = world("testing");
    let attempt = attempt(&mut world.delivery);
    let handshake = world.tls.handshake(&attempt).expect("TLS").expect("a host name");
    let closed = io::Error::from(io::ErrorKind::UnexpectedEof);
    let session = handshake.session(&Err(closed));
    assert!(matches!(session, Session::TlsFailed(TlsFailure::Closed)), "{session:?}");
}

#[test]
fn certificate_that_was_not_seen_verifies_nothing() {
    let World { lab: _lab, tls, mut delivery } = world("enforce");
    let attempt = attempt(&mut delivery);
    let handshake = tls.handshake(&attempt).expect("TLS").expect("a host name");
    // The caller says that the handshake succeeded, and there was none.
    let verdict = delivery.judge(attempt, handshake.session(&Ok(())));
    assert!(verdict.is_refused());
    assert_eq!(kind(&verdict), Some(FailureKind::NotVerified));
}

/// The answer of a host to the first record of a client.
#[derive(Debug, Clone, Copy)]
enum Answer {
    Bytes(&'static [u8]),
    Close,
    Stall,
}

/// Starts a host that answers every connection so, and returns its address. Its thread ends with
/// the process.
fn breaking(answer: Answer) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            thread::spawn(move || {
                // A whole record, so that closing is no reset.
                let mut head = [0; 5];
                stream.read_exact(&mut head)?;
                let mut rest = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
                stream.read_exact(&mut rest)?;
                match answer {
                    Answer::Bytes(bytes) => stream.write_all(bytes)?,
                    Answer::Close => return Ok(()),
                    Answer::Stall => {}
                }
                io::copy(&mut stream, &mut io::sink()).map(drop)
            });
        }
    });
    address
}

/// The reason code of a fetch from a host at this address.
fn fetch_reason(address: SocketAddr) -> String {
    let lab = Lab::start().expect("the lab starts");
    lab.domain("example.com").mode("enforce").publish();
    let limits = Limits::default().with_fetch_timeout(SHORT);
    let dns = HickoryDns::servers([lab.dns_addr()]);
    let builder = lab_client::trusting(MtaSts::builder().dns(dns), &lab).limits(limits);
    let client = builder.connect_elsewhere(move |_| address).build().expect("a client");
    let outcome = client.policy_for(&domain());
    outcome.problem().expect("the fetch fails").reason_code().into_owned()
}

#[test]
fn tls_failures_have_a_reason_code_each_and_the_same_on_both_paths() {
    use TlsFailure as Tls;
    let alert = |number| Tls::Alert(TlsAlert(number));
    for (answer, expected, code) in [
        (Answer::Bytes(b"\x15\x03\x03\0\x02\x02\x28"), alert(40), "tls-alert-handshake-failure"),
        (Answer::Bytes(b"\x15\x03\x03\0\x02\x02\x46"), alert(70), "tls-alert-protocol-version"),
        (Answer::Bytes(b"\x15\x03\x03\0\x02\x02\x50"), alert(80), "tls-alert-internal-error"),
        (Answer::Bytes(b"\x15\x03\x03\0\x02\x02\x70"), alert(112), "tls-alert-unrecognized-name"),
        (Answer::Bytes(b"\x15\x03\x03\0\x02\x02\xc7"), alert(199), "tls-alert-199"),
        (Answer::Bytes(b"500 5.5.1 no such command\r\n"), Tls::NotTls, "tls-not-spoken"),
        (Answer::Bytes(b"HTTP/1.1 400 Bad Request\r\n\r\n"), Tls::NotTls, "tls-not-spoken"),
        (Answer::Close, Tls::Closed, "tls-closed"),
        (Answer::Stall, Tls::Timeout, "tls-timeout"),
    ] {
        let address = breaking(answer);
        for mode in ["enforce", "testing", "none"] {
            let mut world = world(mode);
            let (is_tls, verdict) = shake_at(&mut world, address, SHORT);
            let failure = verdict.failure().expect("TLS failed");
            assert_eq!(failure.kind(), FailureKind::Tls(expected), "{answer:?}, {mode}");
            assert_eq!(failure.reason_code(), code);
            assert_eq!((is_tls, verdict.is_refused()), (false, mode == "enforce"), "{answer:?}");
        }
        assert_eq!(fetch_reason(address), code, "{answer:?}");
    }
}

#[test]
fn server_of_old_versions_of_tls_fails_the_handshake() {
    for (versions, code) in [
        (TlsVersions::Old11, "tls-handshake-failed"),
        (TlsVersions::VersionAlert, "tls-alert-protocol-version"),
    ] {
        let (is_tls, verdict) = shake("enforce", Https::policy("").versions(versions));
        assert!(!is_tls && verdict.is_refused());
        assert_eq!(verdict.failure().expect("TLS failed").reason_code(), code);
    }
}

#[test]
fn connection_that_breaks_at_the_hello_is_closed() {
    for fate in [Fate::Close, Fate::Reset] {
        let (is_tls, verdict) = shake("enforce", Https::fails(Moment::AfterHello, fate));
        assert!(!is_tls && verdict.is_refused());
        assert_eq!(kind(&verdict), Some(FailureKind::Tls(TlsFailure::Closed)), "{fate:?}");
    }
}
