//! `Arbitrary` for records and for all of a report.

use alloc::string::String;
use alloc::vec::Vec;

use arbitrary::{Arbitrary, Error, Result, Unstructured};
use mta_sts::{DnsName, Mode, Policy, PolicyDomain, PolicyId, ResultType, UnixTime};

use crate::{DateRange, FailureDetails, PolicyType, Report, ReportedPolicy, Tally, TlsrptRecord};

fn valid<T, E>(value: core::result::Result<T, E>) -> Result<T> {
    value.map_err(|_| Error::IncorrectFormat)
}

impl<'a> Arbitrary<'a> for TlsrptRecord<'static> {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let mut uris = Vec::new();
        for _ in 0..u.int_in_range(1..=3_u8)? {
            let host: DnsName = u.arbitrary()?;
            uris.push(if u.arbitrary()? {
                alloc::format!("mailto:tls@{host}")
            } else {
                alloc::format!("https://{host}/tls?x=%2C")
            });
        }
        valid(Self::new(uris.iter().map(String::as_str)))
    }
}

impl<'a> Arbitrary<'a> for DateRange {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let mut time = || u.int_in_range(0..=Self::LATEST.as_secs()).map(UnixTime::from_secs);
        let (a, b) = (time()?, time()?);
        valid(Self::new(a.min(b), a.max(b)))
    }
}

impl<'a> Arbitrary<'a> for ReportedPolicy {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let domain: PolicyDomain = u.arbitrary()?;
        match u.arbitrary()? {
            PolicyType::Tlsa => {
                let records: Vec<&str> = u.arbitrary()?;
                Ok(Self::tlsa(&domain, &u.arbitrary()?, records))
            }
            PolicyType::Sts => {
                let policy: Policy = u.arbitrary()?;
                Ok(Self::applied(&domain, Some(&policy).filter(|p| p.mode() != Mode::None)))
            }
            PolicyType::NoPolicyFound => Ok(Self::applied(&domain, None)),
        }
    }
}

impl<'a> Arbitrary<'a> for FailureDetails {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let mut details = Self::new(ResultType::arbitrary(u)?);
        if u.arbitrary()? {
            details = details.with_failure_reason_code(<&str>::arbitrary(u)?);
        }
        if u.arbitrary()? {
            details = details.with_sending_mta_ip(u.arbitrary()?);
        }
        if u.arbitrary()? {
            details = details.with_receiving_mx_hostname(&u.arbitrary()?);
        }
        if u.arbitrary()? {
            details = details.with_receiving_mx_helo(u.arbitrary()?);
        }
        if u.arbitrary()? {
            details = details.with_receiving_ip(u.arbitrary()?);
        }
        if u.arbitrary()? {
            details = details.with_additional_information(u.arbitrary()?);
        }
        if u.arbitrary()? {
            details = details.held();
        }
        Ok(details.with_failed_session_count(u.arbitrary()?))
    }
}

impl<'a> Arbitrary<'a> for Tally {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let mut tally = Self::new(u.arbitrary()?);
        for _ in 0..u.int_in_range(0..=4_u8)? {
            match u.int_in_range(0..=2_u8)? {
                0 => tally.succeeded(),
                1 => tally.failed(Vec::<FailureDetails>::arbitrary(u)?),
                _ => tally.noted(u.arbitrary()?),
            }
        }
        Ok(tally)
    }
}

impl<'a> Arbitrary<'a> for Report {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let (host, id): (DnsName, PolicyId) = u.arbitrary()?;
        let (range, tallies) = (u.arbitrary()?, Vec::<Tally>::arbitrary(u)?);
        let contact = alloc::format!("tls@{host}");
        valid(Self::new(host.as_str(), &contact, id.as_str(), range, tallies))
    }
}
