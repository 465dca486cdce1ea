//! How fast: what is due begins evenly, whatever made it due at once.

/// One refresh. Rates are in refreshes per second, in this unit.
const ONE: u64 = 1 << 32;
/// The lowest rate of a lane: one in 5 s. A small schedule need not be slower.
const LOWEST_RATE: u64 = ONE / 5;
/// So many seconds' worth may begin at once, because a driver wakes up once a second at best.
const BURST_SECS: u64 = 4;

/// A token bucket, for one lane.
///
/// Its rate is three quarters more than the sum of what the lane's domains need in the long run, so
/// that a backlog goes away. No lane spends what another needs.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Pace {
    credit: u64,
    tick: u64,
    /// The sum over the domains of one refresh per interval.
    demand: u64,
}

impl Pace {
    fn weight(interval: u64) -> u64 {
        ONE.checked_div(interval).unwrap_or(ONE)
    }

    /// Adds a domain that is refreshed once in so many seconds.
    pub(super) fn add(&mut self, interval: u64) {
        self.demand = self.demand.saturating_add(Self::weight(interval));
    }

    /// Removes a domain that was added with the same interval.
    pub(super) fn remove(&mut self, interval: u64) {
        self.demand = self.demand.saturating_sub(Self::weight(interval));
    }

    fn rate(&self) -> u64 {
        let demand = self.demand;
        demand.saturating_add(demand / 4).saturating_add(demand / 2).max(LOWEST_RATE)
    }

    fn credit(&self, tick: u64) -> u64 {
        let rate = self.rate();
        let earned = tick.saturating_sub(self.tick).saturating_mul(rate);
        let most = rate.saturating_mul(BURST_SECS).saturating_add(ONE);
        self.credit.saturating_add(earned).min(most)
    }

    /// Takes what one refresh costs. `false` if there is not enough.
    pub(super) fn take(&mut self, tick: u64) -> bool {
        self.credit = self.credit(tick);
        self.tick = tick;
        let left = self.credit.checked_sub(ONE);
        self.credit = left.unwrap_or(self.credit);
        left.is_some()
    }

    /// Seconds until the next refresh may begin; at least one.
    pub(super) fn wait(&self, tick: u64) -> u64 {
        let missing = ONE.saturating_sub(self.credit(tick));
        missing.div_ceil(self.rate()).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::HOUR;

    fn pace(per_second: u64) -> Pace {
        Pace { demand: ONE * per_second * 4 / 7 + 4, ..Pace::default() }
    }

    fn begun(pace: &mut Pace, tick: u64) -> u64 {
        let mut count = 0;
        while pace.take(tick) {
            count += 1;
        }
        count
    }

    #[test]
    fn rest_earns_no_burst() {
        let mut pace = pace(10);
        assert_eq!(begun(&mut pace, 1_000_000), 41);
        assert_eq!(begun(&mut pace, 1_000_000), 0);
        assert!((9..=10).contains(&begun(&mut pace, 1_000_001)));
    }

    #[test]
    fn after_the_wait_one_may_begin_and_not_before() {
        for per_second in [0, 1, 3, 100] {
            let mut pace = pace(per_second);
            begun(&mut pace, 100);
            let wait = pace.wait(100);
            assert!((1..=5).contains(&wait), "{per_second}: {wait}");
            assert!(!pace.take(100 + wait - 1));
            assert_eq!(pace.wait(100 + wait - 1), 1);
            assert!(pace.take(100 + wait), "{per_second}");
        }
    }

    #[test]
    fn rate_is_seven_quarters_of_the_demand() {
        let mut pace = Pace::default();
        assert_eq!(pace.rate(), LOWEST_RATE);
        // A million policies, a refresh in 17.5 h each on average.
        for _ in 0..1_000_000 {
            pace.add(35 * HOUR / 2);
        }
        assert_eq!(pace.rate() / ONE, 27);
        pace.add(0);
        pace.remove(0);
        for _ in 0..1_000_000 {
            pace.remove(35 * HOUR / 2);
        }
        assert_eq!(pace.demand, 0);
    }
}
