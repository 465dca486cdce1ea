//! SMTP servers on loopback that take any mail, as much of RFC 5321 and RFC 3207 as a test needs;
//! and the authority that signs their certificates.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

/// How long a session may last.
const SESSION: Duration = Duration::from_secs(10);
/// The longest line, and the longest mail, in octets.
const MAX_LINE: u64 = 1_000;
const MAX_MAIL: usize = 64 * 1024;

/// A certification authority that dies with the example.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Result<Self, rcgen::Error> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "the authority of the mail hosts");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Ok(Self(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?))
    }

    pub(crate) fn root(&self) -> CertificateDer<'static> {
        self.0.der().clone()
    }

    /// A certificate for this name.
    pub(crate) fn certify(&self, name: &str) -> Result<TlsAcceptor, Box<dyn std::error::Error>> {
        let key = KeyPair::generate()?;
        let params = CertificateParams::new([name.to_owned()])?;
        let certificate = params.signed_by(&key, &self.0)?.der().clone();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)?;
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

/// A mail that was taken.
#[derive(Clone)]
pub(crate) struct Mail {
    /// Whether it came over TLS.
    pub(crate) tls: bool,
    pub(crate) text: String,
}

/// A running server; it stops when it is dropped.
pub(crate) struct Sink {
    pub(crate) address: SocketAddr,
    mails: Arc<Mutex<Vec<Mail>>>,
    task: JoinHandle<()>,
}

impl Sink {
    /// One that offers STARTTLS if it has a certificate.
    pub(crate) async fn start(tls: Option<TlsAcceptor>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let mails = Arc::<Mutex<Vec<Mail>>>::default();
        let taken = Arc::clone(&mails);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // A client that breaks off, or that stays too long, is not the server's trouble.
                let _ = timeout(SESSION, session(stream, tls.clone(), &taken)).await;
            }
        });
        Ok(Self { address, mails, task })
    }

    /// The mails since the last time.
    pub(crate) fn take(&self) -> Vec<Mail> {
        std::mem::take(&mut *self.mails.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn session(
    mut stream: TcpStream,
    tls: Option<TlsAcceptor>,
    mails: &Mutex<Vec<Mail>>,
) -> io::Result<()> {
    stream.write_all(b"220 sink ESMTP\r\n").await?;
    let mut plain = BufReader::new(stream);
    let Some(tls) = tls else { return dialogue(&mut plain, false, false, mails).await };
    dialogue(&mut plain, true, false, mails).await?;
    // RFC 3207 §4.2: what the client said before TLS is forgotten, the buffer too.
    let mut secured = BufReader::new(tls.accept(plain.into_inner()).await?);
    dialogue(&mut secured, false, true, mails).await
}

/// Answers until QUIT, or until TLS is to begin.
async fn dialogue<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufReader<S>,
    starttls: bool,
    tls: bool,
    mails: &Mutex<Vec<Mail>>,
) -> io::Result<()> {
    loop {
        let line = line(stream).await?;
        let verb = line.split([' ', '\r', '\n']).next().unwrap_or_default().to_ascii_uppercase();
        let reply = match verb.as_str() {
            "EHLO" if starttls => "250-sink\r\n250 STARTTLS\r\n",
            "EHLO" | "MAIL" | "RCPT" => "250 ok\r\n",
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await?;
                let text = text(stream).await?;
                mails.lock().unwrap_or_else(PoisonError::into_inner).push(Mail { tls, text });
                "250 taken\r\n"
            }
            // A second reply, as an attacker would add it: the client must not take it for the
            // first one over TLS (RFC 3207 §4.2).
            "STARTTLS" if starttls => return stream.write_all(b"220 go\r\n554 no\r\n").await,
            "QUIT" => {
                stream.write_all(b"221 bye\r\n").await?;
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            _ => "502 no such command\r\n",
        };
        stream.write_all(reply.as_bytes()).await?;
        stream.flush().await?;
    }
}

/// The text of a mail, to the line with a dot alone.
async fn text<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) -> io::Result<String> {
    let mut text = String::new();
    while text.len() < MAX_MAIL {
        let line = line(stream).await?;
        if line == ".\r\n" {
            return Ok(text);
        }
        // RFC 5321 §4.5.2: a dot was put before each line that begins with one.
        text.push_str(line.strip_prefix('.').unwrap_or(&line));
    }
    Err(io::ErrorKind::FileTooLarge.into())
}

async fn line<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) -> io::Result<String> {
    let mut line = String::new();
    stream.take(MAX_LINE).read_line(&mut line).await?;
    if line.ends_with('\n') { Ok(line) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}
