//! The client for threads that may block.

mod builder;
mod dns;
mod drive;
mod fetch;
mod flight;
mod refresh;
mod turns;
mod writer;

use std::fmt;
use std::sync::Arc;
use std::thread;

use mta_sts::delivery::{Delivery, Mx, Requirements, Retry};
use mta_sts::{DnsFailure, Held, Limits, Lookup, Outcome, PolicyDomain, Recheck, UnixTime};

use crate::builder::Wait;
use crate::{Snapshot, StoreError};
use drive::Driver;
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
    flights: Arc<Flights>,
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
        let outcome = keeper.recall(domain, self.driver.limits, now);
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
    /// began before.
    pub fn recheck(&self, domain: &PolicyDomain) -> Outcome {
        self.drive(Lookup::new(domain.clone()).recheck(Recheck::Always))
    }

    /// Fetches the policy again ahead of its end: [`Recheck::Refresh`].
    pub fn refresh(&self, domain: &PolicyDomain) -> Outcome {
        self.refresh_within(domain, self.driver.limits)
    }

    fn refresh_within(&self, domain: &PolicyDomain, limits: Limits) -> Outcome {
        let refresh = Lookup::new(domain.clone()).recheck(Recheck::Refresh);
        let outcome = self.drive_within(refresh, limits);
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
        self.driver.dns.mx(domain.as_str(), self.driver.limits.query_timeout()).candidates(domain)
    }

    /// The lookup that must come between a delivery that the policy refused and a bounce
    /// (RFC 8461 §5): see [`Retry::recheck`] for what its outcome means.
    pub fn gate(&self, retry: Retry) -> Outcome {
        self.drive(retry.recheck(Held::Nothing))
    }

    /// Drives a lookup to its end, such as the one that a refused delivery hands out. What is held
    /// and the limits are the client's; the rest is the lookup's. It is never shared.
    pub fn drive(&self, lookup: Lookup) -> Outcome {
        self.drive_within(lookup, self.driver.limits)
    }

    fn drive_within(&self, lookup: Lookup, limits: Limits) -> Outcome {
        let _turn = self.turns.take();
        let outcome = self.run(lookup, limits);
        self.driver.keeper.metrics.answered(&outcome);
        outcome
    }

    fn run(&self, lookup: Lookup, limits: Limits) -> Outcome {
        let held = self.driver.read(lookup.domain());
        let outcome = self.driver.run(lookup, held, limits);
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
            Waited::Patience(held) => self.interim(domain, held),
            Waited::Lost => self.drive(Lookup::new(domain.clone())),
        }
    }

    fn fly(&self, pilot: Pilot) -> Outcome {
        let held = self.driver.read(pilot.domain());
        pilot.known(&held);
        let lookup = Lookup::new(pilot.domain().clone());
        let outcome = self.driver.run(lookup, held, self.driver.limits);
        pilot.landed(&outcome);
        self.writer.wake(&self.driver.keeper);
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
        Lookup::new(domain.clone()).held(held).limits(self.driver.limits).interim(self.now())
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
                let refresh = Lookup::new(domain).recheck(Recheck::Refresh);
                client.driver.keeper.metrics.refreshed(&client.run(refresh, client.driver.limits));
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
        self.driver.limits
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
