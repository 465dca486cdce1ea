//! What was learnt goes into the store, before it is used.

use alloc::boxed::Box;

use super::{Outcome, Step};
use crate::entry::{Entry, HeldPolicy};
use crate::time::UnixTime;

/// Merge [`entry`](Self::entry) into the store, then reply [`stored`](Self::stored) or
/// [`failed`](Self::failed).
///
/// A store applies [`Entry::merge`] to what it has, atomically, and keeps the result.
#[derive(Debug)]
#[must_use = "a lookup goes on only by a reply"]
pub struct Store {
    pub(super) outcome: Box<Outcome>,
    pub(super) urgency: Urgency,
}

/// How much depends on a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Urgency {
    /// The policy changed: write before replying, so that a crash cannot undo it.
    Durable,
    /// Only memory of questions changed: keep it at hand and write it at leisure.
    Lazy,
}

impl Store {
    /// What to merge into the store: with a policy, or without one where it was cleared.
    pub const fn entry(&self) -> &Entry {
        self.outcome.entry()
    }

    /// How much depends on the write.
    pub const fn urgency(&self) -> Urgency {
        self.urgency
    }

    /// The policy that may be applied while the write is under way.
    pub fn interim(&self, now: UnixTime) -> Option<&HeldPolicy> {
        self.outcome.interim(now)
    }

    /// The store has it (for [`Urgency::Lazy`]: or will write it).
    pub fn stored(self) -> Step {
        Step::Done(*self.outcome)
    }

    /// The store failed. The outcome stands and says so.
    pub fn failed(self) -> Step {
        Step::Done(self.outcome.unpersisted())
    }
}
