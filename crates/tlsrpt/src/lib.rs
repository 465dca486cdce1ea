//! What is reported to a domain's owner (RFC 8460): who wants reports, what they say, and how they
//! are written. To send them is the caller's.
//!
//! * [`TlsrptRecord`]: the TXT record `_smtp._tls`, which says where reports go (§3);
//! * [`ReportedPolicy`], [`FailureDetails`]: what was applied to a session, and what failed (§4.3,
//!   §4.4), made from the outcome of a lookup or from what a delivery saw;
//! * [`Tally`]: the sessions of a day under one policy, added up (§4.2);
//! * [`Tallies`]: the tallies of all policies: one call counts a session;
//! * [`Report`]: the tallies of a day as the report (§4.4), JSON with the feature `serde`.
//!
//! ```
//! use mta_sts_tlsrpt::{DateRange, FailureDetails, Report, ReportedPolicy, Tally};
//! use mta_sts::{CertificateFault, DnsName, Policy, PolicyDomain, Profile, ResultType, UnixTime};
//!
//! let domain = PolicyDomain::parse("example.com")?;
//! let policy = Policy::parse(
//!     b"version: STSv1\r\nmode: testing\r\nmx: mx.example.com\r\nmax_age: 86400\r\n",
//!     Profile::Strict,
//! )?;
//! let mut tally = Tally::new(ReportedPolicy::applied(&domain, Some(&policy)));
//! tally.succeeded();
//! // A session that fails validation counts as failed in the mode `testing` too.
//! let fault = CertificateFault::Expired;
//! tally.failed([FailureDetails::new(fault.result_type())
//!     .with_failure_reason_code(fault.reason_code())
//!     .with_receiving_mx_hostname(&DnsName::parse("mx.example.com")?)]);
//!
//! let day = DateRange::day(UnixTime::from_secs(1_800_000_000));
//! let report = Report::new("Sender", "tls@sender.example", "2027-01-15_1", day, [tally])?;
//! let [policy] = report.policies() else { panic!("one policy was reported") };
//! assert_eq!(policy.total_successful_session_count(), 1);
//! assert_eq!(policy.total_failure_session_count(), 1);
//! assert_eq!(policy.failure_details()[0].result_type(), Some(ResultType::CertificateExpired));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

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

#[cfg(feature = "arbitrary")]
mod any;
mod destination;
mod error;
mod failure;
#[cfg(feature = "serde")]
mod json;
mod policy;
mod record;
mod report;
mod tallies;
mod tally;
mod text;
mod uri;

pub use destination::{MailAddress, ReportHost};
pub use error::{
    DateRangeError, MailboxFault, ReportError, TallyMergeError, TlsrptRecordError,
    TlsrptSelectionError,
};
pub use failure::{FailureDetails, HELD_NOTE};
pub use policy::{PolicyType, ReportedPolicy};
pub use record::{TlsrptRecord, record_name, select};
pub use report::{DateRange, MAX_POLICIES, PolicyReport, Report, ReportFormat};
pub use tallies::Tallies;
pub use tally::{MAX_COUNT, MAX_DETAILS, OMITTED, Tally};
pub use uri::{ReportScheme, ReportUri};
