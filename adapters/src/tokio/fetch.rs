//! HTTPS by hyper and rustls: one GET, one connection.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{
    ACCEPT, CONNECTION, CONTENT_ENCODING, CONTENT_TYPE, HOST, HeaderName, HeaderValue,
    TRANSFER_ENCODING, USER_AGENT,
};
use hyper_util::rt::TokioIo;
use mta_sts::{FetchFailure, PolicyHostVerified, TlsFailure};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::dial::{Dial, MAX_HEAD, check_coding, joined, share, telling};
use crate::in_use::InUse;
use crate::tls::{HandshakeFailure, connection_failure};
use crate::{Body, BoxFuture, Dns, Https, Request, Response};

/// HTTPS by hyper and rustls. No redirect is followed, as there is nothing that could.
pub struct HyperHttps {
    pub(super) dns: Arc<dyn Dns>,
    pub(super) tls: Arc<ClientConfig>,
    pub(super) dial: Dial,
    pub(super) user_agent: HeaderValue,
    pub(super) connections: InUse<IpAddr, Semaphore>,
}

/// The right to a connection to one address.
type Turn = Option<OwnedSemaphorePermit>;

/// The most fields in the head of a response.
const MAX_FIELDS: usize = 128;

impl HyperHttps {
    async fn get(&self, request: Request<'_>) -> Result<Response, FetchFailure> {
        let until = Instant::now() + request.timeout;
        let (stream, verified, turn) = self.connect(request.host, until).await?;
        let (mut sender, connection) = http1::Builder::new()
            .max_buf_size(MAX_HEAD)
            .max_headers(MAX_FIELDS)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| head_failure(&error))?;
        // Ends with the response, as that owns it.
        let connection = Connection(tokio::spawn(async move {
            // Its error reaches whoever waits for the response or its body.
            let _ = connection.await;
            drop(turn);
        }));
        let asked = self.request(&request)?;
        let response = sender.send_request(asked).await.map_err(|error| head_failure(&error))?;
        let (head, body) = response.into_parts();
        let field =
            |name: HeaderName| joined(head.headers.get_all(name).iter().map(HeaderValue::as_bytes));
        check_coding(field(TRANSFER_ENCODING).as_deref(), head.version == hyper::Version::HTTP_11)?;
        Ok(Response {
            verified,
            status: head.status.as_u16(),
            content_type: field(CONTENT_TYPE),
            content_encoding: field(CONTENT_ENCODING),
            body: Box::new(HyperBody { body, _connection: connection }),
        })
    }

    fn request(&self, request: &Request<'_>) -> Result<hyper::Request<Empty<Bytes>>, FetchFailure> {
        let host = match self.dial.port {
            443 => request.host.to_owned(),
            port => format!("{}:{port}", request.host),
        };
        hyper::Request::get(request.path)
            .header(HOST, host)
            .header(USER_AGENT, self.user_agent.clone())
            .header(ACCEPT, "text/plain")
            .header(CONNECTION, "close")
            .body(Empty::new())
            // A host that came out of the machine is a valid header value.
            .map_err(|_| FetchFailure::Http)
    }

    /// A verified connection to the first address where one comes about. Each address has its
    /// share of the time that is left.
    async fn connect(
        &self,
        host: &str,
        until: Instant,
    ) -> Result<(TlsStream<TcpStream>, PolicyHostVerified, Turn), FetchFailure> {
        let addresses = self.dns.addresses(host).await.map_err(FetchFailure::Dns)?;
        let targets = self.dial.targets(&addresses)?;
        let mut failure = FetchFailure::NoAddress;
        for (tried, target) in targets.iter().enumerate() {
            let left = targets.len().saturating_sub(tried);
            let now = Instant::now();
            let share = now + share(until.saturating_duration_since(now), left);
            match self.handshake(host, *target, share).await {
                Ok(connected) => return Ok(connected),
                Err(failed) if telling(&failed) > telling(&failure) => failure = failed,
                Err(_) => {}
            }
        }
        Err(failure)
    }

    /// Makes a verified connection to one address, and gives up at `until`.
    async fn handshake(
        &self,
        host: &str,
        address: SocketAddr,
        until: Instant,
    ) -> Result<(TlsStream<TcpStream>, PolicyHostVerified, Turn), FetchFailure> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| FetchFailure::Tls(TlsFailure::Other))?;
        let connecting = async {
            let turns =
                self.connections.of(&address.ip(), || Semaphore::new(self.dial.per_address));
            // The semaphore is never closed.
            let turn = turns.acquire_owned().await.ok();
            Ok((TcpStream::connect(address).await?, turn))
        };
        let connected = timeout_at(until, connecting).await.map_err(|_| FetchFailure::Timeout)?;
        let (stream, turn) = connected.map_err(|error: io::Error| connection_failure(&error))?;
        // A request behind a handshake is not to wait for its acknowledgement.
        stream.set_nodelay(true).map_err(|error| connection_failure(&error))?;
        // RFC 8461 §3.3: the certificate is verified for the Policy Host, which is sent as SNI.
        let connector = TlsConnector::from(Arc::clone(&self.tls));
        let connected = timeout_at(until, connector.connect(name, stream))
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        let stream = connected.map_err(|error| HandshakeFailure::from_io(&error))?;
        Ok((stream, PolicyHostVerified::assertion(host), turn))
    }
}

impl Https for HyperHttps {
    fn fetch<'a>(&'a self, request: Request<'a>) -> BoxFuture<'a, Result<Response, FetchFailure>> {
        Box::pin(self.get(request))
    }
}

impl fmt::Debug for HyperHttps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HyperHttps")
            .field("dns", &self.dns)
            .field("dial", &self.dial)
            .finish_non_exhaustive()
    }
}

/// The task that drives a connection; it ends with its owner.
#[derive(Debug)]
struct Connection(JoinHandle<()>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[derive(Debug)]
struct HyperBody {
    body: Incoming,
    _connection: Connection,
}

impl Body for HyperBody {
    fn chunk(&mut self) -> BoxFuture<'_, Result<Option<Vec<u8>>, FetchFailure>> {
        Box::pin(async {
            while let Some(frame) = self.body.frame().await {
                let frame = frame.map_err(|error| body_failure(&error))?;
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data.into()));
                }
            }
            Ok(None)
        })
    }
}

/// What it means that no head came.
fn head_failure(error: &hyper::Error) -> FetchFailure {
    if error.is_parse() {
        FetchFailure::Http
    } else if error.is_timeout() {
        FetchFailure::Timeout
    } else {
        FetchFailure::Connection
    }
}

/// What it means that the body did not come whole.
fn body_failure(error: &hyper::Error) -> FetchFailure {
    let source = std::error::Error::source(error);
    let kind = source.and_then(|source| source.downcast_ref::<io::Error>()).map(io::Error::kind);
    match kind {
        // The framing of the chunks is broken.
        Some(io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData) => FetchFailure::Http,
        _ => FetchFailure::Truncated,
    }
}
