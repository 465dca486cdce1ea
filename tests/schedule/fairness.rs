//! Whatever other domains do, a policy of 36 hours or more whose host answers promptly begins its
//! refresh within 26 hours of its fetch.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use mta_sts::schedule::{Alert, Schedule};
use mta_sts::{Held, Limits, Mode, Outcome, PolicyDomain, Recheck, UnixTime};

use crate::world::{
    Answer, DAY, HOUR, Random, START, WEEK, domain, look_up, number, refresh, text,
};

/// Banks answer after a second, and their policies are good for a week.
const BANKS: usize = 200;
const BANK_SECS: u64 = 1;
const LATEST: u64 = 26 * HOUR;
/// The longest that a refresh may take with the default limits, less a second.
const SLOW: u64 = 79;

/// What an attacker's domain does.
#[derive(Debug, Clone, Copy)]
enum Attack {
    /// Each policy lives so long, and its host always takes 79 s.
    Slow(u64),
    /// Each host is as slow as the short timeouts allow, and its policy lives so long.
    BarelyPrompt(u64),
    /// Lives, times and failures at random.
    Mixed,
    /// 79 s with the full timeouts and 11 s with the short ones, or the other way round; a week.
    Flapping,
    /// All of its policies, which no mail used for long, are used again when they have eight hours
    /// left, while the banks fall due.
    Overdue,
    /// It fails just before the short timeout, and once more or succeeds with the full one; 36 h.
    Failing,
}

struct World {
    attack: Attack,
    attackers: usize,
    /// The driver keeps to the limits that the schedule gives.
    keeps_limits: bool,
    bank_max_age: u64,
    /// The banks cannot be reached from then on.
    outage: Option<UnixTime>,
    days: u64,
}

/// What became of the banks.
#[derive(Debug, Default)]
struct Report {
    refreshes: usize,
    oldest: u64,
    least_left: u64,
    expired: usize,
    alerts: usize,
    attackers_refreshes: usize,
}

impl World {
    fn new(attack: Attack, attackers: usize) -> Self {
        let (keeps_limits, bank_max_age, outage, days) = (true, WEEK, None, 3);
        Self { attack, attackers, keeps_limits, bank_max_age, outage, days }
    }

    fn is_bank(n: usize) -> bool {
        n < BANKS
    }

    /// How long the next refresh takes, if it succeeds, and the `max_age` that it finds.
    fn host(&self, n: usize, random: &mut Random, is_prompt: bool) -> (u64, bool, u64) {
        if Self::is_bank(n) {
            return (BANK_SECS, true, self.bank_max_age);
        }
        match self.attack {
            Attack::Slow(max_age) => (SLOW, true, max_age),
            Attack::BarelyPrompt(max_age) => (11, true, max_age),
            Attack::Mixed => {
                let max_age = HOUR << random.below(13);
                (random.below(80), random.below(4) > 0, max_age)
            }
            Attack::Flapping if random.below(2) == 0 => (11, true, WEEK),
            Attack::Flapping => (SLOW, true, WEEK),
            Attack::Overdue => (11, true, WEEK),
            Attack::Failing if is_prompt => (11, false, 36 * HOUR),
            Attack::Failing => (11, random.below(2) == 0, 36 * HOUR),
        }
    }

    fn run(&self) -> Report {
        let mut random = Random::new(31);
        let mut schedule = Schedule::new();
        let names: Vec<_> = (0..BANKS + self.attackers).map(domain).collect();
        let mut texts = Texts::default();
        // The attacker has all of its policies fetched at the same time, which spreads them least.
        let mut fetched = vec![(START, 0); BANKS + self.attackers];
        let mut used_again = match self.attack {
            Attack::Overdue => BANKS..fetched.len(),
            _ => 0..0,
        };
        for n in (0..fetched.len()).filter(|n| !used_again.contains(n)) {
            let (_, _, max_age) = self.host(n, &mut random, true);
            let held = texts.found(&names[n], max_age, START).into_entry();
            fetched[n].1 = max_age;
            schedule.handle_entry(&held, random.next(), START);
        }
        let mut report = Report { least_left: u64::MAX, ..Report::default() };
        let mut in_flight: BinaryHeap<Reverse<(UnixTime, usize, bool, u64)>> = BinaryHeap::new();
        let end = START.plus_secs(self.days * DAY);
        let mut now = START;
        while now < end {
            if now >= START.plus_secs(19 * HOUR) {
                for n in used_again.by_ref() {
                    fetched[n] = (START.plus_secs(27 * HOUR).minus_secs(WEEK), WEEK);
                    let mut held = texts.found(&names[n], WEEK, fetched[n].0).into_entry();
                    held.touch(now);
                    schedule.handle_entry(&held, random.next(), now);
                }
            }
            while let Some(Reverse((_, n, ok, max_age))) =
                in_flight.peek().copied().filter(|Reverse((at, ..))| *at <= now)
            {
                in_flight.pop();
                let outcome = if ok {
                    texts.found(&names[n], max_age, now)
                } else {
                    texts.failed(&names[n], fetched[n], now)
                };
                let alert = schedule.handle_outcome(&outcome, random.next(), now);
                if ok {
                    fetched[n] = (now, max_age);
                }
                if Self::is_bank(n) && matches!(alert, Some(Alert::RefreshFailing { .. })) {
                    report.alerts += 1;
                }
            }
            while let Some(due) = schedule.poll_due(now) {
                let n = number(due.domain());
                let limits = due.limits(Limits::default());
                let is_prompt = limits != Limits::default();
                let (mut takes, mut ok, max_age) = self.host(n, &mut random, is_prompt);
                let longest = (limits.query_timeout() + limits.fetch_timeout()).as_secs();
                if self.keeps_limits && takes > longest {
                    (takes, ok) = (longest, false);
                }
                if Self::is_bank(n) {
                    let age = now.secs_since(fetched[n].0);
                    report.refreshes += 1;
                    report.oldest = report.oldest.max(age);
                    report.least_left =
                        report.least_left.min(self.bank_max_age.saturating_sub(age));
                    ok &= self.outage.is_none_or(|outage| now < outage);
                } else {
                    report.attackers_refreshes += 1;
                }
                in_flight.push(Reverse((now.plus_secs(takes), n, ok, max_age)));
            }
            let ending = in_flight.peek().map(|Reverse((at, ..))| *at);
            let then = schedule.poll_timeout().into_iter().chain(ending).min().unwrap();
            assert!(then > now || ending == Some(now), "{then} at {now}");
            now = then;
        }
        for (fetched, _) in &fetched[..BANKS] {
            let age = end.secs_since(*fetched);
            report.oldest = report.oldest.max(age);
            report.expired += usize::from(age >= self.bank_max_age);
        }
        report
    }

    /// All banks are refreshed in time.
    fn check(&self) {
        let report = self.run();
        println!(
            "{:?} × {}{}: banks of {} h: {} refreshes, oldest {:.2} h; {} of the attackers",
            self.attack,
            self.attackers,
            if self.keeps_limits { "" } else { ", limits ignored" },
            self.bank_max_age / HOUR,
            report.refreshes,
            hours(report.oldest),
            report.attackers_refreshes
        );
        let latest = LATEST.min(self.bank_max_age * 2 / 3 + 3 * HOUR);
        assert!(report.oldest <= latest, "{:?}: {report:?}", self.attack);
        assert_eq!((report.expired, report.alerts), (0, 0));
    }
}

fn hours(secs: u64) -> f64 {
    f64::from(u32::try_from(secs).unwrap()) / 3_600.0
}

/// Each policy is written once.
#[derive(Default)]
struct Texts(HashMap<u64, String>);

impl Texts {
    fn found(&mut self, of: &PolicyDomain, max_age: u64, now: UnixTime) -> Outcome {
        let text = self.0.entry(max_age).or_insert_with(|| text(Mode::Enforce, max_age));
        look_up(of.clone(), Held::Nothing, Recheck::Refresh, Answer::Policy(text), now)
    }

    /// A refresh of the policy that was fetched then, and that fails.
    fn failed(
        &mut self,
        of: &PolicyDomain,
        (fetched, max_age): (UnixTime, u64),
        now: UnixTime,
    ) -> Outcome {
        refresh(&self.found(of, max_age, fetched).into_entry(), Answer::NoPolicy, now)
    }
}

#[test]
fn banks_are_refreshed_in_time_whatever_slow_attackers_do() {
    for attack in [Attack::Slow(HOUR), Attack::Slow(WEEK), Attack::Mixed, Attack::Flapping] {
        World::new(attack, 100_000).check();
    }
}

#[test]
fn banks_are_refreshed_in_time_whatever_attackers_of_their_own_lane_do() {
    for attack in [Attack::BarelyPrompt(36 * HOUR), Attack::Failing, Attack::Overdue] {
        World::new(attack, 100_000).check();
    }
}

#[test]
fn banks_are_refreshed_in_time_whatever_short_lived_attackers_do() {
    World { days: 2, ..World::new(Attack::BarelyPrompt(HOUR), 100_000) }.check();
}

#[test]
fn banks_are_refreshed_in_time_whatever_fewer_attackers_do() {
    for attackers in [2_000, 10_000] {
        for attack in [Attack::Slow(HOUR), Attack::Slow(WEEK), Attack::Mixed, Attack::Flapping] {
            World::new(attack, attackers).check();
        }
    }
}

#[test]
fn banks_are_refreshed_in_time_by_a_driver_that_ignores_the_limits() {
    for (attack, attackers, days) in [
        (Attack::Slow(HOUR), 10_000, 2),
        (Attack::Slow(WEEK), 100_000, 3),
        (Attack::Mixed, 10_000, 3),
    ] {
        World { keeps_limits: false, days, ..World::new(attack, attackers) }.check();
    }
}

/// Policies of a day are not guaranteed. But those of an hour cannot stop them.
#[test]
fn policies_of_a_day_are_refreshed_in_time_whatever_policies_of_an_hour_do() {
    for attack in [Attack::Slow(HOUR), Attack::BarelyPrompt(HOUR)] {
        World { bank_max_age: DAY, days: 2, ..World::new(attack, 20_000) }.check();
    }
}

/// Attackers whose policies live for an hour and whose hosts take 79 s, in growing numbers. A schedule
/// in order of expiry refreshed the banks 200 times beside 2,000 of them, in their last half hour.
#[test]
fn slow_domains_do_not_starve_the_others() {
    println!("attackers | banks' refreshes in 9 days | oldest | least life left | attackers'");
    for attackers in [0, 1_000, 2_000, 4_000, 10_000] {
        // An attacker is on the path to the banks for the last hour of their lives.
        let outage = Some(START.plus_secs(WEEK - HOUR));
        let report = World { days: 9, ..World::new(Attack::Slow(HOUR), attackers) }.run();
        println!(
            "{attackers:>6} | {:>5} | {:.1} h | {:.1} h | {}",
            report.refreshes,
            hours(report.oldest),
            hours(report.least_left),
            report.attackers_refreshes
        );
        assert!(report.refreshes > 2_200, "{report:?}");
        assert!(report.oldest <= LATEST, "{report:?}");
        let cut = World { days: 7, outage, ..World::new(Attack::Slow(HOUR), attackers) }.run();
        assert_eq!(cut.expired, 0, "{cut:?}");
        assert!(cut.least_left > 5 * DAY, "{cut:?}");
    }
}
