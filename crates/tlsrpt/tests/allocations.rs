//! Allocations of reported policies. The counts are of one thread, so tests may run beside another.

use mta_sts::{Policy, PolicyDomain, Profile};
use mta_sts_tlsrpt::{ReportedPolicy, Tally};

/// The bytes that a call allocates, and its result.
fn allocated_bytes<T>(run: impl FnOnce() -> T) -> (u64, T) {
    let mut result = None;
    let info = allocation_counter::measure(|| result = Some(run()));
    (info.bytes_total, result.expect("it ran"))
}

fn domain() -> PolicyDomain {
    PolicyDomain::parse("example.com").unwrap()
}

/// Bytes of the domain's name and two counters: what a reported policy takes, whatever the policy.
const SMALL: u64 = 64;

#[test]
fn reported_policy_shares_the_text_of_the_policy() {
    let mut text = String::from("version: STSv1\r\nmode: enforce\r\nmax_age: 86400\r\n");
    while text.len() < 65_000 {
        text.push_str("mx: a.example\r\n");
    }
    let policy = Policy::parse(text.as_bytes(), Profile::Strict).unwrap();
    let domain = domain();

    let (bytes, reported) = allocated_bytes(|| ReportedPolicy::applied(&domain, Some(&policy)));
    assert!(bytes <= SMALL, "{bytes}");
    assert_eq!(allocated_bytes(|| reported.clone()).0, 0);
    assert_eq!(allocated_bytes(|| reported.policy_string().chain(reported.mx_host()).count()).0, 0);

    let tallies = || -> [Tally; 100] {
        core::array::from_fn(|_| Tally::new(ReportedPolicy::applied(&domain, Some(&policy))))
    };
    let (bytes, _) = allocated_bytes(|| core::hint::black_box(tallies()));
    assert!(bytes <= 100 * SMALL, "{bytes}");
}
