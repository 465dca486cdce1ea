//! What the schedule knows of one domain.

use super::lane::Lane;
use super::plan::{self, Window};
use crate::entry::{Entry, HeldPolicy};
use crate::policy::Mode;
use crate::time::{DAY, UnixTime};

/// Where a domain is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// It waits until its tick.
    Waiting,
    /// It is not refreshed, being expired or unused. At its tick it is looked at again.
    Parked,
    /// Its refresh may begin. In the slow lane, at its tick it goes to its own lane.
    Ready(Lane),
    /// Its refresh has begun. At its tick it is late, or lost if it is in the slow lane.
    Begun(Lane),
    /// Its refresh has begun in a prompt lane and was not prompt. At its tick it is lost.
    Late,
}

impl Place {
    /// `true` if the refresh has begun.
    pub(super) const fn is_in_flight(self) -> bool {
        matches!(self, Self::Begun(_) | Self::Late)
    }
}

/// One domain's policy, as far as its refresh goes. There are millions of these.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    pub(super) generation: u64,
    fetched_at: UnixTime,
    /// The tick at which the place says that something happens.
    pub(super) tick: u64,
    /// The tick at which the refresh fell due.
    due: u64,
    /// The tick at which the last refresh began.
    began: u64,
    /// The tick from which the own lane may be used again, where the slow lane is used.
    own_lane_from: u64,
    max_age: u32,
    /// In days since the epoch.
    last_used: u32,
    /// The mean of the waits out of which the last was drawn, in seconds.
    every: u32,
    pub(super) mode: Mode,
    pub(super) place: Place,
    /// The last refresh failed, or was not prompt.
    is_slow: bool,
    /// The policy was overdue, or not refreshed for a while: it comes after those that are in time.
    is_catching_up: bool,
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

/// The order of two policies of a domain, as [`Entry::merge`] has it: the greater one stays.
pub(super) type Rank = (u64, Option<(UnixTime, Mode, u32)>);

pub(super) fn rank(entry: &Entry) -> Rank {
    let rank = |held: &HeldPolicy| {
        (held.fetched_at(), held.policy().mode(), held.policy().max_age().as_secs())
    };
    (entry.generation(), entry.stored_policy().map(rank))
}

/// The policy, and the times that come from its entry.
impl Slot {
    /// `None` if the entry holds nothing to refresh, now or after its clock was set back.
    pub(super) fn of(entry: &Entry, now: UnixTime) -> Option<Self> {
        let held = entry.stored_policy()?;
        let mut slot = Self {
            generation: entry.generation(),
            fetched_at: held.fetched_at(),
            tick: 0,
            due: 0,
            began: 0,
            own_lane_from: 0,
            max_age: held.policy().max_age().as_secs(),
            last_used: 0,
            every: 0,
            mode: held.policy().mode(),
            place: Place::Waiting,
            is_slow: false,
            is_catching_up: false,
            heard: Heard::Nothing,
        };
        slot.touch(entry);
        (slot.life() >= plan::SHORTEST_LIFE && !slot.is_over(now)).then_some(slot)
    }

    pub(super) const fn rank(&self) -> Rank {
        (self.generation, Some((self.fetched_at, self.mode, self.max_age)))
    }

    /// `true` if the other policy was fetched later. It is news even if it ranks lower, as after a
    /// clock was set back: the store had dropped this one, and the schedule was not told.
    pub(super) fn is_before(&self, other: &Self) -> bool {
        self.fetched_at < other.fetched_at
    }

    /// Takes the policy of another slot. All that belongs to the refreshes stays.
    pub(super) fn take_policy(&mut self, new: &Self) {
        self.generation = new.generation;
        self.fetched_at = new.fetched_at;
        self.max_age = new.max_age;
        self.mode = new.mode;
        self.last_used = self.last_used.max(new.last_used);
    }

    /// Notes when the entry was last used.
    pub(super) fn touch(&mut self, entry: &Entry) {
        let days = entry.last_used().as_secs() / DAY;
        self.last_used = self.last_used.max(u32::try_from(days).unwrap_or(u32::MAX));
    }

    pub(super) fn life(&self) -> u64 {
        u64::from(self.max_age)
    }

    fn expires_at(&self) -> UnixTime {
        self.fetched_at.plus_secs(self.life())
    }

    /// Seconds until it expires. A fetch that lies ahead gives no longer life.
    pub(super) fn left(&self, now: UnixTime) -> u64 {
        self.expires_at().secs_since(now).min(self.life())
    }

    pub(super) fn is_expired(&self, now: UnixTime) -> bool {
        now >= self.expires_at()
    }

    /// `true` if it has expired for so long that it is forgotten.
    pub(super) fn is_over(&self, now: UnixTime) -> bool {
        now >= self.expires_at().plus_secs(crate::entry::GRACE_SECS)
    }

    /// `true` if it is not to be refreshed as long as nothing happens to it.
    pub(super) fn is_idle(&self, now: UnixTime, unused_after: u64) -> bool {
        // A use is noted by the day, as the start of it.
        let end_of_use = u64::from(self.last_used).saturating_add(1).saturating_mul(DAY);
        let unused = now.secs_since(UnixTime::from_secs(end_of_use));
        self.is_expired(now) || unused > plan::used_for(self.life(), unused_after)
    }
}

/// The refreshes: one place follows another.
impl Slot {
    /// Where the domain goes for the regular refresh of its policy.
    pub(super) fn wait_regularly(&mut self, now: UnixTime, ticks: u64, entropy: u64) {
        match plan::regular(self.life(), now.secs_since(self.fetched_at)) {
            Some(window) => self.wait(window, ticks, entropy),
            None => self.catch_up(now, ticks, entropy),
        }
    }

    /// Where it goes if its refresh is overdue.
    pub(super) fn catch_up(&mut self, now: UnixTime, ticks: u64, entropy: u64) {
        self.wait(plan::catch_up(self.left(now)), ticks, entropy);
        self.is_catching_up = true;
    }

    pub(super) fn wait(&mut self, window: Window, ticks: u64, entropy: u64) {
        self.every = u32::try_from(window.mean()).unwrap_or(u32::MAX);
        self.is_catching_up = false;
        self.place = Place::Waiting;
        self.tick = ticks.saturating_add(window.draw(entropy));
    }

    pub(super) fn park(&mut self, ticks: u64) {
        self.place = Place::Parked;
        self.tick = ticks.saturating_add(plan::PARKED);
    }

    /// Its tick came so long ago that the driver must have stood still meanwhile.
    pub(super) fn has_missed_its_tick(&self, ticks: u64) -> bool {
        self.place == Place::Waiting
            && !self.is_catching_up
            && ticks.saturating_sub(self.tick) > plan::MISSED
    }

    /// Its tick has come, and it is neither idle nor forgotten.
    pub(super) fn advance(&mut self, ticks: u64) {
        let own = Lane::of_prompt(self.life());
        match self.place {
            Place::Waiting => self.become_ready(ticks),
            Place::Parked => {
                self.is_catching_up = true;
                self.become_ready(ticks);
            }
            Place::Ready(_) => self.place = Place::Ready(own),
            Place::Begun(lane) if lane.is_prompt() => {
                self.is_slow = true;
                self.place = Place::Late;
                self.tick = self.began.saturating_add(plan::LOST);
            }
            Place::Begun(_) | Place::Late => {
                self.is_slow = true;
                self.become_ready(ticks);
            }
        }
    }

    fn become_ready(&mut self, ticks: u64) {
        self.due = self.tick;
        self.place = Place::Ready(if self.is_slow {
            let patience = ticks.saturating_add(plan::patience(self.life()));
            self.tick = self.own_lane_from.max(patience);
            Lane::Slow
        } else {
            Lane::of_prompt(self.life())
        });
    }

    /// Its refresh begins in this lane.
    pub(super) fn begin(&mut self, lane: Lane, now: UnixTime, ticks: u64, entropy: u64) {
        self.began = ticks;
        self.place = Place::Begun(lane);
        if lane.is_prompt() {
            let again = plan::between_uses_of_own_lane(self.life(), self.left(now));
            self.own_lane_from = ticks.saturating_add(again.draw(entropy));
            self.tick = ticks.saturating_add(plan::PROMPT).saturating_add(1);
        } else {
            self.tick = ticks.saturating_add(plan::LOST);
        }
    }

    /// Its refresh has ended, well or not.
    pub(super) fn end(&mut self, is_fresh: bool, ticks: u64) {
        let is_prompt = match self.place {
            Place::Begun(_) => ticks.saturating_sub(self.began) <= plan::PROMPT,
            Place::Late => false,
            // The refresh was taken for lost.
            Place::Waiting | Place::Parked | Place::Ready(_) => !self.is_slow,
        };
        self.is_slow = !(is_fresh && is_prompt);
    }

    /// The order within a lane: the tick at which it fell due, and later by as much as its life is
    /// shorter than 36 hours, or if it is catching up.
    ///
    /// A life that is longer by an hour goes before one that fell due up to an hour earlier. So an
    /// attacker who wants to go before others must live longer than they, and be refreshed as
    /// rarely.
    pub(super) fn order(&self) -> u64 {
        let shorter = plan::REGULAR_LIFE.saturating_sub(self.life());
        let late = if self.is_catching_up { plan::CATCH_UP } else { 0 };
        self.due.saturating_add(shorter).saturating_add(late)
    }

    /// The mean time between two refreshes in the lane, in seconds. `None` if it does not use the
    /// lane.
    pub(super) fn interval(&self, lane: Lane) -> Option<u64> {
        let every = u64::from(self.every).max(1);
        let is_used =
            if lane.is_prompt() { lane == Lane::of_prompt(self.life()) } else { self.is_slow };
        let regular = plan::between_fetches(self.life()).mean();
        let takes_every = self.is_catching_up || !lane.is_prompt();
        let interval = if takes_every { every } else { regular };
        (is_used && self.place != Place::Parked).then_some(interval)
    }
}

#[cfg(test)]
mod tests;
