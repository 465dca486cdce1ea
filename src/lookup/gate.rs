//! The bounce gate: no permanent failure before DNS was asked again (RFC 8461 §5).

use alloc::boxed::Box;
use alloc::sync::Arc;

use super::outcome::{Asked, Outcome, Status};
use super::{Held, Limits, Lookup, QueryTxt, Recheck};
use crate::entry::{Entry, HeldPolicy, Remembered};
use crate::name::PolicyDomain;
use crate::policy::{Mode, Policy};
use crate::record::PolicyId;
use crate::time::UnixTime;

/// The policy that refused the mail: the lookup of the gate is compared with it.
#[derive(Debug)]
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

    pub(crate) const fn domain(&self) -> &PolicyDomain {
        &self.domain
    }

    /// Returns `true` if the outcome shows that nothing newer is published than this policy.
    fn still_stands(&self, outcome: &Outcome) -> bool {
        let Some(policy) = outcome.policy().filter(|held| held.mode() == Mode::Enforce) else {
            return false;
        };
        let same_generation = outcome.entry.generation() == self.generation;
        let same_policy =
            policy.id() == self.id && policy.policy().as_str() == self.policy.as_str();
        // What the store remembers after the merge is the last answer that anybody got. If that was
        // another id, it is not known by now what that one announces.
        let last = outcome.entry.recall(outcome.decided_at);
        // RFC 8461 §5: "MUST NOT permanently fail to deliver messages before checking, via DNS,
        // for the presence of an updated policy".
        let nothing_newer = match (outcome.status, outcome.asked) {
            // The gate's own answer must name the id. After a merge the confirmation may come from
            // the answer that another lookup got.
            (Status::Confirmed, Asked::Id(id)) => {
                same_generation && id == self.id && last == Some(Remembered::Id(id))
            }
            // RFC 8461 §3.1: several records, or a malformed one, announce nothing.
            (Status::Held, Asked::NoId) => {
                same_generation && matches!(last, Some(Remembered::Absent | Remembered::Malformed))
            }
            (Status::Found, Asked::Id(_)) => true,
            _ => false,
        };
        same_policy && nothing_newer
    }
}

/// The gate before a permanent failure of one delivery (RFC 8461 §5).
///
/// It comes with the question that must be answered first:
/// [`Retry::recheck`](crate::delivery::Retry::recheck). It knows the outcome of that question from
/// every other outcome, and it is consumed by [`permit`](Self::permit), so one conclusion gives one
/// permission at most.
#[derive(Debug)]
#[must_use = "without the gate's permission the mail stays in the queue"]
pub struct Gate(Arc<Refused>);

impl Gate {
    /// Starts the lookup that asks DNS for one refused delivery.
    pub(crate) fn recheck(
        refused: Refused,
        held: Held,
        limits: Limits,
        now: UnixTime,
    ) -> (QueryTxt, Self) {
        let refused = Arc::new(refused);
        let lookup = Lookup::new(refused.domain.clone(), held).recheck(Recheck::Always);
        let mut context = lookup.limits(limits).context(now);
        context.gate = Some(Arc::clone(&refused));
        (QueryTxt(Box::new(context)), Self(refused))
    }

    /// The Policy Domain of the refused delivery.
    pub fn domain(&self) -> &PolicyDomain {
        self.0.domain()
    }

    /// Consumes the gate. Returns the permission to fail the mail permanently if `outcome` is the
    /// outcome of the gate's own question, the question is no older than
    /// [`BounceToken::FRESH_SECS`], and DNS answered and announced nothing that was not read: the
    /// policy that refused the mail still stands, in DNS and in the store. A store that could
    /// neither be read nor written says nothing, and gives no permission.
    ///
    /// `None` means that the mail stays in the queue. If the outcome has another policy, try to
    /// deliver under that one.
    pub fn permit(self, outcome: &Outcome, now: UnixTime) -> Option<BounceToken> {
        let is_own = outcome.gate.as_ref().is_some_and(|gate| Arc::ptr_eq(gate, &self.0));
        let token = BounceToken { domain: self.0.domain.clone(), asked_at: outcome.asked_at };
        let stands = outcome.is_store_seen && self.0.still_stands(outcome);
        (is_own && stands && token.is_fresh(now)).then_some(token)
    }
}

/// The permission to fail one mail to one Policy Domain permanently: DNS was asked again after the
/// refusal, it answered, and nothing newer is published than the policy that refused the mail
/// (RFC 8461 §5).
///
/// Only the gate of a refused delivery makes one:
///
/// ```compile_fail,E0451
/// let domain = mta_sts::PolicyDomain::parse("example.com").unwrap();
/// let token = mta_sts::BounceToken { domain, asked_at: mta_sts::UnixTime::EPOCH };
/// ```
///
/// It cannot be copied, so it is good for one mail:
///
/// ```compile_fail,E0599
/// # fn f(token: mta_sts::BounceToken) {
/// let (first, second) = (token.clone(), token);
/// # }
/// ```
#[derive(Debug)]
#[must_use = "it is the permission to bounce"]
pub struct BounceToken {
    domain: PolicyDomain,
    asked_at: UnixTime,
}

impl BounceToken {
    /// The time in seconds for which a token is good after DNS was asked: a policy that is published
    /// later must be looked for again.
    pub const FRESH_SECS: u64 = 300;

    /// The Policy Domain that it is good for.
    pub const fn domain(&self) -> &PolicyDomain {
        &self.domain
    }

    /// The time of the question that DNS answered.
    pub const fn asked_at(&self) -> UnixTime {
        self.asked_at
    }

    /// Returns `true` if DNS was asked no longer than [`FRESH_SECS`](Self::FRESH_SECS) ago. A time
    /// that lies further ahead than that is the word of a wrong clock, and not fresh either.
    pub fn is_fresh(&self, now: UnixTime) -> bool {
        let age = now.secs_since(self.asked_at).max(self.asked_at.secs_since(now));
        age <= Self::FRESH_SECS
    }
}
