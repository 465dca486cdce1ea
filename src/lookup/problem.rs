//! What a lookup met that somebody should know of.

use alloc::borrow::Cow;
use alloc::boxed::Box;

use thiserror::Error;

use crate::error::{PolicyError, RecordError};
use crate::failure::{DnsFailure, FetchFailure};
use crate::record::PolicyId;
use crate::result_type::ResultType;
use crate::time::UnixTime;

/// What went wrong in a lookup, with the evidence for a report.
///
/// A problem never says what to do: that is the outcome's [`status`](crate::Outcome::status) and
/// [`policy`](crate::Outcome::policy). One that is remembered from an earlier lookup comes without
/// its evidence.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Problem {
    /// The store could not be read: what it holds, if anything, is not known.
    #[error("the store could not be read")]
    StoreUnreadable,
    /// The caller had to decide before the lookup had ended (see
    /// [`Lookup::interim`](crate::Lookup::interim)). It is nobody's fault, and no alert.
    #[error("the lookup had not ended when the answer was needed")]
    NotAwaited,
    /// A policy is held, and its domain publishes no record any more.
    #[error("the domain of a held policy publishes no MTA-STS record")]
    RecordAbsent,
    /// More than one record is published (RFC 8461 §3.1: none counts).
    #[error("the domain publishes {count} MTA-STS records instead of one")]
    SeveralRecords {
        /// How many.
        count: usize,
        /// The records, a line each, as far as they fit 4,096 octets; lossy.
        text: Box<str>,
    },
    /// The record is not valid (RFC 8461 §3.1).
    #[error("the domain's MTA-STS record is malformed{}", Because(.error.as_ref()))]
    RecordMalformed {
        /// The fault, unless remembered.
        error: Option<RecordError>,
        /// The records, a line each, as far as they fit 4,096 octets; lossy.
        text: Box<str>,
    },
    /// DNS did not answer.
    #[error("{}", .0.map_or(Cow::Borrowed("DNS did not answer a short while ago"), |f| Cow::Owned(alloc::string::ToString::to_string(&f))))]
    NoAnswer(
        /// What kept it, unless remembered.
        Option<DnsFailure>,
    ),
    /// The last fetch for this id failed too recently (RFC 8461 §3.3).
    #[error("the fetch of the policy for id {id} failed a short while ago")]
    BackingOff {
        /// The id.
        id: PolicyId,
        /// When it may be tried again.
        until: UnixTime,
    },
    /// The domain has had its share of fetches.
    #[error("too many fetches of the domain's policy a short while ago")]
    FetchLimited {
        /// When the next may be made.
        until: UnixTime,
    },
    /// No policy could be fetched.
    #[error("{0}")]
    Fetch(FetchFailure),
    /// What was fetched is no policy.
    #[error("the policy is not valid: {error}")]
    PolicyInvalid {
        /// The fault.
        error: PolicyError,
        /// The text, as far as it fits 4,096 octets; lossy.
        text: Box<str>,
    },
}

/// How much raw text is kept as evidence, in octets.
pub(super) const EVIDENCE_OCTETS: usize = 4_096;

/// Octets as text, at most `limit` octets of it.
pub(super) fn lossy(bytes: &[u8], limit: usize) -> Box<str> {
    let text = alloc::string::String::from_utf8_lossy(bytes.get(..limit).unwrap_or(bytes));
    // What is no text takes more octets in its place.
    let fits = |end: &usize| text.is_char_boundary(*end);
    let end = (0..=limit.min(text.len())).rev().find(fits).unwrap_or(0);
    text.get(..end).unwrap_or_default().into()
}

impl Problem {
    /// The short name of the kind of problem, stable for scripts: `store-unreadable`,
    /// `not-awaited`, `record-absent`, `several-records`, `record-malformed`, `no-answer`,
    /// `backing-off`, `fetch-limited`, `policy-fetch`, `policy-certificate` or `policy-invalid`.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::StoreUnreadable => "store-unreadable",
            Self::NotAwaited => "not-awaited",
            Self::RecordAbsent => "record-absent",
            Self::SeveralRecords { .. } => "several-records",
            Self::RecordMalformed { .. } => "record-malformed",
            Self::NoAnswer(_) => "no-answer",
            Self::BackingOff { .. } => "backing-off",
            Self::FetchLimited { .. } => "fetch-limited",
            Self::Fetch(failure) => match failure.result_type() {
                ResultType::StsWebpkiInvalid => "policy-certificate",
                _ => "policy-fetch",
            },
            Self::PolicyInvalid { .. } => "policy-invalid",
        }
    }

    /// Returns `true` if a record announces a policy, and the policy was not fetched.
    pub(super) const fn is_of_fetch(&self) -> bool {
        matches!(
            self,
            Self::Fetch(_)
                | Self::PolicyInvalid { .. }
                | Self::BackingOff { .. }
                | Self::FetchLimited { .. }
        )
    }

    /// The result type for a report (RFC 8460 §4.3.2.2).
    pub const fn result_type(&self) -> ResultType {
        match self {
            Self::PolicyInvalid { .. } => ResultType::StsPolicyInvalid,
            Self::Fetch(failure) => failure.result_type(),
            _ => ResultType::StsPolicyFetchError,
        }
    }

    /// The failure reason code for a report (RFC 8460 §4.3).
    pub fn reason_code(&self) -> Cow<'static, str> {
        match self {
            Self::NoAnswer(Some(failure)) => failure.reason_code(),
            Self::NoAnswer(None) => Cow::Borrowed("dns-no-answer"),
            Self::RecordAbsent => Cow::Borrowed("dns-record-absent"),
            Self::SeveralRecords { .. } => Cow::Borrowed("dns-several-records"),
            Self::RecordMalformed { .. } => Cow::Borrowed("dns-record-malformed"),
            Self::Fetch(failure) => failure.reason_code(),
            Self::PolicyInvalid { error, .. } => Cow::Borrowed(match error.code() {
                "too_large" => "policy-too-large",
                "bad_encoding" => "policy-bad-encoding",
                "bad_syntax" => "policy-bad-syntax",
                "bad_version" => "policy-bad-version",
                "bad_mode" => "policy-bad-mode",
                "bad_max_age" => "policy-bad-max-age",
                "bad_mx" => "policy-bad-mx",
                "missing_version" => "policy-missing-version",
                "missing_mode" => "policy-missing-mode",
                "missing_max_age" => "policy-missing-max-age",
                "missing_mx" => "policy-missing-mx",
                _ => "policy-invalid",
            }),
            Self::StoreUnreadable
            | Self::NotAwaited
            | Self::BackingOff { .. }
            | Self::FetchLimited { .. } => Cow::Borrowed(self.code()),
        }
    }
}

struct Because<'a>(Option<&'a RecordError>);

impl core::fmt::Display for Because<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.0 {
            Some(error) => write!(f, ": {error}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::{CertificateFault, DnsFailureKind};
    use crate::policy::{MAX_POLICY_OCTETS, PolicyRef, Profile};

    #[test]
    fn ok_a_malformed_record_reads_with_its_fault_where_it_is_known() {
        let text = |error| {
            alloc::string::ToString::to_string(&Problem::RecordMalformed { error, text: "".into() })
        };
        assert_eq!(text(None), "the domain's MTA-STS record is malformed");
        let known = text(Some(RecordError::MissingId));
        assert_eq!(known, alloc::format!("{}: {}", text(None), RecordError::MissingId));
    }

    #[test]
    fn err_each_problem_has_its_code_and_its_words_for_a_report() {
        let (fetch, webpki) = (ResultType::StsPolicyFetchError, ResultType::StsWebpkiInvalid);
        let (text, until): (Box<str>, _) = ("".into(), UnixTime::EPOCH);
        let id = PolicyId::parse("1").unwrap();
        let silence = DnsFailure::new(DnsFailureKind::Timeout);
        let expired = FetchFailure::Certificate(CertificateFault::Expired);
        let several = Problem::SeveralRecords { count: 2, text: text.clone() };
        let malformed = Problem::RecordMalformed { error: None, text };
        for (problem, code, result, reason) in [
            (Problem::StoreUnreadable, "store-unreadable", fetch, "store-unreadable"),
            (Problem::NotAwaited, "not-awaited", fetch, "not-awaited"),
            (Problem::RecordAbsent, "record-absent", fetch, "dns-record-absent"),
            (several, "several-records", fetch, "dns-several-records"),
            (malformed, "record-malformed", fetch, "dns-record-malformed"),
            (Problem::NoAnswer(None), "no-answer", fetch, "dns-no-answer"),
            (Problem::NoAnswer(Some(silence)), "no-answer", fetch, "dns-timeout"),
            (Problem::BackingOff { id, until }, "backing-off", fetch, "backing-off"),
            (Problem::FetchLimited { until }, "fetch-limited", fetch, "fetch-limited"),
            (Problem::Fetch(FetchFailure::Timeout), "policy-fetch", fetch, "timeout"),
            (Problem::Fetch(expired), "policy-certificate", webpki, "certificate-expired"),
        ] {
            let words = (problem.code(), problem.result_type(), &*problem.reason_code());
            assert_eq!(words, (code, result, reason));
        }
    }

    #[test]
    fn err_each_fault_of_a_policy_has_its_reason_code() {
        let large = alloc::vec![b'x'; MAX_POLICY_OCTETS + 1];
        let cases: [(&[u8], &str); 11] = [
            (&large, "policy-too-large"),
            (b"\xff", "policy-bad-encoding"),
            (b"version STSv1\n", "policy-bad-syntax"),
            (b"version: STSv2\n", "policy-bad-version"),
            (b"mode: any\n", "policy-bad-mode"),
            (b"max_age: soon\n", "policy-bad-max-age"),
            (b"mx: *\n", "policy-bad-mx"),
            (b"mode: none\nmax_age: 1\n", "policy-missing-version"),
            (b"version: STSv1\nmax_age: 1\n", "policy-missing-mode"),
            (b"version: STSv1\nmode: none\n", "policy-missing-max-age"),
            (b"version: STSv1\nmode: enforce\nmax_age: 1\n", "policy-missing-mx"),
        ];
        for (text, code) in cases {
            let error = PolicyRef::parse(text, Profile::Strict).unwrap_err();
            let problem = Problem::PolicyInvalid { error, text: "".into() };
            assert_eq!(problem.reason_code(), code);
            assert_eq!(problem.result_type(), ResultType::StsPolicyInvalid);
        }
    }
}
