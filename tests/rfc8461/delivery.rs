//! §2, §4, §5, §8 and §10: what a policy does to a delivery.

use mta_sts::delivery::{
    Candidate, Conclusion, Dane, DaneFault, Delivery, Failure, FailureKind, Mx, Requirements,
    Session, SessionCount, Verdict,
};
use mta_sts::{
    CertificateFault, DnsName, Held, Limits, Mode, MxVerified, Outcome, Recheck, ResultType,
    Status, TlsFailure,
};
use mta_sts_testkit::script::{self, HttpsAnswer, TxtAnswer, policy_text};

use super::{DAY, NOW, WEEK, at, code, domain, fails, holding, id, keep, look, look_for, mode};
use super::{records, serves};

fn outcome(mode: Mode) -> Outcome {
    look(Held::Nothing, &id("1"), &serves(mode, WEEK), NOW).outcome
}

fn delivery(mode: Mode) -> Delivery {
    Delivery::new(&outcome(mode), Requirements::default())
}

fn mx(name: &str) -> Mx {
    Mx::parse(name)
}

fn connect(delivery: &mut Delivery, name: &str) -> mta_sts::delivery::Attempt {
    match delivery.candidate(&mx(name)) {
        Candidate::Connect(attempt) => attempt,
        Candidate::Skip(result) => panic!("{result:?}"),
    }
}

/// The verdict on a session with a host that may be connected to.
fn judged(delivery: &mut Delivery, name: &str, session: Session) -> Verdict {
    let attempt = connect(delivery, name);
    delivery.judge(attempt, session)
}

/// The failure for which a host is not connected to.
fn skipped(delivery: &mut Delivery, mx: &Mx) -> Failure {
    match delivery.candidate(mx) {
        Candidate::Skip(result) => result.failure().expect("a reason").clone(),
        Candidate::Connect(attempt) => panic!("{attempt:?}"),
    }
}

fn verified(name: &str) -> Session {
    Session::Verified(MxVerified::assertion(&DnsName::parse(name).unwrap()))
}

/// The mail was refused everywhere: what stands before its bounce.
fn refused(outcome: &Outcome) -> mta_sts::delivery::Retry {
    let mut delivery = Delivery::new(outcome, Requirements::default());
    assert!(matches!(delivery.candidate(&mx("mx.elsewhere.example")), Candidate::Skip(_)));
    match delivery.conclude() {
        Conclusion::Retry(retry) => retry,
        other => panic!("{other:?}"),
    }
}

#[test]
fn s2_mta_sts_does_not_override_a_failing_dane_validation() {
    for policy_mode in [Mode::Enforce, Mode::Testing, Mode::None] {
        let mut delivery = delivery(policy_mode);
        let name = "mx.example.com";
        let Candidate::Connect(attempt) = delivery.candidate(&mx(name)) else {
            panic!("it matches")
        };
        let attempt = attempt.with_dane(Dane::Failed(DaneFault::TlsaInvalid));
        let verdict = delivery.judge(attempt, verified(name));
        let kind = verdict.failure().map(Failure::kind);
        let expected = FailureKind::Dane(DaneFault::TlsaInvalid);
        assert_eq!((verdict.is_refused(), kind), (true, Some(expected)));
    }
}

#[test]
fn s3_4_the_smart_host_is_the_policy_domain() {
    let mut delivery = delivery(Mode::Enforce);
    assert_eq!(delivery.domain().map(mta_sts::PolicyDomain::as_str), Some("example.com"));
    // Its own name is its one candidate.
    let failure = skipped(&mut delivery, &Mx::implicit(&domain()));
    assert_eq!(failure.kind(), FailureKind::MxMismatch);
}

#[test]
fn s3_4_a_delivery_to_an_address_literal_has_no_policy() {
    let mut delivery = Delivery::without_policy(Requirements::default());
    assert!(delivery.policy().is_none() && delivery.domain().is_none());
    assert!(!judged(&mut delivery, "192.0.2.1", Session::NoStarttls).is_refused());
    assert!(matches!(delivery.conclude(), Conclusion::Open));
}

#[test]
fn s4_1_the_mx_host_must_match_a_pattern() {
    let mut delivery = delivery(Mode::Enforce);
    let failure = skipped(&mut delivery, &mx("mx.example.net"));
    assert_eq!(failure.result_type(), Some(ResultType::ValidationFailure));
    assert!(matches!(delivery.candidate(&mx("MX.Example.COM.")), Candidate::Connect(_)));
}

#[test]
fn s4_2_the_certificate_must_be_valid_for_the_host() {
    for other in ["example.com", "mx.example.net", "mx2.example.com"] {
        let mut delivery = delivery(Mode::Enforce);
        let attempt = connect(&mut delivery, "mx.example.com");
        assert_eq!(attempt.host().map(DnsName::as_str), Some("mx.example.com"));
        assert!(delivery.judge(attempt, verified(other)).is_refused(), "{other}");
    }
    for fault in [CertificateFault::Expired, CertificateFault::UntrustedIssuer] {
        let mut delivery = delivery(Mode::Enforce);
        let session = Session::CertificateInvalid(fault);
        assert!(judged(&mut delivery, "mx.example.com", session).is_refused());
    }
    let mut delivery = delivery(Mode::Enforce);
    assert!(judged(&mut delivery, "mx.example.com", Session::Unverified).is_refused());
}

#[test]
fn s5_enforce_delivers_to_no_host_that_fails() {
    let name = "mx.example.com";
    let mut delivery = delivery(Mode::Enforce);
    assert!(judged(&mut delivery, name, Session::NoStarttls).is_refused());
    for reply_code in [454, 500, 502, 554] {
        let session = Session::StarttlsRefused(reply_code);
        assert!(judged(&mut delivery, name, session).is_refused());
    }
    let broken = Session::TlsFailed(TlsFailure::Closed);
    assert!(judged(&mut delivery, name, broken).is_refused());
    assert!(!judged(&mut delivery, name, verified(name)).is_refused());
}

#[test]
fn s5_testing_delivers_as_if_nothing_had_failed_and_reports() {
    let mut delivery = delivery(Mode::Testing);
    let verdict = judged(&mut delivery, "mx.example.net", verified("mx.example.net"));
    assert!(!verdict.is_refused());
    let reported = verdict.failure().and_then(Failure::result_type);
    assert_eq!(reported, Some(ResultType::ValidationFailure));
    let verdict = judged(&mut delivery, "mx.example.com", Session::NoStarttls);
    let reported = verdict.failure().and_then(Failure::result_type);
    assert_eq!(reported, Some(ResultType::StarttlsNotSupported));
    assert!(!verdict.is_refused());
    assert!(matches!(delivery.conclude(), Conclusion::Open));
}

#[test]
fn s5_none_is_as_no_policy() {
    let mut delivery = delivery(Mode::None);
    let verdict = judged(&mut delivery, "mx.example.net", Session::NoStarttls);
    // RFC 8461 §6: nothing of it is reported. RFC 8460 §4.4: it is no success either.
    assert_eq!(verdict.result().count(), SessionCount::NotCounted);
    assert!(!verdict.is_refused());
    assert!(matches!(delivery.conclude(), Conclusion::Open));
}

#[test]
fn s5_failures_by_policy_are_transient() {
    let mut delivery = delivery(Mode::Enforce);
    let failure = skipped(&mut delivery, &mx("mx.example.net"));
    assert_eq!(failure.enhanced_status(), Some("4.7.5"));
    let verdict = judged(&mut delivery, "mx.example.com", Session::StarttlsRefused(554));
    let status = verdict.failure().and_then(Failure::enhanced_status);
    assert_eq!(status, Some("4.7.5"));
    assert!(matches!(delivery.conclude(), Conclusion::Retry(_)));
}

#[test]
fn s5_no_permanent_failure_before_dns_was_asked_again() {
    let outcome = outcome(Mode::Enforce);
    // Neither the lookup of the delivery nor any other of one's own gives the permission.
    let held = || Held::Entry(outcome.entry().clone());
    let own = look_for(Recheck::Always, held(), &id("1"), &fails(), NOW).outcome;
    for other in [&outcome, &own] {
        let (_, gate) = refused(&outcome).recheck(held(), Limits::default(), at(NOW));
        assert!(gate.permit(other, at(NOW)).is_none());
    }
    // The gate's asks, though its answer is remembered.
    let (query, _) = refused(&outcome).recheck(held(), Limits::default(), at(NOW + 1));
    assert_eq!(query.name(), "_mta-sts.example.com");
}

/// The gate, an hour after the fetch: its lookup, and `true` if the mail may bounce.
fn gate(txt: &TxtAnswer, https: &HttpsAnswer) -> (Outcome, bool) {
    let outcome = outcome(Mode::Enforce);
    let retry = refused(&outcome);
    let (run, token) = script::gate(retry, keep(outcome), txt, https, at(NOW + 3_600));
    (run.outcome, token.is_some())
}

#[test]
fn s5_1_a_permanent_failure_needs_an_answer_of_dns() {
    assert!(gate(&id("1"), &fails()).1);
    assert!(gate(&TxtAnswer::Absent(60), &fails()).1, "there is no new policy");
    assert!(gate(&records(&[&["v=STSv1;"]]), &fails()).1);
    assert!(!gate(&TxtAnswer::silence(), &fails()).1, "silence may hide one");
}

#[test]
fn s5_1_a_new_policy_is_tried_before_a_permanent_failure() {
    let (outcome, permits) = gate(&id("2"), &serves(Mode::Enforce, DAY));
    assert!(!permits);
    assert_eq!(outcome.status(), Status::Found);
    let again = Delivery::new(&outcome, Requirements::default());
    assert_eq!(again.policy().map(|held| held.id().to_string()).as_deref(), Some("2"));
    // By its id alone, or by its text alone, it is another one.
    assert!(!gate(&id("2"), &serves(Mode::Enforce, WEEK)).1);
    let refusing = look(Held::Nothing, &id("1"), &serves(Mode::Enforce, WEEK), NOW).outcome;
    for (max_age, same) in [(WEEK, true), (DAY, false)] {
        let (retry, https) = (refused(&refusing), serves(Mode::Enforce, max_age));
        let (_, token) = script::gate(retry, Held::Nothing, &id("1"), &https, at(NOW + 3_600));
        assert_eq!(token.is_some(), same, "{max_age}");
    }
    let (outcome, permits) = gate(&id("2"), &fails());
    assert_eq!(
        (outcome.status(), permits),
        (Status::Held, false),
        "it is announced, and not known"
    );
}

#[test]
fn s5_1_the_same_policy_fetched_anew_is_tried_before_a_permanent_failure() {
    let outcome = outcome(Mode::Enforce);
    let retry = || refused(&outcome);
    let held = Held::Entry(outcome.entry().clone());
    let now = NOW + DAY;
    let anew = look_for(Recheck::Refresh, held, &id("1"), &serves(Mode::Enforce, WEEK), now);
    assert_eq!(anew.outcome.status(), Status::Found);
    for txt in [id("1"), TxtAnswer::Absent(60)] {
        let gate = |retry: mta_sts::delivery::Retry| {
            let held = Held::Entry(anew.outcome.entry().clone());
            script::gate(retry, held, &txt, &fails(), at(now + 60)).1
        };
        assert!(gate(retry()).is_none(), "it is later than the refusal");
        assert!(gate(refused(&anew.outcome)).is_some());
    }
}

#[test]
fn s5_1_candidates_are_tried_in_the_order_of_dns_and_the_next_one_may_take_the_mail() {
    let mut delivery = delivery(Mode::Enforce);
    assert!(matches!(delivery.candidate(&mx("mx.example.net")), Candidate::Skip(_)));
    let verdict = judged(&mut delivery, "mx.example.com", verified("mx.example.com"));
    assert_eq!((verdict.is_refused(), verdict.failure()), (false, None));
}

#[test]
fn s8_1_an_update_is_seen_by_its_id_and_replaces_the_policy_at_once() {
    let https = HttpsAnswer::policy(&policy_text("enforce", WEEK).replace("mx.", "new."));
    let run = look(holding(Mode::Enforce), &id("2"), &https, NOW + DAY);
    let delivery = Delivery::new(&run.outcome, Requirements::default());
    let allows = |name| delivery.policy().unwrap().policy().matches(&DnsName::parse(name).unwrap());
    assert!(allows("new.example.com") && !allows("mx.example.com"));
    assert!(run.outcome.change().is_some_and(|change| change.mx_added && change.mx_removed));
}

#[test]
fn s8_3_a_policy_is_removed_by_one_of_mode_none_in_peace() {
    let none = serves(Mode::None, DAY);
    let removed = look(holding(Mode::Enforce), &id("2"), &none, NOW + DAY);
    assert_eq!((removed.outcome.status(), mode(&removed)), (Status::Found, Some(Mode::None)));
    // Then the record and the Policy Host go.
    let held = keep(removed.outcome);
    for txt in [TxtAnswer::Absent(60), TxtAnswer::silence()] {
        let now = NOW + DAY + 3_600;
        let run = look_for(Recheck::Refresh, held.clone(), &txt, &fails(), now);
        assert_eq!((mode(&run), run.asked_https.len()), (Some(Mode::None), 0));
        assert!(run.outcome.alert(at(now)).is_none() && !run.outcome.is_reportable());
    }
    let run = look(held, &TxtAnswer::Absent(60), &fails(), NOW + 2 * DAY);
    assert_eq!((run.outcome.status(), code(&run)), (Status::Absent, None));
}

#[test]
fn s8_4_a_host_that_fails_is_as_one_that_cannot_be_reached() {
    let mut delivery = delivery(Mode::Enforce);
    assert!(judged(&mut delivery, "mx.example.com", Session::NotReached).is_refused());
    assert!(matches!(delivery.candidate(&mx("mx.example.net")), Candidate::Skip(_)));
    assert!(matches!(delivery.candidate(&mx("mx.example.com")), Candidate::Connect(_)));
}

#[test]
fn s10_2_a_refresh_fetches_whatever_dns_says_and_counts_anew() {
    for txt in [TxtAnswer::Absent(60), TxtAnswer::silence(), records(&[&["v=STSv1;"]]), id("1")] {
        for held_mode in [Mode::Enforce, Mode::Testing] {
            let now = NOW + 3 * DAY;
            let https = serves(held_mode, WEEK);
            let run = look_for(Recheck::Refresh, holding(held_mode), &txt, &https, now);
            assert_eq!((run.asked_https.len(), run.outcome.status()), (1, Status::Found));
            let held = run.outcome.policy().unwrap();
            assert_eq!((held.id().as_str(), held.expires_at(at(now))), ("1", at(now + WEEK)));
        }
    }
}

#[test]
fn s10_2_failures_to_refresh_are_told_long_before_the_policy_expires() {
    for txt in [TxtAnswer::Absent(60), TxtAnswer::silence(), id("1"), id("2")] {
        let now = NOW + DAY;
        let run = look_for(Recheck::Refresh, holding(Mode::Enforce), &txt, &fails(), now);
        let (problem, left) = run.outcome.alert(at(now)).expect("an alert");
        assert_eq!((problem.code(), left.as_secs()), ("policy-fetch", 6 * DAY));
    }
}

#[test]
fn s10_2_forged_answers_do_not_silence_discovery_for_long() {
    for (forged, longest) in [(TxtAnswer::Absent(u32::MAX), 3_600), (TxtAnswer::silence(), 60)] {
        let held = keep(look(Held::Nothing, &forged, &fails(), NOW).outcome);
        let asks = |secs| !look(held.clone(), &id("1"), &fails(), NOW + secs).asked_txt.is_empty();
        assert!(!asks(longest - 1) && asks(longest), "{longest}");
    }
}
