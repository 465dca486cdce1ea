//! Who is followed: a slot for each domain, and how it is found by its name.

use alloc::vec::Vec;
use core::num::NonZeroU32;

use hashbrown::HashTable;
use siphasher::sip::SipHasher13;

use super::chunks::Chunks;
use super::names::Names;
use super::slot::Slot;
use crate::name::PolicyDomain;

/// The number of a domain's slot. One whose domain is no longer followed is given to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Id(NonZeroU32);

impl Id {
    /// The number of the slot at this place.
    pub(super) fn of(index: usize) -> Option<Self> {
        u32::try_from(index.checked_add(1)?).ok().and_then(NonZeroU32::new).map(Self)
    }

    pub(super) fn index(self) -> usize {
        usize::try_from(self.0.get()).map_or(usize::MAX, |number| number.saturating_sub(1))
    }
}

#[derive(Default)]
pub(super) struct Domains {
    slots: Chunks<Option<Slot>>,
    /// The numbers of the slots that are empty.
    free: Vec<Id>,
    names: Names,
    /// By the hash of the name.
    by_name: HashTable<Id>,
    hasher: SipHasher13,
}

impl Domains {
    pub(super) fn len(&self) -> usize {
        self.by_name.len()
    }

    pub(super) fn find(&self, domain: &PolicyDomain) -> Option<Id> {
        let name = domain.as_str();
        let is_it = |id: &Id| name_of(*id, &self.slots, &self.names) == name;
        self.by_name.find(self.hasher.hash(name.as_bytes()), is_it).copied()
    }

    pub(super) fn slot(&self, id: Id) -> Option<&Slot> {
        self.slots.get(id.index())?.as_ref()
    }

    pub(super) fn slot_mut(&mut self, id: Id) -> Option<&mut Slot> {
        self.slots.get_mut(id.index())?.as_mut()
    }

    /// The domain, made anew: its name is all that is kept.
    pub(super) fn domain(&self, id: Id) -> Option<PolicyDomain> {
        PolicyDomain::parse(name_of(id, &self.slots, &self.names)).ok()
    }

    /// Gives a slot to a domain that has none. `None` where there are 4 GiB of names.
    pub(super) fn insert(
        &mut self,
        domain: &PolicyDomain,
        mut slot: Slot,
        entropy: u64,
    ) -> Option<(Id, &mut Slot)> {
        if self.by_name.is_empty() {
            // Strangers choose the names: nobody is to know which of them meet in the index.
            self.hasher = SipHasher13::new_with_keys(entropy, 0);
        }
        if self.by_name.len() == self.by_name.capacity() {
            self.grow();
        }
        slot.name = self.names.push(domain.as_str())?;
        let id = self.put(slot)?;
        let Self { slots, names, by_name, hasher, .. } = self;
        let hash_of = |id: &Id| hasher.hash(name_of(*id, slots, names).as_bytes());
        by_name.insert_unique(hash_of(&id), id, hash_of);
        Some((id, self.slot_mut(id)?))
    }

    /// Makes a larger index. It goes by slot, since the names lie in about that order: to read them
    /// in any other takes several times as long.
    fn grow(&mut self) {
        let Self { slots, names, by_name, hasher, .. } = self;
        let hash_of = |id: &Id| hasher.hash(name_of(*id, slots, names).as_bytes());
        *by_name = HashTable::with_capacity(slots.len().saturating_add(slots.len() / 2).max(4));
        for (index, slot) in slots.iter().enumerate() {
            if let (Some(id), true) = (Id::of(index), slot.is_some()) {
                by_name.insert_unique(hash_of(&id), id, hash_of);
            }
        }
    }

    fn put(&mut self, slot: Slot) -> Option<Id> {
        if let Some(id) = self.free.pop() {
            *self.slots.get_mut(id.index())? = Some(slot);
            return Some(id);
        }
        let id = Id::of(self.slots.len())?;
        self.slots.push(Some(slot));
        Some(id)
    }

    pub(super) fn remove(&mut self, id: Id) -> Option<Slot> {
        let hash = self.hasher.hash(name_of(id, &self.slots, &self.names).as_bytes());
        let slot = self.slots.get_mut(id.index())?.take()?;
        if let Ok(entry) = self.by_name.find_entry(hash, |other| *other == id) {
            entry.remove();
        }
        self.free.push(id);
        self.names.remove(slot.name);
        // To look at each slot must be paid for by as many octets, too.
        if self.names.dead() > self.names.live().max(self.slots.len()) {
            self.pack_names();
        }
        Some(slot)
    }

    fn pack_names(&mut self) {
        let mut packed = Names::default();
        for slot in self.slots.iter_mut().flatten() {
            slot.name = packed.push(self.names.get(slot.name)).unwrap_or_default();
        }
        self.names = packed;
    }
}

fn name_of<'a>(id: Id, slots: &Chunks<Option<Slot>>, names: &'a Names) -> &'a str {
    let slot = slots.get(id.index()).and_then(Option::as_ref);
    slot.map_or("", |slot| names.get(slot.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::{Entry, HeldPolicy};
    use crate::policy::{Policy, Profile};
    use crate::record::PolicyId;
    use crate::time::UnixTime;
    use alloc::format;

    const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);

    fn domain(number: usize) -> PolicyDomain {
        PolicyDomain::parse(&format!("{}.d{number}.example", "x".repeat(number % 40 + 1))).unwrap()
    }

    fn slot(of: &PolicyDomain) -> Slot {
        let text = b"version: STSv1\nmode: enforce\nmx: a.example\nmax_age: 86400\n";
        let policy = Policy::parse(text, Profile::Strict).unwrap();
        let mut entry = Entry::new(of.clone(), NOW);
        entry.put(HeldPolicy::new(policy, PolicyId::parse("1").unwrap(), NOW));
        Slot::of(&entry, NOW).unwrap()
    }

    fn insert(domains: &mut Domains, of: &PolicyDomain) -> Id {
        domains.insert(of, slot(of), 7).unwrap().0
    }

    #[test]
    fn ok_a_domain_is_found_by_its_name_and_its_name_by_its_number() {
        let mut domains = Domains::default();
        assert_eq!(domains.find(&domain(0)), None);
        let ids: Vec<_> = (0..1_000).map(|n| insert(&mut domains, &domain(n))).collect();
        for (n, id) in ids.iter().enumerate() {
            assert_eq!(domains.find(&domain(n)), Some(*id), "{n}");
            assert_eq!(domains.domain(*id), Some(domain(n)));
        }
        assert_eq!(domains.find(&domain(1_000)), None);
        for id in ids.iter().step_by(2) {
            assert!(domains.remove(*id).is_some());
            assert!(domains.remove(*id).is_none() && domains.slot(*id).is_none());
        }
        assert_eq!(domains.len(), 500);
        for (n, id) in ids.iter().enumerate() {
            assert_eq!(domains.find(&domain(n)), (n % 2 == 1).then_some(*id), "{n}");
        }
    }

    #[test]
    fn ok_names_that_come_and_go_take_no_more_memory() {
        let mut domains = Domains::default();
        let mut ids: Vec<_> = (0..100).map(|n| insert(&mut domains, &domain(n))).collect();
        for n in 0..100_000 {
            let at = n * 7 % ids.len();
            domains.remove(ids[at]);
            ids[at] = insert(&mut domains, &domain(100 + n));
        }
        assert_eq!(domains.len(), 100);
        assert_eq!((domains.slots.len(), domains.free.len()), (100, 0));
        // Half of 16,000 octets at most are those of names that went, and half of what a list has
        // room for is empty.
        let room = domains.names.capacity();
        assert!(room <= 4 * domains.names.live(), "{room}");
        assert!(domains.by_name.capacity() <= 224, "{}", domains.by_name.capacity());
        for id in &ids {
            let of = domains.domain(*id).unwrap();
            assert_eq!(domains.find(&of), Some(*id), "{of}");
        }
    }

    #[test]
    fn ok_many_that_go_at_once_are_packed_a_few_times_only() {
        let mut domains = Domains::default();
        let ids: Vec<_> = (0..10_000).map(|n| insert(&mut domains, &domain(n))).collect();
        let mut packed = 0;
        for id in ids {
            let dead = domains.names.dead();
            domains.remove(id);
            packed += usize::from(domains.names.dead() < dead);
        }
        assert!((1..20).contains(&packed), "{packed}");
        assert!(domains.names.dead() <= domains.slots.len());
    }

    #[test]
    fn ok_where_a_name_is_in_the_index_hangs_on_entropy() {
        let hash = |entropy| {
            let mut domains = Domains::default();
            domains.insert(&domain(1), slot(&domain(1)), entropy);
            domains.hasher.hash(domain(1).as_str().as_bytes())
        };
        assert_eq!(hash(1), hash(1));
        assert_ne!(hash(1), hash(2));
    }
}
