//! The attack simulation, in short; and that it finds what is wrong with a sender.

use mta_sts_testkit::world::{Flaw, Found, replay, search};

/// Enough for each flaw to be found many times over.
const TRACES: u64 = 20_000;

#[test]
fn ok_no_attack_succeeds() {
    let counts = search(Flaw::None, 0, TRACES).unwrap_or_else(|found| panic!("{found}"));
    println!("{counts:#?}");
    assert_eq!(counts.traces, TRACES);
    // It is not for want of anything happening.
    for (count, least) in [
        (counts.protected, 10_000),
        (counts.fetched, 10_000),
        (counts.delivered, 1_000),
        (counts.refused, 1_000),
        (counts.bounced, 20),
    ] {
        assert!(count >= least, "{counts:?}");
    }
}

/// The flaw is found, and the trace is as short as can be: without any of its moves it is none.
fn found(flaw: Flaw, broken: &str) -> Found {
    let found = search(flaw, 0, TRACES).expect_err("a checker that finds nothing checks nothing");
    println!("{flaw:?}: {} moves, in trace {}\n{found}", found.moves.len(), found.seed);
    assert!(found.broken.contains(broken), "{found}");
    assert_eq!(replay(flaw, &found.moves), Err(found.broken.clone()));
    assert!(replay(Flaw::None, &found.moves).is_ok(), "it is the flaw's fault");
    for left_out in 0..found.moves.len() {
        let mut fewer = found.moves.clone();
        fewer.remove(left_out);
        assert!(replay(flaw, &fewer).is_ok(), "move {} is not needed\n{found}", left_out + 1);
    }
    assert!(found.moves.len() <= 20, "a person can read it");
    *found
}

#[test]
fn err_a_sender_that_forgets_its_policy_when_dns_has_no_record() {
    found(Flaw::ForgetsWhenAbsent, "no policy");
}

#[test]
fn err_a_sender_that_extends_a_policy_because_the_id_matches() {
    found(Flaw::ExtendsOnMatchingId, "but holds none");
}

#[test]
fn err_a_sender_that_bounces_when_dns_is_silent() {
    found(Flaw::BouncesOnSilence, "though DNS has not answered");
}

#[test]
fn err_a_sender_without_back_off() {
    found(Flaw::NoBackOff, "fetches");
}

#[test]
fn err_a_sender_that_takes_a_failed_store_for_an_empty_one() {
    found(Flaw::EmptyWhenStoreFails, "no policy");
}

#[test]
fn err_a_sender_that_trusts_any_certificate() {
    found(Flaw::TrustsAnyCertificate, "version: STSv1; mode: none");
}

#[test]
fn err_a_store_that_overwrites_instead_of_merging() {
    found(Flaw::Overwrites, "holds");
}

#[test]
fn err_a_sender_that_ignores_the_verdict() {
    found(Flaw::IgnoresTheVerdict, "in spite of an enforced policy");
}
