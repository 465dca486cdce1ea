//! What the schedule knows of one domain.

use super::names::Name;
use super::{pace, plan};
use crate::entry::{Entry, HeldPolicy};
use crate::policy::Mode;
use crate::time::{DAY, UnixTime};

/// Where a domain is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Its time has not come; its tick says when.
    Waiting,
    /// It is not refreshed, being expired or unused; at its tick it is looked at again.
    Parked,
    /// Its refresh has begun; at its tick it counts as lost.
    InFlight,
    /// Its refresh may begin.
    Ready,
}

/// One domain's policy, as far as its refresh goes. There are millions of these.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) generation: u64,
    fetched_at: UnixTime,
    pub(super) tick: u64,
    max_age: u32,
    /// In days since the epoch.
    last_used: u32,
    pub(super) name: Name,
    pub(super) mode: Mode,
    pub(super) place: Place,
    /// The last refreshes failed: [`Failing`](super::alert::Failing) is kept apart, of few.
    pub(super) is_failing: bool,
    pub(super) heard: Heard,
}

/// Which policy has come while a refresh is under way, beside the one that is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Heard {
    #[default]
    Nothing,
    /// An older one: the store is not empty.
    Older,
    /// A newer one, which is known now.
    Newer,
}

/// Which of two policies of a domain stays where they meet, as [`Entry::merge`] has it.
pub(super) type Rank = (u64, Option<(UnixTime, Mode, u32)>);

pub(super) fn rank(entry: &Entry) -> Rank {
    let rank = |held: &HeldPolicy| {
        (held.fetched_at(), held.policy().mode(), held.policy().max_age().as_secs())
    };
    (entry.generation(), entry.stored_policy().map(rank))
}

impl Slot {
    /// `None` where the entry holds nothing to refresh, now or after its clock was set back.
    pub(super) fn of(entry: &Entry, now: UnixTime) -> Option<Self> {
        let held = entry.stored_policy()?;
        let slot = Self {
            generation: entry.generation(),
            fetched_at: held.fetched_at(),
            tick: 0,
            max_age: held.policy().max_age().as_secs(),
            last_used: 0,
            name: Name::default(),
            mode: held.policy().mode(),
            place: Place::Waiting,
            is_failing: false,
            heard: Heard::Nothing,
        };
        let is_refreshed = slot.life() >= plan::SHORTEST_LIFE && !slot.is_over(now);
        is_refreshed.then(|| slot.used(entry))
    }

    pub(super) const fn rank(&self) -> Rank {
        (self.generation, Some((self.fetched_at, self.mode, self.max_age)))
    }

    /// Whether the other's policy was fetched later. It is news even where it ranks lower, as after
    /// a clock was set back: the store had dropped this one, and nobody said so.
    pub(super) fn is_before(&self, other: &Self) -> bool {
        self.fetched_at < other.fetched_at
    }

    /// Takes the policy of another; name, place, tick and failures stay.
    pub(super) fn take_policy(&mut self, new: &Self) {
        let Self { tick, name, place, is_failing, .. } = *self;
        let last_used = self.last_used.max(new.last_used);
        *self = Self { tick, last_used, name, place, is_failing, ..*new };
    }

    /// Notes when the entry was last used.
    pub(super) fn touch(&mut self, entry: &Entry) {
        let days = entry.last_used().as_secs() / DAY;
        self.last_used = self.last_used.max(u32::try_from(days).unwrap_or(u32::MAX));
    }

    fn used(mut self, entry: &Entry) -> Self {
        self.touch(entry);
        self
    }

    pub(super) fn life(&self) -> u64 {
        u64::from(self.max_age)
    }

    pub(super) fn expires_at(&self) -> UnixTime {
        self.fetched_at.plus_secs(self.life())
    }

    /// Seconds until it expires; a fetch that lies ahead gives no longer life.
    pub(super) fn left(&self, now: UnixTime) -> u64 {
        self.expires_at().secs_since(now).min(self.life())
    }

    pub(super) fn is_expired(&self, now: UnixTime) -> bool {
        now >= self.expires_at()
    }

    /// Whether it has expired for so long that it is forgotten.
    pub(super) fn is_over(&self, now: UnixTime) -> bool {
        now >= self.expires_at().plus_secs(crate::entry::GRACE_SECS)
    }

    /// Whether it is not to be refreshed as long as nothing happens to it.
    pub(super) fn is_idle(&self, now: UnixTime) -> bool {
        let last_used = UnixTime::from_secs(u64::from(self.last_used).saturating_mul(DAY));
        self.is_expired(now) || now.secs_since(last_used) > plan::UNUSED
    }

    /// Seconds until its regular refresh.
    pub(super) fn regular_wait(&self, now: UnixTime, entropy: u64) -> u64 {
        let age = now.secs_since(self.fetched_at);
        plan::regular(self.life(), age, self.left(now), entropy)
    }

    /// How much it weighs on the pace.
    pub(super) fn weight(&self) -> u64 {
        match self.place {
            Place::Parked => 0,
            _ => pace::weight(self.life(), self.is_failing),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::PolicyDomain;
    use crate::policy::{Policy, Profile};
    use crate::record::PolicyId;

    /// Of a policy that was fetched, and used, at noon of the thousandth day.
    fn slot() -> Slot {
        let noon = UnixTime::from_secs(1_000 * DAY + DAY / 2);
        let text = b"version: STSv1\nmode: enforce\nmx: a.example\nmax_age: 31536000\n";
        let policy = Policy::parse(text, Profile::Strict).unwrap();
        let mut entry = Entry::new(PolicyDomain::parse("a.example").unwrap(), noon);
        entry.put(HeldPolicy::new(policy, PolicyId::parse("1").unwrap(), noon));
        Slot::of(&entry, noon).unwrap()
    }

    #[test]
    fn ok_a_slot_is_small() {
        assert_eq!((size_of::<Slot>(), size_of::<Option<Slot>>()), (40, 40));
    }

    #[test]
    fn ok_a_policy_is_idle_when_its_last_day_of_use_began_more_than_180_days_ago() {
        let day = |day: u64| UnixTime::from_secs(day * DAY);
        assert!(!slot().is_idle(day(1_180)));
        assert!(slot().is_idle(day(1_180).plus_secs(1)));
    }

    #[test]
    fn ok_only_what_is_refreshed_weighs_on_the_pace() {
        let weight = |place| Slot { place, ..slot() }.weight();
        let regular = pace::weight(31_536_000, false);
        let refreshed = [Place::Waiting, Place::Ready, Place::InFlight];
        assert_eq!(refreshed.map(weight), [regular; 3]);
        assert_eq!(weight(Place::Parked), 0);
    }
}
