//! The client for tokio.

mod builder;
mod drive;
mod exclusion;
mod fetch;
mod flight;
mod refresh;
mod writer;

use std::fmt;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Instant;

use mta_sts::delivery::{Delivery, Mx, Requirements, Retry};
use mta_sts::{
    DnsFailure, DnsFailureKind, Held, Limits, Lookup, Outcome, PolicyDomain, Recheck, UnixTime,
};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::builder::Wait;
use crate::keeper::Writes;
use crate::{Bounce, Dns, MxAnswer, Snapshot, StoreError};
use drive::Driver;
use exclusion::{Exclusion, Permit};
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
    limits: Limits,
    flights: Arc<Flights>,
    exclusion: Arc<Exclusion>,
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
        self.used(&outcome, self.now(), current);
        outcome
    }

    /// The policy for a delivery if memory has the answer: no I/O, no wait.
    pub fn policy_in_memory(&self, domain: &PolicyDomain) -> Option<Outcome> {
        self.recall(domain, current)
    }

    /// Returns the outcome from memory; `None` if a lookup is needed. It needs no runtime: `runtime`
    /// is called only where something is to be done in the background, at most once for each.
    pub(crate) fn recall(
        &self,
        domain: &PolicyDomain,
        runtime: impl Fn() -> Option<Handle>,
    ) -> Option<Outcome> {
        let keeper = &self.driver.keeper;
        let now = keeper.now();
        let outcome = keeper.recall(domain, now);
        // By reference: an outcome is large, and this is the hot path.
        if let Some(outcome) = &outcome {
            self.writer.wake(keeper, &runtime);
            self.used(outcome, now, runtime);
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
    /// began before, and waits for that to end.
    pub async fn recheck(&self, domain: &PolicyDomain) -> Outcome {
        self.apart(domain, Recheck::Always).await
    }

    /// Fetches the policy again ahead of its end: [`Recheck::Refresh`].
    pub async fn refresh(&self, domain: &PolicyDomain) -> Outcome {
        let outcome = self.apart(domain, Recheck::Refresh).await;
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
        let answer = timeout(self.limits.query_timeout(), asked).await;
        let silent = |_| MxAnswer::Failed(DnsFailure::new(DnsFailureKind::Timeout));
        answer.unwrap_or_else(silent).candidates(domain)
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
    /// # async fn example(client: mta_sts_adapters::tokio::MtaSts, delivery: Delivery) {
    /// if let Conclusion::Retry(retry) = delivery.conclude() {
    ///     match client.gate(retry).await {
    ///         Bounce::Permitted(token) => println!("{}: bounce it now", token.domain()),
    ///         Bounce::Deferred(outcome) => println!("{}: keep it queued", outcome.domain()),
    ///     }
    /// }
    /// # }
    /// ```
    pub async fn gate(&self, retry: Retry) -> Bounce {
        let domain = retry.domain().clone();
        let (silence, arrived) = (self.exclusion.silence(&domain), Instant::now());
        let next = self.exclusion.queue(&domain).await;
        if let Some(outcome) = silence.since(arrived) {
            self.driver.keeper.metrics.answered(&outcome);
            return Bounce::new(None, outcome);
        }
        let permits = (next, self.permit().await);
        let (client, asked) = (self.clone(), domain.clone());
        let gated = detached(async move {
            let _permits = permits;
            let _exclusive = client.exclusion.lookup(&asked).await;
            let held = client.driver.read(&asked).await;
            let asked_at = Instant::now();
            let (query, gate) = retry.recheck(held, client.limits, client.now());
            let outcome = client.driver.ask(&asked, query, Writes::Through).await;
            silence.note(asked_at, &outcome);
            client.writer.wake(&client.driver.keeper, current);
            (gate.permit(&outcome, client.now()), outcome)
        });
        let (token, outcome) = match gated.await {
            Some(gated) => gated,
            None => (None, self.interrupted(&domain)),
        };
        self.driver.keeper.metrics.answered(&outcome);
        Bounce::new(token, outcome)
    }

    /// A lookup that shares none. It goes on even if its caller ceases to wait.
    async fn apart(&self, domain: &PolicyDomain, recheck: Recheck) -> Outcome {
        // Those of one domain wait for each other without a permit, which others may need.
        let next = self.exclusion.queue(domain).await;
        let outcome = self.alone(domain, recheck, self.limits, Some(next)).await;
        self.driver.keeper.metrics.answered(&outcome);
        outcome
    }

    /// A refresh in the background. It waits for the lookup of the domain that is in progress, and
    /// for no other.
    async fn refresh_within(&self, domain: &PolicyDomain, limits: Limits) -> Outcome {
        let outcome = self.alone(domain, Recheck::Refresh, limits, None).await;
        self.driver.keeper.metrics.answered(&outcome);
        self.driver.keeper.metrics.refreshed(&outcome);
        outcome
    }

    async fn alone(
        &self,
        domain: &PolicyDomain,
        recheck: Recheck,
        limits: Limits,
        next: Option<Permit>,
    ) -> Outcome {
        let permits = (next, self.permit().await);
        let (client, asked) = (self.clone(), domain.clone());
        let looked_up = detached(async move {
            let _permits = permits;
            client.run(&asked, recheck, limits).await
        });
        looked_up.await.unwrap_or_else(|| self.interrupted(domain))
    }

    /// The one lookup of the domain that is in progress.
    async fn run(&self, domain: &PolicyDomain, recheck: Recheck, limits: Limits) -> Outcome {
        let _exclusive = self.exclusion.lookup(domain).await;
        let held = self.driver.read(domain).await;
        self.run_with(domain, held, recheck, limits).await
    }

    async fn run_with(
        &self,
        domain: &PolicyDomain,
        held: Held,
        recheck: Recheck,
        limits: Limits,
    ) -> Outcome {
        let lookup = Lookup::new(domain.clone(), held).recheck(recheck).limits(limits);
        let outcome = self.driver.run(lookup).await;
        self.writer.wake(&self.driver.keeper, current);
        outcome
    }

    /// The outcome of the one lookup for all who want it now, as far as there is patience for it.
    async fn shared(&self, domain: &PolicyDomain) -> Outcome {
        let Some(landing) = self.board(domain).await else {
            return self.interim(domain, self.driver.read(domain).await);
        };
        let now = self.now();
        match landing.wait(|held| self.wait.time(held, now)).await {
            Waited::Landed(outcome) => *outcome,
            Waited::Patience(held) => self.interim(domain, *held),
            Waited::Lost => self.apart(domain, Recheck::WhenDue).await,
        }
    }

    /// The shared lookup of the domain: the one in progress, or one that begins. `None` if it would
    /// have to wait for a permit and the caller does not wait to the end.
    async fn board(&self, domain: &PolicyDomain) -> Option<Landing> {
        if let Some(landing) = self.flights.find(domain) {
            return Some(landing);
        }
        let permit = if self.wait.is_to_the_end() {
            self.permit().await
        } else {
            Some(Arc::clone(&self.turns).try_acquire_owned().ok()?)
        };
        Some(self.flights.board(domain, |reporter| {
            let (client, domain) = (self.clone(), domain.clone());
            async move {
                let _permit = permit;
                let exclusive = client.exclusion.try_lookup(&domain);
                // Callers who do not wait to the end need to know what is held, and do not wait for
                // another lookup of the domain.
                let held = client.driver.read(&domain).await;
                reporter.known(&held);
                let (_exclusive, held) = if exclusive.is_some() {
                    (exclusive, held)
                } else {
                    let exclusive = client.exclusion.lookup(&domain).await;
                    (exclusive, client.driver.read(&domain).await)
                };
                client.run_with(&domain, held, Recheck::WhenDue, client.limits).await
            }
        }))
    }

    fn interim(&self, domain: &PolicyDomain, held: Held) -> Outcome {
        Lookup::new(domain.clone(), held).limits(self.limits).interim(self.now())
    }

    /// The outcome of a lookup that ended with its runtime.
    fn interrupted(&self, domain: &PolicyDomain) -> Outcome {
        self.interim(domain, self.driver.keeper.unread(domain))
    }

    /// A permit for a lookup. The semaphore is never closed.
    async fn permit(&self) -> Permit {
        Arc::clone(&self.turns).acquire_owned().await.ok()
    }

    /// A delivery uses what was found.
    fn used(&self, outcome: &Outcome, now: UnixTime, runtime: impl FnOnce() -> Option<Handle>) {
        let keeper = &self.driver.keeper;
        keeper.metrics.answered(outcome);
        if !keeper.is_for_user(outcome, now) {
            return;
        }
        let permit = Arc::clone(&self.turns).try_acquire_owned();
        if let (Ok(permit), Some(runtime)) = (permit, runtime()) {
            let (client, domain) = (self.clone(), outcome.domain().clone());
            runtime.spawn(async move {
                let _permit = permit;
                let outcome = client.run(&domain, Recheck::Refresh, client.limits).await;
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

/// The runtime of the calling task; `None` outside of a runtime.
fn current() -> Option<Handle> {
    Handle::try_current().ok()
}

/// Runs the work as a task of its own, which ends even if its caller ceases to wait. Returns `None`
/// if the runtime ends first.
async fn detached<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> Option<T> {
    match tokio::spawn(work).await {
        Ok(done) => Some(done),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            Err(_) => None,
        },
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let died = |_| Err(StoreError::Backend("it panicked".to_owned()));
    spawn_blocking(work).await.unwrap_or_else(died)
}
