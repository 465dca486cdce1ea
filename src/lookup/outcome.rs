//! What a lookup found, and the same from memory without a lookup.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use super::Problem;
use super::gate::{BounceToken, Refused};
use crate::entry::{Entry, HeldPolicy, Remembered};
use crate::name::PolicyDomain;
use crate::policy::{MaxAge, Mode, Policy};
use crate::record::PolicyId;
use crate::time::UnixTime;

/// What is known of a domain's policy, and how. It is apart from the policy itself: a timeout must
/// never look like "has no policy".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Status {
    /// A policy was fetched now.
    Found,
    /// A policy is held, and DNS says that it is still the current one.
    Confirmed,
    /// A policy is held and unexpired, in spite of a problem.
    Held,
    /// There is no policy: no record, or one whose policy could not be had, which RFC 8461 §3.3
    /// treats alike (the problem tells which).
    Absent,
    /// DNS or the store did not answer, and nothing is held: whether there is a policy is not
    /// known. The caller chooses to defer or to deliver.
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

/// What TXT said in this lookup: what the bounce gate needs to know.
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

/// What a lookup found.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub(super) entry: Entry,
    /// A policy that applies to the delivery at hand and is not kept: `max_age` 0.
    pub(super) transient: Option<Box<HeldPolicy>>,
    pub(super) status: Status,
    pub(super) problem: Option<Problem>,
    pub(super) change: Option<PolicyChange>,
    pub(super) persisted: bool,
    pub(super) asked: Asked,
    pub(super) decided_at: UnixTime,
    pub(super) gate: Option<Box<Refused>>,
}

impl Outcome {
    /// The domain that was looked up.
    pub const fn domain(&self) -> &PolicyDomain {
        self.entry.domain()
    }

    /// What is known of the policy, and how.
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

    /// What went wrong, if anything: even where a policy was found.
    pub const fn problem(&self) -> Option<&Problem> {
        self.problem.as_ref()
    }

    /// How the fetched policy differs from the one it replaced.
    pub const fn change(&self) -> Option<PolicyChange> {
        self.change
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

    /// What an administrator should be told: a problem with a policy that is held, and for how long
    /// it will still protect. Nothing where the policy's mode is `none` (RFC 8461 §3.3, §10.2).
    pub fn alert(&self, now: UnixTime) -> Option<(&Problem, Duration)> {
        let held = self.entry.policy(now).filter(|held| held.policy().mode() != Mode::None)?;
        let problem = self.problem().filter(|problem| **problem != Problem::NotAwaited);
        problem.map(|problem| (problem, held.expires_in(now)))
    }

    /// Whether the problem belongs in a report (RFC 8461 §6): a fetch failed although a record
    /// announces a policy, or anything failed while a policy is held, unless its mode is `none`.
    pub fn is_reportable(&self) -> bool {
        let held = self.entry.policy(self.decided_at).map(|held| held.policy().mode());
        match (&self.problem, held) {
            (None | Some(Problem::StoreUnreadable | Problem::NotAwaited), _)
            | (_, Some(Mode::None)) => false,
            (Some(_), Some(_)) => true,
            (Some(Problem::Fetch(_) | Problem::PolicyInvalid { .. }), None) => true,
            (Some(_), None) => false,
        }
    }

    /// The permission to fail the mail permanently, if this lookup was the one that
    /// the conclusion of the failed delivery handed out, and it shows that nothing newer is
    /// published than the policy that refused the mail (RFC 8461 §5): DNS answered, and announced
    /// nothing that was not read.
    pub fn bounce_token(&self) -> Option<BounceToken> {
        self.gate.as_ref()?.permit(self)
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
    /// What is known of the policy, and how.
    pub const fn status(&self) -> Status {
        match (self.policy, self.remembered) {
            (Some(_), Remembered::SameId) => Status::Confirmed,
            (Some(_), _) => Status::Held,
            (None, Remembered::NoAnswer) => Status::Unknown,
            (None, _) => Status::Absent,
        }
    }

    /// The policy to apply, if any.
    pub const fn policy(&self) -> Option<&'a HeldPolicy> {
        self.policy
    }

    /// What went wrong when DNS was last asked.
    pub fn problem(&self) -> Option<Problem> {
        match (self.remembered, self.policy) {
            (Remembered::SameId, _) | (Remembered::Absent, None) => None,
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
