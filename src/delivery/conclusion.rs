//! The meaning of a delivery whose candidates are all spent.

use crate::lookup::gate::Refused;
use crate::lookup::{Gate, Held, Limits, QueryTxt};
use crate::name::PolicyDomain;
use crate::time::UnixTime;

/// The meaning of a delivery of which every candidate was tried and none took the mail.
#[derive(Debug)]
#[must_use]
pub enum Conclusion {
    /// No policy refused any of them: the rules of SMTP alone decide.
    Open,
    /// Only the sender's own demands (REQUIRETLS, an operator's rule, DANE) refused any. The sender
    /// decides on the meaning; for [`Require`](super::Require) it is to defer.
    LocalDemand,
    /// The domain's policy refused at least one: a transient failure. The mail stays in the queue;
    /// before it may fail permanently the policy must be looked up again (RFC 8461 §5).
    Retry(Retry),
}

/// A delivery that failed by policy: a transient failure, until the gate says otherwise.
///
/// There is no permission to bounce without the gate's own lookup,
///
/// ```compile_fail,E0277
/// # fn f(outcome: mta_sts::Outcome) {
/// let token = mta_sts::BounceToken::from(outcome);
/// # }
/// ```
///
/// and each refusal is rechecked by one lookup, with one gate:
///
/// ```compile_fail,E0382
/// # use mta_sts::{Held, Limits, UnixTime};
/// # fn f(retry: mta_sts::delivery::Retry, limits: Limits, now: UnixTime) {
/// let first = retry.recheck(Held::Nothing, limits, now);
/// let second = retry.recheck(Held::Nothing, limits, now); // it was rechecked
/// # }
/// ```
/// ```compile_fail,E0382
/// # fn f(gate: mta_sts::lookup::Gate, outcome: mta_sts::Outcome, now: mta_sts::UnixTime) {
/// let first = gate.permit(&outcome, now);
/// let second = gate.permit(&outcome, now); // it gave its answer
/// # }
/// ```
#[derive(Debug)]
#[must_use = "the mail stays queued; see `recheck`"]
pub struct Retry(Refused);

impl Retry {
    pub(super) const fn new(refused: Refused) -> Self {
        Self(refused)
    }

    /// The Policy Domain whose policy refused the mail.
    pub const fn domain(&self) -> &PolicyDomain {
        self.0.domain()
    }

    /// Starts the lookup that must show that nothing newer is published, before the mail may fail
    /// permanently. It asks DNS now, so it is later than the last failure. `held` is what the store
    /// holds now, not the entry that the delivery began with.
    ///
    /// Hand the lookup's outcome to [`Gate::permit`]. Either it returns the permission; or the
    /// outcome has another policy: then deliver again, under that one; or DNS was silent or
    /// announced what cannot be fetched: then the mail stays in the queue.
    pub fn recheck(self, held: Held, limits: Limits, now: UnixTime) -> (QueryTxt, Gate) {
        Gate::recheck(self.0, held, limits, now)
    }
}
