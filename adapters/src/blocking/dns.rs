//! DNS for threads that may block.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use mta_sts::DnsFailure;

use crate::{MxAnswer, TxtAnswer};

/// A DNS resolver that blocks. It owes what [`crate::Dns`] does, and ends by the time it is given,
/// in seconds or less, as a [`DnsFailureKind::Timeout`](mta_sts::DnsFailureKind::Timeout).
pub trait Dns: fmt::Debug + Send + Sync + 'static {
    /// The TXT records of `name`. CNAMEs are followed.
    fn txt(&self, name: &str, timeout: Duration) -> TxtAnswer;

    /// The addresses of `host`, of both families, in the order in which they are to be tried; none
    /// where DNS proves that there are none.
    ///
    /// # Errors
    /// DNS gave no answer, and no address is known.
    fn addresses(&self, host: &str, timeout: Duration) -> Result<Vec<IpAddr>, DnsFailure>;

    /// The MX records of `domain`.
    fn mx(&self, domain: &str, timeout: Duration) -> MxAnswer;
}

#[cfg(feature = "hickory-resolver")]
pub use thread::DnsThread;

#[cfg(feature = "hickory-resolver")]
mod thread {
    use std::sync::Arc;
    use std::sync::mpsc::{RecvTimeoutError, sync_channel};
    use std::thread;

    use mta_sts::DnsFailureKind;
    use tokio::runtime::{self, Handle};
    use tokio::sync::oneshot;

    use super::{Dns, DnsFailure, Duration, IpAddr, MxAnswer, TxtAnswer, fmt};
    use crate::{BoxFuture, BuildError};

    /// An async resolver on a thread of its own, which ends with the last use of this.
    pub struct DnsThread {
        dns: Arc<dyn crate::Dns>,
        runtime: Handle,
        _stop: oneshot::Sender<()>,
    }

    impl DnsThread {
        /// Starts the thread.
        ///
        /// # Errors
        /// [`BuildError::Resolver`] where the system has no thread or no runtime to give.
        pub fn new(dns: impl crate::Dns) -> Result<Self, BuildError> {
            let failed = |error: std::io::Error| BuildError::Resolver(error.to_string());
            let runtime =
                runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
            let handle = runtime.handle().clone();
            let (stop, stopped) = oneshot::channel::<()>();
            thread::Builder::new()
                .name("mta-sts-dns".to_owned())
                .spawn(move || {
                    // An error says that the sender is gone, which is the signal.
                    let _ = runtime.block_on(stopped);
                })
                .map_err(failed)?;
            Ok(Self { dns: Arc::new(dns), runtime: handle, _stop: stop })
        }

        fn ask<T: Send + 'static>(
            &self,
            timeout: Duration,
            question: impl for<'a> FnOnce(&'a dyn crate::Dns) -> BoxFuture<'a, T> + Send + 'static,
        ) -> Result<T, DnsFailure> {
            let dns = Arc::clone(&self.dns);
            let (sender, receiver) = sync_channel(1);
            let asking = self.runtime.spawn(async move {
                // Who asked may have lost patience.
                let _ = sender.send(question(&*dns).await);
            });
            receiver.recv_timeout(timeout).map_err(|error| {
                asking.abort();
                DnsFailure::new(match error {
                    RecvTimeoutError::Timeout => DnsFailureKind::Timeout,
                    RecvTimeoutError::Disconnected => DnsFailureKind::Abandoned,
                })
            })
        }
    }

    impl Dns for DnsThread {
        fn txt(&self, name: &str, timeout: Duration) -> TxtAnswer {
            let name = name.to_owned();
            self.ask(timeout, move |dns| Box::pin(async move { dns.txt(&name).await }))
                .unwrap_or_else(TxtAnswer::Failed)
        }

        fn addresses(&self, host: &str, timeout: Duration) -> Result<Vec<IpAddr>, DnsFailure> {
            let host = host.to_owned();
            self.ask(timeout, move |dns| Box::pin(async move { dns.addresses(&host).await }))?
        }

        fn mx(&self, domain: &str, timeout: Duration) -> MxAnswer {
            let domain = domain.to_owned();
            self.ask(timeout, move |dns| Box::pin(async move { dns.mx(&domain).await }))
                .unwrap_or_else(MxAnswer::Failed)
        }
    }

    impl fmt::Debug for DnsThread {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.debug_struct("DnsThread").field("dns", &self.dns).finish_non_exhaustive()
        }
    }
}
