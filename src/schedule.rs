//! When to refresh which policy (RFC 8461 §3.3, §10.2).
//!
//! A [`Schedule`] follows each domain whose policy is held, millions of them, and says which to
//! refresh now; it does no I/O and owns neither clock nor randomness. Its owner tells it of each
//! entry that is written ([`handle_entry`](Schedule::handle_entry)) or dropped
//! ([`handle_removed`](Schedule::handle_removed)), begins a refresh
//! ([`Recheck::Refresh`](crate::Recheck::Refresh)) for each domain that
//! [`poll_due`](Schedule::poll_due) gives, and hands the outcome back
//! ([`handle_outcome`](Schedule::handle_outcome)). When `poll_due` gives nothing more, it sleeps
//! until [`poll_timeout`](Schedule::poll_timeout) or until there is something to tell.
//!
//! ```
//! # use mta_sts::{Entry, Held, Lookup, Outcome, PolicyDomain, PolicyHostVerified, Recheck, Step};
//! # use mta_sts::{UnixTime, lookup::Head};
//! # fn run(domain: PolicyDomain, held: Held, now: UnixTime) -> Outcome {
//! #     let mut step = Lookup::new(domain).held(held).recheck(Recheck::Refresh).start(now);
//! #     loop {
//! #         step = match step {
//! #             Step::QueryTxt(query) => query.answered([[b"v=STSv1; id=1"]], 300, now),
//! #             Step::FetchPolicy(fetch) => {
//! #                 let verified = PolicyHostVerified::assertion(fetch.host());
//! #                 let head = Head { status: 200, content_type: None, content_encoding: None };
//! #                 fetch.responded(verified, head, now)
//! #             }
//! #             Step::ReadBody(mut body) => {
//! #                 let _ = body.chunk(b"version: STSv1\nmode: enforce\nmax_age: 604800\nmx: a.b\n");
//! #                 body.ended(now)
//! #             }
//! #             Step::Store(store) => store.stored(),
//! #             Step::Done(outcome) => return outcome,
//! #         };
//! #     }
//! # }
//! # fn entropy() -> u64 { 0x9e37_79b9_7f4a_7c15 }
//! use mta_sts::schedule::Schedule;
//!
//! # let mut now = UnixTime::from_secs(1_800_000_000);
//! # let domain = PolicyDomain::parse("example.com")?;
//! # let mut store = std::collections::BTreeMap::new();
//! # store.insert(domain.clone(), run(domain, Held::Nothing, now).into_entry());
//! let mut schedule = Schedule::new().with_max_in_flight(32);
//! for entry in store.values() {
//!     schedule.handle_entry(entry, entropy(), now);
//! }
//!
//! let mut refreshed = 0;
//! let end = now.plus_secs(3 * 86_400);
//! while now < end {
//!     while let Some(domain) = schedule.poll_due(now) {
//!         let held = store.get(&domain).map_or(Held::Nothing, |e| Held::Entry(e.clone()));
//!         // `run` drives `Lookup::new(domain).held(held).recheck(Recheck::Refresh)`; a real
//!         // driver does so in a task of its own, and goes on here.
//!         let outcome = run(domain, held, now);
//!         if let Some(alert) = schedule.handle_outcome(&outcome, entropy(), now) {
//!             eprintln!("{alert}");
//!         }
//!         store.insert(outcome.domain().clone(), outcome.into_entry());
//!         refreshed += 1;
//!     }
//!     // Sleep until then, or until there is something to tell; `None`: only the latter.
//!     let Some(then) = schedule.poll_timeout() else { break };
//!     assert!(then > now);
//!     now = then;
//! }
//! assert!((3..=6).contains(&refreshed));
//! # Ok::<(), mta_sts::NameError>(())
//! ```
//!
//! # When
//! - **Daily.** A policy is refreshed 12 to 23 hours after its fetch; one whose `max_age` is under
//!   36 hours after a third to two thirds of it. One whose `max_age` is under an hour expires in
//!   peace. Mode `none` is refreshed alike: that is how its end is learnt.
//! - **Unpredictably** (RFC 8461 §10.2: who can tell when a refresh comes can foil it). Each time is
//!   drawn anew from a number that the caller gives, and from nothing else.
//! - **Evenly.** What is overdue when it is first seen, as after a long stop, is spread over 12
//!   hours, or over half of the time that the policy has left. Where much falls due together all the
//!   same, as after a clock was set forward, it goes out at 7/4 of the mean rate of all refreshes
//!   (at least one in 5 s; at most 4 s' worth and one at once), the policies that expire first before
//!   the others, faster only where one would not live to see its turn.
//! - **Again after a failure**: after 5 minutes, doubling up to 6 hours, and up to half as much
//!   again at random; less, at least 5 minutes, where under 8 times that is left; never while the
//!   lookup would hold the fetch back.
//! - **Only what is used**: a policy that no delivery asked for in 180 days is left to expire, until
//!   one does.
//!
//! A clock that is set back, by more than a minute, makes no wait longer than it was. A clock that
//! ran ahead loses nothing: policies are followed for 30 days after they expired, and refreshed
//! should they turn out not to be.
//!
//! # Bounds
//! A call costs O(log n) of the n domains followed, a microsecond or two for a million; `poll_due`
//! looks at no more than 4,096 of those that have come due since. Now and then a call that is told
//! of a domain also makes the index of names larger, or moves the names together, which takes some
//! 0.1 s for a million. A domain takes about 60 octets and its name; the place of one that is no
//! longer followed is kept for another. Of names there are at most 4 GiB, those of 200 million
//! domains: whoever is told of beyond that is not followed. What is in memory only, as the number
//! of failures, starts anew after a restart.

mod alert;
mod chunks;
mod clock;
mod domains;
mod lists;
mod names;
mod pace;
mod plan;
mod queues;
mod slot;

use alloc::collections::BTreeMap;
use core::fmt;
use core::time::Duration;

use crate::entry::Entry;
use crate::lookup::{Outcome, PolicyChange, Problem, Status};
use crate::name::PolicyDomain;
use crate::policy::Mode;
use crate::time::UnixTime;
use alert::Failing;
use clock::Clock;
use domains::{Domains, Id};
use pace::Pace;
use queues::Queues;
use slot::{Heard, Place, Slot, rank};

pub use alert::Alert;

/// Whom to refresh, and when. See the [module](self) for the rules and how to drive it.
///
/// Where several processes share a store, each may keep a schedule: what one has fetched the others
/// learn by `handle_entry`, or by the outcome of one refresh too many.
pub struct Schedule {
    clock: Clock,
    pace: Pace,
    max_in_flight: usize,
    domains: Domains,
    queues: Queues,
    /// Of those whose last refreshes failed.
    failing: BTreeMap<Id, Failing>,
}

/// Follows nobody; at most 64 refreshes at once.
impl Default for Schedule {
    fn default() -> Self {
        Self {
            clock: Clock::default(),
            pace: Pace::default(),
            max_in_flight: 64,
            domains: Domains::default(),
            queues: Queues::default(),
            failing: BTreeMap::new(),
        }
    }
}

/// Only counts: there are millions of domains, and their times are nobody's business.
impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Schedule")
            .field("len", &self.len())
            .field("ready", &self.ready())
            .field("in_flight", &self.in_flight())
            .field("parked", &self.parked())
            .finish_non_exhaustive()
    }
}

impl Schedule {
    /// How many domains one call of [`poll_due`](Self::poll_due) looks at.
    const LOOKED_AT: usize = 4_096;

    /// A schedule that follows nobody; at most 64 refreshes at once.
    pub fn new() -> Self {
        Self::default()
    }

    /// With at most so many refreshes under way at once, and at least one.
    #[must_use]
    pub fn with_max_in_flight(self, most: usize) -> Self {
        Self { max_in_flight: most.max(1), ..self }
    }

    /// How many domains are followed.
    pub fn len(&self) -> usize {
        self.domains.len()
    }

    /// Whether no domain is followed.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the domain is followed.
    pub fn contains(&self, domain: &PolicyDomain) -> bool {
        self.domains.find(domain).is_some()
    }

    /// Whether the domain was given by [`poll_due`](Self::poll_due), and neither has its outcome
    /// come nor have 15 minutes passed.
    pub fn is_in_flight(&self, domain: &PolicyDomain) -> bool {
        let slot = self.domains.find(domain).and_then(|id| self.domains.slot(id));
        slot.is_some_and(|slot| slot.place == Place::InFlight)
    }

    /// How many refreshes are under way.
    pub fn in_flight(&self) -> usize {
        self.queues.in_flight()
    }

    /// How many domains wait for their turn though they are due: a backlog.
    pub fn ready(&self) -> usize {
        self.queues.ready()
    }

    /// How many domains are followed and not refreshed: their policies have expired, or were not
    /// used for 180 days.
    pub fn parked(&self) -> usize {
        self.queues.parked()
    }

    /// An entry was read at the start, or written: it is new, its policy has changed, or it was
    /// used ([`Entry::touch`] was news). Also for what a delivery's lookup wrote, and for what
    /// another process is known to have written. An entry older than what is known is no harm.
    ///
    /// `entropy` is a number that nobody can foretell, drawn anew for each call.
    pub fn handle_entry(&mut self, entry: &Entry, entropy: u64, now: UnixTime) {
        self.clock.advance(now);
        self.follow(entry, entropy);
    }

    /// An entry was dropped from the store.
    pub fn handle_removed(&mut self, domain: &PolicyDomain) {
        if let Some(id) = self.domains.find(domain) {
            self.forget(id);
        }
    }

    /// The next domain to refresh, if one is due and may be begun now. It is not given again until
    /// its outcome has come, or for 15 minutes: a refresh that takes longer is taken for lost.
    pub fn poll_due(&mut self, now: UnixTime) -> Option<PolicyDomain> {
        self.clock.advance(now);
        let now = self.clock.now();
        let mut looks = Self::LOOKED_AT;
        while let Some((tick, id)) = self.queues.first_waiting() {
            if tick > self.clock.ticks() || looks == 0 {
                break;
            }
            self.look_at(id);
            looks = looks.saturating_sub(1);
        }
        while let Some((expires, id)) = self.queues.first_ready() {
            if expires > now.as_secs() {
                if self.queues.in_flight() >= self.max_in_flight
                    || !self.pace.allows(self.rate(expires), self.clock.ticks())
                {
                    return None;
                }
                self.pace.take();
                return self.begin(id);
            }
            if looks == 0 {
                break;
            }
            self.look_at(id);
            looks = looks.saturating_sub(1);
        }
        None
    }

    /// When to call [`poll_due`](Self::poll_due) again, though nothing happens in between: at least
    /// a second after the latest time that the schedule was told. `None` where nobody is followed.
    pub fn poll_timeout(&self) -> Option<UnixTime> {
        let waiting = self.queues.first_waiting().map(|(tick, _)| self.clock.until(tick));
        let is_full = self.queues.in_flight() >= self.max_in_flight;
        let ready = self.queues.first_ready().filter(|_| !is_full);
        let ready = ready.map(|(expires, _)| self.pace.wait(self.rate(expires)));
        let wait = waiting.into_iter().chain(ready).min()?;
        let now = self.clock.now();
        Some(now.plus_secs(wait.max(1))).filter(|then| *then > now)
    }

    /// A refresh has ended; what somebody should be told, if anything.
    ///
    /// It is for outcomes of [`Recheck::Refresh`](crate::Recheck::Refresh) only: what a delivery's
    /// lookup wrote goes to [`handle_entry`](Self::handle_entry).
    ///
    /// `entropy` is a number that nobody can foretell, drawn anew for each call.
    pub fn handle_outcome(
        &mut self,
        outcome: &Outcome,
        entropy: u64,
        now: UnixTime,
    ) -> Option<Alert> {
        self.clock.advance(now);
        let weaker = outcome.change().filter(PolicyChange::is_weaker);
        let failing = self.settle(outcome, entropy);
        failing.or_else(|| {
            let change = weaker?;
            Some(Alert::PolicyWeaker { domain: outcome.domain().clone(), change })
        })
    }

    fn rate(&self, expires: u64) -> u64 {
        let left = expires.saturating_sub(self.clock.now().as_secs());
        let ready = u64::try_from(self.queues.ready()).unwrap_or(u64::MAX);
        pace::rate(self.queues.weight(), ready, left)
    }

    fn forget(&mut self, id: Id) {
        if let Some(slot) = self.domains.remove(id) {
            self.queues.unlink(id, &slot);
            self.failing.remove(&id);
        }
    }

    /// Its refresh begins.
    fn begin(&mut self, id: Id) -> Option<PolicyDomain> {
        let lost = self.clock.after(plan::FLIGHT);
        let slot = self.domains.slot_mut(id)?;
        self.queues.unlink(id, slot);
        self.queues.wait(id, slot, Place::InFlight, lost);
        self.domains.domain(id)
    }

    /// Its tick has come, or it has expired while it was ready.
    fn look_at(&mut self, id: Id) {
        let now = self.clock.now();
        let Some(slot) = self.domains.slot_mut(id) else { return };
        if slot.is_over(now) {
            return self.forget(id);
        }
        self.queues.unlink(id, slot);
        if slot.is_idle(now) {
            self.queues.wait(id, slot, Place::Parked, self.clock.after(plan::PARKED));
        } else {
            self.queues.make_ready(id, slot);
        }
    }

    /// The entry is what the store holds, unless a later one is known.
    fn follow(&mut self, entry: &Entry, entropy: u64) {
        let (clock, now) = (self.clock, self.clock.now());
        let new = Slot::of(entry, now);
        let Some(id) = self.domains.find(entry.domain()) else {
            let put = new.and_then(|new| self.domains.insert(entry.domain(), new, entropy));
            if let Some((id, slot)) = put {
                plan(&mut self.queues, clock, id, slot, entropy);
            }
            return;
        };
        let Some(slot) = self.domains.slot_mut(id) else { return };
        let (read, known) = (rank(entry), slot.rank());
        if read <= known && !new.as_ref().is_some_and(|new| slot.is_before(new)) {
            slot.touch(entry);
            if slot.place == Place::InFlight && read < known && new.is_some() {
                slot.heard = slot.heard.max(Heard::Older);
            }
            if slot.place == Place::Parked && !slot.is_idle(now) {
                self.queues.unlink(id, slot);
                plan(&mut self.queues, clock, id, slot, entropy);
            }
            return;
        }
        let Some(new) = new else { return self.forget(id) };
        self.queues.unlink(id, slot);
        slot.take_policy(&new);
        recover(&mut self.failing, id, slot);
        if slot.place == Place::InFlight {
            slot.heard = Heard::Newer;
            let lost = slot.tick;
            self.queues.wait(id, slot, Place::InFlight, lost);
        } else {
            plan(&mut self.queues, clock, id, slot, entropy);
        }
    }

    /// Plans the next refresh of a domain whose refresh has ended with this.
    fn settle(&mut self, outcome: &Outcome, entropy: u64) -> Option<Alert> {
        let (entry, status) = (outcome.entry(), outcome.status());
        let (domain, clock, now) = (entry.domain(), self.clock, self.clock.now());
        let Some(id) = self.domains.find(domain) else {
            self.follow(entry, entropy);
            return None;
        };
        let slot = self.domains.slot_mut(id)?;
        let heard = core::mem::take(&mut slot.heard);
        let (read, known) = (rank(entry), slot.rank());
        let new = Slot::of(entry, now).filter(|new| read > known || slot.is_before(new));
        let is_older = read < known && new.is_none();
        if is_older && slot.place != Place::InFlight {
            // A refresh that was taken for lost, and has read what has been replaced since.
            return None;
        }
        // The store no longer has what is known here.
        let is_lost = is_older && status == Status::Absent && heard != Heard::Newer;
        if is_lost && heard == Heard::Older {
            // It lost it, and has one again that a clock set back has made the older: whatever is
            // heard of next is news.
            slot.generation = 0;
        } else if is_lost || (read > known && new.is_none()) {
            self.forget(id);
            return None;
        }
        self.queues.unlink(id, slot);
        if let Some(new) = new {
            slot.take_policy(&new);
            recover(&mut self.failing, id, slot);
        }
        slot.touch(entry);
        let is_fresh = heard == Heard::Newer || matches!(status, Status::Found | Status::Confirmed);
        if is_fresh || slot.is_idle(now) {
            recover(&mut self.failing, id, slot);
            plan(&mut self.queues, clock, id, slot, entropy);
            return None;
        }
        if slot.mode == Mode::None {
            // RFC 8461 §10.2: no alert, "to allow clean MTA-STS removal"; it is asked for again as
            // though it had been fetched.
            let wait = plan::regular(slot.life(), 0, slot.left(now), entropy);
            self.queues.wait(id, slot, Place::Waiting, clock.after(wait));
            return None;
        }
        let (left, life) = (slot.left(now), slot.life());
        slot.is_failing = true;
        let failing = self.failing.entry(id).or_insert_with(|| Failing::new(now));
        let is_news = failing.count(left, life, now);
        let (failures, since) = (failing.failures, failing.since);
        let wait = plan::after_failure(failures, left, held_back(outcome, now), entropy);
        self.queues.wait(id, slot, Place::Waiting, clock.after(wait));
        is_news.then(|| Alert::RefreshFailing {
            domain: domain.clone(),
            problem: outcome.problem().map_or("unknown", Problem::code),
            failures,
            since,
            expires_in: Duration::from_secs(left),
        })
    }
}

/// Puts the domain where it waits for its regular refresh, or is parked.
fn plan(queues: &mut Queues, clock: Clock, id: Id, slot: &mut Slot, entropy: u64) {
    if slot.is_idle(clock.now()) {
        queues.wait(id, slot, Place::Parked, clock.after(plan::PARKED));
    } else {
        let wait = slot.regular_wait(clock.now(), entropy);
        queues.wait(id, slot, Place::Waiting, clock.after(wait));
    }
}

/// Its failures in a row are over.
fn recover(failing: &mut BTreeMap<Id, Failing>, id: Id, slot: &mut Slot) {
    if core::mem::take(&mut slot.is_failing) {
        failing.remove(&id);
    }
}

/// For how many seconds the next lookup would hold the fetch back.
fn held_back(outcome: &Outcome, now: UnixTime) -> u64 {
    // The limit of fetches alone never holds one back for longer than the first wait.
    outcome.entry().backing_off(now).map(|(_, until)| until.secs_since(now)).max().unwrap_or(0)
}
