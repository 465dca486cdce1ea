//! TLS: whom to trust, and what a failure means.

use std::io;
use std::sync::Arc;

use mta_sts::delivery::Session;
use mta_sts::{CertificateFault, FetchFailure, TlsAlert, TlsFailure};
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

/// The failure of a TLS handshake, in the terms of a report: the same at a Policy Host and at an MX.
///
/// ```
/// use mta_sts_adapters::delivery::Session;
/// use mta_sts_adapters::{FetchFailure, HandshakeFailure, TlsAlert, TlsFailure, rustls};
///
/// let error = rustls::Error::AlertReceived(rustls::AlertDescription::ProtocolVersion);
/// let failure = HandshakeFailure::from_rustls(&error);
/// let alert = TlsFailure::Alert(TlsAlert(70));
/// assert_eq!(failure, HandshakeFailure::Tls(alert));
/// assert_eq!(FetchFailure::from(failure).reason_code(), "tls-alert-protocol-version");
/// assert!(matches!(Session::from(failure), Session::TlsFailed(TlsFailure::Alert(_))));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HandshakeFailure {
    /// The certificate is not valid for the host.
    Certificate(CertificateFault),
    /// The handshake failed for another reason.
    Tls(TlsFailure),
}

impl HandshakeFailure {
    /// Returns the failure that an error of rustls stands for. It is the one place where errors of
    /// rustls are read.
    pub fn from_rustls(error: &rustls::Error) -> Self {
        use rustls::{Error, InvalidMessage};
        Self::Tls(match error {
            Error::InvalidCertificate(error) => {
                return Self::Certificate(certificate_fault(error));
            }
            Error::AlertReceived(alert) => TlsFailure::Alert(TlsAlert(u8::from(*alert))),
            // The head of the record is none of TLS: the other side speaks another protocol.
            Error::InvalidMessage(
                InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
            ) => TlsFailure::NotTls,
            _ => TlsFailure::Other,
        })
    }

    /// Returns the failure that an error of I/O stands for, as `complete_io` of rustls and
    /// `tokio-rustls` return it: that of rustls if it holds one.
    ///
    /// A caller that puts a deadline over the handshake makes the error of
    /// [`io::ErrorKind::TimedOut`].
    pub fn from_io(error: &io::Error) -> Self {
        if let Some(error) = rustls_error(error) {
            return Self::from_rustls(error);
        }
        Self::Tls(match error.kind() {
            // On some systems a read whose time is over says that it would block.
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => TlsFailure::Timeout,
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::NotConnected => TlsFailure::Closed,
            _ => TlsFailure::Other,
        })
    }
}

/// For a fetch (RFC 8461 §3.3).
impl From<HandshakeFailure> for FetchFailure {
    fn from(failure: HandshakeFailure) -> Self {
        match failure {
            HandshakeFailure::Certificate(fault) => Self::Certificate(fault),
            HandshakeFailure::Tls(failure) => Self::Tls(failure),
        }
    }
}

/// For a delivery (RFC 8461 §4.2).
impl From<HandshakeFailure> for Session {
    fn from(failure: HandshakeFailure) -> Self {
        match failure {
            HandshakeFailure::Certificate(fault) => Self::CertificateInvalid(fault),
            HandshakeFailure::Tls(failure) => Self::TlsFailed(failure),
        }
    }
}

/// Returns the failure that an error of a connection before TLS stands for.
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

#[expect(deprecated, reason = "rustls still makes the older variant for some signatures")]
fn certificate_fault(error: &CertificateError) -> CertificateFault {
    use CertificateError as Error;
    match error {
        Error::Expired | Error::ExpiredContext { .. } => CertificateFault::Expired,
        Error::NotValidYet | Error::NotValidYetContext { .. } => CertificateFault::NotYetValid,
        Error::NotValidForName | Error::NotValidForNameContext { .. } => {
            CertificateFault::WrongName
        }
        Error::UnknownIssuer => CertificateFault::UntrustedIssuer,
        Error::Revoked => CertificateFault::Revoked,
        Error::BadSignature => CertificateFault::BadSignature,
        Error::UnsupportedSignatureAlgorithm
        | Error::UnsupportedSignatureAlgorithmContext { .. }
        | Error::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            CertificateFault::UnsupportedSignature
        }
        Error::BadEncoding => CertificateFault::BadEncoding,
        Error::InvalidPurpose | Error::InvalidPurposeContext { .. } => {
            CertificateFault::WrongPurpose
        }
        Error::UnhandledCriticalExtension => CertificateFault::UnknownExtension,
        _ => CertificateFault::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::{AlertDescription, Error, InvalidMessage, PeerIncompatible};

    #[test]
    fn errors_of_certificates_by_their_faults() {
        use CertificateError as C;
        use CertificateFault as F;
        let oid = Vec::new;
        let time = rustls::pki_types::UnixTime::now();
        #[expect(deprecated, reason = "rustls still makes the older variant")]
        let cases = [
            (C::Expired, F::Expired),
            (C::ExpiredContext { time, not_after: time }, F::Expired),
            (C::NotValidYet, F::NotYetValid),
            (C::NotValidYetContext { time, not_before: time }, F::NotYetValid),
            (C::NotValidForName, F::WrongName),
            (C::UnknownIssuer, F::UntrustedIssuer),
            (C::Revoked, F::Revoked),
            (C::BadSignature, F::BadSignature),
            (C::UnsupportedSignatureAlgorithm, F::UnsupportedSignature),
            (
                C::UnsupportedSignatureAlgorithmContext {
                    signature_algorithm_id: oid(),
                    supported_algorithms: Vec::new(),
                },
                F::UnsupportedSignature,
            ),
            (
                C::UnsupportedSignatureAlgorithmForPublicKeyContext {
                    signature_algorithm_id: oid(),
                    public_key_algorithm_id: oid(),
                },
                F::UnsupportedSignature,
            ),
            (C::BadEncoding, F::BadEncoding),
            (C::InvalidPurpose, F::WrongPurpose),
            (C::UnhandledCriticalExtension, F::UnknownExtension),
            (C::UnknownRevocationStatus, F::Other),
            (C::ApplicationVerificationFailure, F::Other),
        ];
        for (error, fault) in cases {
            let failure = HandshakeFailure::from_rustls(&Error::InvalidCertificate(error.clone()));
            assert_eq!(failure, HandshakeFailure::Certificate(fault), "{error:?}");
        }
    }

    #[test]
    fn errors_of_tls_by_their_failures() {
        let alert = |number| TlsFailure::Alert(TlsAlert(number));
        for (error, expected) in [
            (Error::AlertReceived(AlertDescription::HandshakeFailure), alert(40)),
            (Error::AlertReceived(AlertDescription::Unknown(199)), alert(199)),
            (Error::InvalidMessage(InvalidMessage::InvalidContentType), TlsFailure::NotTls),
            (Error::InvalidMessage(InvalidMessage::UnknownProtocolVersion), TlsFailure::NotTls),
            (Error::InvalidMessage(InvalidMessage::MessageTooShort), TlsFailure::Other),
            (
                Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13),
                TlsFailure::Other,
            ),
            (Error::NoCertificatesPresented, TlsFailure::Other),
        ] {
            assert_eq!(HandshakeFailure::from_rustls(&error), HandshakeFailure::Tls(expected));
            // The same inside of errors of I/O, also of nested ones.
            let nested = io::Error::other(io::Error::new(io::ErrorKind::InvalidData, error));
            assert_eq!(HandshakeFailure::from_io(&nested), HandshakeFailure::Tls(expected));
        }
    }

    #[test]
    fn errors_of_io_by_their_kinds() {
        use io::ErrorKind as Kind;
        for (kind, expected) in [
            (Kind::TimedOut, TlsFailure::Timeout),
            (Kind::WouldBlock, TlsFailure::Timeout),
            (Kind::UnexpectedEof, TlsFailure::Closed),
            (Kind::ConnectionReset, TlsFailure::Closed),
            (Kind::ConnectionAborted, TlsFailure::Closed),
            (Kind::BrokenPipe, TlsFailure::Closed),
            (Kind::InvalidData, TlsFailure::Other),
        ] {
            let expected = HandshakeFailure::Tls(expected);
            assert_eq!(HandshakeFailure::from_io(&kind.into()), expected, "{kind}");
        }
    }

    #[test]
    fn other_errors_of_a_certificate_are_a_fault_of_no_name() {
        let other = rustls::OtherError(Arc::new(io::Error::other("odd")));
        let error = Error::InvalidCertificate(CertificateError::Other(other));
        let fault = HandshakeFailure::Certificate(CertificateFault::Other);
        assert_eq!(HandshakeFailure::from_rustls(&error), fault);
    }
}
