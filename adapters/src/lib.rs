//! DNS, HTTPS and stores for the [`mta_sts`] state machine: all that does I/O for it.
//!
//! The core decides; what is here asks. Nothing in this crate knows what an answer means, so a
//! driver of your own, or a part of one, is a matter of I/O alone.
//!
//! # On tokio
#![cfg_attr(
    all(feature = "tokio", feature = "hickory-resolver", feature = "sqlite"),
    doc = "```no_run
use mta_sts_adapters::delivery::{Candidate, Conclusion, Requirements, Session};
use mta_sts_adapters::tokio::MtaSts;
use mta_sts_adapters::{PolicyDomain, Sqlite};

# async fn example() -> Result<(), Box<dyn std::error::Error>> {
let client = MtaSts::builder().store(Sqlite::open(\"policies.db\")?).build()?;
// Held policies are fetched again ahead of their end; what an administrator should see is told.
let refresher = client.refresher(|alert, _| eprintln!(\"{alert}\"));

let domain = PolicyDomain::parse(\"example.com\")?;
let (mut delivery, outcome) = client.delivery(&domain, Requirements::default()).await;
println!(\"{domain}: {}\", outcome.status());
for mx in client.candidates(&domain).await? {
    match delivery.candidate(&mx) {
        // Connect, say EHLO and STARTTLS, and have the session judged: see `MxTls`.
        Candidate::Connect(attempt) => {
            let verdict = delivery.judge(attempt, Session::NotReached);
            println!(\"refused: {}\", verdict.is_refused());
        }
        Candidate::Skip(result) => eprintln!(\"{:?}\", result.failure()),
    }
}
// No host took it. The mail stays queued; when its time is over, DNS is asked again.
if let Conclusion::Retry(retry) = delivery.conclude() {
    let may_bounce = client.gate(retry).await.permitted().is_some();
    println!(\"may bounce: {may_bounce}\");
}

refresher.shutdown().await;
client.flush().await?;
# Ok(())
# }
```"
)]
//! # On threads
#![cfg_attr(
    all(feature = "blocking", feature = "hickory-resolver", feature = "sqlite"),
    doc = "```no_run
use mta_sts_adapters::blocking::MtaSts;
use mta_sts_adapters::delivery::{Candidate, Conclusion, Requirements, Session};
use mta_sts_adapters::{PolicyDomain, Sqlite};

# fn example() -> Result<(), Box<dyn std::error::Error>> {
let client = MtaSts::builder().store(Sqlite::open(\"policies.db\")?).build()?;
let refresher = client.refresher(|alert, _| eprintln!(\"{alert}\"));

let domain = PolicyDomain::parse(\"example.com\")?;
let (mut delivery, outcome) = client.delivery(&domain, Requirements::default());
println!(\"{domain}: {}\", outcome.status());
for mx in client.candidates(&domain)? {
    match delivery.candidate(&mx) {
        Candidate::Connect(attempt) => {
            let verdict = delivery.judge(attempt, Session::NotReached);
            println!(\"refused: {}\", verdict.is_refused());
        }
        Candidate::Skip(result) => eprintln!(\"{:?}\", result.failure()),
    }
}
if let Conclusion::Retry(retry) = delivery.conclude() {
    let may_bounce = client.gate(retry).permitted().is_some();
    println!(\"may bounce: {may_bounce}\");
}

refresher.shutdown();
client.flush()?;
# Ok(())
# }
```"
)]
//!
//! `examples/send.rs` sends real mail this way.
//!
//! # Parts
//!
//! | part | where | feature | brings |
//! |---|---|---|---|
//! | client for tokio | [`tokio`](mod@crate::tokio) | `tokio` | `tokio`, `hyper`, `rustls` with `ring`, `tracing` |
//! | client for threads | `blocking` | `blocking` | the client for tokio, on a runtime of its own |
//! | DNS | [`Dns`], `HickoryDns` | `hickory-resolver` | `hickory-resolver`, `tokio` |
//! | HTTPS | [`Https`], `tokio::HyperHttps` | that of the client | |
//! | trusted roots | `Roots` | `native-roots`, `webpki-roots` | `rustls-native-certs`, `webpki-roots` |
//! | cryptography | `CryptoProvider` | `aws-lc-rs` beside `ring` | `aws-lc-rs` |
//! | a store in memory | [`Memory`] | | |
//! | a store in one file | `Sqlite` | `sqlite` | `rusqlite` with its own `SQLite` |
//! | a store for many machines | `Redis` | `redis`; `redis-tls` for TLS to it | `redis`; `rustls` with `ring` |
//! | TLS to MX hosts | `MxTls`, `HandshakeFailure` | that of a client | |
//! | counters | `Snapshot`, `Exporter` | `prometheus` for the text | `prometheus-client` |
//!
//! A feature adds, and never changes what is decided.
//!
//! # What a client does
//! - **One lookup of a domain at a time**: callers who want the same domain at the same time share
//!   one lookup, which goes on if they cease to wait. `recheck`, `refresh` and `gate` ask DNS for
//!   themselves, one after the other, and begin when the lookup in progress has ended. Each begins
//!   from what the one before has learnt, so that no two of them fetch at the same time.
//! - **Bounds**: lookups under way (1,024), fetches under way (64), fetches from one address (8),
//!   entries in memory (100,000), refreshes at a time (16); each is set in the builder. A flood of
//!   unknown domains pushes no unexpired policy out.
//! - **Waiting**: `policy_for` waits for its lookup. With `patience` it gives what is held when that
//!   is over; with `FirstContact::AnswerAtOnce` a domain of which nothing is held is answered at
//!   once. The lookup goes on in the background.
//! - **Refreshing**: a `refresher` fetches each held policy once a day, at times that cannot be
//!   foretold; where none runs, a delivery that uses a policy that is due begins it.
//! - **A store that fails** costs no mail and no protection: what it does not take stays in memory
//!   and is written later; `store_trouble` tells. One that cannot be read is not an empty one.
//! - **Events** by `tracing`: each lookup with domain, status, problem and the time left, at `warn`
//!   where a held policy is at stake or became weaker; spans `lookup`, `txt`, `fetch`,
//!   `store_read` and `store_write` at `debug`. No policy text is ever in them.
//! - **Counters**: `metrics` for a program, `exporter` for Prometheus.
//!
//! # Parts of one's own
//! Each part is behind a small trait and is replaced in the builder: [`Dns`], [`Https`] and
//! [`Store`], whose documentation says what it owes. None of them decides anything: an answer is
//! handed over as it came. On another runtime, or on none, drive the [machine](mta_sts) itself;
//! `examples/smol.rs` does so with these traits.
//!
//! # The form of what is stored
//! All stores keep the octets of [`Entry::to_bytes`], which carry a version: a later version of this
//! software reads those of earlier ones, and an earlier one takes those of a later for unreadable,
//! never for absent. Nothing in a store needs a backup: what is lost is fetched again as mail is
//! sent, at the price of a first contact that is not protected.

pub use mta_sts;
#[doc(no_inline)]
pub use mta_sts::*;

#[cfg(feature = "blocking")]
pub mod blocking;
#[cfg(feature = "tokio")]
mod bounce;
#[cfg(feature = "tokio")]
mod builder;
#[cfg(feature = "tokio")]
mod dial;
mod dns;
mod errors;
#[cfg(feature = "hickory-resolver")]
mod hickory;
mod https;
#[cfg(feature = "tokio")]
mod in_use;
#[cfg(feature = "tokio")]
mod keeper;
mod memory;
#[cfg(feature = "tokio")]
mod metrics;
#[cfg(feature = "tokio")]
mod mx_tls;
#[cfg(feature = "tokio")]
mod observe;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "tokio")]
mod silence;
#[cfg(feature = "sqlite")]
mod sqlite;
mod store;
#[cfg(feature = "tokio")]
mod tls;
#[cfg(feature = "tokio")]
pub mod tokio;

use std::pin::Pin;
use std::sync::Arc;
use std::time::SystemTime;

#[cfg(feature = "tokio")]
pub use crate::bounce::Bounce;
#[cfg(feature = "tokio")]
pub use crate::builder::{Builder, FirstContact};
pub use crate::dns::{Dns, MxAnswer, MxHost, TxtAnswer};
pub use crate::errors::{BuildError, StoreError};
#[cfg(feature = "hickory-resolver")]
pub use crate::hickory::HickoryDns;
pub use crate::https::{Body, Https, Request, Response};
pub use crate::memory::Memory;
#[cfg(all(feature = "prometheus", feature = "tokio"))]
pub use crate::metrics::Exporter;
#[cfg(feature = "tokio")]
#[doc(no_inline)]
pub use rustls;

#[cfg(feature = "tokio")]
pub use crate::metrics::{Count, Durations, Snapshot};
#[cfg(feature = "tokio")]
pub use crate::mx_tls::{MxHandshake, MxTls};
#[cfg(feature = "redis")]
pub use crate::redis::Redis;
#[cfg(feature = "sqlite")]
pub use crate::sqlite::Sqlite;
pub use crate::store::{Store, Stored};
#[cfg(feature = "tokio")]
pub use crate::tls::{CryptoProvider, HandshakeFailure, Roots};

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
