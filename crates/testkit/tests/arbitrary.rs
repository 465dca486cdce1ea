//! What `Arbitrary` makes of random bytes is valid, and not always the same.

use std::collections::BTreeSet;

use arbitrary::{Arbitrary, Unstructured};
use mta_sts::delivery::Requirements;
use mta_sts::{Entry, Limits, Policy, Record};
use mta_sts_tlsrpt::{Report, TlsrptRecord};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

/// The values that a thousand times 400 random octets make.
fn made<T: for<'a> Arbitrary<'a>>() -> Vec<T> {
    let mut runner = TestRunner::deterministic();
    let bytes = prop::collection::vec(any::<u8>(), 400);
    let one = |_| {
        let bytes = bytes.new_tree(&mut runner).unwrap().current();
        T::arbitrary(&mut Unstructured::new(&bytes)).ok()
    };
    (0..1_000).filter_map(one).collect()
}

/// That each value is the same again by way of its text, and that there are many.
fn check<T: for<'a> Arbitrary<'a>>(text: impl Fn(&T) -> String, is_valid: impl Fn(&T) -> bool) {
    let values = made::<T>();
    let distinct: BTreeSet<String> = values.iter().map(&text).collect();
    assert!(distinct.len() > 50, "{} are distinct of {}", distinct.len(), values.len());
    for value in &values {
        assert!(is_valid(value), "{}", text(value));
    }
}

#[test]
fn ok_entries_read_back() {
    check::<Entry>(
        |entry| format!("{:?}", entry.to_bytes()),
        |entry| Entry::from_bytes(entry.domain(), &entry.to_bytes()).as_ref() == Ok(entry),
    );
    let (with, without): (Vec<_>, Vec<_>) =
        made::<Entry>().into_iter().partition(|entry| entry.stored_policy().is_some());
    assert!(with.len() > 50 && without.len() > 50);
}

#[test]
fn ok_texts_parse() {
    check::<Policy>(ToString::to_string, |policy| {
        Policy::parse(policy.as_str().as_bytes(), policy.profile()).as_ref() == Ok(policy)
    });
    check::<Record<'static>>(ToString::to_string, |record| {
        Record::parse(record.as_str().as_bytes()).as_ref() == Ok(record)
    });
    check::<TlsrptRecord<'static>>(ToString::to_string, |record| {
        TlsrptRecord::parse(record.as_str().as_bytes()).as_ref() == Ok(record)
    });
}

#[test]
fn ok_bounds_hold() {
    let text = |limits: &Limits| format!("{limits:?}");
    check::<Limits>(text, |limits| (1..=65_536).contains(&limits.policy_octets()));
    let text = |requirements: &Requirements| format!("{requirements:?}");
    check::<Requirements>(text, |requirements| requirements.clone() == *requirements);
    let json = |report: &Report| serde_json::to_string(report).unwrap();
    check::<Report>(json, |report| {
        serde_json::from_str(&json(report)).ok().as_ref() == Some(report)
    });
}
