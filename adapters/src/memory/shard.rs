//! Some of the entries of a memory, found by the hash of their domain.

use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;
use mta_sts::{Entry, PolicyDomain, UnixTime};

use super::Note;
use crate::StoreError;

/// In seconds.
const HOUR: u64 = 3_600;

pub(super) struct Shard {
    /// In the order in which they are tried for eviction, beginning at the hand.
    kept: Vec<Kept>,
    hand: usize,
    /// Where in `kept` an entry is.
    places: HashTable<u32>,
    hasher: RandomState,
}

/// An entry, packed, and what is noted with it.
pub(super) struct Kept {
    bytes: Box<[u8]>,
    /// The hour of the epoch up to which its policy is known to be unexpired without reading it; 0
    /// where there is none.
    good_until: u32,
    pub(super) known: bool,
    pub(super) dirty: bool,
}

impl Kept {
    pub(super) fn new(entry: &Entry, note: Note, now: UnixTime) -> Self {
        let mut kept =
            Self { bytes: Box::default(), good_until: 0, known: note.known, dirty: note.dirty };
        kept.put(entry, now);
        kept
    }

    fn put(&mut self, entry: &Entry, now: UnixTime) {
        let hour = entry.stored_policy().map(|held| held.expires_at(now).as_secs() / HOUR);
        self.good_until = hour.map_or(0, |hour| u32::try_from(hour).unwrap_or(u32::MAX).max(1));
        // Copied: what is shrunk in place leaves a hole behind it.
        self.bytes = entry.to_bytes().as_slice().into();
    }

    /// The entry. These bytes were made here: there is none only where memory itself has failed.
    pub(super) fn entry(&self, domain: &PolicyDomain) -> Option<Entry> {
        Entry::from_bytes(domain, &self.bytes).ok()
    }

    /// Merges the entry into this one, and returns the result.
    pub(super) fn merge(&mut self, entry: &Entry, now: UnixTime) -> Entry {
        let mut merged = entry.clone();
        if let Some(held) = self.entry(entry.domain()) {
            merged.merge(held).expect("an entry is found by its own domain");
        }
        self.put(&merged, now);
        merged
    }

    /// Whether it is this very entry.
    #[cfg(any(feature = "blocking", feature = "tokio"))]
    pub(super) fn is(&self, entry: &Entry) -> bool {
        *self.bytes == *entry.to_bytes()
    }

    fn name(&self) -> &str {
        Entry::domain_of(&self.bytes).unwrap_or_default()
    }

    /// The entry, whatever its domain.
    fn any(&self) -> Option<Entry> {
        self.entry(&PolicyDomain::parse(self.name()).ok()?)
    }

    fn protects(&self, now: UnixTime) -> bool {
        self.good_until > 0
            && (now.as_secs() / HOUR < u64::from(self.good_until)
                || self.any().is_some_and(|entry| entry.policy(now).is_some()))
    }
}

impl Shard {
    pub(super) fn new(hasher: RandomState) -> Self {
        Self { kept: Vec::new(), hand: 0, places: HashTable::new(), hasher }
    }

    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = Entry> + '_ {
        self.kept.iter().filter_map(Kept::any)
    }

    pub(super) fn get(&self, hash: u64, domain: &PolicyDomain) -> Option<&Kept> {
        self.kept.get(self.place(hash, domain)?)
    }

    pub(super) fn get_mut(&mut self, hash: u64, domain: &PolicyDomain) -> Option<&mut Kept> {
        let place = self.place(hash, domain)?;
        self.kept.get_mut(place)
    }

    fn place(&self, hash: u64, domain: &PolicyDomain) -> Option<usize> {
        let is_it = |place: &u32| self.name(*place) == domain.as_str();
        self.places.find(hash, is_it).map(|place| index(*place))
    }

    fn name(&self, place: u32) -> &str {
        self.kept.get(index(place)).map_or("", Kept::name)
    }

    /// Adds an entry whose domain is not there.
    pub(super) fn push(&mut self, hash: u64, kept: Kept) -> Result<(), StoreError> {
        let place = u32::try_from(self.kept.len()).map_err(|_| StoreError::Full)?;
        self.kept.push(kept);
        self.link(hash, place);
        Ok(())
    }

    /// Puts an entry whose domain is not there in the place of another.
    pub(super) fn replace(&mut self, victim: u32, hash: u64, kept: Kept) -> Result<(), StoreError> {
        self.unlink(victim);
        *self.kept.get_mut(index(victim)).ok_or(StoreError::Full)? = kept;
        self.link(hash, victim);
        Ok(())
    }

    pub(super) fn remove(&mut self, hash: u64, domain: &PolicyDomain) -> bool {
        let Some(place) = self.place(hash, domain) else { return false };
        let last = self.kept.len() - 1;
        let [place, last] = [place, last].map(|place| u32::try_from(place).unwrap_or(u32::MAX));
        self.unlink(place);
        if place != last {
            self.unlink(last);
        }
        self.kept.swap_remove(index(place));
        if place != last {
            let moved = self.hasher.hash_one(self.name(place));
            self.link(moved, place);
        }
        true
    }

    fn link(&mut self, hash: u64, place: u32) {
        let (kept, hasher) = (&self.kept, &self.hasher);
        let again = |place: &u32| hasher.hash_one(kept.get(index(*place)).map_or("", Kept::name));
        self.places.insert_unique(hash, place, again);
    }

    fn unlink(&mut self, place: u32) {
        let hash = self.hasher.hash_one(self.name(place));
        if let Ok(found) = self.places.find_entry(hash, |found| *found == place) {
            found.remove();
        }
    }

    /// Whom a new entry is to replace, if there is one that may be.
    ///
    /// For an entry without a policy only a few are looked at, so that a flood of such cannot make
    /// each of them cost a walk through all.
    pub(super) fn victim(
        &mut self,
        backed: bool,
        for_policy: bool,
        now: UnixTime,
    ) -> Result<u32, StoreError> {
        const FEW: usize = 32;
        let most = if for_policy { self.kept.len() } else { FEW.min(self.kept.len()) };
        let mut written_policy = None;
        for _ in 0..most {
            let place = self.hand % self.kept.len();
            self.hand = place + 1;
            let Some(kept) = self.kept.get(place) else { break };
            let number = u32::try_from(place).map_err(|_| StoreError::Full)?;
            if !kept.protects(now) {
                return Ok(number);
            }
            if backed && !kept.dirty && written_policy.is_none() {
                written_policy = Some(number);
            }
        }
        written_policy.ok_or(StoreError::Full)
    }
}

fn index(place: u32) -> usize {
    usize::try_from(place).unwrap_or(usize::MAX)
}
