//! Every rule of a delivery alone; all of them together are in `tests/model/delivery.rs`.

mod demands;

use alloc::format;
use alloc::vec::Vec;

use super::*;
use crate::evidence::{DaneVerified, MxVerified, PolicyHostVerified};
use crate::failure::{CertificateFault, TlsAlert, TlsFailure};
use crate::lookup::{AfterHead, AfterTxt, Gate, Head, Held, Limits, Lookup, Start};
use crate::result_type::ResultType;
use crate::time::UnixTime;

const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);
const GOOD: &str = "mx.example.com";
const FOREIGN: &str = "mx.example.net";

/// The outcome of a lookup that found a policy of this mode and these patterns; or nothing.
fn outcome(policy: Option<(Mode, &[&str])>) -> Outcome {
    let domain = PolicyDomain::parse("example.com").unwrap();
    let start = Lookup::new(domain, Held::Nothing).start(NOW);
    let Start::QueryTxt(query) = start else { panic!("a question") };
    let Some((mode, patterns)) = policy else {
        let AfterTxt::Store(store) = query.absent(60, NOW) else { panic!("no fetch") };
        return stored(store);
    };
    let AfterTxt::FetchPolicy(fetch) = query.answered([["v=STSv1; id=1"]], 60, NOW) else {
        panic!("a fetch")
    };
    let verified = PolicyHostVerified::assertion(fetch.host());
    let head = Head { status: 200, content_type: Some(b"text/plain"), content_encoding: None };
    let AfterHead::ReadBody(mut body) = fetch.responded(verified, head, NOW) else {
        panic!("a body")
    };
    let mx = patterns.join("\nmx: ");
    let text = format!("version: STSv1\nmode: {mode}\nmx: {mx}\nmax_age: 86400\n");
    assert!(body.chunk(text.as_bytes()).is_continue());
    stored(body.ended(NOW))
}

fn stored(store: crate::lookup::Store) -> Outcome {
    let merged = store.entry().clone();
    store.stored(merged)
}

fn plain() -> Requirements {
    Requirements::default()
}

fn forced(patterns: &[&'static str]) -> Requirements {
    plain().with_demand(Demand::forced(patterns.iter().copied()).unwrap())
}

/// A delivery under a policy that allows [`GOOD`], or under none.
fn under(mode: Option<Mode>, requirements: Requirements) -> Delivery {
    Delivery::new(&outcome(mode.map(|mode| (mode, &[GOOD][..]))), requirements)
}

fn host(name: &str) -> DnsName {
    DnsName::parse(name).unwrap()
}

/// What comes of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    NoStarttls,
    StarttlsRefused(u16),
    CertificateFailed(CertificateFault),
    TlsFailed(TlsFailure),
    Unverified,
    Verified,
    VerifiedForAnother,
    ConnectionFailed,
}

const EVENTS: [Event; 10] = [
    Event::NoStarttls,
    Event::StarttlsRefused(454),
    Event::StarttlsRefused(554),
    Event::CertificateFailed(CertificateFault::Expired),
    Event::TlsFailed(TlsFailure::Other),
    Event::TlsFailed(TlsFailure::Alert(TlsAlert(70))),
    Event::Unverified,
    Event::Verified,
    Event::VerifiedForAnother,
    Event::ConnectionFailed,
];

impl Event {
    fn kind(self) -> Option<FailureKind> {
        match self {
            Self::NoStarttls => Some(FailureKind::NoStarttls),
            Self::StarttlsRefused(code) => Some(FailureKind::StarttlsRefused(code)),
            Self::CertificateFailed(fault) => Some(FailureKind::Certificate(fault)),
            Self::TlsFailed(failure) => Some(FailureKind::Tls(failure)),
            Self::Unverified => Some(FailureKind::NotVerified),
            Self::Verified => None,
            Self::VerifiedForAnother => Some(FailureKind::OtherHostVerified),
            Self::ConnectionFailed => Some(FailureKind::Connection),
        }
    }

    fn session(self, attempt: &Attempt) -> Session {
        match self {
            Self::NoStarttls => Session::NoStarttls,
            Self::StarttlsRefused(code) => Session::StarttlsRefused(code),
            Self::CertificateFailed(fault) => Session::CertificateInvalid(fault),
            Self::TlsFailed(failure) => Session::TlsFailed(failure),
            Self::Unverified => Session::Unverified,
            Self::Verified => {
                let name = attempt.host().cloned().unwrap_or_else(|| host(GOOD));
                Session::Verified(MxVerified::assertion(&name))
            }
            Self::VerifiedForAnother => {
                Session::Verified(MxVerified::assertion(&host("other.example")))
            }
            Self::ConnectionFailed => Session::NotReached,
        }
    }

    fn happens(self, attempt: Attempt, delivery: &mut Delivery) -> Verdict {
        let session = self.session(&attempt);
        delivery.judge(attempt, session)
    }

    const fn is_tls(self) -> bool {
        use Event::{CertificateFailed, Unverified, Verified, VerifiedForAnother};
        matches!(self, CertificateFailed(_) | Unverified | Verified | VerifiedForAnother)
    }
}

/// The result of DANE, before it becomes an assertion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    NotKnown,
    Absent,
    Passed,
    PassedForAnother,
    Failed(DaneFault),
}

impl Said {
    fn of(self, name: &str) -> Dane {
        match self {
            Self::NotKnown => Dane::NotKnown,
            Self::Absent => Dane::Absent,
            Self::Passed => Dane::Passed(DaneVerified::assertion(&host(name))),
            Self::PassedForAnother => Dane::Passed(DaneVerified::assertion(&host("other.example"))),
            Self::Failed(fault) => Dane::Failed(fault),
        }
    }
}

/// The verdict on one host: `true` if it is refused, and the failure that is named.
fn judge(
    delivery: &mut Delivery,
    name: &str,
    dane: Said,
    event: Event,
) -> (bool, Option<FailureKind>) {
    let (refused, result) = judged(delivery, name, dane, event);
    (refused, result.failure().map(Failure::kind))
}

fn judged(delivery: &mut Delivery, name: &str, dane: Said, event: Event) -> (bool, SessionResult) {
    match delivery.candidate(&Mx::parse(name)) {
        Candidate::Skip(result) => (true, result),
        Candidate::Connect(attempt) => {
            let verdict = event.happens(attempt.with_dane(dane.of(name)), delivery);
            (verdict.is_refused(), verdict.result().clone())
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Open,
    LocalDemand,
    Retry,
}

fn end(delivery: Delivery) -> End {
    match delivery.conclude() {
        Conclusion::Open => End::Open,
        Conclusion::LocalDemand => End::LocalDemand,
        Conclusion::Retry(retry) => {
            assert_eq!(retry.domain().as_str(), "example.com");
            End::Retry
        }
    }
}

#[test]
fn err_enforce_refuses_whatever_fails() {
    for event in EVENTS {
        let mut delivery = under(Some(Mode::Enforce), plain());
        let refused = event != Event::Verified;
        assert_eq!(judge(&mut delivery, GOOD, Said::NotKnown, event), (refused, event.kind()));
        let by_policy = refused && event != Event::ConnectionFailed;
        assert_eq!(end(delivery), if by_policy { End::Retry } else { End::Open }, "{event:?}");
    }
}

#[test]
fn ok_testing_delivers_and_says_what_failed() {
    for event in EVENTS {
        let refused = event == Event::ConnectionFailed;
        let mut delivery = under(Some(Mode::Testing), plain());
        assert_eq!(judge(&mut delivery, GOOD, Said::Absent, event), (refused, event.kind()));
        // The host itself is wrong before anything that comes of it.
        let said = if refused { event.kind() } else { Some(FailureKind::MxMismatch) };
        assert_eq!(judge(&mut delivery, FOREIGN, Said::Absent, event), (refused, said));
        assert_eq!(end(delivery), End::Open);
    }
}

#[test]
fn none_and_no_policy_deliver_and_name_clear_text_alone() {
    for mode in [Some(Mode::None), None] {
        for event in EVENTS {
            for name in [GOOD, FOREIGN, "192.0.2.1"] {
                let refused = event == Event::ConnectionFailed;
                let said = event.kind().filter(|_| refused || !event.is_tls());
                let mut delivery = under(mode, plain());
                assert_eq!(judge(&mut delivery, name, Said::NotKnown, event), (refused, said));
                assert_eq!(end(delivery), End::Open);
            }
        }
    }
}

#[test]
fn err_a_host_that_no_pattern_allows_is_not_connected_to() {
    let mut delivery = under(Some(Mode::Enforce), plain());
    let Candidate::Skip(result) = delivery.candidate(&Mx::parse(FOREIGN)) else { panic!("skip") };
    assert_eq!(result.count(), SessionCount::Failed);
    let failure = result.failure().unwrap();
    assert_eq!(failure.kind(), FailureKind::MxMismatch);
    assert_eq!(failure.host(), Some(&host(FOREIGN)));
    assert_eq!(failure.enhanced_status(), Some("4.7.5"));
    assert_eq!(failure.reason_code(), "mx-not-in-policy");
    assert_eq!(end(delivery), End::Retry);
}

#[test]
fn failing_dane_is_overridden_by_nothing() {
    let faults = [DaneFault::TlsaInvalid, DaneFault::DnssecInvalid, DaneFault::DaneRequired];
    let all = faults.map(|fault| (Said::Failed(fault), FailureKind::Dane(fault)));
    let another = (Said::PassedForAnother, FailureKind::OtherHostVerified);
    for (said, kind) in all.into_iter().chain([another]) {
        for mode in [Some(Mode::Enforce), Some(Mode::Testing), Some(Mode::None), None] {
            for sufficient in [false, true] {
                let requirements =
                    plain().with_dane_sufficient(sufficient).with_tls_required_no(true);
                let mut delivery = under(mode, requirements);
                assert_eq!(judge(&mut delivery, GOOD, said, Event::Verified), (true, Some(kind)));
                let early = delivery.candidate_with_dane(&Mx::parse(GOOD), said.of(GOOD));
                let Candidate::Skip(early) = early else { panic!("{said:?}") };
                assert_eq!(early.failure().map(Failure::kind), Some(kind));
                assert_eq!(end(delivery), End::LocalDemand);
            }
        }
    }
}

#[test]
fn err_dane_that_passed_without_tls_has_failed() {
    let mut delivery = under(None, plain().with_dane_sufficient(true));
    let broken = Event::TlsFailed(TlsFailure::Closed);
    for event in [Event::NoStarttls, Event::StarttlsRefused(454), broken] {
        assert_eq!(judge(&mut delivery, GOOD, Said::Passed, event), (true, event.kind()));
    }
    assert_eq!(end(delivery), End::LocalDemand);
}

#[test]
fn ok_dane_takes_the_place_of_a_policy_only_where_it_may() {
    let fault = Event::CertificateFailed(CertificateFault::UntrustedIssuer);
    for (sufficient, name, refused) in
        [(false, GOOD, true), (true, GOOD, false), (false, FOREIGN, true), (true, FOREIGN, false)]
    {
        let mut delivery = under(Some(Mode::Enforce), plain().with_dane_sufficient(sufficient));
        assert_eq!(judge(&mut delivery, name, Said::Passed, fault).0, refused, "{name}");
        assert_eq!(end(delivery), if refused { End::Retry } else { End::Open });
    }
    // Not where it is absent, or nothing is known of it in the end.
    for dane in [Said::Absent, Said::NotKnown] {
        let mut delivery = under(Some(Mode::Enforce), plain().with_dane_sufficient(true));
        assert!(judge(&mut delivery, FOREIGN, dane, Event::Verified).0);
        assert!(judge(&mut delivery, GOOD, dane, fault).0);
        assert!(!judge(&mut delivery, GOOD, dane, Event::Verified).0);
    }
}

#[test]
fn ok_the_null_mx_takes_no_mail_whatever_applies() {
    let all = forced(&[GOOD]).with_require_tls(true);
    for requirements in [plain(), plain().with_demand(Demand::Off), all] {
        for mode in [Some(Mode::Enforce), None] {
            let mut delivery = under(mode, requirements.clone());
            let Candidate::Skip(result) = delivery.candidate(&Mx::Null) else { panic!("skip") };
            assert_eq!(result.count(), SessionCount::NotCounted);
            let failure = result.failure().unwrap();
            assert_eq!((failure.kind(), failure.result_type()), (FailureKind::NullMx, None));
            assert_eq!(failure.enhanced_status(), None);
            assert_eq!(end(delivery), End::Open);
        }
    }
    assert_eq!(Mx::parse("."), Mx::Null);
    assert!(matches!(Mx::parse(""), Mx::Unmatchable(_)));
}

#[test]
fn ok_the_implicit_mx_is_the_domain_itself() {
    let domain = PolicyDomain::parse("example.com").unwrap();
    let mx = Mx::implicit(&domain);
    assert_eq!(mx, Mx::parse("Example.COM."));
    let mut delivery = Delivery::new(&outcome(Some((Mode::Enforce, &["example.com"]))), plain());
    let Candidate::Connect(attempt) = delivery.candidate(&mx) else { panic!("it is allowed") };
    assert!(!Event::Verified.happens(attempt, &mut delivery).is_refused());
    let mut delivery = Delivery::new(&outcome(Some((Mode::Enforce, &["*.example.com"]))), plain());
    assert!(matches!(delivery.candidate(&mx), Candidate::Skip(_)));
}

#[test]
fn ok_idn_and_single_label_hosts_are_hosts_like_others() {
    let patterns = ["xn--mnchen-3ya.example", "localhost"];
    let mut delivery = Delivery::new(&outcome(Some((Mode::Enforce, &patterns))), plain());
    for name in ["xn--mnchen-3ya.example", "XN--MNCHEN-3YA.example.", "localhost"] {
        let verdict = judge(&mut delivery, name, Said::NotKnown, Event::Verified);
        assert_eq!(verdict, (false, None), "{name}");
    }
    #[cfg(feature = "idna")]
    assert!(!judge(&mut delivery, "m\u{fc}nchen.example", Said::NotKnown, Event::Verified).0);
    assert!(judge(&mut delivery, "local", Said::NotKnown, Event::Verified).0);
}

#[test]
fn err_text_that_is_no_host_name_matches_nothing_and_is_verified_by_nothing() {
    for name in ["192.0.2.1", "[192.0.2.1]", "2001:db8::1", "mx..example.com", "*.example.com"] {
        let patterns = [GOOD, "192.0.2.1", "*.example.com", "*.0.2.1"];
        let mut delivery = Delivery::new(&outcome(Some((Mode::Enforce, &patterns))), plain());
        let verdict = judge(&mut delivery, name, Said::NotKnown, Event::Verified);
        assert_eq!(verdict, (true, Some(FailureKind::MxMismatch)), "{name}");
        let mut delivery = Delivery::new(&outcome(Some((Mode::Testing, &patterns))), plain());
        let Candidate::Connect(attempt) = delivery.candidate(&Mx::parse(name)) else {
            panic!("{name}")
        };
        assert_eq!(attempt.host(), None);
        let verdict = Event::Verified.happens(attempt, &mut delivery);
        assert_eq!(verdict.failure().map(Failure::kind), Some(FailureKind::MxMismatch));
    }
    let Mx::Unmatchable(kept) = Mx::parse(&"\u{fc}.".repeat(400)) else { panic!("no name") };
    assert_eq!(kept.chars().count(), 255, "what is kept of it is bounded");
}

#[test]
fn ok_duties_say_what_tls_must_fulfil() {
    let duty = |mode, requirements, dane| {
        let mut delivery = under(mode, requirements);
        match delivery.candidate(&Mx::parse(GOOD)) {
            Candidate::Connect(attempt) => attempt.with_dane(Said::of(dane, GOOD)).duty(),
            Candidate::Skip(result) => panic!("{result:?}"),
        }
    };
    let (enforce, testing) = (Some(Mode::Enforce), Some(Mode::Testing));
    for (mode, requirements, dane, expected) in [
        (None, plain(), Said::NotKnown, TlsDuty::Opportunistic),
        (Some(Mode::None), plain(), Said::Passed, TlsDuty::Opportunistic),
        (testing, plain(), Said::NotKnown, TlsDuty::Reported),
        (testing, plain(), Said::Passed, TlsDuty::Reported),
        (enforce, plain(), Said::Passed, TlsDuty::Verified),
        (enforce, plain().with_dane_sufficient(true), Said::Passed, TlsDuty::Dane),
        (enforce, plain().with_dane_sufficient(true), Said::Absent, TlsDuty::Verified),
        (enforce, plain().with_tls_required_no(true), Said::NotKnown, TlsDuty::Reported),
        (testing, forced(&[GOOD]), Said::NotKnown, TlsDuty::Verified),
        (testing, forced(&[GOOD]), Said::Passed, TlsDuty::Verified),
        (testing, plain().with_require_tls(true), Said::NotKnown, TlsDuty::Verified),
        (testing, plain().with_require_tls(true), Said::Passed, TlsDuty::Dane),
        (enforce, plain().with_require_tls(true), Said::Passed, TlsDuty::Verified),
        (enforce, require(Require::Sts), Said::Passed, TlsDuty::Verified),
        (None, require(Require::Dane), Said::NotKnown, TlsDuty::Verified),
        (None, require(Require::Dane), Said::Passed, TlsDuty::Dane),
        (testing, require(Require::Any), Said::Passed, TlsDuty::Dane),
        (enforce, require(Require::Any), Said::Passed, TlsDuty::Verified),
    ] {
        assert_eq!(duty(mode, requirements.clone(), dane), expected, "{mode:?} {requirements:?}");
    }
}

/// The parties that could refuse a candidate, by what is demanded, and the end that follows where
/// no attempt was judged.
#[test]
fn attempt_without_a_verdict_counts_as_refused_by_all_that_could_refuse_it() {
    for (mode, requirements, expected) in [
        (Some(Mode::Enforce), plain(), End::Retry),
        (Some(Mode::Enforce), plain().with_dane_sufficient(true), End::Retry),
        (Some(Mode::Enforce), plain().with_tls_required_no(true), End::Open),
        (Some(Mode::Enforce), plain().with_demand(Demand::Off), End::Open),
        (Some(Mode::Testing), plain(), End::Open),
        (Some(Mode::None), plain(), End::Open),
        (None, plain(), End::Open),
        (None, plain().with_require_tls(true), End::LocalDemand),
        (Some(Mode::Testing), forced(&[GOOD]), End::LocalDemand),
        (None, require(Require::Any), End::LocalDemand),
    ] {
        let delivery = || under(mode, requirements.clone()).with_secure_mx(true);
        let handed_out = |delivery: &mut Delivery| match delivery.candidate(&Mx::parse(GOOD)) {
            Candidate::Connect(attempt) => attempt,
            Candidate::Skip(result) => panic!("{result:?}"),
        };
        // It is dropped.
        let mut dropped = delivery();
        drop(handed_out(&mut dropped));
        assert_eq!(end(dropped), expected, "{mode:?} {requirements:?}");
        // One of two is dropped, whichever way the other goes.
        for event in [Event::ConnectionFailed, Event::NoStarttls] {
            let mut one_of_two = delivery();
            drop(handed_out(&mut one_of_two));
            let attempt = handed_out(&mut one_of_two);
            let _ = event.happens(attempt, &mut one_of_two);
            assert_eq!(end(one_of_two), expected, "{mode:?} {requirements:?} {event:?}");
        }
        // It is judged on another delivery: neither may bounce.
        let (mut one, mut two) = (delivery(), delivery());
        let attempt = handed_out(&mut one);
        let verdict = two.judge(attempt, Session::Unverified);
        assert!(verdict.is_refused());
        assert_eq!(verdict.failure().map(Failure::kind), Some(FailureKind::OtherDelivery));
        assert_eq!(verdict.result().count(), SessionCount::NotCounted);
        assert_eq!((end(one), end(two)), (expected, expected));
    }
}

/// A refused delivery's gate, and a way to answer its question.
struct Asked {
    outcome: Outcome,
    query: crate::lookup::QueryTxt,
    gate: Gate,
}

fn asked() -> Asked {
    let outcome = outcome(Some((Mode::Enforce, &[GOOD])));
    let mut delivery = Delivery::new(&outcome, plain());
    assert!(judge(&mut delivery, GOOD, Said::NotKnown, Event::NoStarttls).0);
    let Conclusion::Retry(retry) = delivery.conclude() else { panic!("it is refused by policy") };
    let held = Held::Entry(outcome.entry().clone());
    let (query, gate) = retry.recheck(held, Limits::default(), NOW.plus_secs(60));
    assert_eq!(gate.domain(), outcome.domain());
    Asked { outcome, query, gate }
}

fn answered(query: crate::lookup::QueryTxt) -> crate::lookup::Store {
    let after = query.answered([["v=STSv1; id=1"]], 60, NOW.plus_secs(61));
    let AfterTxt::Store(store) = after else { panic!("the id is held") };
    store
}

#[test]
fn gate_permits_by_its_own_fresh_answer_alone() {
    let now = NOW.plus_secs(60);
    let asked_at = now;
    for (waited, is_fresh) in [(1, true), (300, true), (301, false), (5 * 86_400, false)] {
        let Asked { outcome, query, gate } = asked();
        let answer = stored(answered(query));
        let token = gate.permit(&answer, asked_at.plus_secs(waited));
        assert_eq!(token.is_some(), is_fresh, "{waited}");
        if let Some(token) = token {
            assert_eq!((token.domain(), token.asked_at()), (outcome.domain(), asked_at));
            assert!(token.is_fresh(asked_at.plus_secs(300)));
            assert!(!token.is_fresh(asked_at.plus_secs(301)));
            assert!(!token.is_fresh(asked_at.minus_secs(301)), "a clock that was set back");
        }
    }
    // Neither the outcome that refused, nor that of another lookup, nor that of another gate.
    let Asked { outcome, gate, .. } = asked();
    assert!(gate.permit(&outcome, now).is_none());
    let Asked { outcome, gate, .. } = asked();
    let lookup = Lookup::new(outcome.domain().clone(), Held::Entry(outcome.entry().clone()));
    let Start::QueryTxt(query) = lookup.recheck(crate::Recheck::Always).start(now) else {
        panic!("it asks")
    };
    assert!(gate.permit(&stored(answered(query)), now).is_none());
    let (one, two) = (asked(), asked());
    assert!(one.gate.permit(&stored(answered(two.query)), now).is_none());
}

#[test]
fn gate_looks_at_what_the_store_holds_after_its_answer() {
    let Asked { outcome, query, gate } = asked();
    let store = answered(query);
    // Another lookup has fetched a later policy meanwhile.
    let mut merged = outcome.entry().clone();
    let text = b"version: STSv1\nmode: enforce\nmx: mx2.example.com\nmax_age: 86400\n";
    let policy = crate::Policy::parse(text, crate::Profile::Strict).unwrap();
    let id = crate::PolicyId::parse("2").unwrap();
    merged.put(HeldPolicy::new(policy, id, NOW.plus_secs(30)));
    merged.merge(store.entry().clone()).unwrap();
    let answer = store.stored(merged);
    assert_eq!(answer.policy().map(HeldPolicy::id), Some(id), "the outcome speaks of that one");
    assert!(gate.permit(&answer, NOW.plus_secs(61)).is_none());
}

fn require(require: Require) -> Requirements {
    plain().with_require(Some(require))
}

#[test]
fn required_protection_defers_where_it_is_missing() {
    let unprotected = Some(FailureKind::NotProtected);
    let no_dane = Some(FailureKind::Dane(DaneFault::DaneRequired));
    let enforce = Some(Mode::Enforce);
    for (demand, mode, dane, expected) in [
        (Require::Sts, enforce, Said::Absent, None),
        (Require::Sts, Some(Mode::Testing), Said::Absent, unprotected),
        (Require::Sts, Some(Mode::None), Said::Passed, unprotected),
        (Require::Sts, None, Said::Passed, unprotected),
        (Require::Dane, enforce, Said::Absent, no_dane),
        (Require::Dane, enforce, Said::NotKnown, no_dane),
        (Require::Dane, None, Said::Passed, None),
        (Require::Any, enforce, Said::Absent, None),
        (Require::Any, None, Said::Passed, None),
        (Require::Any, None, Said::Absent, unprotected),
        (Require::Any, Some(Mode::Testing), Said::NotKnown, unprotected),
    ] {
        // The header field of a mail does not lift what the operator demands.
        for requirements in [require(demand), require(demand).with_tls_required_no(true)] {
            let mut delivery = under(mode, requirements);
            let verdict = judge(&mut delivery, GOOD, dane, Event::Verified);
            assert_eq!(verdict, (expected.is_some(), expected), "{demand:?} {mode:?} {dane:?}");
            let end_expected = if expected.is_some() { End::LocalDemand } else { End::Open };
            assert_eq!(end(delivery), end_expected);
        }
    }
    // The operator's own patterns are an enforcing policy.
    let own = forced(&[GOOD]).with_require(Some(Require::Sts));
    let mut delivery = under(None, own);
    assert_eq!(judge(&mut delivery, GOOD, Said::Absent, Event::Verified), (false, None));
    assert!(judge(&mut delivery, GOOD, Said::Absent, Event::Unverified).0);
}

#[test]
fn sessions_count_in_a_report_by_their_tls() {
    use SessionCount::{Failed, NotCounted, Succeeded};
    for event in EVENTS {
        let count = |mode| {
            let mut delivery = under(mode, plain());
            judged(&mut delivery, GOOD, Said::NotKnown, event).1.count()
        };
        let by_policy = match event {
            Event::Verified => Succeeded,
            Event::ConnectionFailed => NotCounted,
            _ => Failed,
        };
        assert_eq!(count(Some(Mode::Enforce)), by_policy, "{event:?}");
        assert_eq!(count(Some(Mode::Testing)), by_policy, "{event:?}");
        let by_tls = |clear_text| match event {
            Event::ConnectionFailed => NotCounted,
            _ if event.is_tls() => Succeeded,
            _ => clear_text,
        };
        // RFC 8460 §4.4: clear text is no success; RFC 8461 §6: nor a failure under "none".
        assert_eq!(count(None), by_tls(Failed), "{event:?}");
        assert_eq!(count(Some(Mode::None)), by_tls(NotCounted), "{event:?}");
    }
}

#[test]
fn ok_failures_before_a_connection_have_their_words() {
    use ResultType::{DaneRequired, DnssecInvalid, TlsaInvalid, ValidationFailure};
    let dane = FailureKind::Dane;
    for (kind, result_type, reason_code) in [
        (FailureKind::MxMismatch, Some(ValidationFailure), "mx-not-in-policy"),
        (FailureKind::NotVouchedFor, None, "host-not-vouched-for"),
        (FailureKind::NotProtected, None, "no-enforcing-policy"),
        (FailureKind::OtherDelivery, None, "other-delivery"),
        (dane(DaneFault::TlsaInvalid), Some(TlsaInvalid), "dane-tlsa-mismatch"),
        (dane(DaneFault::DnssecInvalid), Some(DnssecInvalid), "dane-dnssec-bogus"),
        (dane(DaneFault::DaneRequired), Some(DaneRequired), "dane-not-published"),
        (FailureKind::NullMx, None, "null-mx"),
    ] {
        let failure = Failure::new(kind, None, None);
        assert_eq!((failure.result_type(), &*failure.reason_code()), (result_type, reason_code));
    }
}

#[test]
fn ok_every_kind_of_failure_has_its_words() {
    let fault = CertificateFault::WrongName;
    let mut delivery = under(Some(Mode::Enforce), plain());
    let mut words = Vec::new();
    let events = EVENTS.into_iter().chain([Event::CertificateFailed(fault)]);
    for event in events.filter(|event| *event != Event::Verified) {
        let Candidate::Connect(attempt) = delivery.candidate(&Mx::parse(GOOD)) else {
            panic!("no")
        };
        let verdict = event.happens(attempt, &mut delivery);
        let failure = verdict.failure().unwrap();
        assert_eq!(failure.host(), Some(&host(GOOD)));
        let result_type = failure.result_type().map(ResultType::as_str);
        words.push(format!("{} {}", result_type.unwrap_or("-"), failure.reason_code()));
    }
    assert_eq!(
        words,
        [
            "starttls-not-supported starttls-not-offered",
            "starttls-not-supported starttls-refused-454",
            "starttls-not-supported starttls-refused-554",
            "certificate-expired certificate-expired",
            "validation-failure tls-handshake-failed",
            "validation-failure tls-alert-protocol-version",
            "validation-failure certificate-not-verified",
            "certificate-host-mismatch certificate-host-mismatch",
            "- connection-failed",
            "certificate-host-mismatch certificate-host-mismatch",
        ]
    );
}
