//! The tokio client against a real DNS and HTTPS server on loopback.
#![cfg(all(feature = "tokio", feature = "hickory-resolver"))]

#[path = "../suite/mod.rs"]
mod suite;

mod client;
mod stores;

use mta_sts_adapters::tokio::{Builder, MtaSts};
use mta_sts_adapters::{HickoryDns, Limits, Outcome, PolicyDomain, Recheck, Roots};
use mta_sts_testkit::lab::Lab;
use tokio::runtime::{self, Runtime};

/// A client's builder that asks the lab and trusts it.
fn builder(lab: &Lab) -> Builder {
    MtaSts::builder()
        .dns(HickoryDns::servers([lab.dns_addr()]))
        .roots(Roots::GivenOnly)
        .extra_root(lab.ca_pem())
        .policy_port(lab.https_port())
        .allow_private_addresses(true)
}

struct OnTokio {
    runtime: Runtime,
    client: MtaSts,
}

impl suite::Client for OnTokio {
    fn new(lab: &Lab, limits: Limits) -> Self {
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        let client = builder(lab).limits(limits).build().expect("a client");
        Self { runtime: runtime.expect("a runtime"), client }
    }

    fn lookup(&self, domain: &PolicyDomain, recheck: Recheck) -> Outcome {
        self.runtime.block_on(self.client.lookup(domain, recheck))
    }
}

#[test]
fn ok_txt_answers() {
    suite::run::<OnTokio>(suite::dns::TXT);
}

#[test]
fn ok_addresses() {
    suite::run::<OnTokio>(suite::dns::ADDRESSES);
}

#[test]
fn ok_tls() {
    suite::run::<OnTokio>(suite::https::TLS);
}

#[test]
fn ok_connections() {
    suite::run::<OnTokio>(suite::https::CONNECTION);
}

#[test]
fn ok_heads() {
    suite::run::<OnTokio>(suite::https::HEAD);
}

#[test]
fn ok_bodies() {
    suite::run::<OnTokio>(suite::https::BODY);
}
