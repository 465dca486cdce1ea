//! HTTPS by ureq and rustls: one GET, one connection. The connection is made here, by this
//! project's rules; ureq speaks HTTP over it.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use mta_sts::{DnsFailure, DnsFailureKind, FetchFailure, PolicyHostVerified, TlsFailure};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use ureq::Agent;
use ureq::config::Config;
use ureq::http::header::{
    ACCEPT, CONNECTION, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue, TRANSFER_ENCODING,
};
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport,
};

use super::Dns;
use super::turns::{Turn, Turns};
use crate::dial::{Dial, MAX_HEAD, check_coding, joined, share, telling};
use crate::in_use::InUse;
use crate::tls::{HandshakeFailure, connection_failure};
use crate::{Request, Response};

/// An HTTPS client for one GET, that blocks. It owes what [`crate::Https`] does, and ends by
/// [`Request::timeout`], the body included.
pub trait Https: fmt::Debug + Send + Sync + 'static {
    /// Asks for the policy, and returns as soon as the head of the response has come.
    ///
    /// # Errors
    /// Why there is no response. The status of a response is no failure here.
    fn fetch(&self, request: Request<'_>) -> Result<Response<Box<dyn Body>>, FetchFailure>;
}

/// The body of a response. Dropping it closes the connection.
pub trait Body: fmt::Debug + Send {
    /// The next part of it; `None` where it has come whole.
    ///
    /// # Errors
    /// As for [`crate::Body::chunk`].
    fn chunk(&mut self) -> Result<Option<Vec<u8>>, FetchFailure>;
}

/// HTTPS by ureq and rustls. No redirect is followed, and no proxy is used.
pub struct UreqHttps {
    pub(super) dns: Arc<dyn Dns>,
    pub(super) tls: Arc<ClientConfig>,
    pub(super) dial: Dial,
    pub(super) user_agent: String,
    pub(super) connections: InUse<IpAddr, Turns>,
}

impl UreqHttps {
    /// A verified connection to the first address where one comes about. Each address has its
    /// share of the time that is left.
    fn connect(
        &self,
        host: &str,
        until: Instant,
    ) -> Result<(TlsStream, PolicyHostVerified), FetchFailure> {
        let addresses = self.dns.addresses(host, left(until)).map_err(|failure| {
            // The host's time is one: it does not matter what it was spent on.
            let late = failure == DnsFailure::new(DnsFailureKind::Timeout);
            if late && left(until).is_zero() {
                FetchFailure::Timeout
            } else {
                FetchFailure::Dns(failure)
            }
        })?;
        let targets = self.dial.targets(&addresses)?;
        let mut failure = FetchFailure::NoAddress;
        for (tried, target) in targets.iter().enumerate() {
            let share = share(left(until), targets.len().saturating_sub(tried));
            match self.handshake(host, *target, Instant::now() + share) {
                Ok((mut stream, verified)) => {
                    stream.sock.until = until;
                    return Ok((stream, verified));
                }
                Err(failed) if telling(&failed) > telling(&failure) => failure = failed,
                Err(_) => {}
            }
        }
        Err(failure)
    }

    fn handshake(
        &self,
        host: &str,
        address: SocketAddr,
        until: Instant,
    ) -> Result<(TlsStream, PolicyHostVerified), FetchFailure> {
        let no_tls = FetchFailure::Tls(TlsFailure::Other);
        let name = ServerName::try_from(host.to_owned()).map_err(|_| no_tls.clone())?;
        let turns = self.connections.of(&address.ip(), || Turns::new(self.dial.per_address));
        let turn = turns.take_until(until).ok_or(FetchFailure::Timeout)?;
        let time = left(until).max(Duration::from_millis(1));
        let socket = TcpStream::connect_timeout(&address, time)
            .map_err(|error| connection_failure(&error))?;
        // A request behind a handshake is not to wait for its acknowledgement.
        socket.set_nodelay(true).map_err(|error| connection_failure(&error))?;
        // RFC 8461 §3.3: the certificate is verified for the Policy Host, which is sent as SNI.
        let connection = ClientConnection::new(Arc::clone(&self.tls), name).map_err(|_| no_tls)?;
        let mut stream = StreamOwned::new(connection, Timed { socket, until, _turn: turn });
        while stream.conn.is_handshaking() {
            stream
                .conn
                .complete_io(&mut stream.sock)
                .map_err(|error| HandshakeFailure::from_io(&error))?;
        }
        Ok((stream, PolicyHostVerified::assertion(host)))
    }
}

impl Https for UreqHttps {
    fn fetch(&self, request: Request<'_>) -> Result<Response<Box<dyn Body>>, FetchFailure> {
        let until = Instant::now() + request.timeout;
        let (stream, verified) = self.connect(request.host, until)?;
        let config = Config::builder()
            .https_only(true)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .user_agent(&*self.user_agent)
            .accept_encoding(ureq::config::AutoHeaderValue::None)
            .max_response_header_size(MAX_HEAD)
            .max_idle_connections(0)
            .build();
        let agent = Agent::with_parts(config, Once(Mutex::new(Some(stream))), Nowhere);
        let url = match self.dial.port {
            443 => format!("https://{}{}", request.host, request.path),
            port => format!("https://{}:{port}{}", request.host, request.path),
        };
        let response = agent
            .get(&url)
            .header(ACCEPT, "text/plain")
            .header(CONNECTION, "close")
            .call()
            .map_err(|error| head_failure(&error))?;
        let (head, body) = response.into_parts();
        let field =
            |name: HeaderName| joined(head.headers.get_all(name).iter().map(HeaderValue::as_bytes));
        check_coding(
            field(TRANSFER_ENCODING).as_deref(),
            head.version == ureq::http::Version::HTTP_11,
        )?;
        Ok(Response {
            verified,
            status: head.status.as_u16(),
            content_type: field(CONTENT_TYPE),
            content_encoding: field(CONTENT_ENCODING),
            body: Box::new(UreqBody(Mutex::new(Box::new(body.into_reader())))),
        })
    }
}

impl fmt::Debug for UreqHttps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UreqHttps")
            .field("dns", &self.dns)
            .field("dial", &self.dial)
            .finish_non_exhaustive()
    }
}

/// The time until then.
pub(super) fn left(until: Instant) -> Duration {
    until.saturating_duration_since(Instant::now())
}

type TlsStream = StreamOwned<ClientConnection, Timed>;

/// A socket with a deadline for all of its use: a time for each read would start anew with every
/// octet that a slow host sends.
struct Timed {
    socket: TcpStream,
    until: Instant,
    /// At the socket's address.
    _turn: Turn,
}

impl Timed {
    fn left(&self) -> io::Result<Duration> {
        match left(self.until) {
            Duration::ZERO => Err(io::ErrorKind::TimedOut.into()),
            left => Ok(left),
        }
    }
}

/// Some systems say that a read would block where its time has passed.
fn timed_out(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock => io::ErrorKind::TimedOut.into(),
        _ => error,
    }
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.set_read_timeout(Some(self.left()?))?;
        self.socket.read(buffer).map_err(timed_out)
    }
}

impl Write for Timed {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.socket.set_write_timeout(Some(self.left()?))?;
        self.socket.write(buffer).map_err(timed_out)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

/// A connection that broke, by a kind that ureq does not take for the good end of a body. Who can
/// cut a connection could cut a policy short otherwise.
fn broken(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::ConnectionReset => io::Error::other(error),
        _ => error,
    }
}

/// Gives the one connection that was made.
struct Once(Mutex<Option<TlsStream>>);

impl Connector for Once {
    type Out = Connected;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        _chained: Option<()>,
    ) -> Result<Option<Connected>, ureq::Error> {
        let stream = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let stream = stream.ok_or(ureq::Error::ConnectionFailed)?;
        let config = details.config;
        let buffers = LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size());
        Ok(Some(Connected { stream, buffers }))
    }
}

struct Connected {
    stream: TlsStream,
    buffers: LazyBuffers,
}

impl Transport for Connected {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), ureq::Error> {
        let output = self.buffers.output().get(..amount).unwrap_or_default();
        Ok(self.stream.write_all(output)?)
    }

    fn await_input(&mut self, _: NextTimeout) -> Result<bool, ureq::Error> {
        let read = self.stream.read(self.buffers.input_append_buf()).map_err(broken)?;
        self.buffers.input_appended(read);
        Ok(read > 0)
    }

    fn is_open(&mut self) -> bool {
        false
    }

    fn is_tls(&self) -> bool {
        true
    }
}

impl fmt::Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Once")
    }
}

impl fmt::Debug for Connected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connected")
    }
}

/// ureq wants an address before it asks for the connection, which is there already.
#[derive(Debug)]
struct Nowhere;

impl Resolver for Nowhere {
    fn resolve(
        &self,
        _: &ureq::http::Uri,
        _: &Config,
        _: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let mut addresses = self.empty();
        addresses.push(SocketAddr::from(([0, 0, 0, 0], 0)));
        Ok(addresses)
    }
}

/// In a mutex, as ureq's reader may not be shared between threads and need not be.
struct UreqBody(Mutex<Box<dyn Read + Send>>);

impl Body for UreqBody {
    fn chunk(&mut self) -> Result<Option<Vec<u8>>, FetchFailure> {
        let reader = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        let mut chunk = vec![0; 8 * 1024];
        loop {
            match reader.read(&mut chunk) {
                Ok(0) => return Ok(None),
                Ok(read) => {
                    chunk.truncate(read);
                    return Ok(Some(chunk));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(body_failure(&error)),
            }
        }
    }
}

impl fmt::Debug for UreqBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UreqBody")
    }
}

/// What it means that no head came.
fn head_failure(error: &ureq::Error) -> FetchFailure {
    match error {
        ureq::Error::Io(error) => match error.kind() {
            io::ErrorKind::TimedOut => FetchFailure::Timeout,
            _ => FetchFailure::Connection,
        },
        ureq::Error::Timeout(_) => FetchFailure::Timeout,
        ureq::Error::ConnectionFailed => FetchFailure::Connection,
        _ => FetchFailure::Http,
    }
}

/// What it means that the body did not come whole.
fn body_failure(error: &io::Error) -> FetchFailure {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<ureq::Error>());
    match (error.kind(), inner) {
        (io::ErrorKind::TimedOut, _) | (_, Some(ureq::Error::Timeout(_))) => FetchFailure::Timeout,
        (_, Some(ureq::Error::Protocol(_))) => FetchFailure::Http,
        _ => FetchFailure::Truncated,
    }
}
