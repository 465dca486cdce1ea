//! The report as others write it.
//!
//! Each name of a field that is in use has a member of its own, since a report may have two of them.

#![allow(clippy::struct_field_names, reason = "the names are those of the JSON fields")]

use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;
use core::net::IpAddr;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::super::failure::FailureKind;
use super::super::policy::Published;
use super::super::report::MAX_POLICIES;
use super::super::tally::MAX_COUNT;
use super::super::text::{LinesBuilder, MAX_TEXT, Named, cut};
use super::super::{
    DateRangeError, FailureDetails, PolicyReport, PolicyType, Report as Whole, ReportedPolicy,
};
use super::read_time;
use mta_sts::ResultType;
use mta_sts::UnixTime;

/// The most details of one policy that are read.
const MAX_DETAILS: usize = 10_000;

#[derive(serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Report {
    organization_name: Option<Text>,
    date_range: DateRange,
    contact_info: Option<Text>,
    report_id: Option<Text>,
    policies: Option<List<PolicyEntry, PolicyReport, MAX_POLICIES>>,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
struct DateRange {
    start_datetime: Time,
    end_datetime: Time,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
struct PolicyEntry {
    policy: Policy,
    summary: Option<Summary>,
    failure_details: Option<List<Details, FailureDetails, MAX_DETAILS>>,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Policy {
    policy_type: Text,
    policy_string: Option<Lines>,
    policy_domain: Option<Text>,
    mx_host: Option<Lines>,
    mx_host_pattern: Option<Lines>,
}

#[derive(serde::Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
struct Summary {
    total_successful_session_count: Option<Count>,
    total_failure_session_count: Option<Count>,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Details {
    result_type: Text,
    sending_mta_ip: Option<Text>,
    receiving_mx_hostname: Option<Text>,
    receiving_mx_host: Option<Text>,
    receiving_mx_host_name: Option<Text>,
    receiving_mx_helo: Option<Text>,
    receiving_ip: Option<Text>,
    failed_session_count: Option<Count>,
    additional_information: Option<Text>,
    additional_info_uri: Option<Text>,
    failure_reason_code: Option<Text>,
    failure_error_code: Option<Text>,
}

impl TryFrom<Report> for Whole {
    type Error = DateRangeError;

    fn try_from(report: Report) -> Result<Self, DateRangeError> {
        let Time(start) = report.date_range.start_datetime;
        let Time(end) = report.date_range.end_datetime;
        Ok(Self {
            organization_name: text(report.organization_name),
            date_range: super::super::DateRange::new(start, end)?,
            contact_info: text(report.contact_info),
            id: text(report.report_id),
            policies: list(report.policies),
        })
    }
}

impl From<PolicyEntry> for PolicyReport {
    fn from(entry: PolicyEntry) -> Self {
        let summary = entry.summary.unwrap_or_default();
        Self {
            policy: entry.policy.into(),
            successful: count(summary.total_successful_session_count),
            failed: count(summary.total_failure_session_count),
            details: list(entry.failure_details),
        }
    }
}

impl From<Policy> for ReportedPolicy {
    fn from(policy: Policy) -> Self {
        let lines = |lines: Option<Lines>| lines.map(|lines| lines.0.build()).unwrap_or_default();
        Self {
            policy_domain: text(policy.policy_domain).into(),
            policy_type: match PolicyType::parse(&policy.policy_type.0) {
                Some(known) => Named::Known(known),
                None => Named::Other(policy.policy_type.0),
            },
            published: Published::Text {
                policy_string: lines(policy.policy_string),
                mx_host: lines(policy.mx_host.or(policy.mx_host_pattern)),
            },
        }
    }
}

impl From<Details> for FailureDetails {
    fn from(details: Details) -> Self {
        let hostname = details
            .receiving_mx_hostname
            .or(details.receiving_mx_host)
            .or(details.receiving_mx_host_name);
        let information = details.additional_information.or(details.additional_info_uri);
        let reason = details.failure_reason_code.or(details.failure_error_code);
        let kind = FailureKind {
            result_type: match ResultType::parse(&details.result_type.0) {
                Some(known) => Named::Known(known),
                None => Named::Other(details.result_type.0),
            },
            failure_reason_code: reason.map(|text| text.0),
            sending_mta_ip: address(details.sending_mta_ip),
            receiving_mx_hostname: hostname.map(|text| text.0),
            receiving_ip: address(details.receiving_ip),
            receiving_mx_helo: details.receiving_mx_helo.map(|text| text.0),
            additional_information: information.map(|text| text.0),
        };
        Self { kind, count: count(details.failed_session_count) }
    }
}

fn text(text: Option<Text>) -> Box<str> {
    text.map(|text| text.0).unwrap_or_default()
}

fn count(count: Option<Count>) -> u64 {
    count.map_or(0, |count| count.0)
}

fn list<T, U, const MAX: usize>(list: Option<List<T, U, MAX>>) -> Vec<U> {
    list.map(|list| list.elements).unwrap_or_default()
}

/// An address; a report is not lost for text that is none.
fn address(text: Option<Text>) -> Option<IpAddr> {
    text?.0.trim().trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// Text as far as it fits.
pub(super) struct Text(pub(super) Box<str>);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor)
    }
}

struct TextVisitor;

impl Visitor<'_> for TextVisitor {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Text, E> {
        Ok(Text(cut(text, MAX_TEXT)))
    }
}

struct Time(UnixTime);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Text::deserialize(deserializer)?;
        read_time(&text.0).map(Self)
    }
}

/// A whole number, in digits or as `5.0` or `1e3`, or a string of one; what is too large counts as
/// the largest.
struct Count(u64);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CountVisitor)
    }
}

struct CountVisitor;

impl Visitor<'_> for CountVisitor {
    type Value = Count;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a count of sessions, a whole number")
    }

    fn visit_u64<E: de::Error>(self, count: u64) -> Result<Count, E> {
        Ok(Count(count.min(MAX_COUNT)))
    }

    fn visit_i64<E: de::Error>(self, count: i64) -> Result<Count, E> {
        let bad = || E::invalid_value(de::Unexpected::Signed(count), &self);
        u64::try_from(count).map_err(|_| bad()).and_then(|count| self.visit_u64(count))
    }

    fn visit_f64<E: de::Error>(self, count: f64) -> Result<Count, E> {
        // RFC 8259 §6: a fraction or an exponent makes another text of the same number. It prints
        // without either where it is whole.
        let bad = || E::invalid_value(de::Unexpected::Float(count), &self);
        digits(&format!("{count}")).map(Count).ok_or_else(bad)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Count, E> {
        let trimmed = text.trim();
        let number = || trimmed.parse().ok().and_then(|count: f64| digits(&format!("{count}")));
        let bad = || E::invalid_value(de::Unexpected::Str(text), &self);
        digits(trimmed).or_else(number).map(Count).ok_or_else(bad)
    }
}

/// The number that digits stand for, or the largest count if that is less; `None` for other text.
fn digits(text: &str) -> Option<u64> {
    // A number of JSON may be the negative zero.
    let text = if text == "-0" { "0" } else { text };
    let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(MAX_COUNT).min(MAX_COUNT))
}

/// A list of strings, or one.
struct Lines(LinesBuilder);

impl<'de> Deserialize<'de> for Lines {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LinesVisitor)
    }
}

struct LinesVisitor;

impl<'de> Visitor<'de> for LinesVisitor {
    type Value = Lines;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or a list of strings")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Lines, E> {
        let mut lines = LinesBuilder::default();
        if !text.is_empty() {
            push(&mut lines, text)?;
        }
        Ok(Lines(lines))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Lines, A::Error> {
        let mut lines = LinesBuilder::default();
        while list.next_element_seed(Line(&mut lines))?.is_some() {}
        Ok(Lines(lines))
    }
}

fn push<E: de::Error>(lines: &mut LinesBuilder, text: &str) -> Result<(), E> {
    lines
        .push(text)
        .map_err(|_| E::custom("expected a policy of at most 131072 octets, found more"))
}

struct Line<'a>(&'a mut LinesBuilder);

impl<'de> DeserializeSeed<'de> for Line<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for Line<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        push(self.0, text)
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        Ok(())
    }
}

/// A list within a bound, without its nulls; one thing stands for a list of one. Each element is
/// converted as soon as it is read, because those of a `Report` take less memory.
struct List<T, U, const MAX: usize> {
    elements: Vec<U>,
    read_as: PhantomData<T>,
}

impl<T, U, const MAX: usize> From<Vec<U>> for List<T, U, MAX> {
    fn from(elements: Vec<U>) -> Self {
        Self { elements, read_as: PhantomData }
    }
}

impl<'de, T: Deserialize<'de>, U: From<T>, const MAX: usize> Deserialize<'de> for List<T, U, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ListVisitor(PhantomData))
    }
}

struct ListVisitor<T, U, const MAX: usize>(PhantomData<(T, U)>);

impl<'de, T: Deserialize<'de>, U: From<T>, const MAX: usize> Visitor<'de>
    for ListVisitor<T, U, MAX>
{
    type Value = List<T, U, MAX>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of at most {MAX} elements")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut elements = Vec::new();
        let mut seen = 0_usize;
        while let Some(element) = list.next_element::<Option<T>>()? {
            seen = seen.saturating_add(1);
            if seen > MAX {
                let error = format!("expected at most {MAX} elements of a list, found more");
                return Err(de::Error::custom(error));
            }
            elements.extend(element.map(U::from));
        }
        // The room for more elements would be kept as long as the report.
        elements.shrink_to_fit();
        Ok(elements.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        let one = T::deserialize(MapAccessDeserializer::new(map))?;
        Ok(alloc::vec![one.into()].into())
    }
}
