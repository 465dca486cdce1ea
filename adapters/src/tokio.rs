//! The client for tokio.

mod builder;
mod drive;
mod fetch;
mod flight;
mod refresh;
mod writer;

use std::fmt;
use std::panic::resume_unwind;
use std::sync::Arc;

use mta_sts::{Limits, Lookup, Outcome, PolicyDomain, Recheck};
use tokio::task::spawn_blocking;

use crate::{Dns, StoreError};
use drive::Driver;
use flight::Flights;
use writer::Writer;

pub use builder::Builder;
pub use fetch::HyperHttps;

/// Finds the MTA-STS policies of Policy Domains. Clones are cheap and share all that is known.
///
/// Every lookup is a task of its own: whoever ceases to wait loses nothing, and neither do others
/// who wait for the same.
///
/// ```no_run
/// use mta_sts_adapters::{PolicyDomain, Sqlite};
/// use mta_sts_adapters::tokio::MtaSts;
///
/// # #[cfg(all(feature = "sqlite", feature = "hickory-resolver"))]
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let store = Sqlite::open("/var/lib/mta-sts/policies.db")?;
/// let mta_sts = MtaSts::builder().store(store).build()?;
/// let outcome = mta_sts.policy_for(&PolicyDomain::parse("example.com")?).await;
/// if let Some((problem, left)) = outcome.alert(mta_sts.now()) {
///     eprintln!("{}: {problem}; its policy expires in {} s", outcome.domain(), left.as_secs());
/// }
/// mta_sts.flush().await?;
/// # Ok(())
/// # }
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
    pub async fn policy_for(&self, domain: &PolicyDomain) -> Outcome {
        if let Some(outcome) = self.policy_in_memory(domain) {
            return outcome;
        }
        let lookup = || self.run(Lookup::new(domain.clone()).recheck(Recheck::WhenDue));
        match self.flights.join(domain, lookup).await {
            Some(outcome) => outcome,
            None => self.drive(Lookup::new(domain.clone())).await,
        }
    }

    /// The policy for a delivery if memory has the answer: no I/O, no wait.
    pub fn policy_in_memory(&self, domain: &PolicyDomain) -> Option<Outcome> {
        let outcome = self.driver.keeper.recall(domain, self.limits)?;
        self.writer.wake(&self.driver.keeper);
        Some(outcome)
    }

    /// A lookup by another rule. [`Recheck::WhenDue`] is [`policy_for`](Self::policy_for); the
    /// others ask DNS for themselves, now.
    pub async fn lookup(&self, domain: &PolicyDomain, recheck: Recheck) -> Outcome {
        match recheck {
            Recheck::WhenDue => self.policy_for(domain).await,
            Recheck::Always | Recheck::Refresh => {
                self.drive(Lookup::new(domain.clone()).recheck(recheck)).await
            }
        }
    }

    /// Asks DNS now, whatever is remembered: [`Recheck::Always`].
    pub async fn recheck(&self, domain: &PolicyDomain) -> Outcome {
        self.lookup(domain, Recheck::Always).await
    }

    /// Fetches the policy again ahead of its end: [`Recheck::Refresh`].
    pub async fn refresh(&self, domain: &PolicyDomain) -> Outcome {
        self.lookup(domain, Recheck::Refresh).await
    }

    /// Drives a lookup to its end, such as the one that a refused delivery hands out. What is held
    /// and the limits are the client's; the rest is the lookup's. It is never shared.
    pub async fn drive(&self, lookup: Lookup) -> Outcome {
        match tokio::spawn(self.run(lookup)).await {
            Ok(outcome) => outcome,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                // The runtime is going down, and whoever waits here with it.
                Err(_) => std::future::pending().await,
            },
        }
    }

    fn run(&self, lookup: Lookup) -> impl Future<Output = Outcome> + Send + 'static {
        let (driver, writer) = (Arc::clone(&self.driver), Arc::clone(&self.writer));
        async move {
            let outcome = driver.run(lookup).await;
            writer.wake(&driver.keeper);
            outcome
        }
    }

    /// Forgets a domain, here and in the store; says whether there was something to forget.
    ///
    /// # Errors
    /// The store failed: nothing is forgotten.
    pub async fn forget(&self, domain: &PolicyDomain) -> Result<bool, StoreError> {
        let (keeper, domain) = (Arc::clone(&self.driver.keeper), domain.clone());
        blocking(move || keeper.remove(&domain)).await
    }

    /// Drops from memory and from the store what says nothing any more (see [`Store::prune`]), and
    /// says how much. Once a day is often enough.
    ///
    /// # Errors
    /// The store failed.
    ///
    /// [`Store::prune`]: crate::Store::prune
    pub async fn prune(&self) -> Result<usize, StoreError> {
        let keeper = Arc::clone(&self.driver.keeper);
        blocking(move || keeper.prune()).await
    }

    /// Writes to the store what it has yet to take. It is done in the background anyway, within
    /// seconds; call it before the process ends.
    ///
    /// # Errors
    /// The store failed. What it did not take stays in memory.
    pub async fn flush(&self) -> Result<(), StoreError> {
        let keeper = Arc::clone(&self.driver.keeper);
        blocking(move || {
            while keeper.flush_some()? {}
            Ok(())
        })
        .await
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
    pub fn now(&self) -> mta_sts::UnixTime {
        self.driver.keeper.now()
    }
}

impl fmt::Debug for MtaSts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MtaSts").field("driver", &self.driver).finish_non_exhaustive()
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let died = |_| Err(StoreError::Backend("it panicked".to_owned()));
    spawn_blocking(work).await.unwrap_or_else(died)
}
