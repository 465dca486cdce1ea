//! TLS to MX hosts, over real handshakes on loopback: what the certificate was, and what it means
//! for the mail (RFC 8461 §4.2, §5).
#![cfg(all(feature = "blocking", feature = "hickory-resolver"))]

#[path = "support/lab_client.rs"]
mod lab_client;

use std::net::TcpStream;
use std::time::Duration;

use mta_sts_adapters::blocking::{DnsThread, MtaSts};
use mta_sts_adapters::delivery::{
    Attempt, Candidate, Delivery, Failure, FailureKind, Mx, Requirements, Verdict,
};
use mta_sts_adapters::rustls::ClientConnection;
use mta_sts_adapters::{CertificateFault, HickoryDns, MxTls, PolicyDomain};
use mta_sts_testkit::lab::{Certificate, Fate, Https, Lab, Moment};

const HOST: &str = "mx.example.com";

struct World {
    lab: Lab,
    tls: MxTls,
    delivery: Delivery,
}

fn world(mode: &str) -> World {
    let lab = Lab::start().expect("the lab starts");
    lab.domain("example.com").mode(mode).mx([HOST]).publish();
    let dns = DnsThread::new(HickoryDns::servers([lab.dns_addr()])).expect("a thread");
    let builder = lab_client::trusting(MtaSts::builder().dns(dns), &lab);
    let tls = builder.mx_tls().expect("roots");
    let client = builder.build().expect("a client");
    let domain = PolicyDomain::parse("example.com").expect("a domain");
    let (delivery, outcome) = client.delivery(&domain, Requirements::default());
    assert!(outcome.policy().is_some());
    World { lab, tls, delivery }
}

fn attempt(delivery: &mut Delivery) -> Attempt {
    let Candidate::Connect(attempt) = delivery.candidate(&Mx::parse(HOST)) else {
        panic!("a pattern allows it")
    };
    attempt
}

/// Shakes hands with the lab as if it were the MX host; whether that came about, and the verdict.
fn shake(mode: &str, host: Https) -> (bool, Verdict) {
    let World { lab, tls, mut delivery } = world(mode);
    lab.https().set(HOST, host);
    let attempt = attempt(&mut delivery);
    let handshake = tls.handshake(&attempt).expect("TLS").expect("a host name");
    let mut socket = TcpStream::connect(lab.https_addr()).expect("the lab listens");
    socket.set_read_timeout(Some(Duration::from_secs(20))).expect("a socket");
    let mut connection =
        ClientConnection::new(handshake.config(), handshake.server_name()).expect("TLS");
    let completed = loop {
        match connection.complete_io(&mut socket) {
            Ok(_) if connection.is_handshaking() => {}
            Ok(_) => break true,
            Err(_) => break false,
        }
    };
    (completed, handshake.verdict(completed, attempt, &mut delivery))
}

fn host(certificate: Certificate) -> Https {
    Https::policy("").certificate(certificate)
}

#[test]
fn ok_a_certificate_for_the_host_lets_the_mail_go() {
    for mode in ["enforce", "testing", "none"] {
        let (completed, verdict) = shake(mode, host(Certificate::Good));
        assert!(completed);
        assert_eq!(verdict, Verdict::Deliver(None), "{mode}");
    }
}

#[test]
fn err_each_fault_of_a_certificate_by_mode() {
    use CertificateFault as Fault;
    for (certificate, fault) in [
        (Certificate::Expired, Fault::Expired),
        (Certificate::NotYetValid, Fault::NotYetValid),
        (Certificate::WrongName, Fault::WrongName),
        (Certificate::CommonNameOnly, Fault::WrongName),
        (Certificate::SelfSigned, Fault::UntrustedIssuer),
        (Certificate::UnknownAuthority, Fault::UntrustedIssuer),
    ] {
        let kind = Some(FailureKind::Certificate(fault));
        let (completed, verdict) = shake("enforce", host(certificate.clone()));
        assert!(!completed && verdict.is_refused(), "{certificate:?}");
        assert_eq!(verdict.failure().map(Failure::kind), kind, "{certificate:?}");
        // What is only reported goes over the same connection.
        let (completed, verdict) = shake("testing", host(certificate.clone()));
        assert!(completed && !verdict.is_refused(), "{certificate:?}");
        assert_eq!(verdict.failure().map(Failure::kind), kind, "{certificate:?}");
        let (completed, verdict) = shake("none", host(certificate.clone()));
        assert!(completed);
        assert_eq!(verdict, Verdict::Deliver(None), "{certificate:?}");
    }
}

#[test]
fn err_a_handshake_that_breaks_is_a_failure_of_tls() {
    let (completed, verdict) = shake("enforce", Https::fails(Moment::AfterHello, Fate::Close));
    assert!(!completed && verdict.is_refused());
    assert_eq!(verdict.failure().map(Failure::kind), Some(FailureKind::Tls));
}

#[test]
fn err_a_certificate_that_nobody_saw_vouches_for_nothing() {
    let World { lab: _lab, tls, mut delivery } = world("enforce");
    let attempt = attempt(&mut delivery);
    let handshake = tls.handshake(&attempt).expect("TLS").expect("a host name");
    // The caller says that it came about, and there was none.
    let verdict = handshake.verdict(true, attempt, &mut delivery);
    assert!(verdict.is_refused());
    assert_eq!(verdict.failure().map(Failure::kind), Some(FailureKind::NotVerified));
}
