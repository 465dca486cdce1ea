//! When: the times of one policy, in seconds from now.

use crate::time::{DAY, HOUR, MINUTE};

/// A policy of a shorter life is not refreshed. It would be fetched all the time, and the next
/// delivery finds it again.
pub(super) const SHORTEST_LIFE: u64 = HOUR;
/// A policy of this life or a longer one is refreshed about once a day.
pub(super) const REGULAR_LIFE: u64 = 36 * HOUR;
/// A policy that no delivery used for so long is no longer refreshed, unless the caller sets
/// another time.
pub(super) const UNUSED: u64 = 30 * DAY;
/// Nor is a policy that no delivery used for so many of its lives, so that one mail causes a
/// bounded number of fetches.
const UNUSED_LIVES: u64 = 30;
/// A parked policy is looked at so often, because the clock may have been wrong.
pub(super) const PARKED: u64 = 12 * HOUR;

/// A refresh that took longer was slow. It is the 12 s of [`Due::limits`](super::Due::limits), and
/// 3 s for the driver and the store.
///
/// A policy of 36 hours or more uses its own lane once in 12 hours at most. 100,000 of them that
/// fall due within 11 hours take 100,000 × 15 s ÷ 11 h = 38 places, of the 40 that are the lane's
/// with 64 concurrent refreshes.
pub(super) const PROMPT: u64 = 15;
/// A refresh that has not ended after so long is lost. The longest limits of a lookup are 10
/// minutes together.
pub(super) const LOST: u64 = 15 * MINUTE;
/// A domain whose tick came so long ago missed it while the driver stood still.
pub(super) const MISSED: u64 = HOUR;

/// The refresh of a policy of a long life begins so long after its fetch, or later…
const EARLIEST: u64 = 12 * HOUR;
/// … and so long after its fetch, or earlier. RFC 8461 §3.3 suggests once a day. An hour is for the
/// refresh to wait for its place and to end.
const LATEST: u64 = 23 * HOUR;
/// What is overdue is spread over so long.
pub(super) const CATCH_UP: u64 = 12 * HOUR;

/// The wait after a first failure (RFC 8461 §3.3: "five minutes or longer"). It doubles with each.
const FIRST_WAIT: u64 = 5 * MINUTE;
/// The longest wait after a failure.
const LONGEST_WAIT: u64 = 6 * HOUR;
/// The longest time for which a lookup holds a fetch back. A longer one is the time of a clock that
/// was wrong.
const LONGEST_HOLD: u64 = HOUR;
/// The longest wait in the slow lane for a policy that may use its own lane again.
const LONGEST_PATIENCE: u64 = HOUR;

/// A range of waits, both ends included, out of which one is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) earliest: u64,
    pub(super) latest: u64,
}

impl Window {
    const fn new(earliest: u64, latest: u64) -> Self {
        Self { earliest, latest }
    }

    /// Returns one of the waits, each as likely as the others.
    pub(super) fn draw(self, entropy: u64) -> u64 {
        let count = u128::from(self.latest.saturating_sub(self.earliest)).saturating_add(1);
        let share = u128::from(entropy).saturating_mul(count) >> 64;
        self.earliest.saturating_add(u64::try_from(share).unwrap_or(u64::MAX))
    }

    /// The mean wait.
    pub(super) const fn mean(self) -> u64 {
        self.earliest.midpoint(self.latest)
    }
}

/// The time from a fetch to the next.
pub(super) fn between_fetches(life: u64) -> Window {
    // RFC 8461 §10.2: not to "wait until a cached policy has expired".
    Window::new(EARLIEST.min(life / 3), LATEST.min(life.saturating_mul(2) / 3))
}

/// The wait for the regular refresh of a policy of this age. `None` if the policy is overdue.
pub(super) fn regular(life: u64, age: u64) -> Option<Window> {
    let Window { earliest, latest } = between_fetches(life);
    let wait = Window::new(earliest.saturating_sub(age), latest.saturating_sub(age));
    (age < latest).then_some(wait)
}

/// The wait of an overdue policy with so much of its life left.
pub(super) fn catch_up(left: u64) -> Window {
    Window::new(0, CATCH_UP.min(left / 2))
}

/// The wait after so many failures in a row with so much life left, where the lookup would hold a
/// fetch back for so long.
pub(super) fn after_failure(failures: u32, left: u64, held_back: u64) -> Window {
    let doublings = failures.saturating_sub(1).min(16);
    let wait = FIRST_WAIT.saturating_mul(1 << doublings).min(LONGEST_WAIT);
    // The nearer its end, the more a policy is worth trying for.
    let wait = wait.min(left / 8).max(FIRST_WAIT).max(held_back.min(LONGEST_HOLD));
    Window::new(wait, wait.saturating_add(wait / 2))
}

/// The time from one use of a policy's own lane to the next.
///
/// It is never shorter than that between two fetches, so that what fails takes no more of the lane
/// than what succeeds. It ends while the policy lives, if that can be.
pub(super) fn between_uses_of_own_lane(life: u64, left: u64) -> Window {
    let Window { earliest, latest } = between_fetches(life);
    Window::new(earliest, latest.min(earliest.midpoint(left)).max(earliest))
}

/// The longest wait in the slow lane, where the own lane may be used again.
pub(super) fn patience(life: u64) -> u64 {
    LONGEST_PATIENCE.min(life / 36)
}

/// The time after the last day of use for which a policy is still refreshed.
pub(super) fn used_for(life: u64, unused_after: u64) -> u64 {
    unused_after.min(life.saturating_mul(UNUSED_LIVES))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDS: [u64; 2] = [0, u64::MAX];
    const WEEK: u64 = 7 * DAY;

    #[test]
    fn draw_reaches_both_ends() {
        assert_eq!(ENDS.map(|e| Window::new(3, 9).draw(e)), [3, 9]);
        assert_eq!(ENDS.map(|e| Window::new(0, u64::MAX).draw(e)), [0, u64::MAX]);
        assert_eq!(Window::new(5, 5).draw(77), 5);
    }

    #[test]
    fn window_is_daily_or_the_second_third_of_a_short_life() {
        let cases = [
            (365 * DAY, (12 * HOUR, 23 * HOUR)),
            (36 * HOUR, (12 * HOUR, 23 * HOUR)),
            (DAY, (8 * HOUR, 16 * HOUR)),
            (6 * HOUR, (2 * HOUR, 4 * HOUR)),
            (HOUR, (20 * MINUTE, 40 * MINUTE)),
        ];
        for (life, (earliest, latest)) in cases {
            assert_eq!(between_fetches(life), Window::new(earliest, latest), "{life}");
        }
    }

    #[test]
    fn regular_wait_counts_from_the_fetch() {
        assert_eq!(regular(WEEK, 0), Some(Window::new(12 * HOUR, 23 * HOUR)));
        assert_eq!(regular(WEEK, 20 * HOUR), Some(Window::new(0, 3 * HOUR)));
        assert_eq!(regular(WEEK, 23 * HOUR), None);
    }

    #[test]
    fn overdue_policy_is_spread_over_half_a_day_or_half_of_what_is_left() {
        assert_eq!(catch_up(6 * DAY), Window::new(0, 12 * HOUR));
        assert_eq!(catch_up(HOUR), Window::new(0, 30 * MINUTE));
        assert_eq!(catch_up(0), Window::new(0, 0));
    }

    #[test]
    fn waits_after_failures_double_up_to_hours() {
        let waits = [1, 2, 3, 4, 7, 8, 9, u32::MAX].map(|n| after_failure(n, 90 * DAY, 0).earliest);
        assert_eq!(waits, [300, 600, 1_200, 2_400, 19_200, 21_600, 21_600, 21_600]);
        assert_eq!(after_failure(1, 90 * DAY, 0).latest, 450);
    }

    #[test]
    fn waits_after_failures_shrink_towards_the_end_but_never_below_five_minutes() {
        let waits =
            [8 * DAY, DAY, 8 * HOUR, HOUR, 0].map(|left| after_failure(20, left, 0).earliest);
        assert_eq!(waits, [6 * HOUR, 3 * HOUR, HOUR, 450, 300]);
    }

    #[test]
    fn wait_after_a_failure_lasts_as_long_as_the_lookup_would_hold_back() {
        assert_eq!(after_failure(1, 90 * DAY, 1_000).earliest, 1_000);
        assert_eq!(after_failure(1, 90 * DAY, u64::MAX).earliest, HOUR);
    }

    #[test]
    fn own_lane_is_used_as_rarely_as_a_policy_is_fetched_and_before_its_end() {
        let cases = [
            (WEEK, 6 * DAY, (12 * HOUR, 23 * HOUR)),
            (36 * HOUR, 24 * HOUR, (12 * HOUR, 18 * HOUR)),
            (36 * HOUR, 13 * HOUR, (12 * HOUR, 12 * HOUR + 30 * MINUTE)),
            (WEEK, HOUR, (12 * HOUR, 12 * HOUR)),
            (HOUR, 40 * MINUTE, (20 * MINUTE, 30 * MINUTE)),
        ];
        for (life, left, (earliest, latest)) in cases {
            let expected = Window::new(earliest, latest);
            assert_eq!(between_uses_of_own_lane(life, left), expected, "{life} {left}");
        }
    }

    #[test]
    fn use_counts_for_thirty_days_or_thirty_lives() {
        for (life, set, expected) in [
            (HOUR, UNUSED, 30 * HOUR),
            (DAY, UNUSED, 30 * DAY),
            (365 * DAY, UNUSED, 30 * DAY),
            (365 * DAY, 180 * DAY, 180 * DAY),
            (DAY, 180 * DAY, 30 * DAY),
            (DAY, 0, 0),
        ] {
            assert_eq!(used_for(life, set), expected, "{life} {set}");
        }
    }
}
