//! DNS, HTTPS and stores for the [`mta_sts`] state machine: all that does I/O for it.
//!
//! The core decides; what is here asks. Nothing in this crate knows what an answer means, so a
//! driver of your own, or a part of one, is a matter of I/O alone.
//!
#![cfg_attr(
    all(feature = "tokio", feature = "hickory-resolver", feature = "native-roots"),
    doc = "```no_run
use mta_sts_adapters::PolicyDomain;
use mta_sts_adapters::tokio::MtaSts;

# async fn example() -> Result<(), Box<dyn std::error::Error>> {
let mta_sts = MtaSts::builder().build()?;
let outcome = mta_sts.policy_for(&PolicyDomain::parse(\"example.com\")?).await;
match outcome.policy() {
    Some(held) => println!(\"{}: {}\", outcome.status(), held.policy().mode()),
    None => println!(\"{}\", outcome.status()),
}
# Ok(())
# }
```"
)]
//!
//! # Parts
//!
//! | part | where | feature |
//! |---|---|---|
//! | client for tokio | [`tokio`](mod@crate::tokio) | `tokio` |
//! | client for threads | `blocking` | `blocking` |
//! | DNS | [`Dns`], `HickoryDns` | `hickory-resolver` |
//! | HTTPS | [`Https`], `tokio::HyperHttps` | `tokio` |
//! | stores | [`Store`], [`Memory`], `Sqlite` | `sqlite` |
//!
//! Each part is behind a small trait and can be replaced in the client's builder.

pub use mta_sts;
#[doc(no_inline)]
pub use mta_sts::*;

#[cfg(feature = "blocking")]
pub mod blocking;
#[cfg(any(feature = "blocking", feature = "tokio"))]
mod builder;
#[cfg(any(feature = "blocking", feature = "tokio"))]
mod dial;
mod dns;
mod errors;
#[cfg(feature = "hickory-resolver")]
mod hickory;
mod https;
#[cfg(any(feature = "blocking", feature = "tokio"))]
mod keeper;
mod memory;
#[cfg(any(feature = "blocking", feature = "tokio"))]
mod metrics;
#[cfg(any(feature = "blocking", feature = "tokio"))]
mod observe;
#[cfg(feature = "sqlite")]
mod sqlite;
mod store;
#[cfg(any(feature = "blocking", feature = "tokio"))]
mod tls;
#[cfg(feature = "tokio")]
pub mod tokio;
#[cfg(any(feature = "blocking", feature = "tokio"))]
mod writing;

use std::pin::Pin;
use std::sync::Arc;
use std::time::SystemTime;

#[cfg(any(feature = "blocking", feature = "tokio"))]
pub use crate::builder::{Builder, FirstContact};
pub use crate::dns::{Dns, MxAnswer, MxHost, TxtAnswer};
pub use crate::errors::{BuildError, StoreError};
#[cfg(feature = "hickory-resolver")]
pub use crate::hickory::HickoryDns;
pub use crate::https::{Body, Https, Request, Response};
pub use crate::memory::Memory;
#[cfg(all(feature = "prometheus", any(feature = "blocking", feature = "tokio")))]
pub use crate::metrics::Exporter;
#[cfg(any(feature = "blocking", feature = "tokio"))]
pub use crate::metrics::{Count, Durations, Snapshot};
#[cfg(feature = "sqlite")]
pub use crate::sqlite::Sqlite;
pub use crate::store::{Store, Stored};
#[cfg(any(feature = "blocking", feature = "tokio"))]
pub use crate::tls::{CryptoProvider, Roots};

/// A future that may be sent to another thread: what the methods of [`Dns`] and [`Https`] return.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A wall clock. The default is [`system_clock`]; a test or a demonstration brings its own.
pub type Clock = Arc<dyn Fn() -> UnixTime + Send + Sync>;

/// The wall clock of the operating system; the start of the epoch where it says something earlier.
pub fn system_clock() -> UnixTime {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    UnixTime::from_secs(since.map_or(0, |since| since.as_secs()))
}

/// The example of the README compiles.
#[cfg(all(doctest, feature = "tokio"))]
#[doc = include_str!("../../README.md")]
struct Readme;
