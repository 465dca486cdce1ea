//! The tokio client against a real DNS and HTTPS server on loopback.
#![cfg(all(feature = "tokio", feature = "hickory-resolver"))]

mod client;
mod stores;

use mta_sts_adapters::tokio::{Builder, MtaSts};
use mta_sts_adapters::{HickoryDns, Roots};
use mta_sts_testkit::lab::Lab;

/// A client's builder that asks the lab and trusts it.
fn builder(lab: &Lab) -> Builder {
    MtaSts::builder()
        .dns(HickoryDns::servers([lab.dns_addr()]))
        .roots(Roots::GivenOnly)
        .extra_root(lab.ca_pem())
        .policy_port(lab.https_port())
        .allow_private_addresses(true)
}
