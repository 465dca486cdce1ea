//! Entries in memory: the store that every client has, and the only one where no other is given.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::ops::ControlFlow;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use mta_sts::{Entry, PolicyDomain, UnixTime, Urgency};

use crate::{Clock, Store, StoreError, Stored, system_clock};

/// How many entries are kept unless said otherwise.
pub(crate) const DEFAULT_CAPACITY: usize = 100_000;

/// A bounded store in memory.
///
/// When it is full, entries without an unexpired policy go first, the oldest before others; an
/// unexpired policy is never dropped, so nobody can push one out by a flood of other domains. Where
/// nothing may be dropped, nothing new is taken ([`StoreError::Full`]).
pub struct Memory {
    shards: Box<[RwLock<Shard>]>,
    hasher: RandomState,
    shard_capacity: usize,
    clock: Clock,
    /// Whether what is here and was written elsewhere may be dropped.
    backed: bool,
}

#[derive(Default)]
struct Shard {
    slots: HashMap<PolicyDomain, Slot>,
    /// Every domain of `slots` once, in the order in which they are tried for eviction.
    queue: VecDeque<PolicyDomain>,
}

/// An entry, and how it stands to the store behind.
#[derive(Clone)]
pub(crate) struct Slot {
    pub(crate) entry: Arc<Entry>,
    /// The store behind was read: if it holds more than this, it came there later.
    pub(crate) known: bool,
    /// The store behind has yet to take it.
    pub(crate) dirty: bool,
}

/// What is to be noted with an entry.
#[derive(Clone, Copy)]
pub(crate) struct Note {
    pub(crate) known: bool,
    pub(crate) dirty: bool,
}

impl Memory {
    /// A store of at most `capacity` entries, and at least 1. An entry takes about half a kilobyte
    /// and its policy.
    pub fn new(capacity: usize) -> Self {
        Self::with_clock(capacity, Arc::new(system_clock))
    }

    /// A store that asks `clock` whether a policy has expired.
    pub fn with_clock(capacity: usize, clock: Clock) -> Self {
        Self::build(capacity, clock, false)
    }

    /// The memory before a store: what that has taken may be dropped here.
    #[cfg(any(feature = "blocking", feature = "tokio"))]
    pub(crate) fn before_store(capacity: usize, clock: Clock) -> Self {
        Self::build(capacity, clock, true)
    }

    fn build(capacity: usize, clock: Clock, backed: bool) -> Self {
        const SHARDS: usize = 16;
        // Few entries in many shards would be uneven.
        let count = if capacity < 64 * SHARDS { 1 } else { SHARDS };
        let shards = (0..count).map(|_| RwLock::default()).collect();
        let shard_capacity = (capacity / count).max(1);
        Self { shards, hasher: RandomState::new(), shard_capacity, clock, backed }
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| read(shard).slots.len()).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Shows every entry once, in no order, for a look that must not disturb.
    #[cfg(any(feature = "blocking", feature = "tokio"))]
    pub(crate) fn each(&self, visit: &mut dyn FnMut(&Entry)) {
        for shard in &self.shards {
            read(shard).slots.values().for_each(|slot| visit(&slot.entry));
        }
    }

    pub(crate) fn peek(&self, domain: &PolicyDomain) -> Option<Slot> {
        read(self.shard(domain)?).slots.get(domain).cloned()
    }

    /// Merges the entry into what is here. What is noted is added to what was: known stays known,
    /// dirty stays dirty.
    pub(crate) fn absorb(&self, entry: &Entry, note: Note) -> Result<(), StoreError> {
        let domain = entry.domain();
        let mut shard = write(self.shard(domain).ok_or(StoreError::Full)?);
        if let Some(slot) = shard.slots.get_mut(domain) {
            let mut merged = Entry::clone(&slot.entry);
            // The key is the domain: there is nothing that could fail.
            if merged.merge(entry.clone()).is_ok() && merged != *slot.entry {
                slot.entry = Arc::new(merged);
            }
            slot.known |= note.known;
            slot.dirty |= note.dirty;
            return Ok(());
        }
        let now = (self.clock)();
        if shard.slots.len() >= self.shard_capacity {
            shard.make_room(self.backed, entry.policy(now).is_some(), now)?;
        }
        let slot = Slot { entry: Arc::new(entry.clone()), known: note.known, dirty: note.dirty };
        shard.slots.insert(domain.clone(), slot);
        shard.queue.push_back(domain.clone());
        Ok(())
    }

    /// The store behind has taken this very entry.
    #[cfg(any(feature = "blocking", feature = "tokio"))]
    pub(crate) fn written(&self, entry: &Arc<Entry>) {
        let Some(shard) = self.shard(entry.domain()) else { return };
        if let Some(slot) = write(shard).slots.get_mut(entry.domain()) {
            slot.dirty &= !Arc::ptr_eq(&slot.entry, entry);
        }
    }

    fn drop_entry(&self, domain: &PolicyDomain) -> bool {
        let Some(shard) = self.shard(domain) else { return false };
        let mut shard = write(shard);
        let removed = shard.slots.remove(domain).is_some();
        if removed {
            shard.queue.retain(|queued| queued != domain);
        }
        removed
    }

    fn shard(&self, domain: &PolicyDomain) -> Option<&RwLock<Shard>> {
        let count = u64::try_from(self.shards.len()).ok()?;
        let index = self.hasher.hash_one(domain).checked_rem(count)?;
        self.shards.get(usize::try_from(index).ok()?)
    }
}

impl Shard {
    /// Drops one entry, if there is one that may be.
    ///
    /// For an entry without a policy only a few are looked at, so that a flood of such cannot make
    /// each of them cost a walk through all.
    fn make_room(
        &mut self,
        backed: bool,
        for_policy: bool,
        now: UnixTime,
    ) -> Result<(), StoreError> {
        const FEW: usize = 32;
        let most = if for_policy { self.queue.len() } else { FEW.min(self.queue.len()) };
        let mut written_policy = None;
        for _ in 0..most {
            let Some(candidate) = self.queue.pop_front() else { break };
            let Some(slot) = self.slots.get(&candidate) else { continue };
            if slot.entry.policy(now).is_none() {
                self.slots.remove(&candidate);
                return Ok(());
            }
            if backed && !slot.dirty && written_policy.is_none() {
                written_policy = Some(candidate.clone());
            }
            self.queue.push_back(candidate);
        }
        let victim = written_policy.ok_or(StoreError::Full)?;
        self.queue.retain(|queued| *queued != victim);
        self.slots.remove(&victim);
        Ok(())
    }
}

fn read(shard: &RwLock<Shard>) -> RwLockReadGuard<'_, Shard> {
    shard.read().unwrap_or_else(PoisonError::into_inner)
}

fn write(shard: &RwLock<Shard>) -> RwLockWriteGuard<'_, Shard> {
    shard.write().unwrap_or_else(PoisonError::into_inner)
}

impl Default for Memory {
    fn default() -> Self {
        Self::new(DEFAULT_CAPACITY)
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl Store for Memory {
    fn get(&self, domain: &PolicyDomain) -> Result<Option<Entry>, StoreError> {
        Ok(self.peek(domain).map(|slot| Entry::clone(&slot.entry)))
    }

    fn merge(&self, entry: &Entry, _urgency: Urgency) -> Result<(), StoreError> {
        self.absorb(entry, Note { known: true, dirty: false })
    }

    fn remove(&self, domain: &PolicyDomain) -> Result<bool, StoreError> {
        Ok(self.drop_entry(domain))
    }

    fn visit(&self, visit: &mut dyn FnMut(Stored) -> ControlFlow<()>) -> Result<(), StoreError> {
        let mut entries: Vec<Arc<Entry>> = Vec::with_capacity(self.len());
        for shard in &self.shards {
            entries.extend(read(shard).slots.values().map(|slot| Arc::clone(&slot.entry)));
        }
        entries.sort_by(|a, b| {
            let (used_a, used_b) = (a.last_used(), b.last_used());
            used_b.cmp(&used_a).then_with(|| a.domain().as_str().cmp(b.domain().as_str()))
        });
        for entry in entries {
            let stored = Stored {
                domain: entry.domain().as_str().to_owned(),
                last_used: entry.last_used(),
                entry: Ok(Entry::clone(&entry)),
            };
            if visit(stored).is_break() {
                break;
            }
        }
        Ok(())
    }
}
