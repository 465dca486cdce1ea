//! The client under test, seen from a thread that may block.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use mta_sts_adapters::tokio::MtaSts;
use mta_sts_adapters::{HickoryDns, Limits, Memory, Outcome, PolicyDomain, Recheck, Roots};
use mta_sts_lab::Lab;
use tokio::runtime::{self, Runtime};

use crate::case::Setting;

/// How a client is made.
pub(crate) struct Making<'a> {
    pub(crate) lab: &'a Lab,
    pub(crate) setting: Setting,
    pub(crate) limits: Limits,
    pub(crate) store: Arc<Memory>,
}

impl Making<'_> {
    fn dns(&self) -> SocketAddr {
        match self.setting {
            Setting::NoDnsOverTcp => self.lab.dns_addr_without_tcp(),
            Setting::AnyAddress | Setting::PublicOnly => self.lab.dns_addr(),
        }
    }

    /// Nothing leaves the machine: what is not on loopback is led to the lab, where every address
    /// would be a Policy Host with a valid policy.
    fn detour(&self) -> impl Fn(SocketAddr) -> SocketAddr + Send + Sync + use<> {
        let lab = self.lab.https_addr();
        move |target| match target.ip() {
            IpAddr::V4(v4) if v4.is_loopback() => target,
            _ => lab,
        }
    }
}

/// A client under test, and its runtime.
pub(crate) struct Client(Runtime, MtaSts);

impl Client {
    pub(crate) fn new(making: &Making<'_>) -> Self {
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        let client = MtaSts::builder()
            .dns(HickoryDns::servers([making.dns()]))
            .roots(Roots::GivenOnly)
            .extra_root(making.lab.ca_pem())
            .policy_port(making.lab.https_port())
            .allow_private_addresses(making.setting != Setting::PublicOnly)
            .connect_elsewhere(making.detour())
            .limits(making.limits)
            .store(Arc::clone(&making.store))
            .build();
        Self(runtime.expect("a runtime"), client.expect("a client"))
    }

    pub(crate) fn lookup(&self, domain: &PolicyDomain, recheck: Recheck) -> Outcome {
        self.0.block_on(self.1.lookup(domain, recheck))
    }
}
