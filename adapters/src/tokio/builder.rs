//! The making of a client.

use std::sync::Arc;

use hyper::header::HeaderValue;
use mta_sts::Limits;
use tokio::sync::Semaphore;

use super::MtaSts;
use super::drive::Driver;
use super::fetch::HyperHttps;
use crate::dial::USER_AGENT;
use crate::keeper::Keeper;
use crate::memory::DEFAULT_CAPACITY;
use crate::tls::{CryptoProvider, Roots, TlsOptions};
use crate::{BuildError, Clock, Dns, Https, Store, system_clock};

/// A client in the making.
///
/// ```no_run
/// use std::time::Duration;
/// use mta_sts_adapters::Limits;
/// use mta_sts_adapters::tokio::MtaSts;
///
/// # #[cfg(all(feature = "hickory-resolver", feature = "native-roots"))] {
/// let limits = Limits::default().with_fetch_timeout(Duration::from_secs(20));
/// let mta_sts = MtaSts::builder().limits(limits).memory_entries(1_000_000).build()?;
/// # }
/// # Ok::<(), mta_sts_adapters::BuildError>(())
/// ```
#[derive(Clone)]
#[must_use = "it makes nothing before `build`"]
pub struct Builder {
    dns: Option<Arc<dyn Dns>>,
    https: Option<Arc<dyn Https>>,
    store: Option<Arc<dyn Store>>,
    tls: TlsOptions,
    clock: Clock,
    limits: Limits,
    memory_entries: usize,
    concurrent_fetches: usize,
    port: u16,
    any_address: bool,
    user_agent: String,
}

impl Builder {
    pub(super) fn new() -> Self {
        Self {
            dns: None,
            https: None,
            store: None,
            tls: TlsOptions::default(),
            clock: Arc::new(system_clock),
            limits: Limits::default(),
            memory_entries: DEFAULT_CAPACITY,
            concurrent_fetches: 64,
            port: 443,
            any_address: false,
            user_agent: USER_AGENT.to_owned(),
        }
    }

    /// With this resolver in place of the operating system's.
    pub fn dns(mut self, dns: impl Dns) -> Self {
        self.dns = Some(Arc::new(dns));
        self
    }

    /// With this HTTPS client in place of [`HyperHttps`]. The settings for roots, cryptography,
    /// port, addresses and user agent do not count then.
    pub fn https(mut self, https: impl Https) -> Self {
        self.https = Some(Arc::new(https));
        self
    }

    /// With a store behind memory. Without one, memory is all there is.
    pub fn store(mut self, store: impl Store) -> Self {
        self.store = Some(Arc::new(store));
        self
    }

    /// Trusts one root more, in DER, or several in PEM.
    pub fn extra_root(mut self, certificate: impl Into<Vec<u8>>) -> Self {
        self.tls.given.push(certificate.into());
        self
    }

    /// Which roots are trusted beside the [given](Self::extra_root) ones; [`Roots::Native`] unless
    /// set.
    pub fn roots(mut self, roots: Roots) -> Self {
        self.tls.roots = roots;
        self
    }

    /// Which cryptography is used; ring unless set.
    pub fn crypto_provider(mut self, provider: CryptoProvider) -> Self {
        self.tls.provider = provider;
        self
    }

    /// The limits of all lookups.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// How many entries are kept in memory: 100,000 unless set. See
    /// [`Memory`](crate::Memory).
    pub fn memory_entries(mut self, entries: usize) -> Self {
        self.memory_entries = entries;
        self
    }

    /// How many policies may be fetched at the same time: 64 unless set, and at least 1. Others
    /// wait for their turn.
    pub fn concurrent_fetches(mut self, fetches: usize) -> Self {
        self.concurrent_fetches = fetches.clamp(1, Semaphore::MAX_PERMITS);
        self
    }

    /// The `User-Agent` of fetches: `mta-sts/`, the version and `(RFC 8461)` unless set.
    pub fn user_agent(mut self, user_agent: impl Into<String>) -> Self {
        self.user_agent = user_agent.into();
        self
    }

    /// The port of Policy Hosts in place of 443: for tests and demonstrations. RFC 8461 §3.3 knows
    /// no other than the one of `https`.
    pub fn policy_port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Dials Policy Hosts at any address, also inside the own network: for tests and
    /// demonstrations, and for who publishes policies on private addresses.
    pub fn allow_private_addresses(mut self, allow: bool) -> Self {
        self.any_address = allow;
        self
    }

    /// With another wall clock: for tests and demonstrations.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Makes the client.
    ///
    /// # Errors
    /// [`BuildError`] where something that it needs cannot be had.
    pub fn build(self) -> Result<MtaSts, BuildError> {
        let dns = self.dns.clone().map_or_else(default_dns, Ok)?;
        let https = match self.https.clone() {
            Some(https) => https,
            None => Arc::new(self.hyper(&dns)?),
        };
        let keeper = Arc::new(Keeper::new(self.memory_entries, self.store, self.clock));
        let fetches = Semaphore::new(self.concurrent_fetches);
        let limits = self.limits;
        let driver = Arc::new(Driver { keeper, dns, https, limits, fetches });
        Ok(MtaSts { driver, flights: Arc::default(), writer: Arc::default(), limits })
    }
}

impl Builder {
    fn hyper(&self, dns: &Arc<dyn Dns>) -> Result<HyperHttps, BuildError> {
        let user_agent = HeaderValue::from_str(&self.user_agent)
            .map_err(|_| BuildError::UserAgent(self.user_agent.clone()))?;
        Ok(HyperHttps {
            dns: Arc::clone(dns),
            tls: Arc::new(self.tls.config()?),
            port: self.port,
            any_address: self.any_address,
            user_agent,
        })
    }
}

#[cfg(feature = "hickory-resolver")]
fn default_dns() -> Result<Arc<dyn Dns>, BuildError> {
    Ok(Arc::new(crate::HickoryDns::system()?))
}

#[cfg(not(feature = "hickory-resolver"))]
fn default_dns() -> Result<Arc<dyn Dns>, BuildError> {
    Err(BuildError::NoResolver)
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder")
            .field("dns", &self.dns)
            .field("https", &self.https)
            .field("store", &self.store)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
