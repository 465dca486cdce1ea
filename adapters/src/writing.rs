//! When what is pending is written to the store, and by which task.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::StoreError;
use crate::keeper::Keeper;

/// For so long are changes gathered.
pub(crate) const GATHER: Duration = Duration::from_secs(1);
/// The longest pause after a store has failed.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The turn to write: at most one has it at a time, and none where nothing is pending.
#[derive(Debug, Default)]
pub(crate) struct Turn(AtomicBool);

impl Turn {
    /// Takes the turn, if there is something to write and nobody has it.
    pub(crate) fn take(&self, keeper: &Keeper) -> bool {
        keeper.has_pending() && !self.0.swap(true, Ordering::SeqCst)
    }

    /// Gives the turn back.
    pub(crate) fn give_back(&self) {
        self.0.store(false, Ordering::SeqCst);
    }

    /// Whether whoever has the turn is to go on. If not, it is given back.
    pub(crate) fn goes_on(&self, keeper: &Keeper) -> bool {
        if keeper.has_pending() {
            return true;
        }
        self.give_back();
        // What became pending in between found the turn taken.
        self.take(keeper)
    }
}

/// How long to wait after a write that followed a wait of `pause`.
pub(crate) fn next_pause(written: &Result<bool, StoreError>, pause: Duration) -> Duration {
    match written {
        Ok(_) => GATHER,
        Err(_) => (pause * 2).min(LONGEST_PAUSE),
    }
}
