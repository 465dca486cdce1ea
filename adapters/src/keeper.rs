//! What a client knows: its memory, the store behind it, and what that store has yet to take.
//!
//! Everything here may block on the store, but for [`Keeper::recall`].

mod following;
mod pending;

use std::fmt;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use mta_sts::lookup::Start;
use mta_sts::schedule::{Alert, Due};
use mta_sts::{Entry, Held, Lookup, Outcome, PolicyDomain, UnixTime, Urgency};

use crate::memory::Note;
use crate::metrics::{Census, Metrics};
use crate::observe;
use crate::{Clock, Memory, Snapshot, Store, StoreError, Stored};
use following::Following;
use pending::Pending;

pub(crate) use following::Bell;

/// The time at which the entry of a lookup reaches the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writes {
    /// At once if the policy changed, later if not.
    ByUrgency,
    /// At once, so that the outcome speaks of what the store holds now, the writes of other
    /// processes included: for the bounce gate.
    Through,
}

pub(crate) struct Keeper {
    memory: Memory,
    store: Option<Arc<dyn Store>>,
    clock: Clock,
    /// The domains whose slot in memory is dirty.
    pending: Pending,
    /// Why the store last failed; `None` again once it works.
    trouble: Mutex<Option<StoreError>>,
    /// Whom to refresh, once somebody does.
    schedule: Following,
    pub(crate) metrics: Metrics,
}

impl Keeper {
    pub(crate) fn new(capacity: usize, store: Option<Arc<dyn Store>>, clock: Clock) -> Self {
        let memory = if store.is_some() {
            Memory::before_store(capacity, Arc::clone(&clock))
        } else {
            Memory::with_clock(capacity, Arc::clone(&clock))
        };
        Self {
            memory,
            store,
            clock,
            pending: Pending::default(),
            trouble: Mutex::default(),
            schedule: Following::default(),
            metrics: Metrics::default(),
        }
    }

    pub(crate) fn now(&self) -> UnixTime {
        (self.clock)()
    }

    pub(crate) fn has_store(&self) -> bool {
        self.store.is_some()
    }

    /// Returns the outcome from memory; `None` if a lookup is needed. It is the hot path, and never
    /// blocks on a store. Once a day it leaves something [pending](Self::has_pending).
    pub(crate) fn recall(&self, domain: &PolicyDomain, now: UnixTime) -> Option<Outcome> {
        let mut held = self.memory.held(domain)?;
        let is_news = match &mut held {
            Held::Entry(entry) | Held::Unreadable { notes: Some(entry) } => entry.touch(now),
            Held::Nothing | Held::Unreadable { notes: None } => false,
        };
        match Lookup::new(domain.clone(), held).start(now) {
            Start::Done(outcome) => {
                if is_news && let Some(merged) = self.later(outcome.entry()) {
                    self.follow(&merged);
                }
                Some(outcome)
            }
            Start::QueryTxt(_) => None,
        }
    }

    /// Reads what is held for a lookup.
    pub(crate) fn read(&self, domain: &PolicyDomain) -> Held {
        let Some(store) = &self.store else {
            return self.memory.held(domain).unwrap_or(Held::Nothing);
        };
        match self.read_by(|| store.get(domain)) {
            Ok(found) => {
                let stored = found.unwrap_or_else(|| Entry::new(domain.clone(), self.now()));
                let note = Note { known: true, dirty: false };
                // A memory that is full still lets the entry in hand be used.
                Held::Entry(self.memory.absorb(&stored, note).unwrap_or(stored))
            }
            Err(_) => self.unread(domain),
        }
    }

    /// Returns what is held for a lookup if the store behind memory did not say what it has.
    pub(crate) fn unread(&self, domain: &PolicyDomain) -> Held {
        self.memory.held(domain).unwrap_or(Held::Unreadable { notes: None })
    }

    /// Keeps what a lookup learnt. Returns the entry that is held afterwards: that of memory and of
    /// the store, because each may know more than the other. Where the store fails the entry stays
    /// in memory, and is written later.
    pub(crate) fn write(
        &self,
        entry: &Entry,
        urgency: Urgency,
        writes: Writes,
    ) -> Result<Entry, StoreError> {
        let merged = self.write_merged(entry, urgency, writes);
        self.follow(merged.as_ref().unwrap_or(entry));
        merged
    }

    fn write_merged(
        &self,
        entry: &Entry,
        urgency: Urgency,
        writes: Writes,
    ) -> Result<Entry, StoreError> {
        let Some(store) = &self.store else {
            return self.memory.absorb(entry, Note { known: true, dirty: false });
        };
        // Where memory is full the write cannot wait.
        if urgency == Urgency::Lazy
            && writes == Writes::ByUrgency
            && let Some(merged) = self.later(entry)
        {
            return Ok(merged);
        }
        match self.write_by(|| store.merge(entry, urgency)) {
            Ok(stored) => Ok(self.absorb_stored(stored)),
            Err(error) => {
                // Where memory is full as well, the outcome says that the entry was not kept.
                let _ = self.later(entry);
                Err(error)
            }
        }
    }

    /// Takes a fetch into memory that is about to begin, so that it counts for every lookup that
    /// begins from here on, even if its own lookup is given up. It never blocks on the store.
    pub(crate) fn fetch_begins(&self, entry: &Entry) {
        // Where memory is full the fetch counts once its lookup has ended.
        let _ = self.later(entry);
    }

    /// Takes into memory what the store holds, and returns what both know.
    fn absorb_stored(&self, stored: Entry) -> Entry {
        // A memory that is full knows nothing of the domain.
        self.memory.absorb(&stored, Note { known: true, dirty: false }).unwrap_or(stored)
    }

    /// Tells the schedule of refreshes of an entry that is new or was used.
    fn follow(&self, entry: &Entry) {
        self.schedule.follow(entry, self.now());
    }

    /// Merges the entry into memory and has it written later. Returns the merged entry; `None` if
    /// memory is full.
    fn later(&self, entry: &Entry) -> Option<Entry> {
        let backed = self.has_store();
        let merged = self.memory.absorb(entry, Note { known: !backed, dirty: backed }).ok()?;
        if backed {
            self.pending.add(entry.domain().clone());
        }
        Some(merged)
    }

    pub(crate) fn has_pending(&self) -> bool {
        self.pending.any()
    }

    /// Writes some of what is pending. Returns `true` if there is more.
    pub(crate) fn flush_some(&self) -> Result<bool, StoreError> {
        const SOME: usize = 256;
        let Some(store) = &self.store else { return Ok(false) };
        let domains = self.pending.take(SOME);
        // Taken from memory only now: a change from here on makes the domain pending again.
        let entries: Vec<Entry> =
            domains.iter().filter_map(|domain| self.memory.entry(domain)).collect();
        // Policies that the store did not take when they were found may be among them.
        let urgency = if entries.iter().any(|entry| entry.generation() > 0) {
            Urgency::Durable
        } else {
            Urgency::Lazy
        };
        let results = match self.write_by(|| store.merge_all(&entries, urgency)) {
            Ok(results) => results,
            Err(error) => {
                self.pending.extend(domains);
                return Err(error);
            }
        };
        for (entry, result) in entries.iter().zip(results) {
            // Bytes that are no entry give way to a policy only, so another try would be in vain.
            let Ok(stored) = result else { continue };
            self.memory.written(entry);
            let merged = self.absorb_stored(stored);
            if merged != *entry {
                self.follow(&merged);
            }
        }
        Ok(self.has_pending())
    }

    /// Forgets a domain, here and in the store.
    pub(crate) fn remove(&self, domain: &PolicyDomain) -> Result<bool, StoreError> {
        let stored = match &self.store {
            Some(store) => self.write_by(|| store.remove(domain))?,
            None => false,
        };
        self.pending.remove(domain);
        let remembered = self.memory.remove(domain)?;
        self.schedule.forget(domain);
        Ok(stored || remembered)
    }

    /// Drops what says nothing any more, here and in the store; says how much.
    pub(crate) fn prune(&self) -> Result<usize, StoreError> {
        let now = self.now();
        let mut dropped = self.memory.prune(now)?;
        if let Some(store) = &self.store {
            dropped = self.write_by(|| store.prune(now))?;
        }
        Ok(dropped)
    }

    /// Why the store last failed, if it did not work since.
    pub(crate) fn trouble(&self) -> Option<StoreError> {
        lock(&self.trouble).clone()
    }

    fn read_by<T>(&self, read: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        let (begun, result) = (Instant::now(), read());
        self.metrics.store_read(begun.elapsed(), result.is_err());
        self.watch(result)
    }

    fn write_by<T>(&self, write: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        let (begun, result) = (Instant::now(), write());
        self.metrics.store_written(begun.elapsed(), result.is_err());
        self.watch(result)
    }

    fn watch<T>(&self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        let failure = match &result {
            // It is one row that is damaged: the store works.
            Err(StoreError::Entry(_)) => return result,
            Err(error) => Some(error.clone()),
            Ok(_) => None,
        };
        let mut trouble = lock(&self.trouble);
        let is_news = failure.is_some() != trouble.is_some();
        *trouble = failure;
        drop(trouble);
        if is_news {
            observe::store_state(result.as_ref().err());
        }
        result
    }

    /// What was counted, and what is in memory.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let (now, mut census) = (self.now(), Census::default());
        self.memory.each(&mut |entry| {
            let held = entry.policy(now);
            census.add(held.map(|held| (held.mode(), held.expires_in(now))));
        });
        self.metrics.snapshot(&census, self.pending.len())
    }
}

/// Refreshing what is held.
impl Keeper {
    /// Begins to follow what is written from here on; `bell` is rung when there is something to do
    /// earlier than was said.
    pub(crate) fn follow_news(&self, bell: &Arc<dyn Bell>, at_once: usize) {
        self.schedule.begin(bell, at_once);
    }

    /// Follows what is held.
    pub(crate) fn follow_stored(&self) -> Result<(), StoreError> {
        let follow = &mut |stored: Stored| {
            if let Ok(entry) = stored.entry {
                self.follow(&entry);
            }
            ControlFlow::Continue(())
        };
        self.memory.visit(follow)?;
        match &self.store {
            Some(store) => self.read_by(|| store.visit(follow)),
            None => Ok(()),
        }
    }

    /// The next domain to refresh now.
    pub(crate) fn poll_due(&self) -> Option<Due> {
        self.schedule.poll_due(self.now())
    }

    /// How long nothing will be due by itself, as far as can be told: nothing tells when the wall
    /// clock is set, so it is never more than a minute.
    pub(crate) fn sleep_before_due(&self) -> Duration {
        const LONGEST: Duration = Duration::from_secs(60);
        self.schedule.timeout().map_or(LONGEST, |then| then.since(self.now()).min(LONGEST))
    }

    /// A refresh has ended; what somebody should be told.
    pub(crate) fn refreshed(&self, outcome: &Outcome) -> Option<Alert> {
        self.schedule.refreshed(outcome, self.now()).inspect(observe::alerted)
    }

    /// Whether a delivery that used this policy is to begin its refresh.
    pub(crate) fn is_for_user(&self, outcome: &Outcome, now: UnixTime) -> bool {
        self.schedule.is_for_user(outcome, now)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeper")
            .field("memory", &self.memory)
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}
