//! The smallest fleet, explored to its end: two senders, two lookups each, one store.
//!
//! The store holds policy 1, whose fetch is a day old. The owner publishes policy 2 at any time.
//! Sender A runs a lookup that asks DNS and the lookup of a bounce gate: policy 1 refused a mail.
//! Sender B runs a refresh and another lookup that asks DNS. The events are the start of a lookup
//! (which reads the store), the answer of DNS (the old id or the new one), the response of the
//! Policy Host (the old policy, the new one, or for the gate a failure), the write, the publication, and a
//! step of 45 seconds. Every order of them is tried.
//!
//! A lookup's state is a function of the entry that it read and of its replies. So a state of the
//! fleet is plain data, and the machine's own states are built again from it at each event.

use std::collections::{HashMap, HashSet};

use mta_sts::delivery::{Conclusion, Delivery, Mx, Requirements};
use mta_sts::lookup::Gate;
use mta_sts::{
    Entry, FetchFailure, Held, Limits, Lookup, Outcome, Problem, Recheck, Status, Step, UnixTime,
};

use crate::pair::domain;
use crate::script::{HttpsAnswer, TxtAnswer, answer_body, answer_https, answer_txt, policy_text};

const NOW: u64 = 1_800_000_000;
const STEP: u64 = 45;
/// The fetches that the budget still has at the start.
const LEFT: usize = 2;
/// The lookups: their sender, and their rule. The second is the gate's.
const LOOKUPS: [(usize, Recheck); 4] =
    [(0, Recheck::Always), (0, Recheck::Always), (1, Recheck::Refresh), (1, Recheck::Always)];
const GATE: usize = 1;

/// The result of an exploration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Explored {
    /// Distinct states.
    pub states: usize,
    /// Transitions.
    pub transitions: usize,
    /// States in which all lookups have ended.
    pub ends: usize,
    /// An older fetch was written after a newer one, and the newer one stayed.
    pub older_fetch_ends_later: usize,
    /// The outcome of a lookup has a policy that another lookup stored.
    pub merge_keeps_another: usize,
    /// A gate was denied although its own answer named the id of the policy that refused.
    pub gate_denied_by_the_store: usize,
    /// A gate was denied because its own answer named another id.
    pub gate_denied_by_dns: usize,
    /// A gate gave a token.
    pub tokens: usize,
    /// More fetches were made than the budget had, because their lookups overlapped.
    pub budgets_collide: usize,
    /// Fetches whose lookups came one after another, and that kept to the budget.
    pub one_after_another: usize,
    /// A lookup was told by the store that the budget is spent.
    pub budget_spent: usize,
    /// A lookup confirmed the new policy after another had stored it.
    pub new_policy_confirmed: usize,
}

/// The answers that one lookup got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
struct History {
    /// The number of the entry that it read, and the time.
    read: Option<(u32, u8)>,
    /// DNS named the id of this policy, at this time.
    txt: Option<(u8, u8)>,
    /// The policy that was published when the fetch was handed out; `None` if it was held back.
    handed: Option<u8>,
    /// The policy that was served, 0 for a failure, and the time.
    served: Option<(u8, u8)>,
    /// The number of the entry that it wrote. The entry that it read is forgotten then.
    written: Option<u32>,
}

impl History {
    const fn waits_for_fetch(&self) -> bool {
        self.handed.is_some() && self.served.is_none()
    }

    const fn waits_for_store(&self) -> bool {
        self.txt.is_some() && !self.waits_for_fetch() && self.written.is_none()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct State {
    store: u32,
    lookups: [History; 4],
    published: u8,
    /// Steps of time.
    at: u8,
    /// A lookup started while another was in progress.
    is_overlapping: bool,
    /// The fetches of lookups that have ended.
    made: u8,
}

#[derive(Debug, Clone, Copy)]
enum Event {
    Publish,
    Time,
    Start(usize),
    Txt(usize, u8),
    Serve(usize, u8),
    Write(usize),
}

/// The result of a write.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
struct Write {
    store: u32,
    /// The stored policy.
    policy: u8,
    id: u8,
    fetched_at: UnixTime,
    /// The stored policy is not the one that was written.
    is_another: bool,
    /// The stored policy was stored before.
    is_kept: bool,
    is_confirmed: bool,
    is_limited: bool,
    /// The answer of the gate, if the lookup is one.
    token: Option<bool>,
}

/// The entries by number.
#[derive(Debug, Default)]
struct Entries {
    all: Vec<Entry>,
    numbers: HashMap<Vec<u8>, u32>,
}

impl Entries {
    fn number(&mut self, entry: &Entry) -> u32 {
        let next = u32::try_from(self.all.len()).expect("few entries");
        *self.numbers.entry(entry.to_bytes()).or_insert_with(|| {
            self.all.push(entry.clone());
            next
        })
    }

    fn get(&self, number: u32) -> &Entry {
        &self.all[usize::try_from(number).expect("a number of an entry")]
    }
}

fn text(policy: u8) -> String {
    let host = if policy == 1 { "mx.example.com" } else { "mx2.example.com" };
    policy_text("enforce", 604_800).replace("mx.example.com", host)
}

#[derive(Debug)]
struct Explorer {
    /// The seconds by which the clock of sender B is ahead.
    apart: u64,
    entries: Entries,
    /// The outcome that refused a mail.
    refusing: Outcome,
    /// The stored entry by the set of entries that were written.
    joined: HashMap<Vec<u32>, u32>,
    /// The entry that a lookup writes, by its history.
    told: HashMap<(usize, History), Option<u32>>,
    /// The writes, by the lookup, its history, the stored entry and the time.
    writes: HashMap<(usize, History, u32, u8), Write>,
    explored: Explored,
}

/// Explores the fleet whose clocks are so many seconds apart.
///
/// # Panics
/// If a property is broken, with the events that lead there.
pub fn explore(apart: u64) -> Explored {
    let (start, refusing) = initial();
    let mut entries = Entries::default();
    let store = entries.number(&start);
    let mut explorer = Explorer {
        apart,
        entries,
        refusing,
        joined: HashMap::new(),
        told: HashMap::new(),
        writes: HashMap::new(),
        explored: Explored::default(),
    };
    let first = State {
        store,
        lookups: [History::default(); 4],
        published: 1,
        at: 0,
        is_overlapping: false,
        made: 0,
    };
    let mut seen = HashSet::from([first]);
    let mut open = vec![first];
    while let Some(state) = open.pop() {
        explorer.explored.states += 1;
        let events = Explorer::events(&state);
        explorer.explored.ends += usize::from(state.lookups.iter().all(|l| l.written.is_some()));
        for event in events {
            explorer.explored.transitions += 1;
            let next = explorer.happen(state, event);
            if seen.insert(next) {
                open.push(next);
            }
        }
    }
    explorer.explored
}

/// The store at the start, and the outcome by which a mail was refused.
fn initial() -> (Entry, Outcome) {
    let mut held = Held::Nothing;
    let mut outcome = None;
    let failing = (0..4 - LEFT).map(|number| (format!("x{number}"), None, NOW - 1));
    let first = ("1".to_owned(), Some(text(1)), NOW - 86_400);
    for (id, served, at) in std::iter::once(first).chain(failing) {
        let https = match served {
            Some(text) => HttpsAnswer::policy(&text),
            None => HttpsAnswer::Failed(FetchFailure::Timeout),
        };
        let lookup = Lookup::new(domain(), held).recheck(Recheck::Always);
        let now = UnixTime::from_secs(at);
        let run = crate::script::run(lookup, &TxtAnswer::id(&id, 60), &https, true, now);
        held = Held::Entry(run.outcome.entry().clone());
        outcome = Some(run.outcome);
    }
    let refusing = outcome.expect("lookups were made");
    (refusing.entry().clone(), refusing)
}

impl Explorer {
    fn time(&self, lookup: usize, at: u8) -> UnixTime {
        let ahead = if LOOKUPS[lookup].0 == 1 { self.apart } else { 0 };
        UnixTime::from_secs(NOW + u64::from(at) * STEP + ahead)
    }

    fn events(state: &State) -> Vec<Event> {
        let mut events = Vec::new();
        if state.published == 1 {
            events.push(Event::Publish);
        }
        // A driver gives DNS 20 seconds.
        let is_patient = |l: &History| match (l.read, l.txt) {
            (Some((_, at)), None) => at == state.at,
            _ => true,
        };
        if state.at < 1 && state.lookups.iter().all(is_patient) {
            events.push(Event::Time);
        }
        for (number, lookup) in state.lookups.iter().enumerate() {
            if lookup.written.is_some() {
                continue;
            }
            if lookup.read.is_none() {
                events.push(Event::Start(number));
            } else if lookup.txt.is_none() {
                events.extend((1..=state.published).map(|id| Event::Txt(number, id)));
            } else if lookup.waits_for_fetch() {
                // A server sends a policy that is published between the request and the response.
                let from = lookup.handed.unwrap_or(1);
                events.extend((from..=state.published).map(|p| Event::Serve(number, p)));
                if number == GATE {
                    events.push(Event::Serve(number, 0));
                }
            } else if lookup.waits_for_store() {
                events.push(Event::Write(number));
            }
        }
        events
    }

    /// Builds the machine's state of one lookup again.
    fn rebuilt(&self, number: usize, lookup: &History) -> (Step, Option<Gate>) {
        let (entry, at) = lookup.read.expect("it has started");
        let held = Held::Entry(self.entries.get(entry).clone());
        let now = self.time(number, at);
        let (mut step, gate): (Step, _) = if number == GATE {
            let mut delivery = Delivery::new(&self.refusing, Requirements::default());
            let _ = delivery.candidate(&Mx::parse("mx.elsewhere.example"));
            let Conclusion::Retry(retry) = delivery.conclude() else { panic!("it is refused") };
            let (query, gate) = retry.recheck(held, Limits::default(), now);
            (query.into(), Some(gate))
        } else {
            let lookup = Lookup::new(domain(), held).recheck(LOOKUPS[number].1);
            (lookup.start(now).into(), None)
        };
        if let (Some((id, at)), Step::QueryTxt(_)) = (lookup.txt, &step) {
            let Step::QueryTxt(query) = step else { unreachable!("matched above") };
            let answer = TxtAnswer::id(&id.to_string(), 86_400);
            step = answer_txt(query, &answer, self.time(number, at)).into();
        }
        if let Some((policy, at)) = lookup.served {
            let now = self.time(number, at);
            let https = match policy {
                0 => HttpsAnswer::Failed(FetchFailure::Timeout),
                policy => HttpsAnswer::policy(&text(policy)),
            };
            let Step::FetchPolicy(fetch) = step else { panic!("it fetches") };
            step = answer_https(fetch, &https, now).into();
            if let Step::ReadBody(body) = step {
                step = answer_body(body, &https, now).into();
            }
        }
        (step, gate)
    }

    fn happen(&mut self, mut state: State, event: Event) -> State {
        match event {
            Event::Publish => state.published = 2,
            Event::Time => state.at += 1,
            Event::Start(number) => {
                state.is_overlapping |= state.lookups.iter().any(|l| l.read.is_some());
                state.lookups[number].read = Some((state.store, state.at));
            }
            Event::Txt(number, id) => {
                state.lookups[number].txt = Some((id, state.at));
                let is_fetch = self.told(number, &state.lookups[number]).is_none();
                state.lookups[number].handed = Some(state.published).filter(|_| is_fetch);
                self.check_budget(&state);
            }
            Event::Serve(number, policy) => {
                state.lookups[number].served = Some((policy, state.at));
            }
            Event::Write(number) => {
                let lookup = state.lookups[number];
                let key = (number, lookup, state.store, state.at);
                let write = if let Some(write) = self.writes.get(&key) {
                    *write
                } else {
                    let write = self.write(number, &lookup, state.store, state.at);
                    self.writes.insert(key, write);
                    write
                };
                let before = std::mem::replace(&mut state.store, write.store);
                let written = self.told(number, &lookup);
                state.lookups[number] = History { read: None, handed: None, written, ..lookup };
                state.made += u8::from(lookup.handed.is_some());
                self.check(&state, number, before, &write);
            }
        }
        state
    }

    /// The number of the entry that a lookup writes; `None` while it fetches.
    fn told(&mut self, number: usize, lookup: &History) -> Option<u32> {
        let key = (number, *lookup);
        if let Some(told) = self.told.get(&key) {
            return *told;
        }
        let told = match self.rebuilt(number, lookup).0 {
            Step::Store(store) => Some(self.entries.number(store.entry())),
            _ => None,
        };
        self.told.insert(key, told);
        told
    }

    /// Property 6: fetches whose lookups do not overlap share one budget.
    fn check_budget(&mut self, state: &State) {
        let in_progress = state.lookups.iter().filter(|lookup| lookup.handed.is_some()).count();
        let made = in_progress + usize::from(state.made);
        self.explored.budgets_collide += usize::from(made > LEFT);
        if !state.is_overlapping {
            self.explored.one_after_another += 1;
            assert!(made <= LEFT, "6: {made} fetches, one after another: {state:?}");
        }
    }

    /// The write of one lookup, by the machine.
    fn write(&mut self, number: usize, lookup: &History, store: u32, at: u8) -> Write {
        let (step, gate) = self.rebuilt(number, lookup);
        let Step::Store(write) = step else { panic!("it writes") };
        let mut merged = self.entries.get(store).clone();
        let written = write.entry().clone();
        merged.merge(written.clone()).expect("one domain");
        let outcome = write.stored(merged.clone());
        let now = self.time(number, at);

        // Property 1: there is always a policy, and the outcome has the stored one.
        let stored = merged.policy(now).expect("1: a policy is stored");
        let applied = outcome.policy().expect("1: a policy applies");
        assert_eq!(applied.policy(), stored.policy(), "1: another than the stored one applies");
        let policy = (1..=2).find(|policy| text(*policy) == stored.policy().as_str());
        Write {
            store: self.entries.number(&merged),
            policy: policy.expect("1: a policy that was published"),
            id: if stored.id().as_str() == "1" { 1 } else { 2 },
            fetched_at: stored.fetched_at(),
            is_another: written.stored_policy() != Some(stored),
            is_kept: self.entries.get(store).stored_policy() == Some(stored),
            is_confirmed: outcome.status() == Status::Confirmed,
            is_limited: matches!(outcome.problem(), Some(Problem::FetchLimited { .. })),
            token: gate.map(|gate| gate.permit(&outcome, now).is_some()),
        }
    }

    fn check(&mut self, state: &State, number: usize, before: u32, write: &Write) {
        let explored = &mut self.explored;
        let lookup = state.lookups[number];
        let said = lookup.txt.expect("DNS answered").0;
        explored.merge_keeps_another += usize::from(write.is_another);
        explored.budget_spent += usize::from(write.is_limited);

        // Property 5.
        let is_denied = write.token == Some(false);
        explored.gate_denied_by_the_store += usize::from(is_denied && said == 1);
        explored.gate_denied_by_dns += usize::from(is_denied && said != 1);
        if write.token == Some(true) {
            explored.tokens += 1;
            assert_eq!(said, 1, "5: DNS named another id: {state:?}");
            assert_eq!((write.policy, write.id), (1, 1), "5: the store moved on: {state:?}");
        }

        // Property 3: a confirmation is of an id that DNS named.
        if write.is_confirmed {
            let is_named =
                state.lookups.iter().any(|l| l.txt.is_some_and(|(id, _)| id == write.id));
            assert!(is_named, "3: DNS never named the confirmed id: {state:?}");
            explored.new_policy_confirmed += usize::from(write.policy == 2);
        }

        // Property 3: no fetch displaces one that was handed out later.
        let fetched = |l: &History| match (l.served, l.txt) {
            (Some((1.., _)), Some((_, at))) => Some(at),
            _ => None,
        };
        let ended: Vec<(usize, u8)> = state
            .lookups
            .iter()
            .enumerate()
            .filter(|(_, l)| l.written.is_some())
            .filter_map(|(number, l)| Some((number, fetched(l)?)))
            .collect();
        if let Some(latest) = ended.iter().map(|(_, at)| *at).max() {
            let is_stored =
                |(number, at): &&(usize, u8)| self.time(*number, *at) == write.fetched_at;
            let kept = ended.iter().filter(is_stored).map(|(_, at)| *at).max();
            let behind = u64::from(latest - kept.expect("3: the stored policy was fetched")) * STEP;
            assert!(behind <= self.apart, "3: displaced by {behind} s: {state:?}");
            let own = fetched(&lookup);
            let is_older = own.is_some_and(|own| own < latest);
            self.explored.older_fetch_ends_later += usize::from(is_older && write.is_kept);
        }

        // Property 8: the stored entry is a function of the set of written entries.
        let mut set: Vec<u32> = state.lookups.iter().filter_map(|l| l.written).collect();
        set.sort_unstable();
        set.dedup();
        let joined = *self.joined.entry(set).or_insert(state.store);
        assert_eq!(joined, state.store, "8: the order of merging matters: {state:?}, {before}");
    }
}
