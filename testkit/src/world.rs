//! A world in which an attacker may do what an attacker can: drop, forge and delay every answer of
//! DNS, forge ids at will, drop and break every exchange over HTTPS, crash senders between any two
//! steps, have the store fail, race two senders on one store, and set the clock. What the attacker
//! has not is a valid certificate of the Policy Host, or of an MX host that the owner names. The
//! owner is honest: it changes, weakens and removes its policy as it likes.
//!
//! The senders are the real machine, the real delivery and the real gate. What must hold is judged
//! by what an outside observer knows: what the owner published, what was fetched under a valid
//! certificate, when, and what of it the store has taken.
//!
//! 1. A sender whose store has taken an unexpired policy applies it, or one that was fetched after
//!    or beside it: never none, never one that was not fetched, never one beyond its time.
//! 2. Under an enforced policy no mail goes to a host that the policy does not name, nor without TLS
//!    that is verified for the host.
//! 3. No mail bounces unless DNS was asked after the refusal, answered, and announced nothing that
//!    had not been read; and the policy that refused it still stands.
//! 4. Fetches keep to the budget (4 at once, then one in 300 s) and to the back-off (300 s for an
//!    id), as far as the sender's memory was not lost on the way.
//! 5. While a lookup goes on, what it offers in the meantime is no less than what is held.
//!
//! ```
//! use mta_sts_testkit::world::{Flaw, search};
//!
//! assert!(search(Flaw::None, 0, 200).is_ok());
//! let found = search(Flaw::ForgetsWhenAbsent, 0, 20_000).unwrap_err();
//! println!("{found}");
//! ```

mod moves;
mod observer;
mod random;
mod sender;
mod truth;

use std::fmt;

use mta_sts::{Entry, Held, UnixTime};

pub use moves::{Dns, Https, Move, Smtp, Write};
use observer::{Observer, Store};
use random::Random;
pub use sender::{Flaw, Who};
use sender::{Sender, Sent, Waits, announced};
use truth::Publication;

use crate::model::Mode;
use crate::pair::domain;

/// A host of the attacker's.
const FOREIGN: &str = "mx.evil.example";
/// The hosts that a mail may be sent to: two of the owner's, the attacker's, and an address.
const HOSTS: [&str; 4] = ["mx1.example.com", "mx2.example.com", FOREIGN, "192.0.2.1"];
/// What the owner may name.
const PATTERNS: [&[&str]; 3] =
    [&["mx1.example.com"], &["mx1.example.com", "mx2.example.com"], &["*.example.com"]];
const START: u64 = 1_800_000_000;
/// How many moves a trace has at most.
const MOVES: usize = 60;

/// What was broken, and the moves that lead there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Which trace it was, by its seed.
    pub seed: u64,
    /// What was broken.
    pub broken: String,
    /// The moves, as few as they can be.
    pub moves: Vec<Move>,
}

/// A list of numbered steps, and what they break.
impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, step) in self.moves.iter().enumerate() {
            writeln!(f, "{:>3}. {step}", number + 1)?;
        }
        write!(f, "     Broken: {}", self.broken)
    }
}

/// What happened in a number of traces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Traces.
    pub traces: u64,
    /// Moves that had an effect.
    pub moves: u64,
    /// Lookups that ended.
    pub lookups: u64,
    /// Lookups that ended while the observer knew of an enforced policy that must be applied.
    pub protected: u64,
    /// Policies fetched and verified.
    pub fetched: u64,
    /// Mails delivered.
    pub delivered: u64,
    /// Mails refused by policy.
    pub refused: u64,
    /// Mails bounced, by the gate's permission.
    pub bounced: u64,
}

impl Counts {
    /// Adds up.
    pub const fn add(&mut self, other: &Self) {
        self.traces += other.traces;
        self.moves += other.moves;
        self.lookups += other.lookups;
        self.protected += other.protected;
        self.fetched += other.fetched;
        self.delivered += other.delivered;
        self.refused += other.refused;
        self.bounced += other.bounced;
    }
}

/// Runs random traces, from this seed on, with senders that have this flaw.
///
/// # Errors
/// The first trace that breaks what must hold, shrunk.
pub fn search(flaw: Flaw, seed: u64, traces: u64) -> Result<Counts, Box<Found>> {
    let mut counts = Counts::default();
    for seed in seed..seed.saturating_add(traces) {
        let mut random = Random::new(seed);
        let mut world = World::new(flaw);
        let mut moves = Vec::new();
        for _ in 0..MOVES {
            let next = moves::any(&mut random, world.waits());
            moves.push(next);
            if let Err(broken) = world.happen(next) {
                let (moves, broken) = shrunk(flaw, moves, broken);
                return Err(Box::new(Found { seed, broken, moves }));
            }
        }
        counts.traces += 1;
        counts.add(&world.counts);
    }
    Ok(counts)
}

/// Runs these moves alone.
///
/// # Errors
/// What they break.
pub fn replay(flaw: Flaw, moves: &[Move]) -> Result<Counts, String> {
    let mut world = World::new(flaw);
    moves.iter().try_for_each(|next| world.happen(*next))?;
    Ok(world.counts)
}

/// The trace without any move that it breaks something without.
fn shrunk(flaw: Flaw, mut moves: Vec<Move>, mut broken: String) -> (Vec<Move>, String) {
    let mut size = moves.len().div_ceil(2);
    loop {
        let mut at = 0;
        let mut is_smaller = false;
        while at < moves.len() {
            let mut fewer = moves.clone();
            fewer.drain(at..(at + size).min(moves.len()));
            match replay(flaw, &fewer) {
                Err(still) => {
                    (moves, broken, is_smaller) = (fewer, still, true);
                }
                Ok(_) => at += size,
            }
        }
        if size == 1 && !is_smaller {
            return (moves, broken);
        }
        size = size.div_ceil(2);
    }
}

/// The owner, the store, the clock, two senders and the observer.
#[derive(Debug)]
struct World {
    flaw: Flaw,
    now: u64,
    published: Option<Publication>,
    publications: u32,
    store: Option<Vec<u8>>,
    senders: [Sender; 2],
    observer: Observer,
    /// The number of the move.
    at: usize,
    counts: Counts,
}

impl World {
    fn new(flaw: Flaw) -> Self {
        Self {
            flaw,
            now: START,
            published: None,
            publications: 0,
            store: None,
            senders: Who::BOTH.map(|_| Sender::new(flaw)),
            observer: Observer::default(),
            at: 0,
            counts: Counts::default(),
        }
    }

    fn waits(&self) -> [Waits; 2] {
        [self.senders[0].waits(), self.senders[1].waits()]
    }

    fn stored(&self) -> Option<Entry> {
        let bytes = self.store.as_ref()?;
        Some(Entry::from_bytes(&domain(), bytes).expect("what was written can be read"))
    }

    fn happen(&mut self, next: Move) -> Result<(), String> {
        self.at += 1;
        self.counts.moves += 1;
        let waits = |who: Who| self.senders[who.index()].waits();
        match next {
            Move::Publish(mode, max_age, patterns) => self.publish(mode, max_age, patterns),
            Move::Withdraw => self.published = None,
            Move::Pass(secs) => self.now += secs,
            Move::SetBack(secs) => {
                self.now = self.now.saturating_sub(secs).max(START / 2);
                self.observer.clock_was_set_back();
            }
            Move::Purge => {
                for who in Who::BOTH {
                    if self.observer.is_overdue(who, self.now) {
                        self.senders[who.index()].crash();
                        self.observer.crashed(who);
                    }
                }
                let now = UnixTime::from_secs(self.now);
                if self.stored().is_some_and(|entry| entry.is_disposable(now)) {
                    self.store = None;
                    self.observer.memory_is_lost();
                    if !self.observer.truth.purged(self.now) {
                        return Err("the store drops a policy that may yet be applied".to_owned());
                    }
                }
            }
            Move::Crash(who) => {
                self.senders[who.index()].crash();
                self.observer.crashed(who);
            }
            Move::Begin(who, recheck, readable) => {
                if matches!(waits(who), Waits::Idle | Waits::Mail) {
                    self.begin(who, recheck, readable);
                    return self.look_at(who);
                }
            }
            Move::Dns(who, answer) if waits(who) == Waits::Dns => {
                let id = announced(answer, self.published.as_ref());
                self.senders[who.index()].dns(answer, self.published.as_ref(), self.now);
                self.observer.dns_answered(who, answer, id, self.now);
                return self.look_at(who);
            }
            Move::Https(who, answer) if waits(who) == Waits::Https => {
                let sender = &mut self.senders[who.index()];
                let is_whole = sender.https(answer, self.published.as_ref(), self.now);
                let policy = self.published.clone().filter(|_| is_whole);
                self.counts.fetched += u64::from(policy.is_some());
                self.observer.fetched(who, policy, self.now);
                return self.look_at(who);
            }
            Move::Write(who, write) if waits(who) == Waits::Store => {
                self.write(who, write);
                return self.look_at(who);
            }
            Move::Mail(who, candidates) if waits(who) == Waits::Mail => {
                return self.mail(who, candidates);
            }
            Move::Dns(..) | Move::Https(..) | Move::Write(..) | Move::Mail(..) => {
                self.counts.moves -= 1;
            }
        }
        Ok(())
    }

    fn publish(&mut self, mode: Mode, max_age: u64, patterns: usize) {
        let word = match mode {
            Mode::Enforce => "enforce",
            Mode::Testing => "testing",
            Mode::None => "none",
        };
        let patterns = PATTERNS[patterns];
        let mx = patterns.join("\nmx: ");
        let text = format!("version: STSv1\nmode: {word}\nmx: {mx}\nmax_age: {max_age}\n");
        let id = format!("p{}", self.publications);
        self.publications += 1;
        self.published = Some(Publication { id, mode, max_age, patterns, text });
    }

    fn begin(&mut self, who: Who, recheck: crate::model::Recheck, readable: bool) {
        let held = match self.stored() {
            _ if !readable => Held::Unreadable { notes: None },
            Some(entry) => Held::Entry(entry),
            None => Held::Nothing,
        };
        let sender = &mut self.senders[who.index()];
        let store = match &held {
            Held::Entry(_) => Store::Entry,
            Held::Nothing => Store::Empty,
            Held::Unreadable { .. } => Store::Failed,
        };
        self.observer.began(who, self.at, store, sender.is_refused(), self.now);
        sender.begin(held, recheck, self.now);
    }

    fn write(&mut self, who: Who, write: Write) {
        let (before, flaw) = (self.stored(), self.flaw);
        let mut after = None;
        let is_taken = self.senders[who.index()].write(write, |entry| {
            let merged = match before {
                Some(mut stored) if flaw != Flaw::Overwrites => {
                    stored.merge(entry).expect("one domain");
                    stored
                }
                _ => entry,
            };
            after = Some(merged.to_bytes());
            merged
        });
        self.store = after.or_else(|| self.store.take());
        // A sender that forgets on its own account has lost nothing on the way.
        let is_lost = !is_taken && (write != Write::Written);
        self.observer.wrote(who, is_taken, is_lost, self.at);
    }

    /// After each step of a lookup: what it offers meanwhile, or what it has found.
    fn look_at(&mut self, who: Who) -> Result<(), String> {
        let sender = &mut self.senders[who.index()];
        if let Some(finding) = sender.finding(self.observer.was_silent(who), self.now) {
            self.counts.lookups += 1;
            self.counts.bounced += u64::from(finding.may_bounce);
            self.counts.protected += u64::from(self.observer.must_protect(who));
            return self.observer.found(who, &finding);
        }
        if sender.waits() == Waits::Https {
            self.observer.begins_fetch(who, self.now)?;
        }
        self.observer.offered(who, sender.interim(self.now).as_deref(), self.now)
    }

    fn mail(&mut self, who: Who, candidates: [Option<(usize, Smtp)>; 2]) -> Result<(), String> {
        match self.senders[who.index()].mail(candidates) {
            Sent::To(host, is_verified) => {
                self.counts.delivered += 1;
                self.observer.delivered(who, host, is_verified)
            }
            Sent::Refused => {
                self.counts.refused += 1;
                self.observer.refused(who);
                Ok(())
            }
            Sent::Waits => Ok(()),
        }
    }
}
