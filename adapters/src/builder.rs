//! The settings of a client, whichever face it is to have.

use std::fmt;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mta_sts::{Held, Limits, UnixTime};

use crate::dial::{Dial, USER_AGENT};
use crate::memory::DEFAULT_CAPACITY;
use crate::tls::{CryptoProvider, Roots, TlsOptions};
use crate::{BuildError, Clock, Dns, Https, MxTls, Store, system_clock};

/// A client `C` in the making. See `tokio::Builder` and `blocking::Builder`.
#[must_use = "it makes nothing before `build`"]
pub struct Builder<C> {
    pub(crate) dns: Option<Arc<dyn Dns>>,
    pub(crate) https: Option<Arc<dyn Https>>,
    pub(crate) store: Option<Arc<dyn Store>>,
    pub(crate) tls: TlsOptions,
    pub(crate) clock: Clock,
    pub(crate) limits: Limits,
    pub(crate) memory_entries: usize,
    pub(crate) concurrent_lookups: usize,
    pub(crate) concurrent_fetches: usize,
    pub(crate) concurrent_refreshes: usize,
    pub(crate) dial: Dial,
    pub(crate) wait: Wait,
    pub(crate) user_agent: String,
    client: PhantomData<fn() -> C>,
}

/// What a delivery does where nothing is known of its domain yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum FirstContact {
    /// It waits for the lookup.
    #[default]
    Wait,
    /// It is told at once that nothing is known ([`Status::Unknown`](mta_sts::Status::Unknown)),
    /// and the lookup goes on in the background. Mail that is delivered then goes unprotected, as
    /// without MTA-STS; mail that is deferred finds the policy at its next try.
    AnswerAtOnce,
}

/// How long a delivery waits for a lookup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wait {
    /// `None`: as long as it takes, which the limits of lookups bound.
    pub(crate) patience: Option<Duration>,
    pub(crate) first_contact: FirstContact,
}

impl Wait {
    /// Whether every delivery waits for its lookup to end.
    pub(crate) fn is_to_the_end(self) -> bool {
        self.patience.is_none() && self.first_contact == FirstContact::Wait
    }

    /// How long to wait for a lookup, given what is held; `None`: to its end.
    pub(crate) fn time(self, held: &Held, now: UnixTime) -> Option<Duration> {
        let entry = match held {
            Held::Entry(entry) | Held::Unreadable { notes: Some(entry) } => Some(entry),
            Held::Nothing | Held::Unreadable { notes: None } => None,
        };
        let is_first = entry.is_none_or(|entry| entry.policy(now).is_none());
        match self.first_contact {
            FirstContact::AnswerAtOnce if is_first => Some(Duration::ZERO),
            FirstContact::AnswerAtOnce | FirstContact::Wait => self.patience,
        }
    }
}

impl<C> Builder<C> {
    pub(crate) fn new() -> Self {
        Self {
            dns: None,
            https: None,
            store: None,
            tls: TlsOptions::default(),
            clock: Arc::new(system_clock),
            limits: Limits::default(),
            memory_entries: DEFAULT_CAPACITY,
            concurrent_lookups: 1_024,
            concurrent_fetches: 64,
            concurrent_refreshes: 16,
            dial: Dial::new(),
            wait: Wait { patience: None, first_contact: FirstContact::Wait },
            user_agent: USER_AGENT.to_owned(),
            client: PhantomData,
        }
    }

    /// With this resolver in place of the operating system's.
    pub fn dns(mut self, dns: impl Dns) -> Self {
        self.dns = Some(Arc::new(dns));
        self
    }

    /// With this HTTPS client in place of [`HyperHttps`](crate::tokio::HyperHttps). The settings for
    /// roots, cryptography, port, addresses and user agent do not count then.
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

    /// TLS to the hosts of a delivery, with the roots and the cryptography that are set so far.
    ///
    /// # Errors
    /// [`BuildError`] where there is no root, or one that is given is none.
    pub fn mx_tls(&self) -> Result<MxTls, BuildError> {
        MxTls::new(&self.tls)
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

    /// How many policies may be fetched at the same time from one address: 8 unless set, and at
    /// least 1. Others wait for their turn, within the time of their fetch. Who publishes records
    /// for thousands of domains cannot make a client hammer a host of his choice.
    pub fn fetches_per_address(mut self, fetches: usize) -> Self {
        self.dial.per_address = fetches.max(1);
        self
    }

    /// How many lookups may be under way at the same time: 1,024 unless set, and at least 1. Others
    /// wait for their turn; such as would go on in the background are not begun.
    pub fn concurrent_lookups(mut self, lookups: usize) -> Self {
        self.concurrent_lookups = lookups.max(1);
        self
    }

    /// The number of policies that a refresher fetches at the same time: 16 unless set, and at
    /// least 1. With 16 the refreshes are [fair](mta_sts::schedule#fairness) beside 25,000 other
    /// domains, with 64 beside 100,000.
    pub fn concurrent_refreshes(mut self, refreshes: usize) -> Self {
        self.concurrent_refreshes = refreshes.max(1);
        self
    }

    /// How long `policy_for` waits for DNS and HTTPS: as long as the [limits](Self::limits) of a
    /// lookup allow unless set. Whose patience is over is told what is held, or that nothing is
    /// known ([`Problem::NotAwaited`](mta_sts::Problem::NotAwaited)), and the lookup goes on in the
    /// background. What the store holds is always waited for: silence must not stand for nothing.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.wait.patience = Some(patience);
        self
    }

    /// What `policy_for` does where no policy is held; [`FirstContact::Wait`] unless set.
    pub fn first_contact(mut self, first_contact: FirstContact) -> Self {
        self.wait.first_contact = first_contact;
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

impl<C> Clone for Builder<C> {
    fn clone(&self) -> Self {
        Self {
            dns: self.dns.clone(),
            https: self.https.clone(),
            store: self.store.clone(),
            tls: self.tls.clone(),
            clock: Arc::clone(&self.clock),
            limits: self.limits,
            memory_entries: self.memory_entries,
            concurrent_lookups: self.concurrent_lookups,
            concurrent_fetches: self.concurrent_fetches,
            concurrent_refreshes: self.concurrent_refreshes,
            dial: self.dial.clone(),
            wait: self.wait,
            user_agent: self.user_agent.clone(),
            client: PhantomData,
        }
    }
}

impl<C> fmt::Debug for Builder<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("dns", &self.dns)
            .field("https", &self.https)
            .field("store", &self.store)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
