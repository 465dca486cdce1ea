//! Applying a policy to the hosts of a delivery (RFC 8461 §4, §5).
//!
//! A [`Delivery`] is made of what a lookup found and what the sender demands. For each candidate
//! MX, in the order that DNS gave (RFC 8461 §8.4: never filtered beforehand), it says whether to
//! connect and what TLS must fulfil there; of what came of it, whether the mail may go there. When
//! all candidates are spent, the [`Conclusion`] says what that means.
//!
//! ```text
//! Delivery ── candidate(mx) ──▶ Skip(failure)                       next candidate
//!                          └──▶ Connect(attempt) ── verdict ──▶ Deliver | Refuse(failure)
//! Delivery ── conclude() ──▶ Open | LocalDemand | Retry ── recheck(held) ──▶ Lookup ─▶ Outcome
//!                                                          Outcome::bounce_token() ─▶ BounceToken
//! ```
//!
//! # Example
//! ```
//! use mta_sts::delivery::{Candidate, Conclusion, Delivery, Mx, Requirements};
//! # use mta_sts::{Held, lookup::Head, Lookup, PolicyDomain, PolicyHostVerified, Step, UnixTime};
//! # let now = UnixTime::from_secs(1_800_000_000);
//! # let Step::QueryTxt(q) = Lookup::new(PolicyDomain::parse("example.com")?).start(now) else { panic!() };
//! # let Step::FetchPolicy(f) = q.answered([["v=STSv1; id=1;"]], 300, now) else { panic!() };
//! # let verified = PolicyHostVerified::assertion(f.host());
//! # let head = Head { status: 200, content_type: Some(b"text/plain"), content_encoding: None };
//! # let Step::ReadBody(mut b) = f.responded(verified, head, now) else { panic!() };
//! # assert!(b.chunk(b"version: STSv1\nmode: enforce\nmx: *.example.com\nmax_age: 86400\n").is_continue());
//! # let Step::Store(s) = b.ended(now) else { panic!() };
//! # let Step::Done(outcome) = s.stored() else { panic!() };
//! let mut delivery = Delivery::new(&outcome, Requirements::default());
//!
//! // The first host is not one that the policy allows.
//! assert!(matches!(delivery.candidate(&Mx::parse("mx.example.net")), Candidate::Skip(_)));
//!
//! // The second is, but offers no STARTTLS.
//! let Candidate::Connect(attempt) = delivery.candidate(&Mx::parse("mx.example.com")) else {
//!     panic!("it matches *.example.com");
//! };
//! assert!(attempt.no_starttls(&mut delivery).is_refused());
//!
//! // All failed by policy: a transient failure, and no bounce before DNS was asked again.
//! let Conclusion::Retry(retry) = delivery.conclude() else { panic!() };
//! let Step::QueryTxt(query) = retry.recheck(Held::Entry(outcome.into_entry())).start(now) else { panic!() };
//! let Step::Store(store) = query.answered([["v=STSv1; id=1;"]], 300, now) else { panic!() };
//! let Step::Done(outcome) = store.stored() else { panic!() };
//! assert!(outcome.bounce_token().is_some_and(|token| token.domain().as_str() == "example.com"));
//! # Ok::<(), mta_sts::NameError>(())
//! ```
//!
//! # What the driver owes a delivery
//! 1. The candidates are those that DNS or the configuration names, in their order; the name is that
//!    of the MX record, not the target of a CNAME (RFC 8461 §4.1).
//! 2. Where there is no MX record the domain itself is the one candidate (RFC 5321 §5.1).
//! 3. SNI is the MX host (RFC 8461 §7.1), TLS is 1.2 or later (§7.2).
//! 4. [`MxVerified::assertion`](crate::MxVerified::assertion) is made only of a certificate that is
//!    within its time, chains to a trusted root, and has the MX host among its SAN DNS-IDs (§4.2).
//! 5. Before STARTTLS nothing of the mail is sent, and what was learnt before it is discarded after
//!    it (RFC 3207 §4.2).
//! 6. For mail through a smart host, the smart host's name is the Policy Domain that was looked up
//!    (§3.4); a subdomain's policy is never that of its parent; address literals have none
//!    ([`Delivery::without_policy`]).
//! 7. Each attempt gets its verdict, on the delivery that it came from.

mod attempt;
mod conclusion;
mod failure;
mod requirements;

use alloc::boxed::Box;

use crate::entry::HeldPolicy;
use crate::lookup::Outcome;
use crate::lookup::gate::Refused;
use crate::name::{DnsName, PolicyDomain};
use crate::policy::Mode;

pub use attempt::{Attempt, TlsDuty, Verdict};
pub use conclusion::{Conclusion, Retry};
pub use failure::{Failure, FailureKind};
pub use requirements::{Dane, Demand, Requirements};

/// One candidate host, as the MX record names it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
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

/// What to do with a candidate.
#[derive(Debug)]
#[must_use]
pub enum Candidate {
    /// Connect, and give the attempt its verdict.
    Connect(Attempt),
    /// Treat it as unreachable (RFC 8461 §8.4) and go on to the next.
    Skip(Failure),
}

/// One attempt to deliver to one domain, over all of its candidate hosts.
#[derive(Debug)]
pub struct Delivery {
    domain: Option<PolicyDomain>,
    policy: Option<HeldPolicy>,
    refused_by: Option<Refused>,
    requirements: Requirements,
    secure_mx: bool,
    refusals: Refusals,
}

/// Who refused candidates so far.
#[derive(Debug, Clone, Copy, Default)]
struct Refusals {
    by_policy: bool,
    by_demand: bool,
}

/// The rules of one candidate, once it is known what applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rules {
    /// The policy's mode, lowered by `TLS-Required: No`; [`Mode::None`] without a policy.
    policy: Mode,
    /// The operator demands verified TLS to hosts of its own choice.
    forced: bool,
    /// The mail demands verified TLS.
    require_tls: bool,
    /// DANE, where it passes, takes the place of PKIX and of the policy's patterns.
    dane_suffices: bool,
}

impl Delivery {
    /// A delivery under what a lookup found, to be made as soon as that is known: the policy is
    /// the one that applied then. The lookup's domain is the next hop: the recipient's domain or
    /// the smart host's (RFC 8461 §3.4).
    pub fn new(outcome: &Outcome, requirements: Requirements) -> Self {
        let policy = outcome.policy().cloned();
        let refused_by = policy.as_ref().map(|held| Refused::new(outcome.entry(), held));
        let domain = Some(outcome.domain().clone());
        let refusals = Refusals::default();
        Self { domain, policy, refused_by, requirements, secure_mx: false, refusals }
    }

    /// A delivery to which no policy can belong: an address literal (RFC 8461 §3.4). The sender's
    /// own requirements still hold.
    pub fn without_policy(requirements: Requirements) -> Self {
        let refusals = Refusals::default();
        let (domain, policy, refused_by) = (None, None, None);
        Self { domain, policy, refused_by, requirements, secure_mx: false, refusals }
    }

    /// Whether the names of the candidates are secure: DNSSEC signs the MX records, or their
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

    /// The policy that applies, if any; one of mode `none` is as good as none (RFC 8461 §5).
    pub fn policy(&self) -> Option<&HeldPolicy> {
        if self.requirements.is_off() { None } else { self.policy.as_ref() }
    }

    /// What to do with the next candidate, of which nothing is known of DANE.
    pub fn candidate(&mut self, mx: &Mx) -> Candidate {
        self.candidate_with_dane(mx, Dane::NotKnown)
    }

    /// What to do with the next candidate, given what DANE says of it so far.
    pub fn candidate_with_dane(&mut self, mx: &Mx, dane: Dane) -> Candidate {
        let host = match mx {
            // RFC 7505 §3: nothing is delivered there, whatever any policy says.
            Mx::Null => return Candidate::Skip(Failure::new(FailureKind::NullMx, None, None)),
            Mx::Host(host) => Some(host.clone()),
            Mx::Unmatchable(_) => None,
        };
        let unmatched = self.unmatched(host.as_ref());
        let attempt = Attempt { host, rules: self.rules(), dane, unmatched };
        match attempt.refusal(attempt.objections_before_connecting(), self) {
            Some(failure) => Candidate::Skip(failure),
            None => Candidate::Connect(attempt),
        }
    }

    /// What it means that every candidate was tried and none took the mail.
    pub fn conclude(self) -> Conclusion {
        match self.refused_by.filter(|_| self.refusals.by_policy).zip(self.domain) {
            Some((refused, domain)) => Conclusion::Retry(Retry::new(refused, domain)),
            None if self.refusals.by_demand => Conclusion::LocalDemand,
            None => Conclusion::Open,
        }
    }

    fn rules(&self) -> Rules {
        let requirements = &self.requirements;
        let mode = self.policy().map_or(Mode::None, |held| held.policy().mode());
        // RFC 8689 §3: "TLS-Required: No" asks for delivery in spite of a policy; what fails is
        // still reported. REQUIRETLS on the same mail takes precedence (§4.1).
        let lifted = requirements.lifts_enforcement();
        Rules {
            policy: if lifted { mode.min(Mode::Testing) } else { mode },
            forced: requirements.patterns().is_some(),
            require_tls: requirements.requires_tls(),
            dane_suffices: requirements.lets_dane_suffice(),
        }
    }

    /// Whose patterns the host does not match.
    fn unmatched(&self, host: Option<&DnsName>) -> Unmatched {
        let policy = self.policy().filter(|held| held.policy().mode() != Mode::None);
        let allowed = policy.map(|held| host.is_some_and(|host| held.policy().matches(host)));
        let patterns = self.requirements.patterns();
        let demanded = patterns.map(|patterns| host.is_some_and(|host| patterns.matches(host)));
        Unmatched {
            policy: allowed == Some(false),
            forced: demanded == Some(false),
            any: allowed != Some(true) && demanded != Some(true) && !self.secure_mx,
        }
    }
}

/// Whose patterns a host does not match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Unmatched {
    /// The published policy's.
    policy: bool,
    /// The operator's.
    forced: bool,
    /// Anybody's, and the name is not secure by itself: nothing vouches for it.
    any: bool,
}

#[cfg(test)]
mod tests;
