//! In which order: each domain is in exactly one of two queues.

use alloc::collections::BTreeSet;

use super::domains::Id;
use super::lists::Lists;
use super::slot::{Place, Slot};

#[derive(Debug, Default)]
pub(super) struct Queues {
    /// By tick: those that wait, those that are parked, and those in flight.
    waiting: Lists,
    /// By the time when the policy expires, the most urgent first.
    ready: BTreeSet<(u64, Id)>,
    in_flight: usize,
    parked: usize,
    weight: u64,
}

impl Queues {
    /// Puts the domain where it stays until a tick.
    pub(super) fn wait(&mut self, id: Id, slot: &mut Slot, place: Place, tick: u64) {
        slot.tick = tick;
        self.link(id, slot, place);
    }

    /// Puts the domain where its refresh may begin.
    pub(super) fn make_ready(&mut self, id: Id, slot: &mut Slot) {
        self.link(id, slot, Place::Ready);
    }

    fn link(&mut self, id: Id, slot: &mut Slot, place: Place) {
        slot.place = place;
        self.weight = self.weight.saturating_add(slot.weight());
        if let Some(count) = self.count(place) {
            *count = count.saturating_add(1);
        }
        if place == Place::Ready {
            self.ready.insert((slot.expires_at().as_secs(), id));
        } else {
            self.waiting.insert(slot.tick, id);
        }
    }

    /// Takes the domain out of its queue, before anything is changed that bears on its place.
    pub(super) fn unlink(&mut self, id: Id, slot: &Slot) {
        self.weight = self.weight.saturating_sub(slot.weight());
        if let Some(count) = self.count(slot.place) {
            *count = count.saturating_sub(1);
        }
        if slot.place == Place::Ready {
            self.ready.remove(&(slot.expires_at().as_secs(), id));
        } else {
            self.waiting.remove(slot.tick, id);
        }
    }

    fn count(&mut self, place: Place) -> Option<&mut usize> {
        match place {
            Place::InFlight => Some(&mut self.in_flight),
            Place::Parked => Some(&mut self.parked),
            Place::Waiting | Place::Ready => None,
        }
    }

    /// The first that waits, and its tick.
    pub(super) fn first_waiting(&self) -> Option<(u64, Id)> {
        self.waiting.first()
    }

    /// The most urgent that is ready, and when its policy expires, in seconds of the epoch.
    pub(super) fn first_ready(&self) -> Option<(u64, Id)> {
        self.ready.first().copied()
    }

    pub(super) fn ready(&self) -> usize {
        self.ready.len()
    }

    pub(super) const fn in_flight(&self) -> usize {
        self.in_flight
    }

    pub(super) const fn parked(&self) -> usize {
        self.parked
    }

    /// The weight of all that is refreshed: see [`super::pace`].
    pub(super) const fn weight(&self) -> u64 {
        self.weight
    }
}
