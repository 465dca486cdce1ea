//! The tallies of all policies that a sender met: one call counts a session.

use alloc::collections::BTreeMap;

use super::failure::FailureDetails;
use super::policy::ReportedPolicy;
use super::tally::Tally;
use mta_sts::Mode;
use mta_sts::delivery::{FailureKind, SessionCount, SessionResult};
use mta_sts::lookup::Outcome;

/// The tallies of a day, one for each policy (RFC 8460 §4.2).
///
/// [`count`](Self::count) applies the rules of RFC 8460 §4.4 and RFC 8461 §6 to one session: which
/// policy it belongs to, if it succeeded, and which failures a report names.
///
/// | session | policy type | counts as |
/// |---|---|---|
/// | TLS as the policy demands it; without a policy, any TLS | `sts`, `no-policy-found` | succeeded |
/// | no TLS, or not as the policy demands it, in the modes `enforce` and `testing` | `sts` | failed |
/// | no TLS, and no policy | `no-policy-found` | failed |
/// | no TLS, under a policy of mode `none` | | not counted (RFC 8461 §6) |
/// | a policy is announced and cannot be fetched, also between two attempts | `sts` | failed |
/// | a held policy applies although a lookup failed | `sts` | by its TLS, and the lookup is noted |
/// | DANE applies to the host | `tlsa`, and `sts` if a policy applies | by DANE, and by its TLS |
/// | the network failed, or only the sender's own demand did | | not counted (RFC 8460 §4.3.4) |
///
/// ```
/// use mta_sts::delivery::{Candidate, Delivery, Mx, Requirements, Session};
/// use mta_sts::lookup::{AfterTxt, Start};
/// use mta_sts_tlsrpt::{PolicyType, Tallies};
/// use mta_sts::{Held, Lookup, PolicyDomain, UnixTime};
///
/// let now = UnixTime::from_secs(1_800_000_000);
/// let domain = PolicyDomain::parse("example.com")?;
/// let Start::QueryTxt(query) = Lookup::new(domain, Held::Nothing).start(now) else { panic!() };
/// let AfterTxt::Store(store) = query.absent(60, now) else { panic!() };
/// let merged = store.entry().clone();
/// let outcome = store.stored(merged);
///
/// let mut delivery = Delivery::new(&outcome, Requirements::default());
/// let Candidate::Connect(attempt) = delivery.candidate(&Mx::parse("mx.example.com")) else {
///     panic!("no policy forbids it");
/// };
/// let verdict = delivery.judge(attempt, Session::NoStarttls);
/// assert!(!verdict.is_refused());
///
/// let mut tallies = Tallies::default();
/// tallies.count(&outcome, verdict.result());
/// let tally = tallies.iter().next().expect("one policy");
/// assert_eq!(tally.policy().policy_type(), Some(PolicyType::NoPolicyFound));
/// // The mail goes, in clear text: that is no success.
/// assert_eq!((tally.successful_sessions(), tally.failed_sessions()), (0, 1));
/// # Ok::<(), mta_sts::NameError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tallies(BTreeMap<ReportedPolicy, Tally>);

impl Tallies {
    /// Counts one session with a candidate, made under the outcome of a lookup.
    pub fn count(&mut self, outcome: &Outcome, session: &SessionResult) {
        self.count_with(outcome, session, [], |details| details);
    }

    /// Counts one session as [`count`](Self::count) does. `tlsa` are the TLSA records that applied,
    /// in presentation format, for a host with DANE. `describe` adds to each failure of the session
    /// what the caller knows of it, such as addresses and the host's greeting.
    pub fn count_with<'r>(
        &mut self,
        outcome: &Outcome,
        session: &SessionResult,
        tlsa: impl IntoIterator<Item = &'r str>,
        describe: impl FnOnce(FailureDetails) -> FailureDetails,
    ) {
        // RFC 8460 §4.3.4: errors of the network are not for reports.
        if session.count() == SessionCount::NotCounted {
            return;
        }
        let domain = outcome.domain();
        let failure = session.failure();
        let details = failure.and_then(FailureDetails::of_delivery).map(describe);
        let dane = session.count_of_dane();
        // DANE refused, and the policy was not looked at.
        let of_dane = failure.is_some_and(|failure| match failure.kind() {
            FailureKind::Dane(_) => true,
            FailureKind::OtherHostVerified => dane == Some(SessionCount::Failed),
            _ => false,
        });
        let policy = session.policy().filter(|policy| policy.mode() != Mode::None);
        if let Some((host, dane)) = session.host().zip(dane) {
            let tally = self.of(ReportedPolicy::tlsa(domain, host, tlsa));
            if dane == SessionCount::Failed {
                tally.failed(details.clone());
            } else {
                tally.succeeded();
            }
            // Another policy was not looked at, or there is none.
            if of_dane || policy.is_none() {
                return;
            }
        }
        let lookup = FailureDetails::of_lookup(outcome);
        if let Some(policy) = policy {
            let tally = self.of(ReportedPolicy::applied(domain, Some(policy)));
            match details {
                Some(details) => tally.failed([details]),
                None => tally.succeeded(),
            }
            // RFC 8461 §6: reported beside a session that the held policy protected.
            if let Some(lookup) = lookup {
                tally.noted(lookup);
            }
            return;
        }
        // The operator may have switched off a policy that was found.
        let is_off = session.policy().is_none() && outcome.policy().is_some();
        let reported = if is_off {
            ReportedPolicy::applied(domain, None)
        } else {
            ReportedPolicy::of_lookup(outcome)
        };
        let faults: alloc::vec::Vec<_> =
            lookup.filter(|_| !is_off).into_iter().chain(details).collect();
        let tally = self.of(reported);
        if faults.is_empty() {
            tally.succeeded();
        } else {
            tally.failed(faults);
        }
    }

    /// Adds the counts of other tallies. The order of merging does not matter.
    pub fn merge(&mut self, other: Self) {
        for (policy, tally) in other.0 {
            self.of(policy).absorb(tally);
        }
    }

    /// The tallies, in the order of their policies.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Tally> {
        self.0.values()
    }

    /// Returns `true` if no session was counted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn of(&mut self, policy: ReportedPolicy) -> &mut Tally {
        self.0.entry(policy).or_insert_with_key(|policy| Tally::new(policy.clone()))
    }
}

/// The tallies, for [`Report::new`](super::Report::new).
impl IntoIterator for Tallies {
    type Item = Tally;
    type IntoIter = alloc::collections::btree_map::IntoValues<ReportedPolicy, Tally>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_values()
    }
}
