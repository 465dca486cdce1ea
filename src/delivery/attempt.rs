//! One connection to one candidate, and its verdict.

use super::{Dane, Delivery, Failure, FailureKind, Rules, Unmatched};
use crate::failure::{CertificateFault, MxVerified};
use crate::name::DnsName;
use crate::policy::Mode;

/// What TLS must fulfil at a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TlsDuty {
    /// Nothing: use TLS where it is offered.
    Opportunistic,
    /// Verify the certificate for the host's name; whatever comes of it, the mail may go, and the
    /// result is for the report (mode `testing`).
    Reported,
    /// Without a certificate that was verified for the host's name the mail must not go.
    Verified,
    /// DANE alone decides, by the sender's choice.
    Dane,
}

/// A candidate to connect to. It ends in a verdict; given up without one it counts for nothing.
///
/// ```compile_fail,E0382
/// # use mta_sts::delivery::{Attempt, Delivery};
/// # fn f(attempt: Attempt, delivery: &mut Delivery) {
/// let first = attempt.no_starttls(delivery);
/// let second = attempt.tls_unverified(delivery); // it has its verdict
/// # }
/// ```
#[derive(Debug)]
#[must_use = "an attempt ends in a verdict"]
pub struct Attempt {
    pub(super) host: Option<DnsName>,
    pub(super) rules: Rules,
    pub(super) dane: Dane,
    pub(super) unmatched: Unmatched,
}

/// Whether the mail may go to the candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// It may. Where something failed and is only to be reported (mode `testing`), this is it:
    /// the session counts as failed in a report all the same.
    Deliver(Option<Failure>),
    /// It must not: go on to the next candidate.
    Refuse(Failure),
}

impl Verdict {
    /// Whether the mail must not go there.
    pub const fn is_refused(&self) -> bool {
        matches!(self, Self::Refuse(_))
    }

    /// What failed, whether or not it keeps the mail from going.
    pub const fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Deliver(failure) => failure.as_ref(),
            Self::Refuse(failure) => Some(failure),
        }
    }
}

impl Attempt {
    /// The name to connect to, to send as SNI and to verify the certificate for (RFC 8461 §4.2,
    /// §7.1); `None` for a candidate that has no host name.
    pub const fn host(&self) -> Option<&DnsName> {
        self.host.as_ref()
    }

    /// What TLS must fulfil.
    pub const fn duty(&self) -> TlsDuty {
        let rules = self.rules;
        let enforced = matches!(rules.policy, Mode::Enforce) || rules.forced;
        if matches!(self.dane, Dane::Passed)
            && (rules.dane_suffices || (rules.require_tls && !enforced))
        {
            TlsDuty::Dane
        } else if enforced || rules.require_tls {
            TlsDuty::Verified
        } else if matches!(rules.policy, Mode::Testing) {
            TlsDuty::Reported
        } else {
            TlsDuty::Opportunistic
        }
    }

    /// With what DANE says of the host, now that it is known.
    pub fn with_dane(self, dane: Dane) -> Self {
        Self { dane, ..self }
    }

    /// The host does not offer STARTTLS.
    pub fn no_starttls(self, delivery: &mut Delivery) -> Verdict {
        self.verdict(delivery, Some(FailureKind::NoStarttls))
    }

    /// The host refused STARTTLS with this reply code, whichever it is: a permanent one counts no
    /// more than a transient one, for an attacker can forge both.
    pub fn starttls_refused(self, reply_code: u16, delivery: &mut Delivery) -> Verdict {
        self.verdict(delivery, Some(FailureKind::StarttlsRefused(reply_code)))
    }

    /// The certificate is not valid for the host.
    pub fn certificate_failed(self, fault: CertificateFault, delivery: &mut Delivery) -> Verdict {
        self.verdict(delivery, Some(FailureKind::Certificate(fault)))
    }

    /// TLS failed for a reason other than the certificate.
    pub fn tls_failed(self, delivery: &mut Delivery) -> Verdict {
        self.verdict(delivery, Some(FailureKind::Tls))
    }

    /// TLS was set up, and the certificate was not verified.
    pub fn tls_unverified(self, delivery: &mut Delivery) -> Verdict {
        self.verdict(delivery, Some(FailureKind::NotVerified))
    }

    /// TLS was set up with a certificate that was verified.
    pub fn tls_verified(self, verified: MxVerified, delivery: &mut Delivery) -> Verdict {
        // RFC 8461 §4.2: valid for the host that was connected to, not for any other.
        let vouched = self.host.as_ref().is_some_and(|host| verified.vouches_for(host));
        let fault = (!vouched).then_some(FailureKind::OtherHostVerified);
        self.verdict(delivery, fault)
    }

    /// The connection failed before TLS was tried: go on to the next, nothing is reported.
    pub fn connection_failed(self, _: &mut Delivery) -> Verdict {
        Verdict::Refuse(Failure::new(FailureKind::Connection, self.host, None))
    }

    /// What speaks against connecting at all. DANE of which the result is not known yet may still
    /// vouch for the host.
    pub(super) fn objections_before_connecting(&self) -> Objections {
        let dane = if self.dane == Dane::NotKnown { Dane::Passed } else { self.dane };
        self.objections(dane, None)
    }

    /// Who objects to the candidate, given what DANE says and what failed there.
    fn objections(&self, dane: Dane, fault: Option<FailureKind>) -> Objections {
        let (rules, unmatched) = (self.rules, self.unmatched);
        let tls_missing = matches!(
            fault,
            Some(FailureKind::NoStarttls | FailureKind::StarttlsRefused(_) | FailureKind::Tls)
        );
        // Without TLS no TLSA record was met, whatever was said of it before.
        let dane_passed = dane == Dane::Passed && !tls_missing;
        let dane_failed = dane == Dane::Failed || (dane == Dane::Passed && tls_missing);
        let excused = rules.dane_suffices && dane_passed;
        let failed = fault.is_some();
        // RFC 8461 §5: under "enforce" not to hosts that fail MX matching or certificate
        // validation or do not support STARTTLS.
        let policy = rules.policy == Mode::Enforce && !excused && (unmatched.policy || failed);
        // The operator's names stand: what DANE excuses is the certificate.
        let forced = rules.forced && (unmatched.forced || (failed && !excused));
        // RFC 8689 §4.2.1: verified by PKIX under a name that something vouches for, or by DANE.
        let require_tls = rules.require_tls && !dane_passed && (unmatched.any || failed);
        // RFC 8461 §2: MTA-STS does not override a failing DANE validation, in no mode.
        let kind = if dane_failed {
            Some(fault.filter(|_| tls_missing).unwrap_or(FailureKind::DaneFailed))
        } else if policy && unmatched.policy {
            Some(FailureKind::MxMismatch)
        } else if (forced && unmatched.forced) || (require_tls && unmatched.any) {
            Some(FailureKind::NotVouchedFor)
        } else if policy || forced || require_tls {
            fault
        } else {
            None
        };
        Objections { kind, policy, demand: forced || require_tls || dane_failed }
    }

    fn verdict(self, delivery: &mut Delivery, fault: Option<FailureKind>) -> Verdict {
        let objections = self.objections(self.dane, fault);
        if let Some(failure) = self.refusal(objections, delivery) {
            return Verdict::Refuse(failure);
        }
        // RFC 8461 §5: in mode "testing" what failed is reported, and the mail goes.
        let reported = match self.rules.policy {
            Mode::Testing => {
                Some(FailureKind::MxMismatch).filter(|_| self.unmatched.policy).or(fault)
            }
            Mode::Enforce | Mode::None => None,
        };
        Verdict::Deliver(reported.map(|kind| Failure::new(kind, self.host, None)))
    }

    /// The failure, if anybody objects; and notes who does.
    pub(super) fn refusal(
        &self,
        objections: Objections,
        delivery: &mut Delivery,
    ) -> Option<Failure> {
        delivery.refusals.by_policy |= objections.policy;
        delivery.refusals.by_demand |= objections.demand;
        // RFC 8461 §5: "MTAs SHOULD treat such failures as transient errors".
        objections.kind.map(|kind| Failure::new(kind, self.host.clone(), Some("4.7.5")))
    }
}

/// Who objects to a candidate, and to what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Objections {
    kind: Option<FailureKind>,
    /// The published policy objects: the bounce gate stands before a permanent failure.
    policy: bool,
    /// The sender's own demand, or DANE, objects.
    demand: bool,
}
