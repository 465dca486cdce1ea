//! Clocks that were wrong, one at a time, and every entry of a wrong clock.

use mta_sts::{Mode, UnixTime};
use mta_sts_testkit::fleet::clocks::{
    START, Sender, life_after_a_clock_ahead, life_after_a_clock_behind,
};

const DAY: u64 = 86_400;
const YEAR: u64 = 31_557_600;
const TOLERANCE: u64 = 120;

#[test]
fn finding_8_clock_that_ran_ahead_gives_one_max_age() {
    for max_age in [3_600, DAY, 7 * DAY] {
        let every = max_age / 8;
        for ahead in [9 * DAY, 30 * DAY, YEAR, 10 * YEAR, u64::MAX] {
            let life = life_after_a_clock_ahead(ahead, max_age, every);
            assert!(life + every >= max_age, "{ahead} ahead, max_age {max_age}: {life}");
            assert!(life <= max_age + TOLERANCE, "{ahead} ahead, max_age {max_age}: {life}");
        }
    }
}

#[test]
fn clock_that_ran_ahead_by_less_than_max_age_gives_one() {
    for max_age in [3_600, DAY, 7 * DAY] {
        let every = max_age / 8;
        for ahead in [1, 60, 121, 600, max_age / 2, max_age - 1] {
            let life = life_after_a_clock_ahead(ahead, max_age, every);
            assert!(life + every >= max_age, "{ahead} ahead, max_age {max_age}: {life}");
            // What passes between the two lookups at which the clock catches up is not counted.
            let most = max_age + every + TOLERANCE;
            assert!(life <= most, "{ahead} ahead, max_age {max_age}: {life}");
        }
    }
}

/// DNS named the id to the clock that was ahead, so that memory alone confirms the policy.
#[test]
fn finding_8_memory_does_not_keep_a_policy_from_ahead() {
    for (max_age, ahead) in [(3_600, 12 * 3_600), (3_600, 3_000), (DAY, DAY - 600)] {
        let mut sender = Sender::default();
        sender.fetch("1", Mode::Enforce, max_age, START + ahead);
        let applies = |minute: &u64| sender.mail(START + minute * 60);
        let last = (0..4 * DAY / 60).take_while(applies).last().expect("it applies at first");
        let life = (last + 1) * 60;
        assert!(life <= max_age + max_age / 8 + TOLERANCE, "{ahead} ahead: {life} s");
        assert!(life >= max_age, "{ahead} ahead: {life} s");
    }
}

#[test]
fn clock_that_ran_behind_erases_no_policy() {
    for max_age in [3_600, DAY, 7 * DAY] {
        let every = max_age / 8;
        for behind in [1, 121, 600, DAY, 10 * DAY, 10 * YEAR, START] {
            for lookups in [1, 2, 4] {
                let life = life_after_a_clock_behind(behind, lookups, max_age, every);
                let left = max_age - (lookups + 1) * every;
                assert!(life + every >= left, "{behind} behind, max_age {max_age}: {life}");
                assert!(life <= left + TOLERANCE, "{behind} behind, max_age {max_age}: {life}");
            }
        }
    }
}

/// A limit: the clock is behind by more than `max_age`, and the fetch succeeds. The entry then has the
/// stamp of that clock, which no later one can tell from that of an old fetch.
#[test]
fn limit_fetch_by_a_clock_that_is_behind_is_old_for_right_clocks() {
    let mut sender = Sender::default();
    sender.fetch("1", Mode::Enforce, 7 * DAY, START);
    // The first lookup by that clock finds a budget that lies ahead.
    sender.blocked(START + 60 - 10 * DAY);
    sender.fetch("2", Mode::Enforce, 7 * DAY, START + 1_300 - 10 * DAY);
    assert!(
        sender.blocked(START + 1_400 - 4 * DAY),
        "it is younger than its max_age by this clock"
    );
    assert!(!sender.blocked(START + 1_400));
}

/// A limit: two clocks that are behind by unlike times see the policy age by their difference.
#[test]
fn limit_two_clocks_that_are_behind_age_a_policy_by_their_difference() {
    let mut sender = Sender::default();
    sender.fetch("1", Mode::Enforce, 7 * DAY, START);
    sender.blocked(START + 1 - 12 * DAY);
    sender.blocked(START + 2 - 10 * DAY);
    assert!(sender.blocked(START + 3), "it seems to be two days old");
    assert!(sender.blocked(START + 3 + 4 * DAY));
    assert!(!sender.blocked(START + 4 + 5 * DAY), "it aged by two days too much");
}

#[test]
fn finding_7_no_clock_pins_an_entry() {
    for wrong in [0, 1, START - YEAR, START + DAY, START + 10 * YEAR, u64::MAX - 1, u64::MAX] {
        let mut sender = Sender::default();
        let outcome = sender.fetch("old", Mode::Enforce, 7 * DAY, wrong);
        assert!(outcome.policy().is_some(), "`Found` comes with a policy at {wrong}");
        for number in 0..3 {
            let id = format!("new{number}");
            let at = START + (number + 1) * DAY;
            // The first lookup meets a budget that lies ahead.
            sender.blocked(at - 1_200 - TOLERANCE);
            sender.fetch(&id, Mode::None, 7 * DAY, at);
            let entry = sender.entry().expect("it is written");
            let stored = entry.stored_policy().expect("a policy is stored");
            assert_eq!((stored.id().as_str(), stored.mode()), (&*id, Mode::None), "{wrong}");
        }
        let entry = sender.entry().expect("it is written");
        assert!(entry.last_used() <= UnixTime::from_secs(START + 4 * DAY), "{wrong}");
        assert!(entry.is_disposable(UnixTime::from_secs(START + 60 * DAY)), "{wrong}");
    }
}
