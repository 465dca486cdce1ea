//! A world on loopback for testing MTA-STS senders: real DNS packets, real HTTPS, real STARTTLS,
//! and everything that goes wrong with them.
//!
//! ```
//! use mta_sts_lab::{Certificate, DnsAnswer, Https, Lab, RecordType};
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
//! # Ok::<(), mta_sts_lab::LabError>(())
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
//! use mta_sts_lab::{Certificate, DnsAnswer, Lab, Rcode, RecordType};
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
//! # Ok::<(), mta_sts_lab::LabError>(())
//! ```
//!
//! A sender in another language needs no Rust: `mta-sts-lab up` keeps the servers running and prints
//! the settings that point the sender at them, also as JSON.
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
//! - MX hosts, as many as a test needs, each at an address of its own: [`Lab::mx_host`]
//!   starts a [`MxHost`], which does as its [`Smtp`] says.
//! - Addresses with the same port as the HTTPS server where nobody answers:
//!   [`Lab::refusing_addr`], [`Lab::black_hole_addr`].
//! - A [`Log`] of every question, `ClientHello`, request, command and mail.
//! - A [`Gate`] to hold a reply, so that no test needs to sleep.
//!
//! The servers run on a thread and a runtime of their own: the sender under test may be blocking,
//! on any async runtime, or on one whose clock is paused. Everything listens on loopback only, on
//! ports that the system chooses, and is bounded: connections in number and in time
//! ([`LIFETIME`]), endless bodies and mails in size ([`ENDLESS_LIMIT`], [`MAIL_LIMIT`]), logs in
//! length ([`LOG_LIMIT`]).
//!
//! # What it is not
//!
//! It signs nothing with DNSSEC, speaks no HTTP/2 and no real TLS 1.1 (see
//! [`TlsVersions::Old11`]), and its keys protect nothing.

mod accepting;
mod closing;
mod dns;
mod dns_answer;
mod dns_record;
mod dns_server;
mod domain;
mod error;
mod gate;
mod https;
mod https_server;
mod lab;
mod lifetime;
mod log;
mod response;
mod smtp;
mod smtp_server;
mod sockets;
mod tls;

pub use self::dns::{DnsQuery, Zone};
pub use self::dns_answer::{DnsAnswer, OverTcp, Section};
pub use self::dns_record::{DnsRecord, Rcode, RecordData, RecordType};
pub use self::domain::Domain;
pub use self::error::LabError;
pub use self::gate::Gate;
pub use self::https::{Fate, Hello, Hosts, HttpRequest, Https, Moment, POLICY_PATH};
pub use self::lab::Lab;
pub use self::lifetime::LIFETIME;
pub use self::log::{LOG_LIMIT, Log};
pub use self::response::{ENDLESS_LIMIT, Ending, Framing, Pace, Response, padded};
pub use self::smtp::{MAIL_LIMIT, Mail, MxHost, Smtp, SmtpCommand, StartTls};
pub use self::tls::{Certificate, TlsVersions};
