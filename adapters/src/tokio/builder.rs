//! The making of a client.

use std::sync::Arc;

use hyper::header::HeaderValue;
use tokio::sync::Semaphore;

use super::MtaSts;
use super::drive::Driver;
use super::fetch::HyperHttps;
use crate::in_use::InUse;
use crate::keeper::Keeper;
use crate::{BuildError, Dns};

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
pub type Builder = crate::builder::Builder<MtaSts>;

impl Builder {
    /// Makes the client.
    ///
    /// # Errors
    /// [`BuildError`] where something that it needs cannot be had.
    pub fn build(self) -> Result<MtaSts, BuildError> {
        self.client()
    }
}

impl<C> crate::builder::Builder<C> {
    /// Makes the one client that there is behind every face.
    pub(crate) fn client(self) -> Result<MtaSts, BuildError> {
        let dns = self.dns.clone().map_or_else(default_dns, Ok)?;
        let https = match self.https.clone() {
            Some(https) => https,
            None => Arc::new(self.hyper(&dns)?),
        };
        let keeper = Arc::new(Keeper::new(self.memory_entries, self.store, self.clock));
        let fetches = Semaphore::new(self.concurrent_fetches.min(Semaphore::MAX_PERMITS));
        let lookups = Semaphore::new(self.concurrent_lookups.min(Semaphore::MAX_PERMITS));
        let driver = Driver { keeper, dns, https, fetches };
        Ok(MtaSts {
            driver: Arc::new(driver),
            limits: self.limits,
            flights: Arc::default(),
            exclusion: Arc::default(),
            writer: Arc::default(),
            turns: Arc::new(lookups),
            wait: self.wait,
            refreshes: self.concurrent_refreshes,
        })
    }

    fn hyper(&self, dns: &Arc<dyn Dns>) -> Result<HyperHttps, BuildError> {
        let user_agent = HeaderValue::from_str(&self.user_agent)
            .map_err(|_| BuildError::UserAgent(self.user_agent.clone()))?;
        Ok(HyperHttps {
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
    Ok(Arc::new(crate::HickoryDns::system()?))
}

#[cfg(not(feature = "hickory-resolver"))]
fn default_dns() -> Result<Arc<dyn Dns>, BuildError> {
    Err(BuildError::NoResolver)
}
