//! The rules of one delivery, and who of three objects to a candidate: the published policy, the
//! operator, or the mail (RFC 8461 §5, RFC 8689, RFC 7672).

use super::dane::DaneState;
use super::requirements::Require;
use super::{DaneFault, FailureKind, TlsDuty};
use crate::policy::Mode;

/// The rules of one candidate, once it is known what applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rules {
    /// The policy's mode, lowered by `TLS-Required: No`; [`Mode::None`] without a policy.
    pub(super) policy: Mode,
    /// The operator demands verified TLS to hosts of its own choice.
    pub(super) forced: bool,
    /// The operator demands that an enforcing policy, or DANE, applies.
    pub(super) require: Option<Require>,
    /// The mail demands verified TLS.
    pub(super) require_tls: bool,
    /// DANE, where it passes, takes the place of PKIX and of the policy's patterns.
    pub(super) dane_suffices: bool,
}

/// The patterns that a host does not match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unmatched {
    /// The published policy's.
    pub(super) policy: bool,
    /// The operator's.
    pub(super) forced: bool,
    /// No pattern matches, and the name is not secure by itself: nothing vouches for it.
    pub(super) any: bool,
}

/// The parties that may refuse a candidate: one flag each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Refusers {
    /// The published policy: the bounce gate stands before a permanent failure.
    pub(super) policy: bool,
    /// The sender's own demands, or DANE.
    pub(super) sender: bool,
}

impl Refusers {
    pub(super) const fn any(self) -> bool {
        self.policy || self.sender
    }

    pub(super) const fn and(self, other: Self) -> Self {
        Self { policy: self.policy || other.policy, sender: self.sender || other.sender }
    }
}

/// The parties that object to a candidate, and the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Objections {
    pub(super) kind: Option<FailureKind>,
    pub(super) by: Refusers,
}

impl Rules {
    /// An enforcing policy applies: the published one, or the operator's patterns.
    const fn is_enforced(self) -> bool {
        matches!(self.policy, Mode::Enforce) || self.forced
    }

    /// The parties that can refuse a candidate under these rules, given the state of DANE. A
    /// candidate that was handed out and never judged counts as refused by all of them.
    pub(super) const fn refusers(self, dane: DaneState) -> Refusers {
        let demanded = self.forced || self.require_tls || self.require.is_some();
        Refusers {
            policy: matches!(self.policy, Mode::Enforce),
            sender: demanded || dane.is_used(),
        }
    }

    /// The demand on TLS, given the state of DANE.
    pub(super) const fn duty(self, dane: DaneState) -> TlsDuty {
        let passed = matches!(dane, DaneState::Passed);
        let enforced = self.is_enforced();
        let is_demanded =
            self.require_tls || matches!(self.require, Some(Require::Dane | Require::Any));
        let dane_alone = self.dane_suffices || (is_demanded && !enforced);
        if passed && dane_alone {
            TlsDuty::Dane
        } else if enforced || self.require_tls || self.require.is_some() {
            TlsDuty::Verified
        } else if matches!(self.policy, Mode::Testing) {
            TlsDuty::Reported
        } else {
            TlsDuty::Opportunistic
        }
    }

    /// The objections to a candidate, given what DANE says and what failed there.
    pub(super) fn objections(
        self,
        unmatched: Unmatched,
        dane: DaneState,
        fault: Option<FailureKind>,
    ) -> Objections {
        let tls_missing = fault.is_some_and(FailureKind::is_without_tls);
        // Without TLS no TLSA record was met, whatever was said of it before.
        let dane_passed = dane == DaneState::Passed && !tls_missing;
        let dane_fault = match dane {
            DaneState::Failed(fault) => Some(FailureKind::Dane(fault)),
            DaneState::OtherHost => Some(FailureKind::OtherHostVerified),
            DaneState::Passed if tls_missing => Some(FailureKind::Dane(DaneFault::TlsaInvalid)),
            DaneState::Passed | DaneState::NotKnown | DaneState::Absent => None,
        };
        let excused = self.dane_suffices && dane_passed;
        let failed = fault.is_some();
        // RFC 8461 §5: under "enforce" not to hosts that fail MX matching or certificate
        // validation or do not support STARTTLS.
        let policy = self.policy == Mode::Enforce && !excused && (unmatched.policy || failed);
        // The operator's names stand: what DANE excuses is the certificate.
        let forced = self.forced && (unmatched.forced || (failed && !excused));
        // RFC 8689 §4.2.1: verified by PKIX under a name that something vouches for, or by DANE.
        let require_tls = self.require_tls && !dane_passed && (unmatched.any || failed);
        let missing = match self.require {
            None => None,
            Some(Require::Sts) => (!self.is_enforced()).then_some(FailureKind::NotProtected),
            Some(Require::Any) => {
                (!self.is_enforced() && !dane_passed).then_some(FailureKind::NotProtected)
            }
            Some(Require::Dane) => {
                (!dane_passed).then_some(FailureKind::Dane(DaneFault::DaneRequired))
            }
        };
        // RFC 8461 §2: MTA-STS does not override a failing DANE validation, in no mode.
        let kind = if dane_fault.is_some() {
            fault.filter(|_| tls_missing).or(dane_fault)
        } else if missing.is_some() {
            fault.filter(|_| tls_missing).or(missing)
        } else if policy && unmatched.policy {
            Some(FailureKind::MxMismatch)
        } else if (forced && unmatched.forced) || (require_tls && unmatched.any) {
            Some(FailureKind::NotVouchedFor)
        } else if policy || forced || require_tls {
            fault
        } else {
            None
        };
        let sender = forced || require_tls || missing.is_some() || dane_fault.is_some();
        Objections { kind, by: Refusers { policy, sender } }
    }
}
