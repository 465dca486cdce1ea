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
use crate::policy::{Mode, Policy};
use crate::record::PolicyId;
use crate::time::{CLOCK_TOLERANCE, DAY, HOUR, UnixTime, Wait};
pub(crate) use notes::Remembered;
use notes::{Budget, Failures, LastUsed, Latest, MAX_STAMP, Memory, next_stamp};

/// How long an expired policy stays in the store, never applied: a clock that ran ahead must not
/// have erased it.
pub(crate) const GRACE_SECS: u64 = 30 * DAY;

/// A policy with what its fetch established.
///
/// Its age counts from [`fetched_at`](Self::fetched_at), the moment at which the fetch was handed
/// out, so it never counts too little. A fetch that lies ahead of the clock, by more than clocks
/// may differ, was stamped by a clock that ran ahead: the age then counts from the first time at
/// which an [`Entry`] was read and found so. Such a policy is honoured for one `max_age` from then,
/// also if the clock reaches the time of the fetch before that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldPolicy {
    policy: Policy,
    id: PolicyId,
    fetched_at: UnixTime,
    /// What is known of its age while the fetch lies ahead of the clock.
    counted: Option<CountedAge>,
}

/// The age of a policy as counted by clocks that its fetch lies ahead of.
///
/// Only the time from one reading of the entry to the next is counted, and only while the fetch lies
/// ahead: so a clock that ran behind for a while has aged the policy by that while at most, which is
/// the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct CountedAge {
    secs: u64,
    /// When the entry was read last.
    at: UnixTime,
}

impl CountedAge {
    fn at(self, now: UnixTime) -> u64 {
        self.secs.saturating_add(now.secs_since(self.at)).min(MAX_STAMP)
    }
}

impl HeldPolicy {
    pub(crate) const fn new(policy: Policy, id: PolicyId, fetched_at: UnixTime) -> Self {
        Self { policy, id, fetched_at, counted: None }
    }

    /// The policy.
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The id that announced it (RFC 8461 §3.1).
    pub const fn id(&self) -> PolicyId {
        self.id
    }

    /// The mode of the policy.
    pub const fn mode(&self) -> Mode {
        self.policy.mode()
    }

    /// The time at which its fetch was handed out.
    pub const fn fetched_at(&self) -> UnixTime {
        self.fetched_at
    }

    /// The time from which it must no longer be applied: `max_age` after its fetch, and only
    /// another fetch moves it (RFC 8461 §3.2).
    ///
    /// It depends on `now` only if a clock that ran ahead stamped the fetch: see [`HeldPolicy`].
    pub fn expires_at(&self, now: UnixTime) -> UnixTime {
        self.lives_from(now).plus_secs(self.max_age())
    }

    /// Returns `true` if it must no longer be applied.
    pub fn is_expired(&self, now: UnixTime) -> bool {
        self.expires_in(now).is_zero()
    }

    /// The time for which it may still be applied; zero if it has expired.
    pub fn expires_in(&self, now: UnixTime) -> Duration {
        // RFC 8461 §5.1: a policy "whose time-since-fetch has not exceeded its max_age". An age is
        // compared, not an end: at the end of time an end cannot be told from the present.
        Duration::from_secs(self.max_age().saturating_sub(self.age(now)))
    }

    /// Returns `true` if the policy should be fetched again: a day after its fetch, or after half
    /// of its `max_age` if that is less (RFC 8461 §3.3 suggests once a day, §10.2 well before it
    /// expires). A fetch that lies ahead of the clock, by more than clocks may differ, is due as
    /// well.
    pub fn is_refresh_due(&self, now: UnixTime) -> bool {
        self.age(now) >= (self.max_age() / 2).min(DAY) || self.is_ahead(now)
    }

    fn max_age(&self) -> u64 {
        u64::from(self.policy.max_age().as_secs())
    }

    fn age(&self, now: UnixTime) -> u64 {
        match self.counted {
            Some(counted) if self.is_ahead(now) => counted.at(now),
            Some(counted) => now.secs_since(self.fetched_at).max(counted.secs),
            None => now.secs_since(self.fetched_at),
        }
    }

    /// Returns `true` if a clock that ran ahead stamped the fetch.
    fn is_ahead(&self, now: UnixTime) -> bool {
        Wait::until(self.fetched_at, 0, now) == Wait::Astray
    }

    fn lives_from(&self, now: UnixTime) -> UnixTime {
        let age = self.age(now);
        let is_by_stamp = !self.is_ahead(now) && age == now.secs_since(self.fetched_at);
        if is_by_stamp { self.fetched_at } else { now.minus_secs(age) }
    }

    /// The age to note of a policy whose fetch lies ahead of the clock, if it is time to note it.
    fn count_due(&self, now: UnixTime) -> Option<CountedAge> {
        let step = (self.max_age() / 8).min(HOUR);
        match self.counted {
            _ if !self.is_ahead(now) => None,
            None => Some(CountedAge { secs: 0, at: now }),
            // The clock was set back again. The second more wins the merge with what is stored.
            Some(counted) if Wait::until(counted.at, 0, now) == Wait::Astray => {
                Some(CountedAge { secs: counted.secs.saturating_add(1).min(MAX_STAMP), at: now })
            }
            Some(counted) if now.secs_since(counted.at) < step => None,
            Some(counted) => Some(CountedAge { secs: counted.at(now), at: now }),
        }
    }

    /// Counts the age of a policy whose fetch lies ahead of the clock. Returns `true` if that is
    /// news.
    fn anchor(&mut self, now: UnixTime) -> bool {
        let due = self.count_due(now);
        self.counted = due.or(self.counted);
        due.is_some()
    }

    /// Returns `true` if the fetch must be dated back, or the policy would be young again once the
    /// clock reaches the time of its fetch.
    fn is_stamp_wrong(&self, now: UnixTime) -> bool {
        if self.is_ahead(now) {
            return self.is_expired(now);
        }
        let by_stamp = now.secs_since(self.fetched_at).saturating_add(CLOCK_TOLERANCE);
        self.counted.is_some_and(|counted| counted.secs > by_stamp)
    }

    /// A total order of what is durable; what was fetched later is more, then what is stronger.
    fn cmp_durable(&self, other: &Self) -> Ordering {
        let (a, b) = (&self.policy, &other.policy);
        (self.fetched_at.cmp(&other.fetched_at))
            .then(a.mode().cmp(&b.mode()))
            .then(a.max_age().cmp(&b.max_age()))
            .then(self.id.cmp(&other.id))
            .then_with(|| a.as_str().cmp(b.as_str()))
            .then(a.profile().cmp(&b.profile()))
    }

    /// Joins what two have counted of the same fetch.
    fn merge_counted(&mut self, other: &Self) {
        self.counted = self.counted.max(other.counted);
    }

    /// Returns `true` if the other is the same fetch of the same policy.
    pub(crate) fn is_same_fetch(&self, other: &Self) -> bool {
        self.cmp_durable(other) == Ordering::Equal
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
    last_used: LastUsed,
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
            last_used: LastUsed(Latest { restarts: 0, at: now.start_of_day() }),
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

    /// The start of the UTC day on which a delivery last asked for the domain.
    pub const fn last_used(&self) -> UnixTime {
        self.last_used.day()
    }

    /// Notes that a delivery asks for the domain. Returns `true` if the entry changed, which is
    /// worth a lazy write: it does once a day, and now and then while it has the stamps of a clock
    /// that ran ahead.
    pub fn touch(&mut self, now: UnixTime) -> bool {
        let is_anchored = self.anchor(now);
        self.last_used.touch(now) || is_anchored
    }

    /// Puts what a clock that ran ahead has stamped at the present. Whoever reads an entry for a
    /// lookup does so, and writes the result. Returns `true` if the entry changed.
    pub(crate) fn anchor(&mut self, now: UnixTime) -> bool {
        let before = self.budget;
        self.budget.anchor(now);
        let mut is_news = self.last_used.anchor(now) || before != self.budget;
        is_news |= self.failures.anchor(now);
        let generation = next_stamp(self.generation, now);
        if let Some(held) = &mut self.held {
            is_news |= held.anchor(now);
            if held.is_stamp_wrong(now) {
                held.fetched_at = held.lives_from(now);
                held.counted = None;
                self.generation = generation;
                is_news = true;
            }
        }
        is_news
    }

    /// Returns `true` if a store may drop the entry: nothing is held, or expired for over 30 days,
    /// and nothing that is remembered still holds back a question. That a policy was cleared is
    /// kept for an hour, so that a lookup which was under way then does not bring the policy back.
    pub fn is_disposable(&self, now: UnixTime) -> bool {
        let is_kept = match &self.held {
            Some(held) => held.age(now) < held.max_age().saturating_add(GRACE_SECS),
            None if self.generation == 0 => false,
            // The generation is the time of the change, or later.
            None => {
                let cleared = UnixTime::from_secs(self.generation);
                Wait::until(cleared.plus_secs(HOUR), HOUR, now) == Wait::Pending
            }
        };
        !is_kept
            && self.memory.recall(now).is_none()
            && !self.failures.any_active(now)
            && self.budget.is_full(now)
    }

    /// The ids whose fetch failed, each with the time before which it is not tried again
    /// (RFC 8461 §3.3).
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
        match self.cmp_durable(&other) {
            Ordering::Less => {
                self.generation = other.generation;
                self.held = other.held;
            }
            Ordering::Equal => {
                if let (Some(ours), Some(theirs)) = (&mut self.held, &other.held) {
                    ours.merge_counted(theirs);
                }
            }
            Ordering::Greater => {}
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

    /// Puts a fetched policy in the place of the one that was held.
    pub(crate) fn put(&mut self, held: HeldPolicy) {
        self.generation = next_stamp(self.generation, held.fetched_at);
        self.held = Some(held);
    }

    /// Removes the policy that was held, by a fetch that was handed out at `fetched_at`.
    pub(crate) fn clear(&mut self, fetched_at: UnixTime) {
        self.generation = next_stamp(self.generation, fetched_at);
        self.held = None;
    }

    /// Returns `true` if the next lookup must write what it reads: the age of a policy that a clock
    /// ahead of the time fetched is to be noted. An answer from memory would not be written.
    pub(crate) fn is_count_due(&self, now: UnixTime) -> bool {
        self.held.as_ref().is_some_and(|held| held.count_due(now).is_some())
    }

    /// The TXT outcome that is still within its time.
    pub(crate) fn recall(&self, now: UnixTime) -> Option<Remembered> {
        let recalled = self.memory.recall(now).filter(|_| !self.is_count_due(now))?;
        let is_of_use = match recalled {
            // An id that is not the held policy's confirms nothing: DNS must be asked.
            Remembered::Id(id) => self.policy(now).is_some_and(|held| held.id() == id),
            _ => true,
        };
        is_of_use.then_some(recalled)
    }

    /// Remembers the outcome of the TXT question that was asked at `asked_at`, for at most `ttl`
    /// seconds within the bounds of its kind.
    pub(crate) fn remember(&mut self, what: Remembered, ttl: u32, asked_at: UnixTime) {
        self.memory.remember(what, ttl, asked_at);
    }

    /// Makes the next lookup ask DNS.
    pub(crate) fn forget(&mut self, asked_at: UnixTime) {
        self.memory.forget(asked_at);
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
