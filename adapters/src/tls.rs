//! TLS: whom to trust, and what a failure means.

use std::io;
use std::sync::Arc;

use mta_sts::{CertificateFault, FetchFailure};
use rustls::client::Resumption;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{CertificateError, ClientConfig, RootCertStore};

use crate::BuildError;

/// Which roots are trusted, beside those that are given one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Roots {
    /// Those of the operating system: what an administrator expects. Needs the feature
    /// `native-roots`, without which a client with these roots cannot be built.
    #[default]
    Native,
    /// Mozilla's, as of the build.
    #[cfg(feature = "webpki-roots")]
    WebPki,
    /// None but the given ones.
    GivenOnly,
}

/// Which implementation of cryptography is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum CryptoProvider {
    /// ring.
    #[default]
    Ring,
    /// aws-lc-rs.
    #[cfg(feature = "aws-lc-rs")]
    AwsLcRs,
}

/// What a builder gathers for TLS.
#[derive(Debug, Clone, Default)]
pub(crate) struct TlsOptions {
    pub(crate) roots: Roots,
    pub(crate) provider: CryptoProvider,
    /// PEM, of any number of certificates, or the DER of one.
    pub(crate) given: Vec<Vec<u8>>,
}

impl TlsOptions {
    pub(crate) fn config(&self) -> Result<ClientConfig, BuildError> {
        let provider = self.provider();
        // RFC 8461 §3.3 asks for verified HTTPS; TLS 1.2 is the oldest version that counts as such.
        let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(|error| BuildError::Tls(error.to_string()))?
            .with_root_certificates(self.root_store()?)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // A resumed session shows no certificate: every fetch is to see the one of today.
        config.resumption = Resumption::disabled();
        Ok(config)
    }

    pub(crate) fn provider(&self) -> rustls::crypto::CryptoProvider {
        match self.provider {
            CryptoProvider::Ring => rustls::crypto::ring::default_provider(),
            #[cfg(feature = "aws-lc-rs")]
            CryptoProvider::AwsLcRs => rustls::crypto::aws_lc_rs::default_provider(),
        }
    }

    pub(crate) fn root_store(&self) -> Result<RootCertStore, BuildError> {
        let mut store = RootCertStore::empty();
        for given in &self.given {
            for certificate in certificates(given)? {
                store.add(certificate).map_err(|error| BuildError::BadRoot(error.to_string()))?;
            }
        }
        match self.roots {
            Roots::Native => add_native(&mut store)?,
            #[cfg(feature = "webpki-roots")]
            Roots::WebPki => store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
            Roots::GivenOnly => {}
        }
        if store.is_empty() { Err(BuildError::NoRoots(String::new())) } else { Ok(store) }
    }
}

fn certificates(given: &[u8]) -> Result<Vec<CertificateDer<'static>>, BuildError> {
    // A certificate in DER is a SEQUENCE.
    if given.first() == Some(&0x30) {
        return Ok(vec![CertificateDer::from(given.to_vec())]);
    }
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(given).collect();
    match found {
        Ok(found) if found.is_empty() => {
            Err(BuildError::BadRoot("expected DER or PEM, found neither".to_owned()))
        }
        Ok(found) => Ok(found),
        Err(error) => Err(BuildError::BadRoot(error.to_string())),
    }
}

#[cfg(feature = "native-roots")]
fn add_native(store: &mut RootCertStore) -> Result<(), BuildError> {
    let loaded = rustls_native_certs::load_native_certs();
    // System stores hold odd certificates now and then: what can be read counts.
    let (added, _) = store.add_parsable_certificates(loaded.certs);
    if added > 0 {
        return Ok(());
    }
    let reasons: Vec<_> = loaded.errors.iter().map(ToString::to_string).collect();
    let reasons = if reasons.is_empty() { "it is empty".to_owned() } else { reasons.join("; ") };
    Err(BuildError::NoRoots(format!(" in the system's store: {reasons}")))
}

#[cfg(not(feature = "native-roots"))]
fn add_native(_: &mut RootCertStore) -> Result<(), BuildError> {
    let reason = ": those of the system need the feature `native-roots`".to_owned();
    Err(BuildError::NoRoots(reason))
}

/// What an error of a TLS handshake means.
pub(crate) fn handshake_failure(error: &io::Error) -> FetchFailure {
    match rustls_error(error) {
        Some(rustls::Error::InvalidCertificate(error)) => {
            FetchFailure::Certificate(certificate_fault(error))
        }
        Some(_) => FetchFailure::Tls,
        None => connection_failure(error),
    }
}

/// What an error of a connection means.
pub(crate) fn connection_failure(error: &io::Error) -> FetchFailure {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => FetchFailure::ConnectionRefused,
        io::ErrorKind::TimedOut => FetchFailure::Timeout,
        _ => FetchFailure::Connection,
    }
}

/// The error of rustls in one of I/O, whose `source` would skip it.
fn rustls_error(error: &io::Error) -> Option<&rustls::Error> {
    let inner = error.get_ref()?;
    inner
        .downcast_ref::<rustls::Error>()
        .or_else(|| inner.downcast_ref::<io::Error>().and_then(rustls_error))
}

/// What an error of a certificate means.
pub(crate) fn certificate_fault(error: &CertificateError) -> CertificateFault {
    use CertificateError as Error;
    match error {
        Error::Expired | Error::ExpiredContext { .. } => CertificateFault::Expired,
        Error::NotValidYet | Error::NotValidYetContext { .. } => CertificateFault::NotYetValid,
        Error::NotValidForName | Error::NotValidForNameContext { .. } => {
            CertificateFault::WrongName
        }
        Error::UnknownIssuer => CertificateFault::UntrustedIssuer,
        Error::Revoked => CertificateFault::Revoked,
        _ => CertificateFault::Other,
    }
}
