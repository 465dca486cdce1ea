//! Refreshes that fail, and the alerts.

use mta_sts::schedule::{Alert, Schedule};
use mta_sts::{Entry, Held, Lookup, Mode, Problem, Recheck, UnixTime};
use mta_sts_testkit::script::{HttpsAnswer, TxtAnswer, run};

use crate::world::{
    Answer, DAY, HOUR, MINUTE, Random, START, WEEK, domain, entry, following, look_up, next_due,
    refresh, text, wait,
};

/// The waits after failures, until `end`.
fn failing_waits(
    schedule: &mut Schedule,
    held: &Entry,
    mut now: UnixTime,
    end: UnixTime,
) -> Vec<(UnixTime, u64, Option<Alert>)> {
    let mut held = held.clone();
    let mut waits = Vec::new();
    let mut random = Random::new(9);
    while let Some((then, _)) = next_due(schedule, now).filter(|(then, _)| *then < end) {
        waits.push((then, then.secs_since(now), None));
        now = then;
        let outcome = refresh(&held, Answer::NoPolicy, now);
        waits.last_mut().unwrap().2 = schedule.handle_outcome(&outcome, random.next(), now);
        held = outcome.into_entry();
    }
    waits
}

#[test]
fn ok_failures_back_off_and_never_below_what_the_lookup_holds_back() {
    let held = entry(domain(1), Mode::Enforce, 90 * DAY, START);
    let mut schedule = following(&held, 0, START);
    let waits = failing_waits(&mut schedule, &held, START, START.plus_secs(10 * DAY));
    let mut base = 300;
    for (_, wait, _) in waits.iter().skip(1) {
        assert!((base..=base * 3 / 2 + 5).contains(wait), "{wait} of {base}");
        base = (base * 2).min(6 * HOUR);
    }
    assert!(waits.len() > 30, "{}", waits.len());
    // Every one of them asked: none was spent on being held back.
    let codes = waits.iter().filter_map(|(_, _, alert)| alert.clone());
    for alert in codes {
        assert!(matches!(alert, Alert::RefreshFailing { problem: "policy-fetch", .. }), "{alert}");
    }
}

/// Deliveries asked before, and failed: the first refresh learns how long the next is held back.
#[test]
fn ok_a_refresh_that_is_held_back_waits_for_its_end() {
    let mut held = entry(domain(1), Mode::Enforce, WEEK, START);
    let mut schedule = following(&held, 0, START);
    let mut now = START.plus_secs(9 * HOUR);
    for _ in 0..5 {
        let asked = Held::Entry(held.clone());
        let outcome = look_up(domain(1), asked, Recheck::Refresh, Answer::NoPolicy, now);
        held = outcome.into_entry();
        now = held.backing_off(now).next().unwrap().1;
    }
    let (until, now) = (now, now.minus_secs(30 * MINUTE));
    let outcome = refresh(&held, Answer::NoPolicy, now);
    assert_eq!(outcome.problem().map(Problem::code), Some("backing-off"));
    assert_eq!(schedule.handle_outcome(&outcome, 0, now), None);
    assert_eq!(wait(&mut schedule, now), Some(until.secs_since(now)));
}

#[test]
fn ok_a_failure_counts_though_its_refresh_was_taken_for_lost() {
    let held = entry(domain(1), Mode::Enforce, WEEK, START);
    let mut schedule = following(&held, 0, START);
    let (now, _) = next_due(&mut schedule, START).unwrap();
    let failed = refresh(&held, Answer::NoPolicy, now);
    assert_eq!(schedule.handle_outcome(&failed, 0, now), None);
    assert!(!schedule.is_in_flight(&domain(1)));
    let alert = schedule.handle_outcome(&failed, 0, now);
    assert!(matches!(alert, Some(Alert::RefreshFailing { failures: 2, .. })), "{alert:?}");
}

#[test]
fn ok_failures_are_tried_more_often_towards_the_end() {
    let held = entry(domain(1), Mode::Enforce, WEEK, START);
    let mut schedule = following(&held, 0, START);
    let end = START.plus_secs(WEEK);
    let waits = failing_waits(&mut schedule, &held, START, end);
    let longest = |from: u64, to: u64| {
        let within = |at: UnixTime| (from..to).contains(&end.secs_since(at));
        waits.iter().skip(1).filter(|(at, _, _)| within(*at)).map(|(_, wait, _)| *wait).max()
    };
    assert!(longest(2 * DAY, 6 * DAY) > Some(6 * HOUR));
    assert!(longest(0, 12 * HOUR) < Some(3 * HOUR), "{:?}", longest(0, 12 * HOUR));
    assert!(longest(0, 4 * HOUR) < Some(HOUR + HOUR / 2 + 6));
    assert!(waits.iter().all(|(_, wait, _)| *wait >= 300));
    // Expired, it was no longer tried, and forgotten at last.
    assert!(schedule.is_empty());
}

#[test]
fn ok_alerts_come_from_the_second_failure_on_and_with_the_time_left() {
    let held = entry(domain(1), Mode::Testing, WEEK, START);
    let mut schedule = following(&held, 0, START);
    let end = START.plus_secs(WEEK);
    let waits = failing_waits(&mut schedule, &held, START, end);
    let first_failed = waits[0].0;
    assert_eq!(waits[0].2, None);
    assert!(waits[1].2.is_some());
    let mut alerted = Vec::new();
    for (n, (at, _, alert)) in waits.iter().enumerate() {
        if let Some(alert) = alert {
            let Alert::RefreshFailing { domain: of, problem, failures, since, expires_in } = alert
            else {
                panic!("{alert}")
            };
            assert_eq!((of, *problem, *since), (&domain(1), "policy-fetch", first_failed));
            assert_eq!(*failures as usize, n + 1);
            assert_eq!(*expires_in, end.since(*at));
            alerted.push(*at);
        }
    }
    // About daily, and at a half, a quarter, an eighth of its life.
    assert!((7..=11).contains(&alerted.len()), "{alerted:?}");
    for part in [2, 4, 8] {
        let stage = end.minus_secs(WEEK / part);
        let soon = stage.plus_secs(9 * HOUR);
        assert!(alerted.iter().any(|at| (stage..=soon).contains(at)), "{part}");
    }
}

#[test]
fn ok_a_refresh_that_succeeds_ends_the_row() {
    let held = entry(domain(1), Mode::Enforce, WEEK, START);
    let mut schedule = following(&held, 0, START);
    let mut now = START;
    let mut held = held;
    let policy = text(Mode::Enforce, WEEK);
    for answer in [Answer::NoPolicy, Answer::Policy(&policy), Answer::NoPolicy, Answer::Silence] {
        now = next_due(&mut schedule, now).unwrap().0;
        let outcome = refresh(&held, answer, now);
        let alert = schedule.handle_outcome(&outcome, 0, now);
        // One failure, a success, and then only the second in a row is told.
        assert_eq!(alert.is_some(), matches!(answer, Answer::Silence), "{alert:?}");
        held = outcome.into_entry();
    }
    // So does what a delivery fetches meanwhile.
    let fetched = entry(domain(1), Mode::Enforce, WEEK, now.plus_secs(MINUTE));
    now = now.plus_secs(MINUTE);
    schedule.handle_entry(&fetched, 0, now);
    assert_eq!(wait(&mut schedule, now), Some(12 * HOUR));
    now = now.plus_secs(12 * HOUR);
    let outcome = refresh(&fetched, Answer::NoPolicy, now);
    assert_eq!(schedule.handle_outcome(&outcome, 0, now), None);
}

#[test]
fn ok_silence_and_absence_in_dns_alone_are_no_failure() {
    // RFC 8461 §10.2: "regardless of the state of the _mta-sts TXT record".
    let held = entry(domain(1), Mode::Enforce, WEEK, START);
    let now = START.plus_secs(13 * HOUR);
    let lookup = Lookup::new(domain(1), Held::Entry(held.clone())).recheck(Recheck::Refresh);
    let https = HttpsAnswer::policy(&text(Mode::Enforce, WEEK));
    let outcome = run(lookup, &TxtAnswer::Absent(60), &https, true, now).outcome;
    assert!(outcome.problem().is_some());

    let mut schedule = following(&held, 0, START);
    for _ in 0..3 {
        assert_eq!(schedule.handle_outcome(&outcome, 0, now), None);
    }
    assert_eq!(wait(&mut schedule, now), Some(12 * HOUR));
}

#[test]
fn ok_a_policy_that_gets_weaker_is_told() {
    let held = entry(domain(1), Mode::Enforce, WEEK, START);
    let now = START.plus_secs(13 * HOUR);
    for (mode, max_age, is_told) in [
        (Mode::Enforce, WEEK, false),
        (Mode::Enforce, 2 * WEEK, false),
        (Mode::Testing, WEEK, true),
        (Mode::None, WEEK, true),
        (Mode::Enforce, WEEK - 1, true),
        (Mode::Enforce, 0, true),
    ] {
        let mut schedule = following(&held, 0, START);
        let outcome = refresh(&held, Answer::Policy(&text(mode, max_age)), now);
        let alert = schedule.handle_outcome(&outcome, 0, now);
        let expected = is_told
            .then(|| Alert::PolicyWeaker { domain: domain(1), change: outcome.change().unwrap() });
        assert_eq!(alert, expected, "{mode} {max_age}");
        assert_eq!(schedule.contains(&domain(1)), max_age != 0);
    }
}
