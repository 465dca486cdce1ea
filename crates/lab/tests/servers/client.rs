//! Real clients: hickory-resolver for DNS, hyper over tokio-rustls for HTTPS.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::http::request::Builder;
use hyper::{HeaderMap, Request};
use hyper_util::rt::TokioIo;
use mta_sts_lab::{Lab, POLICY_PATH};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub(crate) const HOST: &str = "mta-sts.example.com";
pub(crate) const POLICY: &str = "version: STSv1\nmode: none\nmax_age: 60\n";

/// A stub resolver with one server and no cache; `patience` is for what never comes.
pub(crate) fn resolver(server: SocketAddr, patience: Duration) -> TokioResolver {
    let (mut udp, mut tcp) = (ConnectionConfig::udp(), ConnectionConfig::tcp());
    udp.port = server.port();
    tcp.port = server.port();
    let server = NameServerConfig::new(server.ip(), true, vec![udp, tcp]);
    let config = ResolverConfig::from_parts(None, vec![], vec![server]);
    let provider = TokioRuntimeProvider::default();
    let mut builder = TokioResolver::builder_with_config(config, provider);
    let options = builder.options_mut();
    options.timeout = patience;
    options.attempts = 0;
    options.cache_size = 0;
    options.edns0 = true;
    options.positive_max_ttl = Some(Duration::from_secs(u32::MAX.into()));
    options.use_hosts_file = ResolveHosts::Never;
    builder.build().unwrap()
}

/// How a fetch ended.
#[derive(Debug)]
pub(crate) enum Fetch {
    /// The TLS handshake failed, for a reason of rustls or of the stream.
    Tls(Result<rustls::Error, io::ErrorKind>),
    /// The head was no HTTP/1.1.
    Unreadable,
    /// The stream failed before the head.
    Head(io::ErrorKind),
    /// A head, and a body or what came in its place.
    Reply { status: u16, headers: HeaderMap, body: Result<Vec<u8>, io::ErrorKind> },
}

impl Fetch {
    pub(crate) fn status(&self) -> u16 {
        match self {
            Self::Reply { status, .. } => *status,
            other => panic!("no reply: {other:?}"),
        }
    }

    pub(crate) fn body(&self) -> Result<&[u8], io::ErrorKind> {
        match self {
            Self::Reply { body, .. } => body.as_deref().map_err(|kind| *kind),
            other => panic!("no reply: {other:?}"),
        }
    }

    pub(crate) fn header(&self, name: &str) -> Vec<&str> {
        match self {
            Self::Reply { headers, .. } => {
                headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect()
            }
            other => panic!("no reply: {other:?}"),
        }
    }
}

/// A TLS client that trusts the lab's root.
pub(crate) fn tls_config(lab: &Lab) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(lab.ca_der().to_vec())).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

/// One GET of the policy of [`HOST`].
pub(crate) async fn get(lab: &Lab) -> Fetch {
    fetch(lab.https_addr(), tls_config(lab), HOST, POLICY_PATH).await
}

/// One GET of a path, with the name of the host as SNI and as `Host`.
pub(crate) async fn fetch(
    address: SocketAddr,
    config: Arc<ClientConfig>,
    host: &str,
    path: &str,
) -> Fetch {
    match connect(address, config, host).await {
        Ok(mut connection) => {
            let request =
                Request::get(path).header("Host", host).header("User-Agent", "lab-test/1");
            send(&mut connection, request).await
        }
        Err(failed) => failed,
    }
}

/// A TLS connection, ready for requests.
pub(crate) async fn connect(
    address: SocketAddr,
    config: Arc<ClientConfig>,
    host: &str,
) -> Result<SendRequest<Empty<&'static [u8]>>, Fetch> {
    let tls = handshake(address, config, host).await?;
    let (sender, connection) = http1::handshake(TokioIo::new(tls)).await.unwrap();
    tokio::spawn(connection);
    Ok(sender)
}

/// A TLS connection, with nothing of HTTP.
pub(crate) async fn handshake(
    address: SocketAddr,
    config: Arc<ClientConfig>,
    host: &str,
) -> Result<TlsStream<TcpStream>, Fetch> {
    let tcp = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from(host.to_owned()).unwrap();
    TlsConnector::from(config).connect(name, tcp).await.map_err(|error| {
        let kind = error.kind();
        let inner = error.into_inner().and_then(|inner| inner.downcast().ok());
        Fetch::Tls(inner.map_or(Err(kind), |error| Ok(*error)))
    })
}

/// One request without a body.
pub(crate) async fn send(
    connection: &mut SendRequest<Empty<&'static [u8]>>,
    request: Builder,
) -> Fetch {
    connection.ready().await.unwrap();
    let response = match connection.send_request(request.body(Empty::new()).unwrap()).await {
        Ok(response) => response,
        Err(error) if error.is_parse() => return Fetch::Unreadable,
        Err(error) => return Fetch::Head(io_kind(&error)),
    };
    let (head, body) = response.into_parts();
    let body = match body.collect().await {
        Ok(body) => Ok(body.to_bytes().to_vec()),
        Err(error) => Err(io_kind(&error)),
    };
    Fetch::Reply { status: head.status.as_u16(), headers: head.headers, body }
}

fn io_kind(error: &hyper::Error) -> io::ErrorKind {
    let source = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    source.unwrap_or_else(|| panic!("not of the stream: {error:?}")).kind()
}
