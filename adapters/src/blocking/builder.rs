//! The making of a client.

use std::sync::Arc;

use super::drive::Driver;
use super::fetch::UreqHttps;
use super::turns::Turns;
use super::{Dns, Https, MtaSts};
use crate::BuildError;
use crate::in_use::InUse;
use crate::keeper::Keeper;

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
pub type Builder = crate::builder::Builder<dyn Dns, dyn Https>;

impl Builder {
    /// With this resolver in place of the operating system's. An async one is put on a thread by
    /// `DnsThread`.
    pub fn dns(mut self, dns: impl Dns) -> Self {
        self.dns = Some(Arc::new(dns));
        self
    }

    /// With this HTTPS client in place of [`UreqHttps`]. The settings for roots, cryptography,
    /// port, addresses and user agent do not count then.
    pub fn https(mut self, https: impl Https) -> Self {
        self.https = Some(Arc::new(https));
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
            None => Arc::new(self.ureq(&dns)?),
        };
        let keeper = Arc::new(Keeper::new(self.memory_entries, self.store, self.clock));
        let fetches = Arc::new(Turns::new(self.concurrent_fetches));
        let driver = Driver { keeper, dns, https, fetches };
        Ok(MtaSts {
            driver: Arc::new(driver),
            limits: self.limits,
            flights: Arc::default(),
            exclusion: Arc::default(),
            writer: Arc::default(),
            turns: Arc::new(Turns::new(self.concurrent_lookups)),
            wait: self.wait,
            refreshes: self.concurrent_refreshes,
        })
    }
}

impl Builder {
    fn ureq(&self, dns: &Arc<dyn Dns>) -> Result<UreqHttps, BuildError> {
        let user_agent = self.user_agent.clone();
        if !user_agent.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return Err(BuildError::UserAgent(user_agent));
        }
        Ok(UreqHttps {
            dns: Arc::clone(dns),
            tls: Arc::new(self.tls.config()?),
            dial: self.dial.clone(),
            user_agent,
            connections: InUse::default(),
        })
    }
}

#[cfg(feature = "hickory-resolver")]
fn default_dns() -> Result<Arc<dyn Dns>, BuildError> {
    Ok(Arc::new(super::DnsThread::new(crate::HickoryDns::system()?)?))
}

#[cfg(not(feature = "hickory-resolver"))]
fn default_dns() -> Result<Arc<dyn Dns>, BuildError> {
    Err(BuildError::NoResolver)
}
