//! Two weeks of a hundred thousand domains, event by event, on the real discovery machine.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use mta_sts::schedule::{Alert, Schedule};
use mta_sts::{Entry, Limits, Mode, UnixTime};

use crate::world::{
    Answer, DAY, HOUR, MINUTE, Random, START, domain, entry, number, poll, refresh, text,
};

const DAYS: u64 = 14;
/// Refreshes take up to so many seconds…
const PROMPT: u64 = 12;
/// … or with a slow host between the two.
const SLOWEST: u64 = 79;
const SEED: u64 = 20_260_101;

/// A domain's policy, as its host publishes it.
#[derive(Debug, Clone, Copy)]
struct Host {
    max_age: u64,
    /// `false` if it is down for good.
    is_up: bool,
    is_slow: bool,
}

/// Most policies of the wild are good for a day or for weeks.
fn host(n: usize) -> Host {
    let max_age = match n % 100 {
        0..20 => DAY,
        20..70 => 7 * DAY,
        70..90 => 30 * DAY,
        90..98 => 365 * DAY,
        _ => 12 * HOUR,
    };
    Host { max_age, is_up: n % 50 != 7, is_slow: n % 50 == 3 }
}

struct Log {
    per_minute: Vec<u32>,
    fetched_at: Vec<UnixTime>,
    longest_interval: u64,
    /// Of how long after the fetch a regular refresh of a long life came, in hours.
    hours: [u32; 24],
    refreshes: u64,
    wake_ups: u64,
    /// For each domain.
    alerts: Vec<u32>,
}

#[test]
fn ok_two_weeks_of_a_hundred_thousand_domains() {
    weeks_of(100_000);
}

fn weeks_of(count: usize) {
    let mut random = Random::new(SEED);
    let texts = [DAY, 7 * DAY, 30 * DAY, 365 * DAY, 12 * HOUR];
    let texts = texts.map(|max_age| (max_age, text(Mode::Enforce, max_age)));
    let text_of = |max_age| &texts.iter().find(|(age, _)| *age == max_age).unwrap().1;

    // A sender is restarted: the last fetches lie up to three days back, as far as they live.
    let mut schedule = Schedule::new();
    let mut entries: Vec<Entry> = Vec::with_capacity(count);
    for n in 0..count {
        let max_age = host(n).max_age;
        let age = random.below((3 * DAY).min(max_age / 2));
        let held = entry(domain(n), Mode::Enforce, max_age, START.minus_secs(age));
        schedule.handle_entry(&held, random.next(), START);
        entries.push(held);
    }
    assert_eq!(schedule.len(), count);

    let end = START.plus_secs(DAYS * DAY);
    let mut log = Log {
        per_minute: vec![0; usize::try_from(DAYS * DAY / MINUTE).unwrap()],
        fetched_at: entries.iter().map(|e| e.stored_policy().unwrap().fetched_at()).collect(),
        longest_interval: 0,
        hours: [0; 24],
        refreshes: 0,
        wake_ups: 0,
        alerts: vec![0; count],
    };
    let mut in_flight: BinaryHeap<Reverse<(UnixTime, usize, bool)>> = BinaryHeap::new();
    let mut now = START;
    while now < end {
        log.wake_ups += 1;
        while let Some(Reverse((at, n, ok))) = in_flight.peek().copied().filter(|f| f.0.0 <= now) {
            assert_eq!(at, now);
            in_flight.pop();
            let answer =
                if ok { Answer::Policy(text_of(host(n).max_age)) } else { Answer::NoPolicy };
            let alert = end_refresh(&mut schedule, &mut entries[n], answer, &mut random, now);
            if let Some(alert) = alert {
                assert!(!host(n).is_up, "{alert}");
                log.alerts[n] += 1;
            }
            if ok {
                log.fetched_at[n] = now;
            }
        }
        while let Some(due) = schedule.poll_due(now) {
            let n = number(due.domain());
            log.begun(n, now);
            let Host { is_up, is_slow, .. } = host(n);
            let takes = if is_slow {
                PROMPT + 1 + random.below(SLOWEST - PROMPT)
            } else {
                random.below(PROMPT)
            };
            let limits = due.limits(Limits::default());
            let longest = (limits.query_timeout() + limits.fetch_timeout()).as_secs();
            let ends = now.plus_secs(takes.min(longest));
            in_flight.push(Reverse((ends, n, is_up && takes <= longest)));
            if in_flight.peek().is_some_and(|Reverse((at, ..))| *at <= now) {
                break;
            }
        }
        let ending = in_flight.peek().map(|Reverse((at, ..))| *at);
        let then = schedule.poll_timeout().into_iter().chain(ending).min().unwrap();
        assert!(then > now || ending == Some(now));
        now = then;
    }
    judge(&log, &entries, &schedule, end);
}

impl Log {
    fn begun(&mut self, n: usize, now: UnixTime) {
        self.refreshes += 1;
        self.per_minute[usize::try_from(now.secs_since(START) / MINUTE).unwrap()] += 1;
        let Host { max_age, is_up, is_slow } = host(n);
        let interval = now.secs_since(self.fetched_at[n]);
        if is_up {
            assert!(interval < max_age, "{n} has expired");
            if self.fetched_at[n] >= START {
                self.longest_interval = self.longest_interval.max(interval);
                if max_age >= 2 * DAY && !is_slow {
                    self.hours[usize::try_from(interval / HOUR).unwrap()] += 1;
                }
            }
        }
    }
}

fn end_refresh(
    schedule: &mut Schedule,
    held: &mut Entry,
    answer: Answer<'_>,
    random: &mut Random,
    now: UnixTime,
) -> Option<Alert> {
    // A delivery uses each policy daily.
    held.touch(now);
    let outcome = refresh(held, answer, now);
    let alert = schedule.handle_outcome(&outcome, random.next(), now);
    *held = outcome.into_entry();
    alert
}

fn mean_of(counts: &[u32]) -> f64 {
    f64::from(counts.iter().sum::<u32>()) / f64::from(u32::try_from(counts.len()).unwrap())
}

fn judge(log: &Log, entries: &[Entry], schedule: &Schedule, end: UnixTime) {
    // RFC 8461 §3.3, §10.2: once a day, and never so late that it expires.
    assert!(log.longest_interval < DAY, "{}", log.longest_interval);
    for (n, held) in entries.iter().enumerate() {
        let Host { max_age, is_up, .. } = host(n);
        assert!(schedule.contains(held.domain()));
        if is_up {
            let age = end.secs_since(held.policy(end).unwrap().fetched_at());
            assert!(age < DAY.min(max_age), "{n}: {age}");
        } else {
            // It cannot be refreshed. Alerts came long before, and more than one.
            assert!(held.policy(end).is_none(), "{n}");
            assert!(log.alerts[n] >= 2, "{n}: {}", log.alerts[n]);
        }
    }

    let first_day = usize::try_from(DAY / MINUTE).unwrap();
    let most_of_first_day = log.per_minute[..first_day].iter().max().unwrap();
    let later = &log.per_minute[first_day..];
    let mean = mean_of(later);
    let (least, most) = (later.iter().min().unwrap(), later.iter().max().unwrap());
    println!(
        "a minute: mean {mean:.1}, least {least}, most {most}, most of the first day \
         {most_of_first_day}; longest interval {} s; {} refreshes, {} wake-ups, {} alerts; by hour: {:?}",
        log.longest_interval,
        log.refreshes,
        log.wake_ups,
        log.alerts.iter().sum::<u32>(),
        log.hours
    );
    assert!(f64::from(*most) <= 2.0 * mean, "{most} of {mean}");
    assert!(f64::from(*most_of_first_day) <= 2.5 * mean, "{most_of_first_day} of {mean}");
    // No more wake-ups than there is work: one for each beginning, one for each end.
    assert!(log.wake_ups < 3 * log.refreshes);

    // Each hour of the window is as likely as the others.
    let window = &log.hours[12..23];
    let even = mean_of(window);
    for (hour, count) in window.iter().enumerate() {
        let share = f64::from(*count) / even;
        assert!((0.95..=1.05).contains(&share), "{hour}: {share}");
    }
    assert!(log.hours[..12].iter().all(|count| *count == 0));
    assert!(f64::from(log.hours[23]) < 0.02 * even);
}

/// A refresh tells nothing of the next: whatever the last intervals were, each part of the window
/// is as likely as before.
#[test]
fn ok_the_times_of_a_domain_cannot_be_told_from_its_earlier_times() {
    const PARTS: usize = 4;
    const TIMES: u32 = 16_000;
    let mut random = Random::new(SEED);
    let policy = text(Mode::Enforce, 7 * DAY);
    let mut held = entry(domain(1), Mode::Enforce, 7 * DAY, START);
    let mut schedule = Schedule::new();
    schedule.handle_entry(&held, random.next(), START);
    let (mut now, mut last) = (START, START);
    let mut before = 0;
    let mut counts = [[0_u32; PARTS]; PARTS];
    for _ in 0..TIMES {
        while poll(&mut schedule, now).is_none() {
            now = schedule.poll_timeout().unwrap();
        }
        let interval = now.secs_since(last);
        assert!((12 * HOUR..=23 * HOUR).contains(&interval), "{interval}");
        let part =
            usize::try_from((interval - 12 * HOUR) * PARTS as u64 / (11 * HOUR + 1)).unwrap();
        counts[before][part] += 1;
        (before, last) = (part, now);
        held.touch(now);
        let outcome = refresh(&held, Answer::Policy(&policy), now);
        schedule.handle_outcome(&outcome, random.next(), now);
        held = outcome.into_entry();
    }
    // A thousand each; five times its deviation of 31 is allowed.
    for (before, row) in counts.iter().enumerate() {
        for (part, count) in row.iter().enumerate() {
            assert!((845..=1_155).contains(count), "{part} after {before}: {count}");
        }
    }
}
