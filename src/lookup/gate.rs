//! The bounce gate: no permanent failure before DNS was asked again (RFC 8461 §5).

use super::outcome::{Asked, Outcome, Status};
use crate::entry::{Entry, HeldPolicy};
use crate::name::PolicyDomain;
use crate::policy::{Mode, Policy};
use crate::record::PolicyId;

/// Which policy refused the mail: what the lookup of the gate is compared with.
#[derive(Debug, Clone)]
pub(crate) struct Refused {
    domain: PolicyDomain,
    generation: u64,
    id: PolicyId,
    policy: Policy,
}

impl Refused {
    pub(crate) fn new(entry: &Entry, policy: &HeldPolicy) -> Self {
        Self {
            domain: entry.domain().clone(),
            generation: entry.generation(),
            id: policy.id(),
            policy: policy.policy().clone(),
        }
    }

    pub(super) fn permit(&self, outcome: &Outcome) -> Option<BounceToken> {
        let policy = outcome.policy().filter(|p| p.policy().mode() == Mode::Enforce)?;
        let same_generation = outcome.entry.generation() == self.generation;
        let same_policy =
            policy.id() == self.id && policy.policy().as_str() == self.policy.as_str();
        // RFC 8461 §5: "MUST NOT permanently fail to deliver messages before checking, via DNS,
        // for the presence of an updated policy".
        let nothing_newer = match (outcome.status, outcome.asked) {
            (Status::Confirmed, Asked::Id(_)) => same_generation,
            (Status::Held, Asked::NoId) => same_generation,
            (Status::Found, Asked::Id(_)) => true,
            _ => false,
        };
        (outcome.domain() == &self.domain && same_policy && nothing_newer)
            .then(|| BounceToken(self.domain.clone()))
    }
}

/// The permission to fail mail to one Policy Domain permanently: DNS was asked again after the last
/// failure, it answered, and nothing newer is published than the policy that refused the mail
/// (RFC 8461 §5).
///
/// There is one way to come by it: the lookup that the conclusion of a refused delivery hands out.
///
/// ```compile_fail,E0423
/// let domain = mta_sts::PolicyDomain::parse("example.com").unwrap();
/// let token = mta_sts::BounceToken(domain);
/// ```
#[derive(Debug)]
pub struct BounceToken(PolicyDomain);

impl BounceToken {
    /// The Policy Domain that it is good for.
    pub const fn domain(&self) -> &PolicyDomain {
        &self.0
    }
}
