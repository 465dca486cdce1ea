//! The schedule of refreshes (RFC 8461 §3.3, §10.2).

use std::collections::BTreeMap;

use arbitrary::{Arbitrary, Result, Unstructured};
use mta_sts::schedule::Schedule;
use mta_sts::{
    Entry, FetchFailure, Held, HeldPolicy, Limits, Lookup, Mode, Outcome, PolicyDomain, Recheck,
    UnixTime,
};

use crate::script::{HttpsAnswer, TxtAnswer, policy_text, run};

const HOUR: u64 = 3_600;
const DAY: u64 = 86_400;
const START: UnixTime = UnixTime::from_secs(1_800_000_000);
const DOMAINS: usize = 6;
const MAX_IN_FLIGHT: usize = 3;
/// At most a quarter of them in the slow lane, and at least one.
const MAX_SLOW: usize = 1;
/// A prompt refresh no longer counts after so long.
const PROMPT: u128 = 15;
/// Any refresh counts as lost after so long.
const LOST: u128 = 15 * 60;
const MAX_AGES: [u64; 7] = [0, 600, HOUR, 6 * HOUR, DAY, 7 * DAY, 365 * DAY];

/// Any order of events on any clock. No more refreshes are under way than may be, in the slow lane
/// and in all. No domain is returned twice or before its time. `poll_timeout` lies in the future
/// once nothing is due. No domain is lost, and after two quiet days each policy was refreshed.
///
/// # Panics
/// Where one of these does not hold.
pub fn schedule(data: &[u8]) {
    let mut u = Unstructured::new(data);
    let mut sender = Sender {
        schedule: Schedule::new().with_max_in_flight(MAX_IN_FLIGHT),
        store: BTreeMap::new(),
        in_flight: BTreeMap::new(),
        forgotten: Vec::new(),
        dropped: BTreeMap::new(),
        now: START,
        passed: 0,
        entropy: u.arbitrary().unwrap_or_default(),
    };
    // Bytes that run out end the course; there is no wrong input.
    while let (false, Ok(event)) = (u.is_empty(), Event::arbitrary(&mut u)) {
        sender.handle(&event);
        sender.check();
    }
    sender.drive_on();
}

#[derive(Debug, Clone)]
enum Event {
    /// A delivery's lookup finds this, and its entry is written.
    Delivery(usize, Reply),
    /// A delivery asks for a domain that is known.
    Use(usize),
    /// The store drops an entry; whether the schedule is told.
    Removed(usize, bool),
    /// All that is due is given out.
    Poll,
    /// One of the refreshes ends; whether the schedule hears of the write before.
    Ended(usize, Reply, bool),
    /// Time passes.
    Pass(u64),
    /// As much time passes as the schedule sleeps.
    Sleep,
    /// The clock is set.
    Set(u64),
}

#[derive(Debug, Clone, Copy)]
enum Reply {
    Policy(Mode, usize),
    NoPolicy,
    Nothing,
    Silence,
}

impl<'a> Arbitrary<'a> for Reply {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(match u.int_in_range(0..=5_u8)? {
            0..=2 => {
                let mode = *u.choose(&[Mode::Enforce, Mode::Testing, Mode::None])?;
                Self::Policy(mode, u.choose_index(MAX_AGES.len())?)
            }
            3 => Self::NoPolicy,
            4 => Self::Nothing,
            _ => Self::Silence,
        })
    }
}

impl<'a> Arbitrary<'a> for Event {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(match u.int_in_range(0..=26_u8)? {
            0..=3 => Self::Delivery(u.choose_index(DOMAINS)?, u.arbitrary()?),
            4 => Self::Use(u.choose_index(DOMAINS)?),
            5 => Self::Removed(u.choose_index(DOMAINS)?, u.arbitrary()?),
            6..=10 => Self::Poll,
            11..=15 => Self::Ended(u.choose_index(DOMAINS)?, u.arbitrary()?, u.arbitrary()?),
            16..=17 => Self::Pass(u.int_in_range(0..=2 * HOUR)?),
            18..=19 => Self::Pass(u.int_in_range(0..=40 * DAY)?),
            20..=23 => Self::Sleep,
            24..=25 => Self::Set(u.int_in_range(0..=3 * START.as_secs())?),
            _ => Self::Set(*u.choose(&[0, u64::MAX])?),
        })
    }
}

fn domain(number: usize) -> PolicyDomain {
    PolicyDomain::parse(&format!("d{number}.example")).expect("a name")
}

/// A refresh that is under way.
struct Refresh {
    /// The entry that it has read.
    read: Option<Entry>,
    /// The time that had passed when it began.
    began: u128,
    /// Its limits are the full ones.
    is_slow: bool,
}

/// A sender with its store.
struct Sender {
    schedule: Schedule,
    store: BTreeMap<PolicyDomain, Entry>,
    in_flight: BTreeMap<PolicyDomain, Refresh>,
    /// Domains that the schedule may have forgotten: the clock was 30 days past their end; or it was
    /// set back, and what came in the place of a policy that was dropped without a word seems older.
    forgotten: Vec<PolicyDomain>,
    /// The latest generation and fetch of the policies that were dropped without a word.
    dropped: BTreeMap<PolicyDomain, (u64, UnixTime)>,
    now: UnixTime,
    /// All the time that passed, steps forward included.
    passed: u128,
    entropy: u64,
}

impl Sender {
    fn entropy(&mut self) -> u64 {
        self.entropy = self.entropy.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        self.entropy ^ self.entropy >> 29
    }

    fn at(&mut self, now: UnixTime) {
        self.passed += u128::from(now.secs_since(self.now));
        self.now = now;
    }

    fn look_up(&self, of: &PolicyDomain, held: Held, how: Recheck, reply: Reply) -> Outcome {
        let (txt, https) = match reply {
            Reply::Policy(mode, age) => {
                let text = policy_text(mode.as_str(), MAX_AGES[age]);
                (TxtAnswer::id("1", 300), HttpsAnswer::policy(&text))
            }
            Reply::NoPolicy => {
                (TxtAnswer::id("1", 300), HttpsAnswer::Failed(FetchFailure::Timeout))
            }
            Reply::Nothing => (TxtAnswer::Absent(300), HttpsAnswer::Failed(FetchFailure::Timeout)),
            Reply::Silence => (TxtAnswer::silence(), HttpsAnswer::Failed(FetchFailure::Timeout)),
        };
        let lookup = Lookup::new(of.clone(), held).recheck(how);
        run(lookup, &txt, &https, true, self.now).outcome
    }

    fn write(&mut self, entry: &Entry) -> Entry {
        let written = self.store.entry(entry.domain().clone()).or_insert_with(|| entry.clone());
        let before = written.generation();
        written.merge(entry.clone()).expect("one domain");
        if written.generation() != before {
            self.forgotten.retain(|forgotten| forgotten != entry.domain());
        }
        let written = written.clone();
        let fetched_at = written.stored_policy().map(HeldPolicy::fetched_at);
        if self.dropped.get(entry.domain()).is_some_and(|(generation, fetched)| {
            written.generation() <= *generation && fetched_at <= Some(*fetched)
        }) {
            self.forgotten.push(entry.domain().clone());
        }
        written
    }

    fn held(entry: Option<Entry>) -> Held {
        entry.map_or(Held::Nothing, Held::Entry)
    }

    fn handle(&mut self, event: &Event) {
        let (entropy, now) = (self.entropy(), self.now);
        match *event {
            Event::Delivery(n, reply) => {
                let of = domain(n);
                let held = Self::held(self.store.get(&of).cloned());
                let outcome = self.look_up(&of, held, Recheck::Always, reply);
                let written = self.write(outcome.entry());
                self.schedule.handle_entry(&written, entropy, now);
            }
            Event::Use(n) => {
                if let Some(entry) = self.store.get_mut(&domain(n)) {
                    entry.touch(now);
                    self.schedule.handle_entry(entry, entropy, now);
                }
            }
            Event::Removed(n, is_told) => {
                let dropped = self.store.remove(&domain(n));
                if is_told {
                    self.schedule.handle_removed(&domain(n));
                } else if let Some(entry) = dropped {
                    let (generation, fetched) = self.dropped.entry(domain(n)).or_default();
                    *generation = entry.generation().max(*generation);
                    let held = entry.stored_policy().map(HeldPolicy::fetched_at);
                    *fetched = (*fetched).max(held.unwrap_or_default());
                }
            }
            Event::Poll => self.poll(),
            Event::Ended(n, reply, is_told) => {
                let Some(of) = self.in_flight.keys().nth(n).cloned() else { return };
                let refresh = self.in_flight.remove(&of).expect("it is there");
                let held = Self::held(refresh.read);
                let outcome = self.look_up(&of, held, Recheck::Refresh, reply);
                let written = self.write(outcome.entry());
                if is_told {
                    self.schedule.handle_entry(&written, entropy, now);
                }
                let alert = self.schedule.handle_outcome(&outcome, entropy, now);
                if let Some(alert) = alert {
                    assert_eq!(alert.domain(), &of);
                }
                assert!(!self.schedule.is_in_flight(&of));
            }
            Event::Pass(secs) => self.at(now.plus_secs(secs)),
            Event::Sleep => {
                if let Some(then) = self.schedule.poll_timeout() {
                    self.at(now.max(then));
                }
            }
            Event::Set(secs) => self.at(UnixTime::from_secs(secs)),
        }
    }

    fn poll(&mut self) {
        let now = self.now;
        while let Some(due) = self.schedule.poll_due(now) {
            let limits = Limits::default();
            let is_slow = due.limits(limits) == limits;
            let due = due.into_domain();
            assert!(self.schedule.is_in_flight(&due));
            let refresh =
                Refresh { read: self.store.get(&due).cloned(), began: self.passed, is_slow };
            // A task that is never heard of again is one whose outcome no event brings in time.
            if let Some(earlier) = self.in_flight.insert(due.clone(), refresh) {
                assert!(self.passed - earlier.began >= LOST, "{due} is in flight");
            }
            let count = |is_slow, longest| {
                let counts = |refresh: &&Refresh| {
                    refresh.is_slow == is_slow && self.passed - refresh.began <= longest
                };
                self.in_flight.values().filter(counts).count()
            };
            let slow = count(true, LOST - 1);
            assert!(slow <= MAX_SLOW, "{slow} are slow");
            assert!(slow + count(false, PROMPT) <= MAX_IN_FLIGHT);
        }
        if let Some(then) = self.schedule.poll_timeout() {
            assert!(then > now, "{then} at {now}");
        } else {
            assert!(self.schedule.is_empty() || now == UnixTime::from_secs(u64::MAX));
        }
    }

    /// Of each unexpired policy that lives long enough the schedule knows.
    fn check(&mut self) {
        let now = self.now;
        for (of, entry) in &self.store {
            let Some(held) = entry.stored_policy() else { continue };
            if now >= held.expires_at(now).plus_secs(30 * DAY) {
                self.forgotten.push(of.clone());
            }
            let lives = u64::from(held.policy().max_age().as_secs()) >= HOUR;
            if lives && !held.is_expired(now) && !self.forgotten.contains(of) {
                assert!(self.schedule.contains(of), "{of} is lost: {:?}", self.schedule);
            }
        }
        // A domain that was removed or cleared meanwhile is followed again as a new one.
        self.in_flight.retain(|of, _| self.schedule.contains(of));
    }

    /// Two quiet days on a good clock: whatever happened before, each policy is refreshed.
    fn drive_on(&mut self) {
        let begin = self.now.min(UnixTime::from_secs(1 << 40));
        self.at(begin);
        let refreshed_before = |held: &Entry| {
            held.policy(begin).is_some_and(|held| {
                u64::from(held.policy().max_age().as_secs()) >= DAY
                    && held.expires_at(begin) > begin.plus_secs(2 * DAY)
            }) && begin.secs_since(held.last_used()) < 28 * DAY
        };
        let wanted = self.store.iter().filter(|(of, held)| {
            self.schedule.contains(of) && !self.forgotten.contains(of) && refreshed_before(held)
        });
        let mut wanted: Vec<_> = wanted.map(|(of, _)| of.clone()).collect();
        let mut wake_ups = 0;
        self.in_flight.clear();
        while self.now < begin.plus_secs(2 * DAY) {
            self.poll();
            wanted.retain(|of| !self.in_flight.contains_key(of));
            while !self.in_flight.is_empty() {
                self.handle(&Event::Ended(0, Reply::Policy(Mode::Enforce, 5), true));
            }
            self.check();
            wake_ups += 1;
            assert!(wake_ups < 2_000, "too busy");
            let Some(then) = self.schedule.poll_timeout() else { break };
            self.at(then);
        }
        assert!(wanted.is_empty(), "never refreshed: {wanted:?}");
    }
}
