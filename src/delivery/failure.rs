//! The reasons for which a candidate fails validation.

use alloc::borrow::Cow;

use thiserror::Error;

use super::DaneFault;
use crate::failure::{CertificateFault, TlsFailure};
use crate::name::DnsName;
use crate::result_type::ResultType;

/// The fault of one candidate.
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
    /// The operator demands that an enforcing policy, or DANE, applies, and neither does. It is the
    /// sender's business, and no report tells the domain of it.
    #[error("no enforcing policy applies, as the sender demands")]
    NotProtected,
    /// The host does not offer STARTTLS.
    #[error("the host does not offer STARTTLS")]
    NoStarttls,
    /// The host offers STARTTLS and refuses it, with this reply code.
    #[error("the host refused STARTTLS with {0}")]
    StarttlsRefused(u16),
    /// The certificate is not valid for the host (RFC 8461 §4.2).
    #[error("{0}")]
    Certificate(CertificateFault),
    /// TLS was set up, and the certificate was not verified.
    #[error("the certificate was not verified")]
    NotVerified,
    /// The driver made an assertion for another host.
    #[error("the certificate was verified for another name than the host's")]
    OtherHostVerified,
    /// TLS failed for a reason other than the certificate.
    #[error("TLS failed: {0}")]
    Tls(TlsFailure),
    /// DANE failed, or is demanded and does not apply.
    #[error("{0}")]
    Dane(DaneFault),
    /// The attempt came from another delivery, so its session says nothing about this one.
    #[error("the attempt belongs to another delivery")]
    OtherDelivery,
    /// The connection failed before TLS: an error of the network, no failure of validation.
    #[error("the connection failed")]
    Connection,
    /// The domain takes no mail (RFC 7505).
    #[error("the domain takes no mail")]
    NullMx,
}

impl FailureKind {
    /// Returns `true` if there was no TLS at all.
    pub const fn is_without_tls(self) -> bool {
        matches!(self, Self::NoStarttls | Self::StarttlsRefused(_) | Self::Tls(_))
    }
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

    /// The fault.
    pub const fn kind(&self) -> FailureKind {
        self.kind
    }

    /// The MX host, if it has a name.
    pub const fn host(&self) -> Option<&DnsName> {
        self.host.as_ref()
    }

    /// The enhanced status code for a log or a delay notice: always transient, `4.7.x`
    /// (RFC 8461 §5); `None` where the candidate was not refused by validation.
    pub const fn enhanced_status(&self) -> Option<&'static str> {
        self.enhanced_status
    }

    /// The result type; `None` for what is not reported: errors of the network (RFC 8460 §4.3.4),
    /// the sender's own demands and mistakes, and domains that take no mail.
    pub const fn result_type(&self) -> Option<ResultType> {
        Some(match self.kind {
            FailureKind::MxMismatch | FailureKind::NotVerified | FailureKind::Tls(_) => {
                ResultType::ValidationFailure
            }
            FailureKind::NoStarttls | FailureKind::StarttlsRefused(_) => {
                ResultType::StarttlsNotSupported
            }
            FailureKind::Certificate(fault) => fault.result_type(),
            FailureKind::OtherHostVerified => ResultType::CertificateHostMismatch,
            FailureKind::Dane(fault) => fault.result_type(),
            FailureKind::NotVouchedFor
            | FailureKind::NotProtected
            | FailureKind::OtherDelivery
            | FailureKind::Connection
            | FailureKind::NullMx => {
                return None;
            }
        })
    }

    /// The failure reason code.
    pub fn reason_code(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self.kind {
            FailureKind::MxMismatch => "mx-not-in-policy",
            FailureKind::NotVouchedFor => "host-not-vouched-for",
            FailureKind::NotProtected => "no-enforcing-policy",
            FailureKind::NoStarttls => "starttls-not-offered",
            FailureKind::StarttlsRefused(code) => {
                return Cow::Owned(alloc::format!("starttls-refused-{code}"));
            }
            FailureKind::Certificate(fault) => fault.reason_code(),
            FailureKind::NotVerified => "certificate-not-verified",
            FailureKind::OtherHostVerified => "certificate-host-mismatch",
            FailureKind::Tls(failure) => return failure.reason_code(),
            FailureKind::Dane(fault) => match fault {
                DaneFault::TlsaInvalid => "dane-tlsa-mismatch",
                DaneFault::DnssecInvalid => "dane-dnssec-bogus",
                DaneFault::DaneRequired => "dane-not-published",
            },
            FailureKind::OtherDelivery => "other-delivery",
            FailureKind::Connection => "connection-failed",
            FailureKind::NullMx => "null-mx",
        })
    }
}
