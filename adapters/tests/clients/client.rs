//! The client for tokio, seen from a thread that may block.

use std::sync::Arc;

use mta_sts_adapters::delivery::{Delivery, Mx, Requirements, Retry};
use mta_sts_adapters::schedule::Alert;
use mta_sts_adapters::tokio::{self, Builder, MtaSts};
use mta_sts_adapters::{Bounce, DnsFailure, HickoryDns, Outcome, PolicyDomain, Snapshot};
use mta_sts_lab::Lab;

use ::tokio::runtime::{self, Runtime};

use crate::lab_client::trusting;

/// A builder that asks the lab and trusts it.
pub(crate) fn builder(lab: &Lab) -> Builder {
    trusting(MtaSts::builder().dns(HickoryDns::servers([lab.dns_addr()])), lab)
}

/// The client, and the runtime on which it works in the background.
#[derive(Clone)]
pub(crate) struct Client {
    client: MtaSts,
    runtime: Arc<Runtime>,
}

impl Client {
    pub(crate) fn build(builder: Builder) -> Self {
        let runtime = runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = Arc::new(runtime.expect("a runtime"));
        Self { client: builder.build().expect("a client"), runtime }
    }

    pub(crate) fn policy_for(&self, domain: &PolicyDomain) -> Outcome {
        self.runtime.block_on(self.client.policy_for(domain))
    }

    pub(crate) fn in_memory(&self, domain: &PolicyDomain) -> Option<Outcome> {
        // Outside of the runtime, as a caller may be.
        self.client.policy_in_memory(domain)
    }

    pub(crate) fn recheck(&self, domain: &PolicyDomain) -> Outcome {
        self.runtime.block_on(self.client.recheck(domain))
    }

    pub(crate) fn delivery(&self, domain: &PolicyDomain) -> (Delivery, Outcome) {
        self.runtime.block_on(self.client.delivery(domain, Requirements::default()))
    }

    pub(crate) fn candidates(&self, domain: &PolicyDomain) -> Result<Vec<Mx>, DnsFailure> {
        self.runtime.block_on(self.client.candidates(domain))
    }

    pub(crate) fn gate(&self, retry: Retry) -> Bounce {
        self.runtime.block_on(self.client.gate(retry))
    }

    pub(crate) fn refresher(
        &self,
        alert: impl FnMut(Alert, &Outcome) + Send + 'static,
    ) -> Refresher {
        let _entered = self.runtime.enter();
        let (runtime, refresher) = (self.runtime.clone(), self.client.refresher(alert));
        Refresher { runtime, refresher }
    }

    pub(crate) fn metrics(&self) -> Snapshot {
        self.client.metrics()
    }

    #[cfg(feature = "prometheus")]
    pub(crate) fn exporter(&self) -> mta_sts_adapters::Exporter {
        self.client.exporter()
    }
}

pub(crate) struct Refresher {
    runtime: Arc<Runtime>,
    refresher: tokio::Refresher,
}

impl Refresher {
    pub(crate) fn wake(&self) {
        self.refresher.wake();
    }

    pub(crate) fn shutdown(self) {
        self.runtime.block_on(self.refresher.shutdown());
    }
}
