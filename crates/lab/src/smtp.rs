//! MX hosts: their behaviours, and the logs of what reached them.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::https::{Fate, Hello};
use crate::log::Log;
use crate::tls::{Certificate, TlsVersions};

/// The most bytes of a mail that a [`MxHost`] accepts: more of them are refused with 552.
pub const MAIL_LIMIT: usize = 65_536;

/// The behaviour of an MX host.
///
/// ```
/// use mta_sts_lab::{Certificate, Fate, Smtp, StartTls};
/// let good = Smtp::new();
/// let stripped = Smtp::new().starttls(StartTls::Missing);
/// let reset = Smtp::new().starttls(StartTls::Broken(Fate::Reset));
/// let expired = Smtp::new().certificate(Certificate::Expired);
/// let full = Smtp::new().recipient_reply("452 4.2.2 mailbox full");
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Smtp {
    pub(crate) starttls: StartTls,
    pub(crate) certificate: Certificate,
    pub(crate) versions: TlsVersions,
    pub(crate) recipient: String,
}

/// The answer of an MX host to STARTTLS (RFC 3207).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum StartTls {
    /// Offered, and the handshake begins.
    #[default]
    Works,
    /// Not offered. A client that asks for it all the same gets 502, as from a host that does not
    /// know the command. An attacker who strips STARTTLS has the same effect.
    Missing,
    /// Offered, and refused with 454.
    Refused,
    /// Offered, and the connection fails after the `ClientHello` was read.
    Broken(Fate),
    /// Offered, and the `ClientHello` is answered with bytes that are no TLS.
    NotTls,
}

impl Smtp {
    /// STARTTLS works with a good certificate, and every recipient is accepted.
    pub fn new() -> Self {
        Self {
            starttls: StartTls::Works,
            certificate: Certificate::Good,
            versions: TlsVersions::Both,
            recipient: "250 2.1.5 accepted".to_owned(),
        }
    }

    /// Answers STARTTLS otherwise.
    pub fn starttls(mut self, starttls: StartTls) -> Self {
        self.starttls = starttls;
        self
    }

    /// Presents another certificate.
    pub fn certificate(mut self, certificate: Certificate) -> Self {
        self.certificate = certificate;
        self
    }

    /// Speaks other TLS versions.
    pub fn versions(mut self, versions: TlsVersions) -> Self {
        self.versions = versions;
        self
    }

    /// The reply to every RCPT, without the line break: `550 5.1.1 no such mailbox`. A reply that
    /// begins with `2` accepts the recipient.
    pub fn recipient_reply(mut self, line: &str) -> Self {
        line.clone_into(&mut self.recipient);
        self
    }
}

impl Default for Smtp {
    fn default() -> Self {
        Self::new()
    }
}

/// A running MX host, from [`Lab::mx_host`](crate::Lab::mx_host). It runs until the lab
/// is dropped.
///
/// Clones are the same host.
#[derive(Clone, Debug)]
pub struct MxHost {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    name: String,
    address: SocketAddr,
    smtp: Mutex<Smtp>,
    commands: Log<SmtpCommand>,
    hellos: Log<Hello>,
    mails: Log<Mail>,
}

/// A command that reached an MX host.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SmtpCommand {
    /// The line, without its end. What is not UTF-8 is replaced.
    pub line: String,
    /// The TLS version in use, such as `TLSv1_3`; `None` for a command in clear text.
    pub tls: Option<String>,
}

/// A mail that an MX host accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mail {
    /// The argument of MAIL, such as `<a@example.net>`.
    pub from: String,
    /// The argument of each RCPT that was accepted.
    pub recipients: Vec<String>,
    /// The bytes, with dot-stuffing undone.
    pub text: Vec<u8>,
    /// The TLS version in use; `None` if the mail came in clear text.
    pub tls: Option<String>,
}

impl MxHost {
    pub(crate) fn new(name: &str, address: SocketAddr, smtp: Smtp) -> Self {
        let shared = Shared {
            name: name.to_owned(),
            address,
            smtp: Mutex::new(smtp),
            commands: Log::new(),
            hellos: Log::new(),
            mails: Log::new(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// The name: lower case, no trailing dot.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// The address to dial instead of port 25 at the address that DNS has for the name.
    pub fn address(&self) -> SocketAddr {
        self.shared.address
    }

    /// Changes the behaviour, from the next command on.
    pub fn set(&self, smtp: Smtp) {
        *self.shared.smtp.lock().unwrap_or_else(PoisonError::into_inner) = smtp;
    }

    /// The commands so far.
    pub fn commands(&self) -> &Log<SmtpCommand> {
        &self.shared.commands
    }

    /// The `ClientHello`s so far.
    pub fn hellos(&self) -> &Log<Hello> {
        &self.shared.hellos
    }

    /// The mails accepted so far.
    pub fn mails(&self) -> &Log<Mail> {
        &self.shared.mails
    }

    pub(crate) fn smtp(&self) -> Smtp {
        self.shared.smtp.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
