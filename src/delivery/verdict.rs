//! What a session with a candidate came to, and the verdict on it.

use super::dane::DaneState;
use super::{Failure, FailureKind};
use crate::evidence::MxVerified;
use crate::failure::{CertificateFault, TlsFailure};
use crate::name::DnsName;
use crate::policy::Policy;

/// The course of a session with a candidate, as far as TLS goes.
#[derive(Debug)]
pub enum Session {
    /// The connection failed before TLS was tried: an error of the network, which is not reported
    /// (RFC 8460 §4.3.4).
    NotReached,
    /// The host does not offer STARTTLS.
    NoStarttls,
    /// The host refused STARTTLS with this reply code. A permanent code counts no more than a
    /// transient one, because an attacker can forge both.
    StarttlsRefused(u16),
    /// The handshake failed for a reason other than the certificate. Also an error of the connection
    /// between STARTTLS and the end of the handshake.
    TlsFailed(TlsFailure),
    /// The certificate is not valid for the host.
    CertificateInvalid(CertificateFault),
    /// TLS was set up, and the certificate was not verified.
    Unverified,
    /// TLS was set up with a certificate that was verified.
    Verified(MxVerified),
}

impl Session {
    /// The fault of the session with `host`, if any.
    pub(super) fn fault(self, host: Option<&DnsName>) -> Option<FailureKind> {
        match self {
            Self::NotReached => Some(FailureKind::Connection),
            Self::NoStarttls => Some(FailureKind::NoStarttls),
            Self::StarttlsRefused(code) => Some(FailureKind::StarttlsRefused(code)),
            Self::TlsFailed(failure) => Some(FailureKind::Tls(failure)),
            Self::CertificateInvalid(fault) => Some(FailureKind::Certificate(fault)),
            Self::Unverified => Some(FailureKind::NotVerified),
            // RFC 8461 §4.2: valid for the host that was connected to, not for any other.
            Self::Verified(verified) => match host {
                Some(host) if verified.names(host) => None,
                _ => Some(FailureKind::OtherHostVerified),
            },
        }
    }
}

/// The verdict on a candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a refused candidate must not get the mail"]
pub enum Verdict {
    /// The mail may go there. In mode `testing`, or without a policy, the session may still count
    /// as failed in a report.
    Deliver(SessionResult),
    /// The mail must not go there: go on to the next candidate.
    Refuse(SessionResult),
}

impl Verdict {
    /// Returns `true` if the mail must not go there.
    pub const fn is_refused(&self) -> bool {
        matches!(self, Self::Refuse(_))
    }

    /// The session as a report counts it.
    pub const fn result(&self) -> &SessionResult {
        match self {
            Self::Deliver(result) | Self::Refuse(result) => result,
        }
    }

    /// The failure of the session, if any, even if the mail may go.
    pub const fn failure(&self) -> Option<&Failure> {
        self.result().failure()
    }
}

/// One session as a TLSRPT report counts it (RFC 8460 §4): see `Tallies::count` in the package
/// `mta-sts-tlsrpt`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "count it in a tally, or drop it on purpose"]
pub struct SessionResult {
    pub(super) host: Option<DnsName>,
    pub(super) failure: Option<Failure>,
    /// The policy that applied, of whatever mode.
    pub(super) policy: Option<Policy>,
    pub(super) dane: DaneState,
    /// TLS was set up or not; `None` if no session was tried.
    pub(super) is_tls: Option<bool>,
    pub(super) count: SessionCount,
}

/// The place of a session in a tally.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SessionCount {
    /// TLS as the policy demands it; without a policy, any TLS (RFC 8460 §4.2.1, §4.4).
    Succeeded,
    /// No TLS, or TLS that is not as the policy demands it.
    Failed,
    /// Neither: the network failed, or only the sender's own demands did; or the published policy
    /// is of mode `none` and there was no TLS (RFC 8461 §6).
    NotCounted,
}

impl SessionResult {
    /// The MX host; `None` for a candidate that has no host name.
    pub const fn host(&self) -> Option<&DnsName> {
        self.host.as_ref()
    }

    /// The failure of the session, if any.
    pub const fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    /// The place of the session in a tally.
    pub const fn count(&self) -> SessionCount {
        self.count
    }

    /// The policy that applied, of whatever mode; `None` where none applied, be it by the
    /// operator's choice.
    pub const fn policy(&self) -> Option<&Policy> {
        self.policy.as_ref()
    }

    /// The place of the session in a tally of type `tlsa` (RFC 8460 §4.4); `None` if DANE did not
    /// apply to the host, or passed and no session was tried.
    pub const fn count_of_dane(&self) -> Option<SessionCount> {
        let is_dane_missing = matches!(&self.failure, Some(failure) if matches!(failure.kind(), FailureKind::Dane(_)));
        match (self.dane, self.is_tls) {
            (DaneState::Failed(_) | DaneState::OtherHost, _) => Some(SessionCount::Failed),
            (DaneState::Passed, Some(true)) => Some(SessionCount::Succeeded),
            (DaneState::Passed, Some(false)) => Some(SessionCount::Failed),
            (DaneState::Passed, None) => None,
            (DaneState::NotKnown | DaneState::Absent, _) if is_dane_missing => {
                Some(SessionCount::Failed)
            }
            (DaneState::NotKnown | DaneState::Absent, _) => None,
        }
    }
}
