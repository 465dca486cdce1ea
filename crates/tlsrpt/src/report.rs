//! The report of a day (RFC 8460 §4.4), and what it is called on its way (§5).

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::collections::btree_map::Entry;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::destination::MAX_ADDRESS;
use super::error::{DateRangeError, ReportError};
use super::failure::FailureDetails;
use super::policy::ReportedPolicy;
use super::tally::Tally;
use super::text::is_dot_atom;
use mta_sts::UnixTime;
use mta_sts::{DnsName, PolicyDomain};

/// Seconds of a day.
const DAY: u64 = 86_400;

/// The most policies that a report may have.
pub const MAX_POLICIES: usize = 1_000;

/// Octets of each text that a report is made with.
const MAX_NAME: usize = 255;

/// The time that a report covers, in whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DateRange {
    start: UnixTime,
    end: UnixTime,
}

impl DateRange {
    /// The last time that a report can name: 9999-12-30T22:00:00Z, the last of which it is the year
    /// 9999 in every time zone.
    pub const LATEST: UnixTime = UnixTime::from_secs(253_402_207_200);

    /// The time from `start` to `end`, both included.
    ///
    /// # Errors
    /// [`DateRangeError`]: the end lies before the start, or after [`LATEST`](Self::LATEST).
    pub fn new(start: UnixTime, end: UnixTime) -> Result<Self, DateRangeError> {
        if end < start {
            return Err(DateRangeError::Reversed);
        }
        if end > Self::LATEST {
            return Err(DateRangeError::TooLate);
        }
        Ok(Self { start, end })
    }

    /// The UTC day that a time lies in (RFC 8460 §4.1), from its first second to its last: RFC 3339
    /// has no 24:00, and RFC 8460 writes 23:59:59 itself (appendix B). Of a time beyond
    /// [`LATEST`](Self::LATEST), the last day that can be named.
    ///
    /// ```
    /// use mta_sts::UnixTime;
    /// use mta_sts_tlsrpt::DateRange;
    ///
    /// let day = DateRange::day(UnixTime::from_secs(1_800_000_000));
    /// assert_eq!(day.start(), UnixTime::from_secs(1_799_971_200));
    /// assert_eq!(day.end(), UnixTime::from_secs(1_800_057_599));
    /// ```
    pub fn day(time: UnixTime) -> Self {
        let start = time.min(Self::LATEST).start_of_day();
        let end = start.plus_secs(DAY.saturating_sub(1)).min(Self::LATEST);
        Self { start, end }
    }

    /// The first second.
    pub const fn start(self) -> UnixTime {
        self.start
    }

    /// The last second.
    pub const fn end(self) -> UnixTime {
        self.end
    }
}

/// How a report is written (RFC 8460 §5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum ReportFormat {
    /// As JSON.
    Json,
    /// As JSON compressed with gzip, which is the caller's part.
    Gzip,
}

impl ReportFormat {
    /// The extension of the filename (RFC 8460 §5.1).
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Gzip => "json.gz",
        }
    }

    /// The media type (RFC 8460 §6.4, §6.5).
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/tlsrpt+json",
            Self::Gzip => "application/tlsrpt+gzip",
        }
    }
}

/// The sessions under one policy, as a report gives them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyReport {
    pub(super) policy: ReportedPolicy,
    pub(super) successful: u64,
    pub(super) failed: u64,
    pub(super) details: Vec<FailureDetails>,
}

impl PolicyReport {
    /// The policy.
    pub const fn policy(&self) -> &ReportedPolicy {
        &self.policy
    }

    /// Sessions that succeeded.
    pub const fn total_successful_session_count(&self) -> u64 {
        self.successful
    }

    /// Sessions that failed.
    pub const fn total_failure_session_count(&self) -> u64 {
        self.failed
    }

    /// What failed. The counts need not add up to the sessions that failed: see [`Tally`].
    pub fn failure_details(&self) -> &[FailureDetails] {
        &self.details
    }
}

impl From<Tally> for PolicyReport {
    fn from(tally: Tally) -> Self {
        Self {
            successful: tally.successful_sessions(),
            failed: tally.failed_sessions(),
            details: tally.details().collect(),
            policy: tally.policy().clone(),
        }
    }
}

/// A report (RFC 8460 §4.4): what one sender saw of a domain in a day.
///
/// With the feature `serde` it is written as the RFC has it. It is read with more patience, since
/// reports in use depart from the RFC: `mx-host` and `policy-string` as one string, as null or not
/// at all; dates without a zone (UTC), and the hour 24:00 as the next midnight; counts as `5.0`, `1e3`
/// or strings, and a count that is too large as [`MAX_COUNT`](super::MAX_COUNT); no
/// `failure-details`, `summary`, `contact-info` or addresses, and addresses that are none; names of
/// fields from drafts
/// (`receiving-mx-host`, `failure-error-code`, `mx-host-pattern`, `additional-info-uri`); types and
/// result types that the RFC does not name, kept as they are. A count that is negative or has a
/// fraction is an error with its place, because no integer stands for it.
///
/// Texts are cut at 4,096 bytes. A policy of more than 131,072 bytes and lists of more than 1,000
/// policies or 10,000 details are refused. The caller bounds the size of the whole: reading takes at
/// most ten times the memory of the JSON, the JSON itself not counted, so 1 MB of it needs up to
/// 10 MB. A gzip member grows about a thousandfold when it is unpacked, so the bound is that of the
/// JSON.
///
/// ```
/// # #[cfg(feature = "serde")] {
/// use mta_sts::UnixTime;
/// use mta_sts_tlsrpt::{DateRange, Report};
///
/// let day = DateRange::day(UnixTime::from_secs(1_459_468_800));
/// let report = Report::new("Company-X", "tls@company-x.example", "2016-04-01_1", day, [])?;
/// let json = serde_json::to_string(&report)?;
/// assert!(json.contains(r#""start-datetime":"2016-04-01T00:00:00Z""#));
/// assert!(json.contains(r#""end-datetime":"2016-04-01T23:59:59Z""#));
/// assert_eq!(serde_json::from_str::<Report>(&json)?, report);
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    pub(super) organization_name: Box<str>,
    pub(super) date_range: DateRange,
    pub(super) contact_info: Box<str>,
    pub(super) id: Box<str>,
    pub(super) policies: Vec<PolicyReport>,
}

impl Report {
    /// A report of these tallies: those of one policy are merged, those that are empty left out.
    ///
    /// `contact_info` is the mail address of whoever is responsible; its domain, converted to
    /// A-labels, is the submitter. `report_id` is unique, and of characters that the subject of a
    /// mail takes: letters, digits and ``!#$%&'*+-/=?^_`{|}~`` with single dots between, and at
    /// most one `@`.
    ///
    /// # Errors
    /// [`ReportError`]: which of them breaks its rule, or that there are more than [`MAX_POLICIES`].
    pub fn new(
        organization_name: &str,
        contact_info: &str,
        report_id: &str,
        date_range: DateRange,
        tallies: impl IntoIterator<Item = Tally>,
    ) -> Result<Self, ReportError> {
        let control = organization_name.chars().any(char::is_control);
        if organization_name.is_empty() || organization_name.len() > MAX_NAME || control {
            return Err(ReportError::OrganizationName);
        }
        if report_id.len() > MAX_NAME || !is_id(report_id) {
            return Err(ReportError::ReportId);
        }
        let contact_info = contact(contact_info).ok_or(ReportError::ContactInfo)?;
        let mut policies: BTreeMap<ReportedPolicy, Tally> = BTreeMap::new();
        for tally in tallies.into_iter().filter(|tally| !tally.is_empty()) {
            if policies.len() >= MAX_POLICIES && !policies.contains_key(tally.policy()) {
                return Err(ReportError::TooManyPolicies { limit: MAX_POLICIES });
            }
            match policies.entry(tally.policy().clone()) {
                Entry::Vacant(place) => {
                    place.insert(tally);
                }
                Entry::Occupied(mut place) => place.get_mut().absorb(tally),
            }
        }
        Ok(Self {
            organization_name: organization_name.into(),
            date_range,
            contact_info,
            id: report_id.into(),
            policies: policies.into_values().map(PolicyReport::from).collect(),
        })
    }

    /// The organization that made the report.
    pub fn organization_name(&self) -> &str {
        &self.organization_name
    }

    /// The time that it covers.
    pub const fn date_range(&self) -> DateRange {
        self.date_range
    }

    /// The mail address of whoever is responsible; text of any form in a report that was read,
    /// empty where there was none.
    pub fn contact_info(&self) -> &str {
        &self.contact_info
    }

    /// The id of the report; text of any form in a report that was read.
    pub fn report_id(&self) -> &str {
        &self.id
    }

    /// The policies and the sessions under each.
    pub fn policies(&self) -> &[PolicyReport] {
        &self.policies
    }

    /// The domain of the contact, which is the submitter: the value of the header field
    /// `TLS-Report-Submitter` (RFC 8460 §5.3). `None` where a report that was read has none.
    pub fn submitter(&self) -> Option<DnsName> {
        let (_, domain) = self.contact_info.rsplit_once('@')?;
        DnsName::parse(domain).ok()
    }

    /// The filename of the report to a domain (RFC 8460 §5.1). A unique id is 1 to 255 ASCII
    /// letters and digits.
    ///
    /// `None` where the unique id is not that, or a report that was read names no submitter.
    ///
    /// ```
    /// use mta_sts_tlsrpt::{DateRange, Report, ReportFormat};
    /// use mta_sts::{PolicyDomain, UnixTime};
    ///
    /// let range = DateRange::new(UnixTime::from_secs(1_470_013_207), UnixTime::from_secs(1_470_186_007))?;
    /// let report = Report::new("Sender", "tls@mail.sndr.example.com", "1", range, [])?;
    /// let domain = PolicyDomain::parse("example.net")?;
    /// assert_eq!(
    ///     report.filename(&domain, Some("001"), ReportFormat::Gzip).as_deref(),
    ///     Some("mail.sndr.example.com!example.net!1470013207!1470186007!001.json.gz"),
    /// );
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn filename(
        &self,
        domain: &PolicyDomain,
        unique_id: Option<&str>,
        format: ReportFormat,
    ) -> Option<String> {
        let sender = self.submitter()?;
        let (start, end) = (self.date_range.start, self.date_range.end);
        let mut name = format!("{sender}!{domain}!{start}!{end}");
        if let Some(id) = unique_id {
            // RFC 8460 §5.1: unique-id = 1*(ALPHA / DIGIT)
            let fits = !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric());
            if !fits || id.len() > MAX_NAME {
                return None;
            }
            name.push('!');
            name.push_str(id);
        }
        name.push('.');
        name.push_str(format.extension());
        Some(name)
    }

    /// The subject of the mail that brings the report to a domain (RFC 8460 §5.3), in one line.
    ///
    /// `None` where a report that was read names no submitter or has an id that a subject cannot
    /// hold.
    ///
    /// ```
    /// use mta_sts_tlsrpt::{DateRange, Report};
    /// use mta_sts::{PolicyDomain, UnixTime};
    ///
    /// let day = DateRange::day(UnixTime::from_secs(1_800_000_000));
    /// let report = Report::new("Sender", "tls@mail.sender.example.com", "735ff.e317", day, [])?;
    /// assert_eq!(
    ///     report.subject(&PolicyDomain::parse("example.net")?).as_deref(),
    ///     Some("Report Domain: example.net Submitter: mail.sender.example.com \
    ///           Report-ID: <735ff.e317@mail.sender.example.com>"),
    /// );
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn subject(&self, domain: &PolicyDomain) -> Option<String> {
        let submitter = self.submitter()?;
        if !is_id(&self.id) {
            return None;
        }
        let id = if self.id.contains('@') {
            Cow::Borrowed(&*self.id)
        } else {
            Cow::Owned(format!("{}@{submitter}", self.id))
        };
        Some(format!("Report Domain: {domain} Submitter: {submitter} Report-ID: <{id}>"))
    }
}

/// RFC 5322 §3.6.4: id-left "@" id-right, or the left part alone.
fn is_id(text: &str) -> bool {
    match text.split_once('@') {
        Some((left, right)) => is_dot_atom(left) && is_dot_atom(right),
        None => is_dot_atom(text),
    }
}

/// RFC 5322 §3.4.1: a mail address, its domain as A-labels.
fn contact(text: &str) -> Option<Box<str>> {
    let (local, domain) = text.rsplit_once('@')?;
    let domain = DnsName::parse(domain).ok()?;
    let fits = is_dot_atom(local) && text.len() <= MAX_ADDRESS;
    fits.then(|| format!("{local}@{domain}").into_boxed_str())
}
