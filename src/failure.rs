//! Failures of the network or of the other side: values that an outcome keeps for logs and
//! reports, never a reason to drop a held policy (RFC 8461 §3.3).

mod tls;

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::format;
use core::fmt;

use thiserror::Error;

use crate::error::AddressClass;
use crate::result_type::ResultType;
pub use tls::{TlsAlert, TlsFailure};

/// DNS gave no answer: neither the records nor a proof that there are none.
///
/// ```
/// use mta_sts::{DnsFailure, DnsFailureKind, ExtendedDnsError};
///
/// let failure = DnsFailure::new(DnsFailureKind::ServerFailure).extended(ExtendedDnsError(6));
/// assert_eq!(failure.reason_code(), "dns-extended-error-6-dnssec-bogus");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct DnsFailure {
    kind: DnsFailureKind,
    extended: Option<ExtendedDnsError>,
}

/// What kept DNS from answering.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[non_exhaustive]
pub enum DnsFailureKind {
    /// No reply in time.
    Timeout,
    /// The resolver could not be reached, or the connection to it broke.
    Network,
    /// SERVFAIL.
    ServerFailure,
    /// REFUSED.
    Refused,
    /// FORMERR.
    FormatError,
    /// NOTIMP.
    NotImplemented,
    /// Another response code.
    ResponseCode(u16),
    /// NOERROR with neither the records nor the SOA that would prove their absence (RFC 2308 §2.2):
    /// a lame server, or a chain of CNAMEs that leads nowhere.
    Unproven,
    /// A reply that is no DNS message, or none to this question.
    Malformed,
    /// DNSSEC validation failed.
    Bogus,
    /// The question was given up before it was answered.
    Abandoned,
}

impl DnsFailureKind {
    /// The failure that a DNS response code stands for, with the extended bits of EDNS. `None` for
    /// `NoError` and `NXDomain`, which are answers.
    ///
    /// ```
    /// use mta_sts::DnsFailureKind;
    ///
    /// assert_eq!(DnsFailureKind::from_rcode(2), Some(DnsFailureKind::ServerFailure));
    /// assert_eq!(DnsFailureKind::from_rcode(3), None);
    /// ```
    pub const fn from_rcode(rcode: u16) -> Option<Self> {
        Some(match rcode {
            0 | 3 => return None,
            1 => Self::FormatError,
            2 => Self::ServerFailure,
            4 => Self::NotImplemented,
            5 => Self::Refused,
            other => Self::ResponseCode(other),
        })
    }
}

impl DnsFailure {
    /// A failure of this kind.
    pub const fn new(kind: DnsFailureKind) -> Self {
        Self { kind, extended: None }
    }

    /// With the extended DNS error (RFC 8914) of the reply.
    #[must_use]
    pub const fn extended(self, error: ExtendedDnsError) -> Self {
        Self { extended: Some(error), ..self }
    }

    /// What kept DNS from answering.
    pub const fn kind(self) -> DnsFailureKind {
        self.kind
    }

    /// The extended DNS error, if the reply carried one.
    pub const fn extended_error(self) -> Option<ExtendedDnsError> {
        self.extended
    }

    /// The failure reason code for a report (RFC 8460 §4.3): that of the extended DNS error if
    /// there is one.
    pub fn reason_code(self) -> Cow<'static, str> {
        if let Some(error) = self.extended {
            return Cow::Owned(format!("dns-extended-error-{}-{}", error.0, error.name()));
        }
        Cow::Borrowed(match self.kind {
            DnsFailureKind::Timeout => "dns-timeout",
            DnsFailureKind::Network => "dns-unreachable",
            DnsFailureKind::ServerFailure => "dns-servfail",
            DnsFailureKind::Refused => "dns-refused",
            DnsFailureKind::FormatError => "dns-formerr",
            DnsFailureKind::NotImplemented => "dns-notimp",
            DnsFailureKind::ResponseCode(code) => return Cow::Owned(format!("dns-rcode-{code}")),
            DnsFailureKind::Unproven => "dns-no-soa",
            DnsFailureKind::Malformed => "dns-malformed",
            DnsFailureKind::Bogus => "dns-bogus",
            DnsFailureKind::Abandoned => "dns-abandoned",
        })
    }
}

impl From<DnsFailureKind> for DnsFailure {
    fn from(kind: DnsFailureKind) -> Self {
        Self::new(kind)
    }
}

impl fmt::Display for DnsFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            DnsFailureKind::Timeout => f.write_str("no reply from DNS in time"),
            DnsFailureKind::Network => f.write_str("the DNS resolver could not be reached"),
            DnsFailureKind::ServerFailure => f.write_str("DNS answered SERVFAIL"),
            DnsFailureKind::Refused => f.write_str("DNS answered REFUSED"),
            DnsFailureKind::FormatError => f.write_str("DNS answered FORMERR"),
            DnsFailureKind::NotImplemented => f.write_str("DNS answered NOTIMP"),
            DnsFailureKind::ResponseCode(code) => write!(f, "DNS answered response code {code}"),
            DnsFailureKind::Unproven => {
                f.write_str("DNS gave neither the records nor proof that there are none")
            }
            DnsFailureKind::Malformed => f.write_str("the DNS reply is malformed"),
            DnsFailureKind::Bogus => f.write_str("DNSSEC validation failed"),
            DnsFailureKind::Abandoned => f.write_str("the DNS question was given up"),
        }?;
        match self.extended {
            Some(error) => write!(f, " (extended DNS error {}: {})", error.0, error.name()),
            None => Ok(()),
        }
    }
}

impl core::error::Error for DnsFailure {}

/// The info code of an extended DNS error (RFC 8914 §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct ExtendedDnsError(pub u16);

impl ExtendedDnsError {
    /// The registered name of the code, in lower case with hyphens; `unassigned` for others.
    pub const fn name(self) -> &'static str {
        // RFC 8914 §4, and the later entries of its registry.
        match self.0 {
            0 => "other",
            1 => "unsupported-dnskey-algorithm",
            2 => "unsupported-ds-digest-type",
            3 => "stale-answer",
            4 => "forged-answer",
            5 => "dnssec-indeterminate",
            6 => "dnssec-bogus",
            7 => "signature-expired",
            8 => "signature-not-yet-valid",
            9 => "dnskey-missing",
            10 => "rrsigs-missing",
            11 => "no-zone-key-bit-set",
            12 => "nsec-missing",
            13 => "cached-error",
            14 => "not-ready",
            15 => "blocked",
            16 => "censored",
            17 => "filtered",
            18 => "prohibited",
            19 => "stale-nxdomain-answer",
            20 => "not-authoritative",
            21 => "not-supported",
            22 => "no-reachable-authority",
            23 => "network-error",
            24 => "invalid-data",
            25 => "signature-expired-before-valid",
            26 => "too-early",
            27 => "unsupported-nsec3-iterations-value",
            28 => "unable-to-conform-to-policy",
            29 => "synthesized",
            30 => "invalid-query-type",
            _ => "unassigned",
        }
    }
}

/// What is wrong with a certificate (RFC 8461 §3.3 for the Policy Host, §4.2 for an MX).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[non_exhaustive]
pub enum CertificateFault {
    /// Its time is over.
    #[error("the certificate has expired")]
    Expired,
    /// Its time has not come.
    #[error("the certificate is not valid yet")]
    NotYetValid,
    /// No DNS-ID of it is the name (the common name does not count).
    #[error("the certificate is for another name")]
    WrongName,
    /// It does not chain to a trusted root.
    #[error("the certificate's issuer is not trusted")]
    UntrustedIssuer,
    /// It has been revoked.
    #[error("the certificate has been revoked")]
    Revoked,
    /// A signature in its chain is wrong.
    #[error("a signature of the certificate's chain is wrong")]
    BadSignature,
    /// A signature in its chain is made by a method that is not supported.
    #[error("a signature of the certificate's chain is of an unsupported kind")]
    UnsupportedSignature,
    /// It cannot be read.
    #[error("the certificate cannot be read")]
    BadEncoding,
    /// It, or an issuer of it, is not meant for a TLS server.
    #[error("the certificate is not meant for a TLS server")]
    WrongPurpose,
    /// It has a critical extension that is not known.
    #[error("the certificate has an unknown critical extension")]
    UnknownExtension,
    /// Another fault.
    #[error("the certificate is not valid")]
    Other,
}

impl CertificateFault {
    /// The failure reason code for a report (RFC 8460 §4.3).
    pub const fn reason_code(self) -> &'static str {
        match self {
            Self::Expired => "certificate-expired",
            Self::NotYetValid => "certificate-not-yet-valid",
            Self::WrongName => "certificate-host-mismatch",
            Self::UntrustedIssuer => "certificate-not-trusted",
            Self::Revoked => "certificate-revoked",
            Self::BadSignature => "certificate-bad-signature",
            Self::UnsupportedSignature => "certificate-unsupported-signature",
            Self::BadEncoding => "certificate-bad-encoding",
            Self::WrongPurpose => "certificate-wrong-purpose",
            Self::UnknownExtension => "certificate-unknown-extension",
            Self::Other => "certificate-invalid",
        }
    }

    /// The result type for a session with an MX (RFC 8460 §4.3.1).
    pub const fn result_type(self) -> ResultType {
        match self {
            Self::Expired => ResultType::CertificateExpired,
            Self::WrongName => ResultType::CertificateHostMismatch,
            Self::NotYetValid
            | Self::UntrustedIssuer
            | Self::Revoked
            | Self::BadSignature
            | Self::UnsupportedSignature
            | Self::BadEncoding
            | Self::WrongPurpose
            | Self::UnknownExtension
            | Self::Other => ResultType::CertificateNotTrusted,
        }
    }
}

/// The Policy Host gave no policy text (RFC 8461 §3.3).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[non_exhaustive]
pub enum FetchFailure {
    /// DNS did not tell the Policy Host's addresses.
    #[error("no address of the policy host: {0}")]
    Dns(DnsFailure),
    /// The Policy Host has no address.
    #[error("the policy host has no address")]
    NoAddress,
    /// Every address of the Policy Host is one that is not dialled.
    #[error("the policy host is not dialled at a {0}")]
    Address(AddressClass),
    /// The connection was refused.
    #[error("the policy host refused the connection")]
    ConnectionRefused,
    /// No connection came about, or it broke.
    #[error("the connection to the policy host failed")]
    Connection,
    /// The deadline passed.
    #[error("the policy host did not deliver the policy in time")]
    Timeout,
    /// The certificate is not valid for the Policy Host.
    #[error("{0}")]
    Certificate(CertificateFault),
    /// The driver vouched for another name than the Policy Host's.
    #[error("the certificate was verified for another name than the policy host's")]
    OtherHostVerified,
    /// TLS failed for a reason other than the certificate.
    #[error("TLS with the policy host failed: {0}")]
    Tls(TlsFailure),
    /// The reply is no HTTP.
    #[error("the policy host's reply is not valid HTTP")]
    Http,
    /// A status other than 200 (redirects are not followed).
    #[error("expected HTTP status 200, found {0}")]
    Status(u16),
    /// A media type other than `text/plain`.
    #[error("expected the media type text/plain, found {0:?}")]
    MediaType(
        /// The value of `Content-Type`, at most 128 octets of it, lossy.
        Box<str>,
    ),
    /// Several media types that are not all `text/plain`; in the strict profile, several of any kind.
    #[error("expected one media type text/plain, found {0:?}")]
    SeveralMediaTypes(
        /// The values of `Content-Type`, at most 128 bytes of them, lossy.
        Box<str>,
    ),
    /// No media type (strict profile).
    #[error("expected the media type text/plain, found none")]
    NoMediaType,
    /// A content coding, though none was offered.
    #[error("expected no content coding, found {0:?}")]
    ContentCoding(
        /// The value of `Content-Encoding`, at most 128 octets of it, lossy.
        Box<str>,
    ),
    /// The body is larger than the limit.
    #[error("expected a policy of at most {limit} octets, found more")]
    TooLarge {
        /// The limit, in octets.
        limit: u32,
    },
    /// The body ended before its end.
    #[error("the policy was cut off")]
    Truncated,
    /// The fetch was given up.
    #[error("the fetch was given up")]
    Abandoned,
}

impl FetchFailure {
    /// The result type for a report (RFC 8460 §4.3.2.2).
    pub const fn result_type(&self) -> ResultType {
        match self {
            Self::Certificate(_) | Self::OtherHostVerified => ResultType::StsWebpkiInvalid,
            _ => ResultType::StsPolicyFetchError,
        }
    }

    /// The failure reason code for a report (RFC 8460 §4.3).
    pub fn reason_code(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Dns(failure) => return failure.reason_code(),
            Self::NoAddress => "policy-host-no-address",
            Self::Address(_) => "policy-host-address-refused",
            Self::ConnectionRefused => "connection-refused",
            Self::Connection => "connection-failed",
            Self::Timeout => "timeout",
            Self::Certificate(fault) => fault.reason_code(),
            Self::OtherHostVerified => "certificate-host-mismatch",
            Self::Tls(failure) => return failure.reason_code(),
            Self::Http => "http-malformed",
            Self::Status(status) => return Cow::Owned(format!("http-status-{status}")),
            Self::MediaType(_) => "http-media-type",
            Self::SeveralMediaTypes(_) => "http-several-media-types",
            Self::NoMediaType => "http-no-media-type",
            Self::ContentCoding(_) => "http-content-coding",
            Self::TooLarge { .. } => "policy-too-large",
            Self::Truncated => "http-truncated",
            Self::Abandoned => "abandoned",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;
    use alloc::string::{String, ToString};
    use alloc::vec::Vec;

    const DNS: [(DnsFailureKind, &str); 11] = [
        (DnsFailureKind::Timeout, "dns-timeout"),
        (DnsFailureKind::Network, "dns-unreachable"),
        (DnsFailureKind::ServerFailure, "dns-servfail"),
        (DnsFailureKind::Refused, "dns-refused"),
        (DnsFailureKind::FormatError, "dns-formerr"),
        (DnsFailureKind::NotImplemented, "dns-notimp"),
        (DnsFailureKind::ResponseCode(9), "dns-rcode-9"),
        (DnsFailureKind::Unproven, "dns-no-soa"),
        (DnsFailureKind::Malformed, "dns-malformed"),
        (DnsFailureKind::Bogus, "dns-bogus"),
        (DnsFailureKind::Abandoned, "dns-abandoned"),
    ];

    fn fetch() -> Vec<(FetchFailure, &'static str)> {
        [
            (FetchFailure::Dns(DnsFailureKind::Refused.into()), "dns-refused"),
            (FetchFailure::NoAddress, "policy-host-no-address"),
            (FetchFailure::Address(AddressClass::Private), "policy-host-address-refused"),
            (FetchFailure::ConnectionRefused, "connection-refused"),
            (FetchFailure::Connection, "connection-failed"),
            (FetchFailure::Timeout, "timeout"),
            (FetchFailure::Certificate(CertificateFault::Expired), "certificate-expired"),
            (FetchFailure::Certificate(CertificateFault::NotYetValid), "certificate-not-yet-valid"),
            (FetchFailure::Certificate(CertificateFault::WrongName), "certificate-host-mismatch"),
            (
                FetchFailure::Certificate(CertificateFault::UntrustedIssuer),
                "certificate-not-trusted",
            ),
            (FetchFailure::Certificate(CertificateFault::Revoked), "certificate-revoked"),
            (FetchFailure::Certificate(CertificateFault::Other), "certificate-invalid"),
            (
                FetchFailure::Certificate(CertificateFault::BadSignature),
                "certificate-bad-signature",
            ),
            (
                FetchFailure::Certificate(CertificateFault::UnsupportedSignature),
                "certificate-unsupported-signature",
            ),
            (FetchFailure::Certificate(CertificateFault::BadEncoding), "certificate-bad-encoding"),
            (
                FetchFailure::Certificate(CertificateFault::WrongPurpose),
                "certificate-wrong-purpose",
            ),
            (
                FetchFailure::Certificate(CertificateFault::UnknownExtension),
                "certificate-unknown-extension",
            ),
            (FetchFailure::Tls(TlsFailure::Other), "tls-handshake-failed"),
            (FetchFailure::Tls(TlsFailure::NotTls), "tls-not-spoken"),
            (FetchFailure::Tls(TlsFailure::Alert(TlsAlert(70))), "tls-alert-protocol-version"),
            (FetchFailure::Tls(TlsFailure::Timeout), "tls-timeout"),
            (FetchFailure::Tls(TlsFailure::Closed), "tls-closed"),
            (
                FetchFailure::SeveralMediaTypes("text/html, text/plain".into()),
                "http-several-media-types",
            ),
            (FetchFailure::Http, "http-malformed"),
            (FetchFailure::Status(404), "http-status-404"),
            (FetchFailure::MediaType("text/html".into()), "http-media-type"),
            (FetchFailure::NoMediaType, "http-no-media-type"),
            (FetchFailure::ContentCoding("gzip".into()), "http-content-coding"),
            (FetchFailure::TooLarge { limit: 65_536 }, "policy-too-large"),
            (FetchFailure::Truncated, "http-truncated"),
            (FetchFailure::Abandoned, "abandoned"),
        ]
        .into()
    }

    #[test]
    fn err_every_failure_has_its_reason_code() {
        for (kind, code) in DNS {
            assert_eq!(DnsFailure::new(kind).reason_code(), code);
        }
        for (failure, code) in fetch() {
            assert_eq!(failure.reason_code(), code);
        }
        // The one failure that shares the code of another: to a report it is the same fault.
        let other = FetchFailure::OtherHostVerified;
        assert_eq!(other.reason_code(), CertificateFault::WrongName.reason_code());
    }

    #[test]
    fn err_no_two_failures_read_alike() {
        let mut seen: BTreeSet<String> = BTreeSet::new();
        let texts = fetch().into_iter().map(|(failure, _)| failure.to_string());
        for text in texts.chain(DNS.map(|(kind, _)| DnsFailure::new(kind).to_string())) {
            assert!(seen.insert(text.clone()), "{text}");
            assert!(!text.ends_with('.') && !text.is_empty(), "{text}");
        }
    }

    #[test]
    fn ok_only_the_certificate_makes_it_a_webpki_failure() {
        for (failure, code) in fetch() {
            let webpki = failure.result_type() == ResultType::StsWebpkiInvalid;
            assert_eq!(webpki, code.starts_with("certificate-"), "{failure}");
        }
        assert_eq!(FetchFailure::OtherHostVerified.result_type(), ResultType::StsWebpkiInvalid);
    }

    #[test]
    fn ok_an_extended_error_takes_the_place_of_the_response_code() {
        let failure = DnsFailure::new(DnsFailureKind::ServerFailure);
        let coded = |code| failure.extended(ExtendedDnsError(code)).reason_code().into_owned();
        assert_eq!(coded(7), "dns-extended-error-7-signature-expired");
        assert_eq!(coded(22), "dns-extended-error-22-no-reachable-authority");
        assert_eq!(coded(4_000), "dns-extended-error-4000-unassigned");
        let names: BTreeSet<_> = (0..=30).map(|code| ExtendedDnsError(code).name()).collect();
        assert_eq!(names.len(), 31, "each registered code has a name of its own");
        assert!(!names.contains("unassigned"));
        assert_eq!(ExtendedDnsError(31).name(), "unassigned");
        assert_eq!(failure.extended_error(), None);
        let extended = failure.extended(ExtendedDnsError(6));
        assert_eq!(extended.extended_error(), Some(ExtendedDnsError(6)));
        assert_eq!(extended.kind(), DnsFailureKind::ServerFailure);
    }
}
