//! The client for threads that may block.

mod builder;
mod dns;
mod drive;
mod exclusion;
mod fetch;
mod flight;
mod refresh;
mod turns;
mod writer;

use std::fmt;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use mta_sts::delivery::{Delivery, Mx, Requirements, Retry};
use mta_sts::{DnsFailure, Held, Limits, Lookup, Outcome, PolicyDomain, Recheck, UnixTime};

use crate::builder::Wait;
use crate::keeper::Writes;
use crate::{Bounce, Snapshot, StoreError};
use drive::Driver;
use exclusion::Exclusion;
use flight::{Boarded, Flight, Flights, Pilot, Waited};
use turns::Turns;
use writer::Writer;

pub use builder::Builder;
pub use dns::Dns;
#[cfg(feature = "hickory-resolver")]
pub use dns::DnsThread;
pub use fetch::{Body, Https, UreqHttps};
pub use refresh::Refresher;

/// Finds the MTA-STS policies of Policy Domains. Clones are cheap and share all that is known.
///
/// ```no_run
/// use mta_sts_adapters::PolicyDomain;
/// use mta_sts_adapters::blocking::MtaSts;
///
/// # #[cfg(feature = "hickory-resolver")] {
/// let mta_sts = MtaSts::builder().build()?;
/// let outcome = mta_sts.policy_for(&PolicyDomain::parse("example.com")?);
/// println!("{}", outcome.status());
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct MtaSts {
    driver: Arc<Driver>,
    limits: Limits,
    flights: Arc<Flights>,
    exclusion: Arc<Exclusion>,
    writer: Arc<Writer>,
    /// How many lookups may be under way.
    turns: Arc<Turns>,
    wait: Wait,
    refreshes: usize,
}

impl MtaSts {
    /// A client in the making, with the defaults.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// The policy for a delivery: from memory where nothing is due, which takes no I/O, else by a
    /// lookup, which all who ask for the same domain at the same time share.
    ///
    /// It waits for the lookup, unless the builder says otherwise by
    /// [`patience`](Builder::patience) or [`first_contact`](Builder::first_contact): then it gives
    /// what is held, or that nothing is known, and the lookup goes on.
    ///
    /// Where the policy is due for a refresh and no [`refresher`](Self::refresher) sees to it, one
    /// begins in the background.
    pub fn policy_for(&self, domain: &PolicyDomain) -> Outcome {
        if let Some(outcome) = self.policy_in_memory(domain) {
            return outcome;
        }
        let outcome = self.shared(domain);
        self.used(&outcome, self.now());
        outcome
    }

    /// The policy for a delivery if memory has the answer: no I/O, no wait.
    pub fn policy_in_memory(&self, domain: &PolicyDomain) -> Option<Outcome> {
        let keeper = &self.driver.keeper;
        let now = keeper.now();
        let outcome = keeper.recall(domain, now);
        // By reference: an outcome is large, and this is the hot path.
        if let Some(outcome) = &outcome {
            self.writer.wake(keeper);
            self.used(outcome, now);
        }
        outcome
    }

    /// A lookup by another rule. [`Recheck::WhenDue`] is [`policy_for`](Self::policy_for); the
    /// others ask DNS for themselves, now.
    pub fn lookup(&self, domain: &PolicyDomain, recheck: Recheck) -> Outcome {
        match recheck {
            Recheck::WhenDue => self.policy_for(domain),
            Recheck::Always => self.recheck(domain),
            Recheck::Refresh => self.refresh(domain),
        }
    }

    /// Asks DNS now, whatever is remembered: [`Recheck::Always`]. It never shares a lookup that
    /// began before, and waits for that to end.
    pub fn recheck(&self, domain: &PolicyDomain) -> Outcome {
        self.apart(domain, Recheck::Always)
    }

    /// Fetches the policy again ahead of its end: [`Recheck::Refresh`].
    pub fn refresh(&self, domain: &PolicyDomain) -> Outcome {
        let outcome = self.apart(domain, Recheck::Refresh);
        self.driver.keeper.metrics.refreshed(&outcome);
        outcome
    }

    /// A delivery under the domain's policy, and what was found.
    ///
    /// The domain is the next hop: the recipient's, or the smart host's (RFC 8461 §3.4).
    pub fn delivery(
        &self,
        domain: &PolicyDomain,
        requirements: Requirements,
    ) -> (Delivery, Outcome) {
        let outcome = self.policy_for(domain);
        (Delivery::new(&outcome, requirements), outcome)
    }

    /// The candidates for a delivery to the domain, as [`crate::MxAnswer::candidates`] tells them.
    ///
    /// # Errors
    /// DNS gave no answer.
    pub fn candidates(&self, domain: &PolicyDomain) -> Result<Vec<Mx>, DnsFailure> {
        self.driver.dns.mx(domain.as_str(), self.limits.query_timeout()).candidates(domain)
    }

    /// Asks DNS between a delivery that the policy refused and a bounce, as RFC 8461 §5 demands.
    ///
    /// Each gate asks a question of its own, later than the refusal. It begins when the lookup of
    /// the domain that is in progress has ended, and gates of one domain ask one after the other,
    /// so that no two lookups fetch at the same time. Gates that wait while DNS is silent to another
    /// of them are deferred together. A gate reads the store, and its answer speaks of what the
    /// store holds after it, the writes of other processes included.
    ///
    /// ```no_run
    /// use mta_sts_adapters::Bounce;
    /// use mta_sts_adapters::delivery::{Conclusion, Delivery};
    /// # fn example(client: mta_sts_adapters::blocking::MtaSts, delivery: Delivery) {
    /// if let Conclusion::Retry(retry) = delivery.conclude() {
    ///     match client.gate(retry) {
    ///         Bounce::Permitted(token) => println!("{}: bounce it now", token.domain()),
    ///         Bounce::Deferred(outcome) => println!("{}: keep it queued", outcome.domain()),
    ///     }
    /// }
    /// # }
    /// ```
    pub fn gate(&self, retry: Retry) -> Bounce {
        let domain = retry.domain().clone();
        let (silence, arrived) = (self.exclusion.silence(&domain), Instant::now());
        let _next = self.exclusion.queue(&domain);
        if let Some(outcome) = silence.since(arrived) {
            self.driver.keeper.metrics.answered(&outcome);
            return Bounce::new(None, outcome);
        }
        let _permit = self.turns.take();
        let _exclusive = self.exclusion.lookup(&domain);
        let held = self.driver.read(&domain);
        let asked_at = Instant::now();
        let (query, gate) = retry.recheck(held, self.limits, self.now());
        let outcome = self.driver.ask(&domain, query, Writes::Through);
        silence.note(asked_at, &outcome);
        self.writer.wake(&self.driver.keeper);
        self.driver.keeper.metrics.answered(&outcome);
        Bounce::new(gate.permit(&outcome, self.now()), outcome)
    }

    /// A lookup that shares none.
    fn apart(&self, domain: &PolicyDomain, recheck: Recheck) -> Outcome {
        // Those of one domain wait for each other without a permit, which others may need.
        let _next = self.exclusion.queue(domain);
        let _permit = self.turns.take();
        let outcome = self.run(domain, recheck, self.limits);
        self.driver.keeper.metrics.answered(&outcome);
        outcome
    }

    /// A refresh in the background. It waits for the lookup of the domain that is in progress, and
    /// for no other.
    fn refresh_within(&self, domain: &PolicyDomain, limits: Limits) -> Outcome {
        let _permit = self.turns.take();
        let outcome = self.run(domain, Recheck::Refresh, limits);
        self.driver.keeper.metrics.answered(&outcome);
        self.driver.keeper.metrics.refreshed(&outcome);
        outcome
    }

    /// The one lookup of the domain that is in progress.
    fn run(&self, domain: &PolicyDomain, recheck: Recheck, limits: Limits) -> Outcome {
        let _exclusive = self.exclusion.lookup(domain);
        self.run_with(domain, self.driver.read(domain), recheck, limits)
    }

    fn run_with(
        &self,
        domain: &PolicyDomain,
        held: Held,
        recheck: Recheck,
        limits: Limits,
    ) -> Outcome {
        let lookup = Lookup::new(domain.clone(), held).recheck(recheck).limits(limits);
        let outcome = self.driver.run(lookup);
        self.writer.wake(&self.driver.keeper);
        outcome
    }

    /// The outcome of the one lookup for all who want it now, as far as there is patience for it.
    fn shared(&self, domain: &PolicyDomain) -> Outcome {
        let flight = match self.flights.board(domain) {
            Boarded::Passenger(flight) => flight,
            Boarded::Pilot(pilot) if self.wait.is_to_the_end() => {
                let _turn = self.turns.take();
                return self.fly(pilot);
            }
            Boarded::Pilot(pilot) => match self.fly_apart(pilot) {
                Some(flight) => flight,
                None => return self.interim(domain, self.driver.read(domain)),
            },
        };
        let now = self.now();
        match flight.wait(|held| self.wait.time(held, now)) {
            Waited::Landed(outcome) => *outcome,
            Waited::Patience(held) => self.interim(domain, *held),
            Waited::Lost => self.apart(domain, Recheck::WhenDue),
        }
    }

    fn fly(&self, pilot: Pilot) -> Outcome {
        let domain = pilot.domain();
        let exclusive = self.exclusion.try_lookup(domain);
        // Callers who do not wait to the end need to know what is held, and do not wait for another
        // lookup of the domain.
        let held = self.driver.read(domain);
        pilot.known(&held);
        let (_exclusive, held) = match exclusive {
            Some(exclusive) => (exclusive, held),
            None => (self.exclusion.lookup(domain), self.driver.read(domain)),
        };
        let outcome = self.run_with(domain, held, Recheck::WhenDue, self.limits);
        pilot.landed(&outcome);
        outcome
    }

    /// Has the flight on a thread of its own. None where a turn would have to be waited for, or no
    /// thread is to be had.
    fn fly_apart(&self, pilot: Pilot) -> Option<Arc<Flight>> {
        let turn = self.turns.try_take()?;
        let (client, flight) = (self.clone(), pilot.flight());
        let flying = move || {
            let _turn = turn;
            client.fly(pilot);
        };
        thread::Builder::new().name("mta-sts-lookup".to_owned()).spawn(flying).ok()?;
        Some(flight)
    }

    fn interim(&self, domain: &PolicyDomain, held: Held) -> Outcome {
        Lookup::new(domain.clone(), held).limits(self.limits).interim(self.now())
    }

    /// A delivery uses what was found.
    fn used(&self, outcome: &Outcome, now: UnixTime) {
        let keeper = &self.driver.keeper;
        keeper.metrics.answered(outcome);
        if !keeper.is_for_user(outcome, now) {
            return;
        }
        if let Some(turn) = self.turns.try_take() {
            let (client, domain) = (self.clone(), outcome.domain().clone());
            let refreshing = move || {
                let _turn = turn;
                let outcome = client.run(&domain, Recheck::Refresh, client.limits);
                client.driver.keeper.metrics.refreshed(&outcome);
            };
            // Where no thread is to be had, a later delivery tries again.
            let _ = thread::Builder::new().name("mta-sts-refresh".to_owned()).spawn(refreshing);
        }
    }

    /// Forgets a domain, here and in the store; says whether there was something to forget.
    ///
    /// # Errors
    /// The store failed: nothing is forgotten.
    pub fn forget(&self, domain: &PolicyDomain) -> Result<bool, StoreError> {
        self.driver.keeper.remove(domain)
    }

    /// Drops from memory and from the store what says nothing any more (see
    /// [`Store::prune`](crate::Store::prune)), and says how much. Once a day is often enough.
    ///
    /// # Errors
    /// The store failed.
    pub fn prune(&self) -> Result<usize, StoreError> {
        self.driver.keeper.prune()
    }

    /// Writes to the store what it has yet to take. It is done in the background anyway, within
    /// seconds; call it before the process ends.
    ///
    /// # Errors
    /// The store failed. What it did not take stays in memory.
    pub fn flush(&self) -> Result<(), StoreError> {
        while self.driver.keeper.flush_some()? {}
        Ok(())
    }

    /// Why the store last failed; `None` where it works.
    pub fn store_trouble(&self) -> Option<StoreError> {
        self.driver.keeper.trouble()
    }

    /// The resolver, for other questions.
    pub fn dns(&self) -> &dyn Dns {
        &*self.driver.dns
    }

    /// The limits of all lookups.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// The time by the client's clock.
    pub fn now(&self) -> UnixTime {
        self.driver.keeper.now()
    }

    /// What the client has done so far, and what it holds in memory now. It looks at every entry
    /// there.
    pub fn metrics(&self) -> Snapshot {
        self.driver.keeper.snapshot()
    }

    /// The same as Prometheus text, or for a registry.
    #[cfg(feature = "prometheus")]
    pub fn exporter(&self) -> crate::Exporter {
        crate::Exporter::new(Arc::clone(&self.driver.keeper))
    }
}

impl fmt::Debug for MtaSts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MtaSts").field("driver", &self.driver).finish_non_exhaustive()
    }
}
