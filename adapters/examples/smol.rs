//! The core driven by hand, on a runtime that the adapters know nothing of: smol, with DNS by
//! messages over its sockets and HTTPS by hyper and rustls.
//!
//! It is a whole driver; the numbers in its comments are those of "What the driver owes
//! the machine" in the documentation of `mta_sts`. DNS and the web are on loopback.

#[path = "support/dns.rs"]
mod dns;

use std::collections::HashMap;
use std::error::Error;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_rustls::rustls::pki_types::{CertificateDer, ServerName};
use futures_rustls::rustls::{self, ClientConfig, RootCertStore, crypto::ring, version};
use futures_rustls::{TlsConnector, client::TlsStream};
use hickory_proto::rr::{RData, RecordType};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::header::{ACCEPT, CONNECTION, CONTENT_ENCODING, CONTENT_TYPE, HOST, HeaderName};
use mta_sts::lookup::{AfterHead, AfterTxt, FetchPolicy, Head, QueryTxt, ReadBody, Start, Store};
use mta_sts::{
    AddressClass, DnsFailure, DnsFailureKind, Entry, FetchFailure, Held, HeldPolicy, Limits,
    Lookup, Mode, Outcome, PolicyDomain, PolicyHostVerified, Problem, Recheck, Status, TlsFailure,
    UnixTime, policy_host_address,
};
use mta_sts_adapters::HandshakeFailure;
use mta_sts_lab::{DnsAnswer, Lab, RecordType as Kind};
use smol::future::{FutureExt, zip};
use smol::net::TcpStream;
use smol_hyper::rt::FuturesIo;

use dns::{Answer, Resolver};

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    smol::block_on(run())
}

async fn run() -> Result<(), Box<dyn Error>> {
    let lab = Lab::start()?;
    let published = lab.domain("example.com").mode("enforce").mx(["mx.example.com"]);
    published.publish();
    // The record is behind an alias, and too large for UDP.
    let record = DnsAnswer::txt(["v=STSv1; id=1;"], 300).behind_cnames(1).truncated();
    lab.dns().set(&published.record_name(), Kind::Txt, record);
    let mut driver = Driver::new(&lab)?;
    let domain = PolicyDomain::parse("example.com")?;
    let asked = || (lab.dns().queries().count(), lab.https().requests().count());

    let first = driver.look_up(&domain, Recheck::WhenDue).await;
    println!("first contact: {}", first.status());
    assert_eq!(first.status(), Status::Found);
    assert!(lab.dns().queries().all().iter().any(|query| query.over_tcp));
    assert_eq!(first.policy().map(HeldPolicy::mode), Some(Mode::Enforce));

    let before = asked();
    let second = driver.look_up(&domain, Recheck::WhenDue).await;
    println!("at once again: {}, by no question at all", second.status());
    assert_eq!(second.status(), Status::Confirmed);
    assert_eq!(asked(), before);

    // A new id, and a policy host that refuses connections.
    published.id("2").addresses([lab.refusing_addr().ip()]).publish();
    driver.port = lab.refusing_addr().port();
    let third = driver.look_up(&domain, Recheck::Always).await;
    println!("policy host down: {}, for {:?}", third.status(), third.problem());
    assert_eq!(third.status(), Status::Held);
    assert_eq!(third.problem(), Some(&Problem::Fetch(FetchFailure::ConnectionRefused)));
    assert_eq!(third.policy().map(HeldPolicy::mode), Some(Mode::Enforce));

    // As it must be outside of a test: loopback is no address for a policy host.
    driver.any_address = false;
    lab.domain("example.net").mode("enforce").publish();
    let fourth = driver.look_up(&PolicyDomain::parse("example.net")?, Recheck::WhenDue).await;
    println!("policy host on loopback: {}, for {:?}", fourth.status(), fourth.problem());
    let refused = FetchFailure::Address(AddressClass::Loopback);
    assert_eq!(fourth.problem(), Some(&Problem::Fetch(refused)));

    // "There is none" and "nobody says" are two things.
    let unproven = Problem::NoAnswer(Some(DnsFailureKind::Unproven.into()));
    for (name, answer, expected) in [
        ("a.example", DnsAnswer::nxdomain(60), (Status::Absent, None)),
        ("b.example", DnsAnswer::no_data(60), (Status::Absent, None)),
        ("c.example", DnsAnswer::lame(), (Status::Unknown, Some(unproven))),
    ] {
        lab.dns().set(&format!("_mta-sts.{name}"), Kind::Txt, answer);
        let outcome = driver.look_up(&PolicyDomain::parse(name)?, Recheck::WhenDue).await;
        println!("{name}: {}", outcome.status());
        assert_eq!((outcome.status(), outcome.problem().cloned()), expected);
    }
    Ok(())
}

struct Driver {
    dns: Resolver,
    tls: TlsConnector,
    port: u16,
    any_address: bool,
    store: Mutex<HashMap<PolicyDomain, Entry>>,
}

type Response = (PolicyHostVerified, hyper::Response<Incoming>, smol::Task<()>);

impl Driver {
    fn new(lab: &Lab) -> Result<Self, rustls::Error> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(lab.ca_der()))?;
        // (2) TLS 1.2 or later; rustls verifies chain, time and SAN, and sends SNI.
        let mut tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&version::TLS13, &version::TLS12])?
            .with_root_certificates(roots)
            .with_no_client_auth();
        // A resumed session would show no certificate.
        tls.resumption = rustls::client::Resumption::disabled();
        Ok(Self {
            dns: Resolver(lab.dns_addr()),
            tls: TlsConnector::from(Arc::new(tls)),
            port: lab.https_port(),
            any_address: true,
            store: Mutex::default(),
        })
    }

    /// The course of a lookup. A driver with several lookups at a time runs one of a domain at a
    /// time (11).
    async fn look_up(&self, domain: &PolicyDomain, recheck: Recheck) -> Outcome {
        let held = self.stored(|store| store.get(domain).cloned());
        let limits = Limits::default()
            .with_query_timeout(Duration::from_secs(5))
            .with_fetch_timeout(Duration::from_secs(10));
        let held = held.map_or(Held::Nothing, Held::Entry);
        let lookup = Lookup::new(domain.clone(), held).recheck(recheck).limits(limits);
        let query = match lookup.start(now()) {
            Start::QueryTxt(query) => query,
            Start::Done(outcome) => return outcome,
        };
        let storing = match self.query(query).await {
            AfterTxt::FetchPolicy(fetch) => self.fetch(fetch).await,
            AfterTxt::Store(storing) => storing,
        };
        // (7) Merged, under the lock, before the reply.
        let entry = storing.entry().clone();
        let merged = self.stored(|entries| {
            let stored = entries.entry(domain.clone()).or_insert_with(|| entry.clone());
            stored.merge(entry).map(|()| stored.clone())
        });
        match merged {
            Ok(merged) => storing.stored(merged),
            Err(_) => storing.failed(),
        }
    }

    fn stored<T>(&self, f: impl FnOnce(&mut HashMap<PolicyDomain, Entry>) -> T) -> T {
        f(&mut self.store.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn query(&self, query: QueryTxt) -> AfterTxt {
        let late = DnsFailure::new(DnsFailureKind::Timeout);
        let question = self.dns.ask(query.name(), RecordType::TXT);
        // (1) Raw character-strings; absence is an answer, and silence is none.
        match within(Instant::now() + query.timeout(), late, question).await {
            Ok(Answer::Records { data, ttl }) => {
                let strings = |data: &RData| match data {
                    RData::TXT(txt) => txt.txt_data.iter().map(|s| s.to_vec()).collect(),
                    _ => Vec::new(),
                };
                let records: Vec<Vec<Vec<u8>>> = data.iter().map(strings).collect();
                query.answered(&records, ttl, now())
            }
            Ok(Answer::Absent { ttl }) => query.absent(ttl, now()),
            Err(failure) => query.failed(failure, now()),
        }
    }

    async fn fetch(&self, fetch: FetchPolicy) -> Store {
        // (6) One deadline over all of it, the body included.
        let until = Instant::now() + fetch.timeout();
        let get = self.get(fetch.host(), fetch.path());
        let (verified, response, connection) = match within(until, FetchFailure::Timeout, get).await
        {
            Ok(response) => response,
            Err(failure) => return fetch.failed(failure, now()),
        };
        let field = |name: HeaderName| {
            let values = response.headers().get_all(name);
            let values: Vec<_> = values.iter().map(hyper::header::HeaderValue::as_bytes).collect();
            (!values.is_empty()).then(|| values.join(&b", "[..]))
        };
        let (content_type, content_encoding) = (field(CONTENT_TYPE), field(CONTENT_ENCODING));
        let head = Head {
            status: response.status().as_u16(),
            content_type: content_type.as_deref(),
            content_encoding: content_encoding.as_deref(),
        };
        // (4) The head comes before the body, which is read only if the machine wants it.
        let storing = match fetch.responded(verified, head, now()) {
            AfterHead::ReadBody(body) => read_body(body, response.into_body(), until).await,
            AfterHead::Store(storing) => storing,
        };
        connection.cancel().await;
        storing
    }

    /// (3) One GET on one connection: there is nothing here that could follow a redirect, keep a
    /// cookie or a cache, or go through a proxy.
    async fn get(&self, host: &str, path: &str) -> Result<Response, FetchFailure> {
        let stream = self.connect(host).await?;
        // (2) The assertion is made where the handshake with this name has succeeded.
        let verified = PolicyHostVerified::assertion(host);
        let request = hyper::Request::get(path)
            .header(HOST, host)
            .header(ACCEPT, "text/plain")
            .header(CONNECTION, "close")
            .body(Empty::<Bytes>::new())
            .map_err(|_| FetchFailure::Http)?;
        let failed = |error: hyper::Error| {
            if error.is_parse() { FetchFailure::Http } else { FetchFailure::Connection }
        };
        let mut http = hyper::client::conn::http1::Builder::new();
        let (mut sender, connection) =
            http.max_buf_size(32 * 1024).handshake(FuturesIo::new(stream)).await.map_err(failed)?;
        // The task ends when it is dropped; its errors reach whoever reads the response.
        let connection = smol::spawn(async { drop(connection.await) });
        Ok((verified, sender.send_request(request).await.map_err(failed)?, connection))
    }

    /// The first address that takes a connection. (With several addresses a patient driver gives
    /// each its share of the time.)
    async fn connect(&self, host: &str) -> Result<TlsStream<TcpStream>, FetchFailure> {
        let both =
            zip(self.dns.ask(host, RecordType::A), self.dns.ask(host, RecordType::AAAA)).await;
        let addresses = match both {
            (Ok(v4), Ok(v6)) => [v4, v6],
            // What is known is enough, but no address of one kind is not none at all.
            (Ok(one @ Answer::Records { .. }), Err(_))
            | (Err(_), Ok(one @ Answer::Records { .. })) => [one, Answer::Absent { ttl: 0 }],
            (Err(failure), _) | (_, Err(failure)) => return Err(FetchFailure::Dns(failure)),
        };
        let addresses = addresses.into_iter().flat_map(Answer::into_addresses);
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| FetchFailure::Tls(TlsFailure::Other))?;
        let mut failure = FetchFailure::NoAddress;
        for address in addresses.take(4) {
            // (9) A stranger chose the address.
            if let (Err(class), false) = (policy_host_address(address), self.any_address) {
                failure = FetchFailure::Address(class);
                continue;
            }
            match TcpStream::connect((address, self.port)).await {
                Ok(stream) => {
                    let handshake = self.tls.connect(name.clone(), stream).await;
                    return handshake.map_err(|error| HandshakeFailure::from_io(&error).into());
                }
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    failure = FetchFailure::ConnectionRefused;
                }
                Err(_) => failure = FetchFailure::Connection,
            }
        }
        Err(failure)
    }
}

/// (5) Only hyper's own end of the body is its end: a `Content-Length` that was not reached, and a
/// connection without `close_notify` where there is none, are errors.
async fn read_body(mut state: ReadBody, mut body: Incoming, until: Instant) -> Store {
    loop {
        let frame = async { body.frame().await.transpose().map_err(|_| FetchFailure::Truncated) };
        match within(until, FetchFailure::Timeout, frame).await {
            Ok(Some(frame)) => match frame.into_data() {
                Ok(data) if state.chunk(&data).is_break() => return state.ended(now()),
                _ => {}
            },
            Ok(None) => return state.ended(now()),
            Err(failure) => return state.failed(failure, now()),
        }
    }
}

/// (6) The work, or `late` at the deadline.
async fn within<T, E>(
    until: Instant,
    late: E,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let deadline = async {
        smol::Timer::at(until).await;
        Err(late)
    };
    work.or(deadline).await
}

/// (8) Wall time; a clock before 1970 is no clock.
fn now() -> UnixTime {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    UnixTime::from_secs(since.map_or(0, |since| since.as_secs()))
}
