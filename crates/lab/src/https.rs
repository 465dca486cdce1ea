//! The hosts that the HTTPS server serves, and the logs of its connections and requests.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::server::ClientHello;

use crate::dns::key;
use crate::gate::Gate;
use crate::log::Log;
use crate::response::{Ending, Framing, Response};
use crate::tls::{Certificate, TlsVersions};

/// Where a policy lives (RFC 8461 §3.3).
pub const POLICY_PATH: &str = "/.well-known/mta-sts.txt";

/// One behaviour of a host of the HTTPS server.
///
/// A host answers a GET of [`POLICY_PATH`] with its response, other paths with 404, other methods
/// with 405, and a `Host` field that is not its own name (a port is ignored) with 421. What fails
/// by [`raw`](Self::raw) or [`fails`](Self::fails) does so whatever the request.
///
/// ```
/// use mta_sts_lab::{Certificate, Fate, Https, Moment, Response};
/// let good = Https::policy("version: STSv1\nmode: none\nmax_age: 60\n");
/// let expired = good.clone().certificate(Certificate::Expired);
/// let gone = Https::respond(Response::new(410));
/// let reset = Https::fails(Moment::AfterHello, Fate::Reset);
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Https {
    pub(crate) certificate: Certificate,
    pub(crate) versions: TlsVersions,
    pub(crate) act: Act,
    pub(crate) any_path: bool,
    pub(crate) gate: Option<Gate>,
}

#[derive(Clone, Debug)]
pub(crate) enum Act {
    Respond(Response),
    Raw(Vec<u8>, Ending),
    Fail(Moment, Fate),
}

/// When a connection fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The `ClientHello` was read, nothing was sent.
    AfterHello,
    /// The TLS handshake is done, nothing of HTTP was read or sent.
    AfterHandshake,
    /// The request was read.
    AfterRequest,
}

/// How a connection fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The end of the stream, without `close_notify`.
    Close,
    /// A TCP reset.
    Reset,
    /// Nothing comes, until the client goes.
    Stall,
}

impl Https {
    /// A valid policy: status 200, `text/plain`, a good certificate.
    pub fn policy(text: impl Into<Vec<u8>>) -> Self {
        Self::respond(Response::policy(text))
    }

    /// This response.
    pub fn respond(response: Response) -> Self {
        Self::new(Act::Respond(response))
    }

    /// These octets in place of an HTTP response, then the given ending.
    pub fn raw(octets: impl Into<Vec<u8>>, ending: Ending) -> Self {
        Self::new(Act::Raw(octets.into(), ending))
    }

    /// The body alone, with no status line and no header, as HTTP/0.9 had it.
    pub fn http09(body: impl Into<Vec<u8>>) -> Self {
        Self::raw(body, Ending::Close)
    }

    /// Octets that are no HTTP of any version.
    pub fn garbage() -> Self {
        Self::raw(b"\x00\xff\x80 this is not HTTP\r\n\r\n\x01\x02".to_vec(), Ending::Close)
    }

    /// The connection fails.
    pub fn fails(moment: Moment, fate: Fate) -> Self {
        Self::new(Act::Fail(moment, fate))
    }

    /// A policy whose `Content-Length` is right and which is cut off in the middle.
    pub fn cut(text: &str, ending: Ending) -> Self {
        let half = text.as_bytes().get(..text.len() / 2).unwrap_or_default();
        let length = u64::try_from(text.len()).unwrap_or(u64::MAX);
        let framing = Framing::DeclaredLength(length);
        Self::respond(Response::policy(half).framing(framing).ending(ending))
    }

    fn new(act: Act) -> Self {
        Self {
            certificate: Certificate::Good,
            versions: TlsVersions::Both,
            act,
            any_path: false,
            gate: None,
        }
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

    /// Responds alike whatever the path.
    pub fn any_path(mut self) -> Self {
        self.any_path = true;
        self
    }

    /// Waits for the gate before it responds. The request is logged before.
    pub fn held_by(mut self, gate: &Gate) -> Self {
        self.gate = Some(gate.clone());
        self
    }
}

/// The hosts of the HTTPS server, told apart by SNI: one [`Https`] for each.
///
/// Everything may change at any time and applies from the next request on, the certificate from
/// the next connection on. A name that is no host here, and a client that sends no SNI, get a
/// fatal `unrecognized_name` alert.
///
/// Clones share the hosts.
#[derive(Clone, Debug)]
pub struct Hosts {
    table: Arc<Mutex<Table>>,
    hellos: Log<Hello>,
    requests: Log<HttpRequest>,
}

#[derive(Debug)]
struct Table {
    hosts: HashMap<String, Https>,
    on_accept: Option<Fate>,
    connections: usize,
}

/// A `ClientHello` that reached the HTTPS server or an MX host, whatever became of the handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Hello {
    /// The server name that the client sent, lower case.
    pub sni: Option<String>,
    /// The application protocols that the client offered.
    pub alpn: Vec<String>,
}

/// A request that reached the HTTPS server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HttpRequest {
    /// The server name of the TLS handshake, lower case.
    pub sni: String,
    /// `GET`, as sent.
    pub method: String,
    /// The request target, as sent.
    pub path: String,
    /// `HTTP/1.1`, as sent.
    pub version: String,
    /// All header fields in order, names and values as sent (what is not UTF-8 is replaced).
    pub headers: Vec<(String, String)>,
    /// The TLS version in use, such as `TLSv1_3`.
    pub tls: String,
    /// How many requests this connection carried before.
    pub earlier: usize,
}

impl Hello {
    pub(crate) fn of(client: &ClientHello<'_>) -> Self {
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        Self {
            sni: client.server_name().map(str::to_ascii_lowercase),
            alpn: client.alpn().map(|all| all.map(text).collect()).unwrap_or_default(),
        }
    }
}

impl HttpRequest {
    /// The first header field of this name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The `Host` field, with the port if it was sent.
    pub fn host(&self) -> Option<&str> {
        self.header("host")
    }

    /// The `User-Agent` field.
    pub fn user_agent(&self) -> Option<&str> {
        self.header("user-agent")
    }
}

impl Hosts {
    pub(crate) fn new() -> Self {
        let table = Table { hosts: HashMap::new(), on_accept: None, connections: 0 };
        Self { table: Arc::new(Mutex::new(table)), hellos: Log::new(), requests: Log::new() }
    }

    /// Sets what a host does.
    pub fn set(&self, host: &str, https: Https) {
        self.lock().hosts.insert(key(host), https);
    }

    /// Sets a valid policy for a host: `mta-sts.example.com`, not `example.com`.
    pub fn policy(&self, host: &str, text: impl Into<Vec<u8>>) {
        self.set(host, Https::policy(text));
    }

    /// Removes a host.
    pub fn remove(&self, host: &str) {
        self.lock().hosts.remove(&key(host));
    }

    /// Fails every connection as soon as it is accepted, before the client has said which host it
    /// wants; `None` ends that.
    pub fn fail_on_accept(&self, fate: Option<Fate>) {
        self.lock().on_accept = fate;
    }

    /// How many TCP connections were accepted so far.
    pub fn connections(&self) -> usize {
        self.lock().connections
    }

    /// The `ClientHello`s so far.
    pub fn hellos(&self) -> &Log<Hello> {
        &self.hellos
    }

    /// The requests so far.
    pub fn requests(&self) -> &Log<HttpRequest> {
        &self.requests
    }

    pub(crate) fn accepted(&self) -> Option<Fate> {
        let mut table = self.lock();
        table.connections = table.connections.saturating_add(1);
        table.on_accept
    }

    pub(crate) fn host(&self, name: &str) -> Option<Https> {
        self.lock().hosts.get(name).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
