//! The schedule of refreshes, where somebody drives one.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use mta_sts::schedule::{Alert, Schedule};
use mta_sts::{Entry, Outcome, PolicyDomain, UnixTime};

/// Empty, and free of cost, until a refresher begins.
#[derive(Default)]
pub(super) struct Following(OnceLock<Mutex<Schedule>>);

impl Following {
    pub(super) fn begin(&self) {
        self.0.get_or_init(Mutex::default);
    }

    pub(super) fn follow(&self, entry: &Entry, now: UnixTime) {
        if let Some(mut schedule) = self.lock() {
            schedule.handle_entry(entry, entropy(), now);
        }
    }

    pub(super) fn forget(&self, domain: &PolicyDomain) {
        if let Some(mut schedule) = self.lock() {
            schedule.handle_removed(domain);
        }
    }

    pub(super) fn poll_due(&self, now: UnixTime) -> Option<PolicyDomain> {
        self.lock()?.poll_due(now)
    }

    pub(super) fn timeout(&self) -> Option<UnixTime> {
        self.lock()?.poll_timeout()
    }

    pub(super) fn refreshed(&self, outcome: &Outcome, now: UnixTime) -> Option<Alert> {
        self.lock()?.handle_outcome(outcome, entropy(), now)
    }

    fn lock(&self) -> Option<MutexGuard<'_, Schedule>> {
        Some(self.0.get()?.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A number that nobody outside can foretell: the standard library keys its hashers by random
/// numbers of the system.
fn entropy() -> u64 {
    RandomState::new().hash_one(0_u8)
}
