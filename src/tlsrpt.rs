//! What is reported to a domain's owner (RFC 8460): who wants reports, what they say, and how they
//! are written. To send them is the caller's.
//!
//! * [`TlsrptRecord`]: the TXT record `_smtp._tls`, which says where reports go (§3);
//! * [`ReportedPolicy`], [`FailureDetails`]: what was applied to a session, and what failed (§4.3,
//!   §4.4), made from the outcome of a lookup or from what a delivery saw;
//! * [`Tally`]: the sessions of a day under one policy, added up (§4.2);
//! * [`Report`]: the tallies of a day as the report (§4.4), JSON with the feature `serde`.
//!
//! ```
//! use mta_sts::tlsrpt::{DateRange, FailureDetails, Report, ReportedPolicy, Tally};
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

mod destination;
mod error;
mod failure;
#[cfg(feature = "serde")]
mod json;
mod policy;
mod record;
mod report;
mod tally;
mod text;
mod uri;

use core::fmt;
use core::str::FromStr;

pub use destination::{MailAddress, ReportHost};
pub use error::{
    DateRangeError, MailboxFault, ReportError, TallyMergeError, TlsrptRecordError,
    TlsrptSelectionError, UnknownResultType,
};
pub use failure::{FailureDetails, HELD_NOTE};
pub use policy::{PolicyType, ReportedPolicy};
pub use record::{TlsrptRecord, record_name, select};
pub use report::{DateRange, MAX_POLICIES, PolicyReport, Report, ReportFormat};
pub use tally::{MAX_COUNT, MAX_DETAILS, OMITTED, Tally};
pub use uri::{ReportScheme, ReportUri};

/// What went wrong, in the words of RFC 8460 §4.3.
///
/// ```
/// use mta_sts::ResultType;
///
/// let result = ResultType::parse("sts-webpki-invalid");
/// assert_eq!(result, Some(ResultType::StsWebpkiInvalid));
/// assert!("sts-unheard-of".parse::<ResultType>().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[non_exhaustive]
pub enum ResultType {
    /// The MX did not offer STARTTLS.
    StarttlsNotSupported,
    /// The certificate is for another name.
    CertificateHostMismatch,
    /// The certificate has expired.
    CertificateExpired,
    /// The certificate does not chain to a trusted root, or has another fault.
    CertificateNotTrusted,
    /// Anything else; the reason code says more.
    ValidationFailure,
    /// No record of a TLSA set was valid.
    TlsaInvalid,
    /// The resolver gave no valid records.
    DnssecInvalid,
    /// DANE was demanded, and no TLSA record is published.
    DaneRequired,
    /// The policy could not be fetched.
    StsPolicyFetchError,
    /// The policy is not valid.
    StsPolicyInvalid,
    /// The Policy Host's certificate is not valid.
    StsWebpkiInvalid,
}

impl ResultType {
    /// Every result type of RFC 8460 §4.3, in its order.
    pub const ALL: [Self; 11] = [
        Self::StarttlsNotSupported,
        Self::CertificateHostMismatch,
        Self::CertificateExpired,
        Self::CertificateNotTrusted,
        Self::ValidationFailure,
        Self::TlsaInvalid,
        Self::DnssecInvalid,
        Self::DaneRequired,
        Self::StsPolicyFetchError,
        Self::StsPolicyInvalid,
        Self::StsWebpkiInvalid,
    ];

    /// The value of `result-type`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::StarttlsNotSupported => "starttls-not-supported",
            Self::CertificateHostMismatch => "certificate-host-mismatch",
            Self::CertificateExpired => "certificate-expired",
            Self::CertificateNotTrusted => "certificate-not-trusted",
            Self::ValidationFailure => "validation-failure",
            Self::TlsaInvalid => "tlsa-invalid",
            Self::DnssecInvalid => "dnssec-invalid",
            Self::DaneRequired => "dane-required",
            Self::StsPolicyFetchError => "sts-policy-fetch-error",
            Self::StsPolicyInvalid => "sts-policy-invalid",
            Self::StsWebpkiInvalid => "sts-webpki-invalid",
        }
    }

    /// The result type that a value of `result-type` names, exact in case.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|result| result.as_str() == text)
    }
}

impl fmt::Display for ResultType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for ResultType {
    type Err = UnknownResultType;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text).ok_or(UnknownResultType)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_result_types_are_read_as_they_print() {
        for result in ResultType::ALL {
            assert_eq!(ResultType::parse(result.as_str()), Some(result));
            assert_eq!(alloc::string::ToString::to_string(&result), result.as_str());
        }
    }

    #[test]
    fn err_a_result_type_is_exact() {
        for text in ["", "starttls", "Starttls-Not-Supported", "sts-policy-invalid "] {
            assert_eq!(text.parse::<ResultType>(), Err(UnknownResultType), "{text:?}");
        }
    }
}
