//! Why a candidate failed validation.

use alloc::borrow::Cow;

use thiserror::Error;

use crate::failure::CertificateFault;
use crate::name::DnsName;
use crate::tlsrpt::ResultType;

/// What failed at one candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[non_exhaustive]
pub enum FailureKind {
    /// No pattern matches the MX host (RFC 8461 §4.1).
    #[error("no mx pattern of the policy matches the host")]
    MxMismatch,
    /// The sender demands verified TLS to a host that something vouches for, by REQUIRETLS or by
    /// the operator's patterns, and nothing vouches for this one. It is the sender's business, and
    /// no report tells the domain of it.
    #[error("nothing vouches for the host, as the sender demands")]
    NotVouchedFor,
    /// The host does not offer STARTTLS.
    #[error("the host does not offer STARTTLS")]
    NoStarttls,
    /// The host offers STARTTLS and refuses it, with this reply code.
    #[error("the host refused STARTTLS with {0}")]
    StarttlsRefused(u16),
    /// The certificate is not valid for the host (RFC 8461 §4.2).
    #[error("{0}")]
    Certificate(CertificateFault),
    /// TLS was set up, and nobody verified the certificate.
    #[error("the certificate was not verified")]
    NotVerified,
    /// The driver vouched for another name than the host's.
    #[error("the certificate was verified for another name than the host's")]
    OtherHostVerified,
    /// TLS failed for a reason other than the certificate.
    #[error("the TLS handshake failed")]
    Tls,
    /// DANE is published for the host, and failed.
    #[error("the certificate fits no TLSA record")]
    DaneFailed,
    /// The connection failed before TLS: the network's business, no failure of validation.
    #[error("the connection failed")]
    Connection,
    /// The domain takes no mail (RFC 7505).
    #[error("the domain takes no mail")]
    NullMx,
}

/// A failure at one candidate, with what a report says of it (RFC 8460 §4.3).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{kind}")]
pub struct Failure {
    kind: FailureKind,
    host: Option<DnsName>,
    enhanced_status: Option<&'static str>,
}

impl Failure {
    pub(super) const fn new(
        kind: FailureKind,
        host: Option<DnsName>,
        enhanced_status: Option<&'static str>,
    ) -> Self {
        Self { kind, host, enhanced_status }
    }

    /// What failed.
    pub const fn kind(&self) -> FailureKind {
        self.kind
    }

    /// The MX host, if it has a name.
    pub const fn host(&self) -> Option<&DnsName> {
        self.host.as_ref()
    }

    /// The enhanced status code for a log or a delay notice: always transient, `4.7.x`
    /// (RFC 8461 §5); `None` where the failure is not one of validation.
    pub const fn enhanced_status(&self) -> Option<&'static str> {
        self.enhanced_status
    }

    /// The result type; `None` for what is not reported: the network's failures (RFC 8460 §4.3.4),
    /// the sender's own demands, and domains that take no mail.
    pub const fn result_type(&self) -> Option<ResultType> {
        Some(match self.kind {
            FailureKind::MxMismatch | FailureKind::NotVerified | FailureKind::Tls => {
                ResultType::ValidationFailure
            }
            FailureKind::NoStarttls | FailureKind::StarttlsRefused(_) => {
                ResultType::StarttlsNotSupported
            }
            FailureKind::Certificate(fault) => fault.result_type(),
            FailureKind::OtherHostVerified => ResultType::CertificateHostMismatch,
            FailureKind::DaneFailed => ResultType::TlsaInvalid,
            FailureKind::NotVouchedFor | FailureKind::Connection | FailureKind::NullMx => {
                return None;
            }
        })
    }

    /// The failure reason code.
    pub fn reason_code(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self.kind {
            FailureKind::MxMismatch => "mx-not-in-policy",
            FailureKind::NotVouchedFor => "host-not-vouched-for",
            FailureKind::NoStarttls => "starttls-not-offered",
            FailureKind::StarttlsRefused(code) => {
                return Cow::Owned(alloc::format!("starttls-refused-{code}"));
            }
            FailureKind::Certificate(fault) => fault.reason_code(),
            FailureKind::NotVerified => "certificate-not-verified",
            FailureKind::OtherHostVerified => "certificate-host-mismatch",
            FailureKind::Tls => "tls-handshake-failed",
            FailureKind::DaneFailed => "dane-failed",
            FailureKind::Connection => "connection-failed",
            FailureKind::NullMx => "null-mx",
        })
    }
}
