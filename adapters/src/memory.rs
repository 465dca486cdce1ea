//! Entries in memory: the store that every client has, and the only one where no other is given.

mod shard;

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::ops::ControlFlow;
use std::sync::{Arc, PoisonError};

use crossbeam_utils::sync::{ShardedLock, ShardedLockReadGuard, ShardedLockWriteGuard};
#[cfg(any(feature = "blocking", feature = "tokio"))]
use mta_sts::Held;
use mta_sts::{Entry, PolicyDomain, UnixTime, Urgency};

use crate::{Clock, Store, StoreError, Stored, system_clock};
use shard::{Kept, Shard};

/// How many entries are kept unless said otherwise.
pub(crate) const DEFAULT_CAPACITY: usize = 100_000;

/// A bounded store in memory.
///
/// When it is full, entries without an unexpired policy go first, the oldest before others; an
/// unexpired policy is never dropped, so nobody can push one out by a flood of other domains. Where
/// nothing may be dropped, nothing new is taken ([`StoreError::Full`]).
///
/// Entries are kept as every store keeps them, as [bytes](Entry::to_bytes): one of a policy of three
/// hosts takes some 300 octets, all in all.
pub struct Memory {
    /// Those who read at the same time take locks of their own, be it for one domain.
    shards: Box<[ShardedLock<Shard>]>,
    hasher: RandomState,
    shard_capacity: usize,
    clock: Clock,
    /// Whether what is here and was written elsewhere may be dropped.
    backed: bool,
}

/// The marks of an entry in memory.
#[derive(Clone, Copy)]
pub(crate) struct Note {
    /// The store behind was read: if it holds more than this, it came there later.
    pub(crate) known: bool,
    /// The store behind has yet to take it.
    pub(crate) dirty: bool,
}

impl Memory {
    /// A store of at most `capacity` entries, and at least 1.
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
        let hasher = RandomState::new();
        let shards = (0..count).map(|_| ShardedLock::new(Shard::new(hasher.clone()))).collect();
        let shard_capacity = (capacity / count).max(1);
        Self { shards, hasher, shard_capacity, clock, backed }
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| read(shard).len()).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Shows every entry once, in no order, for a look that must not disturb.
    #[cfg(any(feature = "blocking", feature = "tokio"))]
    pub(crate) fn each(&self, visit: &mut dyn FnMut(&Entry)) {
        for shard in &self.shards {
            read(shard).entries().for_each(|entry| visit(&entry));
        }
    }

    /// Returns the entry that is held, and `true` if the store behind was read for it.
    fn peek(&self, domain: &PolicyDomain) -> Option<(Entry, bool)> {
        let hash = self.hasher.hash_one(domain.as_str());
        let shard = read(self.shard(hash)?);
        let kept = shard.get(hash, domain)?;
        Some((kept.entry(domain)?, kept.known))
    }

    pub(crate) fn entry(&self, domain: &PolicyDomain) -> Option<Entry> {
        self.peek(domain).map(|(entry, _)| entry)
    }

    /// Returns what a lookup knows without the store behind. An entry for which that store was never
    /// read is a note beside an unreadable store; `None` if there is no entry.
    #[cfg(any(feature = "blocking", feature = "tokio"))]
    pub(crate) fn held(&self, domain: &PolicyDomain) -> Option<Held> {
        let (entry, known) = self.peek(domain)?;
        Some(if known { Held::Entry(entry) } else { Held::Unreadable { notes: Some(entry) } })
    }

    /// Merges the entry into what is here, and returns the result. The marks are added to those of
    /// before: known stays known, dirty stays dirty.
    pub(crate) fn absorb(&self, entry: &Entry, note: Note) -> Result<Entry, StoreError> {
        let domain = entry.domain();
        let hash = self.hasher.hash_one(domain.as_str());
        let now = (self.clock)();
        let mut shard = write(self.shard(hash).ok_or(StoreError::Full)?);
        if let Some(kept) = shard.get_mut(hash, domain) {
            let merged = kept.merge(entry, now);
            kept.known |= note.known;
            kept.dirty |= note.dirty;
            return Ok(merged);
        }
        let kept = Kept::new(entry, note, now);
        if shard.len() < self.shard_capacity {
            shard.push(hash, kept)?;
        } else {
            let victim = shard.victim(self.backed, entry.policy(now).is_some(), now)?;
            shard.replace(victim, hash, kept)?;
        }
        Ok(entry.clone())
    }

    /// The store behind has taken this very entry.
    #[cfg(any(feature = "blocking", feature = "tokio"))]
    pub(crate) fn written(&self, entry: &Entry) {
        let hash = self.hasher.hash_one(entry.domain().as_str());
        let Some(shard) = self.shard(hash) else { return };
        if let Some(kept) = write(shard).get_mut(hash, entry.domain()) {
            kept.dirty &= !kept.is(entry);
        }
    }

    fn drop_entry(&self, domain: &PolicyDomain) -> bool {
        let hash = self.hasher.hash_one(domain.as_str());
        self.shard(hash).is_some_and(|shard| write(shard).remove(hash, domain))
    }

    fn shard(&self, hash: u64) -> Option<&ShardedLock<Shard>> {
        // The lowest and the highest bits are those that a shard's own table goes by.
        let index = usize::try_from(hash >> 32).ok()?.checked_rem(self.shards.len())?;
        self.shards.get(index)
    }
}

fn read(shard: &ShardedLock<Shard>) -> ShardedLockReadGuard<'_, Shard> {
    shard.read().unwrap_or_else(PoisonError::into_inner)
}

fn write(shard: &ShardedLock<Shard>) -> ShardedLockWriteGuard<'_, Shard> {
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
        Ok(self.entry(domain))
    }

    fn merge(&self, entry: &Entry, _urgency: Urgency) -> Result<Entry, StoreError> {
        self.absorb(entry, Note { known: true, dirty: false })
    }

    fn remove(&self, domain: &PolicyDomain) -> Result<bool, StoreError> {
        Ok(self.drop_entry(domain))
    }

    fn visit(&self, visit: &mut dyn FnMut(Stored) -> ControlFlow<()>) -> Result<(), StoreError> {
        let mut order: Vec<(UnixTime, PolicyDomain)> = Vec::with_capacity(self.len());
        for shard in &self.shards {
            let used = |entry: Entry| (entry.last_used(), entry.domain().clone());
            order.extend(read(shard).entries().map(used));
        }
        order.sort_by(|(used_a, a), (used_b, b)| used_b.cmp(used_a).then_with(|| a.cmp(b)));
        for (_, domain) in order {
            let Some(entry) = self.entry(&domain) else { continue };
            let stored = Stored {
                domain: domain.as_str().to_owned(),
                last_used: entry.last_used(),
                entry: Ok(entry),
            };
            if visit(stored).is_break() {
                break;
            }
        }
        Ok(())
    }
}
