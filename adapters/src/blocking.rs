//! The client for threads that may block: the [client for tokio](crate::tokio) on a runtime of its
//! own.
//!
//! The runtime has two threads named `mta-sts`. It begins with the client and ends with the last of
//! the clones and refreshers. A lookup that goes on in the background then ends with it.
//!
//! Every method may be called from any thread, also from one of another tokio runtime. It blocks the
//! thread until it returns, so async code should ask the [client for tokio](crate::tokio) instead.
//! A part of one's own (DNS, HTTPS, a store) runs on the client's runtime. If it panics, the method
//! that waits for it panics.

mod background;
mod refresh;

use std::fmt;
use std::sync::Arc;

use mta_sts::delivery::{Delivery, Mx, Requirements, Retry};
use mta_sts::{DnsFailure, Limits, Outcome, PolicyDomain, Recheck, UnixTime};

use crate::{Bounce, BuildError, Snapshot, StoreError, tokio};
use background::Background;

pub use refresh::Refresher;

/// A client in the making.
///
/// ```no_run
/// use std::time::Duration;
/// use mta_sts_adapters::Limits;
/// use mta_sts_adapters::blocking::MtaSts;
///
/// # #[cfg(all(feature = "hickory-resolver", feature = "native-roots"))] {
/// let limits = Limits::default().with_fetch_timeout(Duration::from_secs(20));
/// let mta_sts = MtaSts::builder().limits(limits).memory_entries(1_000_000).build()?;
/// # }
/// # Ok::<(), mta_sts_adapters::BuildError>(())
/// ```
pub type Builder = crate::builder::Builder<MtaSts>;

impl Builder {
    /// Makes the client, and starts its runtime.
    ///
    /// # Errors
    /// [`BuildError`] where something that it needs cannot be had.
    ///
    /// # Panics
    /// tokio panics if the operating system has no thread for the runtime.
    pub fn build(self) -> Result<MtaSts, BuildError> {
        let client = self.client()?;
        Ok(MtaSts { client, background: Background::start()? })
    }
}

/// Finds the MTA-STS policies of Policy Domains. Clones are cheap and share all that is known.
///
/// ```
/// # use std::net::IpAddr;
/// # use mta_sts_adapters::{BoxFuture, Dns, DnsFailure, MxAnswer, TxtAnswer};
/// use mta_sts_adapters::blocking::MtaSts;
/// use mta_sts_adapters::{PolicyDomain, Status};
///
/// # #[derive(Debug)]
/// # struct NoRecords;
/// # impl Dns for NoRecords {
/// #     fn txt<'a>(&'a self, _: &'a str) -> BoxFuture<'a, TxtAnswer> {
/// #         Box::pin(async { TxtAnswer::Absent { ttl: 60 } })
/// #     }
/// #     fn addresses<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, DnsFailure>> {
/// #         Box::pin(async { Ok(Vec::new()) })
/// #     }
/// #     fn mx<'a>(&'a self, _: &'a str) -> BoxFuture<'a, MxAnswer> {
/// #         Box::pin(async { MxAnswer::Absent })
/// #     }
/// # }
/// # #[derive(Debug)]
/// # struct NoHttps;
/// # impl mta_sts_adapters::Https for NoHttps {
/// #     fn fetch<'a>(
/// #         &'a self,
/// #         _: mta_sts_adapters::Request<'a>,
/// #     ) -> BoxFuture<'a, Result<mta_sts_adapters::Response, mta_sts_adapters::FetchFailure>> {
/// #         Box::pin(async { Err(mta_sts_adapters::FetchFailure::NoAddress) })
/// #     }
/// # }
/// // A resolver that knows no record. Leave both out to ask the resolver of the operating system.
/// let mta_sts = MtaSts::builder().dns(NoRecords).https(NoHttps).build()?;
/// let outcome = mta_sts.policy_for(&PolicyDomain::parse("example.com")?);
/// assert_eq!(outcome.status(), Status::Absent);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct MtaSts {
    client: tokio::MtaSts,
    background: Arc<Background>,
}

impl MtaSts {
    /// A client in the making, with the defaults.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// The policy for a delivery: from memory where nothing is due, which takes no I/O and enters no
    /// runtime, else by a lookup, which all who ask for the same domain at the same time share.
    ///
    /// It waits for the lookup, unless the builder says otherwise by
    /// [`patience`](Builder::patience) or [`first_contact`](Builder::first_contact): then it returns
    /// what is held, or that nothing is known, and the lookup goes on.
    ///
    /// Where the policy is due for a refresh and no [`refresher`](Self::refresher) sees to it, one
    /// begins in the background.
    pub fn policy_for(&self, domain: &PolicyDomain) -> Outcome {
        if let Some(outcome) = self.policy_in_memory(domain) {
            return outcome;
        }
        let (client, domain) = self.asking(domain);
        self.background.wait(async move { client.policy_for(&domain).await })
    }

    /// The policy for a delivery if memory has the answer: no I/O, no wait, no runtime.
    pub fn policy_in_memory(&self, domain: &PolicyDomain) -> Option<Outcome> {
        self.client.recall(domain, || Some(self.background.handle().clone()))
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
        let (client, domain) = self.asking(domain);
        self.background.wait(async move { client.recheck(&domain).await })
    }

    /// Fetches the policy again ahead of its end: [`Recheck::Refresh`].
    pub fn refresh(&self, domain: &PolicyDomain) -> Outcome {
        let (client, domain) = self.asking(domain);
        self.background.wait(async move { client.refresh(&domain).await })
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
        let (client, domain) = self.asking(domain);
        self.background.wait(async move { client.candidates(&domain).await })
    }

    /// Asks DNS between a delivery that the policy refused and a bounce, as RFC 8461 §5 demands. See
    /// [`tokio::MtaSts::gate`] for how gates wait for each other.
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
        let client = self.client.clone();
        self.background.wait(async move { client.gate(retry).await })
    }

    /// Forgets a domain, here and in the store. Returns `true` if there was something to forget.
    ///
    /// # Errors
    /// The store failed: nothing is forgotten.
    pub fn forget(&self, domain: &PolicyDomain) -> Result<bool, StoreError> {
        let (client, domain) = self.asking(domain);
        self.background.wait(async move { client.forget(&domain).await })
    }

    /// Drops from memory and from the store what says nothing any more (see
    /// [`Store::prune`](crate::Store::prune)). Returns the number of entries that were dropped. Once
    /// a day is often enough.
    ///
    /// # Errors
    /// The store failed.
    pub fn prune(&self) -> Result<usize, StoreError> {
        let client = self.client.clone();
        self.background.wait(async move { client.prune().await })
    }

    /// Writes to the store what it has yet to take. It is done in the background anyway, within
    /// seconds; call it before the process ends.
    ///
    /// # Errors
    /// The store failed. What it did not take stays in memory.
    pub fn flush(&self) -> Result<(), StoreError> {
        let client = self.client.clone();
        self.background.wait(async move { client.flush().await })
    }

    /// Why the store last failed; `None` where it works.
    pub fn store_trouble(&self) -> Option<StoreError> {
        self.client.store_trouble()
    }

    /// The limits of all lookups.
    pub fn limits(&self) -> Limits {
        self.client.limits()
    }

    /// The time by the client's clock.
    pub fn now(&self) -> UnixTime {
        self.client.now()
    }

    /// What the client has done so far, and what it holds in memory now. It looks at every entry
    /// there.
    pub fn metrics(&self) -> Snapshot {
        self.client.metrics()
    }

    /// The same as Prometheus text, or for a registry.
    #[cfg(feature = "prometheus")]
    pub fn exporter(&self) -> crate::Exporter {
        self.client.exporter()
    }

    /// What a task of the runtime needs to ask about the domain.
    fn asking(&self, domain: &PolicyDomain) -> (tokio::MtaSts, PolicyDomain) {
        (self.client.clone(), domain.clone())
    }
}

impl fmt::Debug for MtaSts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MtaSts").field("client", &self.client).finish_non_exhaustive()
    }
}
