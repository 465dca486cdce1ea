//! Sessions added up (RFC 8460 §4.2).

use alloc::collections::BTreeMap;

use super::error::TallyMergeError;
use super::failure::{FailureDetails, FailureKind};
use super::policy::ReportedPolicy;
use mta_sts::ResultType;

/// The largest count: what a JSON number carries exactly (RFC 7493 §2.2). Sums stop there.
pub const MAX_COUNT: u64 = 9_007_199_254_740_991;

/// How many details of one policy and one result type are told apart. A stranger chooses the names
/// of MX hosts and what servers call themselves, so there must be a bound.
pub const MAX_DETAILS: usize = 64;

/// The failure reason code under which details beyond [`MAX_DETAILS`] are counted.
pub const OMITTED: &str = "other-details-omitted";

/// The sessions with one domain under one policy: how many succeeded, how many failed, and of what.
///
/// Tallies of several senders, or of parts of a day, can be merged in any order. A session counts
/// once, as succeeded or failed, whatever the mode of the policy: a session that fails validation
/// counts as failed in the mode `testing` too, although the mail is delivered.
///
/// The details need not add up to the count of failed sessions: RFC 8460 §4 lets one session meet
/// several failures, and a lookup may fail while a held policy protects the session.
///
/// ```
/// use mta_sts_tlsrpt::{FailureDetails, ReportedPolicy, Tally};
/// use mta_sts::{PolicyDomain, ResultType};
///
/// let domain = PolicyDomain::parse("example.com")?;
/// let mut tally = Tally::new(ReportedPolicy::applied(&domain, None));
/// tally.succeeded();
/// tally.failed([FailureDetails::new(ResultType::StarttlsNotSupported)]);
/// tally.failed([FailureDetails::new(ResultType::StarttlsNotSupported)]);
/// assert_eq!((tally.successful_sessions(), tally.failed_sessions()), (1, 2));
/// let details: Vec<_> = tally.details().collect();
/// assert_eq!(details.len(), 1);
/// assert_eq!(details[0].failed_session_count(), 2);
/// # Ok::<(), mta_sts::NameError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    policy: ReportedPolicy,
    successful: u64,
    failed: u64,
    /// By result type, so that a flood of one hides no other; `None` for those that RFC 8460 does
    /// not name.
    details: BTreeMap<Option<ResultType>, Group>,
}

/// The details of one result type.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Group {
    /// The `MAX_DETAILS` smallest kinds of all that were added. What is dropped has as many smaller
    /// ones before it, now and after any merge, so neither the kinds that stay nor their counts
    /// depend on the order of adding.
    kept: BTreeMap<FailureKind, u64>,
    /// The sessions of the others.
    omitted: u64,
}

impl Tally {
    /// No session yet.
    pub const fn new(policy: ReportedPolicy) -> Self {
        Self { policy, successful: 0, failed: 0, details: BTreeMap::new() }
    }

    /// The policy.
    pub const fn policy(&self) -> &ReportedPolicy {
        &self.policy
    }

    /// Sessions that succeeded.
    pub const fn successful_sessions(&self) -> u64 {
        self.successful
    }

    /// Sessions that failed.
    pub const fn failed_sessions(&self) -> u64 {
        self.failed
    }

    /// Whether there is nothing to report.
    pub fn is_empty(&self) -> bool {
        self.successful == 0 && self.failed == 0 && self.details.is_empty()
    }

    /// Counts a session that succeeded: TLS as the policy demands it.
    pub fn succeeded(&mut self) {
        add(&mut self.successful, 1);
    }

    /// Counts a session that failed, with all that was wrong with it; details that are alike count
    /// once. Details that stand for several sessions already count as so many.
    pub fn failed(&mut self, details: impl IntoIterator<Item = FailureDetails>) {
        let mut sessions = 1;
        let mut kinds = BTreeMap::new();
        for FailureDetails { kind, count } in details {
            sessions = count.max(sessions);
            let met: &mut u64 = kinds.entry(kind).or_default();
            *met = count.max(*met);
        }
        add(&mut self.failed, sessions);
        for (kind, count) in kinds {
            self.add(kind, count);
        }
    }

    /// Counts details, and no session: what went wrong beside a session that is counted for itself,
    /// such as a lookup that failed while a held policy was applied.
    ///
    /// ```
    /// use mta_sts_tlsrpt::{FailureDetails, ReportedPolicy, Tally};
    /// use mta_sts::{FetchFailure, PolicyDomain, Problem};
    ///
    /// # let domain = PolicyDomain::parse("example.com")?;
    /// # let mut tally = Tally::new(ReportedPolicy::applied(&domain, None));
    /// let problem = Problem::Fetch(FetchFailure::Timeout);
    /// tally.succeeded();
    /// tally.noted(FailureDetails::from_problem(&problem).held());
    /// assert_eq!((tally.successful_sessions(), tally.failed_sessions()), (1, 0));
    /// assert_eq!(tally.details().count(), 1);
    /// # Ok::<(), mta_sts::NameError>(())
    /// ```
    pub fn noted(&mut self, details: FailureDetails) {
        self.add(details.kind, details.count);
    }

    /// Adds the counts of another tally of the same policy. The order of merging does not matter.
    ///
    /// # Errors
    /// [`TallyMergeError`] where the policy is another; nothing is changed then.
    pub fn merge(&mut self, other: Self) -> Result<(), TallyMergeError> {
        if self.policy != other.policy {
            return Err(TallyMergeError);
        }
        self.absorb(other);
        Ok(())
    }

    /// Adds the counts of another tally, whose policy is the same.
    pub(super) fn absorb(&mut self, other: Self) {
        add(&mut self.successful, other.successful);
        add(&mut self.failed, other.failed);
        for (result, group) in other.details {
            add(&mut self.details.entry(result).or_default().omitted, group.omitted);
            for (kind, count) in group.kept {
                self.add(kind, count);
            }
        }
    }

    /// The details: of each result type at most [`MAX_DETAILS`], then one for the rest, with the
    /// reason code [`OMITTED`].
    pub fn details(&self) -> impl Iterator<Item = FailureDetails> + '_ {
        self.details.iter().flat_map(|(result, group)| {
            let kept = group
                .kept
                .iter()
                .map(|(kind, count)| FailureDetails { kind: kind.clone(), count: *count });
            let omitted = (group.omitted > 0).then(|| {
                FailureDetails::new(result.unwrap_or(ResultType::ValidationFailure))
                    .with_failure_reason_code(OMITTED)
                    .with_failed_session_count(group.omitted)
            });
            kept.chain(omitted)
        })
    }

    fn add(&mut self, kind: FailureKind, count: u64) {
        if count == 0 {
            return;
        }
        let group = self.details.entry(kind.result_type.known()).or_default();
        add(group.kept.entry(kind).or_default(), count);
        if group.kept.len() > MAX_DETAILS {
            if let Some((_, count)) = group.kept.pop_last() {
                add(&mut group.omitted, count);
            }
        }
    }
}

fn add(sum: &mut u64, count: u64) {
    *sum = sum.saturating_add(count).min(MAX_COUNT);
}
