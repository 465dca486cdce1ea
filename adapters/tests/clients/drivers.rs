//! The two clients, seen from a thread that may block.

use mta_sts_adapters::delivery::{Delivery, Mx, Requirements, Retry};
use mta_sts_adapters::schedule::Alert;
use mta_sts_adapters::{
    Bounce, BuildError, Builder, DnsFailure, HickoryDns, Outcome, PolicyDomain, Snapshot, blocking,
    tokio,
};
use mta_sts_lab::Lab;

use crate::lab_client::trusting;

/// A client.
pub(crate) trait Driver: Clone + Send + 'static {
    type Dns: ?Sized;
    type Https: ?Sized;
    type Refresher: Refresher;

    fn resolver(lab: &Lab) -> Builder<Self::Dns, Self::Https>;
    fn build(builder: Builder<Self::Dns, Self::Https>) -> Self;
    fn policy_for(&self, domain: &PolicyDomain) -> Outcome;
    fn in_memory(&self, domain: &PolicyDomain) -> Option<Outcome>;
    fn recheck(&self, domain: &PolicyDomain) -> Outcome;
    fn delivery(&self, domain: &PolicyDomain) -> (Delivery, Outcome);
    fn candidates(&self, domain: &PolicyDomain) -> Result<Vec<Mx>, DnsFailure>;
    fn gate(&self, retry: Retry) -> Bounce;
    fn refresher(
        &self,
        alert: impl FnMut(Alert, &Outcome) + Send + 'static,
    ) -> Result<Self::Refresher, BuildError>;
    fn metrics(&self) -> Snapshot;
    #[cfg(feature = "prometheus")]
    fn exporter(&self) -> mta_sts_adapters::Exporter;

    /// A builder that asks the lab and trusts it.
    fn builder(lab: &Lab) -> Builder<Self::Dns, Self::Https> {
        trusting(Self::resolver(lab), lab)
    }
}

pub(crate) trait Refresher {
    fn wake(&self);
    fn shutdown(self);
}

#[derive(Clone)]
pub(crate) struct Blocking(blocking::MtaSts);

impl Driver for Blocking {
    type Dns = dyn blocking::Dns;
    type Https = dyn blocking::Https;
    type Refresher = blocking::Refresher;

    fn resolver(lab: &Lab) -> blocking::Builder {
        let dns = blocking::DnsThread::new(HickoryDns::servers([lab.dns_addr()]));
        blocking::MtaSts::builder().dns(dns.expect("a thread"))
    }

    fn build(builder: blocking::Builder) -> Self {
        Self(builder.build().expect("a client"))
    }

    fn policy_for(&self, domain: &PolicyDomain) -> Outcome {
        self.0.policy_for(domain)
    }

    fn in_memory(&self, domain: &PolicyDomain) -> Option<Outcome> {
        self.0.policy_in_memory(domain)
    }

    fn recheck(&self, domain: &PolicyDomain) -> Outcome {
        self.0.recheck(domain)
    }

    fn delivery(&self, domain: &PolicyDomain) -> (Delivery, Outcome) {
        self.0.delivery(domain, Requirements::default())
    }

    fn candidates(&self, domain: &PolicyDomain) -> Result<Vec<Mx>, DnsFailure> {
        self.0.candidates(domain)
    }

    fn gate(&self, retry: Retry) -> Bounce {
        self.0.gate(retry)
    }

    fn refresher(
        &self,
        alert: impl FnMut(Alert, &Outcome) + Send + 'static,
    ) -> Result<blocking::Refresher, BuildError> {
        self.0.refresher(alert)
    }

    fn metrics(&self) -> Snapshot {
        self.0.metrics()
    }

    #[cfg(feature = "prometheus")]
    fn exporter(&self) -> mta_sts_adapters::Exporter {
        self.0.exporter()
    }
}

impl Refresher for blocking::Refresher {
    fn wake(&self) {
        self.wake();
    }

    fn shutdown(self) {
        self.shutdown();
    }
}

/// The client for tokio, and the runtime on which it works in the background.
#[derive(Clone)]
pub(crate) struct Tokio {
    client: tokio::MtaSts,
    runtime: std::sync::Arc<::tokio::runtime::Runtime>,
}

impl Driver for Tokio {
    type Dns = dyn mta_sts_adapters::Dns;
    type Https = dyn mta_sts_adapters::Https;
    type Refresher = TokioRefresher;

    fn resolver(lab: &Lab) -> tokio::Builder {
        tokio::MtaSts::builder().dns(HickoryDns::servers([lab.dns_addr()]))
    }

    fn build(builder: tokio::Builder) -> Self {
        let mut runtime = ::tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(2).enable_all().build().expect("a runtime").into();
        Self { client: builder.build().expect("a client"), runtime }
    }

    fn policy_for(&self, domain: &PolicyDomain) -> Outcome {
        self.runtime.block_on(self.client.policy_for(domain))
    }

    fn in_memory(&self, domain: &PolicyDomain) -> Option<Outcome> {
        // Outside of the runtime, as a caller may be.
        self.client.policy_in_memory(domain)
    }

    fn recheck(&self, domain: &PolicyDomain) -> Outcome {
        self.runtime.block_on(self.client.recheck(domain))
    }

    fn delivery(&self, domain: &PolicyDomain) -> (Delivery, Outcome) {
        self.runtime.block_on(self.client.delivery(domain, Requirements::default()))
    }

    fn candidates(&self, domain: &PolicyDomain) -> Result<Vec<Mx>, DnsFailure> {
        self.runtime.block_on(self.client.candidates(domain))
    }

    fn gate(&self, retry: Retry) -> Bounce {
        self.runtime.block_on(self.client.gate(retry))
    }

    fn refresher(
        &self,
        alert: impl FnMut(Alert, &Outcome) + Send + 'static,
    ) -> Result<TokioRefresher, BuildError> {
        let _entered = self.runtime.enter();
        let (runtime, refresher) = (self.runtime.clone(), self.client.refresher(alert));
        Ok(TokioRefresher { runtime, refresher })
    }

    fn metrics(&self) -> Snapshot {
        self.client.metrics()
    }

    #[cfg(feature = "prometheus")]
    fn exporter(&self) -> mta_sts_adapters::Exporter {
        self.client.exporter()
    }
}

pub(crate) struct TokioRefresher {
    runtime: std::sync::Arc<::tokio::runtime::Runtime>,
    refresher: tokio::Refresher,
}

impl Refresher for TokioRefresher {
    fn wake(&self) {
        self.refresher.wake();
    }

    fn shutdown(self) {
        self.runtime.block_on(self.refresher.shutdown());
    }
}
