//! A client of the lab.

use mta_sts_adapters::{Builder, Roots};
use mta_sts_lab::Lab;

/// Trusts the lab and no other, and fetches from it.
pub(crate) fn trusting<C>(builder: Builder<C>, lab: &Lab) -> Builder<C> {
    builder
        .roots(Roots::GivenOnly)
        .extra_root(lab.ca_pem())
        .policy_port(lab.https_port())
        .allow_private_addresses(true)
}
