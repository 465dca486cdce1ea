//! Random fleets, and that the search finds a driver's mistakes.

use mta_sts_testkit::fleet::{Flaw, Found, replay, search};

/// Enough for each flaw to be found many times over.
const TRACES: u64 = 20_000;

#[test]
fn no_attack_succeeds_in_20_000_random_fleets() {
    let counts = search(Flaw::None, 0, TRACES).unwrap_or_else(|found| panic!("{found}"));
    println!("{counts:#?}");
    assert_eq!(counts.traces, TRACES);
    for (property, count) in counts.by_property() {
        assert!(count >= 20, "{property} was put to the test {count} times");
    }
    assert!(counts.wild_traces * 2 < TRACES, "most traces have right clocks");
}

/// Asserts that the flaw is found, and that no operation of its trace can be left out.
fn found(flaw: Flaw, broken: &str) -> Found {
    let found = search(flaw, 0, TRACES).expect_err("a checker that finds nothing checks nothing");
    println!("{flaw:?}: {} operations, in trace {}\n{found}", found.ops.len(), found.seed);
    assert!(found.broken.contains(broken), "{found}");
    let again = replay(flaw, found.setup, &found.ops).expect_err("it is repeatable");
    assert_eq!(again.1, found.broken);
    assert!(replay(Flaw::None, found.setup, &found.ops).is_ok(), "it is the flaw's fault");
    for left_out in 0..found.ops.len() {
        let mut fewer = found.ops.clone();
        fewer.remove(left_out);
        let needless = replay(flaw, found.setup, &fewer).is_err();
        assert!(!needless, "operation {} is not needed\n{found}", left_out + 1);
    }
    assert!(found.ops.len() <= 30, "a person can read it\n{found}");
    *found
}

#[test]
fn flaw_forgets_its_policy_when_dns_has_no_record() {
    found(Flaw::ForgetsWhenAbsent, "no policy");
}

#[test]
fn flaw_extends_a_policy_because_the_id_matches() {
    found(Flaw::ExtendsOnMatchingId, "1-3");
}

#[test]
fn flaw_bounces_when_dns_is_silent() {
    found(Flaw::BouncesOnSilence, "though DNS did not answer");
}

#[test]
fn flaw_has_no_back_off() {
    found(Flaw::NoBackOff, "6: ");
}

#[test]
fn flaw_takes_a_failed_store_for_an_empty_one() {
    found(Flaw::EmptyWhenStoreFails, "1");
}

#[test]
fn flaw_drops_the_notes_of_an_unreadable_store() {
    found(Flaw::DropsItsNotes, "");
}

#[test]
fn flaw_trusts_any_certificate() {
    found(Flaw::TrustsAnyCertificate, "mode: none");
}

#[test]
fn flaw_store_overwrites_instead_of_merging() {
    found(Flaw::Overwrites, "");
}

#[test]
fn flaw_keeps_its_own_entry_after_a_write() {
    found(Flaw::KeepsItsOwnEntry, "");
}

#[test]
fn flaw_ignores_the_verdict() {
    found(Flaw::IgnoresTheVerdict, "4: ");
}

#[test]
fn flaw_takes_a_token_from_a_stale_answer() {
    found(Flaw::TokenFromAStaleAnswer, "too old");
}
