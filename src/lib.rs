//! MTA-STS (RFC 8461) for whoever *sends* mail, as a protocol machine without I/O.
//!
//! Given a recipient's domain it tells whether TLS must be verified and which MX hosts are
//! legitimate; it keeps that decision safe from an attacker who controls DNS or blocks HTTPS; and
//! it says what went wrong, in the terms of TLSRPT (RFC 8460). DNS answers, HTTP responses, stored
//! entries and the clock go in; the next action comes out. It needs no `std`, does no I/O, and
//! allocates little. The package `mta-sts-adapters` drives it on tokio and on threads.
//!
//! ```
//! use mta_sts::lookup::{AfterHead, AfterTxt, Head, Start};
//! use mta_sts::{Entry, Held, Lookup, Mode, PolicyDomain, PolicyHostVerified, Status, UnixTime};
//!
//! # let mut database: Option<Entry> = None;
//! # let mut merge = |entry: &Entry| {
//! #     let mut merged = database.take().unwrap_or_else(|| entry.clone());
//! #     merged.merge(entry.clone()).expect("one domain");
//! #     database.insert(merged).clone()
//! # };
//! let now = UnixTime::from_secs(1_800_000_000);
//! let domain = PolicyDomain::parse("example.com")?;
//! // The store was read and holds nothing of the domain.
//! let outcome = match Lookup::new(domain, Held::Nothing).start(now) {
//!     Start::Done(outcome) => outcome,
//!     Start::QueryTxt(query) => {
//!         // Ask DNS for the TXT records at `query.name()`. Here the answer is made up.
//!         let store = match query.answered([["v=STSv1; id=20260101;"]], 300, now) {
//!             AfterTxt::Store(store) => store,
//!             AfterTxt::FetchPolicy(fetch) => {
//!                 // Fetch `fetch.url()`, with a certificate that is valid for `fetch.host()`.
//!                 let verified = PolicyHostVerified::assertion(fetch.host());
//!                 let content_type = Some(&b"text/plain"[..]);
//!                 let head = Head { status: 200, content_type, content_encoding: None };
//!                 match fetch.responded(verified, head, now) {
//!                     AfterHead::Store(store) => store,
//!                     AfterHead::ReadBody(mut body) => {
//!                         let text = "version: STSv1\nmode: enforce\nmx: *.example.net\n";
//!                         for chunk in [text, "max_age: 604800\n"] {
//!                             if body.chunk(chunk.as_bytes()).is_break() {
//!                                 break; // It is too large: `ended` refuses it.
//!                             }
//!                         }
//!                         body.ended(now)
//!                     }
//!                 }
//!             }
//!         };
//!         // Merge the entry into the store. The outcome speaks of what the store then holds.
//!         let merged = merge(store.entry());
//!         store.stored(merged)
//!     }
//! };
//! assert_eq!(outcome.status(), Status::Found);
//! assert_eq!(outcome.policy().map(|held| held.mode()), Some(Mode::Enforce));
//! # Ok::<(), mta_sts::NameError>(())
//! ```
//!
//! # The machine
//! ```text
//!  Lookup::start ──▶ QueryTxt ──▶ FetchPolicy ──▶ ReadBody ──▶ Store ──▶ Outcome
//!       │               │              │              │          ▲
//!       │               │ same id, or  │ failed       │ failed   │
//!       │               │ no usable id └──────────────┴──────────┤
//!       │               └────────────────────────────────────────┘
//!       └──▶ Outcome: the last TXT outcome is still within its time (no I/O)
//! ```
//! Every state owns what it needs and takes one reply. The reply consumes the state and returns
//! exactly what can follow. So a late reply, a second one, or one to the wrong question does not
//! compile:
//!
//! ```compile_fail,E0382
//! # fn f(query: mta_sts::lookup::QueryTxt, now: mta_sts::UnixTime) {
//! let first = query.absent(300, now);
//! let second = query.absent(300, now); // the question was answered
//! # }
//! ```
//! ```compile_fail,E0599
//! # fn f(query: mta_sts::lookup::QueryTxt, now: mta_sts::UnixTime) {
//! let step = query.ended(now); // no body was asked for
//! # }
//! ```
//! ```compile_fail,E0061
//! # fn f(store: mta_sts::lookup::Store) {
//! let outcome = store.stored(); // what does the store hold now?
//! # }
//! ```
//! ```compile_fail,E0382
//! # use mta_sts::lookup::{FetchPolicy, Head};
//! # fn f(first: FetchPolicy, second: FetchPolicy, head: Head<'_>, now: mta_sts::UnixTime) {
//! let verified = mta_sts::PolicyHostVerified::assertion(first.host());
//! let a = first.responded(verified, head, now);
//! let b = second.responded(verified, head, now); // the assertion was consumed
//! # }
//! ```
//! ```compile_fail,E0423
//! # fn f(fetch: mta_sts::lookup::FetchPolicy) {
//! let verified = mta_sts::PolicyHostVerified("mta-sts.example.com".into()); // only by assertion
//! # }
//! ```
//!
//! A failure of the network is a value in the outcome ([`Outcome::problem`]), never an error that
//! loses the held policy. Status and policy are separate: a timeout never looks like "no policy".
//!
//! # What the driver owes the machine
//! 1. Ask DNS for TXT records at exactly [`QueryTxt::name`](lookup::QueryTxt::name); follow CNAMEs;
//!    hand over the raw character-strings; tell "there is no such record" (NXDOMAIN, or NODATA with
//!    an SOA) from "no answer"; pass an extended DNS error along.
//! 2. Use HTTPS only; verify the certificate against
//!    [`FetchPolicy::host`](lookup::FetchPolicy::host) by SAN DNS-ID; send SNI; TLS 1.2 or later,
//!    used as RFC 7525 advises (RFC 8461 §7.2).
//! 3. Follow no redirect; use no HTTP cache, no cookies, and no proxy unless configured; offer no
//!    content coding.
//! 4. Hand over the head before the body.
//! 5. A body that was cut short is [`failed`](lookup::ReadBody::failed), never `ended`; so is one
//!    that ends with its TLS connection, without `close_notify`, where its length is not framed.
//! 6. Put one deadline, [`FetchPolicy::timeout`](lookup::FetchPolicy::timeout), over addresses,
//!    connection, TLS, head and body.
//! 7. Write the entry before replying [`stored`](lookup::Store::stored). A store applies it by
//!    [`Entry::merge`], atomically, and the reply takes the entry that the store holds then. If the
//!    store cannot be read, say so, and pass what is kept beside it as
//!    [notes](Held::Unreadable), so that the waits after failures hold.
//! 8. Pass wall time, of a clock within a minute of the true time. All that shares a store shares
//!    its clock to that extent. A clock that is wrong by more costs questions and waits, and a
//!    policy that it fetched lives for at most one more `max_age`.
//! 9. Dial a Policy Host only at addresses that [`policy_host_address`] allows, unless configured
//!    otherwise. The domain's owner names the host, so an attacker may choose the address.
//! 10. A lookup that is given up is `failed` with [`DnsFailureKind::Abandoned`] or
//!     [`FetchFailure::Abandoned`], so that it counts. A state that is dropped leaves no trace.
//! 11. Run one lookup of a domain at a time in one process. The fetch budget (4 at once, then one
//!     in 300 s) and the wait after a failed fetch are taken from the entry that a lookup reads, so
//!     lookups that overlap share neither: n of them may make n fetches, which then count as one.
//!     A lookup that starts after another has merged its
//!     [`FetchPolicy::entry`](lookup::FetchPolicy::entry) into the store knows of that fetch.
//!
//! What a delivery owes is listed in [`delivery`].
//!
//! # Map
//! | RFC | what it says | module | tests |
//! |---|---|---|---|
//! | 8461 §3.1 | the TXT record | [`record`] | `tests/vectors.rs`, `tests/rfc8461/` |
//! | 8461 §3.2 | the policy text | [`Policy`], [`PolicyRef`] | `tests/vectors.rs`, `tests/rfc8461/` |
//! | 8461 §3.3, §5.1 | discovery, the held policy | [`lookup`], [`Entry`] | `tests/decisions.rs`, `tests/model/`, `tests/merge/` |
//! | 8461 §3.3, §10.2 | refresh | [`schedule`] | `tests/schedule/` |
//! | 8461 §4.1 | MX patterns | [`MxPattern`] | `tests/vectors.rs` |
//! | 8461 §4.2, §5, §8.4 | delivery, the bounce gate | [`delivery`] | `tests/decisions.rs`, unit tests |
//! | 8461 §6 | what is reported | [`Outcome::is_reportable`], [`delivery::SessionResult`] | `tests/reports.rs` |
//!
//! Beside the core stand `mta-sts-lint` (diagnostics, publishing and removing a policy: RFC 8461
//! §8.1, §8.3), `mta-sts-tlsrpt` (reports: RFC 8460) and `mta-sts-adapters` (all that does I/O).
//!
//! Each MUST and SHOULD that binds a sender is listed in [`rfc8461`], with its test.
//!
//! Out of scope, and the caller's: SMTP itself, DANE and DNSSEC validation, the sending of reports.
//!
//! # Features
//! * `idna` (default): U-labels in names.
//! * `arbitrary`: `Arbitrary` for the value types, never for evidence.
//!
//! A feature adds functions and never changes what is decided.

#![no_std]
#![warn(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::string_slice,
    clippy::panic,
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    clippy::alloc_instead_of_core
)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::panic
    )
)]

extern crate alloc;
// `arbitrary` needs it, and is for tests only.
#[cfg(any(test, feature = "arbitrary"))]
extern crate std;

mod address;
#[cfg(feature = "arbitrary")]
mod any;
pub mod delivery;
mod entry;
mod error;
mod evidence;
mod failure;
pub mod lookup;
mod mx;
mod name;
mod policy;
mod profile;
pub mod record;
mod result_type;
pub mod schedule;
#[doc = include_str!("../docs/rfc8461.md")]
pub mod rfc8461 {}
mod time;

pub use address::policy_host_address;
pub use entry::{Entry, HeldPolicy};
pub use error::{
    AddressClass, EntryError, MergeError, MxPatternError, NameError, Place, PolicyError,
    RecordError, SelectionError,
};
pub use evidence::{DaneVerified, MxVerified, PolicyHostVerified};
pub use failure::{
    CertificateFault, DnsFailure, DnsFailureKind, ExtendedDnsError, FetchFailure, TlsAlert,
    TlsFailure,
};
pub use lookup::{
    BounceToken, Decision, Held, Limits, Lookup, Outcome, PolicyChange, Problem, Recheck, Status,
    Step, Urgency,
};
pub use mx::MxPattern;
pub use name::{DnsName, PolicyDomain};
pub use policy::{
    MAX_POLICY_OCTETS, MaxAge, Mode, Policy, PolicyRef, Profile, Tolerance, ToleranceKind,
};
pub use record::{PolicyId, Record};
pub use result_type::{ResultType, UnknownResultType};
pub use schedule::{Alert, Schedule};
pub use time::UnixTime;
