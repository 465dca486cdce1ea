//! What the sender demands: REQUIRETLS, `TLS-Required: No`, an operator's rule.

use super::*;

#[test]
fn ok_tls_required_no_lifts_enforcement_and_keeps_the_report() {
    for event in EVENTS {
        let mut delivery = under(Some(Mode::Enforce), plain().with_tls_required_no(true));
        let refused = event == Event::ConnectionFailed;
        assert_eq!(judge(&mut delivery, GOOD, Said::NotKnown, event), (refused, event.kind()));
    }
    let mut delivery = under(Some(Mode::Enforce), plain().with_tls_required_no(true));
    let foreign = judge(&mut delivery, FOREIGN, Said::NotKnown, Event::Verified);
    assert_eq!(foreign, (false, Some(FailureKind::MxMismatch)));
    assert_eq!(end(delivery), End::Open);
}

#[test]
fn err_requiretls_takes_precedence_over_tls_required_no() {
    let both = plain().with_tls_required_no(true).with_require_tls(true);
    let mut delivery = under(Some(Mode::Enforce), both);
    assert!(judge(&mut delivery, GOOD, Said::NotKnown, Event::NoStarttls).0);
    assert_eq!(end(delivery), End::Retry);
}

#[test]
fn err_requiretls_wants_a_verified_host_that_something_vouches_for() {
    let requirements = plain().with_require_tls(true);
    // Nothing vouches for the name.
    for mode in [Some(Mode::None), None] {
        let mut delivery = under(mode, requirements.clone());
        let verdict = judge(&mut delivery, GOOD, Said::Absent, Event::Verified);
        assert_eq!(verdict, (true, Some(FailureKind::NotVouchedFor)));
        assert_eq!(end(delivery), End::LocalDemand);
        // A name that DNSSEC signs vouches for itself; the certificate is still demanded.
        let mut delivery = under(mode, requirements.clone()).with_secure_mx(true);
        assert_eq!(judge(&mut delivery, GOOD, Said::Absent, Event::Verified), (false, None));
        assert!(judge(&mut delivery, GOOD, Said::Absent, Event::Unverified).0);
        let mut delivery = under(mode, requirements.clone());
        assert!(!judge(&mut delivery, GOOD, Said::Passed, Event::Unverified).0);
        assert_eq!(end(delivery), End::Open);
    }
    // A policy does, be it only in mode testing; its own failures are the sender's then.
    let mut delivery = under(Some(Mode::Testing), requirements.clone());
    assert_eq!(judge(&mut delivery, GOOD, Said::Absent, Event::Verified), (false, None));
    assert!(judge(&mut delivery, GOOD, Said::Absent, Event::Unverified).0);
    assert_eq!(end(delivery), End::LocalDemand);
    // DANE may vouch for a name that no policy has.
    let mut delivery = under(Some(Mode::Testing), requirements);
    let verdict = judge(&mut delivery, FOREIGN, Said::Passed, Event::Unverified);
    assert_eq!(verdict, (false, Some(FailureKind::MxMismatch)));
}

/// The network decides nothing for a host that the policy refuses by name.
#[test]
fn unmatched_host_that_dane_was_hoped_to_vouch_for_is_refused_though_not_reached() {
    for (said, expected) in
        [(Said::NotKnown, End::Retry), (Said::Absent, End::Retry), (Said::Passed, End::Open)]
    {
        let mut delivery = under(Some(Mode::Enforce), plain().with_dane_sufficient(true));
        assert!(judge(&mut delivery, FOREIGN, said, Event::ConnectionFailed).0);
        assert_eq!(end(delivery), expected, "{said:?}");
    }
    let mut delivery = under(Some(Mode::Enforce), plain());
    assert!(judge(&mut delivery, GOOD, Said::NotKnown, Event::ConnectionFailed).0);
    assert_eq!(end(delivery), End::Open);
}

/// DANE could have refused the host, so an attempt without a verdict counts as refused by it.
#[test]
fn attempt_without_a_verdict_counts_as_refused_by_dane() {
    for (said, expected) in [(Said::NotKnown, End::Open), (Said::Passed, End::LocalDemand)] {
        let mut delivery = under(None, plain());
        let candidate = delivery.candidate_with_dane(&Mx::parse(GOOD), said.of(GOOD));
        assert!(matches!(candidate, Candidate::Connect(_)));
        drop(candidate);
        assert_eq!(end(delivery), expected, "{said:?}");
    }
}

#[test]
fn err_a_forced_demand_is_lowered_by_nothing() {
    for mode in [Some(Mode::Testing), Some(Mode::None), None] {
        for requirements in [forced(&[GOOD]), forced(&[GOOD]).with_tls_required_no(true)] {
            for event in EVENTS {
                let mut delivery = under(mode, requirements.clone());
                let refused = event != Event::Verified;
                let verdict = judge(&mut delivery, GOOD, Said::Absent, event);
                assert_eq!(verdict, (refused, event.kind()), "{event:?}");
                let demanded = refused && event != Event::ConnectionFailed;
                let expected = if demanded { End::LocalDemand } else { End::Open };
                assert_eq!(end(delivery), expected);
            }
            let mut delivery = under(mode, requirements);
            let verdict = judge(&mut delivery, FOREIGN, Said::Absent, Event::Verified);
            assert_eq!(verdict, (true, Some(FailureKind::NotVouchedFor)));
            // Nor does DANE lend another host the operator's trust: it speaks of certificates.
            let requirements = forced(&[GOOD]).with_dane_sufficient(true);
            let mut delivery = under(mode, requirements);
            assert!(judge(&mut delivery, FOREIGN, Said::Passed, Event::Verified).0);
            assert!(!judge(&mut delivery, GOOD, Said::Passed, Event::Unverified).0);
        }
    }
}

#[test]
fn err_a_forced_demand_and_an_enforced_policy_must_both_allow_the_host() {
    let mut delivery = under(Some(Mode::Enforce), forced(&["*.example.net"]));
    assert!(judge(&mut delivery, GOOD, Said::Absent, Event::Verified).0);
    assert_eq!(end(delivery), End::LocalDemand, "the policy allows it");
    let mut delivery = under(Some(Mode::Enforce), forced(&["*.example.net"]));
    assert!(judge(&mut delivery, FOREIGN, Said::Absent, Event::Verified).0);
    assert_eq!(end(delivery), End::Retry, "the policy does not");
    let mut delivery = under(Some(Mode::Enforce), forced(&["*.example.com", "*.example.net"]));
    assert!(!judge(&mut delivery, GOOD, Said::Absent, Event::Verified).0);
}

#[test]
fn err_forced_patterns_are_valid_and_not_none() {
    assert!(Demand::forced([]).is_err());
    assert!(Demand::forced([GOOD, "*"]).is_err());
}

#[test]
fn ok_an_operator_may_turn_the_policy_off() {
    let mut delivery = under(Some(Mode::Enforce), plain().with_demand(Demand::Off));
    assert!(delivery.policy().is_none());
    let (refused, result) = judged(&mut delivery, FOREIGN, Said::NotKnown, Event::NoStarttls);
    // As without a policy: the mail goes, and clear text is no success.
    assert_eq!((refused, result.policy(), result.count()), (false, None, SessionCount::Failed));
    assert_eq!(end(delivery), End::Open);
}
