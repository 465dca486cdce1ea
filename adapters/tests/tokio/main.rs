//! The tokio client against a real DNS and HTTPS server on loopback.
#![cfg(all(feature = "tokio", feature = "hickory-resolver"))]

mod client;
#[path = "../support/lab_client.rs"]
mod lab_client;
mod stores;

use mta_sts_adapters::HickoryDns;
use mta_sts_adapters::tokio::{Builder, MtaSts};
use mta_sts_lab::Lab;

/// A client's builder that asks the lab and trusts it.
fn builder(lab: &Lab) -> Builder {
    lab_client::trusting(MtaSts::builder().dns(HickoryDns::servers([lab.dns_addr()])), lab)
}
