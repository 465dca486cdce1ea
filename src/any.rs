//! `Arbitrary` for the value types that are made by more than their fields. What bears witness is
//! not among them: no evidence of a certificate, no permission to bounce, no outcome of a lookup.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use arbitrary::{Arbitrary, Error, Result, Unstructured};

use crate::delivery::{Demand, Mx, Requirements};
use crate::lookup::Limits;
use crate::name::{DnsName, PolicyDomain};
use crate::policy::{Mode, Policy};
use crate::record::{PolicyId, Record};
use crate::time::UnixTime;
use crate::tlsrpt::{
    DateRange, FailureDetails, PolicyType, Report, ReportedPolicy, ResultType, Tally, TlsrptRecord,
};

fn valid<T, E>(value: core::result::Result<T, E>) -> Result<T> {
    value.map_err(|_| Error::IncorrectFormat)
}

/// Up to two further fields, as records may have them.
fn extensions(u: &mut Unstructured<'_>) -> Result<String> {
    let mut text = String::new();
    for _ in 0..u.int_in_range(0..=2_u8)? {
        text.push_str(u.choose(&[" x=1;", ";", "\t; a.b-c_d=!:~;", "rua=mailto:a@b.c;"])?);
    }
    Ok(text)
}

impl<'a> Arbitrary<'a> for Record<'static> {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let id: PolicyId = u.arbitrary()?;
        let text = alloc::format!("v=STSv1; id={id};{}", extensions(u)?);
        valid(Record::parse(text.as_bytes())).map(Record::into_owned)
    }
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

impl<'a> Arbitrary<'a> for Limits {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let mut timeout = || u.int_in_range(1..=300_000).map(Duration::from_millis);
        let (query, fetch) = (timeout()?, timeout()?);
        Ok(Self::default()
            .with_query_timeout(query)
            .with_fetch_timeout(fetch)
            .with_policy_octets(u.int_in_range(1..=65_536)?)
            .with_profile(u.arbitrary()?))
    }
}

impl<'a> Arbitrary<'a> for Mx {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        if u.ratio(3, 4)? { u.arbitrary().map(Self::Host) } else { u.arbitrary().map(Self::parse) }
    }
}

impl<'a> Arbitrary<'a> for Demand {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        match u.int_in_range(0..=2_u8)? {
            0 => Ok(Self::Published),
            1 => Ok(Self::Off),
            _ => {
                let policy: Policy = u.arbitrary()?;
                valid(Self::forced(policy.mx().map(crate::mx::MxPattern::as_str)))
            }
        }
    }
}

impl<'a> Arbitrary<'a> for Requirements {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(Self::default()
            .with_require_tls(u.arbitrary()?)
            .with_tls_required_no(u.arbitrary()?)
            .with_dane_sufficient(u.arbitrary()?)
            .with_demand(u.arbitrary()?))
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
