//! What the makings of both clients have in common.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use mta_sts::Limits;

use crate::dial::{Dial, USER_AGENT};
use crate::memory::DEFAULT_CAPACITY;
use crate::tls::{CryptoProvider, Roots, TlsOptions};
use crate::{Clock, Store, system_clock};

/// A client in the making: with resolvers `D` and HTTPS clients `H` of its own kind. See
/// `tokio::Builder` and `blocking::Builder`.
#[must_use = "it makes nothing before `build`"]
pub struct Builder<D: ?Sized, H: ?Sized> {
    pub(crate) dns: Option<Arc<D>>,
    pub(crate) https: Option<Arc<H>>,
    pub(crate) store: Option<Arc<dyn Store>>,
    pub(crate) tls: TlsOptions,
    pub(crate) clock: Clock,
    pub(crate) limits: Limits,
    pub(crate) memory_entries: usize,
    pub(crate) concurrent_fetches: usize,
    pub(crate) dial: Dial,
    pub(crate) user_agent: String,
}

impl<D: ?Sized, H: ?Sized> Builder<D, H> {
    pub(crate) fn new() -> Self {
        Self {
            dns: None,
            https: None,
            store: None,
            tls: TlsOptions::default(),
            clock: Arc::new(system_clock),
            limits: Limits::default(),
            memory_entries: DEFAULT_CAPACITY,
            concurrent_fetches: 64,
            dial: Dial::new(),
            user_agent: USER_AGENT.to_owned(),
        }
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
        self.concurrent_fetches = fetches.max(1);
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
        self.dial.port = port;
        self
    }

    /// Dials Policy Hosts at any address, also inside the own network: for tests and
    /// demonstrations, and for who publishes policies on private addresses.
    pub fn allow_private_addresses(mut self, allow: bool) -> Self {
        self.dial.any_address = allow;
        self
    }

    /// Connects elsewhere in place of an address that DNS gave and the filter let pass: for tests
    /// and demonstrations, whose Policy Hosts are not where DNS says. The certificate is verified
    /// as ever.
    pub fn connect_elsewhere(
        mut self,
        detour: impl Fn(SocketAddr) -> SocketAddr + Send + Sync + 'static,
    ) -> Self {
        self.dial.detour = Some(Arc::new(detour));
        self
    }

    /// With another wall clock: for tests and demonstrations.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }
}

impl<D: ?Sized, H: ?Sized> Clone for Builder<D, H> {
    fn clone(&self) -> Self {
        Self {
            dns: self.dns.clone(),
            https: self.https.clone(),
            store: self.store.clone(),
            tls: self.tls.clone(),
            clock: Arc::clone(&self.clock),
            limits: self.limits,
            memory_entries: self.memory_entries,
            concurrent_fetches: self.concurrent_fetches,
            dial: self.dial.clone(),
            user_agent: self.user_agent.clone(),
        }
    }
}

impl<D, H> fmt::Debug for Builder<D, H>
where
    D: fmt::Debug + ?Sized,
    H: fmt::Debug + ?Sized,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("dns", &self.dns)
            .field("https", &self.https)
            .field("store", &self.store)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
