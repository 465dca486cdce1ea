//! A mail server's client, and all that it can reach: a DNS server and a web server on loopback,
//! and a clock that is set by hand.

use std::ops::AddAssign;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use mta_sts::{PolicyDomain, UnixTime};
use mta_sts_adapters::tokio::MtaSts;
use mta_sts_adapters::{BuildError, HickoryDns, Roots, system_clock};
use mta_sts_lab::{DnsQuery, Lab, RecordType};
use mta_sts_terminal::exit::Failure;
use serde::Serialize;

const DOMAIN: &str = "example.com";

pub(super) struct World {
    /// Whose policy the story is about.
    pub(super) domain: PolicyDomain,
    pub(super) lab: Lab,
    pub(super) client: MtaSts,
    clock: Arc<AtomicU64>,
}

/// How much was asked, as the servers saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub(super) struct Asked {
    /// Questions for TXT records.
    pub(super) txt: usize,
    /// Connections to the web server, whatever became of them.
    pub(super) https: usize,
}

impl World {
    pub(super) fn new() -> Result<Self, Failure> {
        let lab = Lab::start().map_err(|error| Failure::unknown("the world of the demo", error))?;
        let clock = Arc::new(AtomicU64::new(system_clock().as_secs()));
        let client = client(&lab, &clock).map_err(|error| Failure::unknown("the client", error))?;
        let domain =
            PolicyDomain::parse(DOMAIN).map_err(|error| Failure::unknown(DOMAIN, error))?;
        Ok(Self { domain, lab, client, clock })
    }

    pub(super) fn now(&self) -> UnixTime {
        UnixTime::from_secs(self.clock.load(Ordering::Relaxed))
    }

    pub(super) fn pass(&self, secs: u64) {
        self.clock.fetch_add(secs, Ordering::Relaxed);
    }

    /// Does `work`; tells what was asked meanwhile, by the logs of the servers.
    pub(super) async fn watch<T>(&self, work: impl Future<Output = T>) -> (T, Asked) {
        let (queries, hosts) = (self.lab.dns().queries(), self.lab.https());
        queries.take();
        let before = hosts.connections();
        let result = work.await;
        let is_txt = |query: &DnsQuery| query.rtype == RecordType::Txt;
        let txt = queries.take().into_iter().filter(is_txt).count();
        (result, Asked { txt, https: hosts.connections().saturating_sub(before) })
    }
}

fn client(lab: &Lab, clock: &Arc<AtomicU64>) -> Result<MtaSts, BuildError> {
    let clock = Arc::clone(clock);
    MtaSts::builder()
        .dns(HickoryDns::servers([lab.dns_addr()]))
        .roots(Roots::GivenOnly)
        .extra_root(lab.ca_der())
        .policy_port(lab.https_port())
        .allow_private_addresses(true)
        .clock(Arc::new(move || UnixTime::from_secs(clock.load(Ordering::Relaxed))))
        .build()
}

impl AddAssign for Asked {
    fn add_assign(&mut self, other: Self) {
        self.txt = self.txt.saturating_add(other.txt);
        self.https = self.https.saturating_add(other.https);
    }
}
