//! What is under way, and what happens to an entry meanwhile.

use mta_sts::schedule::Schedule;
use mta_sts::{Held, Limits, Mode, Recheck, Status};

use crate::world::{
    Answer, DAY, HOUR, MINUTE, START, WEEK, domain, entry, following, found, look_up, next_due,
    poll, refresh, text, wait,
};

#[test]
fn ok_what_is_in_flight_is_not_given_again_until_it_is_lost() {
    let held = entry(domain(1), Mode::Enforce, WEEK, START);
    let mut schedule = following(&held, 0, START);
    let (now, due) = next_due(&mut schedule, START).unwrap();
    assert!(schedule.is_in_flight(&due));
    // Nor where something is heard of it meanwhile.
    schedule.handle_entry(&held, 0, now);
    let fetched = entry(domain(1), Mode::Enforce, WEEK, now.minus_secs(6 * DAY));
    schedule.handle_entry(&fetched, 0, now);
    assert_eq!(poll(&mut schedule, now.plus_secs(15 * MINUTE - 1)), None);
    assert_eq!(schedule.poll_timeout(), Some(now.plus_secs(15 * MINUTE)));
    let lost = now.plus_secs(15 * MINUTE);
    assert_eq!(poll(&mut schedule, lost), Some(due.clone()));
    assert_eq!(schedule.in_flight(), 1);

    let outcome = refresh(&held, Answer::Policy(&text(Mode::Enforce, WEEK)), lost);
    assert_eq!(schedule.handle_outcome(&outcome, 0, lost), None);
    assert_eq!((schedule.in_flight(), schedule.is_in_flight(&due)), (0, false));
    assert_eq!(wait(&mut schedule, lost), Some(12 * HOUR));
}

/// Schedules so many policies that are about to expire, so that the pace allows many at once.
fn crowd(mut schedule: Schedule, count: usize) -> Schedule {
    for n in 0..count {
        let held = entry(domain(n), Mode::Enforce, WEEK, START.minus_secs(WEEK - 10 * MINUTE));
        schedule.handle_entry(&held, 0, START);
    }
    schedule
}

#[test]
fn ok_no_more_are_in_flight_than_allowed() {
    let mut schedule = crowd(Schedule::new().with_max_in_flight(3), 200);
    let mut given = Vec::new();
    for secs in 0..=15 {
        let now = START.plus_secs(secs);
        given.extend(poll(&mut schedule, now).map(|due| (due, now)));
    }
    assert_eq!((given.len(), schedule.in_flight(), schedule.ready()), (3, 3, 197));
    assert_eq!(schedule.poll_timeout(), Some(given[0].1.plus_secs(16)));
    let now = START.plus_secs(15);
    let outcome = found(&given[1].0, WEEK, now);
    assert_eq!(schedule.handle_outcome(&outcome, 0, now), None);
    assert!(poll(&mut schedule, now).is_some());
    assert_eq!(poll(&mut schedule, now), None);
}

/// A driver that ignores the short timeouts does not stop the other refreshes.
#[test]
fn refresh_that_is_not_prompt_makes_room_after_15_seconds() {
    let mut schedule = crowd(Schedule::new().with_max_in_flight(4), 200);
    let mut given = Vec::new();
    for secs in 0..5 * 16 {
        let now = START.plus_secs(secs);
        while let Some(due) = poll(&mut schedule, now) {
            given.push((secs / 16, due));
        }
    }
    for round in 0..5 {
        assert_eq!(given.iter().filter(|(at, _)| *at == round).count(), 4, "{round}");
    }
    assert_eq!(schedule.in_flight(), 20);
    assert!(given.iter().all(|(_, due)| schedule.is_in_flight(due)));
    let distinct: std::collections::BTreeSet<_> = given.iter().map(|(_, due)| due).collect();
    assert_eq!(distinct.len(), 20);
}

/// A failure takes a domain to the slow lane, with the full timeouts; a prompt success takes it back.
#[test]
fn limits_are_full_after_a_failure_until_a_prompt_success() {
    let policy = text(Mode::Enforce, WEEK);
    let mut held = entry(domain(1), Mode::Enforce, WEEK, START);
    let mut schedule = following(&held, 0, START);
    let mut now;
    for (answer, took, is_full) in [
        (Answer::Policy(&policy), 15, false),
        (Answer::Policy(&policy), 16, false),
        (Answer::Policy(&policy), 79, true),
        (Answer::Policy(&policy), 15, true),
        (Answer::NoPolicy, 0, false),
        (Answer::NoPolicy, 12, true),
        (Answer::Policy(&policy), 1, true),
        (Answer::Policy(&policy), 1, false),
    ] {
        let due = loop {
            now = schedule.poll_timeout().unwrap();
            if let Some(due) = schedule.poll_due(now) {
                break due;
            }
        };
        let limits = due.limits(Limits::default());
        let times = (limits.query_timeout().as_secs(), limits.fetch_timeout().as_secs());
        assert_eq!(times, if is_full { (20, 60) } else { (4, 8) });
        now = now.plus_secs(took);
        let outcome = refresh(&held, answer, now);
        schedule.handle_outcome(&outcome, 0, now);
        held = outcome.into_entry();
    }
}

#[test]
fn ok_by_itself_a_schedule_begins_64_at_once_and_at_least_one() {
    assert_eq!((Schedule::new().len(), Schedule::new().is_empty()), (0, true));
    for (schedule, most) in [(Schedule::new(), 64), (Schedule::new().with_max_in_flight(0), 1)] {
        let mut schedule = crowd(schedule, 2_000);
        assert_eq!((schedule.len(), schedule.is_empty()), (2_000, false));
        for secs in 0..=15 {
            while poll(&mut schedule, START.plus_secs(secs)).is_some() {}
        }
        assert_eq!((schedule.in_flight(), schedule.ready()), (most, 2_000 - most));
    }
}

/// A place that one domain leaves is another's; nothing of the first is left in it.
#[test]
fn ok_a_domain_inherits_nothing_from_one_that_was_removed() {
    let held = [1, 2].map(|n| entry(domain(n), Mode::Enforce, WEEK, START));
    let mut schedule = following(&held[0], 0, START);
    let (mut now, mut outcome) = (START, None);
    for _ in 0..3 {
        now = next_due(&mut schedule, now).unwrap().0;
        outcome = Some(refresh(&held[0], Answer::NoPolicy, now));
        let alert = schedule.handle_outcome(outcome.as_ref().unwrap(), 0, now);
        assert_eq!(alert.is_some(), now == START.plus_secs(12 * HOUR + 300));
    }
    now = next_due(&mut schedule, now).unwrap().0;
    schedule.handle_removed(&domain(1));
    schedule.handle_entry(&held[1], u64::MAX, now);
    assert!(!schedule.contains(&domain(1)) && !schedule.is_in_flight(&domain(2)));
    assert_eq!((schedule.len(), schedule.in_flight(), schedule.ready()), (1, 0, 0));

    let (then, due) = next_due(&mut schedule, now).unwrap();
    assert_eq!((due, then), (domain(2), START.plus_secs(23 * HOUR)));
    let first = refresh(&held[1], Answer::NoPolicy, then);
    assert_eq!(schedule.handle_outcome(&first, 0, then), None);
    assert_eq!(wait(&mut schedule, then), Some(300));
    // The other's refresh ends at last, and touches only the other.
    assert_eq!(schedule.handle_outcome(&outcome.unwrap(), 0, then), None);
    assert!(schedule.is_in_flight(&domain(2)) && !schedule.is_in_flight(&domain(1)));
    assert_eq!(schedule.len(), 2);
}

#[test]
fn ok_a_removed_domain_is_forgotten() {
    let held = entry(domain(1), Mode::Enforce, WEEK, START);
    let mut schedule = following(&held, 0, START);
    schedule.handle_removed(&domain(2));
    assert!(schedule.contains(&domain(1)));
    let (now, due) = next_due(&mut schedule, START).unwrap();
    schedule.handle_removed(&due);
    assert!(schedule.is_empty());
    assert_eq!((schedule.in_flight(), schedule.poll_timeout()), (0, None));
    // What its refresh put into the store meanwhile is followed.
    let outcome = refresh(&held, Answer::Policy(&text(Mode::Enforce, WEEK)), now);
    assert_eq!(schedule.handle_outcome(&outcome, 0, now), None);
    assert_eq!(wait(&mut schedule, now), Some(12 * HOUR));
}

#[test]
fn ok_a_cleared_entry_is_forgotten_and_an_older_one_changes_nothing() {
    let held = entry(domain(1), Mode::Enforce, WEEK, START);
    let now = START.plus_secs(HOUR);
    let cleared = refresh(&held, Answer::Policy(&text(Mode::Enforce, 0)), now).into_entry();
    assert!(cleared.stored_policy().is_none());
    let mut schedule = following(&held, 0, START);
    schedule.handle_entry(&cleared, 0, now);
    assert!(schedule.is_empty());

    let newer = refresh(&held, Answer::Policy(&text(Mode::Enforce, WEEK)), now).into_entry();
    let mut schedule = following(&newer, 0, now);
    schedule.handle_entry(&held, 0, now);
    assert_eq!(wait(&mut schedule, now), Some(12 * HOUR));
}

#[test]
fn ok_a_newer_policy_that_came_meanwhile_counts_and_the_failure_does_not() {
    let held = entry(domain(1), Mode::Enforce, WEEK, START);
    let mut schedule = following(&held, 0, START);
    let (now, _) = next_due(&mut schedule, START).unwrap();
    let newer = refresh(&held, Answer::Policy(&text(Mode::Enforce, WEEK)), now).into_entry();
    schedule.handle_entry(&newer, 0, now);
    assert_eq!((poll(&mut schedule, now), schedule.in_flight()), (None, 1));
    // After 15 seconds it is no longer prompt, and after 15 minutes it is lost.
    for secs in [16, 15 * MINUTE] {
        let then = schedule.poll_timeout().unwrap();
        assert_eq!(then, now.plus_secs(secs));
        assert_eq!(poll(&mut schedule, then.minus_secs(1)), None);
        if secs == 16 {
            assert_eq!((poll(&mut schedule, then), schedule.in_flight()), (None, 1));
        }
    }
    let outcome = refresh(&held, Answer::NoPolicy, now);
    assert_eq!(schedule.handle_outcome(&outcome, 0, now), None);
    assert_eq!(wait(&mut schedule, now), Some(12 * HOUR));
}

#[test]
fn ok_a_store_that_lost_the_policy_is_believed_and_one_that_failed_is_not() {
    let held = entry(domain(1), Mode::Enforce, WEEK, START);
    for (held_then, answer, status, stays) in [
        (Held::Nothing, Answer::Nothing, Status::Absent, false),
        (Held::Unreadable { notes: None }, Answer::Nothing, Status::Unknown, true),
        (Held::Nothing, Answer::Silence, Status::Unknown, true),
    ] {
        let mut schedule = following(&held, 0, START);
        let (now, _) = next_due(&mut schedule, START).unwrap();
        let outcome = look_up(domain(1), held_then, Recheck::Refresh, answer, now);
        assert_eq!(outcome.status(), status);
        assert_eq!(schedule.handle_outcome(&outcome, 0, now), None);
        assert_eq!(schedule.contains(&domain(1)), stays, "{status}");
        if stays {
            assert_eq!(wait(&mut schedule, now), Some(300));
        }
    }
}

/// An older policy heard of before, and the known one meanwhile, say nothing of what the store has.
#[test]
fn ok_what_was_known_does_not_keep_what_the_store_lost() {
    let older = entry(domain(1), Mode::Enforce, WEEK, START.minus_secs(DAY));
    let held = refresh(&older, Answer::Policy(&text(Mode::Enforce, WEEK)), START).into_entry();
    let mut schedule = following(&held, 0, START);
    schedule.handle_entry(&older, 0, START);
    let (now, due) = next_due(&mut schedule, START).unwrap();
    schedule.handle_entry(&held, 0, now);
    let lost = look_up(due, Held::Nothing, Recheck::Refresh, Answer::Nothing, now);
    assert_eq!(schedule.handle_outcome(&lost, 0, now), None);
    assert!(schedule.is_empty());
}

#[test]
fn ok_what_expires_before_it_begins_is_not_given() {
    let expires = START.plus_secs(DAY);
    let began = expires.minus_secs(10 * MINUTE);
    for (now, is_given) in [(expires.minus_secs(1), true), (expires, false)] {
        let mut schedule = Schedule::new().with_max_in_flight(1);
        for (n, fetched_at) in [(1, START.minus_secs(MINUTE)), (2, START)] {
            schedule.handle_entry(&entry(domain(n), Mode::Enforce, DAY, fetched_at), 0, began);
        }
        assert_eq!(poll(&mut schedule, began), Some(domain(1)));
        assert_eq!((poll(&mut schedule, began), schedule.ready()), (None, 1));
        assert_eq!(schedule.handle_outcome(&found(&domain(1), WEEK, now), 0, now), None);
        assert_eq!(poll(&mut schedule, now), is_given.then(|| domain(2)));
        assert_eq!(schedule.parked(), usize::from(!is_given));
    }
}

/// The clock ran ahead, was set back, and the store lost the policy; while the refresh that learns of
/// it is under way, a delivery fetches another, which seems to be the older one.
#[test]
fn ok_a_policy_that_came_back_under_an_older_clock_is_followed() {
    let ahead = entry(domain(1), Mode::Enforce, WEEK, START.plus_secs(365 * DAY));
    let mut schedule = following(&ahead, 0, START);
    let (now, due) = next_due(&mut schedule, START).unwrap();
    let lost = look_up(due.clone(), Held::Nothing, Recheck::Refresh, Answer::NoPolicy, now);
    assert_eq!(lost.status(), Status::Absent);
    let again = entry(due.clone(), Mode::Enforce, WEEK, now);
    assert!(again.generation() < ahead.generation());
    schedule.handle_entry(&again, 0, now);
    assert_eq!(schedule.handle_outcome(&lost, 0, now), None);
    assert!(schedule.contains(&due) && !schedule.is_in_flight(&due));
    // What is heard of it next is believed.
    schedule.handle_entry(&again, 0, now);
    assert_eq!(wait(&mut schedule, now), Some(12 * HOUR));
}

/// A clock that ran ahead has left a high generation. The store drops the policy without a report.
/// What a delivery fetches later has a lower one.
#[test]
fn ok_what_was_fetched_later_is_followed_though_its_generation_is_lower() {
    let ahead = entry(domain(1), Mode::Enforce, DAY, START.plus_secs(365 * DAY));
    let text = text(Mode::Enforce, DAY);
    // The budget that the wrong clock stamped counts as spent, and comes back within 20 minutes.
    let right = refresh(&ahead, Answer::Policy(&text), START.minus_secs(HOUR)).into_entry();
    let held = refresh(&right, Answer::Policy(&text), START).into_entry();
    let now = START.plus_secs(HOUR);
    let later = entry(domain(1), Mode::Enforce, WEEK, now);
    assert!(later.generation() < held.generation());

    let mut schedule = following(&held, 0, START);
    schedule.handle_entry(&later, 0, now);
    assert_eq!(wait(&mut schedule, now), Some(12 * HOUR));
    // Long after the first has expired, too.
    let mut schedule = following(&held, 0, START);
    let then = START.plus_secs(2 * DAY);
    assert_eq!(poll(&mut schedule, then), None);
    assert_eq!(schedule.parked(), 1);
    let later = entry(domain(1), Mode::Enforce, WEEK, then);
    schedule.handle_entry(&later, 0, then);
    assert_eq!((schedule.parked(), wait(&mut schedule, then)), (0, Some(12 * HOUR)));
    // A refresh that read it says so as well.
    let mut schedule = following(&held, 0, START);
    let (now, due) = next_due(&mut schedule, START).unwrap();
    let outcome = found(&due, WEEK, now);
    assert!(outcome.entry().generation() < held.generation());
    assert_eq!(schedule.handle_outcome(&outcome, 0, now), None);
    assert_eq!(wait(&mut schedule, now), Some(12 * HOUR));
    // One too short-lived to be followed does not take the place of one that is.
    let mut schedule = following(&held, 0, START);
    schedule.handle_entry(&entry(domain(1), Mode::Enforce, 600, START.plus_secs(1)), 0, START);
    assert!(schedule.contains(&domain(1)));
}

#[test]
fn ok_an_outcome_that_comes_late_changes_nothing() {
    let held = entry(domain(1), Mode::Enforce, DAY, START);
    let mut schedule = following(&held, 0, START);
    let (began, _) = next_due(&mut schedule, START).unwrap();
    // Lost, given again, and fetched; then the first one ends after all, two days later.
    let again = began.plus_secs(15 * MINUTE);
    assert!(poll(&mut schedule, again).is_some());
    let outcome = refresh(&held, Answer::Policy(&text(Mode::Enforce, WEEK)), again);
    assert_eq!(schedule.handle_outcome(&outcome, 0, again), None);
    let now = again.plus_secs(2 * DAY);
    let late = refresh(&held, Answer::Nothing, now);
    assert_eq!(late.status(), Status::Absent);
    assert_eq!(schedule.handle_outcome(&late, 0, now), None);
    assert!(schedule.contains(&domain(1)) && !schedule.is_in_flight(&domain(1)));
    assert!(wait(&mut schedule, now) <= Some(12 * HOUR));
}
