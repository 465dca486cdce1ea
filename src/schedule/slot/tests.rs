use super::*;
use crate::name::PolicyDomain;
use crate::policy::{Policy, Profile};
use crate::record::PolicyId;
use crate::time::{HOUR, MINUTE};
use alloc::format;

const NOON: UnixTime = UnixTime::from_secs(1_000 * DAY + DAY / 2);
const YEAR: u64 = 365 * DAY;
const NEVER: u64 = u64::MAX;

/// The slot of a policy that was fetched, and used, at noon of day 1,000.
fn slot(max_age: u64) -> Slot {
    let text = format!("version: STSv1\nmode: enforce\nmx: a.example\nmax_age: {max_age}\n");
    let policy = Policy::parse(text.as_bytes(), Profile::Strict).unwrap();
    let mut entry = Entry::new(PolicyDomain::parse("a.example").unwrap(), NOON);
    entry.put(HeldPolicy::new(policy, PolicyId::parse("1").unwrap(), NOON));
    Slot::of(&entry, NOON).unwrap()
}

#[test]
fn slot_is_small() {
    assert!(size_of::<Slot>() <= 72, "{}", size_of::<Slot>());
}

#[test]
fn policy_is_idle_so_long_after_the_end_of_its_last_day_of_use() {
    let end_of_use = UnixTime::from_secs(1_001 * DAY);
    for (max_age, set, used_for) in [
        (YEAR, plan::UNUSED, 30 * DAY),
        (YEAR, 180 * DAY, 180 * DAY),
        (YEAR, 0, 0),
        (40 * DAY, 30 * DAY, 30 * DAY),
    ] {
        let last = end_of_use.plus_secs(used_for);
        assert!(!slot(max_age).is_idle(last, set), "{max_age} {set}");
        assert!(slot(max_age).is_idle(last.plus_secs(1), set), "{max_age} {set}");
    }
    // It was refreshed meanwhile: 30 hours after the day of use it is idle all the same.
    let mut refreshed = slot(HOUR);
    refreshed.fetched_at = end_of_use.plus_secs(30 * HOUR);
    assert!(!refreshed.is_idle(refreshed.fetched_at, plan::UNUSED));
    assert!(refreshed.is_idle(refreshed.fetched_at.plus_secs(1), plan::UNUSED));
}

#[test]
fn expired_policy_is_idle_in_the_second_of_its_expiry() {
    let expires = NOON.plus_secs(YEAR);
    assert!(!slot(YEAR).is_idle(expires.minus_secs(1), NEVER));
    assert!(slot(YEAR).is_idle(expires, NEVER));
}

/// Each row: the life, if the last refresh was slow, the place and its tick; and the place and the
/// tick once that has come. The last refresh began at tick 1,000 in its own lane, which it may use
/// again from tick 50,000 on.
#[test]
fn lane_choice() {
    use Lane::{Regular, Short, Slow};
    use Place::{Begun, Late, Parked, Ready, Waiting};
    let (long, day, hour) = (36 * HOUR, DAY, HOUR);
    let lost = 1_000 + 15 * MINUTE;
    let table = [
        // A prompt host is in the lane of its life.
        (long, false, Waiting, 49_000, Ready(Regular), None),
        (YEAR, false, Waiting, 49_000, Ready(Regular), None),
        (long - 1, false, Waiting, 49_000, Ready(Short), None),
        (hour, false, Waiting, 49_000, Ready(Short), None),
        (long, false, Parked, 49_000, Ready(Regular), None),
        (hour, false, Parked, 49_000, Ready(Short), None),
        // One that was slow is in the slow lane, until its own may be used and it has waited…
        (long, true, Waiting, 10_000, Ready(Slow), Some(50_000)),
        (day, true, Waiting, 10_000, Ready(Slow), Some(50_000)),
        (long, true, Parked, 10_000, Ready(Slow), Some(50_000)),
        // … for an hour, or a 36th of a short life.
        (long, true, Waiting, 49_000, Ready(Slow), Some(52_600)),
        (YEAR, true, Waiting, 90_000, Ready(Slow), Some(93_600)),
        (day, true, Waiting, 90_000, Ready(Slow), Some(92_400)),
        (hour, true, Waiting, 90_000, Ready(Slow), Some(90_100)),
        // Then it goes to its own.
        (long, true, Ready(Slow), 52_600, Ready(Regular), None),
        (hour, true, Ready(Slow), 90_100, Ready(Short), None),
        // A prompt refresh is late after 15 seconds, and lost after 15 minutes.
        (long, false, Begun(Regular), 1_016, Late, Some(lost)),
        (hour, false, Begun(Short), 1_016, Late, Some(lost)),
        (long, true, Late, lost, Ready(Slow), Some(50_000)),
        (long, false, Begun(Slow), lost, Ready(Slow), Some(50_000)),
    ];
    for (n, (life, is_slow, place, tick, then, then_tick)) in table.into_iter().enumerate() {
        let mut slot = slot(life);
        (slot.began, slot.own_lane_from) = (1_000, 50_000);
        (slot.is_slow, slot.place, slot.tick) = (is_slow, place, tick);
        slot.advance(tick);
        assert_eq!(slot.place, then, "row {n}");
        assert_eq!(slot.tick, then_tick.unwrap_or(tick), "row {n}");
        if !then.is_in_flight() {
            let is_lost = place.is_in_flight();
            assert_eq!(slot.is_slow, is_slow || is_lost, "row {n}");
        }
    }
}

#[test]
fn host_is_slow_after_a_failure_or_more_than_15_seconds() {
    let lanes = [Lane::Regular, Lane::Short, Lane::Slow];
    for (place, took, is_fresh, is_slow) in lanes
        .into_iter()
        .flat_map(|lane| {
            [(0, true, false), (15, true, false), (16, true, true), (0, false, true)]
                .map(|(took, is_fresh, is_slow)| (Place::Begun(lane), took, is_fresh, is_slow))
        })
        .chain([(Place::Late, 16, true, true), (Place::Late, 16, false, true)])
    {
        for was_slow in [false, true] {
            let mut slot = slot(YEAR);
            (slot.place, slot.began, slot.is_slow) = (place, 1_000, was_slow);
            slot.end(is_fresh, 1_000 + took);
            assert_eq!(slot.is_slow, is_slow, "{place:?} {took} {is_fresh}");
        }
    }
    // A refresh that was taken for lost says nothing of how long it took.
    for (was_slow, is_fresh, is_slow) in
        [(true, true, true), (false, true, false), (false, false, true)]
    {
        let mut slot = slot(YEAR);
        slot.is_slow = was_slow;
        slot.end(is_fresh, 1_000);
        assert_eq!(slot.is_slow, is_slow);
    }
}

#[test]
fn refresh_in_its_own_lane_sets_when_the_lane_may_be_used_again() {
    let begun = |lane, entropy| {
        let mut slot = slot(YEAR);
        slot.own_lane_from = 7;
        slot.begin(lane, NOON, 1_000, entropy);
        (slot.own_lane_from - 7, slot.tick)
    };
    assert_eq!(begun(Lane::Regular, 0), (1_000 + 12 * HOUR - 7, 1_016));
    assert_eq!(begun(Lane::Regular, u64::MAX), (1_000 + 23 * HOUR - 7, 1_016));
    assert_eq!(begun(Lane::Slow, u64::MAX), (0, 1_000 + 15 * MINUTE));
}

#[test]
fn tick_is_missed_after_an_hour_and_once() {
    let mut slot = slot(YEAR);
    slot.tick = 5_000;
    assert!(!slot.has_missed_its_tick(5_000 + HOUR));
    assert!(slot.has_missed_its_tick(5_001 + HOUR));
    slot.catch_up(NOON, 5_001 + HOUR, 0);
    assert!(slot.is_catching_up);
    assert!(!slot.has_missed_its_tick(5_001 + 3 * HOUR));
    slot.tick = 5_000;
    for place in [Place::Parked, Place::Ready(Lane::Slow), Place::Late] {
        (slot.place, slot.is_catching_up) = (place, false);
        assert!(!slot.has_missed_its_tick(5_001 + HOUR), "{place:?}");
    }
}

#[test]
fn order_is_by_lateness_then_longer_lives_then_what_is_in_time() {
    let order = |life, is_catching_up| {
        let mut slot = slot(life);
        (slot.due, slot.is_catching_up) = (1_000, is_catching_up);
        slot.order()
    };
    assert_eq!(order(YEAR, false), 1_000);
    assert_eq!(order(36 * HOUR, false), 1_000);
    assert_eq!(order(DAY, false), 1_000 + 12 * HOUR);
    assert_eq!(order(HOUR, false), 1_000 + 35 * HOUR);
    assert_eq!(order(YEAR, true), 1_000 + 12 * HOUR);
}

#[test]
fn only_what_is_refreshed_counts_for_the_pace_of_its_lanes() {
    let own = |place, is_slow, is_catching_up| {
        let mut slot = Slot { place, is_slow, is_catching_up, ..slot(YEAR) };
        slot.every = 600;
        [Lane::Regular, Lane::Short, Lane::Slow].map(|lane| slot.interval(lane))
    };
    let regular = Some(35 * HOUR / 2);
    for place in [Place::Waiting, Place::Ready(Lane::Slow), Place::Begun(Lane::Slow), Place::Late] {
        assert_eq!(own(place, false, false), [regular, None, None], "{place:?}");
        assert_eq!(own(place, true, false), [regular, None, Some(600)], "{place:?}");
        assert_eq!(own(place, false, true), [Some(600), None, None], "{place:?}");
    }
    assert_eq!(own(Place::Parked, true, true), [None; 3]);
    assert_eq!(slot(HOUR).interval(Lane::Short), Some(30 * MINUTE));
}
