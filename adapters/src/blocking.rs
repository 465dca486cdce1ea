//! The client for threads that may block.

mod builder;
mod dns;
mod drive;
mod fetch;
mod flight;
mod writer;

use std::fmt;
use std::sync::Arc;

use mta_sts::{Limits, Lookup, Outcome, PolicyDomain, Recheck, UnixTime};

use crate::StoreError;
use drive::Driver;
use flight::Flights;
use writer::Writer;

pub use builder::Builder;
pub use dns::Dns;
#[cfg(feature = "hickory-resolver")]
pub use dns::DnsThread;
pub use fetch::{Body, Https, UreqHttps};

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
    limits: Limits,
}

impl MtaSts {
    /// A client in the making, with the defaults.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// The policy for a delivery: from memory where nothing is due, which takes no I/O, else by a
    /// lookup, which all who ask for the same domain at the same time share.
    pub fn policy_for(&self, domain: &PolicyDomain) -> Outcome {
        if let Some(outcome) = self.policy_in_memory(domain) {
            return outcome;
        }
        self.flights.join(domain, || self.drive(Lookup::new(domain.clone())))
    }

    /// The policy for a delivery if memory has the answer: no I/O, no wait.
    pub fn policy_in_memory(&self, domain: &PolicyDomain) -> Option<Outcome> {
        let outcome = self.driver.keeper.recall(domain, self.limits)?;
        self.writer.wake(&self.driver.keeper);
        Some(outcome)
    }

    /// A lookup by another rule. [`Recheck::WhenDue`] is [`policy_for`](Self::policy_for); the
    /// others ask DNS for themselves, now.
    pub fn lookup(&self, domain: &PolicyDomain, recheck: Recheck) -> Outcome {
        match recheck {
            Recheck::WhenDue => self.policy_for(domain),
            Recheck::Always | Recheck::Refresh => {
                self.drive(Lookup::new(domain.clone()).recheck(recheck))
            }
        }
    }

    /// Asks DNS now, whatever is remembered: [`Recheck::Always`].
    pub fn recheck(&self, domain: &PolicyDomain) -> Outcome {
        self.lookup(domain, Recheck::Always)
    }

    /// Fetches the policy again ahead of its end: [`Recheck::Refresh`].
    pub fn refresh(&self, domain: &PolicyDomain) -> Outcome {
        self.lookup(domain, Recheck::Refresh)
    }

    /// Drives a lookup to its end, such as the one that a refused delivery hands out. What is held
    /// and the limits are the client's; the rest is the lookup's. It is never shared.
    pub fn drive(&self, lookup: Lookup) -> Outcome {
        let outcome = self.driver.run(lookup);
        self.writer.wake(&self.driver.keeper);
        outcome
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
}

impl fmt::Debug for MtaSts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MtaSts").field("driver", &self.driver).finish_non_exhaustive()
    }
}
