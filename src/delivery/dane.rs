//! The result of DANE for one MX host (RFC 7672), validated by the caller.

use thiserror::Error;

use crate::evidence::DaneVerified;
use crate::name::DnsName;
use crate::result_type::ResultType;

/// The result of DANE for one MX host.
#[derive(Debug, Default)]
pub enum Dane {
    /// It was not looked into, or its result is not known yet.
    #[default]
    NotKnown,
    /// DNSSEC proves that no usable TLSA record is published.
    Absent,
    /// It passed. An assertion for another host counts as a failure.
    Passed(DaneVerified),
    /// It failed: the mail must not go to this host, whatever a policy says (RFC 8461 §2).
    Failed(DaneFault),
}

/// A failure of DANE, in the terms of RFC 8460 §4.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum DaneFault {
    /// TLSA records are published, and the certificate fits none of them.
    #[error("the certificate fits no TLSA record")]
    TlsaInvalid,
    /// DNSSEC validation of the MX, address or TLSA records failed, so that TLSA records may be
    /// published (RFC 7672 §2.1.2).
    #[error("the TLSA records could not be validated by DNSSEC")]
    DnssecInvalid,
    /// The sender demands DANE, and no usable TLSA record is published.
    #[error("the sender demands DANE, and it does not apply to the host")]
    DaneRequired,
}

impl DaneFault {
    /// The result type for a report (RFC 8460 §4.3.1).
    pub const fn result_type(self) -> ResultType {
        match self {
            Self::TlsaInvalid => ResultType::TlsaInvalid,
            Self::DnssecInvalid => ResultType::DnssecInvalid,
            Self::DaneRequired => ResultType::DaneRequired,
        }
    }
}

/// The result of DANE once its assertion was compared with the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DaneState {
    NotKnown,
    Absent,
    Passed,
    /// The assertion names another host.
    OtherHost,
    Failed(DaneFault),
}

impl DaneState {
    /// DANE applies to the host: it passed or it failed.
    pub(super) const fn is_used(self) -> bool {
        matches!(self, Self::Passed | Self::OtherHost | Self::Failed(_))
    }

    pub(super) fn of(dane: Dane, host: Option<&DnsName>) -> Self {
        match dane {
            Dane::NotKnown => Self::NotKnown,
            Dane::Absent => Self::Absent,
            Dane::Failed(fault) => Self::Failed(fault),
            Dane::Passed(verified) => match host {
                Some(host) if verified.names(host) => Self::Passed,
                _ => Self::OtherHost,
            },
        }
    }
}
