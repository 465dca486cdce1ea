//! The times, rule by rule.

use std::time::Duration;

use mta_sts::schedule::{Alert, Schedule};
use mta_sts::{Entry, Held, Mode, Outcome, PolicyDomain, Recheck, Status, UnixTime};

use crate::world::{
    Answer, DAY, HOUR, MINUTE, Random, START, WEEK, domain, entry, following, found, look_up,
    next_due, number, poll, refresh, text, wait,
};

/// The waits for an entry, over the whole range of entropy: shortest and longest.
fn waits(entry: &Entry, now: UnixTime) -> (u64, u64) {
    let wait = |entropy| wait(&mut following(entry, entropy, now), now).unwrap();
    (wait(0), wait(u64::MAX))
}

#[test]
fn ok_a_policy_is_refreshed_between_12_and_23_hours_after_its_fetch() {
    for mode in [Mode::Enforce, Mode::Testing, Mode::None] {
        for max_age in [36 * HOUR, WEEK, 365 * DAY] {
            let fresh = entry(domain(1), mode, max_age, START);
            assert_eq!(waits(&fresh, START), (12 * HOUR, 23 * HOUR), "{mode} {max_age}");
            let later = START.plus_secs(15 * HOUR);
            assert_eq!(waits(&fresh, later), (0, 8 * HOUR), "{mode} {max_age}");
        }
    }
}

#[test]
fn ok_a_short_life_is_refreshed_in_its_second_third() {
    for hours in [1, 6, 24, 33] {
        let fresh = entry(domain(1), Mode::Enforce, hours * HOUR, START);
        let (first, last) = waits(&fresh, START);
        assert_eq!((first, last), (hours * HOUR / 3, hours * HOUR * 2 / 3), "{hours}");
    }
}

#[test]
fn ok_a_life_under_an_hour_ends_in_peace() {
    let fleeting = entry(domain(1), Mode::Enforce, HOUR - 1, START);
    let schedule = following(&fleeting, 0, START);
    assert!(schedule.is_empty());
    assert_eq!(schedule.poll_timeout(), None);

    // Nor is a policy followed any longer that becomes so.
    let held = entry(domain(1), Mode::Enforce, WEEK, START);
    let mut schedule = following(&held, 0, START);
    let (now, due) = next_due(&mut schedule, START).unwrap();
    let outcome = refresh(&held, Answer::Policy(&text(Mode::Enforce, 600)), now);
    let alert = schedule.handle_outcome(&outcome, 0, now);
    assert!(matches!(alert, Some(Alert::PolicyWeaker { .. })), "{alert:?}");
    assert!(!schedule.contains(&due));
    assert_eq!(schedule.in_flight(), 0);
}

#[test]
fn ok_an_entry_that_holds_nothing_is_not_followed() {
    let outcome = look_up(domain(1), Held::Nothing, Recheck::WhenDue, Answer::Nothing, START);
    let mut schedule = Schedule::new();
    schedule.handle_entry(outcome.entry(), 0, START);
    assert!(schedule.is_empty());
    assert_eq!(poll(&mut schedule, START), None);
}

#[test]
fn ok_a_removed_none_is_asked_for_daily_and_in_silence() {
    let mut held = entry(domain(1), Mode::None, 30 * DAY, START);
    let mut random = Random::new(5);
    let mut schedule = following(&held, random.next(), START);
    let mut now = START;
    let mut times = 0;
    while now < START.plus_secs(29 * DAY) {
        let Some((then, _)) = next_due(&mut schedule, now) else { break };
        let after = then.secs_since(now);
        assert!((12 * HOUR..=23 * HOUR).contains(&after), "{after}");
        now = then;
        let outcome = refresh(&held, Answer::Nothing, now);
        assert_eq!(outcome.status(), Status::Held);
        assert_eq!(schedule.handle_outcome(&outcome, random.next(), now), None);
        held = outcome.into_entry();
        times += 1;
    }
    assert!((30..=58).contains(&times), "{times}");

    // Not even where it is published and cannot be fetched.
    for _ in 0..10 {
        let outcome = refresh(&held, Answer::NoPolicy, now);
        assert_eq!(schedule.handle_outcome(&outcome, random.next(), now), None);
    }
}

/// Hands out what is due until `end`, as though each refresh ended at once, and gives how many went
/// out in each minute.
fn drain(
    schedule: &mut Schedule,
    now: UnixTime,
    end: UnixTime,
    mut end_of: impl FnMut(&PolicyDomain, UnixTime) -> (Outcome, u64),
) -> Vec<u32> {
    let mut per_minute = vec![0; usize::try_from(end.secs_since(now) / MINUTE + 1).unwrap()];
    let mut at = now;
    while at < end {
        while let Some(due) = poll(schedule, at) {
            per_minute[usize::try_from(at.secs_since(now) / MINUTE).unwrap()] += 1;
            let (outcome, entropy) = end_of(&due, at);
            schedule.handle_outcome(&outcome, entropy, at);
        }
        let Some(then) = schedule.poll_timeout() else { break };
        assert!(then > at);
        at = then;
    }
    per_minute
}

#[test]
fn ok_after_a_restart_what_is_overdue_is_spread_over_half_a_day() {
    const COUNT: u32 = 10_000;
    let mut random = Random::new(1);
    let mut schedule = Schedule::new();
    for n in 0..COUNT as usize {
        let held = entry(domain(n), Mode::Enforce, WEEK, START.minus_secs(3 * DAY));
        schedule.handle_entry(&held, random.next(), START);
    }
    let end = START.plus_secs(12 * HOUR + 10 * MINUTE);
    let per_minute = drain(&mut schedule, START, end, |due, now| (found(due, WEEK, now), u64::MAX));
    assert_eq!(per_minute.iter().sum::<u32>(), COUNT);
    // 14 in a minute are the even share.
    assert!(per_minute.iter().all(|count| *count <= 35), "{:?}", per_minute.iter().max());
}

#[test]
fn ok_after_a_clock_was_set_forward_what_is_overdue_goes_out_evenly_and_in_time() {
    const COUNT: usize = 10_000;
    let mut random = Random::new(2);
    let mut schedule = Schedule::new();
    // Every tenth expires soon after the step.
    let max_age = |n: usize| if n % 10 == 0 { 5 * DAY } else { 30 * DAY };
    for n in 0..COUNT {
        let held = entry(domain(n), Mode::Enforce, max_age(n), START);
        schedule.handle_entry(&held, random.next(), START);
    }
    assert_eq!(poll(&mut schedule, START), None);
    let step = START.plus_secs(5 * DAY - 6 * HOUR);
    let mut order = Vec::new();
    let end = step.plus_secs(12 * HOUR + 10 * MINUTE);
    let per_minute = drain(&mut schedule, step, end, |due, now| {
        order.push((number(due), now));
        (found(due, 30 * DAY, now), u64::MAX)
    });
    assert_eq!(order.len(), COUNT);
    // Those that expire in six hours are spread over three, the others over twelve.
    let urgent = order.iter().filter(|(n, _)| n % 10 == 0);
    assert_eq!(urgent.clone().count(), COUNT / 10);
    let last = urgent.map(|(_, at)| at.secs_since(step) / MINUTE).max().unwrap();
    assert!((170..=185).contains(&last), "{last}");
    // The even shares are 18 in a minute for three hours, and then 12.5.
    let (first, others) = per_minute.split_at(usize::try_from(last).unwrap() + 1);
    assert!(first.iter().all(|count| *count <= 40), "{:?}", first.iter().max());
    assert!(others.iter().all(|count| *count <= 30), "{:?}", others.iter().max());
}

/// A step that is too short to spread what it made due: the pace does.
#[test]
fn after_an_hour_that_was_skipped_the_pace_prevents_a_burst() {
    const COUNT: usize = 10_000;
    let mut random = Random::new(2);
    let mut schedule = Schedule::new().with_max_in_flight(usize::MAX);
    for n in 0..COUNT {
        let held = entry(domain(n), Mode::Enforce, WEEK, START);
        schedule.handle_entry(&held, random.next(), START);
    }
    let step = START.plus_secs(12 * HOUR - 1);
    assert_eq!(poll(&mut schedule, step), None);
    let step = step.plus_secs(HOUR);
    let end = step.plus_secs(11 * HOUR);
    let per_minute = drain(&mut schedule, step, end, |due, now| (found(due, WEEK, now), u64::MAX));
    // 7/4 of a refresh in 17.5 hours are 16.7 in a minute, and a few for the start.
    assert_eq!(per_minute.iter().sum::<u32>(), u32::try_from(COUNT).unwrap());
    assert!(per_minute.iter().all(|count| *count <= 19), "{:?}", per_minute.iter().max());
}

#[test]
fn ok_what_would_expire_before_it_is_refreshed_goes_out_faster() {
    const COUNT: usize = 2_000;
    let mut random = Random::new(3);
    let mut schedule = Schedule::new().with_max_in_flight(usize::MAX);
    for n in 0..COUNT {
        let held = entry(domain(n), Mode::Enforce, 3 * DAY, START);
        schedule.handle_entry(&held, random.next(), START);
    }
    // At the usual pace they would take ten hours.
    let step = START.plus_secs(3 * DAY - HOUR);
    let end = step.plus_secs(HOUR);
    let per_minute = drain(&mut schedule, step, end, |due, now| (found(due, WEEK, now), u64::MAX));
    assert_eq!(per_minute.iter().sum::<u32>(), 2_000);
    assert!(per_minute.iter().all(|count| *count <= 90), "{:?}", per_minute.iter().max());
}

#[test]
fn ok_a_clock_set_back_makes_no_wait_longer() {
    let mut random = Random::new(4);
    let mut schedule = Schedule::new();
    for n in 0..1_000 {
        let held = entry(domain(n), Mode::Enforce, WEEK, START);
        schedule.handle_entry(&held, random.next(), START);
    }
    let mut due_at = Vec::new();
    let past = START.minus_secs(1_000 * DAY);
    drain(&mut schedule, past, past.plus_secs(24 * HOUR), |due, now| {
        due_at.push(now.secs_since(past));
        (found(due, WEEK, now), u64::MAX)
    });
    assert_eq!(due_at.len(), 1_000);
    // As spread as before, and so they stay.
    assert!(due_at.iter().all(|at| (12 * HOUR..=23 * HOUR + 60).contains(at)));
    let early = due_at.iter().filter(|at| **at < 17 * HOUR + HOUR / 2).count();
    assert!((400..=600).contains(&early), "{early}");
}

#[test]
fn ok_an_entry_from_the_future_is_refreshed_in_its_turn() {
    let held = entry(domain(1), Mode::Enforce, WEEK, START.plus_secs(300 * DAY));
    assert_eq!(waits(&held, START), (12 * HOUR, 23 * HOUR));
}

#[test]
fn ok_what_a_clock_that_ran_ahead_let_expire_is_refreshed_when_it_is_set_right() {
    let held = entry(domain(1), Mode::Enforce, WEEK, START);
    let mut schedule = following(&held, 0, START);
    let mut ahead = START.plus_secs(20 * DAY);
    for _ in 0..3 {
        assert_eq!(poll(&mut schedule, ahead), None);
        assert_eq!(schedule.parked(), 1);
        ahead = schedule.poll_timeout().unwrap();
    }
    let (now, _) = next_due(&mut schedule, START).unwrap();
    assert!(now <= START.plus_secs(12 * HOUR));
    assert_eq!((schedule.parked(), schedule.in_flight()), (0, 1));
}

#[test]
fn ok_an_expired_policy_is_followed_for_thirty_days_and_never_given() {
    let held = entry(domain(1), Mode::Enforce, DAY, START);
    let mut schedule = following(&held, 0, START.plus_secs(DAY));
    assert_eq!((schedule.parked(), schedule.ready()), (1, 0));
    let mut now = START.plus_secs(DAY);
    while let Some(then) = schedule.poll_timeout() {
        assert_eq!(poll(&mut schedule, then), None);
        now = then;
    }
    assert!(schedule.is_empty());
    let days = now.secs_since(START) / DAY;
    assert_eq!(days, 31);
}

#[test]
fn ok_what_no_delivery_asks_for_is_left_to_expire_and_comes_back() {
    // The last day of use ends after 16 hours.
    for (set, max_age, last_is_in) in [
        (None, 60 * DAY, 30 * DAY - 8 * HOUR..=31 * DAY - 8 * HOUR),
        (Some(50), 60 * DAY, 50 * DAY - 8 * HOUR..=51 * DAY - 8 * HOUR),
        (Some(0), 60 * DAY, 0..=16 * HOUR),
        // 30 lives are less.
        (None, 12 * HOUR, 15 * DAY..=15 * DAY + 16 * HOUR),
    ] {
        let mut held = entry(domain(1), Mode::Enforce, max_age, START);
        let mut random = Random::new(6);
        let mut schedule = set.map_or_else(Schedule::new, |days| {
            Schedule::new().with_unused_after(Duration::from_secs(days * DAY))
        });
        schedule.handle_entry(&held, random.next(), START);
        let mut now = START;
        let policy = text(Mode::Enforce, max_age);
        loop {
            if let Some(due) = poll(&mut schedule, now) {
                let outcome = refresh(&held, Answer::Policy(&policy), now);
                assert_eq!(schedule.handle_outcome(&outcome, random.next(), now), None);
                held = outcome.into_entry();
                assert_eq!(&due, held.domain());
            }
            if schedule.parked() == 1 {
                break;
            }
            now = schedule.poll_timeout().unwrap();
        }
        let last = held.stored_policy().unwrap().fetched_at().secs_since(START);
        assert!(last_is_in.contains(&last), "{last} of {last_is_in:?}");
        assert_eq!((schedule.len(), schedule.parked()), (1, 1));

        // A report without a use changes nothing.
        schedule.handle_entry(&held, random.next(), now);
        assert_eq!(schedule.parked(), 1);
        assert!(held.touch(now));
        schedule.handle_entry(&held, random.next(), now);
        assert_eq!(schedule.parked(), 0);
        assert!(wait(&mut schedule, now) <= Some(12 * HOUR));
    }
}

/// Another process used the policy; the entry that was refreshed had not heard of it.
#[test]
fn ok_a_use_is_remembered_whatever_the_next_policy_says() {
    let held = entry(domain(1), Mode::Enforce, 365 * DAY, START);
    let mut schedule = following(&held, 0, START);
    let (used_at, now) = (START.plus_secs(20 * DAY), START.plus_secs(21 * DAY));
    let mut used = held.clone();
    assert!(used.touch(used_at));
    schedule.handle_entry(&used, 0, used_at);
    let outcome = refresh(&held, Answer::Policy(&text(Mode::Enforce, 365 * DAY)), now);
    assert!(outcome.entry().last_used() < used_at);
    assert_eq!(schedule.handle_outcome(&outcome, 0, now), None);
    assert!(wait(&mut schedule, START.plus_secs(40 * DAY)) <= Some(12 * HOUR));
}

#[test]
fn ok_times_hang_on_entropy_and_not_on_names() {
    // One entropy: two domains have the same times; two: one domain has different ones.
    let times = |name: usize, seed: u64| {
        let mut random = Random::new(seed);
        let mut held = entry(domain(name), Mode::Enforce, WEEK, START);
        let mut schedule = following(&held, random.next(), START);
        let mut now = START;
        let mut times = Vec::new();
        for _ in 0..50 {
            now = next_due(&mut schedule, now).unwrap().0;
            times.push(now);
            held.touch(now);
            let outcome = refresh(&held, Answer::Policy(&text(Mode::Enforce, WEEK)), now);
            schedule.handle_outcome(&outcome, random.next(), now);
            held = outcome.into_entry();
        }
        times
    };
    assert_eq!(times(1, 7), times(2, 7));
    let (one, other) = (times(1, 7), times(1, 8));
    assert!(one.iter().zip(&other).filter(|(a, b)| a == b).count() <= 1);
}

/// The ticks only grow, and start anywhere.
#[test]
fn ok_a_schedule_that_was_driven_for_68_years_keeps_its_times() {
    let times = |schedule: &mut Schedule, start: UnixTime| {
        let mut random = Random::new(12);
        for n in 0..200 {
            let held = entry(domain(n), Mode::Enforce, WEEK, start.minus_secs(n as u64 * 300));
            schedule.handle_entry(&held, random.next(), start);
        }
        let unused = entry(domain(200), Mode::Enforce, 365 * DAY, start.minus_secs(200 * DAY));
        schedule.handle_entry(&unused, 0, start);
        let mut times = Vec::new();
        let end = start.plus_secs(2 * DAY);
        let mut now = start;
        while now < end {
            while let Some(due) = poll(schedule, now) {
                times.push((now.secs_since(start), number(&due)));
                let ended = now.plus_secs(5);
                schedule.handle_outcome(&found(&due, WEEK, ended), random.next(), ended);
            }
            now = schedule.poll_timeout().unwrap();
        }
        assert_eq!(schedule.parked(), 1);
        times
    };
    let mut old = Schedule::new();
    // A day before half of 2^32 seconds.
    let mut now = UnixTime::EPOCH.plus_secs(1);
    for _ in 0..((1 << 31) - DAY) / (2 * DAY) {
        now = now.plus_secs(2 * DAY);
        assert_eq!(poll(&mut old, now), None);
    }
    let expected = times(&mut Schedule::new(), now);
    assert!(expected.len() > 300);
    assert!(times(&mut old, now) == expected);
}
