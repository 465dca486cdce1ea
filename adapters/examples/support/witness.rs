//! Certificates of mail hosts: verified always, and insisted on where a policy does.

use std::sync::{Arc, Mutex, PoisonError};

use mta_sts_adapters::CertificateFault;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};
use tokio_rustls::TlsConnector;

/// Whom to trust.
pub(crate) struct Witness {
    provider: Arc<CryptoProvider>,
    webpki: Arc<WebPkiServerVerifier>,
}

/// What the verification of one handshake found.
#[derive(Debug, Clone, Default)]
pub(crate) struct Noted(Arc<Mutex<Option<CertificateFault>>>);

impl Noted {
    pub(crate) fn fault(&self) -> Option<CertificateFault> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Witness {
    pub(crate) fn new(root: CertificateDer<'_>) -> Result<Self, Box<dyn std::error::Error>> {
        let mut roots = RootCertStore::empty();
        roots.add(root.into_owned())?;
        let provider = Arc::new(ring::default_provider());
        let webpki =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                .build()?;
        Ok(Self { provider, webpki })
    }

    /// For one handshake. With `insist` a fault of the certificate ends it.
    pub(crate) fn connector(&self, insist: bool) -> Result<(TlsConnector, Noted), Error> {
        let noted = Noted::default();
        let (webpki, fault) = (Arc::clone(&self.webpki), noted.clone());
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            // RFC 8461 §7.2: TLS 1.2 or later.
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Noting { webpki, insist, fault }))
            .with_no_client_auth();
        // A resumed session would show no certificate.
        config.resumption = Resumption::disabled();
        Ok((TlsConnector::from(Arc::new(config)), noted))
    }
}

/// The verifier of rustls, whose refusal is noted and need not be the end.
#[derive(Debug)]
struct Noting {
    webpki: Arc<WebPkiServerVerifier>,
    insist: bool,
    fault: Noted,
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
        verified.or_else(|error| {
            let fault = Some(fault(&error));
            *self.fault.0.lock().unwrap_or_else(PoisonError::into_inner) = fault;
            if self.insist { Err(error) } else { Ok(ServerCertVerified::assertion()) }
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

fn fault(error: &Error) -> CertificateFault {
    use CertificateError as Fault;
    let Error::InvalidCertificate(error) = error else { return CertificateFault::Other };
    match error {
        Fault::Expired | Fault::ExpiredContext { .. } => CertificateFault::Expired,
        Fault::NotValidYet | Fault::NotValidYetContext { .. } => CertificateFault::NotYetValid,
        Fault::NotValidForName | Fault::NotValidForNameContext { .. } => {
            CertificateFault::WrongName
        }
        Fault::UnknownIssuer => CertificateFault::UntrustedIssuer,
        Fault::Revoked => CertificateFault::Revoked,
        _ => CertificateFault::Other,
    }
}
