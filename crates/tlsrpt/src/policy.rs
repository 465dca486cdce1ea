//! The policy that was applied to a session, as a report names it (RFC 8460 §4.4, §4.5).

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};

use super::text::{Lines, Named};
use mta_sts::MxPattern;
use mta_sts::lookup::{Decision, Outcome, Problem};
use mta_sts::{DnsName, PolicyDomain};
use mta_sts::{Mode, Policy};

/// The type of a policy (RFC 8460 §4.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[non_exhaustive]
pub enum PolicyType {
    /// DANE: TLSA records.
    Tlsa,
    /// MTA-STS.
    Sts,
    /// Neither.
    NoPolicyFound,
}

impl PolicyType {
    const ALL: [Self; 3] = [Self::Tlsa, Self::Sts, Self::NoPolicyFound];

    /// The value of `policy-type`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tlsa => "tlsa",
            Self::Sts => "sts",
            Self::NoPolicyFound => "no-policy-found",
        }
    }

    /// The type that a value of `policy-type` names, exact in case.
    ///
    /// ```
    /// use mta_sts_tlsrpt::PolicyType;
    ///
    /// assert_eq!(PolicyType::parse("sts"), Some(PolicyType::Sts));
    /// assert_eq!(PolicyType::parse("STS"), None);
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| policy.as_str() == text)
    }
}

impl fmt::Display for PolicyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The policy that was applied to sessions with a domain, as a report names it
/// (RFC 8460 §4.4, §4.5). It shares the text of the policy that it is made from: making and cloning
/// one takes the memory of the domain's name, however long the policy is.
///
/// ```
/// use mta_sts_tlsrpt::{PolicyType, ReportedPolicy};
/// use mta_sts::{Policy, PolicyDomain, Profile};
///
/// let domain = PolicyDomain::parse("example.com")?;
/// let text = b"version: STSv1\r\nmode: enforce\r\nmx: *.example.com\r\nmax_age: 86400\r\n";
/// let policy = Policy::parse(text, Profile::Strict)?;
///
/// let reported = ReportedPolicy::applied(&domain, Some(&policy));
/// assert_eq!(reported.policy_type(), Some(PolicyType::Sts));
/// let lines: Vec<_> = reported.policy_string().collect();
/// assert_eq!(lines, ["version: STSv1", "mode: enforce", "mx: *.example.com", "max_age: 86400"]);
/// assert_eq!(reported.mx_host().collect::<Vec<_>>(), ["*.example.com"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct ReportedPolicy {
    pub(super) policy_domain: Arc<str>,
    pub(super) policy_type: Named<PolicyType>,
    pub(super) published: Published,
}

/// The publication of a domain, as it is kept. Clones share it.
#[derive(Clone)]
pub(super) enum Published {
    /// A policy: the one that is held, not a copy.
    Policy(Policy),
    /// Other text, or text that a report was read from.
    Text { policy_string: Lines, mx_host: Lines },
}

impl Published {
    const NOTHING: Self = Self::Text { policy_string: Lines::EMPTY, mx_host: Lines::EMPTY };
}

impl ReportedPolicy {
    fn new(domain: &PolicyDomain, policy_type: PolicyType) -> Self {
        Self {
            policy_domain: domain.as_str().into(),
            policy_type: Named::Known(policy_type),
            published: Published::NOTHING,
        }
    }

    /// The MTA-STS policy that was applied, with its lines as fetched. None, and one of the mode
    /// `none`, is reported as `no-policy-found`: neither asks anything of a session.
    pub fn applied(domain: &PolicyDomain, policy: Option<&Policy>) -> Self {
        match policy.filter(|policy| policy.mode() != Mode::None) {
            None => Self::new(domain, PolicyType::NoPolicyFound),
            Some(policy) => Self {
                published: Published::Policy(policy.clone()),
                ..Self::new(domain, PolicyType::Sts)
            },
        }
    }

    /// The policy of what a lookup found: the one to apply; else, where one is announced but could
    /// not be had, MTA-STS with whatever was fetched in its place ("including any errors that may
    /// be present", RFC 8460 §4.5); else none.
    ///
    /// ```
    /// use mta_sts_tlsrpt::{PolicyType, ReportedPolicy};
    /// use mta_sts::lookup::{AfterTxt, Start};
    /// use mta_sts::{Held, Lookup, PolicyDomain, UnixTime};
    ///
    /// let now = UnixTime::from_secs(1_800_000_000);
    /// let lookup = Lookup::new(PolicyDomain::parse("example.com")?, Held::Nothing);
    /// let Start::QueryTxt(query) = lookup.start(now) else { panic!("nothing is held") };
    /// let AfterTxt::Store(store) = query.absent(60, now) else { panic!("no record is published") };
    /// let merged = store.entry().clone();
    /// let outcome = store.stored(merged);
    /// let reported = ReportedPolicy::of_lookup(&outcome);
    /// assert_eq!(reported.policy_type(), Some(PolicyType::NoPolicyFound));
    /// # Ok::<(), mta_sts::NameError>(())
    /// ```
    pub fn of_lookup(outcome: &Outcome) -> Self {
        let domain = outcome.domain();
        let announced = match (outcome.policy(), outcome.problem()) {
            (None, Some(Problem::PolicyInvalid { text, .. })) => Some(Some(text)),
            (
                None,
                Some(Problem::Fetch(_) | Problem::BackingOff { .. } | Problem::FetchLimited { .. }),
            ) => Some(None),
            _ => None,
        };
        match announced {
            Some(text) => Self {
                published: Published::Text {
                    policy_string: Lines::collect(text.into_iter().flat_map(|text| text.lines())),
                    mx_host: Lines::EMPTY,
                },
                ..Self::new(domain, PolicyType::Sts)
            },
            None => Self::applied(domain, outcome.policy().map(mta_sts::HeldPolicy::policy)),
        }
    }

    /// The policy of a [`Decision`] from memory.
    pub fn of_decision(domain: &PolicyDomain, decision: &Decision<'_>) -> Self {
        Self::applied(domain, decision.policy().map(mta_sts::HeldPolicy::policy))
    }

    /// The TLSA records that were applied to sessions with one MX host: each the RDATA in
    /// presentation format without spaces within a field (RFC 8460 §4.5). They are kept as far as
    /// they fit 131,072 octets.
    ///
    /// ```
    /// use mta_sts_tlsrpt::ReportedPolicy;
    /// use mta_sts::{DnsName, PolicyDomain};
    ///
    /// let domain = PolicyDomain::parse("example.com")?;
    /// let mx = DnsName::parse("mx.example.com")?;
    /// let policy = ReportedPolicy::tlsa(&domain, &mx, ["3 0 1 1F850A337E6DB9C6"]);
    /// assert_eq!(policy.policy_string().next(), Some("3 0 1 1F850A337E6DB9C6"));
    /// assert_eq!(policy.mx_host().next(), Some("mx.example.com"));
    /// # Ok::<(), mta_sts::NameError>(())
    /// ```
    pub fn tlsa<'r>(
        domain: &PolicyDomain,
        mx: &DnsName,
        records: impl IntoIterator<Item = &'r str>,
    ) -> Self {
        Self {
            published: Published::Text {
                policy_string: Lines::collect(records.into_iter()),
                mx_host: Lines::collect(core::iter::once(mx.as_str())),
            },
            ..Self::new(domain, PolicyType::Tlsa)
        }
    }

    /// The type; `None` where a report that was read names one that RFC 8460 does not.
    pub const fn policy_type(&self) -> Option<PolicyType> {
        self.policy_type.known()
    }

    /// The value of `policy-type`.
    pub fn policy_type_str(&self) -> &str {
        match &self.policy_type {
            Named::Known(policy_type) => policy_type.as_str(),
            Named::Other(text) => text,
        }
    }

    /// The policy as it was published: its lines, or its TLSA records.
    pub fn policy_string(&self) -> impl Iterator<Item = &str> {
        match &self.published {
            Published::Policy(policy) => policy.as_str().lines(),
            Published::Text { policy_string, .. } => policy_string.iter(),
        }
    }

    /// The Policy Domain, as A-labels where this crate made it; empty where a report that was read
    /// has none.
    pub fn policy_domain(&self) -> &str {
        &self.policy_domain
    }

    /// The patterns of MX hosts, of the policy; or the MX host that the TLSA records belong to.
    pub fn mx_host(&self) -> impl Iterator<Item = &str> {
        let (policy, text) = match &self.published {
            Published::Policy(policy) => (Some(policy), None),
            Published::Text { mx_host, .. } => (None, Some(mx_host)),
        };
        let patterns = policy.into_iter().flat_map(Policy::mx).map(MxPattern::as_str);
        patterns.chain(text.into_iter().flat_map(Lines::iter))
    }

    /// Returns `true` if both hold one policy in one piece of memory, so that nothing need be
    /// compared.
    fn shares_policy(&self, other: &Self) -> bool {
        match (&self.published, &other.published) {
            (Published::Policy(a), Published::Policy(b)) => core::ptr::eq(a.as_str(), b.as_str()),
            _ => false,
        }
    }
}

/// Two are equal if a report names them alike, however they were made.
impl PartialEq for ReportedPolicy {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for ReportedPolicy {}

impl PartialOrd for ReportedPolicy {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ReportedPolicy {
    fn cmp(&self, other: &Self) -> Ordering {
        let domain = self.policy_domain.cmp(&other.policy_domain);
        domain.then_with(|| self.policy_type.cmp(&other.policy_type)).then_with(|| {
            if self.shares_policy(other) {
                return Ordering::Equal;
            }
            let lines = self.policy_string().cmp(other.policy_string());
            lines.then_with(|| self.mx_host().cmp(other.mx_host()))
        })
    }
}

impl Hash for ReportedPolicy {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.policy_domain.hash(state);
        self.policy_type.hash(state);
        self.policy_string().for_each(|line| line.hash(state));
        self.mx_host().for_each(|host| host.hash(state));
    }
}

impl fmt::Debug for ReportedPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReportedPolicy")
            .field("policy_domain", &self.policy_domain)
            .field("policy_type", &self.policy_type_str())
            .field("policy_string", &self.policy_string().collect::<Vec<_>>())
            .field("mx_host", &self.mx_host().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
