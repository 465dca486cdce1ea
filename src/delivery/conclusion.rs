//! What it means that no candidate took the mail.

use crate::lookup::gate::Refused;
use crate::lookup::{Held, Lookup};
use crate::name::PolicyDomain;

/// What it means that every candidate was tried and none took the mail.
#[derive(Debug)]
#[must_use]
pub enum Conclusion {
    /// No policy refused any of them: the rules of SMTP alone decide.
    Open,
    /// Only the sender's own demands (REQUIRETLS, an operator's override, DANE) refused any: what
    /// that means is the sender's to say.
    LocalDemand,
    /// The domain's policy refused at least one: a transient failure. The mail stays in the queue;
    /// before it may fail permanently the policy must be looked up again (RFC 8461 §5).
    Retry(Retry),
}

/// A delivery that failed by policy: a transient failure, until the gate says otherwise.
///
/// Neither can be made up: there is no permission to bounce without the gate's own lookup,
///
/// ```compile_fail,E0308
/// # fn f(outcome: mta_sts::Outcome) {
/// let token = mta_sts::BounceToken::from(outcome);
/// # }
/// ```
///
/// and none for a domain of the caller's choice:
///
/// ```compile_fail,E0560
/// # fn f(token: mta_sts::BounceToken, other: mta_sts::PolicyDomain) {
/// let token = mta_sts::BounceToken { domain: other, ..token };
/// # }
/// ```
///
/// Each refusal is rechecked by one lookup:
///
/// ```compile_fail,E0382
/// # fn f(retry: mta_sts::delivery::Retry) {
/// let first = retry.recheck(mta_sts::Held::Nothing);
/// let second = retry.recheck(mta_sts::Held::Nothing); // it was rechecked
/// # }
/// ```
#[derive(Debug)]
#[must_use = "the mail stays queued; see `recheck`"]
pub struct Retry {
    refused: Refused,
    domain: PolicyDomain,
}

impl Retry {
    pub(super) const fn new(refused: Refused, domain: PolicyDomain) -> Self {
        Self { refused, domain }
    }

    /// The Policy Domain whose policy refused the mail.
    pub const fn domain(&self) -> &PolicyDomain {
        &self.domain
    }

    /// The lookup that must show that nothing newer is published, before the mail may fail
    /// permanently. It asks DNS now, so it is later than the last failure.
    ///
    /// Its outcome either gives the permission
    /// ([`Outcome::bounce_token`](crate::Outcome::bounce_token)); or it has another policy: then
    /// deliver anew, under that; or DNS was silent or announced what could not be fetched: then the
    /// mail stays in the queue.
    pub fn recheck(self, held: Held) -> Lookup {
        Lookup::for_gate(self.refused, self.domain).held(held)
    }
}
