//! `Arbitrary` for the value types that are made by more than their fields. What bears witness is
//! not among them: no evidence of a certificate, no permission to bounce, no outcome of a lookup.

use alloc::string::String;
use core::time::Duration;

use arbitrary::{Arbitrary, Error, Result, Unstructured};

use crate::delivery::{Demand, Mx, Requirements};
use crate::lookup::Limits;
use crate::policy::Policy;
use crate::record::{PolicyId, Record};

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
            .with_demand(u.arbitrary()?)
            .with_require(u.arbitrary()?))
    }
}
