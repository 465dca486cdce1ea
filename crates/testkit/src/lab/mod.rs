//! A world on loopback for testing MTA-STS senders: real DNS packets, real HTTPS, and everything
//! that goes wrong with them.
//!
//! ```
//! use mta_sts_testkit::lab::{Certificate, DnsAnswer, Https, Lab, RecordType};
//!
//! let lab = Lab::start()?;
//! lab.domain("example.com").mode("enforce").mx(["mx.example.com"]).publish();
//!
//! // Point the sender at `lab.dns_addr()`, let it dial `lab.https_port()` instead of 443 and
//! // trust `lab.ca_pem()`. Then break things, at any time, while it runs:
//! lab.dns().set("_mta-sts.example.com", RecordType::Txt, DnsAnswer::lame());
//! let policy = "version: STSv1\nmode: none\nmax_age: 60\n";
//! lab.https().set("mta-sts.example.com", Https::policy(policy).certificate(Certificate::Expired));
//!
//! // And see what it asked.
//! assert!(lab.dns().queries().all().is_empty());
//! assert!(lab.https().requests().all().is_empty());
//! # Ok::<(), mta_sts_testkit::lab::LabError>(())
//! ```
//!
//! # Testing a sender of your own
//!
//! Four settings point it at the lab: its resolver is [`Lab::dns_addr`], the port of `https` is
//! [`Lab::https_port`], [`Lab::ca_pem`] is a trusted root, and addresses on loopback may be dialled.
//! Then, for each fault, let it find a policy, break something, and ask it again: what it held it has
//! to keep. Give each fault a domain of its own, as a sender remembers what it asked, and short
//! deadlines where nothing is to come.
//!
//! ```
//! use mta_sts_testkit::lab::{Certificate, DnsAnswer, Lab, Rcode, RecordType};
//!
//! # use std::collections::HashSet;
//! # use std::net::{SocketAddr, UdpSocket};
//! # use hickory_proto::op::{Message, Query};
//! # use hickory_proto::rr::{Name, RecordType as Wire};
//! # struct Sender(SocketAddr, HashSet<String>);
//! # impl Sender {
//! #     fn new(dns: SocketAddr) -> Self { Self(dns, HashSet::new()) }
//! #     fn must_verify(&mut self, domain: &str) -> bool {
//! #         let mut question = Message::query();
//! #         let name = Name::from_ascii(format!("_mta-sts.{domain}.")).unwrap();
//! #         question.add_query(Query::query(name, Wire::TXT));
//! #         let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
//! #         socket.send_to(&question.to_vec().unwrap(), self.0).unwrap();
//! #         let mut reply = [0; 1232];
//! #         let length = socket.recv(&mut reply).unwrap();
//! #         let reply = Message::from_vec(&reply[..length]).unwrap();
//! #         if !reply.answers.is_empty() { self.1.insert(domain.to_owned()); }
//! #         self.1.contains(domain)
//! #     }
//! # }
//! let faults: [(&str, fn(&Lab, &str)); 3] = [
//!     ("DNS does not answer", |lab, domain| {
//!         let answer = DnsAnswer::rcode(Rcode::SERVFAIL);
//!         lab.dns().set(&format!("_mta-sts.{domain}"), RecordType::Txt, answer);
//!     }),
//!     ("the record is gone", |lab, domain| lab.domain(domain).withdraw()),
//!     ("a new policy cannot be had", |lab, domain| {
//!         lab.domain(domain).id("2").certificate(Certificate::Expired).publish();
//!     }),
//! ];
//! let lab = Lab::start()?;
//! let mut sender = Sender::new(lab.dns_addr()); // yours
//! for (number, (what, fault)) in (1..).zip(faults) {
//!     let domain = format!("fault-{number}.example");
//!     lab.domain(&domain).mode("enforce").publish();
//!     assert!(sender.must_verify(&domain), "before {what}");
//!     fault(&lab, &domain);
//!     assert!(sender.must_verify(&domain), "{what}");
//! }
//! # Ok::<(), mta_sts_testkit::lab::LabError>(())
//! ```
//!
//! What a sender should make of some three hundred faults, and how each is arranged, is in
//! `docs/faults.md` and `adapters/tests/suite/` of the repository.
//!
//! # What it is
//!
//! - One DNS server, as a recursive resolver would answer, UDP and TCP on one port: [`Lab::dns`]
//!   is its [`Zone`], a [`DnsAnswer`] for each name and type.
//! - One HTTPS server: [`Lab::https`] are its [`Hosts`], an [`Https`] for each server name, made of
//!   a [`Response`] (or a failure), a [`Certificate`] and [`TlsVersions`].
//! - Addresses with the same port as the HTTPS server where nobody answers:
//!   [`Lab::refusing_addr`], [`Lab::black_hole_addr`].
//! - A [`Log`] of every question, `ClientHello` and request.
//! - A [`Gate`] to hold a reply, so that no test needs to sleep.
//!
//! The servers run on a thread and a runtime of their own: the sender under test may be blocking,
//! on any async runtime, or on one whose clock is paused. Everything listens on loopback only, on
//! ports that the system chooses, and is bounded: connections in number and in time
//! ([`LIFETIME`]), endless bodies in size ([`ENDLESS_LIMIT`]), logs in length ([`LOG_LIMIT`]).
//!
//! # What it is not
//!
//! It signs nothing with DNSSEC, speaks no HTTP/2 and no real TLS 1.1 (see
//! [`TlsVersions::Old11`]), and its keys protect nothing.

mod dns;
mod dns_answer;
mod dns_record;
mod dns_server;
mod domain;
mod gate;
mod https;
mod https_server;
mod log;
mod response;
mod sockets;
mod tls;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use thiserror::Error;
use tokio::runtime;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

pub use self::dns::{DnsQuery, Zone};
pub use self::dns_answer::{DnsAnswer, OverTcp, Section};
pub use self::dns_record::{DnsRecord, Rcode, RecordData, RecordType};
pub use self::domain::Domain;
pub use self::gate::Gate;
pub use self::https::{Fate, Hello, Hosts, HttpRequest, Https, Moment, POLICY_PATH};
pub use self::log::{LOG_LIMIT, Log};
pub use self::response::{ENDLESS_LIMIT, Ending, Framing, Pace, Response, padded};
pub use self::tls::{Certificate, TlsVersions};

use self::sockets::{Held, Sockets};
use self::tls::Authority;

/// How long a connection may last, whatever its behaviour; then the lab closes it.
pub const LIFETIME: Duration = Duration::from_secs(30);

/// How long a server waits after it could not accept a connection.
const PAUSE: Duration = Duration::from_millis(50);

/// Why the lab did not start.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LabError {
    /// A socket on loopback could not be had.
    #[error("cannot listen on loopback for {what}: {kind}")]
    Listen {
        /// What the socket was for.
        what: &'static str,
        /// Why not.
        kind: io::ErrorKind,
    },
    /// The thread of the servers, or its runtime, could not be had.
    #[error("cannot run the servers: {0}")]
    Run(io::ErrorKind),
    /// A certificate could not be made.
    #[error("cannot make a certificate: {0}")]
    Certificate(String),
}

impl From<rcgen::Error> for LabError {
    fn from(error: rcgen::Error) -> Self {
        Self::Certificate(error.to_string())
    }
}

impl From<rustls::Error> for LabError {
    fn from(error: rustls::Error) -> Self {
        Self::Certificate(error.to_string())
    }
}

/// A running lab. The servers stop, and their sockets are closed, when it is dropped.
#[derive(Debug)]
pub struct Lab {
    zone: Zone,
    hosts: Hosts,
    authority: Arc<Authority>,
    held: Held,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Lab {
    /// Starts the servers. It may be called from blocking and from async code: it takes a few
    /// milliseconds.
    ///
    /// # Errors
    /// Sockets, a thread or certificates that could not be had.
    pub fn start() -> Result<Self, LabError> {
        let authority = Arc::new(Authority::new()?);
        let (zone, hosts) = (Zone::new(), Hosts::new());
        let (sockets, held) = Sockets::open()?;
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| LabError::Run(error.kind()))?;
        let servers = {
            // Registering the sockets needs the runtime that will drive them.
            let _inside = runtime.enter();
            sockets.into_servers(&zone, &hosts, &authority)?
        };
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new()
            .name("mta-sts-lab".to_owned())
            .spawn(move || runtime.block_on(run(servers, stopped)))
            .map_err(|error| LabError::Run(error.kind()))?;
        Ok(Self { zone, hosts, authority, held, stop: Some(stop), thread: Some(thread) })
    }

    /// What the DNS server answers.
    pub fn dns(&self) -> &Zone {
        &self.zone
    }

    /// What the HTTPS server does.
    pub fn https(&self) -> &Hosts {
        &self.hosts
    }

    /// A domain to publish: record, policy host, policy and mail exchanges at once.
    pub fn domain(&self, name: &str) -> Domain {
        Domain::new(self.zone.clone(), self.hosts.clone(), name)
    }

    /// The DNS server, UDP and TCP.
    pub fn dns_addr(&self) -> SocketAddr {
        self.held.dns
    }

    /// The same DNS server and zone over UDP; its TCP port refuses connections.
    pub fn dns_addr_without_tcp(&self) -> SocketAddr {
        self.held.dns_udp_only
    }

    /// The HTTPS server on 127.0.0.1.
    pub fn https_addr(&self) -> SocketAddr {
        self.held.https
    }

    /// The port of the HTTPS server, in place of 443.
    pub fn https_port(&self) -> u16 {
        self.held.https.port()
    }

    /// Whether the HTTPS server listens on `::1` as well, on the same port.
    pub fn has_ipv6(&self) -> bool {
        self.held.has_ipv6
    }

    /// An address that refuses connections.
    ///
    /// It is 127.0.0.2 with the HTTPS port, where all of 127/8 is loopback (as on Linux), so that
    /// an A record can lead there; 127.0.0.1 and another port elsewhere.
    pub fn refusing_addr(&self) -> SocketAddr {
        self.held.refusing
    }

    /// An address where nothing ever comes: the system completes the TCP handshake, and nobody
    /// accepts the connection. (A host that does not even complete it cannot be imitated on
    /// loopback.)
    ///
    /// It is 127.0.0.3 with the HTTPS port, or 127.0.0.1 and another port, as with
    /// [`refusing_addr`](Self::refusing_addr).
    pub fn black_hole_addr(&self) -> SocketAddr {
        self.held.black_hole
    }

    /// The certificate of the lab's root authority, PEM. Its key dies with the lab.
    pub fn ca_pem(&self) -> &str {
        self.authority.root_pem()
    }

    /// The certificate of the lab's root authority, DER.
    pub fn ca_der(&self) -> &[u8] {
        self.authority.root_der()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic in there has been printed already; a second one here would abort.
            let _ = thread.join();
        }
    }
}

/// Runs until the lab is dropped. Whatever the servers have spawned ends with the set.
async fn run(servers: JoinSet<()>, stopped: oneshot::Receiver<()>) {
    let _ = stopped.await;
    drop(servers);
}
