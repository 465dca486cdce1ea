//! The schedule of refreshes, where somebody drives one.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, Weak};

use mta_sts::schedule::{Alert, Due, Schedule};
use mta_sts::{Entry, Outcome, PolicyDomain, UnixTime};

use super::lock;

/// What wakes whoever drives the schedule.
pub(crate) trait Bell: Send + Sync {
    /// There may be something to do.
    fn ring(&self);
}

/// Empty, and free of cost, until a refresher begins.
#[derive(Default)]
pub(super) struct Following {
    schedule: OnceLock<Mutex<Schedule>>,
    bells: Mutex<Vec<Weak<dyn Bell>>>,
    on_use: OnUse,
}

impl Following {
    /// Begins to follow; `bell` is rung when something falls due earlier than was said.
    pub(super) fn begin(&self, bell: &Arc<dyn Bell>, at_once: usize) {
        self.schedule.get_or_init(|| Mutex::new(Schedule::new().with_max_in_flight(at_once)));
        let mut bells = lock(&self.bells);
        bells.retain(|bell| bell.strong_count() > 0);
        bells.push(Arc::downgrade(bell));
    }

    pub(super) fn follow(&self, entry: &Entry, now: UnixTime) {
        let Some(mut schedule) = self.schedule() else { return };
        let before = schedule.poll_timeout();
        schedule.handle_entry(entry, entropy(), now);
        let after = schedule.poll_timeout();
        drop(schedule);
        if after.is_some_and(|after| before.is_none_or(|before| after < before)) {
            self.ring();
        }
    }

    fn ring(&self) {
        let bells: Vec<_> = lock(&self.bells).iter().filter_map(Weak::upgrade).collect();
        for bell in bells {
            bell.ring();
        }
    }

    pub(super) fn forget(&self, domain: &PolicyDomain) {
        if let Some(mut schedule) = self.schedule() {
            schedule.handle_removed(domain);
        }
    }

    pub(super) fn poll_due(&self, now: UnixTime) -> Option<Due> {
        self.schedule()?.poll_due(now)
    }

    pub(super) fn timeout(&self) -> Option<UnixTime> {
        self.schedule()?.poll_timeout()
    }

    pub(super) fn refreshed(&self, outcome: &Outcome, now: UnixTime) -> Option<Alert> {
        self.schedule()?.handle_outcome(outcome, entropy(), now)
    }

    /// Whether a delivery that used this policy is to have it refreshed: it is due, and nobody else
    /// sees to it.
    pub(super) fn is_for_user(&self, outcome: &Outcome, now: UnixTime) -> bool {
        outcome.refresh_due(now)
            && !lock(&self.bells).iter().any(|bell| bell.strong_count() > 0)
            && self.on_use.take(outcome.domain(), now)
    }

    fn schedule(&self) -> Option<MutexGuard<'_, Schedule>> {
        self.schedule.get().map(lock)
    }
}

/// Whose refresh a delivery has lately begun.
#[derive(Default)]
struct OnUse(Mutex<HashMap<PolicyDomain, UnixTime>>);

impl OnUse {
    /// RFC 8461 §3.3: "five minutes or longer" between two attempts.
    const PAUSE_SECS: u64 = 300;

    /// The right to refresh the domain: one has it in five minutes. Whom it is remembered of is
    /// bounded by those whose policies are held and used.
    fn take(&self, domain: &PolicyDomain, now: UnixTime) -> bool {
        // A time that lies ahead is that of a clock that was set back.
        let recent = |then: UnixTime| then <= now && now.secs_since(then) < Self::PAUSE_SECS;
        let mut taken = lock(&self.0);
        if taken.get(domain).is_some_and(|then| recent(*then)) {
            return false;
        }
        if taken.len() == taken.capacity() {
            taken.retain(|_, then| recent(*then));
        }
        taken.insert(domain.clone(), now);
        true
    }
}

/// A number that nobody outside can foretell: the standard library keys its hashers by random
/// numbers of the system.
fn entropy() -> u64 {
    RandomState::new().hash_one(0_u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_one_use_in_five_minutes_refreshes_a_domain() {
        let on_use = OnUse::default();
        let now = UnixTime::from_secs(1_800_000_000);
        let domain = |n: u32| PolicyDomain::parse(&format!("d{n}.example")).expect("a domain");
        assert!(on_use.take(&domain(1), now));
        assert!(!on_use.take(&domain(1), now.plus_secs(299)));
        assert!(on_use.take(&domain(2), now));
        assert!(on_use.take(&domain(1), now.plus_secs(300)));
        assert!(on_use.take(&domain(1), now.minus_secs(3_600)), "a clock that was set back");
    }

    #[test]
    fn ok_what_is_long_over_is_forgotten() {
        let on_use = OnUse::default();
        let mut now = UnixTime::from_secs(1_800_000_000);
        for n in 0..10_000_u32 {
            now = now.plus_secs(10);
            let domain = PolicyDomain::parse(&format!("d{n}.example")).expect("a domain");
            assert!(on_use.take(&domain, now));
        }
        // 30 of them are recent.
        assert!(lock(&on_use.0).len() <= 128, "{}", lock(&on_use.0).len());
    }
}
