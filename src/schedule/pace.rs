//! How fast: what is due goes out evenly, whatever made it due at once.

use super::plan;

/// One refresh. Rates are in refreshes per second, in this unit.
pub(super) const ONE: u64 = 1 << 32;
/// A rate that burdens nobody: one in 5 s. A small schedule need not be slower.
const LOWEST_RATE: u64 = ONE / 5;
/// How many seconds' worth may go out at once: a driver wakes up once a second at best.
const BURST_SECS: u64 = 4;

/// How often a policy is refreshed, as a rate.
pub(super) fn weight(max_age: u64, is_failing: bool) -> u64 {
    let (earliest, latest) = plan::window(max_age);
    let weight = ONE.checked_div(earliest.midpoint(latest)).unwrap_or(ONE);
    // The longest wait after a failure is about a third of the regular one.
    if is_failing { weight.saturating_mul(3) } else { weight }
}

/// The rate for a schedule of this weight in all, with so many refreshes ready, the first of which
/// has so many seconds left.
///
/// It is three quarters more than what comes in the long run, so that a backlog goes away; and
/// where the most urgent policy would not live to see that, such that all that are ready would be
/// through in half of its time. Once it is out, the next most urgent decides.
pub(super) fn rate(weight: u64, ready: u64, left: u64) -> u64 {
    let ample = weight.saturating_add(weight / 4).saturating_add(weight / 2);
    let all = u128::from(ready).saturating_mul(u128::from(ONE)).saturating_mul(2);
    let urgent = all.checked_div(u128::from(left)).unwrap_or(u128::MAX);
    ample.max(LOWEST_RATE).max(u64::try_from(urgent).unwrap_or(u64::MAX))
}

/// A token bucket.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Pace {
    credit: u64,
    tick: u64,
}

impl Pace {
    /// Whether one may go out now.
    pub(super) fn allows(&mut self, rate: u64, tick: u64) -> bool {
        let earned = tick.saturating_sub(self.tick).saturating_mul(rate);
        let most = rate.saturating_mul(BURST_SECS).saturating_add(ONE);
        self.tick = tick;
        // What an urgent policy's rate has earned is not for those after it: cut each time.
        self.credit = self.credit.saturating_add(earned).min(most);
        self.credit >= ONE
    }

    /// One goes out.
    pub(super) const fn take(&mut self) {
        self.credit = self.credit.saturating_sub(ONE);
    }

    /// Seconds until the next may go out, as of the last question.
    pub(super) fn wait(&self, rate: u64) -> u64 {
        ONE.saturating_sub(self.credit).checked_div(rate).unwrap_or(0).saturating_add(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{DAY, HOUR};

    fn go_out(pace: &mut Pace, rate: u64, tick: u64) -> u64 {
        let mut count = 0;
        while pace.allows(rate, tick) {
            pace.take();
            count += 1;
        }
        count
    }

    #[test]
    fn ok_a_rest_earns_no_burst() {
        let mut pace = Pace::default();
        assert_eq!(go_out(&mut pace, 10 * ONE, 1_000_000), 41);
        assert_eq!(go_out(&mut pace, 10 * ONE, 1_000_000), 0);
        assert_eq!(go_out(&mut pace, 10 * ONE, 1_000_001), 10);
    }

    #[test]
    fn ok_the_wait_is_never_zero_and_then_one_may_go() {
        for rate in [LOWEST_RATE, ONE / 3, ONE, 100 * ONE] {
            let mut pace = Pace::default();
            go_out(&mut pace, rate, 100);
            let wait = pace.wait(rate);
            assert!((1..=6).contains(&wait), "{rate}: {wait}");
            assert!(pace.allows(rate, 100 + wait), "{rate}");
        }
    }

    #[test]
    fn ok_rates() {
        // A million policies, a refresh in 17.5 h each on average.
        let weight = weight(90 * DAY, false) * 1_000_000;
        let per_second = |rate: u64| rate / ONE;
        assert_eq!(per_second(rate(weight, 1, DAY)), 27);
        assert_eq!(per_second(rate(weight, 900_000, HOUR)), 500);
        assert_eq!(rate(0, 0, DAY), LOWEST_RATE);
        assert_eq!(rate(u64::MAX, u64::MAX, 0), u64::MAX);
    }
}
