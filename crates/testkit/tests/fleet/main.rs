//! Fleets of senders under attack: see `mta_sts_testkit::fleet`.

mod attack;
mod clocks;
mod findings;
mod rates;
mod smallest;
