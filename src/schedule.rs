//! When to refresh which policy (RFC 8461 §3.3, §10.2).
//!
//! A [`Schedule`] follows each domain whose policy is held, millions of them, and says which to
//! refresh now. It does no I/O and owns neither clock nor randomness. Its driver
//! 1. reports each entry that is written ([`handle_entry`](Schedule::handle_entry)) or dropped
//!    ([`handle_removed`](Schedule::handle_removed));
//! 2. begins a refresh ([`Recheck::Refresh`](crate::Recheck::Refresh)) for each domain that
//!    [`poll_due`](Schedule::poll_due) returns, with the limits that [`Due::limits`] returns;
//! 3. reports the outcome ([`handle_outcome`](Schedule::handle_outcome));
//! 4. sleeps, when `poll_due` returns nothing more, until
//!    [`poll_timeout`](Schedule::poll_timeout) or the next report.
//!
//! ```
//! # use mta_sts::{Held, Lookup, Outcome, PolicyDomain, PolicyHostVerified, Recheck, Step};
//! # use mta_sts::{Limits, UnixTime, lookup::Head};
//! # fn run(domain: PolicyDomain, held: Held, limits: Limits, now: UnixTime) -> Outcome {
//! #     let lookup = Lookup::new(domain, held).limits(limits).recheck(Recheck::Refresh);
//! #     let mut step = Step::from(lookup.start(now));
//! #     loop {
//! #         step = match step {
//! #             Step::QueryTxt(query) => query.answered([[b"v=STSv1; id=1"]], 300, now).into(),
//! #             Step::FetchPolicy(fetch) => {
//! #                 let verified = PolicyHostVerified::assertion(fetch.host());
//! #                 let head = Head { status: 200, content_type: None, content_encoding: None };
//! #                 fetch.responded(verified, head, now).into()
//! #             }
//! #             Step::ReadBody(mut body) => {
//! #                 let _ = body.chunk(b"version: STSv1\nmode: enforce\nmax_age: 604800\nmx: a.b\n");
//! #                 body.ended(now).into()
//! #             }
//! #             Step::Store(store) => {
//! #                 let merged = store.entry().clone();
//! #                 store.stored(merged).into()
//! #             }
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
//! # let limits = Limits::default();
//! # store.insert(domain.clone(), run(domain, Held::Nothing, limits, now).into_entry());
//! let mut schedule = Schedule::new().with_max_in_flight(32);
//! for entry in store.values() {
//!     schedule.handle_entry(entry, entropy(), now);
//! }
//!
//! let mut refreshed = 0;
//! let end = now.plus_secs(3 * 86_400);
//! while now < end {
//!     while let Some(due) = schedule.poll_due(now) {
//!         let held = store.get(due.domain()).map_or(Held::Nothing, |e| Held::Entry(e.clone()));
//!         let limits = due.limits(Limits::default());
//!         // `run` drives a `Lookup` with `Recheck::Refresh` and these limits. A real driver does
//!         // so in a task of its own, and goes on here.
//!         let outcome = run(due.into_domain(), held, limits, now);
//!         if let Some(alert) = schedule.handle_outcome(&outcome, entropy(), now) {
//!             eprintln!("{alert}");
//!         }
//!         store.insert(outcome.domain().clone(), outcome.into_entry());
//!         refreshed += 1;
//!     }
//!     // Sleep until then, or until the next report. `None`: until the next report.
//!     let Some(then) = schedule.poll_timeout() else { break };
//!     assert!(then > now);
//!     now = then;
//! }
//! assert!((3..=6).contains(&refreshed));
//! # Ok::<(), mta_sts::NameError>(())
//! ```
//!
//! # When
//! - **Daily.** A policy is refreshed 12 to 23 hours after its fetch. If its `max_age` is under 36
//!   hours, it is refreshed after a third to two thirds of it. If its `max_age` is under an hour, it
//!   expires unrefreshed. Mode `none` is refreshed alike, because only a refresh learns its end.
//! - **Unpredictably**, because an attacker who can tell when a refresh comes can foil it (RFC 8461
//!   §10.2). Each time is drawn from the numbers that the caller gives, and from nothing else.
//! - **Evenly.** What is overdue, as after a long stop or a clock set forward, is spread over 12
//!   hours, or over half of the time that the policy has left. Each lane begins at most 7/4 of the
//!   mean rate of its refreshes: one in 5 s at least, and 4 s' worth and one at once.
//! - **Again after a failure**: after 5 minutes, doubling up to 6 hours, and up to half as much
//!   again at random. If under 8 times that is left, the wait is less, but at least 5 minutes. It
//!   is never shorter than the lookup would hold the fetch back.
//! - **Only while it is used**: a policy is no longer refreshed if its last day of use ended more
//!   than 30 days ago ([`with_unused_after`](Schedule::with_unused_after)), or more than 30 times
//!   its `max_age`. It is kept until it expires, and a delivery that uses it has it refreshed again.
//!
//! A clock that is set back, by more than a minute, makes no wait longer than it was. A clock that
//! ran ahead loses nothing, because policies are followed for 30 days after they expired.
//!
//! # Fairness
//! Whatever 100,000 other domains do, a policy of 36 hours or more whose host answers promptly
//! begins its refresh within 26 hours of its fetch, with the default of 64 concurrent refreshes.
//! Promptly means that DNS answers within 4 seconds and the host within 8. The number of domains
//! grows in proportion to the concurrent refreshes, of which there must be at least 8. For this each
//! refresh is in one of three lanes:
//!
//! | lane | policies | of 64 concurrent refreshes |
//! |---|---|---|
//! | regular | of 36 hours or more | at least 40 |
//! | short | of less than 36 hours | 8 before the regular lane, and what that leaves |
//! | slow | whose last refresh failed, or took longer than 15 seconds | at most 16 |
//!
//! - In the regular and the short lane the timeouts are short ([`Due::limits`]). A refresh that has
//!   not ended after 15 seconds no longer counts in its lane, but in the slow one.
//! - A domain in the slow lane has the full timeouts. It is also tried in its own lane once in 12 to
//!   23 hours (or in a third to two thirds of a short life), so that slow domains cannot stop the
//!   refreshes of a host that failed once.
//! - Within a lane, the domain that fell due first goes first. One whose policy lives shorter than
//!   36 hours comes later by the difference, so that short lives cannot stop longer ones. One that
//!   is overdue, as after a long stop, comes 12 hours later.
//! - Each lane has a pace of its own.
//!
//! The slow and the short lane are bounded and not guaranteed: enough slow domains can delay a retry
//! by a day, and enough policies of a day can stop the refresh of others of a day.
//!
//! # What one mail costs
//! A mail to a new domain has its policy fetched, and refreshed for as long as it counts as used.
//! With the defaults that is at most
//!
//! | `max_age` | refreshed for | fetches, all of which succeed |
//! |---|---|---|
//! | 1 hour | 54 hours | 163 |
//! | 1 day | 31 days | 94 |
//! | 1 week, 1 year | 31 days | 63 |
//!
//! A host that fails on purpose is tried more often, above all before its policy expires: about
//! 1,100 times at most, with a `max_age` of a day. Nearly all of these tries are in the slow lane.
//!
//! # Several processes
//! Several processes that share a store may each keep a schedule. Two of them refresh each policy
//! twice as often as one. If each reports to its schedule what the other has written
//! (`handle_entry`), they refresh it an eighth more often than one.
//!
//! # Bounds
//! A call costs O(log n) of the n domains followed, a few microseconds for a million. `poll_due`
//! looks at no more than 4,096 of those that have come due since. A domain takes about 200 bytes and
//! its name. What is in memory only, as the number of failures, starts again after a restart.

mod alert;
mod clock;
mod entropy;
mod lane;
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
use entropy::Entropy;
use lane::Lane;
use queues::Queues;
use slot::{Heard, Place, Slot, rank};

pub use alert::Alert;
pub use lane::Due;

/// The domains to refresh, and when. See the [module](self) for the rules and how to drive it.
pub struct Schedule {
    clock: Clock,
    max_in_flight: usize,
    unused_after: u64,
    slots: BTreeMap<PolicyDomain, Slot>,
    queues: Queues,
    /// The domains whose last refreshes failed.
    failing: BTreeMap<PolicyDomain, Failing>,
    entropy: Entropy,
}

/// A schedule that follows no domain, with at most 64 refreshes at once.
impl Default for Schedule {
    fn default() -> Self {
        Self {
            clock: Clock::default(),
            max_in_flight: 64,
            unused_after: plan::UNUSED,
            slots: BTreeMap::new(),
            queues: Queues::default(),
            failing: BTreeMap::new(),
            entropy: Entropy::default(),
        }
    }
}

/// Only counts: there are millions of domains, and their times are secret.
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
    /// The number of domains that one call of [`poll_due`](Self::poll_due) looks at.
    const LOOKED_AT: usize = 4_096;

    /// Returns a schedule that follows no domain, with at most 64 refreshes at once.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how many refreshes may be under way at once, at least one.
    ///
    /// A refresh that was to be prompt and has not ended after 15 seconds no longer counts: see
    /// [Fairness](self#fairness), which needs at least 8.
    #[must_use]
    pub fn with_max_in_flight(self, most: usize) -> Self {
        Self { max_in_flight: most.max(1), ..self }
    }

    /// Sets for how long a policy is refreshed after the last day on which a delivery used it: 30
    /// days by default, and never more than 30 times its `max_age`.
    ///
    /// ```
    /// use core::time::Duration;
    /// use mta_sts::schedule::Schedule;
    ///
    /// let a_week = Duration::from_secs(7 * 86_400);
    /// let schedule = Schedule::new().with_unused_after(a_week);
    /// ```
    #[must_use]
    pub fn with_unused_after(self, unused_after: Duration) -> Self {
        Self { unused_after: unused_after.as_secs(), ..self }
    }

    /// The number of domains followed.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// `true` if no domain is followed.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// `true` if the domain is followed.
    pub fn contains(&self, domain: &PolicyDomain) -> bool {
        self.slots.contains_key(domain)
    }

    /// `true` if [`poll_due`](Self::poll_due) has returned the domain, its outcome has not come, and
    /// 15 minutes have not passed.
    pub fn is_in_flight(&self, domain: &PolicyDomain) -> bool {
        self.slots.get(domain).is_some_and(|slot| slot.place.is_in_flight())
    }

    /// The number of refreshes under way.
    pub fn in_flight(&self) -> usize {
        self.queues.in_flight()
    }

    /// The number of domains that are due and have not begun: a backlog.
    pub fn ready(&self) -> usize {
        self.queues.ready()
    }

    /// The number of domains that are followed and not refreshed, because their policies have
    /// expired or are no longer used.
    pub fn parked(&self) -> usize {
        self.queues.parked()
    }

    /// Reports an entry that was read at the start, or written.
    ///
    /// An entry is written if it is new, if its policy has changed, or if it was used
    /// ([`Entry::touch`] was news). Report as well what a delivery's lookup wrote, and what another
    /// process is known to have written. An entry older than what is known does no harm.
    ///
    /// `entropy` is an unpredictable number, drawn for each call.
    pub fn handle_entry(&mut self, entry: &Entry, entropy: u64, now: UnixTime) {
        self.clock.advance(now);
        self.entropy.add(entropy);
        self.follow(entry, entropy);
    }

    /// Reports that an entry was dropped from the store.
    pub fn handle_removed(&mut self, domain: &PolicyDomain) {
        if let Some(slot) = self.slots.remove(domain) {
            self.queues.take(domain, &slot);
            self.failing.remove(domain);
        }
    }

    /// Returns the next domain to refresh, if one is due and may begin now.
    ///
    /// The domain is not returned again until its outcome has come, or for 15 minutes: a refresh
    /// that takes longer counts as lost.
    pub fn poll_due(&mut self, now: UnixTime) -> Option<Due> {
        self.clock.advance(now);
        let ticks = self.clock.ticks();
        let mut looks = Self::LOOKED_AT;
        while let Some((tick, domain)) = self.queues.first_waiting() {
            if tick > ticks || looks == 0 {
                break;
            }
            let domain = domain.clone();
            self.look_at(&domain);
            looks = looks.saturating_sub(1);
        }
        for lane in self.queues.open(self.max_in_flight) {
            while let Some(domain) = self.queues.first_ready(lane).cloned() {
                if !self.slot(&domain).is_expired(self.clock.now()) {
                    if self.queues.pay(lane, ticks) {
                        return Some(self.begin(domain, lane));
                    }
                    break;
                }
                if looks == 0 {
                    break;
                }
                self.look_at(&domain);
                looks = looks.saturating_sub(1);
            }
        }
        None
    }

    /// The time at which to call [`poll_due`](Self::poll_due) again, if nothing is reported before.
    ///
    /// After `poll_due` has returned `None` it is at least a second after the latest time that the
    /// schedule was given. `None` if no domain is followed.
    pub fn poll_timeout(&self) -> Option<UnixTime> {
        let waiting = self.queues.first_waiting().map(|(tick, _)| self.clock.until(tick));
        let ticks = self.clock.ticks();
        let ready =
            self.queues.open(self.max_in_flight).map(|lane| self.queues.wait_to_pay(lane, ticks));
        let wait = waiting.into_iter().chain(ready).min()?;
        let now = self.clock.now();
        Some(now.plus_secs(wait.max(1))).filter(|then| *then > now)
    }

    /// Reports that a refresh has ended. It returns what an administrator should be told, if
    /// anything.
    ///
    /// It is for outcomes of [`Recheck::Refresh`](crate::Recheck::Refresh) only: report what a
    /// delivery's lookup wrote to [`handle_entry`](Self::handle_entry).
    ///
    /// `entropy` is an unpredictable number, drawn for each call.
    pub fn handle_outcome(
        &mut self,
        outcome: &Outcome,
        entropy: u64,
        now: UnixTime,
    ) -> Option<Alert> {
        self.clock.advance(now);
        self.entropy.add(entropy);
        let weaker = outcome.change().filter(PolicyChange::is_weaker);
        let failing = self.settle(outcome, entropy);
        failing.or_else(|| {
            let change = weaker?;
            Some(Alert::PolicyWeaker { domain: outcome.domain().clone(), change })
        })
    }

    #[expect(clippy::expect_used, reason = "a queue that outlives its slot is a fault of ours")]
    fn slot(&self, domain: &PolicyDomain) -> &Slot {
        self.slots.get(domain).expect("each domain in a queue has a slot")
    }

    /// Changes a slot, and puts its domain where the slot then says that it is.
    fn change(&mut self, domain: &PolicyDomain, change: impl FnOnce(&mut Slot)) {
        let Some(slot) = self.slots.get_mut(domain) else { return };
        let domain = self.queues.take(domain, slot);
        change(slot);
        self.queues.put(domain, slot);
    }

    /// Begins the refresh of a domain that is ready.
    fn begin(&mut self, domain: PolicyDomain, lane: Lane) -> Due {
        let (now, ticks, entropy) = (self.clock.now(), self.clock.ticks(), self.entropy.next());
        self.change(&domain, |slot| slot.begin(lane, now, ticks, entropy));
        Due { domain, lane }
    }

    /// Moves a domain on whose tick has come, or which has expired while it was ready.
    fn look_at(&mut self, domain: &PolicyDomain) {
        let (now, ticks, unused_after) = (self.clock.now(), self.clock.ticks(), self.unused_after);
        if self.slot(domain).is_over(now) {
            return self.handle_removed(domain);
        }
        let entropy = self.entropy.next();
        self.change(domain, |slot| {
            let is_ending = matches!(slot.place, Place::Begun(lane) if lane.is_prompt());
            if slot.is_idle(now, unused_after) && !is_ending {
                slot.park(ticks);
            } else if slot.has_missed_its_tick(ticks) {
                slot.catch_up(now, ticks, entropy);
            } else {
                slot.advance(ticks);
            }
        });
    }

    /// Follows the entry, which is what the store holds, unless a later one is known.
    fn follow(&mut self, entry: &Entry, entropy: u64) {
        let (now, unused_after, domain) = (self.clock.now(), self.unused_after, entry.domain());
        let plan = Plan { clock: self.clock, unused_after, entropy };
        let new = Slot::of(entry, now);
        let Some(slot) = self.slots.get_mut(domain) else {
            if let Some(mut slot) = new {
                plan.regular(&mut slot);
                self.queues.put(domain.clone(), &slot);
                self.slots.insert(domain.clone(), slot);
            }
            return;
        };
        let (read, known) = (rank(entry), slot.rank());
        if read <= known && !new.as_ref().is_some_and(|new| slot.is_before(new)) {
            if slot.place.is_in_flight() && read < known && new.is_some() {
                slot.heard = slot.heard.max(Heard::Older);
            }
            slot.touch(entry);
            if slot.place == Place::Parked && !slot.is_idle(now, unused_after) {
                self.change(domain, |slot| plan.regular(slot));
            }
            return;
        }
        let Some(new) = new else { return self.handle_removed(domain) };
        self.failing.remove(domain);
        self.change(domain, |slot| {
            slot.take_policy(&new);
            if slot.place.is_in_flight() {
                slot.heard = Heard::Newer;
            } else {
                plan.regular(slot);
            }
        });
    }

    /// Plans the next refresh of a domain whose refresh has ended with this outcome.
    fn settle(&mut self, outcome: &Outcome, entropy: u64) -> Option<Alert> {
        let (entry, status, domain) = (outcome.entry(), outcome.status(), outcome.domain());
        let (now, ticks, unused_after) = (self.clock.now(), self.clock.ticks(), self.unused_after);
        let plan = Plan { clock: self.clock, unused_after, entropy };
        let Some(slot) = self.slots.get_mut(domain) else {
            self.follow(entry, entropy);
            return None;
        };
        let heard = core::mem::take(&mut slot.heard);
        let (read, known) = (rank(entry), slot.rank());
        let new = Slot::of(entry, now).filter(|new| read > known || slot.is_before(new));
        let is_older = read < known && new.is_none();
        if is_older && !slot.place.is_in_flight() {
            // A refresh that was taken for lost, and has read what has been replaced since.
            return None;
        }
        // The store no longer has what is known here.
        let is_lost = is_older && status == Status::Absent && heard != Heard::Newer;
        if is_lost && heard == Heard::Older {
            // It lost it, and has one again that a clock set back has made the older: what is
            // reported of it next is news.
            slot.generation = 0;
        } else if is_lost || (read > known && new.is_none()) {
            self.handle_removed(domain);
            return None;
        }
        if new.is_some() {
            self.failing.remove(domain);
        }
        let is_fresh = heard == Heard::Newer || matches!(status, Status::Found | Status::Confirmed);
        let mut failed = None;
        self.change(domain, |slot| {
            slot.end(is_fresh, ticks);
            if let Some(new) = new {
                slot.take_policy(&new);
            }
            slot.touch(entry);
            if is_fresh || slot.is_idle(now, unused_after) {
                plan.regular(slot);
            } else if slot.mode == Mode::None {
                // RFC 8461 §10.2: no alert, "to allow clean MTA-STS removal". It is asked for again
                // as though it had been fetched.
                slot.wait(plan::between_fetches(slot.life()), ticks, entropy);
            } else {
                failed = Some((slot.left(now), slot.life()));
            }
        });
        let Some((left, life)) = failed else {
            self.failing.remove(domain);
            return None;
        };
        self.count_failure(outcome, left, life, entropy)
    }

    /// Plans the retry of a refresh that has failed.
    fn count_failure(
        &mut self,
        outcome: &Outcome,
        left: u64,
        life: u64,
        entropy: u64,
    ) -> Option<Alert> {
        let (now, ticks, domain) = (self.clock.now(), self.clock.ticks(), outcome.domain());
        let failing = self.failing.entry(domain.clone()).or_insert_with(|| Failing::new(now));
        let is_news = failing.count(left, life, now);
        let (failures, since) = (failing.failures, failing.since);
        let window = plan::after_failure(failures, left, held_back(outcome, now));
        self.change(domain, |slot| slot.wait(window, ticks, entropy));
        is_news.then(|| Alert::RefreshFailing {
            domain: domain.clone(),
            problem: outcome.problem().map_or("unknown", Problem::code),
            failures,
            since,
            expires_in: Duration::from_secs(left),
        })
    }
}

/// What the plan of a regular refresh depends on, beside the slot.
#[derive(Clone, Copy)]
struct Plan {
    clock: Clock,
    unused_after: u64,
    entropy: u64,
}

impl Plan {
    /// Puts the domain where it waits for its regular refresh, or is parked.
    fn regular(self, slot: &mut Slot) {
        let (now, ticks) = (self.clock.now(), self.clock.ticks());
        if slot.is_idle(now, self.unused_after) {
            slot.park(ticks);
        } else {
            slot.wait_regularly(now, ticks, self.entropy);
        }
    }
}

/// The number of seconds for which the next lookup would hold the fetch back.
fn held_back(outcome: &Outcome, now: UnixTime) -> u64 {
    // The limit of fetches alone never holds one back for longer than the first wait.
    outcome.entry().backing_off(now).map(|(_, until)| until.secs_since(now)).max().unwrap_or(0)
}
