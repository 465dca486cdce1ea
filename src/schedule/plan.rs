//! When: the times of one policy, in seconds from now.

use crate::time::{DAY, HOUR, MINUTE};

/// A policy of a shorter life is not refreshed: it would be fetched all the time, and the next
/// delivery finds it anew.
pub(super) const SHORTEST_LIFE: u64 = HOUR;
/// A policy that no delivery asked for in so long is no longer refreshed.
pub(super) const UNUSED: u64 = 180 * DAY;
/// What is not refreshed is looked at so often, lest a clock set back leaves it behind.
pub(super) const PARKED: u64 = 12 * HOUR;
/// A refresh that has not ended after so long is lost. The longest limits of a lookup are 10
/// minutes together.
pub(super) const FLIGHT: u64 = 15 * MINUTE;

/// The refresh of a policy of a long life begins so long after its fetch, or later...
const EARLIEST: u64 = 12 * HOUR;
/// ...and so long after it, or earlier. RFC 8461 §3.3 suggests once a day: an hour is for the
/// refresh to wait its turn and to end.
const LATEST: u64 = 23 * HOUR;
/// Over how long what is overdue is spread.
const CATCH_UP: u64 = 12 * HOUR;

/// The wait after a first failure (RFC 8461 §3.3: "five minutes or longer"); it doubles with each.
const FIRST_WAIT: u64 = 5 * MINUTE;
/// The longest wait after a failure.
const LONGEST_WAIT: u64 = 6 * HOUR;
/// The longest that a lookup holds a fetch back: more is the word of a clock that was wrong.
const LONGEST_HOLD: u64 = HOUR;

/// How long after a fetch the next begins, at the earliest and at the latest.
pub(super) fn window(max_age: u64) -> (u64, u64) {
    // RFC 8461 §10.2: not to "wait until a cached policy has expired".
    (EARLIEST.min(max_age / 3), LATEST.min(max_age.saturating_mul(2) / 3))
}

/// The wait for the regular refresh of a policy of this age with so much of its life left.
pub(super) fn regular(max_age: u64, age: u64, left: u64, entropy: u64) -> u64 {
    let (earliest, latest) = window(max_age);
    if age < latest {
        uniform(earliest.saturating_sub(age), latest.saturating_sub(age), entropy)
    } else {
        uniform(0, CATCH_UP.min(left / 2), entropy)
    }
}

/// The wait for the next try after so many failures in a row with so much life left, where the
/// lookup would hold a fetch back for so long.
pub(super) fn after_failure(failures: u32, left: u64, held_back: u64, entropy: u64) -> u64 {
    let doublings = failures.saturating_sub(1).min(16);
    let wait = FIRST_WAIT.saturating_mul(1 << doublings).min(LONGEST_WAIT);
    // The nearer its end, the more a policy is worth trying for.
    let wait = wait.min(left / 8).max(FIRST_WAIT).max(held_back.min(LONGEST_HOLD));
    uniform(wait, wait.saturating_add(wait / 2), entropy)
}

/// A number between the two, both included.
pub(super) fn uniform(low: u64, high: u64, entropy: u64) -> u64 {
    let count = u128::from(high.saturating_sub(low)).saturating_add(1);
    let share = u128::from(entropy).saturating_mul(count) >> 64;
    low.saturating_add(u64::try_from(share).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDS: [u64; 2] = [0, u64::MAX];

    #[test]
    fn ok_uniform_reaches_both_ends() {
        assert_eq!(ENDS.map(|e| uniform(3, 9, e)), [3, 9]);
        assert_eq!(ENDS.map(|e| uniform(0, u64::MAX, e)), [0, u64::MAX]);
        assert_eq!(uniform(5, 5, 77), 5);
    }

    #[test]
    fn ok_windows() {
        let cases = [
            (365 * DAY, (12 * HOUR, 23 * HOUR)),
            (36 * HOUR, (12 * HOUR, 23 * HOUR)),
            (DAY, (8 * HOUR, 16 * HOUR)),
            (6 * HOUR, (2 * HOUR, 4 * HOUR)),
            (HOUR, (20 * MINUTE, 40 * MINUTE)),
        ];
        for (max_age, expected) in cases {
            assert_eq!(window(max_age), expected, "{max_age}");
        }
    }

    #[test]
    fn ok_regular_waits_count_from_the_fetch() {
        let week = 7 * DAY;
        assert_eq!(ENDS.map(|e| regular(week, 0, week, e)), [12 * HOUR, 23 * HOUR]);
        assert_eq!(ENDS.map(|e| regular(week, 20 * HOUR, week, e)), [0, 3 * HOUR]);
        // Overdue: spread over half a day, or half of what is left.
        assert_eq!(ENDS.map(|e| regular(week, 23 * HOUR, 6 * DAY, e)), [0, 12 * HOUR]);
        assert_eq!(ENDS.map(|e| regular(week, 2 * DAY, 5 * DAY, e)), [0, 12 * HOUR]);
        assert_eq!(ENDS.map(|e| regular(week, week - HOUR, HOUR, e)), [0, 30 * MINUTE]);
    }

    #[test]
    fn ok_waits_after_failures_double_up_to_hours() {
        let waits = [1, 2, 3, 4, 7, 8, 9, u32::MAX].map(|n| after_failure(n, 90 * DAY, 0, 0));
        assert_eq!(waits, [300, 600, 1_200, 2_400, 19_200, 21_600, 21_600, 21_600]);
        assert_eq!(after_failure(1, 90 * DAY, 0, u64::MAX), 450);
    }

    #[test]
    fn ok_waits_after_failures_shrink_towards_the_end_but_never_below_five_minutes() {
        let waits = [8 * DAY, DAY, 8 * HOUR, HOUR, 0].map(|left| after_failure(20, left, 0, 0));
        assert_eq!(waits, [6 * HOUR, 3 * HOUR, HOUR, 450, 300]);
    }

    #[test]
    fn ok_what_a_lookup_holds_back_is_waited_for_but_no_longer_than_it_could() {
        assert_eq!(after_failure(1, 90 * DAY, 1_000, 0), 1_000);
        assert_eq!(after_failure(1, 90 * DAY, u64::MAX, 0), HOUR);
    }
}
