//! A fleet of senders, and an attacker who controls DNS and the network.
//!
//! One to four senders look up one domain. Each has its own clock, and they share one store or have
//! one each. A sender runs several lookups at once, and their replies come in any order, up to the
//! limits' 80 seconds later. Stores fail at a read or at a write, lose lazy writes and drop old
//! entries. Senders crash between any two steps. Drivers drop lookups and attempts, judge attempts on
//! the wrong delivery and ask a gate late. The owner publishes, changes, weakens and withdraws. The
//! attacker forges and drops DNS, drops, cuts and delays HTTPS, and has no valid certificate.
//!
//! The senders are the real machine, the real delivery and the real gate. An observer judges them.
//! The observer knows the true time, each response with its time, and the facts that reached each
//! entry. It never asks the implementation. A clock is *right* if it is within 60 seconds of the true time.
//! *The tolerance* is 120 seconds, because two right clocks may differ by so much.
//!
//! # Properties
//! 1. A sender whose store has taken an unexpired policy applies that policy or a later one, and
//!    never none. An unreadable store never yields `Absent`.
//! 2. No policy is applied longer than `max_age` and the tolerance after its fetch. A store drops no
//!    policy before 30 days of grace are over. Wrong clocks: see [`clocks`].
//! 3. A policy whose fetch was handed out earlier never displaces one that was handed out later by
//!    more than the tolerance, in whatever order replies and writes come. A confirmation from memory
//!    is of an id that DNS named.
//! 4. Under `enforce` no mail goes to a host that the policy does not name, or without verified TLS.
//! 5. A mail may bounce only if DNS was asked after this refusal, answered, and announced nothing
//!    unread; and if the stored policy is the one that refused it. One conclusion gives one token at
//!    most, and none 300 seconds after the question. Attempts that are dropped, or judged on another
//!    delivery, never open the gate.
//! 6. Fetches keep to the budget (4 at once, then one in 300 seconds) as often as lookups overlap,
//!    and to the back-off of 300 seconds for one id. Both hold as far as the entry was told. An
//!    unreadable store that brings notes is told by the notes. A clock that is set back yields no
//!    fresh burst.
//! 7. No entry is pinned. Whatever clocks did, once they are right, and a lookup has read the entry,
//!    the tolerance and 20 minutes later a lookup with truthful answers stores and applies the
//!    policy that the owner then publishes. An hour later no failure holds back any id.
//! 8. The order of merging never matters: all entries that were written give one entry.
//!
//! While a clock is wrong, or once one was, properties 1 to 3 are weaker in random traces: an
//! applied policy was fetched and verified at some time. [`clocks`] has the strict form for one
//! clock that was wrong.
//!
//! [`Counts`] tells how often each property was put to the test.
//!
//! # Limits
//! Tests of [`clocks`] that begin with `limit_` show what no stamp can tell: a fetch by a clock that
//! is behind is old for right clocks, and two clocks that are behind by unlike times age a policy by
//! their difference (property 2).
//!
//! ```
//! use mta_sts_testkit::fleet::{Flaw, search};
//!
//! assert!(search(Flaw::None, 0, 200).is_ok());
//! let found = search(Flaw::ForgetsWhenAbsent, 0, 20_000).unwrap_err();
//! println!("{found}");
//! ```

mod clock;
pub mod clocks;
mod node;
mod observer;
mod op;
mod random;
pub mod rates;
pub mod smallest;

use std::fmt;

use arbitrary::{Arbitrary, Unstructured};
use mta_sts::{Entry, Held, Status, UnixTime, Urgency};

use clock::Clock;
pub use clock::{SKEW, Setting};
pub use node::Flaw;
use node::{Node, Progress, Sent, announced};
use observer::{Known, Observer, Publication, named};
pub use op::{Care, Dns, Https, Op, Read, Reply, Setup, Smtp, Which, Write};
use random::Random;

use crate::model::{Mode, Recheck};
use crate::pair::domain;

/// A host of the attacker's.
const FOREIGN: &str = "mx.evil.example";
/// The hosts that a mail may be sent to: two of the owner's, the attacker's, and an address.
const HOSTS: [&str; 4] = ["mx1.example.com", "mx2.example.com", FOREIGN, "192.0.2.1"];
/// The patterns that the owner may name.
const PATTERNS: [&[&str]; 3] =
    [&["mx1.example.com"], &["mx1.example.com", "mx2.example.com"], &["*.example.com"]];
const START: u64 = 1_800_000_000;
/// The operations of a random trace.
const OPS: usize = 80;

/// A broken property, and the operations that lead there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The trace, by its seed.
    pub seed: u64,
    /// The broken property.
    pub broken: String,
    /// The fleet.
    pub setup: Setup,
    /// The operations, as few as possible.
    pub ops: Vec<Op>,
}

/// A list of numbered steps, and the property that they break.
impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "     {}", self.setup)?;
        for (number, op) in self.ops.iter().enumerate() {
            writeln!(f, "{:>3}. {op}", number + 1)?;
        }
        write!(f, "     Broken: {}", self.broken)
    }
}

/// The number of times that each thing happened in a number of traces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Traces.
    pub traces: u64,
    /// Traces in which a clock was wrong.
    pub wild_traces: u64,
    /// Lookups that ended.
    pub lookups: u64,
    /// Policies fetched and verified.
    pub fetched: u64,
    /// Property 1: lookups that had to apply a policy.
    pub must_apply: u64,
    /// Property 1: lookups whose store stayed unreadable.
    pub unreadable: u64,
    /// Properties 1 to 3 in their weak form.
    pub wild: u64,
    /// Property 2: entries that a store dropped.
    pub purged: u64,
    /// Property 3: writes that met a later fetch in the store.
    pub overtaken: u64,
    /// Property 3: confirmations from memory.
    pub confirmed_from_memory: u64,
    /// Property 4: mails delivered.
    pub delivered: u64,
    /// Property 4: mails delivered under an enforced policy.
    pub delivered_enforced: u64,
    /// Property 5: mails refused by policy.
    pub refused: u64,
    /// Property 5: tokens given.
    pub permitted: u64,
    /// Property 5: gates that gave none.
    pub denied: u64,
    /// Property 5: gates that were asked more than 300 seconds after the question.
    pub denied_late: u64,
    /// Property 5: conclusions with attempts that were dropped or misjudged.
    pub unjudged: u64,
    /// Property 6: windows with a spent budget.
    pub budget_checked: u64,
    /// Property 6: the same by a lookup whose store was unreadable, and that brought notes.
    pub notes_checked: u64,
    /// Property 6: fetches for an id that failed before.
    pub back_off_checked: u64,
    /// Property 7: fleets whose clocks were set right, and that stored the owner's policy.
    pub live: u64,
    /// Property 8: orders of merging.
    pub merges: u64,
}

impl Counts {
    /// Adds up.
    pub fn add(&mut self, other: &Self) {
        let Self { traces, wild_traces, lookups, fetched, must_apply, unreadable, wild, .. } =
            other;
        self.traces += traces;
        self.wild_traces += wild_traces;
        self.lookups += lookups;
        self.fetched += fetched;
        self.must_apply += must_apply;
        self.unreadable += unreadable;
        self.wild += wild;
        self.purged += other.purged;
        self.overtaken += other.overtaken;
        self.confirmed_from_memory += other.confirmed_from_memory;
        self.delivered += other.delivered;
        self.delivered_enforced += other.delivered_enforced;
        self.refused += other.refused;
        self.permitted += other.permitted;
        self.denied += other.denied;
        self.denied_late += other.denied_late;
        self.unjudged += other.unjudged;
        self.budget_checked += other.budget_checked;
        self.notes_checked += other.notes_checked;
        self.back_off_checked += other.back_off_checked;
        self.live += other.live;
        self.merges += other.merges;
    }

    /// Each property with the number of its tests. None of them may be 0.
    pub const fn by_property(&self) -> [(&'static str, u64); 15] {
        [
            ("1: a policy must apply", self.must_apply),
            ("1: the store is unreadable", self.unreadable),
            ("2: an entry is dropped", self.purged),
            ("3: a write meets a later fetch", self.overtaken),
            ("3: a policy is confirmed from memory", self.confirmed_from_memory),
            ("4: a delivery under enforce", self.delivered_enforced),
            ("5: a token", self.permitted),
            ("5: no token", self.denied),
            ("5: asked late", self.denied_late),
            ("5: attempts without a verdict", self.unjudged),
            ("6: a spent budget", self.budget_checked),
            ("6: a budget by notes", self.notes_checked),
            ("6: an id that failed", self.back_off_checked),
            ("7: clocks set right", self.live),
            ("8: orders of merging", self.merges),
        ]
    }
}

/// Runs random traces, from this seed on, with senders that have this flaw.
///
/// # Errors
/// The first trace that breaks a property, shrunk.
///
/// # Panics
/// Never: a trace has bytes enough.
pub fn search(flaw: Flaw, seed: u64, traces: u64) -> Result<Counts, Box<Found>> {
    let mut counts = Counts::default();
    let mut bytes = [0; 1_400];
    for seed in seed..seed.saturating_add(traces) {
        Random::new(seed).fill(&mut bytes);
        let mut u = Unstructured::new(&bytes);
        let setup = Setup::arbitrary(&mut u).expect("bytes enough");
        let ops = op::trace(&mut u, OPS);
        match replay(flaw, setup, &ops) {
            Ok(more) => counts.add(&more),
            Err((at, broken)) => {
                let ops = ops[..at.min(ops.len())].to_vec();
                return Err(Box::new(shrunk(flaw, Found { seed, broken, setup, ops })));
            }
        }
    }
    Ok(counts)
}

/// Runs these operations.
///
/// # Errors
/// The number of operations made, and the property that they break.
pub fn replay(flaw: Flaw, setup: Setup, ops: &[Op]) -> Result<Counts, (usize, String)> {
    let mut fleet = Fleet::new(flaw, setup);
    for (number, op) in ops.iter().enumerate() {
        fleet.happen(*op).map_err(|broken| (number + 1, broken))?;
    }
    // A driver's mistake shows in its own trace.
    if flaw == Flaw::None {
        fleet.settle().map_err(|broken| (ops.len(), broken))?;
    }
    let mut counts = fleet.observer.counts;
    counts.traces = 1;
    counts.wild_traces = u64::from(fleet.observer.is_wild);
    Ok(counts)
}

/// The trace without any operation that is not needed.
fn shrunk(flaw: Flaw, mut found: Found) -> Found {
    let mut size = found.ops.len().div_ceil(2).max(1);
    loop {
        let mut at = 0;
        let mut is_smaller = false;
        while at < found.ops.len() {
            let mut fewer = found.ops.clone();
            fewer.drain(at..(at + size).min(found.ops.len()));
            match replay(flaw, found.setup, &fewer) {
                Err((_, still)) => {
                    (found.ops, found.broken, is_smaller) = (fewer, still, true);
                }
                Ok(_) => at += size,
            }
        }
        if size == 1 && !is_smaller {
            return found;
        }
        size = size.div_ceil(2);
    }
}

/// A store, and the facts that reached its entry.
#[derive(Debug, Default)]
struct Storage {
    bytes: Option<Vec<u8>>,
    known: Known,
}

/// The owner, the stores, the senders and the observer.
#[derive(Debug)]
struct Fleet {
    flaw: Flaw,
    setup: Setup,
    /// The true time.
    now: u64,
    published: Option<Publication>,
    publications: u32,
    stores: [Storage; 4],
    nodes: Vec<Node>,
    observer: Observer,
    written: Vec<Entry>,
}

impl Fleet {
    fn new(flaw: Flaw, setup: Setup) -> Self {
        let node = |n: usize| Node::new(Clock::new(setup.skews[n], setup.drifts[n], START), flaw);
        Self {
            flaw,
            setup,
            now: START,
            published: None,
            publications: 0,
            stores: Default::default(),
            nodes: (0..setup.senders.clamp(1, 4)).map(node).collect(),
            observer: Observer::new(setup),
            written: Vec::new(),
        }
    }

    const fn store_of(&self, node: usize) -> usize {
        if self.setup.is_shared { 0 } else { node }
    }

    fn time(&self, node: usize) -> UnixTime {
        self.nodes[node].clock.read(self.now)
    }

    fn stored(&self, store: usize) -> Option<Entry> {
        let bytes = self.stores[store].bytes.as_ref()?;
        Some(Entry::from_bytes(&domain(), bytes).expect("what was written can be read"))
    }

    fn node(&self, who: u8) -> usize {
        usize::from(who) % self.nodes.len()
    }

    /// The number of the lookup, if any is in progress.
    fn slot(&self, node: usize, slot: u8) -> Option<usize> {
        usize::from(slot).checked_rem(self.nodes[node].running.len())
    }

    fn happen(&mut self, op: Op) -> Result<(), String> {
        match op {
            Op::Publish(mode, max_age, patterns) => self.publish(mode, max_age, patterns),
            Op::Withdraw => self.published = None,
            Op::Pass(secs) => return self.pass(secs),
            Op::Clock(who, setting) => {
                let node = self.node(who);
                let before = self.time(node);
                self.nodes[node].clock.set(setting, self.now);
                let is_back = self.time(node) <= before;
                self.observer.is_wild |= setting != Setting::Right;
                self.observer.is_only_back &= is_back;
            }
            Op::Ask(who, recheck, read) => return self.ask(self.node(who), recheck, read, false),
            Op::Gate(who, read) => return self.ask(self.node(who), Recheck::Always, read, true),
            Op::Reply(who, slot, reply) => {
                let node = self.node(who);
                if let Some(slot) = self.slot(node, slot) {
                    return self.reply(node, slot, reply);
                }
            }
            Op::Drop(who, slot) => {
                let node = self.node(who);
                if let Some(slot) = self.slot(node, slot) {
                    self.nodes[node].running.swap_remove(slot);
                }
            }
            Op::Abandon(who, slot) => {
                let node = self.node(who);
                if let Some(slot) = self.slot(node, slot) {
                    return self.give_up(node, slot, false);
                }
            }
            Op::Mail(who, candidates, care) => return self.mail(self.node(who), candidates, care),
            Op::Permit(who, which) => return self.permit(self.node(who), which),
            Op::Crash(who) => {
                let node = self.node(who);
                self.nodes[node].crash();
            }
            Op::Purge(who) => return self.purge(self.node(who)),
        }
        Ok(())
    }

    fn publish(&mut self, mode: Mode, max_age: u64, patterns: u8) {
        let word = match mode {
            Mode::Enforce => "enforce",
            Mode::Testing => "testing",
            Mode::None => "none",
        };
        let patterns = PATTERNS[usize::from(patterns) % PATTERNS.len()];
        let mx = patterns.join("\nmx: ");
        let id = format!("p{}", self.publications);
        // The extension field makes each text one of its own.
        let text = format!(
            "version: STSv1\nmode: {word}\nmx: {mx}\nmax_age: {max_age}\npublication: {id}\n"
        );
        self.publications += 1;
        self.published = Some(Publication { id, mode, max_age, patterns, text });
    }

    /// Time passes. Each driver gives up the lookups whose deadline comes.
    fn pass(&mut self, secs: u64) -> Result<(), String> {
        let target = self.now + secs;
        loop {
            let overdue = self.nodes.iter().enumerate().flat_map(|(node, state)| {
                let waits = |r: &&node::Running| !r.waits_for_store();
                let running = state.running.iter().enumerate();
                running
                    .filter(move |(_, r)| waits(r))
                    .map(move |(slot, r)| (r.deadline, node, slot))
            });
            let Some((at, node, slot)) = overdue.min().filter(|(at, ..)| *at <= target) else {
                self.now = target;
                return Ok(());
            };
            self.now = self.now.max(at);
            self.give_up(node, slot, true)?;
        }
    }

    fn give_up(&mut self, node: usize, slot: usize, is_deadline: bool) -> Result<(), String> {
        let time = self.time(node);
        let running = &mut self.nodes[node].running[slot];
        if running.waits_for_dns() {
            self.observer.answered(&mut running.look, Dns::Silence, None, self.now);
        }
        let progress = running.give_up(is_deadline, time);
        self.advanced(node, slot, progress)
    }

    fn ask(
        &mut self,
        node: usize,
        recheck: Recheck,
        read: Read,
        is_gate: bool,
    ) -> Result<(), String> {
        let refusal = self.nodes[node].refusal().cloned().filter(|_| is_gate);
        let is_full = self.nodes[node].running.len() >= self.setup.overlapping;
        if is_full || (is_gate && refusal.is_none()) {
            return Ok(());
        }
        let store = self.store_of(node);
        let (held, known) = match (read, self.stored(store), &self.nodes[node].notes) {
            (Read::Works, Some(entry), _) => (Held::Entry(entry), self.stores[store].known),
            (Read::Works, None, _) => (Held::Nothing, self.stores[store].known),
            (Read::Notes, _, Some((entry, known))) => {
                (Held::Unreadable { notes: Some(entry.clone()) }, *known)
            }
            _ => (Held::Unreadable { notes: None }, Known::default()),
        };
        let is_near = |other: usize| self.store_of(other) == store;
        let in_progress: usize = (0..self.nodes.len())
            .filter(|n| is_near(*n))
            .map(|n| self.nodes[n].running.len())
            .sum();
        let is_readable = read == Read::Works;
        let in_progress = in_progress as u64 + 1;
        let told = (known, self.stores[store].known);
        let look = self.observer.ask(store, in_progress, told, is_readable, refusal, self.now);
        let slot = self.nodes[node].ask(held, recheck, look, self.now);
        self.advanced(node, slot, Progress::Other)
    }

    fn reply(&mut self, node: usize, slot: usize, reply: Reply) -> Result<(), String> {
        let (time, flaw) = (self.time(node), self.flaw);
        let running = &mut self.nodes[node].running[slot];
        let published = self.published.as_ref();
        let progress = if running.waits_for_dns() {
            let id = announced(reply.dns, published);
            self.observer.answered(&mut running.look, reply.dns, id.as_deref(), self.now);
            running.dns(reply.dns, published, flaw, time)
        } else if running.waits_for_store() {
            self.write(node, slot, reply.write);
            Progress::Other
        } else {
            running.https(reply.https, published, flaw, time)
        };
        self.advanced(node, slot, progress)
    }

    /// After each step of a lookup.
    fn advanced(&mut self, node: usize, slot: usize, progress: Progress) -> Result<(), String> {
        let (now, time, store) = (self.now, self.time(node), self.store_of(node));
        let running = &mut self.nodes[node].running[slot];
        match progress {
            Progress::Fetches => {
                self.observer.begins(&mut running.look, store, now)?;
                running.deadline = now + 60;
                let entry = running.handed_out().map(|fetch| fetch.entry().clone());
                if let Some(entry) = entry.filter(|_| self.setup.writes_ahead) {
                    let known = running.look.known;
                    self.merge(store, entry, known);
                }
            }
            Progress::Fetched(policy) => {
                self.observer.fetched(&mut running.look, policy, now);
            }
            Progress::Other => {}
        }
        let running = &mut self.nodes[node].running[slot];
        if !running.is_done() {
            let applied = running.interim(time);
            return self.observer.interim(&running.look, applied.as_deref(), now);
        }
        let ended = self.nodes[node].end(slot);
        let applied = ended.outcome.policy().map(|held| held.policy().as_str());
        let status = ended.outcome.status();
        if status == Status::Found && applied.is_none() {
            return Err("1: `Found` comes without a policy".to_owned());
        }
        self.observer.ended(&mut ended.look, status, applied)
    }

    fn merge(&mut self, store: usize, entry: Entry, known: Known) -> Entry {
        self.written.push(entry.clone());
        let merged = match self.stored(store) {
            Some(mut stored) if self.flaw != Flaw::Overwrites => {
                stored.merge(entry).expect("one domain");
                stored
            }
            _ => entry,
        };
        let storage = &mut self.stores[store];
        storage.bytes = Some(merged.to_bytes());
        storage.known.join(known);
        merged
    }

    fn write(&mut self, node: usize, slot: usize, write: Write) {
        let store_number = self.store_of(node);
        let running = &mut self.nodes[node].running[slot];
        let Some(mta_sts::Step::Store(store)) = running.step.take() else {
            panic!("it waits for the store")
        };
        let entry = store.entry().clone();
        let known = running.look.known;
        let is_urgent = store.urgency() == Urgency::Durable;
        let is_lost = !is_urgent && (write == Write::Lost || self.flaw == Flaw::NoBackOff);
        let outcome = match write {
            Write::Fails => store.failed(),
            _ if is_lost => store.stored(entry),
            Write::OtherDomain => {
                let neighbour = mta_sts::PolicyDomain::parse("neighbour.example").expect("a name");
                self.merge(store_number, entry, known);
                store.stored(Entry::new(neighbour, UnixTime::from_secs(self.now)))
            }
            Write::Written | Write::Lost => {
                let merged = self.merge(store_number, entry.clone(), known);
                let stored = self.stores[store_number].known;
                let running = &mut self.nodes[node].running[slot];
                self.observer.merged(&mut running.look, stored);
                store.stored(if self.flaw == Flaw::KeepsItsOwnEntry { entry } else { merged })
            }
        };
        self.nodes[node].running[slot].step = Some(outcome.into());
        if self.flaw == Flaw::NoBackOff && is_lost {
            // The observer counts by the entry that a careful driver would have written.
            self.stores[store_number].known.join(known);
        }
    }

    fn mail(
        &mut self,
        node: usize,
        candidates: [Option<(u8, Smtp)>; 2],
        care: Care,
    ) -> Result<(), String> {
        let Some(look) = self.nodes[node].found.as_ref().map(|ended| ended.look.clone()) else {
            return Ok(());
        };
        let is_enforced = self.observer.is_enforced(&look);
        self.observer.counts.unjudged += u64::from(is_enforced && care != Care::Judges);
        match self.nodes[node].mail(candidates, care) {
            Sent::To(host, is_verified) => self.observer.delivered(&look, host, is_verified),
            Sent::Refused(retry) => {
                let refusal = self.observer.refused(&look, self.now);
                self.nodes[node].note_refusal(retry, refusal);
                Ok(())
            }
            Sent::Open { is_objected: true } if is_enforced => {
                Err("5: an enforced policy refused a mail, or could have, and the gate is open"
                    .to_owned())
            }
            Sent::Open { .. } | Sent::Waits => Ok(()),
        }
    }

    fn permit(&mut self, node: usize, which: Which) -> Result<(), String> {
        let now = self.now;
        let by_other = which == Which::Other && self.nodes[node].found.is_some();
        let Some((look, careless, token)) = self.nodes[node].permit(by_other, now) else {
            return Ok(());
        };
        if token.is_none() && !careless {
            self.observer.denied(&look, now);
            return Ok(());
        }
        if by_other {
            return Err("5: a gate takes the outcome of another lookup".to_owned());
        }
        self.observer.permitted(&look, now)
    }

    fn purge(&mut self, node: usize) -> Result<(), String> {
        let (time, store) = (self.time(node), self.store_of(node));
        if !self.stored(store).is_some_and(|entry| entry.is_disposable(time)) {
            return Ok(());
        }
        let storage = std::mem::take(&mut self.stores[store]);
        self.observer.purged(storage.known, self.now)
    }

    /// The end of a trace: properties 7 and 8.
    fn settle(&mut self) -> Result<(), String> {
        self.check_merges()?;
        for node in 0..self.nodes.len() {
            self.nodes[node].running.clear();
            self.nodes[node].clock.set(Setting::Right, self.now);
        }
        // A clock that is set right after it was behind jumps ahead.
        self.observer.is_only_back = false;
        let node = 0;
        // The first lookup meets the stamps of wrong clocks.
        self.truthful(node, Recheck::Always)?;
        self.pass(1_200 + 120)?;
        // An id that no attacker announced beforehand.
        self.publications += 1_000;
        self.publish(Mode::Enforce, 604_800, 2);
        let fresh = self.published.clone().expect("it was published");
        self.truthful(node, Recheck::Always)?;
        self.check_live(node, &fresh)?;
        self.pass(3_600 + 120)?;
        self.truthful(node, Recheck::Refresh)?;
        self.check_live(node, &fresh)?;
        self.observer.counts.live += 1;
        Ok(())
    }

    /// One lookup that gets truthful answers.
    fn truthful(&mut self, node: usize, recheck: Recheck) -> Result<(), String> {
        self.ask(node, recheck, Read::Works, false)?;
        let reply = Reply { dns: Dns::Truth(60), https: Https::Truth, write: Write::Written };
        while !self.nodes[node].running.is_empty() {
            self.reply(node, 0, reply)?;
        }
        Ok(())
    }

    fn check_live(&self, node: usize, published: &Publication) -> Result<(), String> {
        let time = self.time(node);
        let entry = self.stored(self.store_of(node)).expect("a lookup wrote it");
        let stored = entry.policy(time).map(|held| held.policy().as_str());
        let applied = self.nodes[node].found.as_ref().and_then(|ended| ended.outcome.policy());
        let applied = applied.map(|held| held.policy().as_str());
        let current = Some(published.text.as_str());
        if stored != current || applied != current {
            return Err(format!(
                "7: the owner publishes {}, stored is {}, applied is {}",
                named(current),
                named(stored),
                named(applied)
            ));
        }
        if entry.last_used().secs_since(time) > 120 {
            return Err("7: the day of last use is pinned".to_owned());
        }
        Ok(())
    }

    fn check_merges(&mut self) -> Result<(), String> {
        let Some(first) = self.written.first().cloned() else { return Ok(()) };
        let join = |entries: &mut dyn Iterator<Item = &Entry>| {
            let mut joined = first.clone();
            entries.for_each(|entry| joined.merge(entry.clone()).expect("one domain"));
            joined.to_bytes()
        };
        let forwards = join(&mut self.written.iter());
        let backwards = join(&mut self.written.iter().rev());
        let halves = self.written.len() / 2;
        let turned = join(&mut self.written[halves..].iter().chain(&self.written[..halves]));
        self.observer.counts.merges += 3;
        if forwards == backwards && forwards == turned {
            return Ok(());
        }
        Err("8: the order of merging matters".to_owned())
    }
}

/// Runs the operations that the bytes stand for.
///
/// # Panics
/// If a property is broken.
pub fn run(data: &[u8]) {
    let mut u = Unstructured::new(data);
    let Ok(setup) = Setup::arbitrary(&mut u) else { return };
    let ops = op::trace(&mut u, OPS);
    if let Err((_, broken)) = replay(Flaw::None, setup, &ops) {
        panic!("{}", Found { seed: 0, broken, setup, ops });
    }
}
