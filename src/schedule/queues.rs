//! In which order: who waits for what, and which refresh may begin next.

use alloc::collections::BTreeSet;

use super::lane::Lane;
use super::pace::Pace;
use super::slot::{Place, Slot};
use crate::name::PolicyDomain;

/// What waits for its tick, and the three lanes.
///
/// A domain is [`put`](Self::put) by what its slot says, and [taken](Self::take) before the slot is
/// changed.
#[derive(Debug, Default)]
pub(super) struct Queues {
    /// All domains by tick, but for those that are ready in a prompt lane.
    waiting: BTreeSet<(u64, PolicyDomain)>,
    regular: Queue,
    short: Queue,
    slow: Queue,
    /// The refreshes that were to be prompt and were not.
    late: usize,
    parked: usize,
}

/// One lane.
#[derive(Debug, Default)]
struct Queue {
    /// By [`Slot::order`].
    ready: BTreeSet<(u64, PolicyDomain)>,
    /// The refreshes that have begun, without the late ones.
    begun: usize,
    pace: Pace,
}

impl Queues {
    /// Puts a domain where its slot says that it is.
    pub(super) fn put(&mut self, domain: PolicyDomain, slot: &Slot) {
        for lane in [Lane::Regular, Lane::Short, Lane::Slow] {
            if let Some(interval) = slot.interval(lane) {
                self.lane_mut(lane).pace.add(interval);
            }
        }
        if let Some(count) = self.count(slot.place) {
            *count = count.saturating_add(1);
        }
        if let Place::Ready(lane) = slot.place {
            if lane.is_prompt() {
                self.lane_mut(lane).ready.insert((slot.order(), domain));
                return;
            }
            self.lane_mut(lane).ready.insert((slot.order(), domain.clone()));
        }
        self.waiting.insert((slot.tick, domain));
    }

    /// Takes a domain away. It returns the name that was put, so that no other copy of the name is
    /// kept.
    #[expect(clippy::expect_used, reason = "a slot that the queues do not know is a fault of ours")]
    pub(super) fn take(&mut self, domain: &PolicyDomain, slot: &Slot) -> PolicyDomain {
        for lane in [Lane::Regular, Lane::Short, Lane::Slow] {
            if let Some(interval) = slot.interval(lane) {
                self.lane_mut(lane).pace.remove(interval);
            }
        }
        if let Some(count) = self.count(slot.place) {
            *count = count.saturating_sub(1);
        }
        let (mut key, mut taken) = ((slot.order(), domain.clone()), None);
        if let Place::Ready(lane) = slot.place {
            taken = self.lane_mut(lane).ready.take(&key);
        }
        if !matches!(slot.place, Place::Ready(Lane::Regular | Lane::Short)) {
            key.0 = slot.tick;
            taken = self.waiting.take(&key);
        }
        taken.expect("a domain is in the queue that its slot names").1
    }

    fn count(&mut self, place: Place) -> Option<&mut usize> {
        match place {
            Place::Begun(lane) => Some(&mut self.lane_mut(lane).begun),
            Place::Late => Some(&mut self.late),
            Place::Parked => Some(&mut self.parked),
            Place::Waiting | Place::Ready(_) => None,
        }
    }

    const fn lane(&self, lane: Lane) -> &Queue {
        match lane {
            Lane::Regular => &self.regular,
            Lane::Short => &self.short,
            Lane::Slow => &self.slow,
        }
    }

    const fn lane_mut(&mut self, lane: Lane) -> &mut Queue {
        match lane {
            Lane::Regular => &mut self.regular,
            Lane::Short => &mut self.short,
            Lane::Slow => &mut self.slow,
        }
    }

    /// The first tick of all, and the domain that waits for it.
    pub(super) fn first_waiting(&self) -> Option<(u64, &PolicyDomain)> {
        self.waiting.first().map(|(tick, domain)| (*tick, domain))
    }

    /// The first domain that is ready in a lane.
    pub(super) fn first_ready(&self, lane: Lane) -> Option<&PolicyDomain> {
        self.lane(lane).ready.first().map(|(_, domain)| domain)
    }

    /// The lanes out of which a refresh may begin, the first before the others, where at most so
    /// many are allowed at once.
    ///
    /// The slow lane has at most a quarter, and goes first up to that. The lane of the short lives
    /// goes first up to an eighth. Then comes the lane of the regular lives, and what it leaves is
    /// the short lives' again. A late refresh takes no place from the prompt lanes, so that a driver
    /// without timeouts cannot stop them: it counts as one of the slow lane.
    pub(super) fn open(&self, most: usize) -> impl Iterator<Item = Lane> + use<> {
        let begun = [&self.regular, &self.short, &self.slow].map(|lane| lane.begun);
        let [_, short, slow] = begun;
        let is_full = begun.into_iter().fold(0, usize::saturating_add) >= most;
        let slow = slow.saturating_add(self.late);
        let is_empty = |lane| self.lane(lane).ready.is_empty();
        let order = [
            (Lane::Slow, slow < most / 4),
            (Lane::Short, short < most / 8),
            (Lane::Regular, true),
            (Lane::Short, true),
            // Of fewer than four, a quarter is nothing: the slow lane comes last.
            (Lane::Slow, slow < (most / 4).max(1)),
        ]
        .map(|(lane, has_place)| (has_place && !is_full && !is_empty(lane)).then_some(lane));
        order.into_iter().flatten()
    }

    /// Takes what one refresh of the lane costs. `false` if the lane has to wait.
    pub(super) fn pay(&mut self, lane: Lane, tick: u64) -> bool {
        self.lane_mut(lane).pace.take(tick)
    }

    /// Seconds until a refresh of the lane may begin.
    pub(super) fn wait_to_pay(&self, lane: Lane, tick: u64) -> u64 {
        self.lane(lane).pace.wait(tick)
    }

    pub(super) fn ready(&self) -> usize {
        [&self.regular, &self.short, &self.slow].iter().map(|lane| lane.ready.len()).sum()
    }

    pub(super) fn in_flight(&self) -> usize {
        [self.regular.begun, self.short.begun, self.slow.begun, self.late].iter().sum()
    }

    pub(super) const fn parked(&self) -> usize {
        self.parked
    }
}

#[cfg(test)]
mod tests;
