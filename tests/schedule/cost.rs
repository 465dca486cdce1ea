//! What one mail costs, and what several processes cost.

use mta_sts::schedule::Schedule;
use mta_sts::{Entry, Limits, Mode, UnixTime};

use crate::world::{
    Answer, DAY, HOUR, MINUTE, Random, START, WEEK, domain, entry, found, refresh, text,
};

const YEAR: u64 = 31_557_600;

/// The fetches that one mail at the start of a day causes, itself included, where each time is
/// drawn as early as may be. A host that fails does so until the last try before its policy expires.
fn fetches_of_one_mail(max_age: u64, fails: bool) -> u32 {
    let start = START.start_of_day();
    let mut held = entry(domain(1), Mode::Enforce, max_age, start);
    let mut schedule = Schedule::new();
    schedule.handle_entry(&held, 0, start);
    let policy = text(Mode::Enforce, max_age);
    let (mut now, mut fetches) = (start, 1);
    while schedule.parked() == 0 {
        if let Some(due) = schedule.poll_due(now) {
            fetches += 1;
            let left = held.policy(now).unwrap().expires_in(now).as_secs();
            let answer =
                if fails && left > 8 * MINUTE { Answer::NoPolicy } else { Answer::Policy(&policy) };
            // The host announces another id each time, so that no lookup is held back: what was
            // remembered of failures is left out.
            let outcome = refresh(&held, answer, now);
            schedule.handle_outcome(&outcome, 0, now);
            if matches!(answer, Answer::Policy(_)) {
                held = outcome.into_entry();
            }
            assert_eq!(due.domain(), held.domain());
        } else {
            now = schedule.poll_timeout().unwrap();
        }
    }
    fetches
}

#[test]
fn one_mail_costs_a_bounded_number_of_fetches() {
    println!("max_age: fetches that succeed; that fail");
    for (max_age, expected, at_most) in [
        (HOUR, 163, 600),
        (2 * HOUR, 127, 800),
        (6 * HOUR, 103, 1_000),
        (12 * HOUR, 97, 1_200),
        (DAY, 94, 1_300),
        (36 * HOUR - 1, 63, 1_000),
        (36 * HOUR, 63, 1_000),
        (WEEK, 63, 500),
        (YEAR, 63, 300),
    ] {
        let fetches = fetches_of_one_mail(max_age, false);
        let failing = fetches_of_one_mail(max_age, true);
        println!("{max_age:>9}: {fetches:>4} {failing:>5}");
        assert!(fetches <= expected, "{max_age}: {fetches}");
        assert!(failing <= at_most, "{max_age}: {failing}");
    }
}

/// Drives so many schedules over one store for ten days, and counts the refreshes.
fn refreshes_of_processes(count: usize, tell_each_other: bool) -> usize {
    const DOMAINS: usize = 100;
    let mut random = Random::new(21);
    let mut store: Vec<Entry> =
        (0..DOMAINS).map(|n| entry(domain(n), Mode::Enforce, WEEK, START)).collect();
    let mut processes: Vec<_> = (0..count).map(|_| Schedule::new()).collect();
    for schedule in &mut processes {
        for held in &store {
            schedule.handle_entry(held, random.next(), START);
        }
    }
    let (mut now, mut refreshes): (UnixTime, _) = (START, 0);
    while now < START.plus_secs(10 * DAY) {
        for n in 0..count {
            while let Some(due) = processes[n].poll_due(now) {
                assert!(due.limits(Limits::default()) != Limits::default());
                refreshes += 1;
                let outcome = found(due.domain(), WEEK, now);
                let at = crate::world::number(due.domain());
                store[at].merge(outcome.entry().clone()).unwrap();
                processes[n].handle_outcome(&outcome, random.next(), now);
                for other in processes.iter_mut().filter(|_| tell_each_other) {
                    other.handle_entry(&store[at], random.next(), now);
                }
            }
        }
        now = processes.iter().filter_map(Schedule::poll_timeout).min().unwrap();
    }
    for held in &store {
        let age = now.secs_since(held.stored_policy().unwrap().fetched_at());
        assert!(age < DAY, "{age}");
    }
    refreshes
}

#[test]
fn two_processes_on_one_store_refresh_at_most_twice_as_often() {
    let one = refreshes_of_processes(1, true);
    let two_apart = refreshes_of_processes(2, false);
    let two = refreshes_of_processes(2, true);
    println!("one: {one}, two that tell each other: {two}, two that do not: {two_apart}");
    assert!(two_apart <= 2 * one + one / 50, "{two_apart} of {one}");
    assert!(two <= one + one / 5, "{two} of {one}");
}
