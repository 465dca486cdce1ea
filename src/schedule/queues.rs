//! In which order: each domain is in exactly one of two queues.

use alloc::collections::BTreeSet;

use super::slot::{Place, Slot};
use crate::name::PolicyDomain;

#[derive(Debug, Default)]
pub(super) struct Queues {
    /// By tick: those that wait, those that are parked, and those in flight.
    waiting: BTreeSet<(u64, PolicyDomain)>,
    /// By the time when the policy expires, the most urgent first.
    ready: BTreeSet<(u64, PolicyDomain)>,
    in_flight: usize,
    parked: usize,
    weight: u64,
}

impl Queues {
    /// Puts the domain into its queue.
    pub(super) fn link(&mut self, domain: PolicyDomain, slot: &mut Slot, place: Place, key: u64) {
        (slot.place, slot.key) = (place, key);
        self.weight = self.weight.saturating_add(slot.weight());
        if let Some(count) = self.count(place) {
            *count = count.saturating_add(1);
        }
        self.queue(place).insert((key, domain));
    }

    /// Takes the domain out of its queue, before anything is changed that bears on its place. The
    /// name that it gives is the one to link again: all copies of a name share one allocation.
    pub(super) fn unlink(&mut self, domain: &PolicyDomain, slot: &Slot) -> PolicyDomain {
        self.weight = self.weight.saturating_sub(slot.weight());
        if let Some(count) = self.count(slot.place) {
            *count = count.saturating_sub(1);
        }
        let key = (slot.key, domain.clone());
        self.queue(slot.place).take(&key).unwrap_or(key).1
    }

    fn queue(&mut self, place: Place) -> &mut BTreeSet<(u64, PolicyDomain)> {
        match place {
            Place::Ready => &mut self.ready,
            Place::Waiting | Place::Parked | Place::InFlight => &mut self.waiting,
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
    pub(super) fn first_waiting(&self) -> Option<(u64, &PolicyDomain)> {
        self.waiting.first().map(|(tick, domain)| (*tick, domain))
    }

    /// The most urgent that is ready, and when its policy expires, in seconds of the epoch.
    pub(super) fn first_ready(&self) -> Option<(u64, &PolicyDomain)> {
        self.ready.first().map(|(expires, domain)| (*expires, domain))
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
