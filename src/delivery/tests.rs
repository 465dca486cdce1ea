//! Every rule of a delivery alone; all of them together are in `tests/model/delivery.rs`.

mod demands;

use alloc::format;
use alloc::vec::Vec;

use super::*;
use crate::failure::{CertificateFault, MxVerified, PolicyHostVerified};
use crate::lookup::{Head, Held, Lookup, Step};
use crate::time::UnixTime;

const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);
const GOOD: &str = "mx.example.com";
const FOREIGN: &str = "mx.example.net";

/// The outcome of a lookup that found a policy of this mode and these patterns; or nothing.
fn outcome(policy: Option<(Mode, &[&str])>) -> Outcome {
    let domain = PolicyDomain::parse("example.com").unwrap();
    let Step::QueryTxt(query) = Lookup::new(domain).start(NOW) else { panic!("a question") };
    let Some((mode, patterns)) = policy else {
        let Step::Store(store) = query.absent(60, NOW) else { panic!("no fetch") };
        return done(store.stored());
    };
    let Step::FetchPolicy(fetch) = query.answered([["v=STSv1; id=1"]], 60, NOW) else {
        panic!("a fetch")
    };
    let verified = PolicyHostVerified::assertion(fetch.host());
    let head = Head { status: 200, content_type: Some(b"text/plain"), content_encoding: None };
    let Step::ReadBody(mut body) = fetch.responded(verified, head, NOW) else { panic!("a body") };
    let mx = patterns.join("\nmx: ");
    let text = format!("version: STSv1\nmode: {mode}\nmx: {mx}\nmax_age: 86400\n");
    assert!(body.chunk(text.as_bytes()).is_continue());
    let Step::Store(store) = body.ended(NOW) else { panic!("a policy") };
    done(store.stored())
}

fn done(step: Step) -> Outcome {
    match step {
        Step::Done(outcome) => outcome,
        other => panic!("{other:?}"),
    }
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
    TlsFailed,
    Unverified,
    Verified,
    VerifiedForAnother,
    ConnectionFailed,
}

const EVENTS: [Event; 9] = [
    Event::NoStarttls,
    Event::StarttlsRefused(454),
    Event::StarttlsRefused(554),
    Event::CertificateFailed(CertificateFault::Expired),
    Event::TlsFailed,
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
            Self::TlsFailed => Some(FailureKind::Tls),
            Self::Unverified => Some(FailureKind::NotVerified),
            Self::Verified => None,
            Self::VerifiedForAnother => Some(FailureKind::OtherHostVerified),
            Self::ConnectionFailed => Some(FailureKind::Connection),
        }
    }

    fn happens(self, attempt: Attempt, delivery: &mut Delivery) -> Verdict {
        match self {
            Self::NoStarttls => attempt.no_starttls(delivery),
            Self::StarttlsRefused(code) => attempt.starttls_refused(code, delivery),
            Self::CertificateFailed(fault) => attempt.certificate_failed(fault, delivery),
            Self::TlsFailed => attempt.tls_failed(delivery),
            Self::Unverified => attempt.tls_unverified(delivery),
            Self::Verified => {
                let name = attempt.host().cloned().unwrap_or_else(|| host(GOOD));
                attempt.tls_verified(MxVerified::assertion(&name), delivery)
            }
            Self::VerifiedForAnother => {
                attempt.tls_verified(MxVerified::assertion(&host("other.example")), delivery)
            }
            Self::ConnectionFailed => attempt.connection_failed(delivery),
        }
    }
}

/// The verdict on one host: whether it is refused, and what is said of it.
fn judge(
    delivery: &mut Delivery,
    name: &str,
    dane: Dane,
    event: Event,
) -> (bool, Option<FailureKind>) {
    match delivery.candidate(&Mx::parse(name)) {
        Candidate::Skip(failure) => (true, Some(failure.kind())),
        Candidate::Connect(attempt) => {
            let verdict = event.happens(attempt.with_dane(dane), delivery);
            (verdict.is_refused(), verdict.failure().map(Failure::kind))
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
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
        assert_eq!(judge(&mut delivery, GOOD, Dane::NotKnown, event), (refused, event.kind()));
        let by_policy = refused && event != Event::ConnectionFailed;
        assert_eq!(end(delivery), if by_policy { End::Retry } else { End::Open }, "{event:?}");
    }
}

#[test]
fn ok_testing_delivers_and_says_what_failed() {
    for event in EVENTS {
        let refused = event == Event::ConnectionFailed;
        let mut delivery = under(Some(Mode::Testing), plain());
        assert_eq!(judge(&mut delivery, GOOD, Dane::Absent, event), (refused, event.kind()));
        // The host itself is wrong before anything that comes of it.
        let said = if refused { event.kind() } else { Some(FailureKind::MxMismatch) };
        assert_eq!(judge(&mut delivery, FOREIGN, Dane::Absent, event), (refused, said));
        assert_eq!(end(delivery), End::Open);
    }
}

#[test]
fn ok_none_and_no_policy_deliver_and_say_nothing() {
    for mode in [Some(Mode::None), None] {
        for event in EVENTS {
            for name in [GOOD, FOREIGN, "192.0.2.1"] {
                let refused = event == Event::ConnectionFailed;
                let said = event.kind().filter(|_| refused);
                let mut delivery = under(mode, plain());
                assert_eq!(judge(&mut delivery, name, Dane::NotKnown, event), (refused, said));
                assert_eq!(end(delivery), End::Open);
            }
        }
    }
}

#[test]
fn err_a_host_that_no_pattern_allows_is_not_connected_to() {
    let mut delivery = under(Some(Mode::Enforce), plain());
    let Candidate::Skip(failure) = delivery.candidate(&Mx::parse(FOREIGN)) else { panic!("skip") };
    assert_eq!(failure.kind(), FailureKind::MxMismatch);
    assert_eq!(failure.host(), Some(&host(FOREIGN)));
    assert_eq!(failure.enhanced_status(), Some("4.7.5"));
    assert_eq!(failure.reason_code(), "mx-not-in-policy");
    assert_eq!(end(delivery), End::Retry);
}

#[test]
fn err_a_failing_dane_is_overridden_by_nothing() {
    for mode in [Some(Mode::Enforce), Some(Mode::Testing), Some(Mode::None), None] {
        for sufficient in [false, true] {
            let requirements = plain().with_dane_sufficient(sufficient).with_tls_required_no(true);
            let mut delivery = under(mode, requirements);
            let expected = (true, Some(FailureKind::DaneFailed));
            assert_eq!(judge(&mut delivery, GOOD, Dane::Failed, Event::Verified), expected);
            let early = delivery.candidate_with_dane(&Mx::parse(GOOD), Dane::Failed);
            assert!(matches!(early, Candidate::Skip(f) if f.kind() == FailureKind::DaneFailed));
            assert_eq!(end(delivery), End::LocalDemand);
        }
    }
}

#[test]
fn err_dane_that_passed_without_tls_has_failed() {
    let mut delivery = under(None, plain().with_dane_sufficient(true));
    for event in [Event::NoStarttls, Event::StarttlsRefused(454), Event::TlsFailed] {
        assert_eq!(judge(&mut delivery, GOOD, Dane::Passed, event), (true, event.kind()));
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
        assert_eq!(judge(&mut delivery, name, Dane::Passed, fault).0, refused, "{name}");
        assert_eq!(end(delivery), if refused { End::Retry } else { End::Open });
    }
    // Not where it is absent, or nothing is known of it in the end.
    for dane in [Dane::Absent, Dane::NotKnown] {
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
            let Candidate::Skip(failure) = delivery.candidate(&Mx::Null) else { panic!("skip") };
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
        let verdict = judge(&mut delivery, name, Dane::NotKnown, Event::Verified);
        assert_eq!(verdict, (false, None), "{name}");
    }
    #[cfg(feature = "idna")]
    assert!(!judge(&mut delivery, "m\u{fc}nchen.example", Dane::NotKnown, Event::Verified).0);
    assert!(judge(&mut delivery, "local", Dane::NotKnown, Event::Verified).0);
}

#[test]
fn err_text_that_is_no_host_name_matches_nothing_and_is_verified_by_nothing() {
    for name in ["192.0.2.1", "[192.0.2.1]", "2001:db8::1", "mx..example.com", "*.example.com"] {
        let patterns = [GOOD, "192.0.2.1", "*.example.com", "*.0.2.1"];
        let mut delivery = Delivery::new(&outcome(Some((Mode::Enforce, &patterns))), plain());
        let verdict = judge(&mut delivery, name, Dane::NotKnown, Event::Verified);
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
            Candidate::Connect(attempt) => attempt.with_dane(dane).duty(),
            Candidate::Skip(failure) => panic!("{failure}"),
        }
    };
    let (enforce, testing) = (Some(Mode::Enforce), Some(Mode::Testing));
    for (mode, requirements, dane, expected) in [
        (None, plain(), Dane::NotKnown, TlsDuty::Opportunistic),
        (Some(Mode::None), plain(), Dane::Passed, TlsDuty::Opportunistic),
        (testing, plain(), Dane::NotKnown, TlsDuty::Reported),
        (testing, plain(), Dane::Passed, TlsDuty::Reported),
        (enforce, plain(), Dane::Passed, TlsDuty::Verified),
        (enforce, plain().with_dane_sufficient(true), Dane::Passed, TlsDuty::Dane),
        (enforce, plain().with_dane_sufficient(true), Dane::Absent, TlsDuty::Verified),
        (enforce, plain().with_tls_required_no(true), Dane::NotKnown, TlsDuty::Reported),
        (testing, forced(&[GOOD]), Dane::NotKnown, TlsDuty::Verified),
        (testing, forced(&[GOOD]), Dane::Passed, TlsDuty::Verified),
        (testing, plain().with_require_tls(true), Dane::NotKnown, TlsDuty::Verified),
        (testing, plain().with_require_tls(true), Dane::Passed, TlsDuty::Dane),
        (enforce, plain().with_require_tls(true), Dane::Passed, TlsDuty::Verified),
    ] {
        assert_eq!(duty(mode, requirements.clone(), dane), expected, "{mode:?} {requirements:?}");
    }
}

#[test]
fn ok_an_attempt_that_is_given_up_counts_for_nothing() {
    let mut delivery = under(Some(Mode::Enforce), plain());
    assert!(matches!(delivery.candidate(&Mx::parse(GOOD)), Candidate::Connect(_)));
    assert_eq!(end(delivery), End::Open);
}

#[test]
fn err_no_delivery_and_no_lookup_but_the_gates_gives_the_permission_to_bounce() {
    let outcome = outcome(Some((Mode::Enforce, &[GOOD])));
    let mut delivery = Delivery::new(&outcome, plain());
    assert!(judge(&mut delivery, GOOD, Dane::NotKnown, Event::NoStarttls).0);
    assert!(outcome.bounce_token().is_none());
    let Conclusion::Retry(retry) = delivery.conclude() else { panic!("it is refused by policy") };
    let lookup = |lookup: Lookup| {
        let lookup = lookup.held(Held::Entry(outcome.entry().clone()));
        let step = lookup.recheck(crate::Recheck::Always).start(NOW.plus_secs(60));
        let Step::QueryTxt(query) = step else { panic!("it asks") };
        let Step::Store(store) = query.answered([["v=STSv1; id=1"]], 60, NOW) else { panic!("no") };
        done(store.stored()).bounce_token()
    };
    assert!(lookup(Lookup::new(outcome.domain().clone())).is_none());
    let token = lookup(retry.recheck(Held::Unreadable)).expect("a permission");
    assert_eq!(token.domain(), outcome.domain());
}

#[test]
fn ok_failures_before_a_connection_have_their_words() {
    use crate::ResultType::{TlsaInvalid, ValidationFailure};
    for (kind, result_type, reason_code) in [
        (FailureKind::MxMismatch, Some(ValidationFailure), "mx-not-in-policy"),
        (FailureKind::NotVouchedFor, None, "host-not-vouched-for"),
        (FailureKind::DaneFailed, Some(TlsaInvalid), "dane-failed"),
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
        let result_type = failure.result_type().map(crate::ResultType::as_str);
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
            "validation-failure certificate-not-verified",
            "certificate-host-mismatch certificate-host-mismatch",
            "- connection-failed",
            "certificate-host-mismatch certificate-host-mismatch",
        ]
    );
}
