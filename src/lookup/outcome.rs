//! The result of a lookup, and the same from memory without a lookup.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use super::gate::Refused;
use super::{HeadTolerance, Problem};
use crate::entry::{Entry, HeldPolicy, Remembered};
use crate::name::PolicyDomain;
use crate::policy::{MaxAge, Mode, Policy};
use crate::record::PolicyId;
use crate::time::UnixTime;

/// The knowledge of a domain's policy, and its source. It is apart from the policy itself: a timeout
/// must never look like "has no policy".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Status {
    /// A policy was fetched now.
    Found,
    /// A policy is held, and DNS says that it is still the current one.
    Confirmed,
    /// A policy is held and unexpired, and this lookup did not confirm it: there was a problem, or
    /// the store turned out to hold a later policy than the one that was looked at.
    Held,
    /// There is no policy: no record, or a record whose policy cannot be fetched, which RFC 8461
    /// §3.3 treats alike. The problem tells which; [`Problem::BackingOff`] and
    /// [`Problem::FetchLimited`] say that the Policy Host was not asked in this lookup.
    Absent,
    /// DNS or the store did not answer, and nothing is held: it is not known if there is a policy.
    /// The caller chooses to defer or to deliver.
    Unknown,
}

impl Status {
    /// The status in lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::Confirmed => "confirmed",
            Self::Held => "held",
            Self::Absent => "absent",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The answer of DNS in this lookup, as far as the bounce gate needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// Not asked, or no answer.
    Nothing,
    /// An id.
    Id(PolicyId),
    /// An answer that announces nothing.
    NoId,
}

/// How a policy differs from the one it replaces. One valid certificate is enough to weaken a
/// policy, so somebody should see it where it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PolicyChange {
    /// The mode before and after.
    pub mode: (Mode, Mode),
    /// The `max_age` before and after.
    pub max_age: (MaxAge, MaxAge),
    /// Whether a host may be allowed now that was not before.
    pub mx_added: bool,
    /// Whether a host may no longer be allowed that was before.
    pub mx_removed: bool,
}

impl PolicyChange {
    fn between(old: &Policy, new: &Policy) -> Option<Self> {
        let (before, after) = (Patterns::of(old), Patterns::of(new));
        let change = Self {
            mode: (old.mode(), new.mode()),
            max_age: (old.max_age(), new.max_age()),
            mx_added: after.0.iter().any(|pattern| !before.covers(pattern)),
            mx_removed: before.0.iter().any(|pattern| !after.covers(pattern)),
        };
        let same = change.mode.0 == change.mode.1
            && change.max_age.0 == change.max_age.1
            && !change.mx_added
            && !change.mx_removed;
        (!same).then_some(change)
    }

    /// Whether the policy protects less than before: a weaker mode, a shorter `max_age`, or more
    /// hosts allowed. A policy of mode `none` protected nothing, so nothing is weaker than that.
    pub fn is_weaker(&self) -> bool {
        let (before, after) = self.mode;
        let looser = self.max_age.1 < self.max_age.0 || self.mx_added;
        before != Mode::None && (after < before || looser)
    }
}

/// The patterns of a policy in lower case, sorted: a stranger writes thousands of them.
struct Patterns(Vec<String>);

impl Patterns {
    fn of(policy: &Policy) -> Self {
        let mut patterns: Vec<_> =
            policy.mx().map(|pattern| pattern.as_str().to_ascii_lowercase()).collect();
        patterns.sort_unstable();
        patterns.dedup();
        Self(patterns)
    }

    /// Whether all that `pattern` matches is matched here.
    fn covers(&self, pattern: &str) -> bool {
        let has = |text: &str| self.0.binary_search_by(|p| p.as_str().cmp(text)).is_ok();
        let parent = pattern.find('.').and_then(|dot| pattern.get(dot..)).unwrap_or("");
        has(pattern) || has(&alloc::format!("*{parent}"))
    }
}

/// The result of a lookup.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub(super) entry: Entry,
    /// A policy that applies to the delivery at hand and is not kept: `max_age` 0.
    pub(super) transient: Option<Box<HeldPolicy>>,
    pub(super) status: Status,
    pub(super) problem: Option<Problem>,
    pub(super) change: Option<PolicyChange>,
    pub(super) head_tolerance: Option<HeadTolerance>,
    pub(super) persisted: bool,
    /// The store was read, or it returned what it holds.
    pub(super) is_store_seen: bool,
    pub(super) asked: Asked,
    /// The time of the TXT question, or of the look at the entry where there was none.
    pub(super) asked_at: UnixTime,
    pub(super) decided_at: UnixTime,
    /// The gate of a refused delivery that asked, if any.
    pub(super) gate: Option<Arc<Refused>>,
}

impl Outcome {
    /// The domain that was looked up.
    pub const fn domain(&self) -> &PolicyDomain {
        self.entry.domain()
    }

    /// The knowledge of the policy, and its source.
    pub const fn status(&self) -> Status {
        self.status
    }

    /// The policy to apply to the delivery at hand; `None` where there is none or none is known
    /// (see [`status`](Self::status)). A policy of mode `none` is a policy.
    pub fn policy(&self) -> Option<&HeldPolicy> {
        self.interim(self.decided_at)
    }

    /// The policy to apply while the lookup still waits for the store.
    pub(super) fn interim(&self, now: UnixTime) -> Option<&HeldPolicy> {
        self.transient.as_deref().or_else(|| self.entry.policy(now))
    }

    /// The problem that the lookup met, if any, even where a policy was found.
    pub const fn problem(&self) -> Option<&Problem> {
        self.problem.as_ref()
    }

    /// The difference of the fetched policy from the one it replaced.
    pub const fn change(&self) -> Option<PolicyChange> {
        self.change
    }

    /// The departure of the Policy Host's response head from RFC 8461 §3.2 that the tolerant
    /// profile overlooked. Other senders may refuse such a response. Departures of the policy text
    /// are in [`PolicyRef::tolerances`](crate::PolicyRef::tolerances).
    pub const fn head_tolerance(&self) -> Option<HeadTolerance> {
        self.head_tolerance
    }

    /// For how long the policy may still be applied; `None` where there is none.
    pub fn expires_in(&self, now: UnixTime) -> Option<Duration> {
        self.policy().map(|held| held.expires_in(now))
    }

    /// Whether the held policy should be fetched again, by [`Recheck::Refresh`](crate::Recheck).
    pub fn refresh_due(&self, now: UnixTime) -> bool {
        self.transient.is_none()
            && self.entry.policy(now).is_some_and(|held| held.is_refresh_due(now))
    }

    /// Whether the store has taken what the lookup learnt. `false` where it failed at the write:
    /// the outcome stands, and [`entry`](Self::entry) is to be written again.
    pub const fn is_persisted(&self) -> bool {
        self.persisted
    }

    /// The entry after the lookup.
    pub const fn entry(&self) -> &Entry {
        &self.entry
    }

    /// The entry after the lookup, to keep.
    pub fn into_entry(self) -> Entry {
        self.entry
    }

    /// The problem that an administrator should see, and the time for which the held policy still
    /// protects. `None` where the policy's mode is `none`, and where a policy was fetched
    /// (RFC 8461 §3.3, §10.2: alert when attempts *fail*).
    pub fn alert(&self, now: UnixTime) -> Option<(&Problem, Duration)> {
        let held = self.entry.policy(now).filter(|held| held.mode() != Mode::None)?;
        let problem = self.problem().filter(|_| self.status != Status::Found);
        let problem = problem.filter(|problem| **problem != Problem::NotAwaited);
        problem.map(|problem| (problem, held.expires_in(now)))
    }

    /// Returns `true` if the problem belongs in a report (RFC 8461 §6): a policy fetch failed, or
    /// was held back after a failure, although a record announces a policy; or it failed in any way
    /// while a policy is held, unless the policy's mode is `none`. Where a policy was fetched,
    /// nothing is reported as a failure to fetch it.
    pub fn is_reportable(&self) -> bool {
        if self.status == Status::Found {
            return false;
        }
        let held = self.entry.policy(self.decided_at).map(HeldPolicy::mode);
        match (&self.problem, held) {
            (None | Some(Problem::StoreUnreadable | Problem::NotAwaited), _)
            | (_, Some(Mode::None)) => false,
            (Some(_), Some(_)) => true,
            // RFC 8461 §6: "HTTPS policy fetch failures when a valid TXT record is present". Between
            // two attempts the failure lasts (RFC 8460 §4.4 counts sessions, not attempts).
            (Some(problem), None) => problem.is_of_fetch(),
        }
    }

    /// The outcome once the store holds `merged`.
    pub(super) fn settled(mut self, merged: Entry) -> Self {
        if merged.domain() != self.domain() {
            return self.unpersisted();
        }
        self.is_store_seen = true;
        let now = self.decided_at;
        // A policy for this delivery alone applies, unless a later one was fetched meanwhile.
        let is_later = |transient: &HeldPolicy| {
            merged.policy(now).is_none_or(|stored| transient.fetched_at() > stored.fetched_at())
        };
        if self.transient.as_deref().is_some_and(is_later) {
            self.entry = merged;
            return self;
        }
        let is_same = match (self.entry.policy(now), merged.policy(now)) {
            (None, None) => true,
            (Some(ours), Some(stored)) => ours.is_same_fetch(stored),
            _ => false,
        };
        self.entry = merged;
        if is_same {
            return self;
        }
        // Another lookup put a later policy there, or took the policy away. What the store holds
        // applies, for a later fetch knows more; and it is the only policy that the next lookup
        // will know of.
        self.transient = None;
        self.head_tolerance = None;
        self.change = None;
        let held = self.entry.policy(now).is_some();
        self.status = match self.entry.recall(now) {
            Some(Remembered::Id(_)) => Status::Confirmed,
            _ if held => Status::Held,
            _ if self.asked == Asked::Nothing => Status::Unknown,
            _ => Status::Absent,
        };
        if self.status == Status::Confirmed {
            self.problem = None;
        }
        self
    }

    pub(super) fn unpersisted(mut self) -> Self {
        self.persisted = false;
        self
    }

    /// Notes how the policy differs from the one that it replaces.
    pub(super) fn compare(&mut self, old: Option<&HeldPolicy>) {
        let new = self.policy().map(HeldPolicy::policy);
        self.change = old.zip(new).and_then(|(old, new)| PolicyChange::between(old.policy(), new));
    }
}

/// The answer from memory, where nothing is due: what [`Entry::decide`] gives. It borrows the
/// entry, and to make it allocates nothing.
#[derive(Debug, Clone, Copy)]
pub struct Decision<'a> {
    policy: Option<&'a HeldPolicy>,
    remembered: Remembered,
}

impl<'a> Decision<'a> {
    /// The knowledge of the policy, and its source.
    pub const fn status(&self) -> Status {
        match (self.policy, self.remembered) {
            (Some(_), Remembered::Id(_)) => Status::Confirmed,
            (Some(_), _) => Status::Held,
            (None, Remembered::NoAnswer) => Status::Unknown,
            (None, _) => Status::Absent,
        }
    }

    /// The policy to apply, if any.
    pub const fn policy(&self) -> Option<&'a HeldPolicy> {
        self.policy
    }

    /// The problem that was met when DNS was last asked.
    pub fn problem(&self) -> Option<Problem> {
        match (self.remembered, self.policy) {
            (Remembered::Id(_), _) | (Remembered::Absent, None) => None,
            (Remembered::Absent, Some(_)) => Some(Problem::RecordAbsent),
            (Remembered::Malformed, _) => {
                Some(Problem::RecordMalformed { error: None, text: "".into() })
            }
            (Remembered::NoAnswer, _) => Some(Problem::NoAnswer(None)),
        }
    }
}

impl Entry {
    /// The answer without any I/O, where nothing is due: what DNS last said is still within its
    /// time. `None` where a lookup is needed, or the entry belongs to another domain.
    ///
    /// It is the hot path of a sender: what a [`Lookup`](crate::Lookup) with
    /// [`Recheck::WhenDue`](crate::Recheck::WhenDue) would find, and nothing is allocated.
    pub fn decide(&self, domain: &PolicyDomain, now: UnixTime) -> Option<Decision<'_>> {
        if self.domain() != domain {
            return None;
        }
        let remembered = self.recall(now)?;
        Some(Decision { policy: self.policy(now), remembered })
    }
}
