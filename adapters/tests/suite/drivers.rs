//! The clients under test, seen from a thread that may block.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use mta_sts_adapters::{Limits, Memory, Outcome, PolicyDomain, Recheck};
use mta_sts_lab::Lab;

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

/// A client under test.
pub(crate) trait Client {
    fn lookup(&self, domain: &PolicyDomain, recheck: Recheck) -> Outcome;
}

/// A kind of client.
#[derive(Clone, Copy)]
pub(crate) struct Driver {
    pub(crate) name: &'static str,
    pub(crate) make: fn(&Making<'_>) -> Box<dyn Client>,
}

pub(crate) const DRIVERS: &[Driver] = &[
    #[cfg(feature = "tokio")]
    Driver { name: "tokio", make: on_tokio::make },
    #[cfg(feature = "blocking")]
    Driver { name: "blocking", make: on_threads::make },
];

#[cfg(feature = "tokio")]
mod on_tokio {
    use std::sync::Arc;

    use mta_sts_adapters::tokio::MtaSts;
    use mta_sts_adapters::{HickoryDns, Outcome, PolicyDomain, Recheck, Roots};
    use tokio::runtime::{self, Runtime};

    use super::{Client, Making, Setting};

    struct OnTokio(Runtime, MtaSts);

    pub(super) fn make(making: &Making<'_>) -> Box<dyn Client> {
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
        Box::new(OnTokio(runtime.expect("a runtime"), client.expect("a client")))
    }

    impl Client for OnTokio {
        fn lookup(&self, domain: &PolicyDomain, recheck: Recheck) -> Outcome {
            self.0.block_on(self.1.lookup(domain, recheck))
        }
    }
}

#[cfg(feature = "blocking")]
mod on_threads {
    use std::sync::Arc;

    use mta_sts_adapters::blocking::{DnsThread, MtaSts};
    use mta_sts_adapters::{HickoryDns, Outcome, PolicyDomain, Recheck, Roots};

    use super::{Client, Making, Setting};

    pub(super) fn make(making: &Making<'_>) -> Box<dyn Client> {
        let dns = DnsThread::new(HickoryDns::servers([making.dns()]));
        let client = MtaSts::builder()
            .dns(dns.expect("a thread"))
            .roots(Roots::GivenOnly)
            .extra_root(making.lab.ca_pem())
            .policy_port(making.lab.https_port())
            .allow_private_addresses(making.setting != Setting::PublicOnly)
            .connect_elsewhere(making.detour())
            .limits(making.limits)
            .store(Arc::clone(&making.store))
            .build();
        Box::new(client.expect("a client"))
    }

    impl Client for MtaSts {
        fn lookup(&self, domain: &PolicyDomain, recheck: Recheck) -> Outcome {
            Self::lookup(self, domain, recheck)
        }
    }
}
