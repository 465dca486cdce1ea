//! What failed, and how often (RFC 8460 §4.3, §4.4).

use alloc::boxed::Box;
use alloc::format;
use core::net::IpAddr;

use super::tally::MAX_COUNT;
use super::text::{Named, cut};
use mta_sts::DnsName;
use mta_sts::Mode;
use mta_sts::ResultType;
use mta_sts::delivery::Failure;
use mta_sts::lookup::{Decision, Outcome, Problem, Status};

/// How a failure reason code ends where a lookup failed and a held policy was applied all the same:
/// the sessions were protected by it, and it will expire if nothing is done.
pub const HELD_NOTE: &str = "held policy applied";

/// What a server says of itself is kept as far as it fits this, in octets.
const MAX_HELO: usize = 255;
const MAX_REASON: usize = 1_024;
const MAX_URI: usize = 2_048;

/// A failure and the number of sessions that met it: one element of `failure-details`
/// (RFC 8460 §4.4).
///
/// A new one stands for one session; a [`Tally`](super::Tally) adds up those that are alike.
///
/// ```
/// use mta_sts_tlsrpt::FailureDetails;
/// use mta_sts::{DnsName, ResultType};
///
/// let details = FailureDetails::new(ResultType::StarttlsNotSupported)
///     .with_receiving_mx_hostname(&DnsName::parse("mx2.example.com")?)
///     .with_receiving_ip("203.0.113.56".parse()?);
/// assert_eq!(details.result_type_str(), "starttls-not-supported");
/// assert_eq!(details.failed_session_count(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FailureDetails {
    pub(super) kind: FailureKind,
    pub(super) count: u64,
}

/// All but the count. What a stranger chooses comes last, so that details of one result type and
/// reason stand together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct FailureKind {
    pub(super) result_type: Named<ResultType>,
    pub(super) failure_reason_code: Option<Box<str>>,
    pub(super) sending_mta_ip: Option<IpAddr>,
    pub(super) receiving_mx_hostname: Option<Box<str>>,
    pub(super) receiving_ip: Option<IpAddr>,
    pub(super) receiving_mx_helo: Option<Box<str>>,
    pub(super) additional_information: Option<Box<str>>,
}

impl FailureKind {
    pub(super) const fn new(result_type: Named<ResultType>) -> Self {
        Self {
            result_type,
            failure_reason_code: None,
            sending_mta_ip: None,
            receiving_mx_hostname: None,
            receiving_ip: None,
            receiving_mx_helo: None,
            additional_information: None,
        }
    }
}

impl FailureDetails {
    /// One session that failed in this way.
    pub const fn new(result_type: ResultType) -> Self {
        Self { kind: FailureKind::new(Named::Known(result_type)), count: 1 }
    }

    /// One session for which a lookup met this problem. Whether it belongs in a report,
    /// [`Outcome::is_reportable`] says.
    ///
    /// ```
    /// use mta_sts_tlsrpt::FailureDetails;
    /// use mta_sts::{FetchFailure, Problem};
    ///
    /// let details = FailureDetails::from_problem(&Problem::Fetch(FetchFailure::Status(503)));
    /// assert_eq!(details.result_type_str(), "sts-policy-fetch-error");
    /// assert_eq!(details.failure_reason_code(), Some("http-status-503"));
    /// ```
    pub fn from_problem(problem: &Problem) -> Self {
        Self::new(problem.result_type()).with_failure_reason_code(problem.reason_code())
    }

    /// What to report of a lookup for one session, marked where a held policy was applied; nothing
    /// where all went well or the problem is not one to report (RFC 8461 §6).
    ///
    /// Where a policy was applied, the session did not fail by it:
    /// [`Tally::noted`](super::Tally::noted) is the place for it. Where none was,
    /// [`Tally::failed`](super::Tally::failed) is.
    pub fn of_lookup(outcome: &Outcome) -> Option<Self> {
        let problem = outcome.problem().filter(|_| outcome.is_reportable())?;
        let details = Self::from_problem(problem);
        Some(if outcome.status() == Status::Held { details.held() } else { details })
    }

    /// What to report of a failure at one candidate of a delivery, with the MX host; nothing for
    /// what is not reported: see [`Failure::result_type`].
    ///
    /// Address and greeting of the host are the caller's to add.
    /// [`Tallies::count`](super::Tallies::count) decides what counts.
    pub fn of_delivery(failure: &Failure) -> Option<Self> {
        let details = Self::new(failure.result_type()?);
        let details = details.with_failure_reason_code(failure.reason_code());
        Some(match failure.host() {
            Some(host) => details.with_receiving_mx_hostname(host),
            None => details,
        })
    }

    /// The same of a [`Decision`] from memory: for the sessions between two lookups.
    pub fn of_decision(decision: &Decision<'_>) -> Option<Self> {
        let held = decision.policy().filter(|held| held.policy().mode() != Mode::None);
        held.and(decision.problem()).map(|problem| Self::from_problem(&problem).held())
    }

    /// Marks that a held policy was applied in spite of the failure: [`HELD_NOTE`] at the end of
    /// the failure reason code, which is text for people (`additional-information` is a URI).
    ///
    /// ```
    /// use mta_sts::ResultType;
    /// use mta_sts_tlsrpt::FailureDetails;
    ///
    /// let details = FailureDetails::new(ResultType::StsPolicyFetchError)
    ///     .with_failure_reason_code("timeout")
    ///     .held();
    /// assert_eq!(details.failure_reason_code(), Some("timeout; held policy applied"));
    /// assert!(details.is_held());
    /// ```
    #[must_use]
    pub fn held(mut self) -> Self {
        if !self.is_held() {
            self.kind.failure_reason_code = Some(match &self.kind.failure_reason_code {
                Some(code) => format!("{code}; {HELD_NOTE}").into_boxed_str(),
                None => HELD_NOTE.into(),
            });
        }
        self
    }

    /// With the failure reason code, an error code or text, of which 1,024 octets are kept.
    #[must_use]
    pub fn with_failure_reason_code(mut self, code: impl AsRef<str>) -> Self {
        self.kind.failure_reason_code = Some(cut(code.as_ref(), MAX_REASON));
        self
    }

    /// With the address from which the session was attempted.
    #[must_use]
    pub const fn with_sending_mta_ip(mut self, address: IpAddr) -> Self {
        self.kind.sending_mta_ip = Some(address);
        self
    }

    /// With the name of the MX record.
    #[must_use]
    pub fn with_receiving_mx_hostname(mut self, host: &DnsName) -> Self {
        self.kind.receiving_mx_hostname = Some(host.as_str().into());
        self
    }

    /// With the name by which the server greeted, of which 255 octets are kept.
    #[must_use]
    pub fn with_receiving_mx_helo(mut self, name: &str) -> Self {
        self.kind.receiving_mx_helo = Some(cut(name, MAX_HELO));
        self
    }

    /// With the address to which the session was attempted.
    #[must_use]
    pub const fn with_receiving_ip(mut self, address: IpAddr) -> Self {
        self.kind.receiving_ip = Some(address);
        self
    }

    /// With a URI that tells more, of which 2,048 octets are kept.
    #[must_use]
    pub fn with_additional_information(mut self, uri: &str) -> Self {
        self.kind.additional_information = Some(cut(uri, MAX_URI));
        self
    }

    /// For a number of sessions, at most [`MAX_COUNT`].
    #[must_use]
    pub fn with_failed_session_count(mut self, count: u64) -> Self {
        self.count = count.min(MAX_COUNT);
        self
    }

    /// What went wrong; `None` where a report that was read has a result type that RFC 8460 does
    /// not name.
    pub const fn result_type(&self) -> Option<ResultType> {
        self.kind.result_type.known()
    }

    /// The value of `result-type`.
    pub fn result_type_str(&self) -> &str {
        match &self.kind.result_type {
            Named::Known(result) => result.as_str(),
            Named::Other(text) => text,
        }
    }

    /// The address from which the session was attempted.
    pub const fn sending_mta_ip(&self) -> Option<IpAddr> {
        self.kind.sending_mta_ip
    }

    /// The name of the MX record; text of any form in a report that was read.
    pub fn receiving_mx_hostname(&self) -> Option<&str> {
        self.kind.receiving_mx_hostname.as_deref()
    }

    /// The name by which the server greeted: a stranger's text.
    pub fn receiving_mx_helo(&self) -> Option<&str> {
        self.kind.receiving_mx_helo.as_deref()
    }

    /// The address to which the session was attempted.
    pub const fn receiving_ip(&self) -> Option<IpAddr> {
        self.kind.receiving_ip
    }

    /// The number of sessions, at most [`MAX_COUNT`].
    pub const fn failed_session_count(&self) -> u64 {
        self.count
    }

    /// The URI that tells more; text of any form in a report that was read.
    pub fn additional_information(&self) -> Option<&str> {
        self.kind.additional_information.as_deref()
    }

    /// The failure reason code.
    pub fn failure_reason_code(&self) -> Option<&str> {
        self.kind.failure_reason_code.as_deref()
    }

    /// Whether a held policy was applied in spite of the failure: see [`held`](Self::held).
    pub fn is_held(&self) -> bool {
        self.failure_reason_code().is_some_and(|code| code.ends_with(HELD_NOTE))
    }

    /// Whether all but the count is equal.
    pub fn is_like(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}
