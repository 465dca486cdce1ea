//! The report as RFC 8460 §4.4 writes it. What is not known is left out.

#![allow(clippy::struct_field_names, reason = "the names are those of the JSON fields")]

use core::net::IpAddr;

use serde::ser::{Serialize, Serializer};

use super::super::{FailureDetails, PolicyReport, Report as Whole, ReportedPolicy};
use super::write_time;
use mta_sts::UnixTime;

#[derive(serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Report<'a> {
    organization_name: &'a str,
    date_range: DateRange,
    contact_info: &'a str,
    report_id: &'a str,
    policies: Policies<'a>,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "kebab-case")]
struct DateRange {
    start_datetime: Time,
    end_datetime: Time,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "kebab-case")]
struct PolicyEntry<'a> {
    policy: &'a ReportedPolicy,
    summary: Summary,
    failure_details: &'a [FailureDetails],
}

#[derive(serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Policy<'a> {
    policy_type: &'a str,
    #[serde(skip_serializing_if = "PolicyString::is_empty")]
    policy_string: PolicyString<'a>,
    policy_domain: &'a str,
    #[serde(skip_serializing_if = "MxHost::is_empty")]
    mx_host: MxHost<'a>,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "kebab-case")]
struct Summary {
    total_successful_session_count: u64,
    total_failure_session_count: u64,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Details<'a> {
    result_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sending_mta_ip: Option<Address>,
    #[serde(skip_serializing_if = "Option::is_none")]
    receiving_mx_hostname: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    receiving_mx_helo: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    receiving_ip: Option<Address>,
    failed_session_count: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    additional_information: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_reason_code: Option<&'a str>,
}

struct Time(UnixTime);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        write_time(self.0, serializer)
    }
}

struct Address(IpAddr);

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // RFC 5952 is how the standard library prints IPv6 addresses.
        serializer.collect_str(&self.0)
    }
}

struct PolicyString<'a>(&'a ReportedPolicy);

impl PolicyString<'_> {
    fn is_empty(&self) -> bool {
        self.0.policy_string().next().is_none()
    }
}

impl Serialize for PolicyString<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.policy_string())
    }
}

struct MxHost<'a>(&'a ReportedPolicy);

impl MxHost<'_> {
    fn is_empty(&self) -> bool {
        self.0.mx_host().next().is_none()
    }
}

impl Serialize for MxHost<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.mx_host())
    }
}

struct Policies<'a>(&'a [PolicyReport]);

impl Serialize for Policies<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(PolicyEntry::from))
    }
}

impl<'a> From<&'a Whole> for Report<'a> {
    fn from(report: &'a Whole) -> Self {
        Self {
            organization_name: &report.organization_name,
            date_range: DateRange {
                start_datetime: Time(report.date_range.start()),
                end_datetime: Time(report.date_range.end()),
            },
            contact_info: &report.contact_info,
            report_id: &report.id,
            policies: Policies(&report.policies),
        }
    }
}

impl<'a> From<&'a PolicyReport> for PolicyEntry<'a> {
    fn from(report: &'a PolicyReport) -> Self {
        Self {
            policy: &report.policy,
            summary: Summary {
                total_successful_session_count: report.successful,
                total_failure_session_count: report.failed,
            },
            failure_details: &report.details,
        }
    }
}

impl<'a> From<&'a ReportedPolicy> for Policy<'a> {
    fn from(policy: &'a ReportedPolicy) -> Self {
        Self {
            policy_type: policy.policy_type_str(),
            policy_string: PolicyString(policy),
            policy_domain: &policy.policy_domain,
            mx_host: MxHost(policy),
        }
    }
}

impl<'a> From<&'a FailureDetails> for Details<'a> {
    fn from(details: &'a FailureDetails) -> Self {
        Self {
            result_type: details.result_type_str(),
            sending_mta_ip: details.sending_mta_ip().map(Address),
            receiving_mx_hostname: details.receiving_mx_hostname(),
            receiving_mx_helo: details.receiving_mx_helo(),
            receiving_ip: details.receiving_ip().map(Address),
            failed_session_count: details.failed_session_count(),
            additional_information: details.additional_information(),
            failure_reason_code: details.failure_reason_code(),
        }
    }
}
