//! Entries and outcomes as the discovery machine makes them.

use mta_sts::schedule::{Due, Schedule};
use mta_sts::{Entry, FetchFailure, Held, Lookup, Mode, Outcome, PolicyDomain, Recheck, UnixTime};
use mta_sts_testkit::script::{HttpsAnswer, TxtAnswer, run};

pub(crate) const MINUTE: u64 = 60;
pub(crate) const HOUR: u64 = 3_600;
pub(crate) const DAY: u64 = 86_400;
pub(crate) const WEEK: u64 = 7 * DAY;
pub(crate) const START: UnixTime = UnixTime::from_secs(1_800_000_000);

/// xorshift64*: repeatable, and good enough to stand in for the caller's randomness.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(2).wrapping_add(1))
    }

    pub(crate) const fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(crate) const fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 16) % end
    }
}

pub(crate) fn domain(number: usize) -> PolicyDomain {
    PolicyDomain::parse(&format!("d{number}.example")).unwrap()
}

pub(crate) fn number(domain: &PolicyDomain) -> usize {
    domain.as_str().strip_prefix('d').unwrap().strip_suffix(".example").unwrap().parse().unwrap()
}

pub(crate) fn text(mode: Mode, max_age: u64) -> String {
    format!("version: STSv1\nmode: {mode}\nmx: mx.example\nmax_age: {max_age}\n")
}

/// What the world answers.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Answer<'a> {
    /// This policy.
    Policy(&'a str),
    /// A record, and no policy.
    NoPolicy,
    /// Neither a record nor a policy.
    Nothing,
    /// Silence.
    Silence,
}

pub(crate) fn look_up(
    domain: PolicyDomain,
    held: Held,
    recheck: Recheck,
    answer: Answer<'_>,
    now: UnixTime,
) -> Outcome {
    let failing = || HttpsAnswer::Failed(FetchFailure::Timeout);
    let (txt, https) = match answer {
        Answer::Policy(text) => (TxtAnswer::id("1", 300), HttpsAnswer::policy(text)),
        Answer::NoPolicy => (TxtAnswer::id("1", 300), failing()),
        Answer::Nothing => (TxtAnswer::Absent(300), failing()),
        Answer::Silence => (TxtAnswer::silence(), failing()),
    };
    run(Lookup::new(domain, held).recheck(recheck), &txt, &https, true, now).outcome
}

/// A refresh of what is held.
pub(crate) fn refresh(entry: &Entry, answer: Answer<'_>, now: UnixTime) -> Outcome {
    let held = Held::Entry(entry.clone());
    look_up(entry.domain().clone(), held, Recheck::Refresh, answer, now)
}

/// An entry as a delivery's first lookup makes it.
pub(crate) fn entry(domain: PolicyDomain, mode: Mode, max_age: u64, fetched_at: UnixTime) -> Entry {
    let text = text(mode, max_age);
    let answer = Answer::Policy(&text);
    look_up(domain, Held::Nothing, Recheck::WhenDue, answer, fetched_at).into_entry()
}

/// The next domain that is due.
pub(crate) fn poll(schedule: &mut Schedule, now: UnixTime) -> Option<PolicyDomain> {
    schedule.poll_due(now).map(Due::into_domain)
}

/// Sleeps from time-out to time-out until something is due.
pub(crate) fn next_due(
    schedule: &mut Schedule,
    mut now: UnixTime,
) -> Option<(UnixTime, PolicyDomain)> {
    for _ in 0..10_000 {
        if let Some(domain) = poll(schedule, now) {
            return Some((now, domain));
        }
        let then = schedule.poll_timeout()?;
        assert!(then > now, "busy loop: {then} at {now}");
        now = then;
    }
    panic!("nothing is due in 10,000 wake-ups")
}

/// How long after `now` the first domain is due.
pub(crate) fn wait(schedule: &mut Schedule, now: UnixTime) -> Option<u64> {
    next_due(schedule, now).map(|(then, _)| then.secs_since(now))
}

/// A schedule that follows this entry.
pub(crate) fn following(entry: &Entry, entropy: u64, now: UnixTime) -> Schedule {
    let mut schedule = Schedule::new();
    schedule.handle_entry(entry, entropy, now);
    schedule
}

/// What a refresh finds, whatever was held.
pub(crate) fn found(due: &PolicyDomain, max_age: u64, now: UnixTime) -> Outcome {
    let text = text(Mode::Enforce, max_age);
    look_up(due.clone(), Held::Nothing, Recheck::Refresh, Answer::Policy(&text), now)
}
