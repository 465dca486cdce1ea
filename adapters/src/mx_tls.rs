//! TLS to the hosts of a delivery (RFC 8461 §4.2, §7).

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use mta_sts::delivery::{Attempt, Session, TlsDuty};
use mta_sts::{CertificateFault, DnsName, MxVerified};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};

use crate::BuildError;
use crate::tls::{HandshakeFailure, TlsOptions};

/// TLS to MX hosts by rustls. A policy or the sender may demand a verified certificate, or only
/// want to know of its faults.
///
/// It comes from a client's builder ([`Builder::mx_tls`](crate::Builder::mx_tls)), and trusts the
/// same roots. It makes a [`MxHandshake`] for each attempt, which turns the end of the handshake
/// into the [`Session`] to be judged:
///
/// ```no_run
/// # use std::net::TcpStream;
/// # use mta_sts_adapters::delivery::{Attempt, Delivery, Session, Verdict};
/// # use mta_sts_adapters::MxTls;
/// # use mta_sts_adapters::rustls::{ClientConnection, StreamOwned};
/// # fn example(tls: &MxTls, attempt: Attempt, delivery: &mut Delivery, mut socket: TcpStream)
/// #     -> Result<Verdict, mta_sts_adapters::rustls::Error> {
/// // STARTTLS was answered with 220, and the socket has a read timeout.
/// let Some(handshake) = tls.handshake(&attempt)? else {
///     // A candidate without a host name: there is nothing to verify.
///     return Ok(delivery.judge(attempt, Session::Unverified));
/// };
/// let mut connection = ClientConnection::new(handshake.config(), handshake.server_name())?;
/// let ended = loop {
///     match connection.complete_io(&mut socket) {
///         Ok(_) if connection.is_handshaking() => {}
///         Ok(_) => break Ok(()),
///         Err(error) => break Err(error),
///     }
/// };
/// let is_tls = ended.is_ok();
/// let verdict = delivery.judge(attempt, handshake.session(&ended));
/// if !verdict.is_refused() && is_tls {
///     let mut session = StreamOwned::new(connection, socket);
///     // EHLO is said again, and what was learnt before TLS is forgotten (RFC 3207 §4.2).
/// }
/// # Ok(verdict)
/// # }
/// ```
#[derive(Clone)]
pub struct MxTls {
    provider: Arc<rustls::crypto::CryptoProvider>,
    webpki: Arc<WebPkiServerVerifier>,
}

impl MxTls {
    pub(crate) fn new(options: &TlsOptions) -> Result<Self, BuildError> {
        let provider = Arc::new(options.provider());
        let roots = Arc::new(options.root_store()?);
        let webpki = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider))
            .build()
            .map_err(|error| BuildError::Tls(error.to_string()))?;
        Ok(Self { provider, webpki })
    }

    /// Returns the handshake of one attempt; `None` for a candidate that has no host name.
    ///
    /// # Errors
    /// The provider of cryptography has neither TLS 1.2 nor 1.3.
    pub fn handshake(&self, attempt: &Attempt) -> Result<Option<MxHandshake>, Error> {
        let Some(host) = attempt.host() else { return Ok(None) };
        // RFC 8461 §7.1: SNI is the MX host, which is the name that the certificate is for (§4.2).
        let Ok(server_name) = ServerName::try_from(host.as_str().to_owned()) else {
            return Ok(None);
        };
        let noted = Arc::new(Mutex::new(None));
        let insists = attempt.duty() == TlsDuty::Verified;
        let verifier =
            Noting { webpki: Arc::clone(&self.webpki), insists, noted: Arc::clone(&noted) };
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            // RFC 8461 §7.2: TLS 1.2 or later.
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        // A resumed session shows no certificate.
        config.resumption = Resumption::disabled();
        let (host, config) = (host.clone(), Arc::new(config));
        Ok(Some(MxHandshake { host, server_name, config, insists, noted }))
    }
}

impl fmt::Debug for MxTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MxTls").finish_non_exhaustive()
    }
}

/// The result of the verification of one handshake's certificate; `None` before it was made.
type Noted = Arc<Mutex<Option<Result<(), CertificateFault>>>>;

/// One TLS handshake with one MX host.
#[derive(Debug)]
#[must_use = "it tells the session that the attempt is judged by"]
pub struct MxHandshake {
    host: DnsName,
    server_name: ServerName<'static>,
    config: Arc<ClientConfig>,
    /// An invalid certificate ends the handshake.
    insists: bool,
    noted: Noted,
}

impl MxHandshake {
    /// The configuration for this handshake, and for no other.
    pub fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.config)
    }

    /// The name to send and to verify: the MX host's.
    pub fn server_name(&self) -> ServerName<'static> {
        self.server_name.clone()
    }

    /// Returns the session, given the end of the handshake: an error of `complete_io`, of
    /// `tokio-rustls`, or of the caller's deadline ([`io::ErrorKind::TimedOut`]).
    ///
    /// The session counts as verified only if a certificate was seen and was verified for the host.
    pub fn session(self, ended: &io::Result<()>) -> Session {
        let noted = *self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        match (ended, noted) {
            // The handshake ended because of the certificate.
            (Err(_), Some(Err(fault))) if self.insists => Session::CertificateInvalid(fault),
            (Err(error), _) => HandshakeFailure::from_io(error).into(),
            (Ok(()), Some(Err(fault))) => Session::CertificateInvalid(fault),
            // RFC 8461 §4.2: within its time, by a trusted root, for the MX host.
            (Ok(()), Some(Ok(()))) => Session::Verified(MxVerified::assertion(&self.host)),
            (Ok(()), None) => Session::Unverified,
        }
    }
}

/// The verifier of rustls, whose result is noted and whose refusal need not be the end.
#[derive(Debug)]
struct Noting {
    webpki: Arc<WebPkiServerVerifier>,
    insists: bool,
    noted: Noted,
}

impl ServerCertVerifier for Noting {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified =
            self.webpki.verify_server_cert(end_entity, intermediates, server_name, ocsp, now);
        let result = match verified.as_ref().map_err(HandshakeFailure::from_rustls) {
            Ok(_) => Ok(()),
            Err(HandshakeFailure::Certificate(fault)) => Err(fault),
            Err(HandshakeFailure::Tls(_)) => Err(CertificateFault::Other),
        };
        *self.noted.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
        // Without a demand an unverified session is better than one in clear text.
        verified.or_else(|error| {
            if self.insists { Err(error) } else { Ok(ServerCertVerified::assertion()) }
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.webpki.supported_verify_schemes()
    }
}
