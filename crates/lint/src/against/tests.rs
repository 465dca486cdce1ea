//! The index answers as the patterns do, and what is hostile costs no more than is shown.

use alloc::string::ToString;
use core::cell::Cell;

use proptest::prelude::*;

use super::*;
use mta_sts::MAX_POLICY_OCTETS;

fn text(mx: impl Iterator<Item = String>) -> String {
    let mut text = String::from("version: STSv1\nmode: enforce\nmax_age: 1209600\n");
    for pattern in mx {
        text.push_str("mx:");
        text.push_str(&pattern);
        text.push('\n');
    }
    assert!(text.len() <= MAX_POLICY_OCTETS);
    text
}

fn live(hosts: &[String]) -> Vec<LiveMx<'_>> {
    hosts.iter().map(|host| LiveMx::new(host)).collect()
}

#[test]
fn ok_of_thousands_of_hosts_and_patterns_only_what_can_be_shown_has_help() {
    let text = text((0..6_000).map(|n| format!("{n:x}.b")));
    let policy = PolicyRef::parse(text.as_bytes(), Profile::Strict).unwrap();
    let hosts: Vec<String> = (0..2_000).map(|n| format!("{n:x}z.b")).collect();
    let live = live(&hosts);
    let all = found(policy, &live);
    let uncovered: Vec<_> = all.iter().filter(|d| d.code == "mx_not_covered").collect();
    assert_eq!(uncovered.len(), hosts.len());
    assert_eq!(uncovered.iter().filter(|d| d.help.is_some()).count(), MAX_DIAGNOSTICS);
    assert_eq!(all.len(), hosts.len() + 6_000);
    let shown = judge(policy, &live);
    assert_eq!(shown.len(), MAX_DIAGNOSTICS);
    // Thousands of notes on the policy do not hide one of these.
    let errors = || shown.iter().take(MAX_DIAGNOSTICS - 2);
    assert!(errors().all(|d| d.code == "mx_not_covered" && d.help.is_some()), "{shown:#?}");
    let [.., more, capped] = shown.as_slice() else { panic!("{shown:#?}") };
    assert_eq!((more.code, more.message.as_str()), ("more", "962 more diagnostics like these"));
    assert_eq!((capped.code, capped.severity), ("too_many_hosts", Severity::Note));
    assert_eq!(capped.message, "only the first 1000 of 2000 MX hosts are judged");
}

#[test]
fn ok_a_pattern_may_be_for_a_host_that_was_not_looked_at() {
    let text = text(["*.a.test".to_string(), "last.test".to_string()].into_iter());
    let policy = PolicyRef::parse(text.as_bytes(), Profile::Strict).unwrap();
    let mut hosts: Vec<String> = (1..=MAX_MX_HOSTS).map(|n| format!("x{n}.a.test")).collect();
    let codes = |hosts: &[String]| {
        judge(policy, &live(hosts)).into_iter().map(|d| d.code).collect::<Vec<_>>()
    };
    assert_eq!(codes(&hosts), ["pattern_unused"]);
    hosts.push("last.test".into());
    assert_eq!(codes(&hosts), ["too_many_hosts"]);
}

#[test]
fn ok_a_host_is_compared_with_no_more_patterns_than_people_write() {
    let compared = Cell::new(0_usize);
    let pattern = |text: &'static str| MxPattern::parse(text, Profile::Strict).unwrap();
    let patterns = core::iter::repeat_n(pattern("mx2.far.test"), 8_000)
        .inspect(|_| compared.set(compared.get() + 1));
    assert_eq!(nearest(patterns, "mail.test"), None);
    assert_eq!(compared.get(), MAX_COMPARED);
    let few = ["mx.test", "mial.test", "mailx.test"].map(pattern);
    assert_eq!(nearest(few.into_iter(), "mail.test"), Some(pattern("mial.test")));
}

#[test]
fn ok_the_wildcard_that_is_nearest_is_named() {
    let text = text(["*.TEST", "*.b.Test"].map(String::from).into_iter());
    let policy = PolicyRef::parse(text.as_bytes(), Profile::Strict).unwrap();
    for (host, help) in [
        ("x.a.b.test", "`*.b.Test` covers one label only, not hosts deeper below"),
        ("x.c.test", "`*.TEST` covers one label only, not hosts deeper below"),
        ("test", "`*.TEST` does not cover the domain itself"),
    ] {
        let found = Patterns::new(policy).why_not(&DnsName::parse(host).unwrap());
        assert_eq!(found, format!("{help}: add `mx: {host}`"));
    }
}

proptest! {
    #[test]
    fn ok_the_index_answers_as_the_patterns_do(
        mx in proptest::collection::vec("(\\*\\.)?[abA]{1,2}(\\.[abB]){0,2}\\.?", 1..12),
        hosts in proptest::collection::vec("[abA]{1,2}(\\.[abB]){0,3}", 1..12),
    ) {
        let text = text(mx.into_iter());
        let policy = PolicyRef::parse(text.as_bytes(), Profile::Tolerant).unwrap();
        let hosts: Vec<_> = hosts.iter().map(|host| DnsName::parse(host).unwrap()).collect();
        let (patterns, names) = (Patterns::new(policy), Names::new(&hosts));
        for host in &hosts {
            prop_assert_eq!(patterns.cover(host), policy.matches(host), "{}", host);
        }
        for pattern in policy.mx() {
            let needed = hosts.iter().any(|host| pattern.matches(host));
            prop_assert_eq!(names.need(pattern), needed, "{}", pattern);
        }
    }
}
