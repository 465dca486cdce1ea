//! The rates of review finding 2: clocks that differ must not refill a budget.

use mta_sts_testkit::fleet::rates::{Rate, fetches_of_a_clock_set_back, measure};

/// Working clocks are within two minutes of one another.
const fn skew_is_tolerated(rate: &Rate) -> bool {
    !rate.is_shared || rate.spread() <= 120
}

#[test]
fn finding_2_clocks_apart_share_one_budget_and_one_back_off() {
    println!("clocks  apart  store   in an hour  at most   one id, a day  closest");
    for is_shared in [true, false] {
        for clocks in [1, 2, 10, 30] {
            for apart in [0, 1, 10, 60] {
                let rate = measure(clocks, apart, is_shared);
                let store = if is_shared { "shared" } else { "own" };
                println!(
                    "{clocks:>6} {apart:>4} s  {store:<6} {:>11} {:>8} {:>15} {:>6} s",
                    rate.in_an_hour,
                    rate.most_in_an_hour(),
                    rate.of_one_id,
                    rate.closest,
                );
                // A budget that a clock did not see grow for 20 minutes is whole for it.
                if rate.spread() > 1_200 && is_shared {
                    continue;
                }
                assert!(rate.in_an_hour <= rate.most_in_an_hour(), "{rate:?}");
                // A burst is made, then one in 300 s: more than nothing.
                assert!(rate.in_an_hour >= 15, "{rate:?}");
                let stores = if is_shared { 1 } else { clocks };
                // 300 s, then twice as long each time, up to an hour.
                // A clock that is behind by more than the tolerance ends its longest wait earlier.
                let most = if skew_is_tolerated(&rate) { 28 } else { 50 };
                assert!(rate.of_one_id <= stores * most, "{rate:?}");
                let skew = if is_shared { rate.spread() } else { 0 };
                assert!(rate.closest + skew >= 300, "{rate:?}");
            }
        }
    }
}

/// A clock that is set back again and again, and asks once a second in between.
#[test]
fn finding_2_clock_set_back_yields_no_burst() {
    for back in [1, 99, 121, 600, 1_321, 86_400, 31_557_600] {
        let made = fetches_of_a_clock_set_back(back, 12);
        assert!(made <= 4 + 1_200 / 300, "set back by {back} s, 12 times in 20 minutes: {made}");
        assert!(made >= 4);
    }
}

/// Clocks further apart than the tolerance, on one store: the clock that is behind waits, and leaves
/// the debt that the other has.
#[test]
fn clocks_further_apart_than_the_tolerance_share_one_budget() {
    for apart in [121, 600, 1_200, 86_400, 31_557_600] {
        let rate = measure(2, apart, true);
        assert!((15..=16).contains(&rate.in_an_hour), "{rate:?}");
    }
}
