//! Policies, entries and names to measure with.

use std::fmt::Write;

use mta_sts::lookup::{AfterHead, AfterTxt, Head, Start};
use mta_sts::{Entry, Held, Lookup, Outcome, PolicyDomain, PolicyHostVerified, Recheck, UnixTime};

pub(crate) const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);

/// A policy of so many hosts, the last of them a wildcard.
pub(crate) fn policy(mx: usize) -> String {
    // 5,000 of them must fit 64 KiB.
    policy_at(if mx > 1_000 { "a" } else { "example.com" }, mx)
}

/// The same, of hosts in this domain.
pub(crate) fn policy_at(domain: &str, mx: usize) -> String {
    let mut text = "version: STSv1\nmode: enforce\n".to_owned();
    for number in 1..mx {
        writeln!(text, "mx: m{number}.{domain}").expect("a string takes all");
    }
    text + "mx: *.a.net\nmax_age: 604800\n"
}

/// Names as real ones are long.
pub(crate) fn domain(number: usize) -> PolicyDomain {
    PolicyDomain::parse(&format!("c{number:07}.example")).expect("a domain")
}

/// The numbers below `count`, in an order that no cache foresees.
pub(crate) fn shuffled(count: usize) -> Vec<usize> {
    const STRIDE: usize = 611_953;
    (0..count).map(|number| (number * STRIDE + 17) % count).collect()
}

/// A policy as real ones are: three hosts of the domain.
pub(crate) fn policy_of(domain: &PolicyDomain) -> String {
    format!(
        "version: STSv1\r\nmode: enforce\r\nmx: mx1.{domain}\r\nmx: mx2.{domain}\r\n\
         mx: *.mail.{domain}\r\nmax_age: 604800\r\n"
    )
}

/// The entry after the lookup that found it: DNS need not be asked for a day.
pub(crate) fn entry(domain: &PolicyDomain) -> Entry {
    found(domain, Recheck::Always, NOW).into_entry()
}

/// The outcome of a refresh that went well.
pub(crate) fn refreshed(domain: &PolicyDomain, now: UnixTime) -> Outcome {
    found(domain, Recheck::Refresh, now)
}

fn found(domain: &PolicyDomain, recheck: Recheck, now: UnixTime) -> Outcome {
    let lookup = Lookup::new(domain.clone(), Held::Nothing).recheck(recheck);
    let Start::QueryTxt(query) = lookup.start(now) else { panic!("no question") };
    let AfterTxt::FetchPolicy(fetch) =
        query.answered([["v=STSv1; id=20260101T000000"]], 86_400, now)
    else {
        panic!("no fetch")
    };
    let verified = PolicyHostVerified::assertion(fetch.host());
    let ok = Head { status: 200, content_type: Some(b"text/plain"), content_encoding: None };
    let AfterHead::ReadBody(mut body) = fetch.responded(verified, ok, now) else {
        panic!("no body")
    };
    assert!(body.chunk(policy_of(domain).as_bytes()).is_continue());
    let state = body.ended(now);
    let merged = state.entry().clone();
    state.stored(merged)
}
