//! The states of a lookup as values: where the way forks, and all of them at once.

use super::{FetchPolicy, Outcome, QueryTxt, ReadBody, Store};
use crate::entry::HeldPolicy;
use crate::time::UnixTime;

/// The first state of a lookup.
#[derive(Debug)]
#[must_use = "a lookup goes on only by a reply to its state"]
// The outcome stays unboxed: it is all there is on the path without I/O, which must not allocate.
#[expect(clippy::large_enum_variant, reason = "see above")]
pub enum Start {
    /// Ask DNS for the TXT record.
    QueryTxt(QueryTxt),
    /// The lookup is done: the last TXT outcome is still within its time.
    Done(Outcome),
}

/// The state that follows an answer of DNS.
#[derive(Debug)]
#[must_use = "a lookup goes on only by a reply to its state"]
pub enum AfterTxt {
    /// Ask the Policy Host for the policy.
    FetchPolicy(FetchPolicy),
    /// Write the entry.
    Store(Store),
}

/// The state that follows the head of the Policy Host's response.
#[derive(Debug)]
#[must_use = "a lookup goes on only by a reply to its state"]
pub enum AfterHead {
    /// Read the body of the response.
    ReadBody(ReadBody),
    /// Write the entry: the response was refused.
    Store(Store),
}

/// Any state of a lookup, for a driver that keeps states in a map.
///
/// Every reply converts into a `Step`. The enum is exhaustive on purpose, so that every driver sees
/// a new state.
#[derive(Debug)]
#[must_use = "a lookup goes on only by a reply to its state"]
#[expect(clippy::large_enum_variant, reason = "see `Start`")]
pub enum Step {
    /// Ask DNS for the TXT record.
    QueryTxt(QueryTxt),
    /// Ask the Policy Host for the policy.
    FetchPolicy(FetchPolicy),
    /// Read the body of its response.
    ReadBody(ReadBody),
    /// Write the entry.
    Store(Store),
    /// The lookup is done.
    Done(Outcome),
}

impl Step {
    /// The policy that may be applied while the lookup is in progress, for a caller that cannot
    /// wait. The lookup continues in the background.
    pub fn interim(&self, now: UnixTime) -> Option<&HeldPolicy> {
        match self {
            Self::QueryTxt(state) => state.interim(now),
            Self::FetchPolicy(state) => state.interim(now),
            Self::ReadBody(state) => state.interim(now),
            Self::Store(state) => state.interim(now),
            Self::Done(outcome) => outcome.policy(),
        }
    }
}

impl From<QueryTxt> for Step {
    fn from(state: QueryTxt) -> Self {
        Self::QueryTxt(state)
    }
}

impl From<FetchPolicy> for Step {
    fn from(state: FetchPolicy) -> Self {
        Self::FetchPolicy(state)
    }
}

impl From<ReadBody> for Step {
    fn from(state: ReadBody) -> Self {
        Self::ReadBody(state)
    }
}

impl From<Store> for Step {
    fn from(state: Store) -> Self {
        Self::Store(state)
    }
}

impl From<Outcome> for Step {
    fn from(outcome: Outcome) -> Self {
        Self::Done(outcome)
    }
}

impl From<Start> for Step {
    fn from(start: Start) -> Self {
        match start {
            Start::QueryTxt(state) => state.into(),
            Start::Done(outcome) => outcome.into(),
        }
    }
}

impl From<AfterTxt> for Step {
    fn from(after: AfterTxt) -> Self {
        match after {
            AfterTxt::FetchPolicy(state) => state.into(),
            AfterTxt::Store(state) => state.into(),
        }
    }
}

impl From<AfterHead> for Step {
    fn from(after: AfterHead) -> Self {
        match after {
            AfterHead::ReadBody(state) => state.into(),
            AfterHead::Store(state) => state.into(),
        }
    }
}
