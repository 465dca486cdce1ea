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

use mta_sts::delivery::{Delivery, Mx, Requirements, Retry};
use mta_sts::{
    DnsFailure, DnsFailureKind, Held, Limits, Lookup, Outcome, PolicyDomain, Recheck, UnixTime,
};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::builder::Wait;
use crate::{Dns, MxAnswer, Snapshot, StoreError};
use drive::Driver;
use flight::{Flights, Landing, Waited};
use writer::Writer;

pub use builder::Builder;
pub use fetch::HyperHttps;
pub use refresh::Refresher;

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
    /// How many lookups may be under way.
    turns: Arc<Semaphore>,
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
    pub async fn policy_for(&self, domain: &PolicyDomain) -> Outcome {
        if let Some(outcome) = self.policy_in_memory(domain) {
            return outcome;
        }
        let outcome = self.shared(domain).await;
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
    pub async fn lookup(&self, domain: &PolicyDomain, recheck: Recheck) -> Outcome {
        match recheck {
            Recheck::WhenDue => self.policy_for(domain).await,
            Recheck::Always => self.recheck(domain).await,
            Recheck::Refresh => self.refresh(domain).await,
        }
    }

    /// Asks DNS now, whatever is remembered: [`Recheck::Always`]. It never shares a lookup that
    /// began before.
    pub async fn recheck(&self, domain: &PolicyDomain) -> Outcome {
        self.drive(Lookup::new(domain.clone()).recheck(Recheck::Always)).await
    }

    /// Fetches the policy again ahead of its end: [`Recheck::Refresh`].
    pub async fn refresh(&self, domain: &PolicyDomain) -> Outcome {
        self.refresh_within(domain, self.driver.limits).await
    }

    async fn refresh_within(&self, domain: &PolicyDomain, limits: Limits) -> Outcome {
        let refresh = Lookup::new(domain.clone()).recheck(Recheck::Refresh);
        let outcome = self.drive_within(refresh, limits).await;
        self.driver.keeper.metrics.refreshed(&outcome);
        outcome
    }

    /// A delivery under the domain's policy, and what was found.
    ///
    /// The domain is the next hop: the recipient's, or the smart host's (RFC 8461 §3.4).
    pub async fn delivery(
        &self,
        domain: &PolicyDomain,
        requirements: Requirements,
    ) -> (Delivery, Outcome) {
        let outcome = self.policy_for(domain).await;
        (Delivery::new(&outcome, requirements), outcome)
    }

    /// The candidates for a delivery to the domain, as [`MxAnswer::candidates`] tells them.
    ///
    /// # Errors
    /// DNS gave no answer.
    pub async fn candidates(&self, domain: &PolicyDomain) -> Result<Vec<Mx>, DnsFailure> {
        let asked = self.driver.dns.mx(domain.as_str());
        let answer = timeout(self.driver.limits.query_timeout(), asked).await;
        let silent = |_| MxAnswer::Failed(DnsFailure::new(DnsFailureKind::Timeout));
        answer.unwrap_or_else(silent).candidates(domain)
    }

    /// The lookup that must come between a delivery that the policy refused and a bounce
    /// (RFC 8461 §5): see [`Retry::recheck`] for what its outcome means.
    pub async fn gate(&self, retry: Retry) -> Outcome {
        self.drive(retry.recheck(Held::Nothing)).await
    }

    /// Drives a lookup to its end, such as the one that a refused delivery hands out. What is held
    /// and the limits are the client's; the rest is the lookup's. It is never shared, and goes on
    /// whoever ceases to wait.
    pub async fn drive(&self, lookup: Lookup) -> Outcome {
        self.drive_within(lookup, self.driver.limits).await
    }

    async fn drive_within(&self, lookup: Lookup, limits: Limits) -> Outcome {
        let turn = self.turn().await;
        let client = self.clone();
        let driven = tokio::spawn(async move {
            let _turn = turn;
            client.run(lookup, limits).await
        });
        match driven.await {
            Ok(outcome) => {
                self.driver.keeper.metrics.answered(&outcome);
                outcome
            }
            Err(error) => match error.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                // The runtime is going down, and whoever waits here with it.
                Err(_) => std::future::pending().await,
            },
        }
    }

    async fn run(&self, lookup: Lookup, limits: Limits) -> Outcome {
        let held = self.driver.read(lookup.domain().clone()).await;
        let outcome = self.driver.run(lookup, held, limits).await;
        self.writer.wake(&self.driver.keeper);
        outcome
    }

    /// The outcome of the one lookup for all who want it now, as far as there is patience for it.
    async fn shared(&self, domain: &PolicyDomain) -> Outcome {
        let Some(landing) = self.board(domain).await else {
            return self.interim(domain, self.driver.read(domain.clone()).await);
        };
        let now = self.now();
        match landing.wait(|held| self.wait.time(held, now)).await {
            Waited::Landed(outcome) => *outcome,
            Waited::Patience(held) => self.interim(domain, held),
            Waited::Lost => self.drive(Lookup::new(domain.clone())).await,
        }
    }

    /// The flight for the domain. None where a turn would have to be waited for, and there is no
    /// patience for it.
    async fn board(&self, domain: &PolicyDomain) -> Option<Landing> {
        if let Some(landing) = self.flights.find(domain) {
            return Some(landing);
        }
        let turn = if self.wait.is_to_the_end() {
            self.turn().await
        } else {
            Some(Arc::clone(&self.turns).try_acquire_owned().ok()?)
        };
        Some(self.flights.board(domain, |reporter| {
            let (client, domain) = (self.clone(), domain.clone());
            async move {
                let _turn = turn;
                let held = client.driver.read(domain.clone()).await;
                reporter.known(&held);
                let limits = client.driver.limits;
                let outcome = client.driver.run(Lookup::new(domain), held, limits).await;
                client.writer.wake(&client.driver.keeper);
                outcome
            }
        }))
    }

    fn interim(&self, domain: &PolicyDomain, held: Held) -> Outcome {
        Lookup::new(domain.clone()).held(held).limits(self.driver.limits).interim(self.now())
    }

    /// A turn to look something up. The semaphore is never closed.
    async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.turns).acquire_owned().await.ok()
    }

    /// A delivery uses what was found.
    fn used(&self, outcome: &Outcome, now: UnixTime) {
        let keeper = &self.driver.keeper;
        keeper.metrics.answered(outcome);
        if !keeper.is_for_user(outcome, now) {
            return;
        }
        let turn = Arc::clone(&self.turns).try_acquire_owned();
        if let (Ok(turn), Ok(runtime)) = (turn, Handle::try_current()) {
            let (client, domain) = (self.clone(), outcome.domain().clone());
            runtime.spawn(async move {
                let _turn = turn;
                let refresh = Lookup::new(domain).recheck(Recheck::Refresh);
                let outcome = client.run(refresh, client.driver.limits).await;
                client.driver.keeper.metrics.refreshed(&outcome);
            });
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

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let died = |_| Err(StoreError::Backend("it panicked".to_owned()));
    spawn_blocking(work).await.unwrap_or_else(died)
}
