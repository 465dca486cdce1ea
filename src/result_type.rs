//! The result types of a report (RFC 8460 §4.3). Failures of discovery, delivery and DANE have one
//! each.

use core::fmt;
use core::str::FromStr;

use thiserror::Error;

/// Text that names no result type of RFC 8460 §4.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("expected a result type of RFC 8460, found other text")]
pub struct UnknownResultType;

/// The kind of a failure, in the words of RFC 8460 §4.3.
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
