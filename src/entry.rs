//! What a store keeps of one domain, and how two versions of it meet (RFC 8461 §3.3, §5.1).
//!
//! Security rests on the policy, its id, its fetch time and its generation: they must survive. The
//! rest (what DNS last said, failures, the fetch budget, the day of last use) saves questions; to
//! lose it costs one more.

#[cfg(feature = "arbitrary")]
mod any;
mod bytes;
mod notes;

use core::cmp::Ordering;
use core::time::Duration;

use crate::error::MergeError;
use crate::name::PolicyDomain;
use crate::policy::Policy;
use crate::record::PolicyId;
use crate::time::{DAY, HOUR, UnixTime};
pub(crate) use notes::Remembered;
use notes::{Budget, Failures, Memory};

/// How long an expired policy stays in the store, never applied: a clock that ran ahead must not
/// have erased it.
pub(crate) const GRACE_SECS: u64 = 30 * DAY;

/// A policy with what its fetch established.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldPolicy {
    policy: Policy,
    id: PolicyId,
    fetched_at: UnixTime,
}

impl HeldPolicy {
    pub(crate) const fn new(policy: Policy, id: PolicyId, fetched_at: UnixTime) -> Self {
        Self { policy, id, fetched_at }
    }

    /// The policy.
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The id that announced it (RFC 8461 §3.1).
    pub const fn id(&self) -> PolicyId {
        self.id
    }

    /// When its fetch ended.
    pub const fn fetched_at(&self) -> UnixTime {
        self.fetched_at
    }

    /// When it must no longer be applied: `max_age` after the fetch, and nothing but another fetch
    /// moves it (RFC 8461 §3.2).
    pub fn expires_at(&self) -> UnixTime {
        self.fetched_at.plus_secs(u64::from(self.policy.max_age().as_secs()))
    }

    /// Whether it must no longer be applied.
    pub fn is_expired(&self, now: UnixTime) -> bool {
        now >= self.expires_at()
    }

    /// For how long it may still be applied; zero if it has expired.
    pub fn expires_in(&self, now: UnixTime) -> Duration {
        self.expires_at().since(now)
    }

    /// Whether it is time to fetch it again: a day after its fetch, or half of its `max_age` if
    /// that is less (RFC 8461 §3.3 suggests once a day, §10.2 well before it expires). A fetch that
    /// lies more than a day ahead, as after a clock was set back, is due as well.
    pub fn is_refresh_due(&self, now: UnixTime) -> bool {
        let half = u64::from(self.policy.max_age().as_secs() / 2);
        now.secs_since(self.fetched_at) >= half.min(DAY) || self.fetched_at.secs_since(now) > DAY
    }

    /// A total order; what was fetched later is more, then what is stronger.
    fn cmp_durable(&self, other: &Self) -> Ordering {
        let (a, b) = (&self.policy, &other.policy);
        (self.fetched_at.cmp(&other.fetched_at))
            .then(a.mode().cmp(&b.mode()))
            .then(a.max_age().cmp(&b.max_age()))
            .then(self.id.cmp(&other.id))
            .then_with(|| a.as_str().cmp(b.as_str()))
            .then(a.profile().cmp(&b.profile()))
    }
}

/// What a store keeps of one Policy Domain.
///
/// It comes out of a lookup ([`Store::entry`](crate::lookup::Store::entry)) and goes into the next
/// ([`Held::Entry`](crate::Held::Entry)). A store keeps [`to_bytes`](Self::to_bytes), applies each
/// write by [`merge`](Self::merge), atomically, and treats bytes that
/// [`from_bytes`](Self::from_bytes) refuses as [`Held::Unreadable`](crate::Held::Unreadable).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    domain: PolicyDomain,
    /// A hybrid logical clock: each change of the policy takes the later of the next number and
    /// the time. So what was put over a known entry wins against it whatever the clocks say, and
    /// what was put over an unreadable store wins or loses by its time.
    generation: u64,
    held: Option<HeldPolicy>,
    memory: Memory,
    failures: Failures,
    budget: Budget,
    inserted_at: UnixTime,
    last_used: UnixTime,
}

impl Entry {
    /// An entry that knows nothing yet.
    pub fn new(domain: PolicyDomain, now: UnixTime) -> Self {
        Self {
            domain,
            generation: 0,
            held: None,
            memory: Memory::default(),
            failures: Failures::default(),
            budget: Budget::default(),
            inserted_at: now,
            last_used: now.start_of_day(),
        }
    }

    /// The domain that it belongs to.
    pub const fn domain(&self) -> &PolicyDomain {
        &self.domain
    }

    /// The policy that may be applied now, if any.
    pub fn policy(&self, now: UnixTime) -> Option<&HeldPolicy> {
        // RFC 8461 §5.1: a policy "whose time-since-fetch has not exceeded its max_age".
        self.held.as_ref().filter(|held| !held.is_expired(now))
    }

    /// The policy that is stored, be it expired: to be shown, never to be applied.
    pub const fn stored_policy(&self) -> Option<&HeldPolicy> {
        self.held.as_ref()
    }

    /// A number that grows with each change of the policy, its removal included; 0 before the
    /// first.
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// When the entry was first made.
    pub const fn inserted_at(&self) -> UnixTime {
        self.inserted_at
    }

    /// The start of the UTC day on which a delivery last asked for it.
    pub const fn last_used(&self) -> UnixTime {
        self.last_used
    }

    /// Notes that a delivery asked for it; whether that is news, worth a lazy write: it is once a
    /// day.
    pub fn touch(&mut self, now: UnixTime) -> bool {
        let today = now.start_of_day();
        let news = today > self.last_used;
        self.last_used = self.last_used.max(today);
        news
    }

    /// Whether a store may drop it: nothing is held, or expired for over 30 days, and nothing that
    /// is remembered still holds back a question. That a policy was cleared is kept for an hour, so
    /// that a lookup which was under way then does not bring it back.
    pub fn is_disposable(&self, now: UnixTime) -> bool {
        // The generation is the time of the change, or later.
        let cleared = UnixTime::from_secs(self.generation);
        let kept_until = match &self.held {
            Some(held) => held.expires_at().plus_secs(GRACE_SECS),
            None if self.generation == 0 => UnixTime::EPOCH,
            None => cleared.plus_secs(HOUR),
        };
        now >= kept_until
            && self.memory.recall(self.generation, now).is_none()
            && !self.failures.any_active(now)
            && self.budget.is_full(now)
    }

    /// The ids whose fetch failed and until when each is not tried again (RFC 8461 §3.3).
    pub fn backing_off(&self, now: UnixTime) -> impl Iterator<Item = (PolicyId, UnixTime)> + '_ {
        self.failures.active(now)
    }

    /// Joins this entry with another of the same domain. The order of joining does not matter, nor
    /// does joining twice; of two policies the one of the later generation stays, and no memory or
    /// failure ever takes a policy's place.
    ///
    /// # Errors
    /// [`MergeError`] where the other entry belongs to another domain; nothing is changed then.
    pub fn merge(&mut self, other: Self) -> Result<(), MergeError> {
        if self.domain != other.domain {
            return Err(MergeError);
        }
        if self.cmp_durable(&other) == Ordering::Less {
            self.generation = other.generation;
            self.held = other.held;
        }
        self.memory = self.memory.max(other.memory);
        self.failures.merge(other.failures);
        self.budget = self.budget.max(other.budget);
        self.inserted_at = self.inserted_at.min(other.inserted_at);
        self.last_used = self.last_used.max(other.last_used);
        Ok(())
    }

    /// By generation. Two of one generation come of a race on one entry: a policy is more than
    /// none.
    fn cmp_durable(&self, other: &Self) -> Ordering {
        self.generation.cmp(&other.generation).then_with(|| match (&self.held, &other.held) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(a), Some(b)) => a.cmp_durable(b),
        })
    }

    /// Puts a fetched policy in the place of whatever was held.
    pub(crate) fn put(&mut self, held: HeldPolicy) {
        self.next_generation(held.fetched_at);
        self.held = Some(held);
    }

    /// Removes what was held.
    pub(crate) fn clear(&mut self, now: UnixTime) {
        self.next_generation(now);
        self.held = None;
    }

    fn next_generation(&mut self, now: UnixTime) {
        self.generation = self.generation.saturating_add(1).max(now.as_secs());
    }

    /// What DNS last said, if it is still within its time.
    pub(crate) fn recall(&self, now: UnixTime) -> Option<Remembered> {
        let recalled = self.memory.recall(self.generation, now)?;
        // Without a policy to confirm, to have been told its id is to know nothing.
        (recalled != Remembered::SameId || self.policy(now).is_some()).then_some(recalled)
    }

    /// Remembers what DNS said, for at most `ttl` seconds within the bounds of its kind.
    pub(crate) fn remember(&mut self, what: Remembered, ttl: u32, now: UnixTime) {
        self.memory.remember(what, self.generation, ttl, now);
    }

    /// The next lookup must ask DNS.
    pub(crate) fn forget(&mut self, now: UnixTime) {
        self.memory.forget(now);
    }

    pub(crate) fn fetch_succeeded(&mut self, id: PolicyId, now: UnixTime) {
        self.failures.succeeded(id, now);
    }

    pub(crate) fn fetch_failed(&mut self, id: PolicyId, now: UnixTime) {
        self.failures.add(id, now);
    }

    pub(crate) fn backs_off_until(&self, id: PolicyId, now: UnixTime) -> Option<UnixTime> {
        self.failures.active(now).find(|(failed, _)| *failed == id).map(|(_, until)| until)
    }

    /// Takes one fetch from the budget.
    ///
    /// # Errors
    /// The time of the next fetch, where the budget is spent.
    pub(crate) fn spend_fetch(&mut self, now: UnixTime) -> Result<(), UnixTime> {
        self.budget.spend(now)
    }
}

#[cfg(test)]
pub(crate) mod tests;
