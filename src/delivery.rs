//! Applying a policy to the hosts of a delivery (RFC 8461 §4, §5).
//!
//! A [`Delivery`] is made of the outcome of a lookup and of the sender's own demands. For each
//! candidate MX, in the order that DNS gave (RFC 8461 §8.4: never filtered beforehand), it decides
//! if the driver may connect and what TLS must fulfil there. Given the course of the session, it
//! decides if the mail may go there. When all candidates are spent, the [`Conclusion`] says what
//! that means.
//!
//! ```text
//! Delivery ── candidate(mx) ──▶ Skip(result)                       next candidate
//!                          └──▶ Connect(attempt)
//!          ── judge(attempt, session) ──▶ Deliver(result) | Refuse(result)
//!          ── conclude() ──▶ Open | LocalDemand | Retry
//! Retry    ── recheck(held, limits, now) ──▶ (QueryTxt, Gate)      a lookup that asks DNS now
//! Gate     ── permit(outcome, now) ──▶ BounceToken                 or the mail stays queued
//! ```
//!
//! # Example
//! ```
//! use mta_sts::delivery::{Candidate, Conclusion, Delivery, Mx, Requirements, Session};
//! use mta_sts::lookup::AfterTxt;
//! # use mta_sts::lookup::{AfterHead, Start};
//! # use mta_sts::{Entry, Held, Limits, lookup::Head, Lookup, PolicyDomain, PolicyHostVerified, UnixTime};
//! # let now = UnixTime::from_secs(1_800_000_000);
//! # let domain = PolicyDomain::parse("example.com")?;
//! # let Start::QueryTxt(q) = Lookup::new(domain.clone(), Held::Nothing).start(now) else { panic!() };
//! # let AfterTxt::FetchPolicy(f) = q.answered([["v=STSv1; id=1;"]], 300, now) else { panic!() };
//! # let verified = PolicyHostVerified::assertion(f.host());
//! # let head = Head { status: 200, content_type: Some(b"text/plain"), content_encoding: None };
//! # let AfterHead::ReadBody(mut b) = f.responded(verified, head, now) else { panic!() };
//! # assert!(b.chunk(b"version: STSv1\nmode: enforce\nmx: *.example.com\nmax_age: 86400\n").is_continue());
//! # let mut database = Entry::new(domain, now);
//! # let mut merge = |entry: &Entry| { database.merge(entry.clone()).unwrap(); database.clone() };
//! # let s = b.ended(now);
//! # let merged = merge(s.entry());
//! # let outcome = s.stored(merged);
//! let mut delivery = Delivery::new(&outcome, Requirements::default());
//!
//! // The first host is not one that the policy allows.
//! assert!(matches!(delivery.candidate(&Mx::parse("mx.example.net")), Candidate::Skip(_)));
//!
//! // The second is, but offers no STARTTLS.
//! let Candidate::Connect(attempt) = delivery.candidate(&Mx::parse("mx.example.com")) else {
//!     panic!("it matches *.example.com");
//! };
//! assert!(delivery.judge(attempt, Session::NoStarttls).is_refused());
//!
//! // All failed by policy: a transient failure, and no bounce before DNS was asked again. The gate
//! // looks at what the store holds now.
//! let Conclusion::Retry(retry) = delivery.conclude() else { panic!() };
//! # let held = Held::Entry(outcome.into_entry());
//! let (query, gate) = retry.recheck(held, Limits::default(), now);
//! let AfterTxt::Store(store) = query.answered([["v=STSv1; id=1;"]], 300, now) else { panic!() };
//! let merged = merge(store.entry());
//! let outcome = store.stored(merged);
//! let token = gate.permit(&outcome, now).expect("nothing newer is published");
//! assert_eq!(token.domain().as_str(), "example.com");
//! # Ok::<(), mta_sts::NameError>(())
//! ```
//!
//! # What the driver owes a delivery
//! 1. The candidates are those that DNS or the configuration names, in their order. The name is that
//!    of the MX record, not the target of a CNAME (RFC 8461 §4.1).
//! 2. Where there is no MX record the domain itself is the one candidate (RFC 5321 §5.1).
//! 3. SNI is the MX host (RFC 8461 §7.1). TLS is 1.2 or later, used as RFC 7525 says (§7.2).
//! 4. [`MxVerified::assertion`](crate::MxVerified::assertion) is made only of a certificate that is
//!    within its time, chains to a trusted root, and has the MX host among its SAN DNS-IDs (§4.2).
//! 5. Before STARTTLS nothing of the mail is sent, and what was learnt before it is discarded after
//!    it (RFC 3207 §4.2).
//! 6. For mail through a smart host, the smart host's name is the Policy Domain that was looked up
//!    (§3.4). A subdomain's policy is never that of its parent. Address literals have no policy
//!    ([`Delivery::without_policy`]); a name in brackets or with a port is no address literal
//!    (see [`NameError`](crate::NameError)).
//! 7. Each attempt is judged on the delivery that it came from. An error between STARTTLS and the end
//!    of the handshake is [`Session::TlsFailed`]. An attempt that is dropped counts as refused.
//! 8. A token is used at once, for the mail that was refused.

mod attempt;
mod conclusion;
mod dane;
mod failure;
mod requirements;
mod rules;
mod verdict;

use alloc::boxed::Box;
use alloc::sync::Arc;

use crate::entry::HeldPolicy;
use crate::lookup::Outcome;
use crate::lookup::gate::Refused;
use crate::name::{DnsName, PolicyDomain};
use crate::policy::Mode;
use dane::DaneState;
use rules::{Objections, Refusers, Rules, Unmatched};

pub use attempt::{Attempt, TlsDuty};
pub use conclusion::{Conclusion, Retry};
pub use dane::{Dane, DaneFault};
pub use failure::{Failure, FailureKind};
pub use requirements::{Demand, ForcedPatterns, Require, Requirements};
pub use verdict::{Session, SessionCount, SessionResult, Verdict};

/// One candidate host, as the MX record names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mx {
    /// A host.
    Host(DnsName),
    /// The null MX `.` (RFC 7505): the domain takes no mail. MTA-STS has no say.
    Null,
    /// Text that is no host name, such as an address: it matches no pattern.
    Unmatchable(Box<str>),
}

impl Mx {
    /// Reads the name of an MX record.
    pub fn parse(name: &str) -> Self {
        match DnsName::parse(name) {
            Ok(host) => Self::Host(host),
            Err(_) if name == "." => Self::Null,
            Err(_) => {
                Self::Unmatchable(name.chars().take(255).collect::<alloc::string::String>().into())
            }
        }
    }

    /// The implicit MX of a domain without MX records: the domain itself (RFC 5321 §5.1).
    pub fn implicit(domain: &PolicyDomain) -> Self {
        Self::Host(domain.to_dns_name())
    }
}

/// The decision on a candidate before a connection.
#[derive(Debug)]
#[must_use]
pub enum Candidate {
    /// Connect, and have the attempt judged.
    Connect(Attempt),
    /// Treat it as unreachable (RFC 8461 §8.4) and go on to the next.
    Skip(SessionResult),
}

/// One attempt to deliver one mail to one domain, over all of its candidate hosts.
#[derive(Debug)]
pub struct Delivery {
    domain: Option<PolicyDomain>,
    policy: Option<HeldPolicy>,
    refused_by: Option<Refused>,
    requirements: Requirements,
    secure_mx: bool,
    /// The parties that refused candidates so far.
    refusals: Refusers,
    /// The attempts that were handed out and not judged yet.
    outstanding: usize,
    /// The parties that could have refused one of the outstanding attempts.
    could_refuse: Refusers,
    /// Tells this delivery's attempts from those of another.
    mark: Arc<()>,
}

impl Delivery {
    /// Makes a delivery under the outcome of a lookup, as soon as that is known: the policy is the
    /// one that applied then. The lookup's domain is the next hop: the recipient's domain or the
    /// smart host's (RFC 8461 §3.4).
    pub fn new(outcome: &Outcome, requirements: Requirements) -> Self {
        let policy = outcome.policy().cloned();
        let refused_by = policy.as_ref().map(|held| Refused::new(outcome.entry(), held));
        let domain = Some(outcome.domain().clone());
        Self { domain, policy, refused_by, ..Self::without_policy(requirements) }
    }

    /// Makes a delivery to which no policy can belong: an address literal (RFC 8461 §3.4). The
    /// sender's own requirements still hold.
    pub fn without_policy(requirements: Requirements) -> Self {
        Self {
            domain: None,
            policy: None,
            refused_by: None,
            requirements,
            secure_mx: false,
            refusals: Refusers::default(),
            outstanding: 0,
            could_refuse: Refusers::default(),
            mark: Arc::new(()),
        }
    }

    /// Declares that the names of the candidates are secure: DNSSEC signs the MX records, or their
    /// absence; or the host is configured. REQUIRETLS then needs nothing else to vouch for a name
    /// (RFC 8689 §4.2.1). Without this they count as forgeable.
    #[must_use]
    pub fn with_secure_mx(self, secure_mx: bool) -> Self {
        Self { secure_mx, ..self }
    }

    /// The Policy Domain, if there is one.
    pub const fn domain(&self) -> Option<&PolicyDomain> {
        self.domain.as_ref()
    }

    /// The policy that applies, if any. One of mode `none` is as good as none (RFC 8461 §5).
    pub fn policy(&self) -> Option<&HeldPolicy> {
        if self.requirements.is_off() { None } else { self.policy.as_ref() }
    }

    /// Decides on the next candidate, of which nothing is known of DANE.
    pub fn candidate(&mut self, mx: &Mx) -> Candidate {
        self.candidate_with_dane(mx, Dane::NotKnown)
    }

    /// Decides on the next candidate, given the result of DANE so far.
    pub fn candidate_with_dane(&mut self, mx: &Mx, dane: Dane) -> Candidate {
        let host = match mx {
            // RFC 7505 §3: nothing is delivered there, whatever any policy says.
            Mx::Null => {
                let failure = Failure::new(FailureKind::NullMx, None, None);
                return Candidate::Skip(self.result(
                    None,
                    Some(failure),
                    DaneState::NotKnown,
                    None,
                ));
            }
            Mx::Host(host) => Some(host.clone()),
            Mx::Unmatchable(_) => None,
        };
        let dane = DaneState::of(dane, host.as_ref());
        let (rules, unmatched) = (self.rules(), self.unmatched(host.as_ref()));
        // DANE of which the result is not known yet may still vouch for the host.
        let hoped = if dane == DaneState::NotKnown { DaneState::Passed } else { dane };
        let objections = rules.objections(unmatched, hoped, None);
        if let Some(failure) = self.refusal(host.as_ref(), objections) {
            return Candidate::Skip(self.result(host, Some(failure), dane, None));
        }
        self.outstanding = self.outstanding.saturating_add(1);
        self.could_refuse = self.could_refuse.and(rules.refusers(dane));
        let delivery = Arc::clone(&self.mark);
        Candidate::Connect(Attempt { host, rules, dane, unmatched, delivery })
    }

    /// Decides if the mail may go to the candidate, given the course of the session with it.
    ///
    /// An attempt of another delivery is refused here, and stays without a verdict there.
    pub fn judge(&mut self, attempt: Attempt, session: Session) -> Verdict {
        let Attempt { host, rules, dane, unmatched, delivery } = attempt;
        if !Arc::ptr_eq(&delivery, &self.mark) {
            self.refusals = self.refusals.and(self.rules().refusers(dane));
            let failure = Failure::new(FailureKind::OtherDelivery, host.clone(), TRANSIENT);
            return Verdict::Refuse(self.result(host, Some(failure), dane, None));
        }
        self.outstanding = self.outstanding.saturating_sub(1);
        let fault = session.fault(host.as_ref());
        if fault == Some(FailureKind::Connection) {
            // As good as not there: TLS says nothing for or against the host. What its name says
            // stands, if DANE did not vouch for it as was hoped.
            self.refusals = self.refusals.and(rules.objections(unmatched, dane, None).by);
            let failure = Failure::new(FailureKind::Connection, host.clone(), None);
            return Verdict::Refuse(self.result(host, Some(failure), dane, None));
        }
        let is_tls = !fault.is_some_and(FailureKind::is_without_tls);
        let objections = rules.objections(unmatched, dane, fault);
        if let Some(failure) = self.refusal(host.as_ref(), objections) {
            return Verdict::Refuse(self.result(host, Some(failure), dane, Some(is_tls)));
        }
        let reported = match rules.policy {
            // RFC 8461 §5: in mode "testing" the failure is reported, and the mail goes.
            Mode::Testing => Some(FailureKind::MxMismatch).filter(|_| unmatched.policy).or(fault),
            // RFC 8460 §4.4: a session without TLS is no success, whatever was demanded.
            Mode::Enforce | Mode::None => fault.filter(|_| !is_tls),
        };
        let failure = reported.map(|kind| Failure::new(kind, host.clone(), None));
        Verdict::Deliver(self.result(host, failure, dane, Some(is_tls)))
    }

    /// Concludes that every candidate was tried and none took the mail.
    pub fn conclude(self) -> Conclusion {
        // An attempt without a verdict counts as refused by all that could have refused it: its
        // absence must never permit a bounce.
        let unjudged = if self.outstanding > 0 { self.could_refuse } else { Refusers::default() };
        let refusals = self.refusals.and(unjudged);
        match self.refused_by.filter(|_| refusals.policy) {
            Some(refused) => Conclusion::Retry(Retry::new(refused)),
            None if refusals.any() => Conclusion::LocalDemand,
            None => Conclusion::Open,
        }
    }

    fn rules(&self) -> Rules {
        let requirements = &self.requirements;
        let mode = self.policy().map_or(Mode::None, HeldPolicy::mode);
        // RFC 8689 §3: "TLS-Required: No" asks for delivery in spite of a policy; what fails is
        // still reported. REQUIRETLS on the same mail takes precedence (§4.1).
        let lifted = requirements.lifts_enforcement();
        Rules {
            policy: if lifted { mode.min(Mode::Testing) } else { mode },
            forced: requirements.patterns().is_some(),
            require: requirements.required(),
            require_tls: requirements.requires_tls(),
            dane_suffices: requirements.lets_dane_suffice(),
        }
    }

    /// The patterns that the host does not match.
    fn unmatched(&self, host: Option<&DnsName>) -> Unmatched {
        let policy = self.policy().filter(|held| held.mode() != Mode::None);
        let allowed = policy.map(|held| host.is_some_and(|host| held.policy().matches(host)));
        let patterns = self.requirements.patterns();
        let demanded = patterns.map(|patterns| host.is_some_and(|host| patterns.matches(host)));
        Unmatched {
            policy: allowed == Some(false),
            forced: demanded == Some(false),
            any: allowed != Some(true) && demanded != Some(true) && !self.secure_mx,
        }
    }

    /// Notes who objects. Returns the failure if there is an objection.
    fn refusal(&mut self, host: Option<&DnsName>, objections: Objections) -> Option<Failure> {
        self.refusals = self.refusals.and(objections.by);
        // RFC 8461 §5: "MTAs SHOULD treat such failures as transient errors".
        objections.kind.map(|kind| Failure::new(kind, host.cloned(), TRANSIENT))
    }

    /// The session as a report counts it. `is_tls` says if TLS was set up; `None` if no session was
    /// tried.
    fn result(
        &self,
        host: Option<DnsName>,
        failure: Option<Failure>,
        dane: DaneState,
        is_tls: Option<bool>,
    ) -> SessionResult {
        let policy = self.policy().map(|held| held.policy().clone());
        let is_none = policy.as_ref().is_some_and(|policy| policy.mode() == Mode::None);
        let count = match &failure {
            None => SessionCount::Succeeded,
            Some(failure) if failure.result_type().is_none() => SessionCount::NotCounted,
            // RFC 8461 §6: not "if that policy's mode is none".
            Some(_) if is_none && is_tls == Some(false) && !dane.is_used() => {
                SessionCount::NotCounted
            }
            Some(_) => SessionCount::Failed,
        };
        SessionResult { host, failure, policy, dane, is_tls, count }
    }
}

/// The enhanced status code of a refusal (RFC 3463 §3.8: cryptographic failure).
const TRANSIENT: Option<&str> = Some("4.7.5");

#[cfg(test)]
mod tests;
