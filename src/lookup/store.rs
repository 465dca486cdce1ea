//! What was learnt goes into the store, before it is used.

use alloc::boxed::Box;

use super::Outcome;
use crate::entry::{Entry, HeldPolicy};
use crate::time::UnixTime;

/// Merge [`entry`](Self::entry) into the store, then reply [`stored`](Self::stored) or
/// [`failed`](Self::failed).
///
/// A store applies [`Entry::merge`] to what it has, atomically, keeps the result, and returns it.
#[derive(Debug)]
#[must_use = "a lookup goes on only by a reply"]
pub struct Store {
    pub(super) outcome: Box<Outcome>,
    pub(super) urgency: Urgency,
}

/// The importance of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Urgency {
    /// The policy changed: write before replying, so that a crash cannot undo it.
    Durable,
    /// Only memory of questions changed: keep the entry at hand and write it later.
    Lazy,
}

impl Store {
    /// The entry to merge into the store: with a policy, or without one where it was cleared.
    pub const fn entry(&self) -> &Entry {
        self.outcome.entry()
    }

    /// The importance of the write.
    pub const fn urgency(&self) -> Urgency {
        self.urgency
    }

    /// The policy that may be applied while the write is in progress.
    pub fn interim(&self, now: UnixTime) -> Option<&HeldPolicy> {
        self.outcome.interim(now)
    }

    /// The store has taken the entry; for [`Urgency::Lazy`], or will take it.
    ///
    /// `merged` is the entry that the store holds *after the merge*. Another lookup may have put a
    /// later policy there meanwhile, and then the outcome, and the bounce gate, speak of that one.
    /// An entry of another domain counts as a failed write.
    pub fn stored(self, merged: Entry) -> Outcome {
        self.outcome.settled(merged)
    }

    /// The store failed. The outcome stands and says so
    /// ([`Outcome::is_persisted`](crate::Outcome::is_persisted)).
    pub fn failed(self) -> Outcome {
        self.outcome.unpersisted()
    }
}
